"""`lienthong topology`: make the exchange's virtual host, exchanges and queues, or show what they are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import lienthong
from lienthong.access.addresses import broker_logins
from lienthong.access.broker import Place, place_of
from lienthong.access.drift import Difference, Wanted, differences, find
from lienthong.access.mend import mend
from lienthong.bus.admin import BrokerAdmin
from lienthong.document import life_cycle_published
from lienthong.errors import MisconfiguredError
from lienthong.settings import AccessSettings, BrokerSettings
from lienthong.topology.asyncapi import as_yaml
from lienthong.topology.plan import exchange_plan
from lienthong.topology.rights import OPERATOR_USER
from lienthong_cli.access import Operator, opened_ledger, operator_name
from lienthong_cli.endings import REFUSED, explained

__all__ = ["app"]

app = typer.Typer(help="Cấu hình hàng đợi trên RabbitMQ / the exchanges and queues on RabbitMQ.", no_args_is_help=True)

Workers = Annotated[
    Path | None,
    typer.Option(
        "--workers",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="Thư mục có tệp <tên>-broker-url của từng tiến trình, khi dùng mật khẩu / folder with a file "
        "<name>-broker-url for each worker, where passwords are used.",
    ),
]


@app.command("plan")
def show_drift(workers: Workers = None) -> None:
    """So trục với sổ cái, không sửa gì / show where the broker differs from plan and ledger, changing nothing.

    Exit status: 0 when it does not, 1 when it does.
    """
    with explained():
        drift = asyncio.run(_drift(BrokerSettings(), workers))
    if drift is None:
        typer.echo("chưa có virtual host / the virtual host is missing")
        raise typer.Exit(REFUSED)
    for difference in drift:
        _say(difference)
    if drift:
        raise typer.Exit(REFUSED)
    typer.echo("RabbitMQ đúng với sổ cái / the broker agrees with plan and ledger")


@app.command("apply")
def apply_plan(
    workers: Workers = None,
    operator: Operator = "",
    rolling: Annotated[
        bool,
        typer.Option(
            "--rolling",
            help="Khi tiến trình của phiên bản trước còn chạy: không bớt quyền của chúng / while workers of the "
            "version before are at work: take no rights from them.",
        ),
    ] = False,
) -> None:
    """Sửa những gì khác mà không mất gì, không xoá hàng đợi / mend what differs, losing nothing, deleting no queue.

    LIENTHONG_BROKER_URL names the virtual host and the user lienthong-operator, LIENTHONG_BROKER_MANAGEMENT_URL an
    administrator, LIENTHONG_LEDGER_URL the ledger, whose directory says which agencies there are. The workers' users
    are made too: with certificates where the operator has one, else with the passwords in --workers. Exit status: 1
    when something was left alone.
    """
    with explained():
        vhost, created, mended, left = asyncio.run(
            _apply(BrokerSettings(), workers, by=operator or operator_name(), rolling=rolling)
        )
    for difference in mended:
        _say(difference, "đã sửa / mended: ")
    for difference in left:
        _say(difference, "để nguyên / left alone: ")
    plan = exchange_plan()
    typer.echo(
        f"{'đã tạo / created' if created else 'đã có / was there'}: {vhost}; "
        f"{len(plan.exchanges)} exchanges, {len(plan.queues)} queues, {len(plan.bindings)} bindings"
    )
    if left:
        raise typer.Exit(REFUSED)


@app.command()
def show() -> None:
    """In ra cấu hình của trục / print what the exchange has on the broker."""
    plan = exchange_plan()
    exchanges = Table("Exchange", "Type", "Arguments", title="Exchanges")
    for exchange in plan.exchanges:
        exchanges.add_row(exchange.name, exchange.type, ", ".join(map(" = ".join, exchange.arguments.items())))
    queues = Table("Queue", "Bound to", "Arguments", title="Queues")
    for queue in plan.queues:
        bound = [f"{binding.exchange}: {binding.key}" for binding in plan.bindings if binding.queue == queue.name]
        arguments = [f"{name.removeprefix('x-')} = {value}" for name, value in sorted(queue.arguments.items())]
        queues.add_row(queue.name, "\n".join(bound), "\n".join(arguments), end_section=True)
    console = Console()
    console.print(exchanges)
    console.print(queues)


async def _drift(settings: BrokerSettings, workers: Path | None) -> list[Difference] | None:
    """Return what differs; None when there is not even the virtual host."""
    place = _place(settings)
    async with BrokerAdmin(settings.management_url.get_secret_value()) as admin:
        if not await admin.has_vhost(place.vhost):
            return None
        return differences(await _wanted(admin, place, workers), await find(admin, place.vhost))


async def _apply(
    settings: BrokerSettings, workers: Path | None, *, by: str, rolling: bool
) -> tuple[str, bool, list[Difference], list[Difference]]:
    """Return the virtual host's name, whether it is new, what was mended, and what was not."""
    urls = settings.url.get_secret_value()
    place = _place(settings)
    async with BrokerAdmin(settings.management_url.get_secret_value()) as admin:
        wanted = await _wanted(admin, place, workers)
        created = await admin.create_vhost(place.vhost)
        there = await find(admin, place.vhost)
        if rolling:
            wanted = wanted.beside(there)
        found = differences(wanted, there)
        mended = await mend(found, wanted, admin=admin, urls=urls, place=place)
    if mended:
        async with opened_ledger() as ledger, ledger.access() as unit:
            await unit.note("TopologyRepaired", None, {"by": by, "mended": list(map(str, mended))})
    return place.vhost, created, mended, [one for one in found if one not in mended]


def _place(settings: BrokerSettings) -> Place:
    place = place_of(settings.url.get_secret_value())
    if place.user != OPERATOR_USER:
        raise MisconfiguredError(f"LIENTHONG_BROKER_URL phải mang tên / has to name the user {OPERATOR_USER}")
    return place


async def _wanted(admin: BrokerAdmin, place: Place, workers: Path | None) -> Wanted:
    async with opened_ledger() as ledger, ledger.access() as unit:
        participants, diverted = await unit.participants(), await unit.diverted()
    return Wanted(participants, broker_logins(place, workers), admin.user, AccessSettings(), diverted=diverted)


def _say(difference: Difference, before: str = "") -> None:
    typer.echo(f"{before}{difference}")
    if difference.remedy:
        typer.echo(f"  {difference.remedy}")


@app.command("asyncapi")
def print_asyncapi() -> None:
    """In hợp đồng giao tiếp dạng AsyncAPI 3 (YAML) / print the wire contract as AsyncAPI 3, in YAML."""
    print(as_yaml(lienthong.__version__), end="")


@app.command("lifecycle")
def print_life_cycle() -> None:
    """In vòng đời văn bản dạng JSON, kèm dữ liệu kiểm thử / print the life cycle as JSON, with test vectors."""
    print(life_cycle_published.as_json(), end="")
