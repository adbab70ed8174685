"""The demo's exchange on whichever servers: founded in a corner of them, and gone afterwards."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from lienthong.bus.admin import BrokerAdmin
from lienthong.simulation.exchange import EXCHANGE_USER, Exchange, found_exchange
from lienthong.testing.databases import create_database, drop_database
from lienthong.testing.servers import GIVEN, Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from lienthong.simulation.units import Member

__all__ = ["founded"]

VHOST = "lienthong-demo"
DATABASE = "lienthong_demo"
REQUESTS_AT_ONCE = 8


@asynccontextmanager
async def founded(servers: Servers, folder: Path, members: Sequence[Member]) -> AsyncIterator[Exchange]:
    """Found the demo's exchange on servers; on servers that go on afterwards nothing of it is left behind."""
    payload = folder / "payload"
    try:
        ledger_url = await create_database(servers.ledger_url, DATABASE)
        exchange = await found_exchange(
            f"{servers.broker_url}/{quote(VHOST, safe='')}",
            servers.management_url,
            ledger_url,
            payload_folder=payload,
            members=members,
        )
        yield exchange
    finally:
        await asyncio.to_thread(shutil.rmtree, payload, ignore_errors=True)
        if GIVEN in servers.description:
            await _dissolve(servers, [member.unit.code for member in members])


async def _dissolve(servers: Servers, codes: Sequence[str]) -> None:
    async with BrokerAdmin(servers.management_url) as admin:
        await admin.delete_vhost(VHOST)
        users = [EXCHANGE_USER, *codes]
        for start in range(0, len(users), REQUESTS_AT_ONCE):
            await asyncio.gather(*map(admin.delete_user, users[start : start + REQUESTS_AT_ONCE]))
    await drop_database(servers.ledger_url, DATABASE)
