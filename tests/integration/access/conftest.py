"""An exchange without workers: a virtual host, a ledger, and an operator."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest_asyncio

from lienthong.access.admission import Admission
from lienthong.access.broker import Place, place_of
from lienthong.access.drift import Difference, Wanted, differences, find
from lienthong.access.mend import mend
from lienthong.ledger.ledger import Ledger
from lienthong.settings import AccessSettings
from lienthong.topology.rights import OWN_USERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lienthong.bus.admin import BrokerAdmin


@dataclass
class Exchange:
    """Where everything is, and what an operator does there."""

    url: str
    admin: BrokerAdmin
    ledger: Ledger
    database: str
    settings: AccessSettings
    users: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """The virtual host, and who we are there."""
        return place_of(self.url)

    def operator(self, **settings: Any) -> Admission:
        """Return an operator at work, with other settings if need be."""
        changed = self.settings.model_copy(update=settings)
        return Admission(self.admin, self.ledger, self.url, self.place, changed, by="lan@test")

    def code(self) -> str:
        """Return a code that no other test uses: the users of a broker are the same for all virtual hosts."""
        self.users.append(f"H23.{uuid.uuid4().hex[:6].upper()}")
        return self.users[-1]

    def agency_url(self, code: str, password: str) -> str:
        """Return the AMQP URL of an agency."""
        place = urlsplit(self.url)
        return place._replace(netloc=f"{code}:{quote(password)}@{place.hostname}:{place.port}").geturl()

    async def history(self, code: str | None) -> list[tuple[str, dict[str, Any]]]:
        """Return the entries about an agency, or about none, oldest first."""
        connection = await asyncpg.connect(self.database)
        rows = await connection.fetch(
            "select kind, facts from entry where agency is not distinct from $1 order by entry", code
        )
        await connection.close()
        return [(row["kind"], json.loads(row["facts"])) for row in rows]

    async def wanted(self) -> Wanted:
        """Return what shall be on the broker."""
        async with self.ledger.access() as unit:
            participants = await unit.participants()
        return Wanted(participants, dict.fromkeys(OWN_USERS), self.admin.user, self.settings)

    async def drift(self) -> list[Difference]:
        """Return where the broker differs."""
        return differences(await self.wanted(), await find(self.admin, self.place.vhost))

    async def mended(self) -> list[Difference]:
        """Mend what differs, and return what was mended."""
        drift = await self.drift()
        return await mend(drift, await self.wanted(), admin=self.admin, urls=self.url, place=self.place)


@pytest_asyncio.fixture
async def exchange(vhost: str, broker_admin: BrokerAdmin, database: str) -> AsyncIterator[Exchange]:
    """Provide an exchange where passwords are allowed; the users made in it are deleted afterwards."""
    ledger = await Ledger.connect(database)
    made = Exchange(vhost, broker_admin, ledger, database, AccessSettings(passwords=True))
    await made.mended()
    yield made
    for user in made.users:
        await broker_admin.delete_user(user)
    await ledger.close()
