"""One transaction of one batch."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import pytest
from tests.integration.ledger.conftest import NOW, document_row, verification_row

from lienthong.document.ids import derive
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import (
    AttachmentRow,
    DeliveryRow,
    Mark,
    NoticeRow,
    RefusalRow,
    RoutingRow,
    StatusRow,
    SubmissionRow,
)
from lienthong.ledger.unit import ASKED_FOR, Unit
from lienthong.testing.proxy import FaultyProxy


async def count(database: str, sql: str) -> int:
    """Return one number from the database."""
    connection = await asyncpg.connect(database)
    number: int = await connection.fetchval(sql)
    await connection.close()
    return number


async def test_a_document_is_recorded_once(ledger: Ledger, database: str) -> None:
    """Recording a document again recalls it; there is one row, one entry, and its attachments once."""
    row = document_row()
    files = [AttachmentRow(row.document, 1, "a.pdf", "application/pdf", 3, "b" * 64)]
    for _ in range(2):
        async with ledger.transaction() as unit:
            recalled = await unit.record_documents([row, row], files)
            assert recalled[row.document].sha256 == row.sha256
    assert await count(database, "select count(*) from document") == 1
    assert await count(database, "select count(*) from attachment") == 1
    assert await count(database, "select count(*) from entry where kind = 'DocumentReceived'") == 1


async def test_other_content_under_the_same_id_is_seen(ledger: Ledger, database: str) -> None:
    """The first content stays; the second finds the first one's digest and leaves no attachment behind."""
    first, second = document_row(), document_row(sha256="c" * 64)
    async with ledger.transaction() as unit:
        await unit.record_documents([first], [])
    async with ledger.transaction() as unit:
        recalled = await unit.record_documents(
            [second], [AttachmentRow(second.document, 1, "b.pdf", None, 3, "d" * 64)]
        )
    assert recalled[first.document].sha256 == first.sha256
    assert await count(database, "select count(*) from attachment") == 0


async def test_the_first_content_of_a_message_id_stays(ledger: Ledger) -> None:
    """A message id speaks for the content it was first used with, for each agency by itself."""
    one = SubmissionRow("G22", "m", "1" * 64, 1, NOW)
    async with ledger.transaction() as unit:
        assert await unit.record_submissions([one]) == ({("G22", "m"): "1" * 64}, {("G22", "m")})
        assert await unit.record_submissions([replace(one, sha256="2" * 64)]) == ({("G22", "m"): "1" * 64}, set())
        assert await unit.record_submissions([replace(one, user_name="H23", sha256="3" * 64)]) == (
            {("H23", "m"): "3" * 64},
            {("H23", "m")},
        )


async def test_a_mark_is_set_once(ledger: Ledger) -> None:
    """Marking a document forwarded again does not move the time of the first mark."""
    row = document_row()
    async with ledger.transaction() as unit:
        await unit.record_documents([row], [])
        await unit.mark_forwarded([(Mark("document", row.document), NOW)])
        await unit.mark_forwarded([(Mark("document", row.document), NOW.replace(year=2027))])
        assert (await unit.documents([row.document]))[row.document].forwarded_at == NOW


async def test_every_marked_table_can_be_marked(ledger: Ledger, database: str) -> None:
    """Each fact with outputs has its mark."""
    row = document_row()
    key, verification = UUID(int=7), verification_row(row.document)
    async with ledger.transaction() as unit:
        await unit.record_documents([row], [])
        await unit.record_verifications([verification])
        await unit.record_routings(
            [RoutingRow(row.document, "routed", (DeliveryRow(row.document, "H23", "H23", "H23"),))]
        )
        await unit.record_refusals([RefusalRow(key, "ingest", "document", "G22", "m", None, "0" * 64, [{"code": "x"}])])
        await unit.record_notices([NoticeRow(key, "G22", "receipt", row.document, NOW)])
        await unit.record_statuses([status_row(row.document, "01", key)])
        marks = [Mark("document", row.document), Mark("routing", row.document)]
        marks += [Mark("verification", verification.verification)]
        marks += [Mark("refusal", key), Mark("notice", key), Mark("status", key)]
        await unit.mark_forwarded([(mark, NOW) for mark in marks])
    for table in ("document", "verification", "routing", "refusal", "notice", "status"):
        assert await count(database, f"select count(*) from {table} where forwarded_at is not null") == 1, table


