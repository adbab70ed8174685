"""The whole judgement of a file: what was signed, whom we believe, and what it is worth by a policy.

It joins `examine_message` and `PdfJudge` with `lienthong.trust` and `lienthong.signature.policy`. The message is read
once more from its canonical bytes: a verdict is about what was signed, never about a second parse that might read
something else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from typing import TYPE_CHECKING, Final

from lienthong import edxml
from lienthong.document.verdicts import Reason, SignatureFinding, Value, Verdict
from lienthong.edxml import Document
from lienthong.signature.attachments import AttachmentFlaw, Scan, clashing_names, examine_attachment
from lienthong.signature.attachments_findings import finding
from lienthong.signature.examination import MessageSignature, examine_message
from lienthong.signature.examined import EvidenceDigest, Examined, Verification, digest_of, same_agency
from lienthong.signature.policy import Appraisal, Policy
from lienthong.trust import Judgement, TimestampJudgement, TrustStore, Usage, judge, judge_timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

    from lienthong.edxml import Status
    from lienthong.signature.attachments import AttachmentFinding, Scanner
    from lienthong.signature.pdf import PdfJudge, PdfReport
    from lienthong.trust import Evidence

__all__ = [
    "EvidenceDigest",
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

SECONDS_FOR_EACH_PDF: Final = 0.1
"""Of processor time, beside what all PDFs of a message share: several times what an honest one of a few pages takes."""

VALID = Reason(
    "",
    "Chữ ký số nguyên vẹn và được tin cậy tại thời điểm xét",
    "The signature is intact and was trusted at the moment it is judged for",
)
STAMP_VALID = Reason("", "Dấu thời gian hợp lệ", "The time stamp is valid")
OTHER_READING = Reason(
    "SIG_CONSTRAINTS_FAILURE",
    "Nội dung được ký khác với nội dung đọc được từ gói tin",
    "What was signed is not what is read from the message",
)
UNREADABLE = Reason(
    "FORMAT_FAILURE",
    "Không đọc được gói tin edXML; hãy kiểm tra bằng lệnh `lienthong edxml check`",
    "The edXML message cannot be read; see what `lienthong edxml check` says",
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


async def examine(
    data: bytes, moment: Moment, pdfs: PdfJudge, *, receiver: str | None = None, scanner: Scanner | None = None
) -> Examined:
    """Examine an edXML message with everything attached to it.

    All but the PDFs and the scanning is computed here and now, which holds up everything else in the event loop, and an
    evil message may end the process: a service asks `lienthong.worker.examiners` instead.

    Args:
        data: the message.
        moment: when, and by what, it is judged.
        pdfs: judges the PDFs, in processes of their own.
        receiver: whom the message has to be addressed to; None does not ask.
        scanner: looks for viruses in the attached files; None does not look.

    Raises:
        Unavailable: a PDF could not be examined now, for no fault of its own.
    """
    found = _Found(moment, pdfs)
    signature = examine_message(data)
    read = edxml.inspect(data, warnings=False).message
    if signature.state != "absent":
        found.message(signature, read, receiver)
    elif read is None:
        found.findings.append(SignatureFinding("message", Verdict.INVALID, UNREADABLE))
    document = read if isinstance(read, Document) else None
    attachments = document.attachments if document else ()
    for attachment in attachments:
        attached = examine_attachment(attachment.name, attachment.content, attachment.content_type or None)
        found.files += attached.findings
        for pdf in attached.pdfs:
            await found.pdf(pdf.content, pdf.name)
    found.files += (
        finding(AttachmentFlaw.SAME_NAME, one) for one in sorted(clashing_names(a.name for a in attachments))
    )
    await found.scan(scanner, [(attachment.name, attachment.content) for attachment in attachments])
    return found.examined(
        sender=None if read is None else read.sender.organ_id,
        type_name=document.document_type.type_name if document and document.document_type else None,
        legacy=document is not None and document.legacy_signature is not None,
    )


async def verify_message(
    data: bytes,
    moment: Moment,
    pdfs: PdfJudge,
    policy: Policy,
    *,
    receiver: str | None = None,
    scanner: Scanner | None = None,
) -> Verification:
    """Judge an edXML message with everything attached to it; arguments and errors as in `examine`."""
    return (await examine(data, moment, pdfs, receiver=receiver, scanner=scanner)).appraise(policy)


async def verify_pdf(
    data: bytes, moment: Moment, pdfs: PdfJudge, policy: Policy, *, name: str = "", scanner: Scanner | None = None
) -> Verification:
    """Judge a PDF by itself; arguments and errors as in `examine`."""
    found = _Found(moment, pdfs)
    await found.pdf(data, name)
    await found.scan(scanner, [(name, data)])
    return found.examined().appraise(policy)


def verify_token(token: bytes, imprint_of: bytes, moment: Moment) -> Verification:
    """Judge a time-stamp token over the bytes it is about."""
    found = moment.timestamp(token, imprint_of=imprint_of)
    verdict = found.judgement.verdict
    reason = STAMP_VALID if verdict is Verdict.VALID else found.judgement.reason
    signer = found.judgement.path[0] if found.judgement.path else None
    finding = SignatureFinding("timestamp", verdict, reason, _common_name(signer), signed_at=found.time)
    value = Value.REFUSED if verdict is Verdict.INVALID else Value.INFORMATION
    return Verification((finding,), Appraisal(verdict, value, () if verdict is Verdict.VALID else (reason,)))


class _Found:
    """What is found about one file, while it is examined."""

    def __init__(self, moment: Moment, pdfs: PdfJudge) -> None:
        self.moment = moment
        self.pdfs = pdfs
        self.seconds = pdfs.seconds
        self.deadly = False
        self.findings: list[SignatureFinding] = []
        self.files: list[AttachmentFinding] = []
        self.evidence: dict[Evidence, EvidenceDigest] = {}
        self.signers: dict[x509.Certificate, None] = {}

    def examined(self, *, sender: str | None = None, type_name: str | None = None, legacy: bool = False) -> Examined:
        """Return all of it."""
        return Examined(
            tuple(self.findings),
            sender,
            type_name,
            tuple(self.files),
            legacy,
            tuple(dict.fromkeys(self.evidence.values())),
            tuple(self.signers),
            {digest.sha256: evidence.der for evidence, digest in self.evidence.items()},
        )

    def message(self, signature: MessageSignature, read: Document | Status | None, receiver: str | None) -> None:
        """Judge the signature of the message itself."""
        wrong = _constraint(signature, read, receiver)
        verdict, reason, signed_at = (Verdict.INVALID, wrong, None) if wrong else self._believed(signature)
        self.findings.append(
            SignatureFinding(
                "message", verdict, reason, signature.signer, signature.agency, signed_at, signature.claimed_at
            )
        )

    async def pdf(self, content: bytes, name: str) -> None:
        """Judge the signatures in a PDF.

        All in one file share the time there is for one, and a little for each; after one that had to be ended no more
        are tried, since the file is refused for it already.
        """
        if self.deadly:
            return
        self.seconds += SECONDS_FOR_EACH_PDF
        report = await self.pdfs.judge(
            content, at=self.moment.at, belief=self.moment, subject=name, seconds=self.seconds
        )
        self.seconds -= report.seconds
        self.deadly = report.deadly
        self.findings += _with_verdict(report, name)
        for ground in report.grounds:
            self._rests_on(ground.evidence)
        self.signers |= dict.fromkeys(one for one in report.certificates if one is not None)

    async def scan(self, scanner: Scanner | None, files: Sequence[tuple[str, bytes]]) -> None:
        """Look for viruses in all files at once, so that a silent scanner costs its time once."""
        if scanner is None:
            return
        results = await asyncio.gather(*(scanner.scan(content) for _, content in files))
        for (name, _), result in zip(files, results, strict=True):
            if result.scan is not Scan.CLEAN:
                infected = result.scan is Scan.INFECTED
                flaw = AttachmentFlaw.INFECTED if infected else AttachmentFlaw.NOT_SCANNED
                self.files.append(finding(flaw, name, detail=result.detail))

    def _believed(self, signature: MessageSignature) -> tuple[Verdict, Reason, datetime]:
        """Judge the signer of an intact signature for the earliest moment it is proven to have existed."""
        signed_at, unsure = self.moment.at, None
        for stamp in signature.time_stamps:
            judged = self.moment.timestamp(stamp.token, imprint_of=stamp.imprint_of)
            self._rests_on(judged.judgement.evidence)
            if judged.judgement.verdict is Verdict.INVALID:
                return Verdict.INVALID, judged.judgement.reason, signed_at
            if judged.judgement.verdict is Verdict.VALID and judged.time is not None:
                signed_at = min(signed_at, judged.time)
            else:
                unsure = judged.judgement.reason
        believed = self.moment.signer(signature.certificates[0], at=signed_at)
        self._rests_on(believed.evidence)
        self.signers[signature.certificates[0]] = None
        if believed.verdict is Verdict.VALID:
            return Verdict.VALID, VALID, signed_at
        if unsure is not None:  # with its stamp believed it may yet be valid
            return Verdict.INDETERMINATE, unsure, signed_at
        return believed.verdict, believed.reason, signed_at

    def _rests_on(self, evidence: tuple[Evidence, ...]) -> None:
        self.evidence |= {one: digest_of(one) for one in evidence}


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


def _with_verdict(report: PdfReport, name: str) -> list[SignatureFinding]:
    """Return a report's findings, and one more when the file itself is what is wrong."""
    findings = list(report.findings)
    told = {(one.verdict, one.reason) for one in findings}
    if report.verdict in (Verdict.INVALID, Verdict.INDETERMINATE) and (report.verdict, report.reason) not in told:
        findings.append(SignatureFinding("pdf", report.verdict, report.reason, subject=name))
    return findings


def _common_name(certificate: x509.Certificate | None) -> str | None:
    if certificate is None:
        return None
    return next((str(name.value) for name in certificate.subject if name.oid.dotted_string == "2.5.4.3"), None)
