"""Who may come in: what operators decide about agencies, each decision with its entry in the history.

The ledger says what shall be; the broker is made to follow, and `lienthong topology plan` finds where it does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of a public dataclass
from typing import TYPE_CHECKING, Any, Literal

from lienthong.ledger.directory import register
from lienthong.ledger.letters import Subscriptions
from lienthong.ledger.rows import AgencyRow
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import asyncpg

    from lienthong.ledger.directory import Directory, Stage

__all__ = ["ACCESS_LOCK", "AccessUnit", "Allowance", "Decision", "Login", "Participant"]

Login = Literal["certificate", "password"]
Decision = Literal[
    "AgencyAdmitted",
    "AgencyMerged",
    "AgencyResumed",
    "AgencyStaged",
    "AgencySuspended",
    "CalendarDecided",
    "CertificateRecorded",
    "ConformanceRecorded",
    "ContactRecorded",
    "CredentialRotated",
    "DirectoryImported",
    "QuotaChanged",
    "SubscriptionEnded",
    "SubscriptionSet",
    "TopologyRepaired",
]

ACCESS_LOCK = 28_2019
"""Of the advisory lock under which operators decide, one at a time."""


@dataclass(frozen=True, slots=True)
class Participant:
    """An agency as the operator sees it.

    Attributes:
        login: how it logs in on the broker; None when it was registered by other means than `lienthong agency add`.
        suspended_from: its stage before it was suspended.
    """

    code: str
    name: str
    kind: str = ""
    stage: Stage = "registered"
    parent: str | None = None
    supervised: bool = False
    login: Login | None = None
    suspended_from: Stage | None = None

    @property
    def connected(self) -> bool:
        """Whether it may be on the broker."""
        return self.stage in ("trial", "official")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much an agency may send, and whether it sends more; of its quotas None is what the settings say, 0 no limit.

    Attributes:
        documents_over_since: since when documents of it are refused as too many; None when they are not.
        statuses_over_since: the same of its statuses.
    """

    code: str
    name: str
    documents_per_minute: int | None
    megabytes_per_hour: int | None
    statuses_per_minute: int | None
    documents_over_since: datetime | None
    statuses_over_since: datetime | None


class AccessUnit:
    """What an operator may do within one transaction; made by `Ledger.access`. Only one is open at a time."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], directory: Directory) -> None:
        self._connection = connection
        self.directory = directory
        """The agencies, as of the begin of this transaction."""
        self.subscriptions = Subscriptions(connection)
        """Who is told what, by mail and webhook."""

    async def participants(self) -> dict[str, Participant]:
        """Return all agencies by their canonical code."""
        return {
            row["code"]: Participant(**row) for row in await self._connection.fetch(statement("select_participants"))
        }

    async def diverted(self) -> frozenset[str]:
        """Return the agencies that send more than they may, so that their documents do not come by ingest's lanes."""
        return frozenset(row["agency"] for row in await self._connection.fetch(statement("all_diverted")))

    async def participant(self, code: str) -> Participant | None:
        """Return one agency by any of its codes, merged or not; None when nobody has it."""
        rows = await self._connection.fetch(statement("select_participant"), self.canonical(code))
        return Participant(**rows[0]) if rows else None

    def canonical(self, code: str) -> str:
        """Return the canonical code of what somebody wrote, or just that when nobody has it.

        It is the agency's own, also when it was merged: what an operator decides about it is not about its successor.
        """
        agency = self.directory.named(code)
        return agency.code if agency else code

    async def write(self, after: Participant) -> None:
        """Make an agency what is given, new or not."""
        row = AgencyRow(after.code, after.name, after.kind, after.stage, after.parent, after.supervised)
        await register(self._connection, [row])
        await self._connection.execute(
            statement("set_access"), after.code, after.stage, after.login, after.suspended_from
        )

    async def allowance(self, code: str) -> Allowance | None:
        """Return what an agency may send; None when there is no such agency."""
        found = await self._connection.fetch(statement("agency_quota"), self.canonical(code))
        return Allowance(**found[0]) if found else None

    async def allow(self, after: Allowance) -> None:
        """Let an agency send so much from now on."""
        quotas = after.documents_per_minute, after.megabytes_per_hour, after.statuses_per_minute
        await self._connection.execute(statement("set_agency_quota"), after.code, *quotas)

    async def decide_days(self, days: Mapping[date, bool | None], reason: str, by: str) -> None:
        """Decide whether offices work on these days, None for as usual; running deadlines are then looked at anew."""
        for day, working in sorted(days.items()):
            if working is None:
                await self._connection.execute(statement("undecide_day"), day)
            else:
                await self._connection.execute(statement("decide_day"), day, working, reason, by)
        await self._connection.execute(statement("reckon_deadlines_anew"))

    async def note(self, decision: Decision, agency: str | None, facts: dict[str, Any]) -> None:
        """Add an entry to the history.

        Args:
            decision: what happened.
            agency: to whom; None when it is about no single one.
            facts: what is known about it, ``by`` whom it was decided among it; never a secret.
        """
        await self._connection.execute(statement("insert_access_entry"), decision, agency, json.dumps(facts))
