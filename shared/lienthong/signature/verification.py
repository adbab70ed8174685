"""The whole judgement of a file: what was signed, whom we believe, and what it is worth by a policy.

It joins `examine_message` and `PdfJudge` with `lienthong.trust` and `lienthong.signature.policy`. The message is read
once more from its canonical bytes: a verdict is about what was signed, never about a second parse that might read
something else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from typing import TYPE_CHECKING

from lienthong import edxml
from lienthong.document.codes import ancestors, level_one
from lienthong.document.verdicts import Reason, SignatureFinding, Value, Verdict
from lienthong.edxml import Document
from lienthong.signature.attachments import examine_attachment
from lienthong.signature.examination import MessageSignature, examine_message
from lienthong.signature.policy import Appraisal, Policy, appraise
from lienthong.trust import Judgement, TimestampJudgement, TrustStore, Usage, judge, judge_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

    from lienthong.edxml import Status
    from lienthong.signature.pdf import PdfJudge, PdfReport
    from lienthong.signature.policy import Office

__all__ = [
    "Examined",
    "Moment",
    "Verification",
    "examine",
    "same_agency",
    "verify_message",
    "verify_pdf",
    "verify_token",
]

PDF = b"%PDF-"

VALID = Reason(
    "",
    "Chữ ký số nguyên vẹn và được tin cậy tại thời điểm xét",
    "The signature is intact and was trusted at the moment it is judged for",
)
STAMP_VALID = Reason("", "Dấu thời gian hợp lệ", "The time stamp is valid")
OTHER_AGENCY = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Chứng thư số thuộc cơ quan khác với bên gửi ghi trong văn bản",
    "The certificate belongs to another agency than the sender in the document",
)
OTHER_READING = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Nội dung được ký khác với nội dung đọc được từ gói tin",
    "What was signed is not what is read from the message",
)
OTHER_RECEIVER = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Văn bản không gửi cho nơi nhận này",
    "The document is not addressed to this receiver",
)


@dataclass(frozen=True, slots=True)
class Moment:
    """When, and by what, something is judged.

    Attributes:
        at: when it was received: what a signature without a trusted time stamp is judged for.
        now: the present, by which the freshness of revocation data is measured.
        store: what is trusted.
    """

    at: datetime
    now: datetime
    store: TrustStore

    def signer(self, certificate: x509.Certificate, *, at: datetime) -> Judgement:
        """Judge the certificate of somebody who signed a document, for a moment."""
        return judge(certificate, at=at, now=self.now, usage=Usage.SIGNATURE, store=self.store)

    def timestamp(self, token: bytes, *, imprint_of: bytes) -> TimestampJudgement:
        """Judge an RFC 3161 token over those bytes."""
        return judge_timestamp(token, imprint_of=imprint_of, now=self.now, store=self.store)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found about one file.

    Attributes:
        findings: every signature and time stamp in it.
        appraisal: the verdict on all of them together, and what the file is worth.
    """

    findings: tuple[SignatureFinding, ...]
    appraisal: Appraisal


def same_agency(certified: str, written: str) -> bool:
    """Tell whether a certificate's agency may speak for a code as far as the writing tells: itself, or one above it.

    A running exchange asks its directory instead, which also knows what the writing does not tell.
    """

    def names(code: str) -> set[str]:
        top = level_one(code)
        return {code, f"000.00.00.{code}"} | ({top} if top and code == f"000.00.00.{top}" else set())

    return bool(names(certified) & (names(written) | set(ancestors(written))))


@dataclass(frozen=True, slots=True)
class Examined:
    """Everything found about a file, before it is asked for whom its signers may speak and what is demanded.

    Attributes:
        findings: every signature and time stamp in it.
        sender: the code in From; None when the file has none.
        type_name: edXML's ``TypeName``; None when it has none.
    """

    findings: tuple[SignatureFinding, ...]
    sender: str | None = None
    type_name: str | None = None

    def appraise(
        self,
        policy: Policy,
        *,
        speaks_for: Callable[[str, str], bool] = same_agency,
        waited_minutes: float = 0.0,
    ) -> Verification:
        """Return what the file is worth; pure.

        Args:
            policy: what is demanded.
            speaks_for: whether the agency of a certificate may speak for the code in From.
            waited_minutes: how long it has been held already.
        """
        findings = tuple(self._constrained(finding, speaks_for) for finding in self.findings)
        offices = frozenset(office for finding in findings if (office := self._office(finding, speaks_for)))
        rule = policy.rule(self.type_name)
        return Verification(findings, appraise(findings, offices, rule, waited_minutes=waited_minutes))

    def _constrained(self, finding: SignatureFinding, speaks_for: Callable[[str, str], bool]) -> SignatureFinding:
        if finding.kind != "message" or finding.verdict is Verdict.INVALID or self.sender is None:
            return finding
        if finding.agency is not None and speaks_for(finding.agency, self.sender):
            return finding
        return replace(finding, verdict=Verdict.INVALID, reason=OTHER_AGENCY, signed_at=None)

    def _office(self, finding: SignatureFinding, speaks_for: Callable[[str, str], bool]) -> Office | None:
        """Return whose signature this is, of those a policy can require (Decree 30/2020/NĐ-CP, Art. 5)."""
        if finding.kind == "timestamp" or finding.verdict is not Verdict.VALID:
            return None
        if finding.kind == "message":
            return "agency"
        if finding.holder == "person":
            return "person"
        named = finding.agency is not None and self.sender is not None and speaks_for(finding.agency, self.sender)
        return "agency" if self.sender is None or named else None


