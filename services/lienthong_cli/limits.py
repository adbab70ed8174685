"""What operators do about agencies that take too little or send too much: `lienthong agency parked|quota`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lienthong.access.admission import NotPossibleError
from lienthong.edxml.wire_time import VIETNAM
from lienthong.ledger.reports import Reports
from lienthong.settings import LedgerSettings, QuotaSettings
from lienthong_cli.access import Operator, opened_ledger, operator_name
from lienthong_cli.endings import explained

if TYPE_CHECKING:
    from datetime import datetime

    from lienthong.ledger.access import Allowance
    from lienthong.ledger.parking import ParkedAgency

__all__ = ["add_commands"]

AsJson = Annotated[bool, typer.Option("--json", help="In dạng JSON / print JSON.")]
Documents = Annotated[
    int | None,
    typer.Option(min=0, help="Số văn bản mỗi phút, 0 là không giới hạn / documents a minute, 0 for no limit."),
]
Megabytes = Annotated[int | None, typer.Option(min=0, help="Số MB văn bản mỗi giờ / megabytes of documents an hour.")]
Statuses = Annotated[int | None, typer.Option(min=0, help="Số trạng thái mỗi phút / statuses a minute.")]
ByDefault = Annotated[
    bool, typer.Option("--default", help="Bỏ hạn mức riêng trước / drop the agency's own quotas before anything else.")
]
QUOTAS = {
    "documents_per_minute": "văn bản mỗi phút / documents a minute",
    "megabytes_per_hour": "MB mỗi giờ / MB an hour",
    "statuses_per_minute": "trạng thái mỗi phút / statuses a minute",
}


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the group of the agency's."""
    app.command()(parked)
    app.command()(quota)


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
        table.add_row(one.code, one.name, _when(one.parked_at), str(one.documents))
    Console().print(table if agencies else "mọi cơ quan đều lấy văn bản / all agencies collect")


def quota(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Mã cơ quan / the agency's code.")],
    documents_per_minute: Documents = None,
    megabytes_per_hour: Megabytes = None,
    statuses_per_minute: Statuses = None,
    default: ByDefault = False,
    by: Operator = "",
) -> None:
    """Hạn mức của cơ quan / how much an agency may send; shown, or changed by what is given.

    It holds at once, in all workers, without restarting them.
    """
    said = {
        "documents_per_minute": documents_per_minute,
        "megabytes_per_hour": megabytes_per_hour,
        "statuses_per_minute": statuses_per_minute,
    }

    async def change() -> Allowance:
        async with opened_ledger() as ledger, ledger.access() as unit:
            before = await unit.allowance(code)
            if before is None:
                raise NotPossibleError(f"{code}: không có cơ quan này trong danh mục / no such agency in the directory")
            asked = {
                name: (None if default else getattr(before, name)) if value is None else value
                for name, value in said.items()
            }
            after = replace(
                before,
                documents_per_minute=asked["documents_per_minute"],
                megabytes_per_hour=asked["megabytes_per_hour"],
                statuses_per_minute=asked["statuses_per_minute"],
            )
            if after != before:
                await unit.allow(after)
                facts = {name: getattr(after, name) for name in QUOTAS}
                await unit.note("QuotaChanged", after.code, {"by": by or operator_name(), **facts})
            return after

    with explained():
        allowance = asyncio.run(change())
    settings = QuotaSettings()
    typer.echo(f"{allowance.code} {allowance.name}")
    for name, words in QUOTAS.items():
        own = getattr(allowance, name)
        effective = getattr(settings, name) if own is None else own
        shown = str(effective) if effective else "không giới hạn / no limit"
        typer.echo(f"  {words}: {shown}{' (mặc định / by default)' if own is None else ''}")
    for words, since in (
        ("văn bản / documents", allowance.documents_over_since),
        ("trạng thái / statuses", allowance.statuses_over_since),
    ):
        if since is not None:
            typer.echo(f"  {words}: đang vượt hạn mức, bị từ chối từ / over quota, refused since {_when(since)}")


def _when(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).isoformat(" ", timespec="minutes")
