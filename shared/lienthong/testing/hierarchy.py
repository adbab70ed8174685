"""A hierarchy of certificates for tests of trust: right by default, and wrong in any one way a test asks for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from lienthong.trust import Credential, TrustStore, der
from lienthong.trust.development_certificates import authority_extensions, end_entity_extensions, issue, named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lienthong.trust.development_certificates import Extension, PrivateKey

__all__ = ["Hierarchy", "Revocation", "signed_with_sha1"]

DAY = dt.timedelta(days=1)
YEAR = dt.timedelta(days=365)
ECDSA_SHA1 = der.sequence(der.oid("1.2.840.10045.4.1"))


@dataclass(frozen=True, slots=True)
class Revocation:
    """One entry of a list.

    Attributes:
        certificate: what is revoked.
        at: its revocationDate.
        reason: its reasonCode, if any.
        invalid_since: its invalidityDate, if any.
        others: further extensions of the entry.
    """

    certificate: x509.Certificate
    at: dt.datetime
    reason: x509.ReasonFlags | None = None
    invalid_since: dt.datetime | None = None
    others: tuple[Extension, ...] = ()

    def build(self) -> x509.RevokedCertificate:
        """Return it as the list wants it."""
        builder = x509.RevokedCertificateBuilder(self.certificate.serial_number, self.at)
        if self.reason is not None:
            builder = builder.add_extension(x509.CRLReason(self.reason), critical=False)
        if self.invalid_since is not None:
            builder = builder.add_extension(x509.InvalidityDate(self.invalid_since), critical=False)
        for value, critical in self.others:
            builder = builder.add_extension(value, critical=critical)
        return builder.build()


class Hierarchy:
    """A root, an authority under it, and whatever a test issues; everything is right at `now`.

    Args:
        now: the present of the test.
    """

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        self.start, self.end = now - YEAR, now + YEAR
        self.root = self.authority("Root", None)
        self.sub = self.authority("Sub CA", self.root, path_length=0)

    def authority(
        self,
        name: str,
        issuer: Credential | None,
        *,
        path_length: int | None = None,
        extensions: Iterable[Extension] | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        key: PrivateKey | None = None,
    ) -> Credential:
        """Issue an authority's certificate; without issuer it is a root."""
        wanted = authority_extensions(path_length) if extensions is None else extensions
        return issue(issuer, named(name), wanted, start=start or self.start, end=end or self.end, key=key)

    def signer(
        self,
        *,
        issuer: Credential | None = None,
        extensions: Iterable[Extension] | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        key: PrivateKey | None = None,
        others: Iterable[Extension] = (),
    ) -> Credential:
        """Issue an agency's certificate, by the authority under the root unless another is given."""
        wanted = [*(end_entity_extensions() if extensions is None else extensions), *others]
        subject = named("Văn thư cơ quan", "H23")
        return issue(issuer or self.sub, subject, wanted, start=start or self.start, end=end or self.end, key=key)

    def crl(
        self,
        issuer: Credential,
        *revocations: Revocation,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        key: PrivateKey | None = None,
        extensions: Iterable[Extension] = (),
    ) -> x509.CertificateRevocationList:
        """Issue a list: a day old and good for a week, signed by its issuer, unless said otherwise."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(since or self.now - DAY)
            .next_update(until or self.now + 6 * DAY)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical=critical)
        for revocation in revocations:
            builder = builder.add_revoked_certificate(revocation.build())
        return builder.sign(key or issuer.key, hashes.SHA256())

    def answer(
        self,
        certificate: x509.Certificate,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        *,
        issuer: Credential | None = None,
        responder: Credential | None = None,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        revoked_at: dt.datetime | None = None,
        reason: x509.ReasonFlags | None = None,
    ) -> ocsp.OCSPResponse:
        """Return an OCSP answer: an hour old and good for a day, signed by the issuer, unless said otherwise."""
        issuer = issuer or self.sub
        signer = responder or issuer
        since = since or self.now - dt.timedelta(hours=1)
        builder = ocsp.OCSPResponseBuilder().add_response(
            certificate,
            issuer.certificate,
            hashes.SHA1(),  # noqa: S303 - names the issuer, protects nothing
            status,
            since,
            until or self.now + DAY,
            revoked_at,
            reason,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        if responder is not None:
            builder = builder.certificates([responder.certificate])
        return builder.sign(signer.key, hashes.SHA256())

    def responder(self, *, issuer: Credential | None = None, unchecked: bool = True) -> Credential:
        """Issue an OCSP responder's certificate; ``unchecked`` adds id-pkix-ocsp-nocheck."""
        extensions = end_entity_extensions(purpose=ExtendedKeyUsageOID.OCSP_SIGNING)
        return self.signer(
            issuer=issuer, extensions=extensions, others=[(x509.OCSPNoCheck(), False)] if unchecked else []
        )

    def store(
        self,
        *crls: x509.CertificateRevocationList,
        answers: Iterable[ocsp.OCSPResponse] = (),
        roots: Iterable[Credential] | None = None,
        intermediates: Iterable[Credential] | None = None,
    ) -> TrustStore:
        """Return a snapshot with these sources; without any, both authorities' lists are there, empty and fresh."""
        answers = tuple(answers)
        if not crls and not answers:
            crls = (self.crl(self.root), self.crl(self.sub))
        return TrustStore.of(
            roots=[one.certificate for one in ([self.root] if roots is None else roots)],
            intermediates=[one.certificate for one in ([self.sub] if intermediates is None else intermediates)],
            crls=crls,
            answers=answers,
        )


def signed_with_sha1(certificate: x509.Certificate, issuer: Credential) -> x509.Certificate:
    """Return the same certificate signed by its issuer with ECDSA over SHA-1, as a careless authority would."""
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    fields = list(der.children(der.read(certificate.public_bytes(Encoding.DER)).content))
    parts = [field.whole for field in der.children(fields[0].content)]
    parts[2] = ECDSA_SHA1
    to_be_signed = der.sequence(*parts)
    signature = issuer.key.sign(to_be_signed, ec.ECDSA(hashes.SHA1()))  # noqa: S303 - the weakness is the point
    return x509.load_der_x509_certificate(der.sequence(to_be_signed, ECDSA_SHA1, der.tagged(0x03, b"\0", signature)))
