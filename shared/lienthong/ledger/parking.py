"""What waits in the ledger because its receiver does not collect: who is parked, what was sent after all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003

from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import asyncpg

__all__ = ["ParkedAgency", "ParkedRow", "Parking"]


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """A document that waits for one carrier; `ordinal` is its place among those recorded with it."""

    document: UUID
    carrier: str
    urgent: bool
    ordinal: int


@dataclass(frozen=True, slots=True)
class ParkedAgency:
    """An agency that is parked, for operators.

    Attributes:
        code: its code.
        name: its name.
        parked_at: since when.
        documents: how many wait for it.
        oldest: since when the oldest of them does; None when none waits.
    """

    code: str
    name: str
    parked_at: datetime
    documents: int
    oldest: datetime | None


class Parking:
    """The part of a transaction that is about parking; see `lienthong.ledger.unit.Unit.parking`."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        self._connection = connection

    async def among(self, carriers: Collection[str]) -> set[str]:
        """Return which of these are parked; they stay so until the transaction ends."""
        if not carriers:
            return set()
        found = await self._connection.fetch(statement("parked_among"), sorted(carriers))
        return {row["carrier"] for row in found}

    async def agencies(self) -> list[str]:
        """Return the codes of all that are parked."""
        return [row["carrier"] for row in await self._connection.fetch(statement("parked_agencies"))]

    async def park(self, carrier: str, queued: int, limit: int) -> bool:
        """Park an agency whose queue holds so many messages; return False when it was parked already."""
        return await self._connection.fetchval(statement("park_agency"), carrier, queued, limit) is not None

    async def take_turn(self) -> bool:
        """Take the turn to send what waits, until the transaction ends; return False when another router has it."""
        taken: bool = await self._connection.fetchval(statement("take_parking_turn"))
        return taken

    async def waiting(self, carrier: str, limit: int) -> list[UUID]:
        """Return what waits for a carrier, in the order in which it is to be sent."""
        return [
            row["document"] for row in await self._connection.fetch(statement("waiting_deliveries"), carrier, limit)
        ]

    async def mark_sent(
        self, carrier: str, sent: Mapping[UUID, datetime], dropped: Collection[UUID] = frozenset()
    ) -> None:
        """Record that documents are in a carrier's queue, each since when, or are `dropped` and never will be."""
        if sent:
            gone = [document in dropped for document in sent]
            await self._connection.execute(
                statement("mark_deliveries_sent"), carrier, list(sent), list(sent.values()), gone
            )

    async def unpark(self, carrier: str) -> bool:
        """End an agency's parking unless something still waits for it; tell whether it ended."""
        # Two statements: the second sees what a router recorded while the first waited for it.
        await self._connection.execute(statement("lock_parked_agency"), carrier)
        return await self._connection.fetchval(statement("unpark_agency"), carrier) is not None

    async def completed(self, limit: int) -> list[UUID]:
        """Return documents that are in every queue at last, and whose sender does not know."""
        return [row["document"] for row in await self._connection.fetch(statement("completed_documents"), limit)]

    async def mark_told(self, documents: Collection[UUID], at: datetime) -> None:
        """Record that the senders of these documents are told."""
        if documents:
            await self._connection.execute(statement("mark_completed_told"), sorted(documents), at)
