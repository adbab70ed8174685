"""The loop against a real broker: whatever happens in between, each input is recorded once and its output leaves."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aiormq
import pytest
import pytest_asyncio
from pamqp import commands

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Incoming, Outgoing
from lienthong.document.ids import derive
from lienthong.document.messages import Lane
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.rows import Mark
from lienthong.telemetry import metrics
from lienthong.testing.proxy import FaultyProxy
from lienthong.topology.names import DEAD, WORK, Header, Step, dead_queue, returned_queue, work_key, work_queue
from lienthong.topology.plan import Permissions, exchange_plan, step_queues
from lienthong.worker.handler import Outcome
from lienthong.worker.ladder import LadderHeader
from lienthong.worker.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from uuid import UUID

    from lienthong.bus.admin import BrokerAdmin
    from lienthong.ledger.unit import Unit

STEP = Step.SIGNATURE_VERIFY
NEXT = work_queue(Step.ROUTER)
SOON = 10.0


class MemoryLedger:
    """Keeps facts and marks as the database does: all of a transaction or nothing."""

    def __init__(self) -> None:
        self.recorded: Counter[UUID] = Counter()
        self.marked: dict[UUID, datetime] = {}
        self.alone: Counter[UUID] = Counter()
        self.away = 0
        self.may_mark = asyncio.Event()
        self.may_mark.set()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        """Commit what the block recorded, when it ends well; while `away`, fail."""
        if self.away:
            self.away -= 1
            raise Unavailable("the database is away")
        unit = MemoryUnit(self)
        yield cast("Unit", unit)
        self.recorded.update(unit.facts)
        self.marked |= unit.marks


class MemoryUnit:
    """One transaction of `MemoryLedger`."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger
        self.facts: set[UUID] = set()
        self.marks: dict[UUID, datetime] = {}

    async def mark_forwarded(self, marks: Iterable[tuple[Mark, datetime]]) -> None:
        """Mark facts, once this is allowed."""
        await self.ledger.may_mark.wait()
        self.marks |= {mark.key: at for mark, at in marks}

    async def note_handled_alone(self, message: UUID, _step: str) -> int:
        """Count a try alone."""
        self.ledger.alone[message] += 1
        return self.ledger.alone[message]

    async def forget_handled_alone(self, message: UUID) -> None:
        """Forget them."""
        del self.ledger.alone[message]

    def record(self, fact: UUID) -> bool:
        """Record a fact once; return whether it is marked forwarded."""
        if fact not in self.ledger.recorded:
            self.facts.add(fact)
        return fact in self.ledger.marked or fact in self.marks


class Echo:
    """Sends every message on to the router; what a body says, it does."""

    step = STEP

    def __init__(self) -> None:
        self.decided: list[Incoming] = []
        self.batches: list[int] = []
        self.may_decide = asyncio.Event()
        self.may_decide.set()
        self.mended = False

    async def decide(self, message: Incoming) -> bytes:
        """Fail as the body asks."""
        self.decided.append(message)
        await self.may_decide.wait()
        if message.body == b"away":
            raise Unavailable("the store is away")
        if message.body == b"bug":
            raise KeyError("surprise")
        if message.body == b"misconfigured" and not self.mended:
            raise MisconfiguredError("no such folder")
        return message.body

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, bytes]]) -> Sequence[Outcome]:
        """Record one fact for each message, and recall what was recorded before."""
        self.batches.append(len(batch))
        outcomes = []
        for message, body in batch:
            fact = derive("fact", message.message_id)
            forwarded = cast("MemoryUnit", unit).record(fact)
            if body == b"poison":
                raise ValueError("poisonous")
            key = "nobody" if body == b"unroutable" else work_key(Step.ROUTER)
            output = Outgoing(WORK, key, str(fact), body)
            outcomes.append(Outcome() if forwarded else Outcome((output,), Mark("verification", fact)))
        return outcomes


