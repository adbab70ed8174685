"""A key that is nobody's or somebody else's, and properties that say nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.signature.algorithms import SignatureMethod
from lienthong.testing.attacks.expectations import (
    CONSTRAINTS,
    CRYPTO,
    FORMAT,
    HASH,
    NO_CERTIFICATE,
    NOT_FOUND,
    WEAK,
    changed,
)
from lienthong.testing.message_forge import Draft, certificate, signer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.testing.attacks.expectations import Found

__all__ = ["keys", "properties"]


def keys() -> Iterator[Found]:
    """The key is nobody's, or somebody else's."""
    mine, stranger = signer(), signer("stranger")
    der = base64.b64encode(mine.certificate_chain[0].public_bytes(Encoding.DER)).decode()
    other = base64.b64encode(stranger.certificate_chain[0].public_bytes(Encoding.DER)).decode()
    x509 = "<ds:X509Certificate>{}</ds:X509Certificate>"
    numbers = "<ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
    bare = f"<ds:KeyValue><ds:RSAKeyValue>{numbers}</ds:RSAKeyValue></ds:KeyValue>"
    for name, key_info, code in (
        ("bare KeyValue", bare, NO_CERTIFICATE),
        ("KeyValue beside a certificate", f"{bare}<ds:X509Data>{x509.format(der)}</ds:X509Data>", NO_CERTIFICATE),
        ("no KeyInfo", "", NO_CERTIFICATE),
        ("KeyName", "<ds:KeyName>G01</ds:KeyName>", NO_CERTIFICATE),
        ("RetrievalMethod", '<ds:RetrievalMethod URI="http://127.0.0.1:9/"/>', NO_CERTIFICATE),
        ("no certificate", "<ds:X509Data></ds:X509Data>", NO_CERTIFICATE),
        (
            "SubjectName only",
            "<ds:X509Data><ds:X509SubjectName>CN=x</ds:X509SubjectName></ds:X509Data>",
            NO_CERTIFICATE,
        ),
        ("two X509Data", f"<ds:X509Data>{x509.format(der)}</ds:X509Data>" * 2, NO_CERTIFICATE),
        ("six certificates", f"<ds:X509Data>{x509.format(der) * 6}</ds:X509Data>", CONSTRAINTS),
        ("garbage of 20 KB", f"<ds:X509Data>{x509.format('QUJD' * 7000)}</ds:X509Data>", FORMAT),
        ("version that there is not", f"<ds:X509Data>{x509.format(_other_version())}</ds:X509Data>", NO_CERTIFICATE),
        ("garbage", f"<ds:X509Data>{x509.format('QUJD')}</ds:X509Data>", NO_CERTIFICATE),
        ("truncated", f"<ds:X509Data>{x509.format(der[:400])}</ds:X509Data>", NO_CERTIFICATE),
        ("no base64", f"<ds:X509Data>{x509.format(der + '!')}</ds:X509Data>", FORMAT),
        ("another's certificate", f"<ds:X509Data>{x509.format(other)}</ds:X509Data>", CRYPTO),
        ("another's certificate first", f"<ds:X509Data>{x509.format(other)}{x509.format(der)}</ds:X509Data>", CRYPTO),
    ):
        yield name, code, Draft(key_info=key_info).sign
    yield (
        "signed again by another for the same certificate",
        NO_CERTIFICATE,
        Draft(key=stranger, named=mine.certificate_chain[0]).sign,
    )
    yield "another certificate of the same key", NO_CERTIFICATE, _same_key
    yield "RSA-1024", WEAK, _weak_rsa
    yield "value empty", FORMAT, Draft(value=b"").sign
    yield "value too short", CRYPTO, Draft(value=b"\1" * 63).sign
    yield "value of zeros", CRYPTO, Draft(value=bytes(64)).sign
    yield "value in DER", CRYPTO, lambda: Draft(value=mine.sign(b"x")).sign()
    yield "RSA value of zeros", CRYPTO, Draft(key=signer("rsa"), value=bytes(256)).sign


def _other_version() -> str:
    """Return a certificate of a version that there is not."""
    der = signer().certificate_chain[0].public_bytes(Encoding.DER)
    return base64.b64encode(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)).decode()


def _same_key() -> bytes:
    key = signer()._key  # noqa: SLF001 - a forger has the key
    named = certificate(key, "000.00.66.H66")
    return Draft(named=named).sign()


class _Weak:
    """Signs with a key the profile does not accept."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the attack
        self.certificate_chain = (certificate(self.key),)
        self.method = SignatureMethod.RSA_SHA256

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data, self.method.rsa_padding, self.method.hash)


def _weak_rsa() -> bytes:
    return Draft(key=_Weak()).sign()


def properties() -> Iterator[Found]:
    """What the signer says is missing, doubled or garbage."""
    draft = Draft()
    made = draft.own_properties()
    signing_time = "<xades:SigningTime>2026-11-10T08:00:00Z</xades:SigningTime>"
    about = made[made.index("<xades:SigningCertificateV2") : made.index("</xades:SignedSignatureProperties")]
    for name, properties, code in (
        ("no SigningTime", made.replace(signing_time, ""), FORMAT),
        ("SigningTime twice", made.replace(signing_time, signing_time * 2), FORMAT),
        ("SigningTime of words", made.replace("2026-11-10T08:00:00Z", "yesterday"), FORMAT),
        ("no SigningCertificateV2", made.replace(about, ""), FORMAT),
        ("SigningCertificateV2 twice", made.replace(about, about * 2), FORMAT),
        ("SigningCertificate of SHA-1", made.replace("xmlenc#sha256", "xmldsig#sha1"), WEAK),
        ("version 1 only", made.replace("SigningCertificateV2", "SigningCertificate"), FORMAT),
        ("no Id", made.replace(' Id="p"', ""), NOT_FOUND),
        ("Id of the header", made.replace(' Id="p"', ' Id="h"'), FORMAT),
        ("twice", made + made.replace(' Id="p"', ' Id="q"'), FORMAT),
        ("none", "", FORMAT),
    ):
        yield name, code, Draft(properties=properties).sign
    yield "Target of another signature", FORMAT, changed(draft, ('Target="#s"', 'Target="#z"'))
    yield "Target without Id", FORMAT, changed(draft, ('" Id="s"', '"'))
    yield "changed", HASH, changed(draft, ("2026-11-10T08:00:00Z", "2026-11-10T08:00:01Z"))
    yield (
        "four time stamps",
        FORMAT,
        changed(
            draft,
            (
                "</xades:SignedProperties>",
                "</xades:SignedProperties><xades:UnsignedProperties><xades:UnsignedSignatureProperties>"
                + "<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>QUJD</xades:EncapsulatedTimeStamp>"
                "</xades:SignatureTimeStamp>" * 4 + "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>",
            ),
        ),
    )
