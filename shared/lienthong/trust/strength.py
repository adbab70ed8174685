"""Which keys and hashes are strong enough, and checking a signature with them.

RSA of 2048 to 8192 bits (more is only a way to keep us busy) and ECDSA on P-256, P-384 and P-521, with SHA-256, SHA-384
or SHA-512: the signature profile's algorithms, and P-521 for authorities' own keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

__all__ = ["UNREADABLE", "has_safe_key", "has_safe_signature", "is_safe_hash", "is_safe_key", "is_signed_by"]

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
"""What the library raises when a certificate, list or answer holds something that it cannot read."""

SMALLEST_RSA, LARGEST_RSA = 2048, 8192
SMALLEST_EXPONENT, LARGEST_EXPONENT_BITS = 3, 32


def is_safe_hash(algorithm: hashes.HashAlgorithm | None) -> bool:
    """Tell whether a signature may be made over this hash."""
    return isinstance(algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512)


def is_safe_key(key: CertificatePublicKeyTypes) -> bool:
    """Tell whether a public key is of an accepted kind and size."""
    if isinstance(key, rsa.RSAPublicKey):
        exponent = key.public_numbers().e
        return (
            SMALLEST_RSA <= key.key_size <= LARGEST_RSA
            and exponent >= SMALLEST_EXPONENT
            and exponent.bit_length() <= LARGEST_EXPONENT_BITS
        )
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(
        key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1
    )


def has_safe_key(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate's key is accepted; a key that cannot be read is not."""
    try:
        return is_safe_key(certificate.public_key())
    except UNREADABLE:
        return False


def has_safe_signature(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is signed over an accepted hash."""
    try:
        return is_safe_hash(certificate.signature_hash_algorithm)
    except UNREADABLE:
        return False


def is_signed_by(
    signature: bytes, signed: bytes, algorithm: hashes.HashAlgorithm | None, key: CertificatePublicKeyTypes
) -> bool:
    """Tell whether an accepted key made this signature over an accepted hash of these bytes."""
    if algorithm is None or not is_safe_hash(algorithm) or not is_safe_key(key):
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True