@pytest_asyncio.fixture
async def exchange(vhost: str) -> AsyncIterator[Bus]:
    """Provide the exchange's topology, with a ladder of short rungs, and a bus that sends and watches."""
    plan = exchange_plan()
    queues = tuple(
        replace(queue, arguments=dict(queue.arguments) | {"x-message-ttl": 50})
        if queue.name.startswith("retry.")
        else queue
        for queue in plan.queues
    )
    async with Bus(vhost, name="test") as bus:
        await bus.declare(replace(plan, queues=queues))
        await bus.consume([NEXT, dead_queue(STEP)], prefetch=1000)
        yield bus


@asynccontextmanager
async def running(
    url: str, handler: Echo, ledger: MemoryLedger, *, crash: bool = False, bus_class: type[Bus] = Bus
) -> AsyncIterator[Runner[bytes]]:
    """Run the handler for the length of the block, then drain it, or crash it."""
    async with bus_class(url, name="worker") as bus:
        runner = Runner(handler, bus=bus, ledger=ledger, user=str(bus.user), batch_limit=100)
        task = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            if crash:
                task.cancel()
            else:
                runner.stop()
            await asyncio.wait([task], timeout=SOON)
            assert task.done(), "the runner did not drain"
            if not task.cancelled():
                await task


def inputs(*bodies: bytes, prefix: str = "m", lane: Lane = Lane.ORDINARY) -> list[Outgoing]:
    """Return messages for the worker, with ids of their own."""
    return [Outgoing(WORK, work_key(STEP, lane), f"{prefix}{number}", body) for number, body in enumerate(bodies)]


def facts(messages: Iterable[Outgoing]) -> set[UUID]:
    """Return the facts these messages become."""
    return {derive("fact", message.message_id) for message in messages}


