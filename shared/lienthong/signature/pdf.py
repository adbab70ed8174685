"""Judging a PDF: every signature in it, who made it, when, and whether it is believed (PAdES, ETSI EN 319 102-1).

The bytes are examined in a process of its own (`lienthong.signature.pdf_child`); certificates and time stamps are
judged here by what the caller believes. Certificates a PDF brings along never help to build a path.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

from cryptography import x509
from cryptography.x509.oid import NameOID

from lienthong.document.verdicts import Reason, SignatureFinding, Verdict
from lienthong.isolation import Death, Pool
from lienthong.signature.pdf_facts import Flaw, PdfFacts, SignatureFacts, decode_facts, reason_of

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from lienthong.trust import Evidence

__all__ = ["Belief", "Holder", "Judged", "JudgedStamp", "PdfJudge", "PdfReport", "holder_of", "report"]

MAX_BYTES = 50 * 1024 * 1024

UNSIGNED = Reason("", "Tệp PDF không có chữ ký số nào", "The PDF carries no digital signature")
VALID = Reason(
    "",
    "Chữ ký số nguyên vẹn và được tin cậy tại thời điểm xét",
    "The signature is intact and was trusted at the moment it is judged for",
)
ALL_VALID = Reason("", "Mọi chữ ký số trong tệp đều hợp lệ", "Every signature in the file is valid")


class Judged(Protocol):
    """What is believed of a certificate, with everything that belief rests on."""

    @property
    def verdict(self) -> Verdict:
        """Valid, invalid or indeterminate."""
        ...

    @property
    def reason(self) -> Reason:
        """Why."""
        ...

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What it rests on."""
        ...


class JudgedStamp(Protocol):
    """What is believed of a time stamp."""

    @property
    def time(self) -> datetime | None:
        """The time it attests; None when it cannot be read."""
        ...

    @property
    def judgement(self) -> Judged:
        """Whether that is believed."""
        ...


class Belief(Protocol):
    """Whom we believe, and since when: what `lienthong.trust` gives, for one moment of judging."""

    def signer(self, certificate: x509.Certificate, *, at: datetime) -> Judged:
        """Judge the certificate of somebody who signed a document, for that moment; never raises."""
        ...

    def timestamp(self, token: bytes, *, imprint_of: bytes) -> JudgedStamp:
        """Judge an RFC 3161 token (DER) over those bytes; never raises, whatever they are."""
        ...


