"""A time-stamp authority for development: the answer to a request (RFC 3161, 2.4), signed as CMS (RFC 5652)."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from lienthong.trust import der

if TYPE_CHECKING:
    import datetime as dt

    from lienthong.trust.development_certificates import Credential

__all__ = ["DEVELOPMENT_POLICY", "request_stamp", "stamp"]

DEVELOPMENT_POLICY = "1.3.6.1.4.1.32473.1"
"""Under the enterprise number reserved for documentation (RFC 5612)."""
SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
IMPRINTS = {
    der.oid("2.16.840.1.101.3.4.2.1"): 32,
    der.oid("2.16.840.1.101.3.4.2.2"): 48,
    der.oid("2.16.840.1.101.3.4.2.3"): 64,
}
"""Accepted imprint hashes and their lengths."""
ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
RSA_SHA256 = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.tagged(0x05))
SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
TST_INFO = der.oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
SIGNING_CERTIFICATE_V2 = der.oid("1.2.840.113549.1.9.16.2.47")

GRANTED, REJECTED = der.sequence(der.integer(0)), 2
BAD_ALGORITHM, BAD_FORMAT = 0, 5
"""Bits of PKIFailureInfo."""


def request_stamp(data: bytes, *, nonce: int | None = None) -> bytes:
    """Return a request for a time stamp on these bytes, DER; the answer shall carry its signer's certificate."""
    imprint = der.sequence(SHA256, der.octets(hashlib.sha256(data).digest()))
    asked = [] if nonce is None else [der.integer(nonce)]
    return der.sequence(der.integer(1), imprint, *asked, der.tagged(der.BOOLEAN, b"\xff"))


def stamp(request: bytes, authority: Credential, *, at: dt.datetime) -> bytes:
    """Answer a time-stamp request, DER to DER: a token, or why there is none."""
    try:
        version, imprint, *options = der.children(der.read(request).content)
        algorithm, digest = der.children(imprint.content)
        expected = IMPRINTS.get(next(der.children(algorithm.content)).whole)
    except (ValueError, StopIteration):
        return _rejected(BAD_FORMAT)
    if version.whole != der.integer(1):
        return _rejected(BAD_FORMAT)
    if expected != len(digest.content):
        return _rejected(BAD_ALGORITHM)
    nonce = [option.whole for option in options if option.tag == der.INTEGER]
    wants_certificate = any(option.tag == der.BOOLEAN and any(option.content) for option in options)
    info = der.sequence(
        der.integer(1),
        der.oid(DEVELOPMENT_POLICY),
        imprint.whole,
        der.integer(secrets.randbits(63)),
        der.time(at),
        der.sequence(der.integer(1)),
        *nonce,
    )
    return der.sequence(GRANTED, _signed(info, authority, wants_certificate=wants_certificate))


def _signed(info: bytes, authority: Credential, *, wants_certificate: bool) -> bytes:
    certificate = authority.certificate.public_bytes(Encoding.DER)
    identified = der.sequence(der.sequence(der.sequence(der.octets(hashlib.sha256(certificate).digest()))))
    attributes = [
        der.sequence(CONTENT_TYPE, der.set_of([TST_INFO])),
        der.sequence(MESSAGE_DIGEST, der.set_of([der.octets(hashlib.sha256(info).digest())])),
        der.sequence(SIGNING_CERTIFICATE_V2, der.set_of([identified])),
    ]
    signed = der.set_of(attributes)
    if isinstance(authority.key, ec.EllipticCurvePrivateKey):
        method, signature = ECDSA_SHA256, authority.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    else:
        method, signature = RSA_SHA256, authority.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    issuer = authority.certificate.issuer.public_bytes()
    signer_info = der.sequence(
        der.integer(1),
        der.sequence(issuer, der.integer(authority.certificate.serial_number)),
        SHA256,
        der.set_of(attributes, 0xA0),
        method,
        der.octets(signature),
    )
    content = der.sequence(
        der.integer(3),
        der.set_of([SHA256]),
        der.sequence(TST_INFO, der.explicit(0, der.octets(info))),
        *([der.explicit(0, certificate)] if wants_certificate else []),
        der.set_of([signer_info]),
    )
    return der.sequence(SIGNED_DATA, der.explicit(0, content))


def _rejected(bit: int) -> bytes:
    failure = der.tagged(0x03, bytes((7 - bit, 0x80 >> bit)))
    return der.sequence(der.sequence(der.integer(REJECTED), failure))
