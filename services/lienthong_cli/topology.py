"""`lienthong topology`: make the exchange's virtual host, exchanges and queues, or show what they are."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote, urlsplit

import typer
from rich.console import Console
from rich.table import Table

import lienthong
from lienthong.bus.admin import FULL_PERMISSIONS, BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.errors import MisconfiguredError
from lienthong.settings import BrokerSettings
from lienthong.topology.asyncapi import asyncapi
from lienthong.topology.plan import exchange_plan
from lienthong_cli.endings import explained

__all__ = ["app"]

app = typer.Typer(help="Cấu hình hàng đợi trên RabbitMQ / the exchanges and queues on RabbitMQ.", no_args_is_help=True)


@app.command("apply")
def apply_plan() -> None:
    """Tạo những gì còn thiếu, không xoá gì / create what is missing, delete nothing.

    LIENTHONG_BROKER_URL names the virtual host, LIENTHONG_BROKER_MANAGEMENT_URL an administrator.
    """
    with explained():
        vhost, created = asyncio.run(_apply(BrokerSettings()))
    plan = exchange_plan()
    Console().print(
        f"{'đã tạo / created' if created else 'đã có / was there'}: {vhost}; "
        f"{len(plan.exchanges)} exchanges, {len(plan.queues)} queues, {len(plan.bindings)} bindings",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def show() -> None:
    """In ra cấu hình của trục / print what the exchange has on the broker."""
    plan = exchange_plan()
    exchanges = Table("Exchange", "Type", title="Exchanges")
    for exchange in plan.exchanges:
        exchanges.add_row(exchange.name, exchange.type)
    queues = Table("Queue", "Bound to", "Arguments", title="Queues")
    for queue in plan.queues:
        bound = [f"{binding.exchange}: {binding.key}" for binding in plan.bindings if binding.queue == queue.name]
        arguments = [f"{name.removeprefix('x-')} = {value}" for name, value in sorted(queue.arguments.items())]
        queues.add_row(queue.name, "\n".join(bound), "\n".join(arguments), end_section=True)
    console = Console()
    console.print(exchanges)
    console.print(queues)


async def _apply(settings: BrokerSettings) -> tuple[str, bool]:
    """Return the virtual host's name and whether it is new."""
    urls = settings.url.get_secret_value()
    vhost, user = _vhost_and_user(urls)
    async with BrokerAdmin(settings.management_url.get_secret_value()) as admin:
        created = await admin.create_vhost(vhost)
        # Whoever was given less on purpose keeps less.
        if await admin.permissions(vhost, user) is None:
            await admin.set_permissions(vhost, user, FULL_PERMISSIONS)
    async with Bus(urls, name="lienthong topology apply", heartbeat_seconds=settings.heartbeat_seconds) as bus:
        await bus.declare(exchange_plan())
    return vhost, created


def _vhost_and_user(urls: str) -> tuple[str, str]:
    """Return what all addresses of the broker have in common.

    Raises:
        MisconfiguredError: they differ in it.
    """
    found = {
        (unquote(place.path.removeprefix("/")) or "/", unquote(place.username or "guest"))
        for place in map(urlsplit, filter(None, map(str.strip, urls.split(","))))
    }
    if len(found) != 1:
        raise MisconfiguredError("LIENTHONG_BROKER_URL: all addresses need the same virtual host and user")
    return found.pop()


@app.command("asyncapi")
def print_asyncapi() -> None:
    """In hợp đồng giao tiếp dạng AsyncAPI 3 / print the wire contract as AsyncAPI 3."""
    print(json.dumps(asyncapi(lienthong.__version__), ensure_ascii=False, indent=2))
