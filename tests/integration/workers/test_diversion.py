"""Who sends more than it may is kept out of the lanes for a while, refused, and rejected; nobody else is."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import pytest
import pytest_asyncio
from aio_pika.exceptions import DeliveryError
from tests.integration.workers.conftest import document, handle, submitted

from lienthong.bus.connection import Bus
from lienthong.bus.consumer import SLOWEST_A_SECOND, SLOWLY_A_SECOND
from lienthong.bus.messages import Outgoing
from lienthong.document.messages import NoticeToSend, Receipt, Refused
from lienthong.errors import Unavailable
from lienthong.settings import QuotaSettings
from lienthong.topology.names import SUBMISSION, Step, SubmissionKey, diverted_queue, submission_key, work_queue
from lienthong.topology.plan import DIVERTED_KEYS, DIVERTED_MESSAGES, Plan, diverting, exchange_plan
from lienthong.worker import diversion as diversions
from lienthong.worker.diversion import Diversion
from lienthong.worker.quotas import Quotas
from lienthong_ingest.handler import IngestDocument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from lienthong.bus.admin import BrokerAdmin
    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.unit import Unit
    from lienthong.payload import FolderStore

FLOODER, OTHER = "G22", "H41"
LIMIT = 20
FLOOD = 400
SECONDS = 60.0
DIVERTED = diverted_queue(Step.INGEST)
LANE = work_queue(Step.INGEST)
KEYS = {submission_key(FLOODER, key) for key in DIVERTED_KEYS}


@pytest_asyncio.fixture
async def bus(vhost: str) -> AsyncIterator[Bus]:
    """Provide a broker with the queues of the exchange."""
    async with Bus(vhost, name="agencies", give_up_seconds=3.0) as opened:
        await opened.declare(exchange_plan())
        yield opened


class Keys:
    """The keys that are bound to what is diverted."""

    def __init__(self, admin: BrokerAdmin, vhost: str) -> None:
        self._admin, self._vhost = admin, urlsplit(vhost).path[1:]

    async def now(self) -> set[str]:
        """Return them."""
        bindings = await self._admin.bindings(self._vhost)
        return {one.routing_key for one in bindings if (one.source, one.destination) == (SUBMISSION, DIVERTED)}

    async def become(self, keys: set[str]) -> None:
        """Wait until it is these."""

        async def is_these() -> bool:
            return await self.now() == keys

        await until(is_these)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what neither broker nor ledger tells anybody."""
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.fixture
def keys(broker_admin: BrokerAdmin, vhost: str) -> Keys:
    """Provide a look at the bindings."""
    return Keys(broker_admin, vhost)


def submission(agency: str, name: str, key: SubmissionKey = SubmissionKey.DOCUMENT) -> Outgoing:
    """Return a document as an agency publishes it."""
    body = submitted(document(name, sender=agency), message_id=name).body
    return Outgoing(SUBMISSION, submission_key(agency, key), name, body)


