"""The loop of every worker: take a batch, decide, record, publish, and acknowledge it once its marks are recorded.

An unacknowledged input is the outbox. The batch in hand is acknowledged only after the transaction that carries its
*forwarded* marks, which is the next batch's, or one of its own after a moment of rest: so a crash between any two
steps delivers the input again, what was recorded is recalled, and what is not marked is published again.

A message that does not raise but kills the process cannot be caught, only found out. What comes back is taken in ever
smaller batches (see `lienthong.bus.consumer`), in the end alone; then the ledger is told before the message is touched.
What was taken alone several times and never settled is dead-lettered untouched, long before the broker's delivery limit
would take it and whatever stood beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import structlog

from lienthong.bus.backoff import Backoff
from lienthong.bus.errors import ConnectionLost
from lienthong.document.ids import derive
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.topology.plan import step_queues
from lienthong.worker.account import Account
from lienthong.worker.handler import PutsAside
from lienthong.worker.ladder import Ladder, LethalError, reason
from lienthong.worker.settle import Publishes, Settled, Settler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.unit import Unit
    from lienthong.telemetry.traces import Tracing
    from lienthong.worker.handler import Handler, Outcome
    from lienthong.worker.ladder import Input

__all__ = ["FLUSH_SECONDS", "Batches", "Pulse", "Runner", "Transactions"]

FLUSH_SECONDS = 0.05
"""How long a settled batch waits for the next one's transaction before it is marked by one of its own."""
TURN_SECONDS = 5.0
"""The longest an idle worker waits for a message before it says that it is still turning."""

LEAST_RETURNS = 3
"""How often a message came back, at least, before it is suspected: workers are restarted for other reasons too."""
MOST_TRIES_ALONE = 3
"""How often a suspected message is tried alone."""

DecisionT = TypeVar("DecisionT")
ResultT = TypeVar("ResultT")

log = structlog.stdlib.get_logger(__name__)


class Batches(Publishes, Protocol):
    """What the loop needs of the bus; see `lienthong.bus.connection.Bus`."""

    @property
    def waiting(self) -> int:
        """Messages prefetched and not yet taken."""
        ...

    async def consume(
        self, queues: Sequence[str], *, prefetch: int, aside: Callable[[Incoming], bool] | None = None
    ) -> None:
        """Consume queues, the one served first in front; what `aside` says the broker moves on untouched."""
        ...

    async def take(self, limit: int, *, timeout: float | None) -> list[Incoming]:  # noqa: ASYNC109 - an answer
        """Return waiting messages, none after the timeout."""
        ...

    async def ack_through(self, queue: str, tag: int) -> None:
        """Acknowledge a queue's messages up to a tag."""
        ...

    async def cancel(self) -> None:
        """Take no more messages."""
        ...


class Transactions(Protocol):
    """What the loop needs of the ledger; see `lienthong.ledger.ledger.Ledger`."""

    def transaction(self) -> AbstractAsyncContextManager[Unit]:
        """Open one transaction, committed when the block ends well."""
        ...


