"""A whole exchange on given servers: virtual host, users, queues, ledger, directory."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.bus.admin import FULL_PERMISSIONS, BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.bus.link import addresses_of
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.migrations import migrate
from lienthong.ledger.rows import AgencyRow
from lienthong.topology.plan import agency_permissions, agency_plan, exchange_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lienthong.simulation.credentials import Credentials
    from lienthong.simulation.units import Member

__all__ = ["EXCHANGE_USER", "Exchange", "found_exchange"]

EXCHANGE_USER = "lienthong-exchange"
"""The broker user of the workers."""
REQUESTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where an exchange is, for its workers and for its agencies.

    Attributes:
        broker_url: AMQP URL of the virtual host, for the workers; several, comma-separated, of a cluster.
        ledger_url: PostgreSQL URL of the ledger.
        payload_folder: the payload store.
        passwords: of the connected agencies, by code.
        credentials: what the workers believe and demand of signatures, and the keys of the connected agencies.
    """

    broker_url: str
    ledger_url: str
    payload_folder: Path
    passwords: Mapping[str, str]
    credentials: Credentials

    @property
    def environment(self) -> dict[str, str]:
        """The workers' settings."""
        return {
            "LIENTHONG_BROKER_URL": self.broker_url,
            "LIENTHONG_LEDGER_URL": self.ledger_url,
            "LIENTHONG_PAYLOAD_FOLDER": str(self.payload_folder),
            "LIENTHONG_TRUST_FOLDER": str(self.credentials.trust_folder),
            # The authority writes its lists there itself.
            "LIENTHONG_TRUST_REFRESH": "false",
            "LIENTHONG_SIGNATURE_POLICY": str(self.credentials.policy),
        }

    def agency_url(self, code: str) -> str:
        """Return the AMQP URL of a connected agency; of several addresses not every agency has the same in front."""
        urls = deque(_for_user(self.broker_url, code, self.passwords[code]))
        urls.rotate(list(self.passwords).index(code))
        return ",".join(urls)


async def found_exchange(
    broker_url: str,
    management_url: str,
    ledger_url: str,
    *,
    payload_folder: Path,
    members: Sequence[Member],
    credentials: Credentials,
) -> Exchange:
    """Make everything an exchange needs before its workers start; what is there already is kept.

    Args:
        broker_url: AMQP URL of an administrator, with the virtual host to use; several of a cluster.
        management_url: the same administrator's management API.
        ledger_url: a database for the ledger, migrated here.
        payload_folder: where payloads will lie, an absolute path; the workers make it.
        members: the agencies to register; the connected ones get a user, permissions and queues.
        credentials: what was issued to these agencies; an absolute folder.

    Raises:
        Unavailable: a server does not answer.
        MisconfiguredError: a server refuses.
    """
    connected = [member.unit.code for member in members if member.role.connected]
    passwords = {code: secrets.token_urlsafe(18) for code in connected}
    worker_password = secrets.token_urlsafe(18)
    vhost = addresses_of(broker_url)[0].path.removeprefix("/")
    await migrate(ledger_url)
    await _register(ledger_url, members)
    async with BrokerAdmin(management_url) as admin:
        await admin.create_vhost(vhost)
        await admin.put_user(EXCHANGE_USER, worker_password)
        await admin.set_permissions(vhost, EXCHANGE_USER, FULL_PERMISSIONS)
        async with Bus(broker_url, name="found the exchange") as bus:
            await bus.declare(sum(map(agency_plan, connected), start=exchange_plan()))
        await _let_in(admin, vhost, passwords)
    workers_url = ",".join(_for_user(broker_url, EXCHANGE_USER, worker_password))
    return Exchange(workers_url, ledger_url, payload_folder, passwords, credentials)


def _for_user(urls: str, user: str, password: str) -> list[str]:
    return [str(url.with_user(user).with_password(password)) for url in addresses_of(urls)]


async def _register(ledger_url: str, members: Sequence[Member]) -> None:
    ledger = await Ledger.connect(ledger_url)
    try:
        await ledger.register(
            [
                AgencyRow(
                    code=member.unit.code,
                    name=member.unit.name,
                    kind=member.unit.kind,
                    stage="official" if member.role.connected else "in-progress",
                    supervised=True,
                )
                for member in members
            ]
        )
    finally:
        await ledger.close()


async def _let_in(admin: BrokerAdmin, vhost: str, passwords: Mapping[str, str]) -> None:
    turn = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def let_in(code: str, password: str) -> None:
        async with turn:
            await admin.put_user(code, password)
            await admin.set_permissions(vhost, code, agency_permissions(code))

    await asyncio.gather(*(let_in(code, password) for code, password in passwords.items()))
