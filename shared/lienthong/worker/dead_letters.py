"""Dead letters as something to work on: taken into the ledger, put back onto their lane, or discarded with an answer.

What stands in the dead-letter queues is recorded first, its body in the payload store, and acknowledged then: a crash
in between finds it again, under the same id. What an operator orders is a fact in the ledger before anything leaves,
and is published until it is known to have left: a crash in between publishes it once more, which workers recognise.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.document import reasons
from lienthong.document.ids import derive
from lienthong.document.messages import Lane
from lienthong.errors import Unavailable
from lienthong.ledger.rows import DeadLetterRow, Mark
from lienthong.topology.names import QUARANTINE, WORK, Header, Step, dead_queue, work_key, work_queue
from lienthong.topology.plan import AGENCY_DEAD_QUEUE, lanes
from lienthong.worker.answers import answer, refusal_row, refuse
from lienthong.worker.ladder import REASON_CHARACTERS, Ladder, LadderHeader, kept_headers, reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lienthong.bus.connection import Bus
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.rows import RecordedDeadLetter, RefusalRow
    from lienthong.ledger.unit import Unit
    from lienthong.payload import PayloadStore

__all__ = ["DeadLetters", "dead_letter_row"]

BATCH = 100
BATCH_BYTES = 64 * 1024 * 1024
"""What the messages replayed at once may weigh; one may weigh more."""
QUIET_SECONDS = 1.0
"""Dead-letter queues that bring nothing for so long are taken to be empty; what comes later is found the next time."""

_AGENCY_QUEUE = re.compile(r"agency\..+\.(delivery|status)")
_STEPS = {dead_queue(step): step for step in Step}
_LANES = {work_queue(step, lane): (step, lane) for step in Step for lane in lanes(step)}


class DeadLetters:
    """Works on the dead letters of an exchange; its topology has to be declared.

    Args:
        bus: the broker, as the operator's user: of what others publish the workers believe no origin.
        user: that user.
        ledger: the ledger, in the operator's role.
        store: where bodies are kept.
    """

    def __init__(self, bus: Bus, user: str, ledger: Ledger, store: PayloadStore) -> None:
        self._bus, self._user = bus, user
        self._ledger = ledger
        self._store = store

    async def collect(self) -> None:
        """Take everything that stands in the dead-letter queues and in quarantine into the ledger.

        Raises:
            Unavailable: the broker, the ledger or the payload store went away; what is not recorded stays in its queue.
        """
        await self._bus.consume([*_STEPS, AGENCY_DEAD_QUEUE, QUARANTINE], prefetch=2 * BATCH)
        while batch := await self._bus.take(BATCH, timeout=QUIET_SECONDS):
            await asyncio.gather(*(self._store.put(message.body) for message in batch))
            rows = {row.dead_letter: row for row in (dead_letter_row(message, self._user) for message in batch)}
            async with self._ledger.transaction() as unit:
                await unit.record_dead_letters(list(rows.values()))
            for queue, tag in {message.queue: message.tag for message in batch}.items():
                await self._bus.ack_through(queue, tag)
        await self._bus.cancel()

    async def replay(self, keys: Sequence[UUID], by: str) -> set[UUID]:
        """Order dead letters to be put back where they came from, and return those for which that was possible."""
        async with self._ledger.transaction() as unit:
            return await unit.order_replay(keys, by)

    async def discard(self, key: UUID, by: str, why: str) -> bool:
        """Order a dead letter to be discarded and its sender to be told; return False unless it waits."""
        async with self._ledger.transaction() as unit:
            letter = await unit.lock_waiting_dead_letter(key)
            if letter is None:
                return False
            refusal = await _refusal(unit, letter, why)
            await refuse(unit, [refusal] if refusal else [])
            await unit.order_discard(key, by, why, refusal.refusal if refusal else None)
        return True

    async def finish(self) -> dict[UUID, str]:
        """Publish what was ordered, now or before a crash; return why each of those that could not leave did not."""
        async with self._ledger.transaction() as unit:
            ordered = await unit.ordered_dead_letters()
        failed: dict[UUID, str] = {}
        for letters in _batches(ordered):
            failed |= await self._send(letters)
        return failed

    async def _send(self, letters: Sequence[RecordedDeadLetter]) -> dict[UUID, str]:
        outputs: list[tuple[UUID, Outgoing]] = []
        failed: dict[UUID, str] = {}
        marks: list[tuple[UUID, Mark]] = []
        async with self._ledger.transaction() as unit:
            refusals = await unit.refusals({letter.refusal for letter in letters if letter.refusal is not None})
        for letter in letters:
            if letter.state == "replaying":
                try:
                    outputs.append((letter.dead_letter, await self._replayed(letter)))
                except Unavailable as away:
                    failed[letter.dead_letter] = reason(away)
            elif letter.refusal is not None:
                told = answer(refusals[letter.refusal])
                outputs += [(letter.dead_letter, output) for output in told.outputs]
                marks += [(letter.dead_letter, told.mark)] if told.mark else []
        results = await self._bus.publish_many([output for _, output in outputs])
        failed |= {key: reason(error) for (key, _), error in zip(outputs, results, strict=True) if error is not None}
        async with self._ledger.transaction() as unit:
            now = datetime.now(UTC)
            await unit.mark_forwarded([(mark, now) for key, mark in marks if key not in failed])
            await unit.finish_dead_letters({letter.dead_letter for letter in letters} - failed.keys())
        return failed

    async def _replayed(self, letter: RecordedDeadLetter) -> Outgoing:
        assert letter.queue is not None, "only what has a queue to go to is replayed"
        body = await self._store.get(letter.sha256)
        headers = dict(letter.headers)
        exchange, key, user = "", letter.queue, None
        if letter.queue in _LANES:
            exchange, key, user = WORK, work_key(*_LANES[letter.queue]), self._user
            headers |= {
                Header.ATTEMPT: 0,
                LadderHeader.QUEUE: letter.queue,
                LadderHeader.KEY: letter.routing_key,
                LadderHeader.USER: letter.user_name or "",
                LadderHeader.MESSAGE_ID: letter.message_id or "",
            }
        return Outgoing(
            exchange,
            key,
            letter.message_id or str(letter.dead_letter),
            body,
            content_type=letter.content_type or "",
            type=letter.type or "",
            headers=headers,
            user_id=user,
        )


def dead_letter_row(message: Incoming, user: str) -> DeadLetterRow:
    """Return what the ledger keeps of a message from a dead-letter queue, as its sender published it; pure.

    Args:
        message: as it came.
        user: our own user on the broker, whose word is taken for where a message came from, beside that of the worker
            whose dead letter it is.
    """
    deaths = _deaths(message.headers.get("x-death"))
    step = _STEPS.get(message.queue)
    original, attempts, queue = message, 0, None
    told = message.headers.get(Header.REASON)
    if step is not None:
        tried = Ladder(step, user).restore(message)
        original, attempts = tried.message, tried.attempts
        # Only a message of ours that was tried says itself why it is here; of any other the broker says it.
        told = told if attempts else None
        passed = {queue for queue, _ in deaths} | {str(message.headers.get(LadderHeader.QUEUE))}
        urgent = Lane.URGENT in lanes(step) and work_queue(step, Lane.URGENT) in passed
        queue = work_queue(step, Lane.URGENT if urgent else Lane.ORDINARY)
    elif message.queue == AGENCY_DEAD_QUEUE:
        queue = next((queue for queue, _ in deaths if _AGENCY_QUEUE.fullmatch(queue)), None)
    digest = sha256(message.body).hexdigest()
    headers = kept_headers(original.headers)
    place = message.queue.removeprefix("dead.")
    return DeadLetterRow(
        dead_letter=derive("dead letter", place, queue, original.user_id, original.message_id, digest),
        step=place,
        queue=queue,
        routing_key=_text(original.routing_key),
        user_name=original.user_id,
        message_id=original.message_id,
        content_type=_text(original.content_type or "") or None,
        type=_text(original.type or "") or None,
        headers={
            name: _text(value) if isinstance(value, str) else value
            for name, value in headers.items()
            if name not in {Header.ATTEMPT, Header.REASON}
        },
        sha256=digest,
        size=len(message.body),
        document=_document(step, message),
        reason=_text(told) if isinstance(told, str) else _broker_reason(deaths),
        attempts=attempts,
    )


async def _refusal(unit: Unit, letter: RecordedDeadLetter, why: str) -> RefusalRow | None:
    """Return what the sender of a discarded message is told; None when nobody waits for an answer.

    A document that was not routed yet is recorded as refused: nothing that comes later may deliver it.
    """
    problems = [reasons.given_up(why)]
    submission = (letter.user_name or "", letter.message_id or "")
    if letter.step == Step.INGEST and letter.user_name:
        known = (await unit.documents_of([submission])).get(submission)
        if known is not None and known.forwarded_at is not None:
            return None
        document_id = known.document_id if known else None
        return refusal_row(Step.INGEST, "document", submission, letter.sha256, problems, document_id)
    if letter.step == Step.STATUS_TRACKER and letter.user_name:
        applied = await unit.statuses({derive("status", *submission)})
        if any(status.forwarded_at for status in applied):
            return None
        return refusal_row(Step.STATUS_TRACKER, "status", submission, letter.sha256, problems)
    if letter.step in {Step.SIGNATURE_VERIFY, Step.ROUTER} and letter.document is not None:
        document = (await unit.documents([letter.document])).get(letter.document)
        if document is None:
            return None
        routed = await unit.refuse_routing(letter.document)
        if routed.outcome == "routed" and routed.forwarded_at is not None:
            return None
        # The router's id of it: should the document come to it after all, it recalls this refusal.
        sent = (document.user_name, document.message_id)
        return refusal_row(Step.ROUTER, "document", sent, document.sha256, problems, document.document_id)
    return None


def _deaths(header: object) -> list[tuple[str, str]]:
    """Return queue and reason of each time the broker itself took a message out of a queue, the latest first."""
    entries = header if isinstance(header, list) else []
    return [(str(entry.get("queue")), str(entry.get("reason"))) for entry in entries if isinstance(entry, dict)]


def _broker_reason(deaths: Sequence[tuple[str, str]]) -> str:
    queue, why = deaths[0] if deaths else ("?", "?")
    return f"RabbitMQ: {_text(why)} ({_text(queue)})"[:REASON_CHARACTERS]


def _document(step: Step | None, message: Incoming) -> UUID | None:
    if step not in {Step.SIGNATURE_VERIFY, Step.ROUTER, Step.NOTIFIER}:
        return None
    try:
        return UUID(json.loads(message.body)["document"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _text(value: str) -> str:
    # PostgreSQL has no place for NUL in a text.
    return value.replace("\0", "")


def _batches(letters: Sequence[RecordedDeadLetter]) -> Iterator[list[RecordedDeadLetter]]:
    batch: list[RecordedDeadLetter] = []
    for letter in letters:
        if len(batch) == BATCH or (batch and sum(each.size for each in batch) + letter.size > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(letter)
    if batch:
        yield batch
