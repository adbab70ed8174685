"""A worker that dies where a test wants it to, and what it leaves in the ledger and at the broker."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import asyncpg
from tests.conftest import database_url, execute

from lienthong.bus.connection import Bus
from lienthong.ledger.ledger import Ledger
from lienthong.worker.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lienthong.bus.messages import Incoming, Outgoing
    from lienthong.errors import Unavailable
    from lienthong.ledger.unit import Unit
    from lienthong.testing.servers import Servers
    from lienthong.worker.handler import Handler, Outcome

__all__ = ["Life", "Point", "Stage", "Traces"]

SOON = 30.0
CLOSING = "closes-life"
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
PUT_AT = re.compile(rb'"(?:delivered_at|caused_at)":"[^"]*"')


class Point(StrEnum):
    """Where a worker may be when it dies: between each two of the four steps, and in the midst of two of them."""

    DECIDED = "decided"
    """Nothing is recorded."""
    RECORDING = "recording"
    """Everything is recorded, and the transaction not committed."""
    RECORDED = "recorded"
    """Nothing is published."""
    PUBLISHING = "publishing"
    """A part of the outputs is confirmed."""
    PUBLISHED = "published"
    """All outputs are confirmed, none is marked."""
    MARKED = "marked"
    """The marks are committed, nothing is acknowledged."""
    ACKNOWLEDGED = "acknowledged"
    """The batch is acknowledged."""


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a worker.

    Attributes:
        point: where it dies; None when it does not.
        passes: how often it gets past that point before.
        batch_limit: most messages in a batch, so that what was one batch comes back as prefixes of it.
        again: how many of the inputs are delivered once more before it begins.
    """

    point: Point | None = None
    passes: int = 0
    batch_limit: int = 100
    again: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Traces:
    """What a worker left, without the times.

    Attributes:
        ledger: the rows of each table.
        outputs: what was published and confirmed, by exchange and message id.
        died: where it died.
    """

    ledger: dict[str, list[str]]
    outputs: dict[tuple[str, str], Outgoing]
    died: Sequence[Point]

    def difference(self, other: Traces) -> dict[object, object]:
        """Return what is in one of them only; empty when they are the same."""
        rows = {
            table: (Counter(self.ledger[table]) - Counter(there), Counter(there) - Counter(self.ledger[table]))
            for table, there in other.ledger.items()
        }
        keys = self.outputs.keys() | other.outputs.keys()
        outputs = {key: (self.outputs.get(key), other.outputs.get(key)) for key in keys}
        return {key: (here, there) for key, (here, there) in [*rows.items(), *outputs.items()] if here != there}


class _Crashed(BaseException):
    """The worker is dead: nothing of the runner may take it for an error."""

    def __init__(self, point: Point) -> None:
        self.point = point


class _Fault:
    """What waits at one point."""

    def __init__(self, life: Life) -> None:
        self._point, self._passes = life.point, life.passes

    def at(self, point: Point) -> None:
        """Die here, when that is wanted."""
        if point is not self._point:
            return
        if self._passes == 0:
            raise _Crashed(point)
        self._passes -= 1


class _Handling:
    """A handler with faults before and behind what it records."""

    def __init__(self, handler: Handler[Any], fault: _Fault) -> None:
        self.step = handler.step
        self._handler, self._fault = handler, fault

    async def decide(self, message: Incoming) -> object:
        """Decide."""
        return await self._handler.decide(message)

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, object]]) -> Sequence[Outcome | Unavailable]:
        """Record."""
        self._fault.at(Point.DECIDED)
        outcomes = await self._handler.record(unit, batch)
        self._fault.at(Point.RECORDING)
        return outcomes


