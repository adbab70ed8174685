"""The supervision of January 2019, recorded in a ledger, as `lienthong report` and `lienthong document` tell it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import subprocess
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio
from lxml import html
from tests.integration.ledger.conftest import document_row, verification_row
from tests.integration.ledger.test_reports import status_row
from typer.testing import CliRunner

from lienthong.document.ids import derive
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import (
    AgencyRow,
    AttachmentRow,
    DeliveryRow,
    DocumentRow,
    Mark,
    NoticeRow,
    RefusalRow,
    RoutingRow,
)
from lienthong.simulation.units import Role, cast
from lienthong_cli.__main__ import assembled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lienthong.ledger.rows import StatusRow

MEMBERS = cast(seed=2019)
RECEIVERS = [member for member in MEMBERS if member.role.receives]
SENDER = next(member.unit for member in MEMBERS if member.role is Role.SENDS_ONLY)
KINDS = ("Công văn", "Quyết định", "", '=HYPERLINK("http://example.vn")')
SIZES = (1_000, 200_000, 2_000_000, 20_000_000)
FIGURES = {
    "units": 95,
    "connected": 84,
    "in_progress": 11,
    "receiving": 78,
    "feeding_back": 76,
    "fully": 41,
    "partly": 22,
    "arrival_only": 13,
    "never": 2,
    "nothing_received": 6,
}
"""As the conference of 18 January 2019 was told."""


def document(number: int) -> DocumentRow:
    """Return one of the documents that the sender sent everybody."""
    return replace(
        document_row(f"{SENDER.code},2019/01/15,{number}/VP-TH", sender=SENDER.code),
        code=f"{number}/VP-TH",
        subject=f"V/v họp Văn phòng Chính phủ điện tử lần {number}",
        type_name=KINDS[number % 4],
        size=SIZES[number % 4],
        promulgated_on=date(2019, 1, 15),
        due_on=date(2019, 2, number + 1),
        priority=number % 2,
        signer_name="Đặng Thị Ước",
        signer_position="TM. Chánh Văn phòng",
        addressees=tuple(member.unit.code for member in RECEIVERS),
    )


DOCUMENTS = [document(number) for number in range(4)]
REFUSED = replace(document(9), addressees=("H99",))
TEST = replace(document(8), test=True, flagged=True)


def statuses() -> list[StatusRow]:
    """Return what every receiver reports of the first document, each according to its role."""
    rows = [status_row(DOCUMENTS[0], member.unit.code, code) for member in RECEIVERS for code in member.role.statuses]
    # A second one of the last unit's is not allowed, and proves nothing.
    never = next(member.unit.code for member in RECEIVERS if member.role is Role.NEVER)
    return [*rows, status_row(DOCUMENTS[0], never, "06", outcome="illegal")]


@pytest_asyncio.fixture
async def recorded(database: str) -> str:
    """Provide the address of a ledger in which all of that is recorded."""
    ledger = await Ledger.connect(database)
    await ledger.register(
        [
            AgencyRow(
                member.unit.code,
                member.unit.name,
                member.unit.kind,
                "official" if member.role.connected else "in-progress",
                supervised=True,
            )
            for member in MEMBERS
        ]
    )
    every = [*DOCUMENTS, REFUSED, TEST]
    files = [
        AttachmentRow(one.document, 1, f"Biên bản {n}.pdf", "application/pdf", 9, "b" * 64)
        for n, one in enumerate(DOCUMENTS)
    ]
    async with ledger.transaction() as unit:
        await unit.record_documents(every, files)
        await unit.record_verifications([verification_row(one.document, judge_again_at=None) for one in every])
        routings = [
            RoutingRow(
                one.document,
                "routed",
                tuple(DeliveryRow(one.document, m.unit.code, m.unit.code, m.unit.code) for m in RECEIVERS),
            )
            for one in [*DOCUMENTS, TEST]
        ]
        await unit.record_routings([*routings, RoutingRow(REFUSED.document, "refused")])
        problem = {"code": "M.MessageHeader.To.OrganId", "path": "To", "vi": "Không có H99", "en": "No H99"}
        await unit.record_refusals(
            [
                RefusalRow(
                    derive("r"),
                    "router",
                    "document",
                    SENDER.code,
                    REFUSED.message_id,
                    REFUSED.document_id,
                    "c" * 64,
                    [problem],
                )
            ]
        )
        await unit.record_statuses([*statuses(), status_row(TEST, RECEIVERS[0].unit.code, "06")])
        await unit.record_notices(
            [NoticeRow(derive("n"), SENDER.code, "receipt", DOCUMENTS[0].document, datetime.now(UTC))]
        )
        await unit.mark_forwarded([(Mark("routing", one.document), datetime.now(UTC)) for one in [*DOCUMENTS, TEST]])
    await ledger.close()
    return database


@pytest.fixture
def typed(recorded: str) -> Callable[..., bytes]:
    """Return what runs a command and returns what it printed."""

    def run(group: str, *arguments: str, status: int = 0) -> bytes:
        environment = {"LIENTHONG_LEDGER_URL": recorded, "COLUMNS": "250"}
        done = CliRunner().invoke(assembled(group), [group, *arguments], env=environment)
        assert done.exit_code == status, done.output
        return done.stdout_bytes or done.output_bytes

    return run


def period() -> list[str]:
    """Return the options of a period that is not over when midnight comes."""
    today = datetime.now(UTC).date()
    return ["--from", str(today - timedelta(days=2)), "--to", str(today + timedelta(days=2))]


def test_reports_add_up_in_every_form(recorded: str, typed: Callable[..., bytes], tmp_path: Path) -> None:
    """The table of January 2019 comes out exactly; rows, totals and the ledger's counts are the same everywhere."""
    feedback = json.loads(typed("report", "feedback", "--format=json", *period()))
    assert feedback["figures"] == FIGURES
    units = {row["code"]: row for row in feedback["tables"]["units"]}
    grades = {row["feedback"]: row["units"] for row in feedback["tables"]["grades"]}
    assert len(units) == sum(grades.values()) == 95
    for grade, number in grades.items():
        assert sum(row["feedback"] == grade for row in units.values()) == number
    assert sum(row["documents"] for row in units.values()) == len(DOCUMENTS) * len(RECEIVERS)
    assert sum(row["answered"] for row in units.values()) == FIGURES["feeding_back"]
    assert sum(row["finished"] for row in units.values()) == FIGURES["fully"]
    # Each grade is proven: the offices of its evidence are those it claims, and each status is in the ledger.
    offices: dict[str, set[str | None]] = {}
    for row in feedback["tables"]["evidence"]:
        offices.setdefault(row["unit"], set()).add(row["office"])
        assert row["document"] == str(DOCUMENTS[0].document)
    proven = {
        "fully": {"clerk", "leader", "officer"},
        "partly": {"clerk", "leader"},
        "arrival-only": {"clerk"},
        "never": {None},
    }
    assert offices == {code: proven[row["feedback"]] for code, row in units.items() if row["feedback"] in proven}

    connection = json.loads(typed("report", "connection", "--format=json", *period()))
    assert connection["figures"] == FIGURES
    assert {row["stage"]: row["units"] for row in connection["tables"]["stages"]} == {"official": 84, "in-progress": 11}
    assert sum(row["received"] for row in connection["tables"]["units"]) == len(DOCUMENTS) * len(RECEIVERS)
    assert sum(row["sent"] for row in connection["tables"]["units"]) == len(DOCUMENTS) + 1

    traffic = json.loads(typed("report", "traffic", "--format=json", *period()))
    counted = asyncio.run(count(recorded))
    assert traffic["figures"] == counted
    for part in ("kinds", "acts", "sizes", "hours", "days"):
        rows = traffic["tables"][part]
        assert sum(row["documents"] for row in rows) == counted["documents"]
        assert sum(row["bytes"] for row in rows) == counted["bytes"]
    for part in ("pairs", "senders", "receivers"):
        assert sum(row["deliveries"] for row in traffic["tables"][part]) == counted["deliveries"]
    before = ["--from=2018-01-01", "--to=2018-01-31", "--format=json"]
    for report in ("traffic", "feedback"):  # no unit was in the directory then
        assert set(json.loads(typed("report", report, *before))["figures"].values()) == {0}

    read = list(csv.DictReader(io.StringIO(typed("report", "feedback", "--format=csv", *period()).decode("utf-8-sig"))))
    assert {row["code"]: row["feedback"] for row in read} == {code: row["feedback"] for code, row in units.items()}
    kinds = typed("report", "traffic", "--format=csv", "--table=kinds", *period()).decode("utf-8-sig")
    assert """'=HYPERLINK(""http""" in kinds
    assert "kinds" in typed("report", "traffic", "--format=csv", "--table=x", *period(), status=2).decode()
    book = tmp_path / "traffic.xlsx"
    typed("report", "traffic", "--format=xlsx", "--out", str(book), *period())
    with zipfile.ZipFile(book) as sheets:
        content = b"".join(sheets.read(name) for name in sheets.namelist())
    assert "Quyết định".encode() in content
    assert b"<f>" not in content

    page = html.fromstring(typed("report", "feedback", "--format=html", "--lang=vi", *period()))
    assert not page.xpath("//script | //link | //img | //*[@src] | //a[not(starts-with(@href, '#'))]")
    assert {link[1:] for link in page.xpath("//a/@href")} <= set(page.xpath("//@id"))
    assert [figure.text for figure in page.xpath("//div[@class='figure']/b")] == [str(n) for n in FIGURES.values()]
    assert len(page.xpath("//section[@id='units']//tbody/tr")) == 95 + 1
    assert len(page.xpath("//svg/rect")) == len([n for n in grades.values() if n])
    shown = typed("report", "feedback", *period()).decode()
    assert re.search(r"Feed statuses back\s*│\s*76", shown)