def retries() -> float:
    """Return how many messages have been put on the ladder by this process."""
    samples = (sample for metric in metrics.RETRIED.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


async def arrivals(exchange: Bus, count: int) -> list[Incoming]:
    """Return what reaches the router and the dead letters, this many at least."""
    messages: list[Incoming] = []
    while len(messages) < count:
        batch = await exchange.take(1000, timeout=SOON)
        assert batch, f"only {len(messages)} of {count} outputs arrived"
        messages += batch
    return messages


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition nothing announces."""
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def left_over(url: str) -> list[Incoming]:
    """Return what still stands in the worker's queues, its own connection being closed."""
    async with Bus(url, name="left over") as bus:
        await bus.consume(step_queues(STEP), prefetch=1000)
        messages = []
        while batch := await bus.take(1000, timeout=0.3):
            messages += batch
        return messages


async def test_each_input_is_recorded_forwarded_marked_and_acknowledged(exchange: Bus, vhost: str) -> None:
    """In both lanes, one fact and one output for each message, marked with its time, and nothing left behind."""
    sent = [*inputs(*[b"ok"] * 150), *inputs(*[b"ok"] * 50, prefix="u", lane=Lane.URGENT)]
    await exchange.publish_many(sent)
    ledger = MemoryLedger()
    async with running(vhost, Echo(), ledger):
        got = await arrivals(exchange, 200)
        await until(lambda: set(ledger.marked) == facts(sent))
    assert sorted(str(message.message_id) for message in got) == sorted(map(str, facts(sent)))
    assert set(ledger.recorded) == facts(sent)
    assert max(ledger.recorded.values()) == 1
    assert all(at <= datetime.now(UTC) for at in ledger.marked.values())
    assert await left_over(vhost) == []


async def test_a_crash_before_the_marks_publishes_again_with_the_same_id(exchange: Bus, vhost: str) -> None:
    """Late acknowledgement: confirmed but not marked is delivered again, recalled, and published again."""
    sent = inputs(*[b"ok"] * 5)
    await exchange.publish_many(sent)
    ledger = MemoryLedger()
    ledger.may_mark.clear()
    async with running(vhost, Echo(), ledger, crash=True):
        first = {message.message_id for message in await arrivals(exchange, 1)}
    assert ledger.marked == {}
    ledger.may_mark.set()
    async with running(vhost, Echo(), ledger):
        second = {message.message_id for message in await arrivals(exchange, 5)}
        await until(lambda: set(ledger.marked) == facts(sent))
    assert first
    assert first <= second == set(map(str, facts(sent)))
    assert max(ledger.recorded.values()) == 1
    assert await left_over(vhost) == []


class NeverAcknowledges(Bus):
    """Stands still between the marks and the acknowledgement."""

    async def ack_through(self, queue: str, tag: int) -> None:
        """Hang."""
        await asyncio.Event().wait()
        await super().ack_through(queue, tag)


async def test_a_crash_after_the_marks_publishes_nothing_again(exchange: Bus, vhost: str) -> None:
    """Marked but not acknowledged is delivered again, recalled as forwarded, and goes no further."""
    sent = inputs(*[b"ok"] * 5)
    await exchange.publish_many(sent)
    ledger, again = MemoryLedger(), Echo()
    async with running(vhost, Echo(), ledger, crash=True, bus_class=NeverAcknowledges):
        await arrivals(exchange, 1)
        await until(lambda: len(ledger.marked) > 0)
    marked = set(map(str, ledger.marked))
    async with running(vhost, again, ledger):
        got = await arrivals(exchange, 5 - len(marked))
        await until(lambda: sum(again.batches) == 5)
    assert {str(message.message_id) for message in got} == set(map(str, facts(sent))) - marked
    assert await exchange.take(10, timeout=0.3) == []
    assert await left_over(vhost) == []


async def test_an_input_that_cannot_be_decided_now_climbs_the_ladder_alone(exchange: Bus, vhost: str) -> None:
    """Unavailable climbs to the dead letters with the reason; its neighbours are not held up."""
    await exchange.publish_many(inputs(b"ok", b"away", b"ok"))
    handler, ledger = Echo(), MemoryLedger()
    async with running(vhost, handler, ledger):
        got = await arrivals(exchange, 3)
    (dead,) = [message for message in got if message.queue == dead_queue(STEP)]
    assert (dead.body, dead.message_id, dead.routing_key) == (b"away", "m1", str(STEP))
    assert dead.headers[Header.REASON] == "Unavailable: the store is away"
    assert (dead.headers[Header.ATTEMPT], dead.headers[LadderHeader.QUEUE]) == (5, work_queue(STEP))
    tries = [message for message in handler.decided if message.message_id == "m1"]
    assert len(tries) == 5
    assert {(message.user_id, message.routing_key) for message in tries} == {(None, work_key(STEP))}
    assert set(ledger.marked) == {derive("fact", "m0"), derive("fact", "m2")}
    assert await left_over(vhost) == []


async def test_a_retry_returns_to_its_lane(exchange: Bus, vhost: str) -> None:
    """An urgent message is urgent after a retry too."""
    await exchange.publish_many(inputs(b"bug", lane=Lane.URGENT))
    handler = Echo()
    async with running(vhost, handler, MemoryLedger()):
        await arrivals(exchange, 1)
    assert [message.queue for message in handler.decided] == [work_queue(STEP, Lane.URGENT)] * 4


async def test_what_expires_in_the_queue_is_processed_all_the_same(exchange: Bus, vhost: str) -> None:
    """A sender's time to live ends nothing: an expired message is processed once, and its retries keep its lane."""
    parts = urlsplit(vhost)
    async with await aiormq.connect(vhost) as connection:
        channel = await connection.channel()
        for number, lane in enumerate((Lane.ORDINARY, Lane.URGENT)):
            await channel.basic_publish(
                b"bug" if lane is Lane.URGENT else b"ok",
                exchange=WORK,
                routing_key=work_key(STEP, lane),
                properties=commands.Basic.Properties(
                    message_id=f"m{number}", user_id=parts.username, expiration="50", delivery_mode=2
                ),
            )
        await exchange.consume([returned_queue(STEP)], prefetch=10)
        # Both are there, unacknowledged, when the worker comes.
        assert {message.message_id for message in await arrivals(exchange, 2)} == {"m0", "m1"}
    await exchange.consume([NEXT, dead_queue(STEP)], prefetch=1000)
    handler, ledger = Echo(), MemoryLedger()
    async with running(vhost, handler, ledger):
        got = await arrivals(exchange, 2)
        await until(lambda: set(ledger.marked) == {derive("fact", "m0")})
    (dead,) = [message for message in got if message.queue == dead_queue(STEP)]
    assert (dead.message_id, dead.headers[LadderHeader.QUEUE]) == ("m1", work_queue(STEP, Lane.URGENT))
    retried = [message.queue for message in handler.decided if message.message_id == "m1"]
    assert retried == [returned_queue(STEP), *[work_queue(STEP, Lane.URGENT)] * 3]
    assert {message.user_id for message in handler.decided} == {parts.username}
    assert await left_over(vhost) == []


async def test_a_bug_in_recording_finds_its_one_culprit(exchange: Bus, vhost: str) -> None:
    """A message that makes the whole batch's transaction fail is dead-lettered alone; the others are recorded once."""
    bodies = [b"ok"] * 40
    bodies[17] = b"poison"
    sent = inputs(*bodies)
    await exchange.publish_many(sent)
    ledger = MemoryLedger()
    async with running(vhost, Echo(), ledger):
        got = await arrivals(exchange, 40)
        await until(lambda: len(ledger.marked) == 39)
    (dead,) = [message for message in got if message.queue == dead_queue(STEP)]
    assert (dead.message_id, dead.headers[Header.REASON]) == ("m17", "ValueError: poisonous")
    assert set(ledger.recorded) == facts(sent) - {derive("fact", "m17")}
    assert max(ledger.recorded.values()) == 1
    assert await left_over(vhost) == []


async def test_an_output_nobody_takes_fails_its_input_only(exchange: Bus, vhost: str) -> None:
    """An unroutable output puts its own input on the ladder, unmarked; the rest of the batch is forwarded."""
    await exchange.publish_many(inputs(b"ok", b"unroutable", b"ok"))
    ledger = MemoryLedger()
    async with running(vhost, Echo(), ledger):
        got = await arrivals(exchange, 3)
    (dead,) = [message for message in got if message.queue == dead_queue(STEP)]
    assert dead.message_id == "m1"
    assert str(dead.headers[Header.REASON]).startswith("Unroutable: no queue takes 'nobody'")
    assert set(ledger.recorded) == facts(inputs(b"", b"", b""))
    assert set(ledger.marked) == {derive("fact", "m0"), derive("fact", "m2")}


async def test_a_database_that_is_away_holds_the_batch_and_loses_nothing(exchange: Bus, vhost: str) -> None:
    """While the ledger is away nothing is acknowledged, retried or dead-lettered; then all of it is recorded."""
    sent = inputs(*[b"ok"] * 10)
    await exchange.publish_many(sent)
    ledger = MemoryLedger()
    ledger.away = 3
    async with running(vhost, Echo(), ledger):
        got = await arrivals(exchange, 10)
        await until(lambda: set(ledger.marked) == facts(sent))
    assert {message.queue for message in got} == {NEXT}
    assert ledger.away == 0
    assert await left_over(vhost) == []


async def test_a_cut_connection_loses_nothing(exchange: Bus, vhost: str) -> None:
    """Connections reset in the middle of batches: every message is recorded once and forwarded, none is left."""
    sent = inputs(*[b"ok"] * 600)
    await exchange.publish_many(sent)
    ledger, handler = MemoryLedger(), Echo()
    handler.may_decide.clear()
    async with FaultyProxy(vhost) as proxy, running(proxy.url, handler, ledger):
        await until(lambda: len(handler.decided) > 0)
        proxy.cut()
        handler.may_decide.set()
        await until(lambda: len(ledger.marked) > 200)
        proxy.cut()
        await until(lambda: set(ledger.marked) == facts(sent))
        got = await arrivals(exchange, 600)
    got += await exchange.take(1000, timeout=0.3)
    assert {message.message_id for message in got} == set(map(str, facts(sent)))
    assert {message.queue for message in got} == {NEXT}
    assert max(ledger.recorded.values()) == 1
    assert await left_over(vhost) == []


async def test_a_broker_that_refuses_for_a_while_is_waited_for(exchange: Bus, vhost: str) -> None:
    """A worker outlives its broker: when it answers again, work goes on."""
    ledger = MemoryLedger()
    async with FaultyProxy(vhost) as proxy, running(proxy.url, Echo(), ledger):
        await exchange.publish_many(inputs(b"ok"))
        await arrivals(exchange, 1)
        proxy.refuse()
        await exchange.publish_many(inputs(b"ok", prefix="later"))
        before = proxy.accepted
        await until(lambda: proxy.accepted > before + 2)
        proxy.accept()
        assert [message.message_id for message in await arrivals(exchange, 1)] == [str(derive("fact", "later0"))]


async def test_a_login_refused_meanwhile_is_no_messages_fault(
    exchange: Bus, vhost: str, broker_admin: BrokerAdmin
) -> None:
    """What is in hand when a broker that let the worker in refuses it waits, and climbs no ladder for that."""
    user, place = f"worker-{uuid4().hex}", urlsplit(vhost)
    await broker_admin.put_user(user, "right")
    await broker_admin.set_permissions(place.path[1:], user, Permissions(".*", ".*", ".*"))
    handler, ledger, climbed = Echo(), MemoryLedger(), retries()
    handler.may_decide.clear()
    url = urlunsplit(place._replace(netloc=f"{user}:right@{place.hostname}:{place.port}"))
    try:
        async with FaultyProxy(url) as proxy, running(proxy.url, handler, ledger):
            await exchange.publish_many(inputs(b"ok"))
            await until(lambda: len(handler.decided) > 0)
            await broker_admin.put_user(user, "wrong")
            await broker_admin.close_user_connections(user)
            before = proxy.accepted
            handler.may_decide.set()
            await until(lambda: proxy.accepted > before + 3)
            await broker_admin.put_user(user, "right")
            assert [message.queue for message in await arrivals(exchange, 1)] == [NEXT]
            await until(lambda: len(ledger.marked) == 1)
    finally:
        await broker_admin.delete_user(user)
    assert retries() == climbed


async def test_draining_finishes_the_batch_in_hand_and_gives_the_rest_back(exchange: Bus, vhost: str) -> None:
    """After `stop` the batch in hand is forwarded, marked and acknowledged; what was prefetched is not touched."""
    sent = inputs(*[b"ok"] * 300)
    await exchange.publish_many(sent)
    ledger, handler = MemoryLedger(), Echo()
    handler.may_decide.clear()
    async with running(vhost, handler, ledger) as runner:
        await until(lambda: len(handler.decided) > 0)
        runner.stop()
        handler.may_decide.set()
    in_hand = len(handler.decided)
    assert len(ledger.marked) == len(ledger.recorded) == in_hand < 300
    assert len(await arrivals(exchange, in_hand)) == in_hand
    rest = await left_over(vhost)
    assert len(rest) == 300 - in_hand
    assert {str(derive("fact", message.message_id)) for message in rest}.isdisjoint(map(str, ledger.recorded))


async def test_a_misconfigured_worker_ends_and_eats_nothing(exchange: Bus, vhost: str) -> None:
    """When only an operator can help, the worker stops each time it is started; what waits gets through once mended.

    Here that is long after a message that kills its worker would have been given up.
    """
    await exchange.publish_many(inputs(b"misconfigured"))
    ledger, handler = MemoryLedger(), Echo()
    for _ in range(8):
        async with Bus(vhost, name="worker") as bus:
            runner = Runner(handler, bus=bus, ledger=ledger, user=str(bus.user), batch_limit=8)
            with pytest.raises(MisconfiguredError, match="no such folder"):
                await asyncio.wait_for(runner.run(), SOON)
    assert max(message.delivery_count for message in handler.decided) >= 7
    assert not ledger.alone
    handler.mended = True
    async with running(vhost, handler, ledger):
        assert len(await arrivals(exchange, 1)) == 1
    assert await left_over(vhost) == []


async def test_the_dead_letter_exchange_has_a_queue_for_every_step(exchange: Bus) -> None:
    """A dead letter of any step is kept: publishing one is never unroutable."""
    letters = [Outgoing(DEAD, str(step), str(step), b"") for step in Step]
    assert await exchange.publish_many(letters) == [None] * len(letters)
