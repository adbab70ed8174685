"""A whole exchange on given servers: virtual host, users, queues, ledger, directory."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from lienthong.access.broker import grant, let_in
from lienthong.access.standing import Registry
from lienthong.bus.admin import BrokerAdmin
from lienthong.bus.connection import Bus
from lienthong.bus.link import addresses_of
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.logins import let_log_in
from lienthong.ledger.migrations import migrate
from lienthong.ledger.rows import AgencyRow
from lienthong.settings import AccessSettings
from lienthong.topology.names import Step
from lienthong.topology.plan import agency_plan, exchange_plan
from lienthong.topology.rights import OPERATOR_USER, OWN_USERS, own_rights, worker_user
from lienthong.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lienthong.simulation.credentials import Credentials
    from lienthong.simulation.units import Member, Merger

__all__ = ["Exchange", "found_exchange", "merge"]

REQUESTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where an exchange is, for its workers and for its agencies.

    Attributes:
        broker_url: AMQP URL of the virtual host, for the operator; several, comma-separated, of a cluster.
        ledger_url: PostgreSQL URL of the ledger, for its owner; its host may be several.
        payload_folder: the payload store.
        passwords: of the connected agencies, by code.
        credentials: what the workers believe and demand of signatures, and the keys of the connected agencies.
        own_passwords: of the exchange's own users, on the broker and in the ledger, by the name on the broker.
    """

    broker_url: str
    ledger_url: str
    payload_folder: Path
    passwords: Mapping[str, str]
    credentials: Credentials
    own_passwords: Mapping[str, str] = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The settings of an operator's commands."""
        return self._settings(self.broker_url, self.ledger_url)

    @property
    def environments(self) -> dict[Step, dict[str, str]]:
        """The settings of each worker, with its own secrets only."""
        return {step: self._settings(*self.worker_urls(step)) for step in Step}

    def worker_urls(self, step: Step) -> tuple[str, str]:
        """Return the AMQP and the PostgreSQL URL of a worker."""
        user = worker_user(step)
        password = self.own_passwords[user]
        broker = ",".join(_for_user(self.broker_url, user, password))
        return broker, _for_role(self.ledger_url, user.replace("-", "_"), password)

    def _settings(self, broker_url: str, ledger_url: str) -> dict[str, str]:
        return {
            "LIENTHONG_BROKER_URL": broker_url,
            "LIENTHONG_LEDGER_URL": ledger_url,
            "LIENTHONG_PAYLOAD_FOLDER": str(self.payload_folder),
            "LIENTHONG_TRUST_FOLDER": str(self.credentials.trust_folder),
            # The authority writes its lists there itself.
            "LIENTHONG_TRUST_REFRESH": "false",
            "LIENTHONG_SIGNATURE_POLICY": str(self.credentials.policy),
            # Robots send in minutes what agencies send in months.
            "LIENTHONG_QUOTA_DOCUMENTS_PER_MINUTE": "0",
            "LIENTHONG_QUOTA_MEGABYTES_PER_HOUR": "0",
            "LIENTHONG_QUOTA_STATUSES_PER_MINUTE": "0",
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
    own_passwords = {user: secrets.token_urlsafe(18) for user in OWN_USERS}
    vhost = addresses_of(broker_url)[0].path.removeprefix("/")
    await migrate(ledger_url)
    await let_log_in(ledger_url, {user.replace("-", "_"): password for user, password in own_passwords.items()})
    await _register(ledger_url, members)
    async with BrokerAdmin(management_url) as admin:
        await admin.create_vhost(vhost)
        for user, rights in own_rights().items():
            await admin.put_user(user, own_passwords[user])
            await grant(admin, vhost, user, rights)
        async with Bus(broker_url, name="found the exchange") as bus:
            await bus.declare(sum(map(agency_plan, connected), start=exchange_plan()))
        await _let_in(admin, vhost, passwords)
    operator_url = ",".join(_for_user(broker_url, OPERATOR_USER, own_passwords[OPERATOR_USER]))
    return Exchange(operator_url, ledger_url, payload_folder, passwords, credentials, own_passwords)


async def merge(exchange: Exchange, merger: Merger, *, by: str) -> None:
    """Put a unit into the directory that has been merged into another, as `lienthong agency merge` does.

    Args:
        exchange: where.
        merger: who was merged into which of its agencies.
        by: who decides.

    Raises:
        NotPossibleError: the heir is not connected.
        Unavailable: the ledger does not answer.
    """
    merged = merger.merged
    ledger = await Ledger.connect(exchange.ledger_url)
    try:
        await ledger.register([AgencyRow(merged.code, merged.name, merged.kind)])
        registry = Registry(ledger, lambda: TrustStore.load(exchange.credentials.trust_folder), by=by)
        await registry.merge([merged.code], merger.heir.code)
    finally:
        await ledger.close()


def _for_user(urls: str, user: str, password: str) -> list[str]:
    return [str(url.with_user(user).with_password(password)) for url in addresses_of(urls)]


def _for_role(url: str, role: str, password: str) -> str:
    place = urlsplit(url)
    hosts = place.netloc.rpartition("@")[2]
    return urlunsplit(place._replace(netloc=f"{role}:{quote(password, safe='')}@{hosts}"))


async def _register(ledger_url: str, members: Sequence[Member]) -> None:
    ledger = await Ledger.connect(ledger_url)
    try:
        # An exchange whose members are official from the first day; an operator leads each of them there by
        # `lienthong agency add` and, with all that has to be shown, `lienthong agency stage`.
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
    turn, settings = asyncio.Semaphore(REQUESTS_AT_ONCE), AccessSettings()

    async def enter(code: str, password: str) -> None:
        async with turn:
            await admin.put_user(code, password)
            await let_in(admin, vhost, code, settings)

    await asyncio.gather(*(enter(code, password) for code, password in passwords.items()))
