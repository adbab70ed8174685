"""Find what broker, ledger and payload store disagree on, and mend what can be proved.

The ledger says what should be: a fact that is not marked forwarded has its input in a queue or among the dead letters
(design: an unacknowledged input is the outbox); one that is marked was taken up by the next step or stands before it;
a delivery stands in its queue until somebody says something of it. Whatever is nowhere is published again under the id
it had. So a message that was only overlooked, in the hands of a worker or an agency, does no harm: they drop what they
have seen.

What cannot be known: what stood unread in an agency's status queue when that was emptied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lienthong.bus.errors import PublishForbidden, Unroutable
from lienthong.document.ids import derive
from lienthong.document.messages import DocumentToRoute, DocumentToVerify, Lane
from lienthong.errors import LienThongError
from lienthong.ledger.repairs import RepairRow
from lienthong.ledger.rows import Mark
from lienthong.recovery.findings import Finding, Kind
from lienthong.recovery.payloads import mend_payloads, payload_findings
from lienthong.recovery.queues import dead_queues, input_queues, origins, put_back, work_origin
from lienthong.topology.names import Step, delivery_queue, work_queue
from lienthong.topology.plan import agency_plan, exchange_plan
from lienthong.worker.answers import answer, to_notifier, to_receivers, to_router, to_signature_verify
from lienthong.worker.ladder import reason
from lienthong.worker.notices import delivered, first_delivered, found, receipt, verified, waiting

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from lienthong.bus.connection import Bus
    from lienthong.bus.messages import Outgoing
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.repairs import UnreportedDelivery
    from lienthong.ledger.rows import RecordedDocument, VerificationRow
    from lienthong.ledger.unit import Unit
    from lienthong.payload import FolderStore
    from lienthong.recovery.queues import Origin

__all__ = ["Reconciler"]

AT_ONCE = 20
"""Messages in one transaction: each may weigh as much as a submission, 50 MB, and is confirmed before it commits."""
HISTORY = {
    Kind.QUEUE_MISSING: "QueueMade",
    Kind.INPUT_LOST: "InputPutBack",
    Kind.NOTICE_LOST: "NoticeRepeated",
    Kind.DELIVERY_LOST: "DeliveryRepeated",
    Kind.PAYLOAD_MISSING: "PayloadPutBack",
    Kind.PAYLOAD_DAMAGED: "PayloadPutBack",
}
"""What the ledger's history calls each repair."""

Key = tuple[str, "UUID", int]
"""A step or kind of notice, a document, status or refusal, and the number of a judgement."""


@dataclass(slots=True)
class _Lost:
    """A finding that a message mends."""

    finding: Finding
    key: Key


