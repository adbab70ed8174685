"""An exchange for demo and drill: keys for its agencies, a corner of whichever servers, nothing left afterwards."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from lienthong.bus.admin import BrokerAdmin
from lienthong.errors import MisconfiguredError
from lienthong.ledger.logins import end_logins, others_logged_in
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.exchange import Exchange, found_exchange
from lienthong.testing.databases import create_database, drop_database
from lienthong.testing.servers import GIVEN, Servers
from lienthong.topology.rights import OWN_USERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from lienthong.simulation.units import Member

__all__ = ["certified", "founded"]

REQUESTS_AT_ONCE = 8


@contextmanager
def certified(folder: Path, members: Sequence[Member]) -> Iterator[Credentials]:
    """Issue credentials; keys and all are gone afterwards."""
    authority = folder / "authority"
    # Left by one that was killed.
    shutil.rmtree(authority, ignore_errors=True)
    authority.mkdir(parents=True)
    try:
        yield Credentials.issue(authority, members)
    finally:
        shutil.rmtree(authority, ignore_errors=True)


@asynccontextmanager
async def founded(
    servers: Servers, folder: Path, members: Sequence[Member], credentials: Credentials, *, name: str = "demo"
) -> AsyncIterator[Exchange]:
    """Found an exchange on servers; on servers that go on afterwards nothing of it is left behind.

    Args:
        servers: where.
        folder: for its payloads.
        members: its agencies.
        credentials: what was issued to them.
        name: what its virtual host and its database are called after.

    Raises:
        MisconfiguredError: the servers have users of these names, agencies' or workers', that are somebody else's.
    """
    payload = folder / "payload"
    vhost, database = f"lienthong-{name}", f"lienthong_{name}"
    if GIVEN in servers.description:
        await _spare_others(servers, members, vhost, database)
    try:
        ledger_url = await create_database(servers.ledger_url, database)
        exchange = await found_exchange(
            servers.vhost_url(vhost),
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
            await _dissolve(servers, [member.unit.code for member in members], vhost, database)


async def _spare_others(servers: Servers, members: Sequence[Member], vhost: str, database: str) -> None:
    # Its users are named by the agencies' codes and deleted at the end: real agencies must not be among them.
    async with BrokerAdmin(servers.management_url) as admin:
        memberships = await admin.members()
    mine = {*OWN_USERS, *(member.unit.code for member in members)}
    others = sorted(name for name in mine & memberships.keys() if memberships[name] - {vhost})
    if others:
        names = ", ".join(others)
        raise MisconfiguredError(
            f"máy chủ RabbitMQ này đã có người dùng thật {names}; hãy dùng một máy chủ riêng / "
            f"this broker has real users {names}; use a broker of its own"
        )
    # Roles belong to the whole server: the workers of a real exchange would be locked out.
    if real := await others_logged_in(servers.ledger_url, database):
        raise MisconfiguredError(
            f"máy chủ PostgreSQL này đang phục vụ trục thật {', '.join(real)}; hãy dùng một máy chủ riêng / "
            f"this server works for a real exchange {', '.join(real)}; use a server of its own"
        )


async def _dissolve(servers: Servers, codes: Sequence[str], vhost: str, database: str) -> None:
    async with BrokerAdmin(servers.management_url) as admin:
        await admin.delete_vhost(vhost)
        users = [*OWN_USERS, *codes]
        for start in range(0, len(users), REQUESTS_AT_ONCE):
            await asyncio.gather(*map(admin.delete_user, users[start : start + REQUESTS_AT_ONCE]))
    await end_logins(servers.ledger_url)
    await drop_database(servers.ledger_url, database)