def test_deadlines_add_up(recorded: str, typed: Callable[..., bytes]) -> None:
    """Each clock that was due is kept, late, overdue or running, once; what was late is named with what proves it."""
    asyncio.run(set_clocks(recorded))
    report = json.loads(typed("report", "deadlines", "--format=json", *period()))
    figures = report["figures"]
    assert figures == {"due": 3 * 78 + 1, "in_time": 41 + 1, "late": 35, "overdue": 2 + 78, "running": 78}
    for part in ("agencies", "clocks"):
        for figure, number in figures.items():
            assert sum(row[figure] for row in report["tables"][part]) == number
    by_clock = {row["clock"]: row for row in report["tables"]["clocks"]}
    assert (by_clock["receipt"]["in_time"], by_clock["sending"]["share"], by_clock["finish"]["share"]) == (41, 1.0, 0.0)
    worst = report["tables"]["worst"]
    assert [row["hours"] for row in worst] == [3] * 78 + [1] * 2 + [0] * 35
    assert [row["evidence"] is not None for row in worst] == [row["hours"] == 0 for row in worst]
    assert all((row["met_at"] is None) == (row["evidence"] is None) for row in worst)
    told = typed("document", "show", str(DOCUMENTS[0].document)).decode()
    assert f"{RECEIVERS[0].unit.code} is late, telling that it was received: due before" in told
    assert "Overdue, not done" in typed("report", "deadlines", *period()).decode()