class Reconciler:
    """Compares and mends, as an operator.

    Args:
        bus: the broker, as the operator's user.
        user: that user; what it and the workers say of a message's origin is believed.
        ledger: the ledger, in the operator's role.
        ledger_url: its address, to list the payloads it names.
        store: the payload store.
        before: only what happened before then is looked at: later things may be on their way.
        by: who does it, for the record.
        again: carriers to which is delivered again whatever they have not reported on.
        spare: the payloads of a folder of backups, to mend others from; None when there are none.
    """

    def __init__(
        self,
        bus: Bus,
        user: str,
        ledger: Ledger,
        ledger_url: str,
        store: FolderStore,
        *,
        before: datetime,
        by: str,
        again: Collection[str] = (),
        spare: FolderStore | None = None,
    ) -> None:
        self._bus, self._user = bus, user
        self._ledger, self._ledger_url = ledger, ledger_url
        self._store, self._spare = store, spare
        self._before, self._by, self._again = before, by, frozenset(again)
        self._lost: list[_Lost] = []

    async def find(self) -> list[Finding]:
        """Return everything on which broker, ledger and payload store disagree; changes nothing.

        Raises:
            Unavailable: one of them does not answer.
        """
        queues = await self._missing_queues()
        gone = {finding.detail for finding in queues}
        self._lost = []
        stuck = await self._find_stuck()
        deliveries = await self._find_deliveries(gone)
        payloads = await payload_findings(self._ledger_url, self._store, self._before)
        return [*queues, *payloads, *stuck, *(lost.finding for lost in self._lost), *deliveries]

    async def mend(self, findings: Sequence[Finding]) -> None:
        """Mend what `find` returned as far as that can be proved, each repair with its entry in the history.

        Raises:
            Unavailable: one of the three does not answer; what is done is recorded, running it again does the rest.
        """
        await self._make_queues([one for one in findings if one.kind is Kind.QUEUE_MISSING])
        mended = await mend_payloads(findings, self._store, self._spare)
        async with self._ledger.transaction() as unit:
            await unit.record_repairs([self._history(finding) for finding in mended])
        for start in range(0, len(self._lost), AT_ONCE):
            await self._publish(self._lost[start : start + AT_ONCE])

    async def _missing_queues(self) -> list[Finding]:
        async with self._ledger.transaction() as unit:
            connected = unit.directory.connected()
        owners = {queue.name: "" for queue in exchange_plan().queues}
        owners |= {queue.name: code for code in connected for queue in agency_plan(code).queues}
        return [
            Finding(Kind.QUEUE_MISSING, agency=owner or None, detail=name)
            for name, owner in owners.items()
            if not await self._bus.exists(name)
        ]

    async def _find_stuck(self) -> list[Finding]:
        """Find inputs and notices that are nowhere; return those that are dead letters."""
        unfinished, untold = await self._unfinished()
        steps = {Step(step) for step, _, _ in unfinished} | ({Step.NOTIFIER} if untold else set())
        if not steps:
            return []
        standing = await origins(self._bus, self._user, input_queues(steps))
        dead = await origins(self._bus, self._user, dead_queues())
        # Once more: what was on its way when it was looked for has arrived by now.
        still_unfinished, still_untold = await self._unfinished()
        waiting = []
        async with self._ledger.transaction() as unit:
            dead |= await unit.open_dead_letters()
            wanted = [
                *await _inputs(unit, unfinished & still_unfinished),
                *await _notices(unit, untold & still_untold),
            ]
        for lost, origin in wanted:
            if origin in dead:
                waiting.append(replace(lost.finding, kind=Kind.DEAD_LETTER, repairable=False))
            elif origin not in standing:
                self._lost.append(lost)
        return waiting

    async def _unfinished(self) -> tuple[set[Key], set[Key]]:
        async with self._ledger.transaction() as unit:
            return await unit.unfinished(self._before), await unit.untold(self._before)

    async def _find_deliveries(self, gone: set[str]) -> list[Finding]:
        """Find deliveries that are nowhere; return, counted, those of which that cannot be told."""
        by_carrier: dict[str, dict[UUID, bool]] = {}
        for one in await self._unreported():
            by_carrier.setdefault(one.carrier, {})[one.document] = one.repeated
        standing = {code: await origins(self._bus, self._user, [delivery_queue(code)]) for code in by_carrier}
        still = {(one.carrier, one.document) for one in await self._unreported()}
        async with self._ledger.transaction() as unit:
            reporting, connected = await unit.reporting_carriers(), unit.directory.connected()
        unclear = []
        for carrier, documents in by_carrier.items():
            queue = delivery_queue(carrier)
            stands = {message_id for _, message_id in standing[carrier]}
            away = {one for one in documents if (carrier, one) in still and str(derive("delivery", one)) not in stands}
            proved = {one for one in away if carrier in reporting and not documents[one]}
            if queue in gone or carrier in self._again:
                proved = away
            if carrier not in connected:
                proved = set()
            for document in sorted(proved):
                finding = Finding(Kind.DELIVERY_LOST, document, carrier, detail=queue)
                self._lost.append(_Lost(finding, (carrier, document, 0)))
            if away - proved:
                count = len(away - proved)
                unclear.append(
                    Finding(Kind.DELIVERY_UNREPORTED, agency=carrier, detail=queue, count=count, repairable=False)
                )
        return unclear

    async def _unreported(self) -> list[UnreportedDelivery]:
        async with self._ledger.transaction() as unit:
            return await unit.unreported(self._before)

    async def _make_queues(self, missing: Sequence[Finding]) -> None:
        if any(finding.agency is None for finding in missing):
            await self._bus.declare(exchange_plan())
        for code in sorted({finding.agency for finding in missing if finding.agency}):
            await self._bus.declare(agency_plan(code))
        for finding in missing:
            finding.repaired = True
        async with self._ledger.transaction() as unit:
            await unit.record_repairs([self._history(finding) for finding in missing])

    async def _publish(self, batch: Sequence[_Lost]) -> None:
        # The entries are committed when the broker has confirmed: a crash in between mends again, and then records it.
        async with self._ledger.transaction() as unit:
            outputs: list[tuple[_Lost, Outgoing]] = []
            for lost in batch:
                try:
                    outputs.append((lost, await self._message(unit, lost)))
                except LienThongError as away:
                    lost.finding.trouble = reason(away)
            results = await self._bus.publish_many([output for _, output in outputs])
            marks = []
            for (lost, _), error in zip(outputs, results, strict=True):
                if error is None:
                    lost.finding.repaired = True
                    if lost.key[0] == "refusal":
                        marks.append((Mark("refusal", lost.key[1]), datetime.now(UTC)))
                elif isinstance(error, Unroutable | PublishForbidden):
                    lost.finding.trouble = reason(error)
                else:
                    raise error
            await unit.mark_forwarded(marks)
            await unit.record_repairs([self._history(lost.finding) for lost, _ in outputs if lost.finding.repaired])

    async def _message(self, unit: Unit, lost: _Lost) -> Outgoing:
        what, key, judgement = lost.key
        match lost.finding.kind:
            case Kind.DELIVERY_LOST:
                document, rows = await _document(unit, key)
                body = await self._store.get(document.sha256)
                return to_receivers(document, [what], found(first_delivered(rows)), body)
            case Kind.NOTICE_LOST:
                return await _notice(unit, what, key, judgement)
        if what == Step.STATUS_TRACKER:
            status = (await unit.status_inputs([key]))[key]
            body = await self._store.get(status.sha256)
            origin = status.user_name, status.message_id
            return put_back(Step.STATUS_TRACKER, Lane.ORDINARY, origin, body, status.sha256, user=self._user)
        document, rows = await _document(unit, key)
        lane = Lane(document.lane)
        if what == Step.INGEST:
            body = await self._store.get(document.sha256)
            origin = document.user_name, document.message_id
            return put_back(Step.INGEST, lane, origin, body, document.sha256, user=self._user)
        if what == Step.ROUTER:
            route = DocumentToRoute(document=key, sha256=document.sha256, found=found(first_delivered(rows)))
            return to_router(route, lane, document.size)
        return to_signature_verify(
            DocumentToVerify(
                document=key,
                sha256=document.sha256,
                user=document.user_name,
                received_at=document.received_at,
                lane=lane,
                judgement=judgement,
            )
        )

    def _history(self, finding: Finding) -> RepairRow:
        facts = {"by": self._by, "what": finding.kind, "detail": finding.detail}
        return RepairRow(HISTORY[finding.kind], finding.document, finding.agency, finding.digest, facts)


