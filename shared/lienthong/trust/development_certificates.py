"""Making certificates for development, demo and tests. Nothing here is fit for production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["MARK", "Credential", "authority_extensions", "end_entity_extensions", "issue", "key_usage", "named"]

MARK = "DEVELOPMENT ONLY - KHONG CO GIA TRI"
"""Stands in the name of every certificate made here."""
LONGEST_NAME = 64
"""Characters of a commonName (RFC 5280, ub-common-name)."""

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = tuple[x509.ExtensionType, bool]
"""An extension and whether it is critical."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    def save(self, path: Path) -> None:
        """Write ``path.pem`` and ``path.key``, the key readable by its owner only."""
        path.with_name(f"{path.name}.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        key = path.with_name(f"{path.name}.key")
        key.touch(mode=0o600)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @classmethod
    def load(cls, path: Path) -> Credential:
        """Read what `save` wrote.

        Raises:
            OSError, ValueError: it is not there, or damaged.
        """
        key = load_pem_private_key(path.with_name(f"{path.name}.key").read_bytes(), None)
        if not isinstance(key, PrivateKey):
            raise ValueError(  # noqa: TRY004 - the file is wrong, not an argument
                f"{path}: neither an RSA nor an EC key"
            )
        certificate = x509.load_pem_x509_certificate(path.with_name(f"{path.name}.pem").read_bytes())
        return cls(certificate, key)


def named(common_name: str, agency: str | None = None, *, person: bool = False) -> x509.Name:
    """Return a subject name; an agency's code becomes its serialNumber, a person's name is given in its parts too."""
    attributes = [(NameOID.COUNTRY_NAME, "VN"), (NameOID.ORGANIZATION_NAME, MARK)]
    if person:  # ETSI EN 319 412-2, 4.2.4: it is by these that a natural person's certificate is known
        surname, _, given = common_name.partition(" ")
        attributes += [(NameOID.SURNAME, surname), (NameOID.GIVEN_NAME, given or surname)]
    if agency is not None:
        attributes.append((NameOID.SERIAL_NUMBER, agency))
    attributes.append((NameOID.COMMON_NAME, common_name[:LONGEST_NAME]))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in attributes])


def issue(
    issuer: Credential | None,
    subject: x509.Name,
    extensions: Iterable[Extension],
    *,
    start: dt.datetime,
    end: dt.datetime,
    key: PrivateKey | None = None,
) -> Credential:
    """Issue a certificate.

    Args:
        issuer: who signs; None for a self-signed certificate.
        subject: whose it is.
        extensions: what it carries besides the key identifiers, which are added.
        start: from when on it is valid.
        end: until when.
        key: the subject's key; a new one on P-256 by default.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if issuer is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return Credential(builder.sign(key if issuer is None else issuer.key, hashes.SHA256()), key)


def key_usage(*usages: str) -> x509.KeyUsage:
    """Return a key usage with these bits, by the names of `x509.KeyUsage`'s attributes."""
    return x509.KeyUsage(
        **{
            name: name in usages
            for name in (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "key_cert_sign",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            )
        }
    )


def authority_extensions(path_length: int | None = None) -> list[Extension]:
    """Return what makes a certificate an authority's."""
    return [
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (key_usage("key_cert_sign", "crl_sign"), True),
    ]


def end_entity_extensions(
    *, purpose: x509.ObjectIdentifier | None = None, crl_url: str | None = None, ocsp_url: str | None = None
) -> list[Extension]:
    """Return what a signer's or a service's certificate carries: usage, purpose, where its status is published."""
    extensions: list[Extension] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage("digital_signature", "content_commitment"), True),
    ]
    if purpose is not None:
        extensions.append((x509.ExtendedKeyUsage([purpose]), True))
    if crl_url is not None:
        extensions.append((crl_point(crl_url), False))
    if ocsp_url is not None:
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url))
        extensions.append((x509.AuthorityInformationAccess([place]), False))
    return extensions


def crl_point(url: str) -> x509.CRLDistributionPoints:
    """Return the extension that says where a list is published."""
    place = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([place])
