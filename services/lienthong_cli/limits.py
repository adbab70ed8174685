"""The operator's view of agencies that take too little or send too much: `lienthong agency parked`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lienthong.edxml.wire_time import VIETNAM
from lienthong.ledger.reports import Reports
from lienthong.settings import LedgerSettings
from lienthong_cli.endings import explained

if TYPE_CHECKING:
    from lienthong.ledger.parking import ParkedAgency

__all__ = ["add_commands"]

AsJson = Annotated[bool, typer.Option("--json", help="In dạng JSON / print JSON.")]


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the group of the agency's."""
    app.command()(parked)


def parked(as_json: AsJson = False) -> None:
    """Cơ quan không lấy văn bản / agencies that do not collect, and how much waits for each."""

    async def ask() -> list[ParkedAgency]:
        reports = await Reports.connect(LedgerSettings().url.get_secret_value())
        try:
            return await reports.parked()
        finally:
            await reports.close()

    with explained():
        agencies = asyncio.run(ask())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in agencies], ensure_ascii=False, indent=2, default=str))
        return
    table = Table("Cơ quan / Agency", "Tên / Name", "Từ / Since", "Đang chờ / Waiting")
    for one in agencies:
        since = one.parked_at.astimezone(VIETNAM).isoformat(" ", timespec="minutes")
        table.add_row(one.code, one.name, since, str(one.documents))
    Console().print(table if agencies else "mọi cơ quan đều lấy văn bản / all agencies collect")
