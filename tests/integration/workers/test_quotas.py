"""Quotas: one count for all workers, a clear refusal, an alarm once, and the same answer when it is asked again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.integration.workers.conftest import document, handle, status, submitted

from lienthong.document.messages import NoticeToSend, Receipt, Refused
from lienthong.settings import QuotaSettings
from lienthong.signature.policy import Policy
from lienthong.worker.quotas import Quotas
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