async def test_an_agency_is_diverted_and_nobody_else(
    bus: Bus, ledger: Ledger, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its documents go elsewhere, urgent ones too, its statuses and those of others where they belong; and it ends.

    Meanwhile ingest works off more slowly what was put aside.
    """
    monkeypatch.setattr(diversions, "DIVERTED_SECONDS", 2.0)
    rates: list[float] = []
    monkeypatch.setattr(bus, "work_off", rates.append)

    def rate_is(rate: float) -> Callable[[], Awaitable[bool]]:
        async def is_it() -> bool:
            return rates[-1:] == [rate]

        return is_it

    async with Diversion(bus, ledger) as diversion:
        diversion.divert(FLOODER)
        await keys.become(KEYS)
        await until(rate_is(SLOWEST_A_SECOND))
        sent = [submission(FLOODER, "d1"), submission(FLOODER, "d2", SubmissionKey.DOCUMENT_URGENT)]
        sent += [submission(FLOODER, "s1", SubmissionKey.STATUS), submission(OTHER, "d3")]
        assert await bus.publish_many(sent) == [None] * 4
        tracker = work_queue(Step.STATUS_TRACKER)
        assert await bus.lengths([DIVERTED, LANE, tracker]) == {DIVERTED: 2, LANE: 1, tracker: 1}
        await keys.become(set())
        await until(rate_is(SLOWLY_A_SECOND))
        assert await bus.publish_many([submission(FLOODER, "d4")]) == [None]
        assert await bus.lengths([DIVERTED, LANE]) == {DIVERTED: 2, LANE: 2}


async def test_what_does_not_fit_is_rejected(bus: Bus, vhost: str, ledger: Ledger, keys: Keys) -> None:
    """The broker takes no more than so many of whom is diverted, and says so; others are confirmed as ever."""
    async with Diversion(bus, ledger) as diversion, asyncio.timeout(SECONDS):
        diversion.divert(FLOODER)
        await keys.become(KEYS)
        async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
            exchange = await channel.get_exchange(SUBMISSION, ensure=False)
            publishing = [
                exchange.publish(aio_pika.Message(b"x"), submission_key(FLOODER, SubmissionKey.DOCUMENT))
                for _ in range(FLOOD)
            ]
            outcomes = await asyncio.gather(*publishing, return_exceptions=True)
        rejected = [one for one in outcomes if isinstance(one, BaseException)]
        assert {type(one) for one in rejected} == {DeliveryError}
        assert (await bus.lengths([DIVERTED]))[DIVERTED] == FLOOD - len(rejected) >= DIVERTED_MESSAGES
        # Our own bus tries for a while, and says why in the end.
        (failure,) = await bus.publish_many([submission(FLOODER, "one more")])
        assert isinstance(failure, Unavailable)
        assert "basic.nack" in str(failure)
        assert await bus.publish_many([submission(OTHER, "d")]) == [None]


async def test_another_worker_ends_what_one_began(
    bus: Bus, ledger: Ledger, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that died, before or after it had bound anything, leaves nothing behind."""
    monkeypatch.setattr(diversions, "DIVERTED_SECONDS", 0.5)
    async with Diversion(bus, ledger) as first:
        first.divert(FLOODER)
        await keys.become(KEYS)
    async with ledger.transaction() as unit:
        await unit.quotas.divert({"H99": timedelta(0)})
        assert await unit.quotas.hold_diversions([FLOODER, "H99"]) == [FLOODER, "H99"]

    async def nobody_diverted() -> bool:
        async with ledger.transaction() as unit:
            return not await unit.quotas.any_diverted()

    async with Diversion(bus, ledger):
        await keys.become(set())
        await until(nobody_diverted)


async def test_nothing_is_bound_when_it_was_ended_meanwhile(
    bus: Bus, ledger: Ledger, keys: Keys, database: str
) -> None:
    """Where a worker stood still between recording and binding, another one may have ended it: no row, no binding."""
    transactions, third = 0, asyncio.Event()

    class Slow:
        """A ledger in which every diversion has ended when a transaction begins."""

        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[Unit]:
            nonlocal transactions
            connection = await asyncpg.connect(database)
            await connection.execute("delete from diverted")
            await connection.close()
            async with ledger.transaction() as unit:
                yield unit
            transactions += 1
            if transactions == 3:  # recorded, bound, looked whose is over
                third.set()

    async with Diversion(bus, Slow()) as diversion:
        diversion.divert(FLOODER)
        async with asyncio.timeout(SECONDS):
            await third.wait()
        assert await keys.now() == set()


async def test_a_binding_that_outlived_its_row_is_taken_away(
    bus: Bus, ledger: Ledger, keys: Keys, store: FolderStore
) -> None:
    """With the first document that comes by it, which is received like any other; another's stays."""
    await bus.declare(Plan(bindings=(diverting(FLOODER, SubmissionKey.DOCUMENT),)))
    async with Diversion(bus, ledger) as diversion:
        diversion.divert(OTHER)
        others = {submission_key(OTHER, key) for key in DIVERTED_KEYS}
        await keys.become(others | {submission_key(FLOODER, SubmissionKey.DOCUMENT)})
        ingest = IngestDocument(store, Quotas("document", QuotaSettings(documents_per_minute=LIMIT), diversion))
        assert isinstance(await answer(ingest, ledger, "d1", DIVERTED), Receipt)
        await keys.become(others)


async def test_what_is_diverted_is_refused_unread(ledger: Ledger, store: FolderStore) -> None:
    """It is told until when it sends more than it may; what is left there after that is received, and counted."""
    ingest = IngestDocument(store, Quotas("document", QuotaSettings(documents_per_minute=LIMIT)))
    async with ledger.transaction() as unit:
        await unit.quotas.divert({FLOODER: timedelta(minutes=1)})
        until = (await unit.quotas.diverted([FLOODER, OTHER]))[FLOODER]
    refused = await answer(ingest, ledger, "d1", DIVERTED)
    assert isinstance(refused, Refused)
    assert ([problem.code for problem in refused.problems], refused.retry_at) == (["Quota"], until)
    assert not store.path(sha256(submitted(document("d1")).body).hexdigest()).exists()
    by_the_lane = await answer(ingest, ledger, "d2", LANE)
    async with ledger.transaction() as unit:
        await unit.quotas.divert({OTHER: timedelta(0)})
    of_another = await answer(ingest, ledger, "d3", DIVERTED, sender=OTHER)
    assert isinstance(by_the_lane, Receipt)
    assert isinstance(of_another, Receipt)
    assert store.path(of_another.sha256).exists()


async def test_who_is_diverted(ledger: Ledger, store: FolderStore) -> None:
    """Who sends more than it may, by the quota that stands in the ledger, and with keys by which it can be told."""

    class Diverts:
        def __init__(self) -> None:
            self.agencies: set[str] = set()

        def divert(self, agency: str) -> None:
            self.agencies.add(agency)

        def release(self, agency: str) -> None:
            raise AssertionError(agency)

    diversion = Diverts()
    ingest = IngestDocument(store, Quotas("document", QuotaSettings(documents_per_minute=LIMIT), diversion))

    def arrive(first: int, key: str) -> None:
        for number in range(first, first + LIMIT + 2):
            message = submitted(document(f"d{number}"), message_id=f"d{number}")
            assert ingest.puts_aside(replace(message, routing_key=key)) or number < first + LIMIT

    await allow(ledger, FLOODER, 3 * LIMIT)
    key = submission_key(FLOODER, SubmissionKey.DOCUMENT)
    arrive(0, key)
    assert diversion.agencies == set(), "its own quota is not known yet"
    await answer(ingest, ledger, "d0", LANE)
    arrive(100, SubmissionKey.DOCUMENT)
    arrive(200, SubmissionKey.DOCUMENT)
    assert diversion.agencies == set(), "that key is everybody's"
    arrive(300, key)
    assert diversion.agencies == {FLOODER}


async def allow(ledger: Ledger, agency: str, documents: int) -> None:
    """Give an agency a quota of its own."""
    async with ledger.access() as unit:
        allowance = await unit.allowance(agency)
        assert allowance is not None
        await unit.allow(replace(allowance, documents_per_minute=documents))


async def answer(
    ingest: IngestDocument, ledger: Ledger, name: str, queue: str, sender: str = FLOODER
) -> Receipt | Refused:
    """Let ingest take a document from a queue; return what its sender is told."""
    message = replace(submitted(document(name, sender=sender), message_id=name), queue=queue)
    (outcome,) = await handle(ingest, ledger, message)
    told = [one for one in outcome.outputs if one.routing_key == Step.NOTIFIER]
    (notice,) = [NoticeToSend.model_validate_json(one.body).notice for one in told]
    assert isinstance(notice, Receipt | Refused)
    return notice
