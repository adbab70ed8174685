"""Who may come in: what operators decide about agencies, each decision with its entry in the history.

The ledger says what shall be; the broker is made to follow, and `lienthong topology plan` finds where it does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lienthong.ledger.directory import register
from lienthong.ledger.rows import AgencyRow
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    import asyncpg

    from lienthong.ledger.directory import Directory

__all__ = ["AccessUnit", "Decision", "Login", "Participant", "Stage"]

Login = Literal["certificate", "password"]
Stage = Literal["registered", "in-progress", "trial", "official", "suspended"]
Decision = Literal["AgencyAdmitted", "AgencySuspended", "AgencyResumed", "CredentialRotated", "TopologyRepaired"]

_LOCK = 28_2019


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


class AccessUnit:
    """What an operator may do within one transaction; made by `Ledger.access`. Only one is open at a time."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], directory: Directory) -> None:
        self._connection = connection
        self._directory = directory

    async def begin(self) -> None:
        """Wait until no other operator decides anything."""
        await self._connection.execute("select pg_advisory_xact_lock($1)", _LOCK)

    async def participants(self) -> dict[str, Participant]:
        """Return all agencies by their canonical code."""
        return {
            row["code"]: Participant(**row) for row in await self._connection.fetch(statement("select_participants"))
        }

    def canonical(self, code: str) -> str:
        """Return the canonical code of what somebody wrote, or just that when nobody has it."""
        agency = self._directory.resolve(code)
        return agency.code if agency else code

    async def write(self, after: Participant) -> None:
        """Make an agency what is given, new or not."""
        row = AgencyRow(after.code, after.name, after.kind, after.stage, after.parent, after.supervised)
        await register(self._connection, [row])
        await self._connection.execute(
            statement("set_access"), after.code, after.stage, after.login, after.suspended_from
        )

    async def note(self, decision: Decision, agency: str | None, facts: dict[str, Any]) -> None:
        """Add an entry to the history.

        Args:
            decision: what happened.
            agency: to whom; None when it is about no single one.
            facts: what is known about it, ``by`` whom it was decided among it; never a secret.
        """
        await self._connection.execute(statement("insert_access_entry"), decision, agency, json.dumps(facts))