async def _inputs(unit: Unit, keys: Collection[Key]) -> list[tuple[_Lost, Origin]]:
    """Return the inputs that have to stand somewhere, each with its origin."""
    statuses = await unit.status_inputs({key for step, key, _ in keys if step == Step.STATUS_TRACKER})
    documents = await unit.documents({key for step, key, _ in keys if step != Step.STATUS_TRACKER})
    wanted = []
    for step, key, judgement in sorted(keys, key=str):
        if step == Step.STATUS_TRACKER:
            status = statuses[key]
            origin = status.user_name, status.message_id
            finding = Finding(Kind.INPUT_LOST, status.document, status.user_name, status.sha256)
        else:
            document = documents[key]
            origin = document.user_name, document.message_id
            if step == Step.ROUTER:
                origin = work_origin(Step.ROUTER, key)
            elif step == Step.SIGNATURE_VERIFY:
                origin = work_origin(Step(step), key if judgement == 1 else derive("judgement", key, judgement))
            finding = Finding(Kind.INPUT_LOST, key, document.user_name, document.sha256)
        finding.detail = work_queue(Step(step))
        wanted.append((_Lost(finding, (step, key, judgement)), origin))
    return wanted


async def _notices(unit: Unit, keys: Collection[Key]) -> list[tuple[_Lost, Origin]]:
    """Return the notices that have to stand somewhere, each with its origin."""
    documents = await unit.documents({key for kind, key, _ in keys if kind != "refusal"})
    refusals = await unit.refusals({key for kind, key, _ in keys if kind == "refusal"})
    wanted = []
    for kind, key, judgement in sorted(keys, key=str):
        if kind == "refusal":
            finding = Finding(Kind.NOTICE_LOST, agency=refusals[key].user_name, detail=kind)
            notice_id = key
        else:
            document = documents[key]
            finding = Finding(Kind.NOTICE_LOST, key, document.user_name, document.sha256, detail=kind)
            notice_id = {
                "receipt": derive("receipt", document.user_name, document.message_id),
                "verified": derive("verified", key, judgement, document.user_name),
                "waiting": derive("waiting", key),
                "delivered": derive("delivered", key),
            }[kind]
        wanted.append((_Lost(finding, (kind, key, judgement)), work_origin(Step.NOTIFIER, notice_id)))
    return wanted


async def _notice(unit: Unit, kind: str, key: UUID, judgement: int) -> Outgoing:
    if kind == "refusal":
        refusal = (await unit.refusals([key]))[key]
        (told,) = answer(replace(refusal, forwarded_at=None)).outputs
        return told
    document, rows = await _document(unit, key)
    match kind:
        case "receipt":
            notice = receipt(document, document.user_name, document.message_id, repeated=False)
        case "verified":
            notice = verified(document, rows[judgement - 1], document.user_name)
        case _:
            routing = (await unit.routings([key]))[key]
            assert routing.forwarded_at is not None, "only what has left is told"
            tell = waiting if kind == "waiting" else delivered
            notice = tell(document, routing.deliveries, routing.forwarded_at)
    return to_notifier(notice)


async def _document(unit: Unit, key: UUID) -> tuple[RecordedDocument, Sequence[VerificationRow]]:
    return (await unit.documents([key]))[key], (await unit.verifications([key]))[key]
