"""`lienthong ledger`: make the ledger's schema, and count what is in it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lienthong.ledger.migrations import migrate as apply_migrations
from lienthong.ledger.reports import Reports
from lienthong.settings import LedgerSettings

app = typer.Typer(no_args_is_help=True, help="The ledger: its schema and its totals.")

Url = Annotated[str | None, typer.Option("--ledger", help="PostgreSQL address; LIENTHONG_LEDGER_URL when left out")]


@app.command()
def migrate(url: Url = None) -> None:
    """Apply the migrations the database does not have yet."""
    applied = asyncio.run(apply_migrations(url or LedgerSettings().url.get_secret_value()))
    console = Console()
    for name in applied:
        console.print(f"đã áp dụng / applied {name}")
    if not applied:
        console.print("lược đồ đã mới nhất / the schema is up to date")


@app.command()
def totals(url: Url = None) -> None:
    """Count documents, deliveries, statuses, refusals and entries."""

    async def read() -> dict[str, int]:
        reports = await Reports.connect(url or LedgerSettings().url.get_secret_value())
        try:
            return await reports.totals()
        finally:
            await reports.close()

    table = Table("Sổ cái / Ledger", "Số lượng / Count")
    for name, number in asyncio.run(read()).items():
        table.add_row(name.replace("_", " "), str(number))
    Console().print(table)
