"""What the broker grants agencies and our own users: given, taken away at once, and read back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lienthong.bus.link import addresses_of
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.topology.plan import agency_permissions, agency_topic_permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lienthong.bus.admin import BrokerAdmin, UserLimit
    from lienthong.settings import AccessSettings
    from lienthong.topology.rights import Rights

__all__ = ["Place", "close_connections", "grant", "let_in", "limits", "place_of", "shut_out"]

CLOSE_SECONDS = 15.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """What all addresses of the broker have in common.

    Attributes:
        vhost: the virtual host.
        user: whom the exchange itself logs in as.
        password: with which password; None when it has a certificate.
    """

    vhost: str
    user: str
    password: str | None


def place_of(urls: str) -> Place:
    """Return what all addresses of ``LIENTHONG_BROKER_URL`` have in common.

    Raises:
        MisconfiguredError: they differ in it, or one is no AMQP address.
    """
    found = set()
    for url in addresses_of(urls):
        external = url.query.get("auth", "").lower() == "external"
        vhost = unquote(url.raw_path.removeprefix("/")) or "/"
        found.add(Place(vhost, url.user or "guest", None if external else url.password or "guest"))
    if len(found) != 1:
        raise MisconfiguredError("LIENTHONG_BROKER_URL: all addresses need the same virtual host and user")
    return found.pop()


def limits(settings: AccessSettings) -> Mapping[UserLimit, int]:
    """Return RabbitMQ's limits of one agency's user."""
    return {"max-connections": settings.connections, "max-channels": settings.channels}


async def let_in(admin: BrokerAdmin, vhost: str, agency: str, settings: AccessSettings) -> None:
    """Give an agency's user, which must be there, exactly what an agency may do, and its limits."""
    await admin.set_topic_permissions(vhost, agency, agency_topic_permissions(agency))
    await admin.set_user_limits(agency, limits(settings))
    # Last, because this opens the door.
    await admin.set_permissions(vhost, agency, agency_permissions(agency))


async def grant(admin: BrokerAdmin, vhost: str, user: str, rights: Rights) -> None:
    """Give one of our own users, which must be there, exactly its rights."""
    await admin.set_topic_permissions(vhost, user, rights.topics)
    # Last, because this opens the door.
    await admin.set_permissions(vhost, user, rights.permissions)


async def shut_out(admin: BrokerAdmin, vhost: str, agency: str) -> None:
    """Take everything from a user and end its connections; its password and its queues stay.

    Raises:
        Unavailable: connections of it are still open after a while.
    """
    await admin.clear_permissions(vhost, agency)
    await close_connections(admin, agency)


async def close_connections(admin: BrokerAdmin, agency: str) -> None:
    """End a user's connections, and see that they are gone.

    Changed permissions are not enough: a channel that is open keeps what it had.

    Raises:
        Unavailable: some are still open after a while.
    """
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            while True:
                await admin.close_user_connections(agency)
                # One that was being opened may be listed only now.
                if not await admin.connections_of(agency):
                    return
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise Unavailable(
            f"kết nối của {agency} chưa đóng hết, hãy chạy lại lệnh / connections of {agency} are still open, "
            "run the command again"
        ) from None
