"""Keys that sign: from files here, from a PKCS#11 token in `lienthong.signature.pkcs11`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from lienthong.errors import MisconfiguredError
from lienthong.signature.algorithms import SignatureMethod, method_for

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileSigner", "Signer", "load_certificates", "method_of_chain"]


class Signer(Protocol):
    """A key with its certificates.

    Attributes:
        certificate_chain: the signer's certificate first, then intermediates for the reader's convenience; at most
            five, for no more are accepted.
        method: how it signs.
    """

    @property
    def certificate_chain(self) -> tuple[x509.Certificate, ...]:
        """Return the certificates."""
        ...

    @property
    def method(self) -> SignatureMethod:
        """Return how it signs."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature over these bytes; of ECDSA in DER, as certificates and CMS have it.

        Raises:
            Unavailable: the key cannot be reached now.
        """
        ...


class FileSigner:
    """A private key in memory; safe to share between threads."""

    def __init__(
        self,
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
        certificate_chain: tuple[x509.Certificate, ...],
        *,
        pss: bool = False,
    ) -> None:
        """Take a key.

        Args:
            key: RSA of 2048 bits or more, P-256 or P-384.
            certificate_chain: the certificate of this key, then what it was issued by.
            pss: whether an RSA key signs by PSS instead of PKCS#1 v1.5.

        Raises:
            MisconfiguredError: the certificate is not this key's, or the profile does not accept the key.
        """
        self.certificate_chain = certificate_chain
        self.method = method_of_chain(certificate_chain, pss=pss)
        if _encoded(key.public_key()) != _encoded(certificate_chain[0].public_key()):
            raise MisconfiguredError("the first certificate is not that of the private key")
        self._key = key

    @classmethod
    def load(cls, key: Path, certificates: Path, *, password: bytes | None = None, pss: bool = False) -> FileSigner:
        """Return a signer from PEM files.

        Args:
            key: file of the private key.
            certificates: file of its certificate and, after it, intermediates.
            password: of the key, when it is encrypted.
            pss: as above.

        Raises:
            MisconfiguredError: a file cannot be read, or does not fit.
        """
        try:
            private = load_pem_private_key(key.read_bytes(), password)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise MisconfiguredError(f"cannot read the signing key {key}: {error}") from error
        if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise MisconfiguredError(f"the signing key {key} is neither RSA nor ECDSA")
        return cls(private, load_certificates(certificates), pss=pss)

    def sign(self, data: bytes) -> bytes:
        """Return the signature over these bytes; of ECDSA in DER."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, self.method.rsa_padding, self.method.hash)
        return self._key.sign(data, ec.ECDSA(self.method.hash))


def load_certificates(file: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a PEM file.

    Raises:
        MisconfiguredError: it cannot be read.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise MisconfiguredError(f"cannot read the certificates of the signing key in {file}: {error}") from error


def method_of_chain(certificate_chain: tuple[x509.Certificate, ...], *, pss: bool = False) -> SignatureMethod:
    """Return how the key of the first certificate signs.

    Raises:
        MisconfiguredError: there are too few or too many certificates, or the profile does not accept the key.
    """
    if not 1 <= len(certificate_chain) <= 5:  # noqa: PLR2004 - the profile's limit
        raise MisconfiguredError("a signer needs its certificate, and at most four more")
    method = method_for(certificate_chain[0].public_key(), pss=pss)
    if method is None:
        raise MisconfiguredError("the signing key has to be RSA of 2048 bits or more, P-256 or P-384")
    return method


def _encoded(key: object) -> bytes:
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey), "a key that has a method"
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
