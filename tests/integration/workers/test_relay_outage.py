"""The relay in an outage: what could not be found out is asked for again, no faster than it is judged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest_asyncio
from tests.integration.workers.conftest import NOW, document, handed_on, handle, signed, submitted

from lienthong.ledger.reports import Reports
from lienthong.signature.policy import Policy
from lienthong_ingest.handler import IngestDocument
from lienthong_signature_verify.handler import VerifySignature
from lienthong_signature_verify.relay import AT_ONCE, EXAMINERS_LAG, Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming, Outgoing
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore
    from lienthong.trust import DevelopmentAuthority

MANY = AT_ONCE + 10
SOON = 20.0
WAITS = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"


class Queue:
    """What the relay publishes, until a worker takes it."""

    def __init__(self) -> None:
        self.waiting: list[Outgoing] = []

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Take messages."""
        self.waiting += messages
        return [None] * len(messages)

    def take(self, count: int) -> list[Incoming]:
        """Return the longest waiting messages as a worker gets them."""
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return [handed_on(one) for one in taken]


class Quick(Queue):
    """A broker whose worker has judged what it was asked before the one who asked learns that it was taken.

    Args:
        outage: whose worker.
        database: where to look whether the worker waits for the one who asked.
    """

    def __init__(self, outage: Outage, database: str) -> None:
        super().__init__()
        self._outage = outage
        self._database = database
        self.judging: asyncio.Task[None] | None = None

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Take messages, and confirm them when they are judged, or their judgements wait for our transaction."""
        confirmed = await super().publish_many(messages)
        self.judging = asyncio.create_task(handled(self._outage, self.take(len(messages))))
        watcher = await asyncpg.connect(self._database)
        try:
            async with asyncio.timeout(SOON):
                while not self.judging.done() and not await watcher.fetchval(WAITS):
                    await asyncio.wait([self.judging], timeout=0.02)
        finally:
            await watcher.close()
        return confirmed


async def handled(outage: Outage, messages: Sequence[Incoming]) -> None:
    """Let the worker judge."""
    await handle(outage.verify, outage.ledger, *messages)


class Outage:
    """More documents held than may be asked for at once, and a relay at a time the test chooses."""

    def __init__(
        self, ledger: Ledger, store: FolderStore, examiner: ExaminesHere, authority: DevelopmentAuthority
    ) -> None:
        self.ledger, self.store, self.authority = ledger, store, authority
        self.now = NOW
        self.queue = Queue()
        self.verify = VerifySignature(examiner, Policy(), clock=lambda: self.now)
        self.relay = Relay(ledger, self.queue, authority.trust_folder, clock=lambda: self.now)

    async def begin(self) -> None:
        """Receive and hold the documents."""
        for file in (self.authority.trust_folder / "crls").iterdir():
            file.unlink()
        bodies = [signed(document(f"d{number}"), self.authority) for number in range(MANY)]
        taken = [submitted(body, message_id=f"m{number}") for number, body in enumerate(bodies)]
        received = await handle(IngestDocument(self.store), self.ledger, *taken)
        await handle(self.verify, self.ledger, *(handed_on(one.outputs[0]) for one in received))

    async def judge(self, count: int) -> None:
        """Let the worker judge what waits longest."""
        await handle(self.verify, self.ledger, *self.queue.take(count))


@pytest_asyncio.fixture
async def outage(ledger: Ledger, store: FolderStore, examiner: ExaminesHere, authority: DevelopmentAuthority) -> Outage:
    """Provide an outage that has begun."""
    made = Outage(ledger, store, examiner, authority)
    await made.begin()
    return made


@pytest_asyncio.fixture
async def reports(database: str) -> AsyncIterator[Reports]:
    """Provide the read side of the ledger."""
    opened = await Reports.connect(database)
    yield opened
    await opened.close()


async def test_no_more_is_asked_for_than_is_judged(outage: Outage) -> None:
    """However often trust changes, the queue holds a bounded number of documents, each once; new ones find it short."""
    outage.now += timedelta(minutes=1)
    assert await outage.relay.turn() == AT_ONCE
    for _ in range(3):
        async with outage.ledger.transaction() as unit:
            await unit.hasten_judgements(outage.now)
        outage.now += timedelta(seconds=5)
        assert await outage.relay.turn() == 0
    await outage.judge(20)
    assert await outage.relay.turn() == 20
    assert len(outage.queue.waiting) == AT_ONCE
    assert len({one.body for one in outage.queue.waiting}) == AT_ONCE


async def test_a_change_of_trust_has_everything_judged_again(outage: Outage, reports: Reports) -> None:
    """As soon as the lists are back, long before the next look was due, every held document is judged for good."""
    await outage.relay.watch()
    outage.now += EXAMINERS_LAG
    while await outage.relay.turn():
        await outage.judge(AT_ONCE)
    outage.authority.publish()
    relay = Relay(outage.ledger, outage.queue, outage.authority.trust_folder, clock=lambda: outage.now)
    assert await relay.watch()
    outage.now += EXAMINERS_LAG
    while await relay.turn():
        await outage.judge(AT_ONCE)
    today = datetime.now(UTC)  # the ledger's own clock says when a document was recorded
    values = await reports.values(today - timedelta(days=1), today + timedelta(days=1))
    assert (values["paper"], values["held"]) == (MANY, 0)


async def test_a_judgement_that_is_quicker_than_the_asking_counts(outage: Outage, database: str) -> None:
    """Judged without news before it stands in the ledger that it was asked for: the next change of trust asks again."""
    outage.now += timedelta(minutes=1)
    queue = Quick(outage, database)
    relay = Relay(outage.ledger, queue, outage.authority.trust_folder, clock=lambda: outage.now)
    assert await relay.turn() == AT_ONCE
    assert queue.judging is not None
    await queue.judging
    async with outage.ledger.transaction() as unit:
        await unit.hasten_judgements(outage.now)
        assert len(await unit.due_judgements(outage.now, MANY)) == MANY
