"""`lienthong report`: the supervision of connection and feedback, and traffic, of any period and in any form."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text

from lienthong.document.zone import VIETNAM
from lienthong.ledger.figures import Figures
from lienthong.reporting.files import as_csv, as_json, as_xlsx
from lienthong.reporting.lateness import deadlines_report
from lienthong.reporting.model import Kind, Language, Period, Report, cell_text, number_text
from lienthong.reporting.page import OTHERS, PERIOD, TOTAL, as_html
from lienthong.reporting.paper import as_pdf
from lienthong.reporting.supervision import connection_report, feedback_report
from lienthong.reporting.traffic import traffic_report
from lienthong.settings import LedgerSettings
from lienthong_cli.endings import USAGE, explained, fail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lienthong.reporting.model import Cell, Column, Table

app = typer.Typer(
    no_args_is_help=True,
    help="Báo cáo theo kỳ, tính từ sổ cái / reports about a period, computed from the ledger.",
)

Format = Literal["table", "json", "csv", "xlsx", "html", "pdf"]
BINARY = ("xlsx", "pdf")

First = Annotated[
    datetime | None,
    typer.Option(
        "--from", formats=["%Y-%m-%d"], help="Ngày đầu, mặc định mùng 1 tháng này / first day; this month's first."
    ),
]
Last = Annotated[
    datetime | None,
    typer.Option("--to", formats=["%Y-%m-%d"], help="Ngày cuối, tính cả ngày đó / last day, included; today."),
]
Form = Annotated[Format, typer.Option("--format", help="Dạng / form.")]
Lang = Annotated[Language, typer.Option("--lang", help="Ngôn ngữ / language.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Ghi vào tệp / write to a file, not to the screen.")
]
Which = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="Bảng nào, với csv / which table, for csv; the first one.")
]


@dataclass(frozen=True, slots=True)
class _Asked:
    period: Period
    form: Format
    lang: Language
    out: Path | None
    table: str | None


@app.command()
def connection(
    first: First = None,
    last: Last = None,
    form: Form = "table",
    lang: Lang = "both",
    out: Out = None,
    table: Which = None,
) -> None:
    """Các đơn vị đã kết nối / which units are connected, since when, and what they sent and received."""

    async def read(figures: Figures, period: Period) -> Report:
        return connection_report(await figures.supervised(period.since, period.until), period, datetime.now(UTC))

    _report(read, _asked(first, last, form, lang, out, table))


@app.command()
def feedback(
    first: First = None,
    last: Last = None,
    form: Form = "table",
    lang: Lang = "both",
    out: Out = None,
    table: Which = None,
) -> None:
    """Mức phản hồi trạng thái của các đơn vị, kèm căn cứ / how far units feed statuses back, with the evidence."""

    async def read(figures: Figures, period: Period) -> Report:
        return feedback_report(await figures.supervised(period.since, period.until), period, datetime.now(UTC))

    _report(read, _asked(first, last, form, lang, out, table))


@app.command()
def traffic(
    first: First = None,
    last: Last = None,
    form: Form = "table",
    lang: Lang = "both",
    out: Out = None,
    table: Which = None,
) -> None:
    """Lưu lượng theo cặp, loại, dung lượng, giờ, ngày / volumes by pair, kind, act, size, hour and day."""

    async def read(figures: Figures, period: Period) -> Report:
        return traffic_report(await figures.traffic(period.since, period.until), period, datetime.now(UTC))

    _report(read, _asked(first, last, form, lang, out, table))


@app.command()
def deadlines(
    first: First = None,
    last: Last = None,
    form: Form = "table",
    lang: Lang = "both",
    out: Out = None,
    table: Which = None,
) -> None:
    """Thời hạn đúng, muộn, quá hạn theo cơ quan / deadlines kept, late and overdue, by agency, with what was worst."""

    async def read(figures: Figures, period: Period) -> Report:
        now = datetime.now(UTC)
        return deadlines_report(await figures.lateness(period.since, period.until, now), period, now)

    _report(read, _asked(first, last, form, lang, out, table))


def _asked(
    first: datetime | None, last: datetime | None, form: Format, lang: Language, out: Path | None, table: str | None
) -> _Asked:
    today = datetime.now(VIETNAM).date()
    until = last.date() if last else today
    since = first.date() if first else until.replace(day=1)
    if not date.min < since <= until < date.max:
        fail(f"kỳ không có ngày nào / the period has no day: {since} … {until}", USAGE)
    if table is not None and form != "csv":
        fail("--table chỉ dùng với / is for --format csv only", USAGE)
    if form in BINARY and out is None and sys.stdout.isatty():
        fail(f"{form} không in ra màn hình được, hãy dùng / cannot be shown here, use --out FILE", USAGE)
    return _Asked(Period(since, until), form, lang, out, table)


def _report(read: Callable[[Figures, Period], Awaitable[Report]], asked: _Asked) -> None:
    async def work() -> Report:
        figures = await Figures.connect(LedgerSettings().url.get_secret_value())
        try:
            return await read(figures, asked.period)
        finally:
            await figures.close()

    with explained():
        report = asyncio.run(work())
        if asked.form == "table" and asked.out is None:
            _show(Console(), report, asked.lang)
        else:
            _write(_written(report, asked), asked.out)


def _written(report: Report, asked: _Asked) -> bytes:
    if asked.form == "xlsx":
        return as_xlsx(report, asked.lang)
    if asked.form == "pdf":
        return as_pdf(report, asked.lang)
    if asked.form == "html":
        return as_html(report, asked.lang).encode()
    if asked.form == "json":
        return f"{as_json(report)}\n".encode()
    if asked.form == "csv":
        try:
            return as_csv(report.table(asked.table)).encode()
        except KeyError:
            known = ", ".join(table.key for table in report.tables)
            fail(f"không có bảng / there is no table {asked.table}: {known}", USAGE)
    console = Console(width=160, record=True, quiet=True)
    _show(console, report, asked.lang)
    return console.export_text().encode()


def _write(data: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        out.write_bytes(data)
        typer.echo(f"{out}: {number_text(len(data))} byte", err=True)


def _show(console: Console, report: Report, lang: Language) -> None:
    console.print(Text(report.title.shown(lang), style="bold"))
    console.print(Text(f"{PERIOD.shown(lang)}: {report.period.first} … {report.period.last}"))
    figures = Shown(show_header=False)
    figures.add_column()
    figures.add_column(justify="right")
    for name, figure in report.figures.items():
        figures.add_row(Text(report.figure_words[name].shown(lang)), number_text(figure))
    console.print(figures)
    for table in report.tables:
        # Evidence is for looking up one unit: programs and pages have it.
        if table.key != "evidence":
            console.print(_table(table, lang))
        if table.note:
            console.print(Text(table.note.shown(lang)))


def _table(table: Table, lang: Language) -> Shown:
    shown = Shown(title=Text(table.title.shown(lang)), title_justify="left")
    for column in table.columns:
        right = column.kind in (Kind.NUMBER, Kind.BYTES, Kind.SHARE)
        shown.add_column(Text(column.title.shown(lang, "\n")), justify="right" if right else "left", overflow="fold")
    rows, rest, left_out = table.shown()
    for row in rows:
        shown.add_row(*_cells(table.columns, row, lang))
    if rest is not None:
        shown.add_row(*_named(_cells(table.columns, rest, lang), f"{OTHERS.shown(lang)} ({number_text(left_out)})"))
    if table.totals is not None:
        shown.add_section()
        shown.add_row(*_named(_cells(table.columns, table.totals, lang), TOTAL.shown(lang)))
    return shown


def _cells(columns: Sequence[Column], row: Sequence[Cell], lang: Language) -> list[Text]:
    return [Text(cell_text(column, cell, lang)) for column, cell in zip(columns, row, strict=True)]


def _named(cells: list[Text], name: str) -> list[Text]:
    return [cells[0] if cells[0].plain else Text(name), *cells[1:]]
