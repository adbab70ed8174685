"""Quotas: one count for all workers, a clear refusal, an alarm once, and the same answer when it is asked again."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.integration.workers.conftest import document, handle, status, submitted

from lienthong.bus.connection import Bus
from lienthong.document.messages import Lane, NoticeToSend, Receipt, Refused
from lienthong.recovery.queues import put_back
from lienthong.settings import QuotaSettings
from lienthong.signature.policy import Policy
from lienthong.topology.names import Step, work_queue
from lienthong.topology.plan import exchange_plan
from lienthong.worker.quotas import Quotas
from lienthong.worker.runner import Runner
from lienthong_ingest.handler import IngestDocument
from lienthong_status_tracker.handler import TrackStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore
    from lienthong.worker.handler import Outcome

LIMIT = 5
FLOOD = 100
SECONDS = 60.0


@pytest.fixture
def ingests(store: FolderStore) -> list[IngestDocument]:
    """Provide two ingest workers."""
    settings = QuotaSettings(documents_per_minute=LIMIT, megabytes_per_hour=0)
    return [IngestDocument(store, Quotas("document", settings)) for _ in range(2)]


def many(count: int, sender: str = "G22", first: int = 0) -> list[Incoming]:
    """Return submissions of as many documents."""
    names = [f"{sender} {number}" for number in range(first, first + count)]
    return [submitted(document(name, sender=sender), message_id=name) for name in names]


def answers(outcomes: Sequence[Outcome]) -> list[Receipt | Refused]:
    """Return what senders are told."""
    notices = [
        NoticeToSend.model_validate_json(output.body).notice
        for outcome in outcomes
        for output in outcome.outputs
        if output.routing_key == "notifier"
    ]
    return [notice for notice in notices if isinstance(notice, Receipt | Refused)]


async def entries(database: str, kind: str) -> int:
    """Return how many entries of a kind the history has."""
    connection = await asyncpg.connect(database)
    count: int = await connection.fetchval("select count(*) from entry where kind = $1", kind)
    await connection.close()
    return count


async def test_workers_share_one_count(ingests: list[IngestDocument], ledger: Ledger, database: str) -> None:
    """Two workers at once admit what one may, refuse the rest in words and with a time, and alarm once; others pass."""
    batches = [[*many(LIMIT, first=worker * LIMIT), *many(2, "H41", worker * 2)] for worker in range(2)]
    done = await asyncio.gather(*(handle(one, ledger, *batch) for one, batch in zip(ingests, batches, strict=True)))
    told = [answer for outcomes in done for answer in answers(outcomes)]
    refused = [one for one in told if isinstance(one, Refused)]
    assert (len(told), len(refused)) == (2 * LIMIT + 4, LIMIT)
    assert {one.submission_message_id[:3] for one in refused} == {"G22"}
    problem = refused[0].problems[0]
    assert problem.code == "Quota"
    assert refused[0].retry_at is not None
    for said in (problem.vi, problem.en):
        assert f"{LIMIT}" in said
        assert refused[0].retry_at.isoformat(timespec="seconds") in said
    assert await entries(database, "AgencyThrottled") == 1
    assert await entries(database, "DocumentRefused") == LIMIT


async def test_a_flood_is_told_when_it_arrives(ingests: list[IngestDocument], ledger: Ledger, database: str) -> None:
    """The alarm comes with the first document of a flood, though the ledger has room for it: most still wait unread."""
    arrived = many(LIMIT + 2)
    assert [ingests[0].puts_aside(message) for message in arrived][-1]
    for message in arrived[:2]:
        (answer,) = answers(await handle(ingests[0], ledger, message))
        assert answer.kind == "receipt"
        assert await entries(database, "AgencyThrottled") == 1
    assert await entries(database, "AgencyUnthrottled") == 0


async def test_what_comes_back_gets_the_answer_it_got(ingests: list[IngestDocument], ledger: Ledger) -> None:
    """A redelivered batch is not counted again: the same are received, the same refused, by whichever worker."""
    batch = many(LIMIT + 3)
    first = answers(await handle(ingests[0], ledger, *batch, mark=False))
    again = [replace(message, delivery_count=1) for message in batch]
    assert answers(await handle(ingests[1], ledger, *again)) == first
    assert answers(await handle(ingests[0], ledger, *many(1, first=90)))[0].kind == "refusal"


async def test_a_suspect_is_counted_before_it_is_looked_into(
    ingests: list[IngestDocument], ledger: Ledger, store: FolderStore
) -> None:
    """What is too much is neither decoded nor kept; what is not too much after all is received like any other."""
    await handle(ingests[0], ledger, *many(LIMIT + 1))
    nonsense = replace(submitted(b"no edXML", message_id="nonsense"), user_id="G22")
    (told,) = answers(await handle(ingests[0], ledger, nonsense))
    assert isinstance(told, Refused)
    assert [problem.code for problem in told.problems] == ["Quota"]
    assert not store.path((await ingests[0].decide(nonsense)).sha256).exists()
    async with ledger.transaction() as unit:
        now, locked = await unit.quotas.lock("document", ["G22"])
        await unit.quotas.write("document", {"G22": replace(locked["G22"].use, messages_until=now)})
    (message,) = many(1, first=99)
    (outcome,) = await handle(ingests[0], ledger, message)
    (receipt,) = answers([outcome])
    assert receipt.kind == "receipt"
    assert store.path(receipt.sha256).read_bytes() == message.body


async def test_the_end_is_noted_once(ingests: list[IngestDocument], ledger: Ledger, database: str) -> None:
    """Below half of its quota an agency is throttled no more; beyond it again is another alarm."""
    await handle(ingests[0], ledger, *many(LIMIT + 1))
    async with ledger.transaction() as unit:
        now, locked = await unit.quotas.lock("document", ["G22"])
        await unit.quotas.write("document", {"G22": replace(locked["G22"].use, messages_until=now)})
    await handle(ingests[0], ledger, *many(1, first=20))
    await handle(ingests[0], ledger, *many(1, first=21))
    assert await entries(database, "AgencyUnthrottled") == 1
    await handle(ingests[0], ledger, *many(LIMIT, first=30))
    assert await entries(database, "AgencyThrottled") == 2


async def test_a_flood_waits_behind_those_it_came_before(vhost: str, ledger: Ledger, store: FolderStore) -> None:
    """What others send after a flood is answered before most of it; of the flood everything is answered, once."""
    async with Bus(vhost, name="worker") as worker, Bus(vhost, name="agencies") as bus, asyncio.timeout(SECONDS):
        await bus.declare(exchange_plan())
        user = str(bus.user)
        flood = [(message.user_id, message) for message in many(FLOOD)]
        # More than a fiftieth of the quota: it is behind nobody for that.
        behind = [(message.user_id, message) for message in many(2, "H41")]
        for sender, message in flood + behind:
            origin = str(sender), str(message.message_id)
            await bus.publish_many(
                [
                    put_back(
                        Step.INGEST, Lane.ORDINARY, origin, message.body, sha256(message.body).hexdigest(), user=user
                    )
                ]
            )
        quotas = Quotas("document", QuotaSettings(documents_per_minute=20))
        ingest = IngestDocument(store, quotas)
        runner = Runner(ingest, bus=worker, ledger=ledger, user=user, batch_limit=20)
        running = asyncio.create_task(runner.run())
        await bus.consume([work_queue(Step.NOTIFIER)], prefetch=500)
        told: list[NoticeToSend] = []
        while len(told) < FLOOD + len(behind):
            told += [NoticeToSend.model_validate_json(each.body) for each in await bus.take(500, timeout=None)]
        runner.stop()
        await running
    places = [place for place, notice in enumerate(told) if notice.agency == "H41"]
    assert max(places) < FLOOD // 2
    assert {told[place].notice.kind for place in places} == {"receipt"}
    kinds = Counter(notice.notice.kind for notice in told if notice.agency == "G22")
    assert kinds["receipt"] >= 20
    assert kinds["refusal"] > FLOOD // 2
    assert len({notice.notice_id for notice in told}) == len(told)


async def test_statuses_have_a_rate_of_their_own(ledger: Ledger, store: FolderStore, examiner: ExaminesHere) -> None:
    """An agency without room for documents may report; beyond the rate of statuses it is refused with a time, too."""
    settings = QuotaSettings(documents_per_minute=1, statuses_per_minute=2)
    ingest = IngestDocument(store, Quotas("document", settings))
    await handle(ingest, ledger, *many(3, "H23"))
    tracker = TrackStatus(store, examiner, Policy(), quotas=Quotas("status", settings))
    reported = [submitted(status("01", document_id=f"d{number}"), message_id=f"s{number}") for number in range(3)]
    told = answers(await handle(tracker, ledger, *reported))
    codes = [[problem.code for problem in one.problems] for one in told if isinstance(one, Refused)]
    unknown = ["M.MessageHeader.ResponseFor.DocumentId"]
    assert codes == [unknown, unknown, ["Quota"]]