async def test_a_judgement_is_recorded_once_and_followed_by_the_next(ledger: Ledger, database: str) -> None:
    """The first record of each number stays; the one before it is not made again any more; each has one entry."""
    row = document_row()
    first = verification_row(row.document)
    async with ledger.transaction() as unit:
        await unit.record_documents([row], [])
        await unit.record_verifications([first])
    other = replace(first, verdict="valid", value="paper", judge_again_at=None)
    second = replace(verification_row(row.document, 2), verdict="valid", value="paper", judge_again_at=None)
    async with ledger.transaction() as unit:
        assert (await unit.record_verifications([other]))[row.document] == [first]
        held = await unit.record_verifications([second])
    assert held == {row.document: [replace(first, judge_again_at=None), second]}
    digests = "select count(*) from entry e join verification v using (document) where e.kind = 'DocumentVerified' "
    same = "and e.digest = encode(sha256(convert_to(v.grounds::text, 'UTF8')), 'hex') and e.facts->'judgement' = "
    assert await count(database, f"{digests}{same} to_jsonb(v.judgement)") == 2
    assert await count(database, "select count(*) from entry where kind = 'DocumentVerified'") == 2


async def test_due_judgements_are_taken_by_one_worker(ledger: Ledger) -> None:
    """What is due is locked for the one that takes it; others pass it by; postponed or hastened it is due then."""
    rows = [document_row(f"d{number}") for number in range(3)]
    judgements = [verification_row(row.document) for row in rows]
    judgements[2] = replace(judgements[2], judge_again_at=NOW.replace(year=2030))
    async with ledger.transaction() as unit:
        await unit.record_documents(rows, [])
        await unit.record_verifications(judgements)
        assert await unit.count_held() == 0
    async with ledger.transaction() as unit:
        (taken,) = await unit.due_judgements(NOW, 1)
        assert (taken.user_name, taken.judgement, taken.held_until) == ("G22", 1, None)
        async with ledger.transaction() as other:
            (left,) = await other.due_judgements(NOW, 10)
            assert {taken.document, left.document} == {rows[0].document, rows[1].document}
        await unit.postpone_judgements({taken.verification: NOW.replace(year=2029)})
    async with ledger.transaction() as unit:
        assert [one.document for one in await unit.due_judgements(NOW, 10)] == [left.document]
        await unit.hasten_judgements(NOW)
        assert len(await unit.due_judgements(NOW, 10)) == 3


async def test_what_was_asked_for_is_not_asked_again_before_it_is_judged(ledger: Ledger) -> None:
    """Neither hastened nor due again: it counts against what may be asked for until it is judged, or taken for lost."""
    rows = [document_row(f"d{number}") for number in range(3)]
    async with ledger.transaction() as unit:
        await unit.record_documents(rows, [])
        await unit.record_verifications([verification_row(row.document) for row in rows])
        asked = {one.verification: one.document for one in await unit.due_judgements(NOW, 2)}
        await unit.ask_judgements(dict.fromkeys(asked, NOW), NOW)
        assert len(asked) == 2
        assert await unit.due_judgements(NOW, 2) == []
        await unit.hasten_judgements(NOW)
        (third,) = await unit.due_judgements(NOW, 10)
        assert third.verification not in asked
        first, second = asked.items()
        await unit.answer_judgements([first[1]])
        assert len(await unit.due_judgements(NOW, 2)) == 1
        assert {one.verification for one in await unit.due_judgements(NOW, 10)} == {first[0], third.verification}
        later = NOW + ASKED_FOR
        assert second[0] in {one.verification for one in await unit.due_judgements(later, 10)}


async def test_a_routing_keeps_its_first_deliveries(ledger: Ledger) -> None:
    """A routing decided once stays, even when the directory would now decide otherwise."""
    row = document_row()
    async with ledger.transaction() as unit:
        await unit.record_documents([row], [])
        await unit.record_routings(
            [RoutingRow(row.document, "routed", (DeliveryRow(row.document, "H23", "H23", "H23"),))]
        )
    async with ledger.transaction() as unit:
        again = await unit.record_routings(
            [RoutingRow(row.document, "routed", (DeliveryRow(row.document, "H41", "H41", "H41"),))]
        )
    assert [one.addressee for one in again[row.document].deliveries] == ["H23"]