async def set_clocks(url: str) -> None:
    """Let clocks run on three documents: what was reported in time, late, never; what is due in an hour; and a test."""
    connection = await asyncpg.connect(url)
    hour, clock = timedelta(hours=1), "update delivery set {}_due_at = $1 where document = any ($2::uuid[])"
    now = datetime.now(UTC)
    await connection.execute(clock.format("receipt"), now - hour, [DOCUMENTS[0].document, TEST.document])
    await connection.execute(clock.format("receipt"), now + hour, [DOCUMENTS[1].document])
    await connection.execute(clock.format("finish"), now - 3 * hour, [DOCUMENTS[2].document])
    in_time = [member.unit.code for member in RECEIVERS if member.role is Role.FULLY]
    await connection.execute("update status set received_at = $1", now - hour / 2)
    await connection.execute("update status set received_at = $1 where reporter = any ($2)", now - 2 * hour, in_time)
    await connection.execute("update document set received_at = $1", now - 2 * hour)
    sending = "insert into sending (document, dating, due_at, judged_at) values ($1, 'in-time', $2, $2)"
    await connection.execute(sending, DOCUMENTS[0].document, now - hour)
    breach = "insert into deadline values ($1, $2, $3, 'receipt', 'breach', $4, $4)"
    await connection.execute(breach, derive("breach"), DOCUMENTS[0].document, RECEIVERS[0].unit.code, now - hour)
    await connection.close()


