"""The demo's exchange: keys for its agencies, a corner of whichever servers, and nothing of it left afterwards."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from lienthong.bus.admin import BrokerAdmin
from lienthong.errors import MisconfiguredError
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.exchange import EXCHANGE_USER, Exchange, found_exchange
from lienthong.testing.databases import create_database, drop_database
from lienthong.testing.servers import GIVEN, Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from lienthong.simulation.units import Member

__all__ = ["certified", "founded"]

VHOST = "lienthong-demo"
DATABASE = "lienthong_demo"
REQUESTS_AT_ONCE = 8


@contextmanager
def certified(folder: Path, members: Sequence[Member]) -> Iterator[Credentials]:
    """Issue the demo's credentials; keys and all are gone afterwards."""
    authority = folder / "authority"
    # Left by a demo that was killed.
    shutil.rmtree(authority, ignore_errors=True)
    authority.mkdir(parents=True)
    try:
        yield Credentials.issue(authority, members)
    finally:
        shutil.rmtree(authority, ignore_errors=True)


@asynccontextmanager
async def founded(
    servers: Servers, folder: Path, members: Sequence[Member], credentials: Credentials
) -> AsyncIterator[Exchange]:
    """Found the demo's exchange on servers; on servers that go on afterwards nothing of it is left behind.

    Raises:
        MisconfiguredError: the broker has users of the demo's names that belong to somebody else.
    """
    payload = folder / "payload"
    if GIVEN in servers.description:
        await _spare_others(servers, members)
    try:
        ledger_url = await create_database(servers.ledger_url, DATABASE)
        exchange = await found_exchange(
            f"{servers.broker_url}/{quote(VHOST, safe='')}",
            servers.management_url,
            ledger_url,
            payload_folder=payload,
            members=members,
            credentials=credentials,
        )
        yield exchange
    finally:
        await asyncio.to_thread(shutil.rmtree, payload, ignore_errors=True)
        if GIVEN in servers.description:
            await _dissolve(servers, [member.unit.code for member in members])


async def _spare_others(servers: Servers, members: Sequence[Member]) -> None:
    # The demo's users are named by the agencies' codes and deleted at the end: real agencies must not be among them.
    async with BrokerAdmin(servers.management_url) as admin:
        memberships = await admin.members()
    mine = {EXCHANGE_USER, *(member.unit.code for member in members)}
    others = sorted(name for name in mine & memberships.keys() if memberships[name] - {VHOST})
    if others:
        names = ", ".join(others)
        raise MisconfiguredError(
            f"máy chủ RabbitMQ này đã có người dùng thật {names}; hãy cho bản trình diễn một máy chủ riêng / "
            f"this broker has real users {names}; give the demo a broker of its own"
        )


async def _dissolve(servers: Servers, codes: Sequence[str]) -> None:
    async with BrokerAdmin(servers.management_url) as admin:
        await admin.delete_vhost(VHOST)
        users = [EXCHANGE_USER, *codes]
        for start in range(0, len(users), REQUESTS_AT_ONCE):
            await asyncio.gather(*map(admin.delete_user, users[start : start + REQUESTS_AT_ONCE]))
    await drop_database(servers.ledger_url, DATABASE)
