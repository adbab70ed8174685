"""What the demo prints for people: the supervision table, the counts, the times, the balance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.table import Table

from lienthong.document.zone import VIETNAM
from lienthong.ledger.figures import Figures
from lienthong.reporting.files import as_json
from lienthong.reporting.lateness import deadlines_report
from lienthong.reporting.model import Period
from lienthong.reporting.page import as_html
from lienthong.reporting.paper import as_pdf
from lienthong.reporting.supervision import connection_report, feedback_report
from lienthong.reporting.traffic import traffic_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rich.console import Console

    from lienthong.ledger.reports import Supervision, Timing
    from lienthong.reporting.model import Report
    from lienthong.simulation.rehearsal import Result

__all__ = ["print_result", "print_supervision", "reported", "write_reports"]

SHOWN = 10
"""So many lines of each difference are printed."""

_UNITS = (
    ("connected", "Đơn vị đã kết nối", "Units connected", True),
    ("in_progress", "Đơn vị đang kết nối", "Units in progress", True),
    ("receiving", "Đã nhận văn bản", "Received documents", False),
    ("feeding_back", "Có phản hồi trạng thái", "Feed statuses back", False),
    ("fully", "  đầy đủ: văn thư, lãnh đạo, chuyên viên", "  fully: clerk, leader, officer", False),
    ("partly", "  một phần: văn thư, lãnh đạo", "  partly: clerk, leader", False),
    ("arrival_only", "  chỉ báo đã đến văn thư", "  arrival at the clerk only", False),
    ("never", "Không phản hồi", "Never feed back", False),
    ("nothing_received", "Chưa nhận văn bản (*)", "Received nothing yet (*)", False),
)

_VALUES = (
    ("paper", "Có giá trị như văn bản giấy", "Value of paper"),
    ("information", "Chỉ để thông tin", "For information"),
    ("refused", "Bị từ chối", "Refused"),
    ("held", "Đang chờ xác minh", "Held, not known yet"),
)

_HAPPENINGS = (
    ("refused", "Nơi nhận trả lại (02)", "Sent back by receivers (02)"),
    ("asked_back", "Đề nghị lấy lại (13)", "Asked back (13)"),
    ("withdrawals", "Văn bản thu hồi", "Withdrawals"),
    ("withdrawn", "  nơi nhận đã giao lại", "  given back, by receivers"),
    ("updates", "Văn bản cập nhật", "Updates"),
    ("agreed", "Đồng ý thu hồi, cập nhật (15)", "Agreed to give back, to update (15)"),
    ("declined", "Từ chối thu hồi, cập nhật (16)", "Declined (16)"),
    ("replacements", "Văn bản thay thế", "Replacements"),
    ("replaced", "  đã thay ở nơi nhận", "  replaced, by receivers"),
    ("urgent", "Văn bản khẩn", "Urgent documents"),
    ("late", "Văn bản gửi muộn", "Documents sent late"),
    ("succeeded", "Mã cũ, đến đơn vị kế thừa", "To a merged unit's code, delivered to its successor"),
)
DEADLINE_DAYS = timedelta(days=30)
"""What was sent late was due weeks before a run, what came in it is due by a day after it."""


def print_supervision(console: Console, supervision: Supervision) -> None:
    """Print the supervision table, whose every figure the ledger has computed."""
    figures = supervision.figures
    table = Table(title="Bảng giám sát, tính từ sổ cái / supervision table, computed from the ledger")
    table.add_column("Chỉ tiêu")
    table.add_column("Figure")
    table.add_column("Số / number", justify="right")
    for name, vi, en, of_all in _UNITS:
        table.add_row(vi, en, f"{figures[name]}/{figures['units']}" if of_all else str(figures[name]))
    console.print(table)
    console.print(
        "(*) Nguồn tháng 1/2019 không phân loại các đơn vị này / the source of January 2019 leaves them unclassified; "
        "which unit plays which part is drawn by lot."
    )


def print_result(console: Console, result: Result) -> None:
    """Print everything that came of a run."""
    print_supervision(console, result.supervision)
    console.print(_counts(result))
    console.print(_values(result.values))
    console.print(_happenings(result.happenings))
    console.print(_timings(result.timings))
    balance = result.balance
    console.print(
        f"Mất {len(balance.lost)}, nhận hai lần {len(balance.twice)}: so sánh độc lập giữa bên gửi và bên nhận / "
        f"lost {len(balance.lost)}, delivered twice {len(balance.twice)}: independent comparison of what robots sent "
        "and what robots got"
    )
    if result.duplicates:
        console.print(
            f"Bộ SDK đã bỏ {result.duplicates} bản lặp / the agencies' kit dropped {result.duplicates} repeats"
        )
    differences = {
        "Mất / lost": balance.lost,
        "Hai lần / twice": balance.twice,
        "Bị sửa / altered": balance.altered,
        "Lạ / strange": balance.strange,
        "Sai giá trị / misjudged": balance.misjudged,
        "Sai lệch / difference": result.complaints,
    }
    for name, lines in differences.items():
        for line in lines[:SHOWN]:
            console.print(f"{name}: {line}", markup=False)
        if len(lines) > SHOWN:
            console.print(f"{name}: … {len(lines) - SHOWN} nữa / more")


async def reported(ledger_url: str, began: datetime) -> list[Report]:
    """Return the reports of `lienthong report` about the days of a run."""
    made_at = datetime.now(UTC)
    period = Period(began.astimezone(VIETNAM).date(), made_at.astimezone(VIETNAM).date())
    figures = await Figures.connect(ledger_url)
    try:
        supervised = await figures.supervised(period.since, period.until)
        traffic = await figures.traffic(period.since, period.until)
        around = Period(period.first - DEADLINE_DAYS, period.last + DEADLINE_DAYS)
        lateness = await figures.lateness(around.since, around.until, made_at)
    finally:
        await figures.close()
    return [
        connection_report(supervised, period, made_at),
        feedback_report(supervised, period, made_at),
        traffic_report(traffic, period, made_at),
        deadlines_report(lateness, around, made_at),
    ]


def write_reports(reports: Iterable[Report], folder: Path) -> None:
    """Write reports into a folder, as JSON, and as pages and PDFs to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    for report in reports:
        (folder / f"{report.key}.json").write_text(as_json(report), encoding="utf-8")
        (folder / f"{report.key}.html").write_text(as_html(report, "both"), encoding="utf-8")
        (folder / f"{report.key}.pdf").write_bytes(as_pdf(report, "both"))