class _FaultyBus(Bus):
    """A bus with faults around publishing and acknowledging, that keeps what was confirmed."""

    def __init__(self, url: str, fault: _Fault, life: int, confirmed: list[Outgoing]) -> None:
        super().__init__(url, name=f"life {life}")
        self._fault, self._life, self._confirmed = fault, life, confirmed
        self._closing: int | None = None
        self.settled = asyncio.Event()
        """Set once the message that closes this life is acknowledged, and with it whatever stood before it."""

    async def take(self, limit: int, *, timeout: float | None) -> list[Incoming]:  # noqa: ASYNC109 - as the bus has it
        """Take, and see whether the last message is among it."""
        batch = await super().take(limit, timeout=timeout)
        for message in batch:
            if message.headers.get(CLOSING) == self._life:
                self._closing = message.tag
        return batch

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish, the first half before the rest."""
        self._fault.at(Point.RECORDED)
        half = (len(messages) + 1) // 2
        results = await self._publish(messages[:half])
        self._fault.at(Point.PUBLISHING)
        results += await self._publish(messages[half:])
        self._fault.at(Point.PUBLISHED)
        return results

    async def _publish(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        if not messages:
            return []
        results = await super().publish_many(messages)
        self._confirmed += [message for message, error in zip(messages, results, strict=True) if error is None]
        return results

    async def ack_through(self, queue: str, tag: int) -> None:
        """Acknowledge."""
        closing = self._closing
        self._fault.at(Point.MARKED)
        await super().ack_through(queue, tag)
        self._fault.at(Point.ACKNOWLEDGED)
        if closing is not None and closing <= tag:
            self.settled.set()


@dataclass(frozen=True, slots=True, repr=False)
class Stage:
    """A worker's inputs, and the ledger as it stands before they come.

    Attributes:
        servers: where databases are made.
        template: the name of a database with that ledger, to which nobody is connected.
        url: the virtual host.
        bus: an observer's connection to it.
        handler: the worker's.
        inputs: what it is to handle, in any order, for redelivery keeps none; the last one also closes each life.
    """

    servers: Servers
    template: str
    url: str
    bus: Bus
    handler: Handler[Any]
    inputs: Sequence[Outgoing]

    async def play(self, lives: Sequence[Life]) -> Traces:
        """Live these lives one after the other and then one without a fault; return what is left."""
        name = f"test_{uuid.uuid4().hex}"
        await execute(self.servers.ledger_url, f"create database {name} template {self.template}")
        url = database_url(self.servers, name)
        confirmed: list[Outgoing] = []
        died: list[Point] = []
        try:
            role = f"lienthong_{self.handler.step.replace('-', '_')}"
            ledger = await Ledger.connect(url, role=role)
            try:
                await self._submit(self.inputs)
                for number, life in enumerate([*lives, Life()]):
                    await self._submit(self.inputs[: life.again])
                    last = self.inputs[-1]
                    await self._submit([replace(last, headers={**last.headers, CLOSING: number})])
                    died += await self._live(life, number, ledger, confirmed)
            finally:
                await ledger.close()
            return Traces(await _rows(url), _outputs(confirmed), died)
        finally:
            await execute(self.servers.ledger_url, f"drop database {name} with (force)")

    async def _submit(self, messages: Sequence[Outgoing]) -> None:
        assert set(await self.bus.publish_many(messages)) <= {None}

    async def _live(self, life: Life, number: int, ledger: Ledger, confirmed: list[Outgoing]) -> list[Point]:
        fault = _Fault(life)
        async with _FaultyBus(self.url, fault, number, confirmed) as bus:
            handling = _Handling(self.handler, fault)
            runner = Runner(handling, bus=bus, ledger=ledger, user=str(bus.user), batch_limit=life.batch_limit)
            running = asyncio.create_task(runner.run())
            settled = asyncio.create_task(bus.settled.wait())
            await asyncio.wait({running, settled}, timeout=SOON, return_when=asyncio.FIRST_COMPLETED)
            settled.cancel()
            runner.stop()
            await asyncio.wait({running, settled}, timeout=SOON)
            crash = running.exception()
            if isinstance(crash, _Crashed):
                return [crash.point]
            running.result()
            assert bus.settled.is_set(), f"the worker settled nothing more in its life {number}: {life}"
            return []


def _facts(rows: Iterable[str]) -> list[str]:
    facts = sorted(map(_timeless, rows))
    # A message nobody can be answered for has no sender, so nothing tells its second coming from another one like it:
    # each time it is set aside is an event of its own.
    quarantined = [fact for fact in facts if '"kind": "MessageQuarantined"' in fact]
    return [fact for fact in facts if fact not in quarantined] + sorted(set(quarantined))


def _timeless(text: str) -> str:
    return TIME.sub("TIME", text)


async def _rows(url: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "select relname from pg_class join pg_namespace n on n.oid = relnamespace "
            "where nspname = 'public' and relkind in ('r', 'p') and not relispartition "
            # Who died with which message in hand is no fact about documents, and is forgotten when it settles.
            "and relname <> 'handled_alone'"
        )
        return {
            table: _facts(
                # The number of an entry counts what was rolled back, too.
                row["row"]
                for row in await connection.fetch(f"select (to_jsonb(t) - 'entry')::text as row from {table} t")
            )
            for (table,) in tables
        }
    finally:
        await connection.close()


def _outputs(confirmed: Sequence[Outgoing]) -> dict[tuple[str, str], Outgoing]:
    outputs: dict[tuple[str, str], Outgoing] = {}
    for message in confirmed:
        # The router says when it put a document into the queues, which it does again.
        same = replace(message, body=PUT_AT.sub(b"", message.body))
        first = outputs.setdefault((message.exchange, message.message_id), same)
        assert first == same, "what is published again is what was published before"
    return {key: replace(message, body=_timeless(message.body.decode()).encode()) for key, message in outputs.items()}
