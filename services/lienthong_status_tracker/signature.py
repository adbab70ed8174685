"""Whose signature stands on a status, and whether the status is applied with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.document import reasons
from lienthong.document.verdicts import Verdict
from lienthong.worker.signers import LONGEST_NAME, printable, speaks_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.document.verdicts import Reason, SignatureFinding
    from lienthong.errors import Problem
    from lienthong.ledger.directory import Directory
    from lienthong.signature.policy import Policy
    from lienthong.signature.verification import EvidenceDigest, Examined

__all__ = ["Judged", "judge", "may_be_signed"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found about the signature of a status that is not refused for it.

    Attributes:
        verdict: valid, indeterminate or unsigned.
        vi: what the document's sender is told, in Vietnamese.
        en: the same in English.
        signer: the name in the signer's certificate; None when there is none.
        reason: the code of why it is indeterminate; else empty.
        evidence: what the verdict rests on.
    """

    verdict: Verdict
    vi: str
    en: str
    signer: str | None = None
    reason: str = ""
    evidence: tuple[EvidenceDigest, ...] = ()


def may_be_signed(body: bytes) -> bool:
    """Tell whether a message that `lienthong.edxml` reads may hold a signature; False is certain.

    Most statuses are unsigned for as long as agencies learn to sign, and this costs them a microsecond instead of a
    turn in an examiner. It is safe because such a message is XML in UTF-8 without a document type: a name can be
    written in no other way than by its own letters (character references stand in text and values only, and there are
    no entities), so without these bytes there is no element ``ds:Signature``, whatever its prefix and wherever it
    stands. The bytes elsewhere, in a text say, only cost the turn.
    """
    return b"Signature" in body


def judge(examined: Examined | None, directory: Directory, policy: Policy) -> Judged | Problem:
    """Return what a status is believed by, or why it is refused; pure.

    A status is no legal document: what could not be found out about its signature does not stop the work it tells of,
    so it is applied at once and says that it is indeterminate. What is known to be wrong is refused, whatever the
    policy says: broken, not trusted, revoked, or another agency's certificate.

    Args:
        examined: what was found; None of a status that holds no signature.
        directory: who may speak for whom.
        policy: whether unsigned statuses are applied.
    """
    if examined is None:
        return _unsigned(policy)
    verification = examined.appraise(policy, speaks_for=speaks_for(directory))
    verdict, why = verification.appraisal.verdict, verification.appraisal.reasons
    if verdict is Verdict.INVALID:
        return reasons.status_signature_refused(*_both(why))
    if verdict is Verdict.UNSIGNED:
        return _unsigned(policy)
    signature = next(one for one in verification.findings if one.kind == "message")
    signer = None if signature.signer is None else printable(signature.signer)
    who = _who(signature, directory)
    if verdict is Verdict.VALID:
        vi, en = f"Chữ ký số của {who} hợp lệ", f"The signature of {who} is valid"
        return Judged(verdict, vi, en, signer, evidence=examined.evidence)
    because_vi, because_en = _both(why)
    vi = printable(f"Chưa xác định được chữ ký số của {who}: {because_vi}")
    en = printable(f"The signature of {who} could not be judged: {because_en}")
    return Judged(verdict, vi, en, signer, why[0].code, examined.evidence)


def _unsigned(policy: Policy) -> Judged | Problem:
    if policy.unsigned_status == "refused":
        return reasons.status_signature_refused(
            "Trạng thái không có chữ ký số, mà trục yêu cầu ký số trạng thái",
            "The status carries no digital signature, and this exchange demands one",
        )
    return Judged(Verdict.UNSIGNED, "Trạng thái không có chữ ký số", "The status carries no digital signature")


def _who(signature: SignatureFinding, directory: Directory) -> str:
    signer = printable(signature.signer or "?", LONGEST_NAME)
    agency = directory.resolve(signature.agency) if signature.agency else None
    name = printable(agency.name, LONGEST_NAME) if agency else ""
    return signer if name in ("", signer) else f"{signer} ({name})"


def _both(why: Sequence[Reason]) -> tuple[str, str]:
    return "; ".join(printable(one.vi) for one in why), "; ".join(printable(one.en) for one in why)
