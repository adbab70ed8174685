"""Parking: what an agency that does not collect would get waits in the ledger, and follows in order, once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.integration.workers.conftest import NOW, document, handed_on, handle, submitted

from lienthong.bus.connection import Bus
from lienthong.document.ids import derive, document_uuid
from lienthong.document.messages import Delivered, DocumentToRoute, Found, Lane, NoticeToSend, Waiting
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import OtherInfo
from lienthong.ledger.rows import AgencyRow, Mark, VerificationRow
from lienthong.topology.names import Step, delivery_queue, work_queue
from lienthong.topology.plan import agency_plan, exchange_plan
from lienthong.worker.answers import to_router
from lienthong_ingest.handler import IngestDocument
from lienthong_router.handler import RouteDocument
from lienthong_router.parking import Parking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lienthong.bus.messages import Incoming, Outgoing
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.reports import Reports
    from lienthong.payload import FolderStore
    from lienthong.worker.handler import Outcome

LIMIT = 4
SECONDS = 20.0


@pytest_asyncio.fixture
async def bus(vhost: str) -> AsyncIterator[Bus]:
    """Provide a broker with the queues of the exchange, and of two agencies."""
    async with Bus(vhost, name="parking") as opened:
        await opened.declare(exchange_plan() + agency_plan("H23") + agency_plan("H41"))
        yield opened


class Router:
    """A router on real servers: its handler, and the parking beside it."""

    def __init__(self, ledger: Ledger, bus: Bus, store: FolderStore) -> None:
        self.ledger, self.bus = ledger, bus
        self.parking = Parking(ledger, bus, store, LIMIT)
        self.handler = RouteDocument(store, bus.declare, self.parking.note)
        self.ingest = IngestDocument(store)

    async def route(self, *names: str, to: Sequence[str] = ("H23",), mark: bool = True, priority: int = 0) -> None:
        """Send documents through, one after the other, as the workers do."""
        for name in names:
            await self.publish(await self.record(name, to=to, priority=priority), mark=mark)

    async def record(self, name: str, *, to: Sequence[str], priority: int = 0) -> Outcome:
        """Record a document up to its routing, and return what would leave."""
        message = submitted(document(name, to=to, other=OtherInfo(priority=priority)), message_id=name)
        await handle(self.ingest, self.ledger, message)
        key = document_uuid("G22", name, 0)
        judged = ("unsigned", "information", "", "không ký", "unsigned")
        row = VerificationRow(derive("verification", key, 1), key, 1, *judged, {}, NOW)
        async with self.ledger.transaction() as unit:
            await unit.record_verifications([row])
            found = (await unit.documents([key]))[key]
        words = Found(verdict=Verdict.UNSIGNED, value=Value.INFORMATION, vi="không ký", en="unsigned")
        task = DocumentToRoute(document=key, sha256=found.sha256, found=words)
        message = handed_on(to_router(task, Lane(found.lane), found.size))
        (outcome,) = await handle(self.handler, self.ledger, message, mark=False)
        return outcome

    async def publish(self, outcome: Outcome, *, mark: bool = True) -> None:
        """Let it leave, and mark it when told so."""
        for outputs in (outcome.outputs, outcome.then):
            assert not any(await self.bus.publish_many(outputs))
        if mark:
            assert isinstance(outcome.mark, Mark)
            async with self.ledger.transaction() as unit:
                await unit.mark_forwarded([(outcome.mark, NOW)])

    async def length(self, agency: str) -> int:
        """Return how much stands in an agency's queue."""
        (length,) = (await self.bus.lengths([delivery_queue(agency)])).values()
        return length or 0


@pytest_asyncio.fixture
async def router(ledger: Ledger, bus: Bus, store: FolderStore) -> Router:
    """Provide a router."""
    return Router(ledger, bus, store)


async def collect(url: str, agency: str, count: int) -> list[Incoming]:
    """Take so many messages from an agency's queue."""
    return await taken(url, delivery_queue(agency), count)


async def taken(url: str, queue: str, count: int) -> list[Incoming]:
    """Take so many messages from a queue."""
    got: list[Incoming] = []
    async with Bus(url, name="collector") as bus, asyncio.timeout(SECONDS):
        await bus.consume([queue], prefetch=1)
        while len(got) < count:
            for message in await bus.take(1, timeout=None):
                got.append(message)
                await bus.ack_through(message.queue, message.tag)
    return got


def names(messages: Sequence[Incoming]) -> list[object]:
    """Return the documents' ids."""
    return [message.headers["document-id"] for message in messages]