def _counts(result: Result) -> Table:
    table = Table(title="Số lượng trong sổ cái / counts in the ledger")
    for heading in ("Văn bản / documents", "Lượt giao / deliveries", "Trạng thái / statuses", "Giây / seconds"):
        table.add_column(heading, justify="right")
    totals = result.totals
    table.add_row(str(totals["documents"]), str(totals["deliveries"]), str(totals["statuses"]), f"{result.seconds:.1f}")
    return table


def _values(values: Mapping[str, int]) -> Table:
    table = Table(title="Giá trị theo chữ ký số / what documents are worth by their signatures")
    table.add_column("Giá trị")
    table.add_column("Value")
    table.add_column("Văn bản / documents", justify="right")
    for name, vi, en in _VALUES:
        if name != "held" or values[name]:
            table.add_row(vi, en, str(values[name]))
    return table


def _happenings(happenings: Mapping[str, int]) -> Table:
    table = Table(title="Những việc đã diễn ra, theo sổ cái / what happened, by the ledger")
    table.add_column("Việc")
    table.add_column("What")
    table.add_column("Số / number", justify="right")
    for name, vi, en in _HAPPENINGS:
        table.add_row(vi, en, str(happenings[name]))
    return table


def _timings(timings: Mapping[str, Timing]) -> Table:
    table = Table(title="Thời gian từ lúc gửi / time since submission")
    table.add_column("Đến / until")
    table.add_column("Số đo / measured", justify="right")
    table.add_column("Trung vị / median", justify="right")
    table.add_column("p99", justify="right")
    names = {
        "delivery": "hàng đợi nơi nhận / the delivery queue",
        "status": "trạng thái đầu tiên về nơi gửi / the first status at the sender",
    }
    for key, name in names.items():
        timing = timings[key]
        table.add_row(name, str(timing.count), _milliseconds(timing.median), _milliseconds(timing.p99))
    return table


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
