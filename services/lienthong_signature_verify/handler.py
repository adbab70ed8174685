"""From a recorded document to a recorded judgement of it, and to what follows from that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from lienthong.document.messages import DocumentToRoute, DocumentToVerify, Lane
from lienthong.document.verdicts import Value, Verdict
from lienthong.ledger.rows import Mark
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.topology.names import Step
from lienthong.worker.answers import refusal_row, refuse, to_notifier, to_router
from lienthong.worker.handler import Outcome
from lienthong.worker.notices import found, verified
from lienthong_signature_verify.judgement import Judged, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from cryptography import x509

    from lienthong.bus.messages import Incoming
    from lienthong.errors import Problem
    from lienthong.ledger.rows import RecordedDocument, RecordedRouting, RefusalRow, VerificationRow
    from lienthong.ledger.unit import Unit
    from lienthong.signature.policy import Policy
    from lienthong.signature.verification import Examined

__all__ = ["Examination", "Examines", "VerifySignature"]

log = structlog.stdlib.get_logger(__name__)


class Examines(Protocol):
    """Examines payloads of the payload store; see `lienthong.worker.examiners.Examiners`."""

    async def examine(self, *, sha256: str, received_at: datetime) -> Examined:
        """Return everything found about a payload; `Unavailable` when that cannot be done now."""
        ...


@dataclass(frozen=True, slots=True)
class Examination:
    """A document to be judged, and what was found about it."""

    task: DocumentToVerify
    examined: Examined


def _now() -> datetime:
    return datetime.now(UTC)


class VerifySignature:
    """Judge a document by its signatures and files; record that; deliver, hold or refuse it, and tell who is concerned.

    Args:
        examiners: find out everything about a payload.
        policy: what is demanded.
        remember: is told of every signer's certificate, whose revocation is to be known from now on.
        clock: the present.
    """

    step = Step.SIGNATURE_VERIFY

    def __init__(
        self,
        examiners: Examines,
        policy: Policy,
        *,
        remember: Callable[[x509.Certificate], None] | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._examiners = examiners
        self._policy = policy
        self._remember = remember
        self._clock = clock

    async def decide(self, message: Incoming) -> Examination:
        """Examine the payload; `Unavailable` when that cannot be done now."""
        task = DocumentToVerify.model_validate_json(message.body)
        examined = await self._examiners.examine(sha256=task.sha256, received_at=task.received_at)
        if self._remember is not None:
            for certificate in examined.signers:
                self._remember(certificate)
        return Examination(task, examined)

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, Examination]]) -> Sequence[Outcome]:
        """Record a judgement of each document, unless it says what the one before said.

        What was recorded under a judgement's number before is recalled, whatever was found now.
        """
        items = [item for _, item in batch]
        keys = {item.task.document for item in items}
        documents = await unit.documents(keys)
        before = await unit.verifications(keys)
        routings = await unit.routings({item.task.document for item in items if item.task.judgement > 1})
        fresh: dict[UUID, Judged] = {}
        for item in items:
            document = documents[item.task.document]
            if document.user_name != item.task.user or document.sha256 != item.task.sha256:
                raise ValueError(f"document {document.document} was recorded for other content or another user")
            if document.document not in fresh and _is_next(item.task, before[document.document], routings):
                judged = self._judge(unit, document, item.examined, before[document.document])
                if judged is not None:
                    fresh[document.document] = judged
        rows = [one.row for one in fresh.values()]
        histories = _Histories(documents, before | await unit.record_verifications(rows), routings)
        await unit.answer_judgements({item.task.document for item in items if item.task.judgement > 1})
        await _let_rest(unit, histories)
        refusals = {
            item.task.document: _refusal(documents[item.task.document], fresh)
            for item in items
            if histories.refused(item.task)
        }
        answers = await refuse(unit, list(refusals.values()))
        return [
            replace(answers[refusals[item.task.document].refusal], document=item.task.document)
            if histories.refused(item.task)
            else histories.outcome(item.task)
            for item in items
        ]

    def _judge(
        self, unit: Unit, document: RecordedDocument, examined: Examined, history: Sequence[VerificationRow]
    ) -> Judged | None:
        """Return a judgement; None when it says nothing new."""
        last = history[-1] if history else None
        judged = judge(document, examined, last, directory=unit.directory, policy=self._policy, now=self._clock())
        row = judged.row
        changed = _says_something_new(row, last)
        if last is not None:
            metrics.JUDGED_AGAIN.labels("changed" if changed else "same").inc()
        if not changed:
            return None
        metrics.VERIFIED.labels(row.verdict, "held" if row.held else row.value).inc()
        if last is not None or row.held or row.value == Value.REFUSED:
            log.info(
                Event.DOCUMENT_JUDGED,
                document=str(document.document),
                judgement=row.judgement,
                verdict=row.verdict,
                value=row.value,
                held=row.held,
                reason=row.reason,
            )
        return judged


def _is_next(
    task: DocumentToVerify, history: Sequence[VerificationRow], routings: Mapping[UUID, RecordedRouting]
) -> bool:
    """Tell whether a judgement of this number is still to be made.

    One that follows a delivery is about what receivers hold: until the delivery has left there is nobody to be told,
    and the relay asks again later.
    """
    if task.judgement != len(history) + 1:
        return False
    if not history or history[-1].held:
        return True
    routing = routings.get(task.document)
    return (
        not history[-1].final
        and routing is not None
        and routing.outcome == "routed"
        and routing.forwarded_at is not None
    )


def _says_something_new(row: VerificationRow, last: VerificationRow | None) -> bool:
    """Tell whether a judgement is to be recorded, and told."""
    if last is None:
        return True
    if not last.held and row.verdict == Verdict.INDETERMINATE:
        # It was delivered without being known, and that is still so; a policy that would hold it now comes too late.
        return False
    return (row.verdict, row.value, row.held) != (last.verdict, last.value, last.held)


async def _let_rest(unit: Unit, histories: _Histories) -> None:
    """Judge no more what the router refused: nobody got it."""
    await unit.postpone_judgements(
        {
            rows[-1].verification: None
            for document, rows in histories.rows.items()
            if document in histories.routings and histories.routings[document].outcome == "refused" and rows
        }
    )


def _refusal(document: RecordedDocument, fresh: Mapping[UUID, Judged]) -> RefusalRow:
    problems: Sequence[Problem] = fresh[document.document].problems if document.document in fresh else ()
    submission = (document.user_name, document.message_id)
    return refusal_row(Step.SIGNATURE_VERIFY, "document", submission, document.sha256, problems, document.document_id)


@dataclass(frozen=True, slots=True)
class _Histories:
    """Documents with all their judgements, as the ledger holds them: what leaves follows from these alone."""

    documents: Mapping[UUID, RecordedDocument]
    rows: Mapping[UUID, Sequence[VerificationRow]]
    routings: Mapping[UUID, RecordedRouting]

    def refused(self, task: DocumentToVerify) -> bool:
        """Tell whether a judgement refuses a document before it was delivered."""
        row = self._row(task)
        return row is not None and row.value == Value.REFUSED and not self._delivered(task)

    def outcome(self, task: DocumentToVerify) -> Outcome:
        """Return what has to leave because of a judgement that does not refuse."""
        row = self._row(task)
        if row is None or row.forwarded_at is not None:
            return Outcome(document=task.document)
        document = self.documents[task.document]
        told = {document.user_name}
        outputs = []
        if self._delivered(task):
            told |= {delivery.carrier for delivery in self.routings[task.document].deliveries}
        elif not row.held:
            route = DocumentToRoute(document=task.document, sha256=task.sha256, found=found(row))
            outputs.append(to_router(route, Lane(document.lane), document.size))
        outputs += [to_notifier(verified(document, row, agency)) for agency in sorted(told)]
        return Outcome(tuple(outputs), Mark("verification", row.verification), document=task.document)

    def _row(self, task: DocumentToVerify) -> VerificationRow | None:
        rows = self.rows[task.document]
        return rows[task.judgement - 1] if task.judgement <= len(rows) else None

    def _delivered(self, task: DocumentToVerify) -> bool:
        """Tell whether the document had been sent to its receivers before a judgement."""
        return task.judgement > 1 and not self.rows[task.document][task.judgement - 2].held