class Holder(StrEnum):
    """Whose certificate it is: Decree 30/2020/NĐ-CP, Art. 5 asks for a person's signature and an agency's."""

    PERSON = "person"
    AGENCY = "agency"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PdfReport:
    """A PDF as judged.

    Attributes:
        findings: its signatures and document time stamps, in signing order.
        verdict: valid when all are; unsigned when there are none; indeterminate when nothing worse was found.
        reason: why; of several the first.
        grounds: the judgements the findings rest on, to be kept as evidence.
        certificates: of each finding the signer's, None where there is none that can be read.
        seconds: of processor time its examination took.
        deadly: whether its examination had to be ended.
    """

    findings: tuple[SignatureFinding, ...]
    verdict: Verdict
    reason: Reason
    grounds: tuple[Judged, ...] = ()
    certificates: tuple[x509.Certificate | None, ...] = ()
    seconds: float = 0
    deadly: bool = False

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Return of each finding whether a person or an agency signed, as far as the certificate tells."""
        return tuple(holder_of(certificate) for certificate in self.certificates)


class PdfJudge:
    """Judges PDFs; an async context manager that owns the processes which examine them.

    Args:
        workers: how many PDFs are examined at once.
        seconds: of processor time for one PDF; what takes longer is killed and refused, so within five on the clock.
        megabytes: of address space for one PDF, likewise; what its process needs for itself (about 70) included.
        max_bytes: the largest PDF that is looked at.
    """

    def __init__(
        self, *, workers: int = 2, seconds: float = 4, megabytes: int = 300, max_bytes: int = MAX_BYTES
    ) -> None:
        self.seconds = seconds
        self._max_bytes = max_bytes
        program = ("-m", "lienthong.signature.pdf_child", str(megabytes))
        self._pool = Pool(program, processes=workers, seconds=seconds, more_seconds=30)  # on a busy machine

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pool.__aexit__(kind, error, traceback)

    async def judge(
        self, pdf: bytes, *, at: datetime, belief: Belief, subject: str = "", seconds: float | None = None
    ) -> PdfReport:
        """Return what is found about every signature in a PDF.

        Args:
            pdf: the whole file.
            at: when it was received; the moment a signature without a time stamp is judged for.
            belief: whom we believe.
            subject: the attachment's name, for the findings.
            seconds: of processor time for this one, when that is less than for any other.

        Raises:
            Unavailable: it could not be examined now, for no fault of its own; try again.
        """
        if len(pdf) > self._max_bytes:
            return report(PdfFacts(Flaw.TOO_LARGE), pdf, at=at, belief=belief, subject=subject)
        outcome = await self._pool.ask(pdf, seconds=seconds)
        if isinstance(outcome, Death):
            facts = PdfFacts(Flaw(outcome.value))
            return replace(report(facts, pdf, at=at, belief=belief, subject=subject), deadly=True)
        found = report(decode_facts(outcome.body), pdf, at=at, belief=belief, subject=subject)
        return replace(found, seconds=outcome.seconds)


def report(facts: PdfFacts, pdf: bytes, *, at: datetime, belief: Belief, subject: str = "") -> PdfReport:
    """Return the report on a PDF whose facts are known; arguments as in `PdfJudge.judge`."""
    if facts.flaw is None and not facts.signatures:
        return PdfReport((), Verdict.UNSIGNED, UNSIGNED)
    bench = _Bench(pdf, at, belief, subject)
    findings = tuple(reversed([bench.finding(signature) for signature in reversed(facts.signatures)]))
    rest = (tuple(bench.grounds), tuple(_certificate(signature) for signature in facts.signatures))
    if facts.flaw is not None:
        return PdfReport(findings, Verdict.INVALID, reason_of(facts.flaw), *rest)
    for verdict in (Verdict.INVALID, Verdict.INDETERMINATE):
        for finding in findings:
            if finding.verdict is verdict:
                return PdfReport(findings, verdict, finding.reason, *rest)
    if all(signature.document_timestamp for signature in facts.signatures):
        return PdfReport(findings, Verdict.UNSIGNED, UNSIGNED, *rest)
    return PdfReport(findings, Verdict.VALID, ALL_VALID, *rest)


class _Bench:
    """Judges the signatures of one PDF from the last to the first, so that a document stamp dates those before it."""

    def __init__(self, pdf: bytes, at: datetime, belief: Belief, subject: str) -> None:
        self.pdf = pdf
        self.at = at
        self.belief = belief
        self.subject = subject
        self.archived_at: datetime | None = None
        self.grounds: list[Judged] = []

    def finding(self, facts: SignatureFacts) -> SignatureFinding:
        """Return the finding on one signature or document time stamp."""
        certificate = _certificate(facts)
        if facts.flaw is not None:
            return self._finding(facts, certificate, Verdict.INVALID, reason_of(facts.flaw), None)
        if certificate is None:
            return self._finding(facts, None, Verdict.INVALID, reason_of(Flaw.NO_CERTIFICATE), None)
        if facts.document_timestamp:
            return self._document_timestamp(facts, certificate)
        return self._signature(facts, certificate)

    def _document_timestamp(self, facts: SignatureFacts, certificate: x509.Certificate) -> SignatureFinding:
        gap_begins, gap_ends, end = facts.covered
        stamp = self._stamp(facts.token or b"", self.pdf[:gap_begins] + self.pdf[gap_ends:end])
        judged = stamp.judgement
        if judged.verdict is Verdict.VALID and stamp.time is not None:
            self.archived_at = stamp.time
        return self._finding(facts, certificate, judged.verdict, judged.reason, stamp.time)

    def _signature(self, facts: SignatureFacts, certificate: x509.Certificate) -> SignatureFinding:
        """Judge the signer for the earliest moment the signature is proven to have existed (EN 319 102-1, 5.5)."""
        moment = min(self.at, self.archived_at or self.at)
        unsure: Judged | None = None
        if facts.token is not None:
            stamp = self._stamp(facts.token, facts.signature_value)
            if stamp.judgement.verdict is Verdict.INDETERMINATE:
                unsure = stamp.judgement
            elif stamp.judgement.verdict is not Verdict.VALID or stamp.time is None:
                return self._finding(facts, certificate, Verdict.INVALID, stamp.judgement.reason, None)
            else:
                moment = min(moment, stamp.time)
        judged = self.belief.signer(certificate, at=moment)
        self.grounds.append(judged)
        if judged.verdict is Verdict.VALID:
            return self._finding(facts, certificate, Verdict.VALID, VALID, moment)
        if unsure is not None:  # with its stamp believed it may yet be valid
            return self._finding(facts, certificate, Verdict.INDETERMINATE, unsure.reason, moment)
        return self._finding(facts, certificate, judged.verdict, judged.reason, moment)

    def _stamp(self, token: bytes, imprint_of: bytes) -> JudgedStamp:
        stamp = self.belief.timestamp(token, imprint_of=imprint_of)
        self.grounds.append(stamp.judgement)
        return stamp

    def _finding(
        self,
        facts: SignatureFacts,
        certificate: x509.Certificate | None,
        verdict: Verdict,
        reason: Reason,
        signed_at: datetime | None,
    ) -> SignatureFinding:
        return SignatureFinding(
            "timestamp" if facts.document_timestamp else "pdf",
            verdict,
            reason,
            signer=_attribute(certificate, NameOID.COMMON_NAME),
            agency=_attribute(certificate, NameOID.SERIAL_NUMBER),
            signed_at=signed_at,
            claimed_at=facts.claimed_at,
            subject=self.subject,
            holder=holder_of(certificate).value,
        )


def holder_of(certificate: x509.Certificate | None) -> Holder:
    """Tell whose certificate it is by its subject.

    A surname, given name or title is a natural person's (ETSI EN 319 412-2, 4.2.4); an organization identifier, or a
    common name that is the organization's, a legal person's (EN 319 412-3, 4.2.1).
    """
    if certificate is None:
        return Holder.UNKNOWN
    if any(_attribute(certificate, oid) for oid in (NameOID.SURNAME, NameOID.GIVEN_NAME, NameOID.TITLE)):
        return Holder.PERSON
    common = (_attribute(certificate, NameOID.COMMON_NAME) or "").casefold()
    units = (NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
    named = common and common in {(_attribute(certificate, oid) or "").casefold() for oid in units}
    return Holder.AGENCY if named or _attribute(certificate, NameOID.ORGANIZATION_IDENTIFIER) else Holder.UNKNOWN


def _certificate(facts: SignatureFacts) -> x509.Certificate | None:
    try:
        return None if facts.certificate is None else x509.load_der_x509_certificate(facts.certificate)
    except ValueError:
        return None


def _attribute(certificate: x509.Certificate | None, oid: x509.ObjectIdentifier) -> str | None:
    """Return the last value of that kind in the subject; None when there is none that can be read."""
    if certificate is None:
        return None
    try:
        values = certificate.subject.get_attributes_for_oid(oid)
    except ValueError:
        return None
    return str(values[-1].value) if values else None
