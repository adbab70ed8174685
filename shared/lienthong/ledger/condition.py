"""How the ledger itself is: its server, its schema, its roles, and what stands still in it; nothing here writes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lienthong.ledger.access import Participant
from lienthong.ledger.addresses import Addresses
from lienthong.ledger.ledger import translated
from lienthong.ledger.logins import ROLES
from lienthong.ledger.reports import Reports
from lienthong.ledger.rights import DELETES, INSERTS, READS, UPDATES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Condition", "Right", "Server", "try_login"]


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server with a ledger.

    Attributes:
        version: as ``server_version_num``: 150004 is 15.4.
        migrations: the names of those that were applied.
        ahead: how far its clock is before the one it was compared with.
        within: how exactly that is known.
    """

    version: int
    migrations: frozenset[str]
    ahead: timedelta
    within: timedelta


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """What a role may do to a table, or to a column of it."""

    role: str
    table: str
    verb: str
    column: str = ""

    def __str__(self) -> str:
        """Say it as SQL does."""
        return f"{self.verb}{f' ({self.column})' if self.column else ''} on {self.table}"


class Condition(Reports):
    """What the doctor asks of the ledger, on a connection of its own in the reader's role."""

    async def server(self, clock: Callable[[], datetime]) -> Server:
        """Return how the server is, compared with a clock."""
        started, before = time.monotonic(), clock()
        (row,) = await self._fetch("server")
        took = timedelta(seconds=time.monotonic() - started)
        ahead = row["now"].astimezone(UTC) - (before + took / 2)
        return Server(row["version"], frozenset(row["migrations"]), ahead, took / 2)

    async def participants(self) -> dict[str, Participant]:
        """Return all agencies by their canonical code."""
        return {row["code"]: Participant(**row) for row in await self._fetch("select_participants")}

    async def diverted(self) -> frozenset[str]:
        """Return the agencies whose documents do not come by ingest's lanes; a schema that is too old knows of none."""
        if "diverted" not in {row["name"] for row in await self._fetch("tables_there_are")}:
            return frozenset()
        return frozenset(row["agency"] for row in await self._fetch("all_diverted"))

    async def rights_astray(self) -> tuple[list[Right], list[Right]]:
        """Return the rights that roles need and have not, and those that they have and should not.

        Of a table that is not known here nothing is said: a newer program has made it.
        """
        tables = {row["name"] for row in await self._fetch("tables_there_are")}
        there = {Right(*row) for row in await self._fetch("rights_there_are", list(ROLES))}
        needed = {right for role in ROLES for right in _needed(role, tables)}
        known = {right.table for right in needed}
        return sorted(needed - there), sorted(right for right in there - needed if right.table in known)

    async def ending_certificates(self, by: datetime) -> list[tuple[str, str, datetime]]:
        """Return the connected agencies whose last certificate ends by then: code, name, when."""
        rows = await self._fetch("ending_certificates", by)
        return [(row["code"], row["name"], row["valid_to"]) for row in rows]

    async def unfinished(self, before: datetime) -> dict[str, int]:
        """Return how much of what was recorded before then has not gone on, by the step that has to take it up."""
        return Counter(row["step"] for row in await self._fetch("unfinished", before))

    async def untold(self, before: datetime) -> int:
        """Return how many notices agencies should have had by then and had not."""
        return len(await self._fetch("untold", before))


async def try_login(url: str) -> None:
    """See that an address of the ledger lets in.

    Raises:
        MisconfiguredError: it refuses.
        Unavailable: it does not answer.
    """
    with translated():
        connection = await Addresses(url).connect()
        await connection.close()


def _needed(role: str, tables: set[str]) -> set[Right]:
    """Return the rights a role needs on the tables there are."""
    needed = {Right(role, table, "select") for table in READS.get(role, tables)}
    needed |= {Right(role, table, "insert") for table in INSERTS[role]}
    needed |= {Right(role, table, verb.partition(" ")[0]) for verb, table in DELETES.get(role, ())}
    needed |= {Right(role, table, "update", column) for table, columns in UPDATES[role].items() for column in columns}
    return {right for right in needed if right.table in tables}
