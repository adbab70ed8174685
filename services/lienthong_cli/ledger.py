"""`lienthong ledger`: make the ledger's schema, and count what is in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lienthong.access.addresses import ledger_logins
from lienthong.ledger.logins import let_log_in
from lienthong.ledger.migrations import lacking
from lienthong.ledger.migrations import migrate as apply_migrations
from lienthong.ledger.reports import Reports
from lienthong.settings import LedgerSettings
from lienthong_cli.endings import explained

app = typer.Typer(
    no_args_is_help=True, help="Sổ cái: lược đồ và số liệu tổng hợp / the ledger: its schema and its totals."
)

Url = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="Địa chỉ PostgreSQL, mặc định là LIENTHONG_LEDGER_URL / PostgreSQL address, LIENTHONG_LEDGER_URL when "
        "left out.",
    ),
]


@app.command()
def migrate(
    url: Url = None,
    workers: Annotated[
        Path | None,
        typer.Option(
            "--workers",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Thư mục có tệp <tên>-ledger-url của từng tiến trình; cho các vai trò đó đăng nhập / folder with a "
            "file <name>-ledger-url for each worker; lets their roles log in.",
        ),
    ] = None,
    rolling: Annotated[
        bool,
        typer.Option(
            "--rolling",
            help="Khi tiến trình của phiên bản trước còn chạy: để lại những bước chỉ làm khi không còn chúng / while "
            "workers of the version before are at work: leave what has to wait until they are gone.",
        ),
    ] = False,
) -> None:
    """Tạo hoặc nâng cấp lược đồ / make the ledger's schema, or bring it up to date."""

    async def run() -> list[str]:
        address = url or LedgerSettings().url.get_secret_value()
        logins = ledger_logins(workers) if workers else {}
        done = await apply_migrations(address, only=lacking(()) if rolling else None)
        await let_log_in(address, logins)
        return done

    with explained():
        applied = asyncio.run(run())
    console = Console()
    for name in applied:
        console.print(f"đã áp dụng / applied {name}")
    if not applied:
        console.print("lược đồ đã mới nhất / the schema is up to date")


@app.command()
def totals(url: Url = None) -> None:
    """Đếm văn bản, lượt giao, trạng thái, từ chối, bút toán / count what is in the ledger."""

    async def read() -> dict[str, int]:
        reports = await Reports.connect(url or LedgerSettings().url.get_secret_value())
        try:
            return await reports.totals()
        finally:
            await reports.close()

    with explained():
        counted = asyncio.run(read())
    table = Table("Sổ cái / Ledger", "Số lượng / Count")
    for name, number in counted.items():
        table.add_row(name.replace("_", " "), str(number))
    Console().print(table)
