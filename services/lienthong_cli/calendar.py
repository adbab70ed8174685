"""`lienthong calendar`: on which days offices work, as far as the calendar library does not know it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from lienthong.document.working_days import WorkingDays
from lienthong.document.zone import day_of
from lienthong.ledger.reports import Reports
from lienthong.settings import LedgerSettings
from lienthong_cli.access import Operator, opened_ledger, operator_name
from lienthong_cli.endings import REFUSED, explained, fail

if TYPE_CHECKING:
    from lienthong.ledger.deadlines import CalendarDay

__all__ = ["app"]

app = typer.Typer(help="Ngày làm việc / working days.", no_args_is_help=True)

WEEKDAYS = ("Th 2 / Mon", "Th 3 / Tue", "Th 4 / Wed", "Th 5 / Thu", "Th 6 / Fri", "Th 7 / Sat", "CN / Sun")
WORKS = {True: "làm việc / working", False: "nghỉ / off"}

Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Ngày / the day.")]
Because = Annotated[str, typer.Option(help="Căn cứ, ghi vào sổ cái / why, for the history.")]


@app.command()
def swap(
    off: Annotated[
        datetime,
        typer.Argument(metavar="OFF", formats=["%Y-%m-%d"], help="Ngày được nghỉ / the day that becomes free."),
    ],
    worked: Annotated[
        datetime, typer.Argument(metavar="WORKED", formats=["%Y-%m-%d"], help="Ngày làm bù / the day worked instead.")
    ],
    because: Because,
    by: Operator = "",
) -> None:
    """Hoán đổi ngày làm việc / swap a working day with a day off; open deadlines are reckoned anew."""
    calendar = WorkingDays()
    if not calendar.is_working(off.date()) or calendar.is_working(worked.date()):
        fail(
            f"{off.date()} phải là ngày làm việc và {worked.date()} phải là ngày nghỉ / {off.date()} has to be a "
            f"working day and {worked.date()} a day off; `lienthong calendar decide` takes single days",
            REFUSED,
        )
    _decide({off.date(): False, worked.date(): True}, because, by)


@app.command()
def decide(
    day: Day,
    what: Annotated[
        Literal["working", "off", "usual"],
        typer.Argument(help="Làm việc, nghỉ, hay như lịch / as the calendar has it."),
    ],
    because: Because,
    by: Operator = "",
) -> None:
    """Quyết định về một ngày / decide about one day; open deadlines are reckoned anew.

    `usual` takes a decision back.
    """
    _decide({day.date(): {"working": True, "off": False, "usual": None}[what]}, because, by)


@app.command("list")
def list_(
    year: Annotated[int | None, typer.Argument(min=1995, max=2100, help="Năm / the year; this one by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In dạng JSON / print JSON.")] = False,
) -> None:
    """Ngày lễ, ngày nghỉ bù và ngày được quyết định / public holidays, days in lieu, and what was decided."""

    async def ask() -> list[CalendarDay]:
        reports = await Reports.connect(LedgerSettings().url.get_secret_value())
        try:
            return await reports.calendar()
        finally:
            await reports.close()

    with explained():
        decided = {one.day: one for one in asyncio.run(ask())}
    year = year or day_of(datetime.now(UTC)).year
    calendar = WorkingDays({day: one.working for day, one in decided.items()})
    named = {day: f"{vi} / {en}" for day, vi, en in calendar.holidays(year)}
    days = sorted(named.keys() | {day for day in decided if day.year == year})
    rows = [
        {
            "day": day.isoformat(),
            "working": calendar.is_working(day),
            "name": named.get(day),
            "decided": decided[day].reason if day in decided else None,
            "decided_by": decided[day].decided_by if day in decided else None,
        }
        for day in days
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table("Ngày / Day", "", "", "Ngày lễ / Holiday", "Quyết định / Decided")
    for day, row in zip(days, rows, strict=True):
        why = f"{row['decided']} ({row['decided_by']})" if row["decided"] else ""
        table.add_row(day.isoformat(), WEEKDAYS[day.weekday()], WORKS[calendar.is_working(day)], named.get(day), why)
    Console().print(table)


def _decide(days: dict[date, bool | None], because: str, by: str) -> None:
    who = by or operator_name()

    async def write() -> None:
        async with opened_ledger() as ledger, ledger.access() as unit:
            await unit.decide_days(days, because, who)
            facts = {"by": who, "reason": because, "days": {str(day): working for day, working in days.items()}}
            await unit.note("CalendarDecided", None, facts)

    with explained():
        asyncio.run(write())
    calendar = WorkingDays({day: working for day, working in days.items() if working is not None})
    for day in sorted(days):
        typer.echo(f"{day} ({WEEKDAYS[day.weekday()]}): {WORKS[calendar.is_working(day)]}")