async def examine(data: bytes, moment: Moment, pdfs: PdfJudge, *, receiver: str | None = None) -> Examined:
    """Examine an edXML message with every PDF attached to it.

    Args:
        data: the message.
        moment: when, and by what, it is judged.
        pdfs: judges the PDFs, in processes of their own.
        receiver: whom the message has to be addressed to; None does not ask.

    Raises:
        Unavailable: a PDF could not be examined now, for no fault of its own.
    """
    signature = await asyncio.to_thread(examine_message, data)
    read = (await asyncio.to_thread(edxml.inspect, data, warnings=False)).message
    findings = [] if signature.state == "absent" else [_message_finding(signature, read, moment, receiver)]
    for attachment in read.attachments if isinstance(read, Document) else ():
        attached = await asyncio.to_thread(
            examine_attachment, attachment.name, attachment.content, attachment.content_type or None
        )
        for pdf in attached.pdfs:
            report = await pdfs.judge(pdf.content, at=moment.at, belief=moment, subject=pdf.name)
            findings += _with_verdict(report, pdf.name)
    type_name = read.document_type.type_name if isinstance(read, Document) and read.document_type else None
    return Examined(tuple(findings), None if read is None else read.sender.organ_id, type_name)


async def verify_message(
    data: bytes,
    moment: Moment,
    pdfs: PdfJudge,
    policy: Policy,
    *,
    receiver: str | None = None,
    speaks_for: Callable[[str, str], bool] = same_agency,
) -> Verification:
    """Judge an edXML message with every PDF attached to it; arguments and errors as in `examine` and `appraise`."""
    examined = await examine(data, moment, pdfs, receiver=receiver)
    return examined.appraise(policy, speaks_for=speaks_for)


async def verify_pdf(data: bytes, moment: Moment, pdfs: PdfJudge, policy: Policy, *, name: str = "") -> Verification:
    """Judge a PDF by itself; arguments and errors as in `verify_message`."""
    report = await pdfs.judge(data, at=moment.at, belief=moment, subject=name)
    return Examined(tuple(_with_verdict(report, name))).appraise(policy)


def verify_token(token: bytes, imprint_of: bytes, moment: Moment) -> Verification:
    """Judge a time-stamp token over the bytes it is about."""
    found = moment.timestamp(token, imprint_of=imprint_of)
    verdict = found.judgement.verdict
    reason = STAMP_VALID if verdict is Verdict.VALID else found.judgement.reason
    signer = found.judgement.path[0] if found.judgement.path else None
    finding = SignatureFinding("timestamp", verdict, reason, _common_name(signer), signed_at=found.time)
    value = Value.REFUSED if verdict is Verdict.INVALID else Value.INFORMATION
    return Verification((finding,), Appraisal(verdict, value, () if verdict is Verdict.VALID else (reason,)))


def _message_finding(
    signature: MessageSignature,
    read: Document | Status | None,
    moment: Moment,
    receiver: str | None,
) -> SignatureFinding:
    wrong = _constraint(signature, read, receiver)
    verdict, reason, signed_at = (Verdict.INVALID, wrong, None) if wrong else _believed(signature, moment)
    return SignatureFinding(
        "message", verdict, reason, signature.signer, signature.agency, signed_at, signature.claimed_at
    )


def _constraint(signature: MessageSignature, read: Document | Status | None, receiver: str | None) -> Reason | None:
    """Return why the signature cannot be this message's, whoever made it; None when it can."""
    header = signature.header
    if header is None:
        return signature.reason
    if read is None or header.differences(read):
        return OTHER_READING
    receivers = header.addressees or (header.answered_agency,)
    if receiver is not None and not any(code and same_agency(receiver, code) for code in receivers):
        return OTHER_RECEIVER
    return None


def _believed(signature: MessageSignature, moment: Moment) -> tuple[Verdict, Reason, datetime]:
    """Judge the signer of an intact signature for the earliest moment it is proven to have existed."""
    signed_at, unsure = moment.at, None
    for stamp in signature.time_stamps:
        judged = moment.timestamp(stamp.token, imprint_of=stamp.imprint_of)
        if judged.judgement.verdict is Verdict.INVALID:
            return Verdict.INVALID, judged.judgement.reason, signed_at
        if judged.judgement.verdict is Verdict.VALID and judged.time is not None:
            signed_at = min(signed_at, judged.time)
        else:
            unsure = judged.judgement.reason
    believed = moment.signer(signature.certificates[0], at=signed_at)
    if believed.verdict is Verdict.VALID:
        return Verdict.VALID, VALID, signed_at
    if unsure is not None:  # with its stamp believed it may yet be valid
        return Verdict.INDETERMINATE, unsure, signed_at
    return believed.verdict, believed.reason, signed_at


def _with_verdict(report: PdfReport, name: str) -> list[SignatureFinding]:
    """Return a report's findings, and one more when the file itself is what is wrong."""
    findings = list(report.findings)
    if report.verdict in (Verdict.INVALID, Verdict.INDETERMINATE) and all(
        one.verdict is not report.verdict for one in findings
    ):
        findings.append(SignatureFinding("pdf", report.verdict, report.reason, subject=name))
    return findings


def _common_name(certificate: x509.Certificate | None) -> str | None:
    if certificate is None:
        return None
    return next((str(name.value) for name in certificate.subject if name.oid.dotted_string == "2.5.4.3"), None)
