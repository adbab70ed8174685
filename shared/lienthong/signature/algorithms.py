"""The algorithms of signature profile 1 and nothing else: no SHA-1, no MD5, no HMAC, no parameters.

URIs are those of XML-DSig 1.1, clause 6, and RFC 9231; key sizes those of the profile.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from lienthong.signature.reasons import BrokenSignatureError, Code

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.x509 import Certificate

__all__ = ["DIGESTS", "EXCLUSIVE_C14N", "SHA256", "SignatureMethod", "method_for", "method_of", "verify"]

EXCLUSIVE_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
DIGESTS: Final[dict[str, Callable[[bytes], hashlib._Hash]]] = {
    SHA256: hashlib.sha256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}
"""What may digest a reference; we write SHA-256."""

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""A larger key only costs time."""

_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_RSA_PSS_DEFAULTS = "http://www.w3.org/2007/05/xmldsig-more#rsa-pss"


class SignatureMethod(StrEnum):
    """How a signature value is made; the value is its URI."""

    RSA_SHA256 = f"{_MORE}rsa-sha256"
    RSA_SHA384 = f"{_MORE}rsa-sha384"
    RSA_SHA512 = f"{_MORE}rsa-sha512"
    RSA_PSS_SHA256 = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
    ECDSA_SHA256 = f"{_MORE}ecdsa-sha256"
    ECDSA_SHA384 = f"{_MORE}ecdsa-sha384"

    @property
    def hash(self) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
        """Return the hash that is signed."""
        return _HASHES[self]

    @property
    def elliptic(self) -> bool:
        """Tell ECDSA from RSA."""
        return self in _ECDSA

    @property
    def rsa_padding(self) -> padding.PKCS1v15 | padding.PSS:
        """Return the padding of an RSA method; the salt of PSS is as long as the hash (RFC 9231, 2.3.10)."""
        return _PSS if self is SignatureMethod.RSA_PSS_SHA256 else _PKCS1


_HASHES: Final[dict[SignatureMethod, hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    SignatureMethod.RSA_SHA256: hashes.SHA256(),
    SignatureMethod.RSA_SHA384: hashes.SHA384(),
    SignatureMethod.RSA_SHA512: hashes.SHA512(),
    SignatureMethod.RSA_PSS_SHA256: hashes.SHA256(),
    SignatureMethod.ECDSA_SHA256: hashes.SHA256(),
    SignatureMethod.ECDSA_SHA384: hashes.SHA384(),
}
_ECDSA: Final = frozenset({SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384})
_PKCS1: Final = padding.PKCS1v15()
_PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
_METHODS: Final = {method.value: method for method in SignatureMethod} | {
    # Without parameters it means SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 9231, 2.3.9).
    _RSA_PSS_DEFAULTS: SignatureMethod.RSA_PSS_SHA256,
}
_COORDINATE_BYTES: Final = {"secp256r1": 32, "secp384r1": 48}


def method_of(uri: str) -> SignatureMethod:
    """Return the method a URI stands for.

    Raises:
        BrokenSignatureError: it is none of the profile's.
    """
    method = _METHODS.get(uri)
    if method is None:
        raise BrokenSignatureError(
            Code.CRYPTO_CONSTRAINTS_FAILURE,
            f"Thuật toán ký {uri[:100]} không được chấp nhận; hãy ký bằng RSA hoặc ECDSA với SHA-256 trở lên",
            f"The signature method {uri[:100]} is not accepted; sign with RSA or ECDSA and SHA-256 or better",
        )
    return method


def method_for(key: object, *, pss: bool = False) -> SignatureMethod | None:
    """Return the method the profile has for a public key, or None when it has none for it.

    Args:
        key: the public key.
        pss: for an RSA key, whether to pad by PSS.
    """
    if isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            return None
        return SignatureMethod.RSA_PSS_SHA256 if pss else SignatureMethod.RSA_SHA256
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"secp256r1": SignatureMethod.ECDSA_SHA256, "secp384r1": SignatureMethod.ECDSA_SHA384}.get(
            key.curve.name
        )
    return None


def verify(certificate: Certificate, method: SignatureMethod, value: bytes, signed: bytes) -> None:
    """Return when the certificate's key made this value over these bytes.

    Args:
        certificate: the signer's.
        method: how.
        value: the signature value; of ECDSA the two numbers one after the other (XML-DSig 1.1, 6.4.3).
        signed: what was signed.

    Raises:
        BrokenSignatureError: it did not, or the key is not fit for the method, or weaker than the profile allows.
    """
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unfit("?") from error
    try:
        if isinstance(key, rsa.RSAPublicKey) and not method.elliptic:
            if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
                raise _unfit(f"RSA-{key.key_size}")
            key.verify(value, signed, method.rsa_padding, method.hash)
        elif isinstance(key, ec.EllipticCurvePublicKey) and method.elliptic:
            size = _COORDINATE_BYTES.get(key.curve.name)
            if size is None:
                raise _unfit(key.curve.name)
            key.verify(_to_der(value, size), signed, ec.ECDSA(method.hash))
        else:
            raise _unfit(type(key).__name__.removesuffix("PublicKey"))
    except InvalidSignature as error:
        raise _forged() from error


def to_concatenated(der: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """Return an ECDSA signature as XML-DSig writes it, from the form certificates use."""
    size = _COORDINATE_BYTES[key.curve.name]
    r, s = decode_dss_signature(der)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _to_der(value: bytes, size: int) -> bytes:
    if len(value) != 2 * size:
        raise _forged()
    return encode_dss_signature(int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big"))


def _forged() -> BrokenSignatureError:
    return BrokenSignatureError(
        Code.SIG_CRYPTO_FAILURE,
        "Giá trị chữ ký không khớp với chứng thư số kèm theo; phần đã ký bị sửa hoặc không do khóa này ký",
        "The signature value does not fit the certificate; what was signed was changed, or another key signed it",
    )


def _unfit(what: str) -> BrokenSignatureError:
    return BrokenSignatureError(
        Code.CRYPTO_CONSTRAINTS_FAILURE,
        f"Khóa ký ({what}) không được chấp nhận; hãy dùng RSA từ {MIN_RSA_BITS} bit, P-256 hoặc P-384",
        f"The signing key ({what}) is not accepted; use RSA of {MIN_RSA_BITS} bits or more, P-256 or P-384",
    )