async def test_a_failed_transaction_leaves_nothing(ledger: Ledger, database: str) -> None:
    """What a transaction recorded before it failed is gone with it."""

    async def fail() -> None:
        async with ledger.transaction() as unit:
            await unit.record_documents([document_row()], [])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await count(database, "select count(*) from document") == 0
    assert await count(database, "select count(*) from entry") == 0


@pytest.mark.usefixtures("ledger")
async def test_the_server_that_takes_writes_is_found(database: str) -> None:
    """Of several addresses one that hangs and one that is a standby are passed over."""
    place = urlsplit(database)
    login, _, there = place.netloc.rpartition("@")
    read_only = f"{database}?default_transaction_read_only=on"
    with pytest.raises(Unavailable, match="NotMatched"):
        await Ledger.connect(read_only)
    async with FaultyProxy(database) as hanging:
        hanging.swallow()
        hosts = f"{urlsplit(hanging.url).netloc.rpartition('@')[2]},{there}"
        found = await Ledger.connect(urlunsplit(place._replace(netloc=f"{login}@{hosts}")))
        async with found.transaction() as unit:
            assert await unit.record_documents([document_row()], [])
        await found.close()


async def test_a_server_that_takes_no_more_writes_is_left(ledger: Ledger) -> None:
    """A demoted primary is no message's fault, and the next connection is a new one."""

    async def backend(unit: Unit) -> int:
        pid: int = await unit._connection.fetchval("select pg_backend_pid()")
        return pid

    async with ledger.transaction() as unit:
        before = await backend(unit)

    async def demoted() -> None:
        async with ledger.transaction() as unit:
            await unit._connection.execute("set transaction read only")
            await unit.record_documents([document_row()], [])

    with pytest.raises(Unavailable, match="ReadOnly"):
        await demoted()
    async with ledger.transaction() as unit:
        assert await backend(unit) != before


async def test_an_older_schema_is_the_operators_to_mend(ledger: Ledger, database: str) -> None:
    """A missing column stops the worker; it must not send every message to the dead letters."""
    connection = await asyncpg.connect(database)
    await connection.execute("alter table document drop column type_name cascade")
    await connection.close()
    with pytest.raises(MisconfiguredError, match="migrate"):
        async with ledger.transaction() as unit:
            await unit.record_documents([document_row()], [])


async def test_batches_in_any_order_do_not_deadlock(ledger: Ledger, database: str) -> None:
    """Workers that record overlapping batches in different orders all succeed."""
    rows = [document_row(f"d{number}") for number in range(60)]

    async def record(seed: int) -> None:
        mine = random.Random(seed).sample(rows, 40)
        async with ledger.transaction() as unit:
            await unit.record_submissions([SubmissionRow("G22", row.message_id, row.sha256, 1, NOW) for row in mine])
            await unit.record_documents(mine, [])

    for round_number in range(5):
        await asyncio.gather(*(record(round_number * 10 + seed) for seed in range(4)))
    assert await count(database, "select count(*) from entry") == await count(database, "select count(*) from document")


async def test_locked_deliveries_serialise(ledger: Ledger) -> None:
    """Two workers that report about one delivery see each other's state, one after the other."""
    row = document_row()
    async with ledger.transaction() as unit:
        await unit.record_documents([row], [])
        await unit.record_routings(
            [RoutingRow(row.document, "routed", (DeliveryRow(row.document, "H23", "H23", "H23"),))]
        )
    seen: list[str] = []

    async def move(state: str) -> None:
        async with ledger.transaction() as unit:
            (delivery,) = await unit.lock_chains({row.document}, reports=True)
            seen.append(delivery.state)
            await unit.update_deliveries([replace(delivery, state=state)])

    await asyncio.gather(move("arrived"), move("arrived"))
    assert seen == ["delivered", "arrived"]


def status_row(document: UUID, code: str, key: UUID | None = None) -> StatusRow:
    """Return an applied status of H23."""
    return StatusRow(
        status=key or derive("status", code),
        document=document,
        addressee="H23",
        reporter="H23",
        user_name="H23",
        message_id=f"status-{code}",
        sha256="e" * 64,
        code=code,
        description=None,
        outcome="applied",
        state_before="delivered",
        state_after="arrived",
        reported_at=NOW,
        received_at=NOW,
        verdict="unsigned",
        signer=None,
        reason="",
        vi="Không ký",
        en="Unsigned",
        evidence=[],
    )
