"""One judgement of one document: from what its examination found to the ledger's row, and when to judge again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lienthong.document.ids import derive
from lienthong.document.verdicts import Value
from lienthong.ledger.rows import VerificationRow
from lienthong.worker.signers import printable, speaks_for
from lienthong_signature_verify import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.document.verdicts import Reason, SignatureFinding
    from lienthong.errors import Problem
    from lienthong.ledger.directory import Directory
    from lienthong.ledger.rows import RecordedDocument
    from lienthong.signature.policy import Policy, Rule
    from lienthong.signature.verification import Examined, Verification

__all__ = ["Judged", "again_at", "judge"]

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT_HELD = timedelta(minutes=10)
LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement to be recorded.

    Attributes:
        row: the ledger's row.
        problems: why the document is refused; empty when it is not.
    """

    row: VerificationRow
    problems: tuple[Problem, ...] = ()


def judge(
    document: RecordedDocument,
    examined: Examined,
    before: VerificationRow | None,
    *,
    directory: Directory,
    policy: Policy,
    now: datetime,
) -> Judged:
    """Return what a document is worth; pure.

    Args:
        document: as the ledger holds it.
        examined: what was found about its signatures and files.
        before: the judgement before this one; None when this is the first.
        directory: who may speak for whom.
        policy: what is demanded.
        now: the present.
    """
    rule = policy.rule(examined.type_name)
    waited = (now - document.received_at) / timedelta(minutes=1)
    verification = examined.appraise(policy, speaks_for=speaks_for(directory), waited_minutes=waited)
    appraisal = verification.appraisal
    held_until = document.received_at + timedelta(minutes=rule.hold_minutes) if appraisal.held else None
    delivered = before is not None and not before.held
    refused = appraisal.value is Value.REFUSED and not delivered
    found = words.found(
        verification,
        agency_name=lambda code: _name(directory, code),
        delivered=delivered,
        held_until=held_until,
        after_hold=rule.after_hold,
    )
    number = before.judgement + 1 if before else 1
    row = VerificationRow(
        verification=derive("verification", document.document, number),
        document=document.document,
        judgement=number,
        verdict=appraisal.verdict,
        value=appraisal.value,
        reason=appraisal.reasons[0].code if appraisal.reasons else "",
        vi=found.vi,
        en=found.en,
        grounds=_grounds(document, examined, verification, rule),
        judged_at=now,
        held_until=held_until,
        judge_again_at=again_at(document.received_at, now, held_until),
        # What is refused leaves as a refusal, which has a mark of its own.
        forwarded_at=now if refused else None,
    )
    if row.final:
        row = row.for_good()
    return Judged(row, words.problems(verification) if refused else ())


def again_at(received_at: datetime, now: datetime, held_until: datetime | None) -> datetime:
    """Return when to judge again what is not known yet: when it has waited three times as long as now.

    After 10 s at first; what is held every 10 minutes at the latest, and when its hold ends; what was delivered once a
    day at the latest. (When something about trust changes everything is judged again at once.)
    """
    longest = LONGEST_WAIT_HELD if held_until else LONGEST_WAIT
    wait = min(max(2 * (now - received_at), FIRST_WAIT), longest)
    if held_until is None or held_until > now + wait:
        return now + wait
    return held_until if held_until > now else now + FIRST_WAIT


def _name(directory: Directory, code: str) -> str:
    agency = directory.resolve(code)
    return agency.name if agency else code


def _grounds(document: RecordedDocument, examined: Examined, verification: Verification, rule: Rule) -> dict[str, Any]:
    """Return everything the judgement rests on, as the ledger keeps it."""
    return {
        "payload": document.sha256,
        "received_at": document.received_at.isoformat(),
        "authenticated_user": document.user_name,
        "sender": document.sender,
        "rule": rule.model_dump(mode="json"),
        "reasons": [_reason(one) for one in verification.appraisal.reasons],
        "findings": _findings(verification.findings),
        "files": [
            {"flaw": one.flaw, "refuses": one.refuses, "vi": one.problem.vi, "en": one.problem.en}
            for one in verification.files
        ],
        "evidence": [asdict(one) for one in examined.evidence],
    }


def _findings(findings: Sequence[SignatureFinding]) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "verdict": one.verdict,
            **_reason(one.reason),
            "signer": None if one.signer is None else printable(one.signer),
            "agency": None if one.agency is None else printable(one.agency),
            "holder": one.holder,
            "signed_at": one.signed_at,
            "claimed_at": one.claimed_at,
            "subject": printable(one.subject),
        }
        for one in findings
    ]


def _reason(reason: Reason) -> dict[str, str]:
    return {"code": reason.code, "vi": printable(reason.vi), "en": printable(reason.en)}
