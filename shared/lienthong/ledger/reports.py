"""What operators and auditors ask of the ledger; nothing here writes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID  # noqa: TC003

from lienthong.ledger.addresses import Addresses
from lienthong.ledger.deadlines import CalendarDay
from lienthong.ledger.ledger import translated
from lienthong.ledger.parking import ParkedAgency
from lienthong.ledger.rows import VerificationRow
from lienthong.ledger.statements import statement
from lienthong.ledger.unit import recorded_dead_letter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from lienthong.ledger.rows import RecordedDeadLetter

__all__ = ["Feedback", "Reports", "Supervision", "Timing", "UnitRow"]

READER = "lienthong_reader"
VALUES = ("paper", "information", "refused", "held")


class Feedback(StrEnum):
    """How far a unit tells senders what becomes of their documents; the grades of the supervision of January 2019."""

    NOT_CONNECTED = "not-connected"
    NOTHING_RECEIVED = "nothing-received"
    NEVER = "never"
    ARRIVAL_ONLY = "arrival-only"
    PARTLY = "partly"
    FULLY = "fully"


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One supervised unit in a period.

    Attributes:
        code: its canonical code.
        name: its name.
        stage: how far its connection is.
        connected: whether it is official; on trial its connection is in progress.
        documents: how many documents reached its queue (or its carrier's) in the period.
        feedback: its grade: `FULLY` when statuses of clerk, leader and officer were seen, `ARRIVAL_ONLY` when only
            the clerk's were.
    """

    code: str
    name: str
    stage: str
    connected: bool
    documents: int
    feedback: Feedback


