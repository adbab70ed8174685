"""A tiny hierarchy of certificates, people who sign PDFs with it, and somebody who believes in it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from asn1crypto import cms, core, tsp
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

from lienthong.document.verdicts import Reason, Verdict
from lienthong.signature.pdf_signing import sign_pdf

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from lienthong.trust import Evidence

NOW = datetime(2026, 11, 15, tzinfo=UTC)
RECEIVED = datetime(2026, 11, 12, 3, 0, tzinfo=UTC)
STAMPED = datetime(2026, 11, 10, 8, 0, tzinfo=UTC)
SIGNED = datetime(2026, 11, 10, 7, 59, tzinfo=UTC)
AGENCY = "000.00.01.G01"
CA = "LAB Document CA"

CURVES: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}

Result = TypeVar("Result")


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Return what a coroutine returns, whether or not a loop is running here."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@dataclass(frozen=True)
class Person:
    """A key and the certificates that go with it."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate_chain: tuple[x509.Certificate, ...]

    def sign(self, data: bytes) -> bytes:
        """Return the signature over the data."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        short = self.key.curve.name == "secp256r1"
        return self.key.sign(data, ec.ECDSA(hashes.SHA256() if short else hashes.SHA384()))

    @property
    def certificate(self) -> x509.Certificate:
        """The person's own certificate."""
        return self.certificate_chain[0]


def name(common: str, serial: str | None = None) -> x509.Name:
    """Return a subject."""
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "VN")]
    if serial:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certify(
    subject: x509.Name, key: Any, issuer: x509.Name, issuer_key: Any, *, authority: bool = False, stamps: bool = False
) -> x509.Certificate:
    """Return a certificate."""
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if stamps:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
    return builder.sign(issuer_key, hashes.SHA256())


@cache
def authority(common: str) -> Person:
    """Return an authority that signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Person(key, (certify(name(common), key, name(common), key, authority=True),))


@cache
def person(common: str = "Văn thư", serial: str | None = AGENCY, kind: str = "p256", ca: str = CA) -> Person:
    """Return somebody with a certificate of that authority."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind.startswith("rsa"):
        key = rsa.generate_private_key(65537, int(kind[3:]))
    else:
        key = ec.generate_private_key(CURVES[kind])
    issuer = authority(ca)
    own = certify(name(common, serial), key, issuer.certificate.subject, issuer.key, stamps=common.startswith("TSA"))
    return Person(key, (own, issuer.certificate))


def stamper(at: datetime = STAMPED, ca: str = CA) -> DummyTimeStamper:
    """Return a time-stamp authority that lives at that moment."""
    who = person("TSA", None, "rsa2048", ca)
    private = who.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return DummyTimeStamper(
        asn1_x509.Certificate.load(who.certificate.public_bytes(Encoding.DER)),
        asn1_keys.PrivateKeyInfo.load(private),
        fixed_dt=at,
    )


def signed(pdf: bytes, who: Person | None = None, *, stamped: DummyTimeStamper | None = None, **options: Any) -> bytes:
    """Return the PDF signed by somebody."""

    async def ask(request: bytes) -> bytes:
        assert stamped is not None
        response = await stamped.async_request_tsa_response(tsp.TimeStampReq.load(request))
        return bytes(response.dump())

    return run(sign_pdf(pdf, who or person(), signing_time=SIGNED, timestamp=ask if stamped else None, **options))


def document_stamped(pdf: bytes, stamped: DummyTimeStamper) -> bytes:
    """Return the PDF with a document time stamp (PAdES B-LTA)."""
    output = BytesIO()
    stamp = PdfTimeStamper(stamped).async_timestamp_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), "sha256", output=output, bytes_reserved=16_384
    )
    run(stamp)
    return output.getvalue()


@dataclass(frozen=True)
class Opinion:
    """A verdict with its reason."""

    verdict: Verdict
    reason: Reason
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class StampOpinion:
    """What is thought of a time stamp."""

    time: datetime | None
    judgement: Opinion


GOOD = Opinion(Verdict.VALID, Reason("", "tin", "believed"))


def bad(code: str) -> Opinion:
    """Return an opinion that refuses."""
    return Opinion(Verdict.INVALID, Reason(code, "không tin", "not believed"))


@dataclass(frozen=True)
class SimpleBelief:
    """Believes whom the authorities signed, unless revoked by then; only for tests."""

    authorities: tuple[x509.Certificate, ...]
    revoked: Mapping[int, datetime]
    unknown: frozenset[int] = frozenset()
    now: datetime = NOW

    def signer(self, certificate: x509.Certificate, *, at: datetime) -> Opinion:
        """Judge a certificate."""
        if not any(self._issued(certificate, issuer) for issuer in self.authorities):
            return bad("NO_CERTIFICATE_CHAIN_FOUND")
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return bad("OUT_OF_BOUNDS_NOT_REVOKED")
        if certificate.serial_number in self.unknown:
            return Opinion(Verdict.INDETERMINATE, Reason("TRY_LATER", "chưa rõ", "unknown"))
        if certificate.serial_number in self.revoked and self.revoked[certificate.serial_number] <= at:
            return bad("REVOKED")
        return GOOD

    def timestamp(self, token: bytes, *, imprint_of: bytes) -> StampOpinion:
        """Judge a token: its imprint, its authority and its time."""
        try:
            return self._stamp(cms.ContentInfo.load(token)["content"], imprint_of)
        except (TypeError, ValueError, KeyError):
            return StampOpinion(None, bad("FORMAT_FAILURE"))

    def _stamp(self, data: Any, imprint_of: bytes) -> StampOpinion:
        content = data["encap_content_info"]["content"].parsed
        digest = hashes.Hash(hashes.SHA256())
        digest.update(imprint_of)
        time = content["gen_time"].native
        assert isinstance(time, datetime)
        if content["message_imprint"]["hashed_message"].native != digest.finalize():
            return StampOpinion(time, bad("HASH_FAILURE"))
        if data["certificates"] is core.VOID or time > self.now + timedelta(minutes=5):
            return StampOpinion(time, bad("FORMAT_FAILURE"))
        certificate = x509.load_der_x509_certificate(data["certificates"][0].chosen.dump())
        return StampOpinion(time, self.signer(certificate, at=time))

    def _issued(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def belief(**changes: Any) -> SimpleBelief:
    """Return the belief in our own authority."""
    return SimpleBelief(**({"authorities": (authority(CA).certificate,), "revoked": {}} | changes))