async def test_what_waits_follows_in_order_before_anything_newer(router: Router, vhost: str, reports: Reports) -> None:
    """The others' copies go out at once; the parked agency gets urgent, then older, then newer ones, each once."""
    await router.route(*(f"d{number}" for number in range(LIMIT)))
    await router.parking.turn()
    await router.route("w1", "w2", to=("H23", "H41"))
    await router.route("urgent", to=("H23",), priority=1)
    assert await router.parking.turn() == 0
    assert (await router.length("H23"), await router.length("H41")) == (LIMIT, 2)
    told = {row["document_id"]: row["outcome"] for row in await reports.outcomes()}
    assert [told[name] for name in ("d0", "w1", "urgent")] == ["delivered", "waiting", "waiting"]
    (parked,) = await reports.parked()
    assert (parked.code, parked.documents) == ("H23", 3)
    got = await collect(vhost, "H23", LIMIT // 2)
    assert await router.parking.turn() == 2, "no more than half of the limit at once"
    await router.route("newer")
    got += await collect(vhost, "H23", LIMIT)
    assert await router.parking.turn() == 2
    await router.parking.turn()
    await router.route("last")
    got += await collect(vhost, "H23", 3)
    order = names(got)
    # In the queue itself it overtakes others as well, from RabbitMQ 4 on.
    assert order.index("urgent") < order.index("w1")
    order.remove("urgent")
    assert order == ["d0", "d1", "d2", "d3", "w1", "w2", "newer", "last"]
    assert len({message.message_id for message in got}) == len(got)
    assert await reports.parked() == []
    assert {row["outcome"] for row in await reports.outcomes()} == {"delivered"}
    assert await reports.entry_differences() == []


async def test_a_sender_is_told_what_is_so(router: Router, vhost: str) -> None:
    """While a copy waits the sender is told for whom, in both languages; delivered is said when all have theirs."""
    await router.route(*(f"d{number}" for number in range(LIMIT)))
    await router.parking.turn()
    await router.route("w", to=("H23", "H41"))
    await collect(vhost, "H23", LIMIT)
    await router.parking.turn()
    notices = [
        NoticeToSend.model_validate_json(message.body).notice
        for message in await taken(vhost, work_queue(Step.NOTIFIER), LIMIT + 2)
    ]
    waiting, delivered = notices[-2:]
    assert isinstance(waiting, Waiting)
    assert ([one.agency for one in waiting.addressees], [one.agency for one in waiting.delivered]) == (["H23"], ["H41"])
    assert "H23" in waiting.vi
    assert "H23" in waiting.en
    assert isinstance(delivered, Delivered)
    assert {one.agency for one in delivered.addressees} == {"H23", "H41"}


async def test_delivered_is_not_said_before_the_others_have_it(router: Router, vhost: str, reports: Reports) -> None:
    """A router that has not sent the others' copies yet is waited for, however early the parked one follows."""
    await router.route(*(f"d{number}" for number in range(LIMIT)))
    await router.parking.turn()
    outcome = await router.record("w", to=("H23", "H41"))
    await collect(vhost, "H23", LIMIT)
    await router.parking.turn()
    assert await router.length("H23") == 1
    told = [row["outcome"] for row in await reports.outcomes() if row["document_id"] == "w"]
    assert told == ["waiting"]
    await router.publish(outcome)
    await router.parking.turn()
    *_, last = await taken(vhost, work_queue(Step.NOTIFIER), LIMIT + 2)
    assert isinstance(NoticeToSend.model_validate_json(last.body).notice, Delivered)


class Dies(Bus):
    """A broker whose user dies right after a number of messages were confirmed, before that is recorded."""

    after = 1

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish, and die in the end."""
        results = await super().publish_many(messages)
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt
        return results


async def test_a_crash_after_sending_sends_the_same_again(router: Router, vhost: str, store: FolderStore) -> None:
    """What was sent and not recorded as sent comes again in its place, under its id; nothing is left out."""
    await router.route(*(f"d{number}" for number in range(LIMIT)))
    await router.parking.turn()
    await router.route("w1", "w2")
    got = await collect(vhost, "H23", LIMIT)
    async with Dies(vhost, name="dies") as dying:
        dying.after = 2
        with pytest.raises(KeyboardInterrupt):
            await Parking(router.ledger, dying, store, LIMIT).turn()
    await router.parking.turn()
    got += await collect(vhost, "H23", 4)
    assert names(got[LIMIT:]) == ["w1", "w2", "w1", "w2"]
    assert len({message.message_id for message in got[LIMIT:]}) == 2


async def test_routers_side_by_side_send_each_once(
    router: Router, ledger: Ledger, bus: Bus, vhost: str, store: FolderStore
) -> None:
    """Two routers that look at the same moment send what waits once and say once that it is delivered."""
    await router.route(*(f"d{number}" for number in range(LIMIT)))
    await router.parking.turn()
    await router.route("w1", "w2", "w3")
    await collect(vhost, "H23", LIMIT)
    others = [Parking(ledger, bus, store, 100) for _ in range(3)]
    async with asyncio.timeout(SECONDS):
        sent = 0
        while sent < 3:
            sent += sum(await asyncio.gather(*(one.turn() for one in others)))
    assert sent == 3
    assert await router.length("H23") == 3
    for one in others:
        await one.turn()
    told = await taken(vhost, work_queue(Step.NOTIFIER), LIMIT + 6)
    said = [NoticeToSend.model_validate_json(message.body).notice_id for message in told]
    assert len(said) == len(set(said))
    assert sum((await bus.lengths([work_queue(Step.NOTIFIER)])).values()) == 0  # type: ignore[arg-type]


async def test_a_suspended_agency_gets_nothing_until_it_is_resumed(router: Router, ledger: Ledger, vhost: str) -> None:
    """What waits for it waits on, and is sent when it may come in again."""
    await router.route(*(f"d{number}" for number in range(LIMIT)))
    await router.parking.turn()
    await router.route("w")
    await collect(vhost, "H23", LIMIT)
    await ledger.register([AgencyRow("H23", "Tạm khóa", stage="suspended")])
    assert await router.parking.turn() == 0
    await ledger.register([AgencyRow("H23", "Hoạt động", stage="official")])
    assert await router.parking.turn() == 1
