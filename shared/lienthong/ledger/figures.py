"""What the ledger counts for reports, over a period; nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from typing import TYPE_CHECKING

from lienthong.ledger.lateness import Late, Lateness, Punctuality
from lienthong.ledger.ledger import translated
from lienthong.ledger.reports import Feedback, Reports, Supervision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

__all__ = ["Answers", "Connection", "Evidence", "Figures", "Group", "Pair", "Supervised", "Traffic"]

MOST_LATE = 500


@dataclass(frozen=True, slots=True)
class Connection:
    """A supervised unit at the end of a period, and how many official documents it sent in it.

    `connected` is who is official, `connected_since` when it first was.
    """

    code: str
    name: str
    kind: str
    stage: str
    connected: bool
    connected_since: datetime | None
    software: str | None
    software_version: str | None
    security_level: int | None
    sent: int


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of the documents that reached a unit in a period, by the statuses applied in it.

    Attributes:
        documents: how many reached it.
        answered: of how many of these it reported anything.
        clerk: of how many something its clerk did; `leader`, `officer` likewise.
        finished: how many it reported as done.
    """

    code: str = ""
    documents: int = 0
    answered: int = 0
    clerk: int = 0
    leader: int = 0
    officer: int = 0
    finished: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves a unit's grade: the first status of each code, or the first document it never told anything of.

    Attributes:
        unit: its code.
        document: the exchange's id of the document.
        document_id: its sender's id of it.
        sender: its sender.
        number: its number and notation.
        at: when the status was reported; without one, when the document was in the unit's queue.
        code: the status code; None when there is no status.
        office: whose work the code speaks of.
        status: the exchange's id of the status.
    """

    unit: str
    document: UUID
    document_id: str
    sender: str
    number: str | None
    at: datetime
    code: str | None = None
    office: str | None = None
    status: UUID | None = None


@dataclass(frozen=True, slots=True)
class Supervised:
    """The supervision table of a period with all that it rests on, as of one moment.

    Attributes:
        table: units and their grades.
        units: the same units, as the directory has them, in the same order.
        answers: what became of the documents of each agency that received any, by code.
        evidence: what proves the grades, by unit and status code.
    """

    table: Supervision
    units: Sequence[Connection]
    answers: Mapping[str, Answers]
    evidence: Sequence[Evidence]


@dataclass(frozen=True, slots=True)
class Group:
    """The documents of a period that are alike: of one kind, size, hour …; `bytes` is the size of their edXML."""

    part: str
    name: str
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Pair:
    """What one agency sent another in a period; `first` is the first of these documents."""

    sender: str
    addressee: str
    deliveries: int
    bytes: int
    first: UUID


@dataclass(frozen=True, slots=True)
class Traffic:
    """The official documents that the exchange received in a period, and what came of them.

    Attributes:
        totals: ``documents``, ``bytes``, ``urgent``, ``senders``, ``deliveries``, ``statuses`` (applied), ``refused``.
        groups: ``kinds``, ``acts``, ``sizes``, ``hours`` and ``days``; the documents of each add up to all of them.
        pairs: their deliveries add up to ``deliveries``.
        names: of every agency in the pairs.
    """

    totals: Mapping[str, int]
    groups: Mapping[str, Sequence[Group]]
    pairs: Sequence[Pair]
    names: Mapping[str, str]


class Figures(Reports):
    """The read side of the ledger, with the figures of a period: `since` ≤ time < `until`."""

    async def supervised(self, since: datetime, until: datetime) -> Supervised:
        """Return the supervision table with what it rests on."""
        with translated():
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                table = await self.supervision(since, until)
                never = [unit.code for unit in table.units if unit.feedback is Feedback.NEVER]
                told = [Evidence(**row) for row in await self._fetch("feedback_evidence", since, until)]
                silent = [Evidence(**row) for row in await self._fetch("feedback_silence", since, until, never)]
                return Supervised(
                    table,
                    [Connection(**row) for row in await self._fetch("connection", since, until)],
                    {row["code"]: Answers(**row) for row in await self._fetch("feedback", since, until)},
                    sorted([*told, *silent], key=lambda one: (one.unit, one.code or "")),
                )

    async def lateness(self, since: datetime, until: datetime, now: datetime) -> Lateness:
        """Return what became of the deadlines that fell into the period, as it is by `now`."""
        with translated():
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                counts = [Punctuality(**row) for row in await self._fetch("lateness_counts", since, until, now)]
                worst = [Late(**row) for row in await self._fetch("lateness_worst", since, until, now, MOST_LATE)]
                names = await self._names({one.agency for one in counts})
        return Lateness(counts, worst, names)

    async def traffic(self, since: datetime, until: datetime) -> Traffic:
        """Return what was exchanged; all of it as of one moment."""
        with translated():
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                (totals,) = await self._fetch("traffic", since, until)
                groups = [Group(**row) for row in await self._fetch("traffic_groups", since, until)]
                pairs = [Pair(**row) for row in await self._fetch("traffic_pairs", since, until)]
                names = await self._names({code for pair in pairs for code in (pair.sender, pair.addressee)})
        parts = ("kinds", "acts", "sizes", "hours", "days")
        return Traffic(
            dict(totals),
            {part: tuple(group for group in groups if group.part == part) for part in parts},
            pairs,
            names,
        )

    async def _names(self, codes: Iterable[str]) -> dict[str, str]:
        return {row["code"]: row["name"] for row in await self._fetch("agency_names", sorted(codes))}