def test_a_report_on_paper(typed: Callable[..., bytes], program: Callable[[str, str], Path], tmp_path: Path) -> None:
    """The PDF names every unit and figure, in text that can be searched and copied, with its font inside."""
    paper = tmp_path / "report.pdf"
    typed("report", "feedback", "--format=pdf", "--out", str(paper), *period())

    def read(name: str, *arguments: str | Path) -> str:
        command = [program(name, "poppler-utils"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.decode()  # noqa: S603 - Debian's

    text = read("pdftotext", "-layout", paper, "-")
    for member in MEMBERS:
        assert member.unit.code in text
    assert "Có phản hồi trạng thái" in text
    fonts = [line.split() for line in read("pdffonts", paper).splitlines()[2:]]
    assert fonts
    assert all(font[-5] == "yes" for font in fonts), fonts  # the column "emb"


def test_documents_are_found_and_told(typed: Callable[..., bytes]) -> None:
    """By each thing that Art. 10.2 lists, accents or not; page by page; and the whole story of one."""

    def found(*arguments: str) -> list[str]:
        page = json.loads(typed("document", "find", "--json", *arguments))
        return [one["document"] for one in page["documents"]]

    every = {str(one.document) for one in [*DOCUMENTS, REFUSED, TEST]}
    first = str(DOCUMENTS[1].document)
    for words in (
        ["van phong"],
        ["Văn", "phòng", "ĐIỆN", "tử"],
        ["--subject", '"van phong chinh phu"'],
        ["--signer", "dang thi uoc"],
        ["--signer", "Chánh"],
        ["--number", "vp-th"],
        ["dien*"],
        ["--sender", SENDER.name],
        ["--issued-from=2019-01-15", "--issued-to=2019-01-15"],
    ):
        assert set(found(*words)) == every, words
    for words in (
        ["--number", "1/VP-TH"],
        ["lần 1"],
        ["--attachment", "bien ban 1"],
        ["--id", DOCUMENTS[1].document_id],
        ["--kind", "quyet dinh", "--receiver", RECEIVERS[0].unit.code, "--due-to=2019-02-02"],
    ):
        assert found(*words) == [first], words
    assert found("phong van") == []
    assert found("--signer", "van phong chinh phu") == []
    assert found("--state=stopped") == [str(REFUSED.document)]
    ordinary = {str(one.document) for one in (DOCUMENTS[0], DOCUMENTS[2], TEST)}
    assert set(found("--state=delivered", "--priority=0")) == ordinary
    assert found("%") == found("' & !x") == []
    assert found("--received-to=2018-12-31") == []
    pages: list[str] = []
    for _ in range(len(every) // 2):
        pages += found("van phong", "--limit=2", *(["--after", pages[-1]] if pages else []))
    assert sorted(pages) == sorted(every)
    assert found("van phong", "--after", pages[-1]) == []

    story: dict[str, Any] = json.loads(typed("document", "show", "--json", str(DOCUMENTS[0].document)[:13]))
    assert story["document"]["document_id"] == DOCUMENTS[0].document_id
    assert len(story["deliveries"]) == len(RECEIVERS)
    assert len(story["statuses"]) == len(statuses())
    assert {entry["kind"] for entry in story["entries"]} == {
        "DocumentReceived",
        "DocumentVerified",
        "DeliveryRecorded",
        "StatusReported",
        "NoticeGiven",
    }
    told = typed("document", "show", DOCUMENTS[0].document_id).decode()
    for said in (
        "The exchange records it",
        "sha256 " + "a" * 64,
        "reports 06 Completed",
        "not allowed here",
        "Biên bản 0.pdf",
    ):
        assert said in told
    assert "M.MessageHeader.To.OrganId: Không có H99" in typed("document", "show", REFUSED.document_id).decode()
    assert "is not in the ledger" in typed("document", "show", "00000000", status=1).decode()


async def count(url: str) -> dict[str, int]:
    """Count what is in the ledger, table by table."""
    connection = await asyncpg.connect(url)
    row = await connection.fetchrow(
        "select (select count(*) from document where not test) as documents, "
        "(select sum(size)::bigint from document where not test) as bytes, "
        "(select count(*) from document where not test and lane = 'urgent') as urgent, 1 as senders, "
        "(select count(*) from delivery join document using (document) where not test) as deliveries, "
        "(select count(*) from status join document using (document) "
        "where not test and outcome = 'applied') as statuses, "
        "(select count(*) from refusal) as refused"
    )
    await connection.close()
    assert row is not None
    return dict(row)
