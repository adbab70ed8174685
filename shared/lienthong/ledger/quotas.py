"""How much agencies have sent of what they may, by the ledger's clock, for all workers alike."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lienthong.document.quotas import Use
from lienthong.ledger.rows import as_json
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    import asyncpg

__all__ = ["Counted", "Locked", "QuotaUse"]

Counted = Literal["document", "status"]


@dataclass(frozen=True, slots=True)
class Locked:
    """What a user has used, and its own quotas as the directory has them; None is what the settings say, 0 no limit."""

    use: Use
    documents_per_minute: int | None
    megabytes_per_hour: int | None
    statuses_per_minute: int | None


class QuotaUse:
    """The part of a transaction that is about quotas; see `lienthong.ledger.unit.Unit.quotas`."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        self._connection = connection

    async def lock(self, kind: Counted, users: Collection[str]) -> tuple[datetime, dict[str, Locked]]:
        """Return what these users have used, locked until the transaction ends, and the time by the ledger's clock."""
        ordered = sorted(users)
        await self._connection.execute(statement("begin_quota_use"), kind, ordered)
        found = await self._connection.fetch(statement("lock_quota_use"), kind, ordered)
        # Asked when the lock is there: who waited for it counts from after the one before.
        now = await self._connection.fetchval(statement("quota_clock"))
        return now, {
            row["user_name"]: Locked(
                Use(row["messages_until"], row["bytes_until"], row["over_since"]),
                row["documents_per_minute"],
                row["megabytes_per_hour"],
                row["statuses_per_minute"],
            )
            for row in found
        }

    async def write(self, kind: Counted, uses: Mapping[str, Use]) -> None:
        """Record what locked users have used."""
        rows = [
            {
                "user_name": user,
                "messages_until": use.messages_until,
                "bytes_until": use.bytes_until,
                "over_since": use.over_since,
            }
            for user, use in sorted(uses.items())
        ]
        await self._connection.execute(statement("update_quota_use"), kind, as_json(rows))

    async def divert(self, agencies: Mapping[str, timedelta]) -> None:
        """Record whose documents do not come by ingest's lanes, each for a period from now."""
        await self._connection.execute(statement("divert"), list(agencies), list(agencies.values()))

    async def hold_diversions(self, agencies: Collection[str]) -> list[str]:
        """Return who of them is diverted, locked until the transaction ends: nobody ends it meanwhile."""
        return [row["agency"] for row in await self._connection.fetch(statement("hold_diversions"), list(agencies))]

    async def end_diversions(self) -> list[str]:
        """Delete the diversions whose time is over; return of whom, locked until the transaction ends."""
        return [row["agency"] for row in await self._connection.fetch(statement("end_diversions"))]

    async def diverted(self, agencies: Collection[str]) -> dict[str, datetime]:
        """Return who of them is diverted, and until when."""
        found = await self._connection.fetch(statement("diverted"), list(agencies))
        return {row["agency"]: row["until"] for row in found}

    async def any_diverted(self) -> bool:
        """Tell whether anybody is diverted."""
        return bool(await self._connection.fetchval(statement("any_diverted")))

    async def note(
        self, what: Literal["AgencyThrottled", "AgencyUnthrottled"], user: str, facts: dict[str, Any]
    ) -> None:
        """Add an entry to the history."""
        await self._connection.execute(statement("insert_quota_entry"), what, user, json.dumps(facts, default=str))