class Pulse:
    """When the loop last got on."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def beat(self) -> None:
        """Note that the loop got on."""
        self._at = time.monotonic()

    @property
    def age_seconds(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._at


class Runner(Generic[DecisionT]):
    """Runs one handler on the lanes of its step, and on what the broker took out of them.

    Args:
        handler: what to do with a message.
        bus: where messages come from and go to.
        ledger: where facts are recorded.
        user: our own user on the broker; see `lienthong.worker.ladder`.
        batch_limit: most messages in one batch; two batches are prefetched.
        pulse: tells others that the loop still turns.
        tracing: where spans are made; None when nothing is traced.
    """

    def __init__(
        self,
        handler: Handler[DecisionT],
        *,
        bus: Batches,
        ledger: Transactions,
        user: str,
        batch_limit: int = 100,
        pulse: Pulse | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._handler = handler
        self._bus = bus
        self._ledger = ledger
        self._batch_limit = batch_limit
        self._queues = step_queues(handler.step)
        self._aside = self._puts_aside if isinstance(handler, PutsAside) else None
        self._ladder = Ladder(handler.step, user)
        self._pulse = pulse or Pulse()
        self._settler = Settler(bus, self._ladder, self._pulse.beat)
        self._settled = Settled()
        self._account = Account(handler.step, tracing)
        self._alone: UUID | None = None
        self._stopping = asyncio.Event()
        self._log = log.bind(step=str(handler.step))

    def stop(self) -> None:
        """Take no more batches: `run` returns when the one in hand is settled, marked and acknowledged."""
        self._stopping.set()

    async def run(self) -> None:
        """Take batches until `stop` is called.

        Raises:
            MisconfiguredError: nothing can work before an operator mends something.
        """
        stopper = asyncio.create_task(self._cancel_when_stopping(), name="stop taking")
        backoff = Backoff(most=2.0)
        try:
            while not self._stopping.is_set():
                try:
                    await self._consume()
                    while not self._stopping.is_set():
                        await self._turn()
                        backoff.reset()
                except ConnectionLost as loss:
                    # Tags died with the connection; that outputs were confirmed stays true, and is still marked.
                    self._settled.acks.clear()
                    self._log.warning(Event.BROKER_LOST, reason=reason(loss))
                    await self._rest(backoff.next())
            with contextlib.suppress(ConnectionLost):
                await self._flush()
        except MisconfiguredError:
            # Whoever mends it starts us again and again meanwhile: that must not cost the message in hand its tries.
            await self._forget_alone()
            raise
        finally:
            stopper.cancel()
            await asyncio.wait([stopper])

    async def _cancel_when_stopping(self) -> None:
        await self._stopping.wait()
        await self._bus.cancel()

    async def _consume(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            self._pulse.beat()
            try:
                await self._bus.consume(self._queues, prefetch=2 * self._batch_limit, aside=self._aside)
            except (Unavailable, MisconfiguredError) as away:
                # A login refused by a broker that let us in before: it is half up, or an operator is at work on it.
                self._log.warning(Event.BROKER_AWAY, reason=reason(away), messages=0)
                await self._rest(backoff.next())
            else:
                self._log.info(Event.WORKER_STARTED, queues=self._queues, batch_limit=self._batch_limit)
                return

    def _puts_aside(self, message: Incoming) -> bool:
        assert isinstance(self._handler, PutsAside), "asked only of a handler that does"
        # What the broker took out of a lane stays where it is: from there it would be a dead letter.
        return message.queue != self._queues[-1] and self._handler.puts_aside(self._ladder.restore(message).message)

    async def _turn(self) -> None:
        self._pulse.beat()
        waits = FLUSH_SECONDS if self._settled.acks or self._settled.marks else TURN_SECONDS
        batch = await self._bus.take(self._batch_limit, timeout=waits)
        metrics.WAITING.labels(self._handler.step).set(self._bus.waiting)
        if not batch:
            await self._flush()
            return
        turn = self._account.begin()
        inputs: Sequence[Input] = [self._ladder.restore(message) for message in batch]
        decisions = await self._decide(inputs)
        turn.decided()
        inputs, outcomes = turn.recorded(inputs, await self._record(inputs, decisions))
        self._pulse.beat()
        settled = self._settled = await self._settler.settle(inputs, outcomes)
        await self._forget_alone()
        if not self._settled.marks:
            await self._acknowledge()
        turn.published(inputs, settled)

    async def _decide(self, inputs: Sequence[Input]) -> Sequence[DecisionT | BaseException]:
        alone = inputs[0].message if len(inputs) == 1 else None
        # So often has a message come back when halving has brought it down to a batch of one.
        suspicious = max(LEAST_RETURNS, self._batch_limit.bit_length() - 1)
        if alone is not None and alone.delivery_count >= suspicious:
            tries = await self._note_alone(alone)
            if tries > MOST_TRIES_ALONE:
                return [LethalError(f"the worker died {MOST_TRIES_ALONE} times with this message alone in hand")]
        return await asyncio.gather(*(self._handler.decide(each.message) for each in inputs), return_exceptions=True)

    async def _note_alone(self, message: Incoming) -> int:
        digest = sha256(message.body).hexdigest()
        key = self._alone = derive("alone", self._handler.step, message.user_id, message.message_id, digest)

        async def note() -> int:
            async with self._ledger.transaction() as unit:
                return await unit.note_handled_alone(key, self._handler.step)

        return await self._patiently(note)

    async def _forget_alone(self) -> None:
        # Before anything else is touched: else a settled message that is not acknowledged yet would share the blame.
        key, self._alone = self._alone, None
        if key is None:
            return

        async def forget() -> None:
            async with self._ledger.transaction() as unit:
                await unit.forget_handled_alone(key)

        await self._patiently(forget)

    async def _record(
        self, inputs: Sequence[Input], decisions: Sequence[DecisionT | BaseException]
    ) -> list[Outcome | Exception]:
        outcomes: list[Outcome | Exception | None] = []
        batch: list[tuple[Incoming, DecisionT]] = []
        for tried, decision in zip(inputs, decisions, strict=True):
            if isinstance(decision, MisconfiguredError) or (
                isinstance(decision, BaseException) and not isinstance(decision, Exception)
            ):
                raise decision
            if isinstance(decision, Exception):
                outcomes.append(decision)
            else:
                outcomes.append(None)
                batch.append((tried.message, decision))
        recorded = iter(await self._record_isolating(batch) if batch else ())
        await self._flush()
        return [next(recorded) if outcome is None else outcome for outcome in outcomes]

    async def _record_isolating(self, batch: Sequence[tuple[Incoming, DecisionT]]) -> list[Outcome | Exception]:
        try:
            return [*await self._patiently(lambda: self._transact(batch))]
        except MisconfiguredError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug, on account of one message: the others must get through
            # The marks of the batch before are not to blame, or no message is.
            await self._commit_marks()
            if len(batch) == 1:
                return [error]
            self._log.warning(Event.BATCH_SPLIT, size=len(batch), reason=reason(error))
            half = len(batch) // 2
            return await self._record_isolating(batch[:half]) + await self._record_isolating(batch[half:])

    async def _transact(self, batch: Sequence[tuple[Incoming, DecisionT]]) -> Sequence[Outcome | Unavailable]:
        marks = self._settled.marks
        async with self._ledger.transaction() as unit:
            if marks:
                await unit.mark_forwarded(marks)
            outcomes = await self._handler.record(unit, batch) if batch else ()
            if len(outcomes) != len(batch):
                raise RuntimeError(f"{len(outcomes)} outcomes for {len(batch)} messages")
        self._settled.marks = []
        return outcomes

    async def _commit_marks(self) -> None:
        if self._settled.marks:
            await self._patiently(lambda: self._transact(()))

    async def _flush(self) -> None:
        await self._commit_marks()
        await self._acknowledge()

    async def _acknowledge(self) -> None:
        acks, self._settled.acks = self._settled.acks, {}
        for queue, tag in acks.items():
            await self._bus.ack_through(queue, tag)

    async def _patiently(self, action: Callable[[], Awaitable[ResultT]]) -> ResultT:
        # While the database is away the batch stays in memory and unacknowledged; nothing is gained by dropping it.
        backoff = Backoff()
        while True:
            try:
                return await action()
            except Unavailable as away:
                self._log.warning(Event.LEDGER_AWAY, reason=reason(away))
            self._pulse.beat()
            await asyncio.sleep(backoff.next())

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