@dataclass(frozen=True, slots=True)
class Supervision:
    """The supervision table of a period."""

    units: tuple[UnitRow, ...]

    @property
    def total(self) -> int:
        """How many units are counted."""
        return len(self.units)

    @property
    def connected(self) -> int:
        """How many are connected."""
        return sum(unit.connected for unit in self.units)

    @property
    def in_progress(self) -> int:
        """How many are being connected, those on trial among them."""
        return sum(unit.stage in ("in-progress", "trial") for unit in self.units)

    @property
    def receiving(self) -> int:
        """How many connected units received documents."""
        return sum(unit.connected and unit.documents > 0 for unit in self.units)

    @property
    def feeding_back(self) -> int:
        """How many feed statuses back at all."""
        return self.count(Feedback.FULLY) + self.count(Feedback.PARTLY) + self.count(Feedback.ARRIVAL_ONLY)

    @property
    def figures(self) -> dict[str, int]:
        """The figures of the table by name: every connected unit has one of the last five grades."""
        return {
            "units": self.total,
            "connected": self.connected,
            "in_progress": self.in_progress,
            "receiving": self.receiving,
            "feeding_back": self.feeding_back,
            "fully": self.count(Feedback.FULLY),
            "partly": self.count(Feedback.PARTLY),
            "arrival_only": self.count(Feedback.ARRIVAL_ONLY),
            "never": self.count(Feedback.NEVER),
            "nothing_received": self.count(Feedback.NOTHING_RECEIVED),
        }

    def count(self, feedback: Feedback) -> int:
        """Return how many units have this grade."""
        return Counter(unit.feedback for unit in self.units)[feedback]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took, over a period; seconds, None when nothing was measured."""

    count: int
    median: float | None
    p99: float | None


class Reports:
    """The read side of the ledger, on a connection of its own in the reader's role."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Open the connection; raises `Unavailable` or `MisconfiguredError`."""
        with translated():
            settings = {"role": READER, "application_name": READER, "default_transaction_read_only": "on"}
            return cls(await Addresses(url, writing=False).connect(server_settings=settings))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def supervision(self, since: datetime, until: datetime) -> Supervision:
        """Return the supervision table for `since` ≤ time < `until`."""
        rows = await self._fetch("supervision", since, until)
        return Supervision(
            tuple(
                UnitRow(
                    row["code"],
                    row["name"],
                    row["stage"],
                    row["connected"],
                    row["documents"],
                    Feedback(row["feedback"]),
                )
                for row in rows
            )
        )

    async def totals(self) -> dict[str, int]:
        """Return the counts of everything recorded, by name."""
        (row,) = await self._fetch("totals")
        return dict(row)

    async def timings(self, since: datetime, until: datetime) -> dict[str, Timing]:
        """Return how long documents took to their delivery queue (`delivery`) and to the first `status` back."""
        rows = await self._fetch("timings", since, until)
        return {row["what"]: Timing(row["count"], row["median"], row["p99"]) for row in rows}

    async def values(self, since: datetime, until: datetime) -> Mapping[str, int]:
        """Return how many documents recorded in `since` ≤ time < `until` are worth what, by their latest judgement.

        Always counts all four: ``paper``, ``information``, ``refused``, and ``held``, which are not delivered yet.
        """
        rows = await self._fetch("values", since, until)
        return dict.fromkeys(VALUES, 0) | {row["value"]: row["documents"] for row in rows}

    async def verifications(self, document: UUID) -> list[VerificationRow]:
        """Return every judgement of a document, in order, with what it rests on."""
        rows = await self._fetch("recall_verifications", [document])
        return [VerificationRow(**{**row, "grounds": json.loads(row["grounds"])}) for row in rows]

    async def documents(self) -> Sequence[asyncpg.Record]:
        """Return every recorded document: document, sender, document_id, business, user_name, message_id, sha256."""
        return await self._fetch("recorded_documents")

    async def deliveries(self) -> Sequence[asyncpg.Record]:
        """Return every recorded delivery: document, addressee (as `written` by the sender, too), carrier, state."""
        return await self._fetch("recorded_deliveries")

    async def statuses(self) -> Sequence[asyncpg.Record]:
        """Return every recorded status: document, addressee, reporter, code, outcome, message_id."""
        return await self._fetch("recorded_statuses")

    async def outcomes(self) -> Sequence[asyncpg.Record]:
        """Return what has become of every document: document, sender, document_id, sha256, outcome.

        The outcome is ``delivered``, ``refused``, ``withdrawn`` or ``waiting``.
        """
        return await self._fetch("recorded_outcomes")

    async def refusals(self) -> Sequence[asyncpg.Record]:
        """Return every recorded refusal: user_name, about, document_id, message_id."""
        return await self._fetch("recorded_refusals")

    async def entry_differences(self) -> Sequence[asyncpg.Record]:
        """Return where facts and their history differ: kind, key, facts, entries (how often each is there)."""
        return await self._fetch("entry_differences")

    async def story(self, document: UUID) -> list[tuple[datetime, str, dict[str, Any]]]:
        """Return the history of one document: when, what, facts."""
        rows = await self._fetch("document_story", document)
        return [(row["recorded_at"], row["kind"], json.loads(row["facts"])) for row in rows]

    async def parked(self) -> list[ParkedAgency]:
        """Return which agencies do not collect, and how much waits for each of them."""
        return [ParkedAgency(**row) for row in await self._fetch("parked_summary")]

    async def calendar(self) -> list[CalendarDay]:
        """Return the days about which an operator has decided whether offices work on them."""
        return [CalendarDay(**row) for row in await self._fetch("calendar_days")]

    async def dead_letters(self, step: str | None = None, *, settled: bool = False) -> list[RecordedDeadLetter]:
        """Return the dead letters of one step, or of all; those already replayed or discarded only when `settled`."""
        return [recorded_dead_letter(row) for row in await self._fetch("dead_letters", step, settled)]

    async def dead_letter_history(self, dead_letter: UUID) -> list[tuple[datetime, str, dict[str, Any]]]:
        """Return what happened to one dead letter: when, what, facts."""
        rows = await self._fetch("dead_letter_history", str(dead_letter))
        return [(row["recorded_at"], row["kind"], json.loads(row["facts"])) for row in rows]

    async def _fetch(self, name: str, *arguments: object) -> Sequence[asyncpg.Record]:
        with translated():
            return await self._connection.fetch(statement(name), *arguments)
