"""What was found about a document's signatures, in words a clerk understands, and why it is refused; both languages.

Each text is short enough that a delivery's headers fit into one AMQP frame beside everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lienthong.document import reasons
from lienthong.document.messages import Found
from lienthong.document.verdicts import Value, Verdict
from lienthong.document.zone import VIETNAM
from lienthong.worker.signers import LONGEST, LONGEST_NAME, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from lienthong.document.verdicts import Reason, SignatureFinding
    from lienthong.errors import Problem
    from lienthong.signature.verification import Verification

__all__ = ["found", "problems"]

MOST_PROBLEMS = 100
AFTER_HOLD = {
    "information": ("sẽ chuyển đi để biết", "it is delivered for information"),
    "refused": ("sẽ bị từ chối", "it is refused"),
}


def found(
    verification: Verification,
    *,
    agency_name: Callable[[str], str],
    delivered: bool = False,
    held_until: datetime | None = None,
    after_hold: Literal["information", "refused"] = "information",
) -> Found:
    """Return what sender and receivers are told.

    Args:
        verification: what was found, and what the document is worth by it.
        agency_name: the name of the agency with a code, or the code itself.
        delivered: whether the document stands in delivery queues already.
        held_until: until when it waits at most; None when it does not wait.
        after_hold: what it is worth then, if it is still not known.
    """
    appraisal = verification.appraisal
    why_vi, why_en = _both(appraisal.reasons)
    # Who signed the message has often signed the paper in it as well: that is said once.
    who = list(dict.fromkeys(_signed(one, agency_name) for one in verification.findings if _counts(one)))
    who_vi, who_en = "; ".join(vi for vi, _ in who), "; ".join(en for _, en in who)
    if held_until is not None:
        then_vi, then_en = AFTER_HOLD[after_hold]
        vi = _fit("Đang giữ lại, chưa chuyển đi: ", why_vi, f". Sẽ xét lại; chậm nhất {_vi(held_until)} {then_vi}.")
        en = _fit("Held back, not delivered yet: ", why_en, f". Judged again; by {_en(held_until)} {then_en}.")
    elif appraisal.value is Value.PAPER:
        vi, en = _fit("Có giá trị như bản giấy: ", who_vi, "."), _fit("Has the value of paper: ", who_en, ".")
    elif appraisal.value is Value.REFUSED and delivered:
        vi = _fit("Văn bản đã chuyển không hợp lệ, không được dùng thay bản giấy: ", why_vi, ".")
        en = _fit("The document was delivered but does not hold, and must not stand for paper: ", why_en, ".")
    elif appraisal.value is Value.REFUSED:
        vi, en = _fit("Bị từ chối: ", why_vi, "."), _fit("Refused: ", why_en, ".")
    elif appraisal.verdict is Verdict.INDETERMINATE:
        vi = _fit("Chỉ để biết, chưa xác định được giá trị: ", why_vi, ". Sẽ xét lại và báo khi có thay đổi.")
        en = _fit("For information only, its value is not known yet: ", why_en, ". Judged again; changes are told.")
    else:
        more_vi, more_en = (f"; {who_vi}", f"; {who_en}") if who else ("", "")
        vi = _fit("Chỉ để biết, chưa có giá trị như bản giấy: ", why_vi + more_vi, ".")
        en = _fit("For information only, without the value of paper: ", why_en + more_en, ".")
    return Found(verdict=appraisal.verdict, value=appraisal.value, vi=vi, en=en)


def problems(verification: Verification) -> tuple[Problem, ...]:
    """Return why a document is refused, for its sender: a problem for each signature and file that refuses it."""
    named = [
        _refused(one.reason, printable(one.subject, LONGEST_NAME))
        for one in verification.findings
        if one.verdict is Verdict.INVALID
    ]
    named += [one.problem for one in verification.files if one.refuses]
    if not named:
        undecided = verification.appraisal.verdict is Verdict.INDETERMINATE
        named = [_undecided(one) if undecided else _refused(one, "") for one in verification.appraisal.reasons]
    return tuple(dict.fromkeys(named))[:MOST_PROBLEMS]


def _refused(reason: Reason, attachment: str) -> Problem:
    return reasons.signature_refused(printable(reason.vi), printable(reason.en), attachment)


def _undecided(reason: Reason) -> Problem:
    return reasons.signature_undecided(printable(reason.vi), printable(reason.en))


def _counts(finding: SignatureFinding) -> bool:
    return finding.kind != "timestamp" and finding.verdict is Verdict.VALID


def _signed(finding: SignatureFinding, agency_name: Callable[[str], str]) -> tuple[str, str]:
    """Say whose valid signature it is, and for which moment it was believed (not the one its signer claims)."""
    signer = printable(finding.signer or "?", LONGEST_NAME)
    agency = printable(agency_name(finding.agency), LONGEST_NAME) if finding.agency else ""
    holder = signer if not agency or agency == signer else f"{signer} ({agency})"
    vi, en = f"chữ ký số của {holder} hợp lệ", f"the signature of {holder} is valid"
    if finding.signed_at is None:
        return vi, en
    return f"{vi}, tính tại {_vi(finding.signed_at)}", f"{en}, as of {_en(finding.signed_at)}"


def _both(why: Iterable[Reason]) -> tuple[str, str]:
    once = tuple(dict.fromkeys(why))
    return "; ".join(printable(one.vi) for one in once), "; ".join(printable(one.en) for one in once)


def _fit(start: str, middle: str, end: str) -> str:
    return f"{start}{printable(middle, LONGEST - len(start) - len(end))}{end}"


def _vi(at: datetime) -> str:
    return at.astimezone(VIETNAM).strftime("%H:%M ngày %d/%m/%Y")


def _en(at: datetime) -> str:
    return at.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M (UTC+7)")
