"""What the ledger answers to operators and auditors."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.ledger.conftest import NOW, document_row, verification_row

from lienthong.document.ids import derive
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.reports import Feedback, Reports, Timing
from lienthong.ledger.rows import AgencyRow, DeliveryRow, Mark, RoutingRow, StatusRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lienthong.ledger.rows import DocumentRow

REPORTS = {
    "H01": ("01", "03", "04", "05", "06"),
    "H02": ("01", "03", "04"),
    "H03": ("01", "05"),
    "H04": ("01",),
    "H05": ("01", "03"),
    "H06": (),
}
GRADES = {
    "H01": Feedback.FULLY,
    "H02": Feedback.PARTLY,
    "H03": Feedback.PARTLY,
    "H04": Feedback.ARRIVAL_ONLY,
    "H05": Feedback.ARRIVAL_ONLY,
    "H06": Feedback.NEVER,
    "H07": Feedback.NOTHING_RECEIVED,
    "G22": Feedback.NOTHING_RECEIVED,
    "G01": Feedback.NOT_CONNECTED,
    "H08": Feedback.NOT_CONNECTED,
}
EVER = (NOW - timedelta(days=3650), NOW + timedelta(days=3650))


@pytest_asyncio.fixture
async def reports(ledger: Ledger, database: str) -> AsyncIterator[Reports]:
    """Provide the read side of a ledger in which G22 sent one document to H01 … H06, which reported as in REPORTS."""
    connection = await asyncpg.connect(database)
    await connection.execute("update agency set supervised = false")
    await connection.close()
    connected = [AgencyRow(code, code, stage="official", supervised=True) for code in (*REPORTS, "H07", "G22")]
    await ledger.register([*connected, AgencyRow("G01", "Bộ", stage="in-progress", supervised=True)])
    await ledger.register([AgencyRow("H08", "Kết nối thử", stage="trial", supervised=True)])
    row = document_row()
    async with ledger.transaction() as unit:
        await unit.record_documents([row], [])
        deliveries = tuple(DeliveryRow(row.document, code, code, code) for code in REPORTS)
        await unit.record_routings([RoutingRow(row.document, "routed", deliveries)])
        statuses = [status_row(row, agency, code) for agency, codes in REPORTS.items() for code in codes]
        await unit.record_statuses([*statuses, status_row(row, "H06", "06", outcome="illegal")])
        marks = [(Mark("routing", row.document), NOW + timedelta(seconds=2))]
        marks += [(Mark("status", one.status), NOW + timedelta(seconds=4 + int(one.code))) for one in statuses]
        await unit.mark_forwarded(marks)
    opened = await Reports.connect(database)
    yield opened
    await opened.close()


def status_row(document: DocumentRow, agency: str, code: str, *, outcome: str = "applied") -> StatusRow:
    """Return a status of one addressee."""
    return StatusRow(
        status=derive(agency, code),
        document=document.document,
        addressee=agency,
        reporter=agency,
        user_name=agency,
        message_id=code,
        sha256="f" * 64,
        code=code,
        description=None,
        outcome="applied" if outcome == "applied" else "illegal",
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


async def test_the_supervision_table(reports: Reports) -> None:
    """A unit's grade is which offices its applied statuses speak of; on trial nobody is connected yet."""
    table = await reports.supervision(*EVER)
    assert {unit.code: unit.feedback for unit in table.units} == GRADES
    assert (table.total, table.connected, table.in_progress, table.receiving, table.feeding_back) == (10, 8, 2, 6, 5)
    assert [table.count(grade) for grade in (Feedback.FULLY, Feedback.PARTLY, Feedback.ARRIVAL_ONLY)] == [1, 2, 2]


async def test_the_supervision_is_of_a_period(reports: Reports) -> None:
    """What happened outside the period does not count in it."""
    table = await reports.supervision(NOW - timedelta(days=2), NOW - timedelta(days=1))
    assert table.receiving == table.feeding_back == 0


async def test_timings_are_percentiles_since_submission(reports: Reports) -> None:
    """The first status counts, once for each addressee that told anything."""
    timings = await reports.timings(*EVER)
    assert timings["delivery"] == Timing(1, 2.0, 2.0)
    assert timings["status"] == Timing(5, 5.0, 5.0)


async def test_totals_and_lists(reports: Reports) -> None:
    """Counts and lists say the same."""
    totals = await reports.totals()
    applied = [one for one in await reports.statuses() if one["outcome"] == "applied"]
    assert totals["documents"] == len(await reports.documents()) == 1
    assert totals["deliveries"] == len(await reports.deliveries()) == len(REPORTS)
    assert totals["statuses"] == len(applied) == sum(map(len, REPORTS.values()))
    assert totals["statuses_illegal"] == 1


async def test_what_documents_are_worth_by_their_latest_judgement(reports: Reports, ledger: Ledger) -> None:
    """Each document counts once; one that is held counts as held; the judgements are kept with their grounds."""
    held_until = NOW + timedelta(hours=4)
    rows = [document_row(f"d{number}") for number in range(2, 5)]
    released = verification_row(rows[1].document, 2, verdict="valid", value="paper", judge_again_at=None)
    async with ledger.transaction() as unit:
        await unit.record_documents(rows, [])
        await unit.record_verifications(
            [
                verification_row(rows[0].document, held_until=held_until),
                verification_row(rows[1].document, held_until=held_until),
                verification_row(rows[2].document),
            ]
        )
        await unit.record_verifications([released])
    assert await reports.values(*EVER) == {"paper": 1, "information": 1, "refused": 0, "held": 1}
    assert sum((await reports.values(NOW - timedelta(days=2), NOW - timedelta(days=1))).values()) == 0
    first, second = await reports.verifications(rows[1].document)
    assert (first.held, first.final, first.grounds["sender"], second) == (True, False, "G22", released)


async def test_the_story_of_a_document(reports: Reports) -> None:
    """The history of a document is all its entries, in order."""
    story = await reports.story(document_row().document)
    kinds = [kind for _, kind, _ in story]
    assert kinds[0] == "DocumentReceived"
    assert kinds.count("DeliveryRecorded") == len(REPORTS)
    assert kinds.count("StatusReported") == sum(map(len, REPORTS.values())) + 1


async def test_the_reader_cannot_write(database: str) -> None:
    """The read side's role may not change anything."""
    connection = await asyncpg.connect(database, server_settings={"role": "lienthong_reader"})
    for command in ("delete from document", "insert into entry (kind, facts) values ('x', '{}')"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(command)
    await connection.close()


async def test_a_ledger_that_is_not_there_is_unavailable() -> None:
    """A server that does not answer is tried again later, it is no mistake of the caller's."""
    with pytest.raises(Unavailable):
        await Ledger.connect("postgresql://nobody@127.0.0.1:1/none")


async def test_a_ledger_without_schema_is_misconfigured(database: str) -> None:
    """A database in which nothing was migrated is named as such, with the command that mends it."""
    connection = await asyncpg.connect(database)
    await connection.execute("drop table directory_version")
    await connection.close()
    ledger = await Ledger.connect(database)
    with pytest.raises(MisconfiguredError, match="lienthong ledger migrate"):
        async with ledger.transaction():
            raise AssertionError
    await ledger.close()
