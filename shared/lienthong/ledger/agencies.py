"""What the ledger knows of agencies, for operators and reports; nothing here writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from lienthong.ledger.addresses import Addresses
from lienthong.ledger.directory import Stage  # noqa: TC001 - likewise
from lienthong.ledger.ledger import translated
from lienthong.ledger.reports import READER
from lienthong.ledger.search import query_of
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

__all__ = ["Agencies", "AgencyFilter", "AgencyRecord", "Certificate", "Code", "Contact", "StageSince"]


@dataclass(frozen=True, slots=True)
class Code:
    """A way to write an agency's code, with the days `valid_from` ≤ day < `valid_to` on which it means that agency."""

    code: str
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask at an agency; it has an address of mail, a telephone number, or both."""

    role: Literal["clerk", "technical"]
    name: str | None
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that an agency has named as its own; `fingerprint` is the SHA-256 of its DER encoding."""

    fingerprint: str
    subject: str
    serial_number: str
    valid_from: datetime
    valid_to: datetime
    added_at: datetime


@dataclass(frozen=True, slots=True)
class StageSince:
    """Since when an agency has been in a stage."""

    stage: Stage
    since: datetime


@dataclass(frozen=True, slots=True)
class AgencyRecord:
    """Everything the directory holds of an agency.

    Attributes:
        code: its canonical code.
        name: its name.
        kind: what kind of body it is, free text.
        stage: how far its connection is.
        parent: the agency above it, where its code does not tell.
        supervised: whether the supervision of connection and feedback counts it.
        registered_at: when it came into the directory.
        login: how it logs in; None when it was never let in by `lienthong agency add`.
        suspended_from: its stage before it was suspended.
        successor: the agency it was merged into.
        succeeded_on: the first day on which its mail is the successor's.
        software: the document-management system it uses.
        software_version: the version of that.
        security_level: approved security level of its system, 1 to 5 (Decree 85/2016/NĐ-CP).
        conformance_on: the day of its last conformance run.
        conformance_passed: whether it passed that.
        codes: every way to write its code.
        contacts: whom to ask.
        certificates: its own, the newest first.
        stages: every stage it has been in, the oldest first.
        predecessors: canonical codes of the agencies merged into it.
    """

    code: str
    name: str
    kind: str
    stage: Stage
    parent: str | None
    supervised: bool
    registered_at: datetime
    login: str | None
    suspended_from: str | None
    successor: str | None
    succeeded_on: date | None
    software: str | None
    software_version: str | None
    security_level: int | None
    conformance_on: date | None
    conformance_passed: bool | None
    codes: tuple[Code, ...]
    contacts: tuple[Contact, ...]
    certificates: tuple[Certificate, ...]
    stages: tuple[StageSince, ...]
    predecessors: tuple[str, ...]

    def stage_at(self, moment: datetime) -> Stage | None:
        """Return the stage it was in at a moment; None before it was registered."""
        return next((one.stage for one in reversed(self.stages) if one.since <= moment), None)


@dataclass(frozen=True, slots=True)
class AgencyFilter:
    """Which agencies are asked for; None asks for all.

    Attributes:
        stage: those in this stage.
        kind: those of this kind.
        under: those below this agency, by their codes or their parents, however far.
        text: those whose name has these words, with or without accents (`lienthong.ledger.search.query_of`), or one of
            whose codes contains this.
        merged: those that were merged, or those that were not.
    """

    stage: str | None = None
    kind: str | None = None
    under: str | None = None
    text: str | None = None
    merged: bool | None = None


_RECORD = TypeAdapter(AgencyRecord)
_PARTS = ("codes", "contacts", "certificates", "stages")


class Agencies:
    """The directory as it is, on a connection of its own in the reader's role."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> Agencies:
        """Open the connection; raises `Unavailable` or `MisconfiguredError`."""
        with translated():
            settings = {"role": READER, "application_name": READER, "default_transaction_read_only": "on"}
            return cls(await Addresses(url, writing=False).connect(server_settings=settings))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def find(self, wanted: AgencyFilter, *, limit: int, after: str = "") -> list[AgencyRecord]:
        """Return agencies in the order of their codes.

        Args:
            wanted: which ones.
            limit: how many at most.
            after: only those whose code comes after this one: the last of the page before.
        """
        rows = await self._fetch("find_agencies", *_arguments(wanted), after, limit)
        return await self._records([row["code"] for row in rows])

    async def count(self, wanted: AgencyFilter) -> int:
        """Return how many agencies there are."""
        (row,) = await self._fetch("count_agencies", *_arguments(wanted))
        return int(row["agencies"])

    async def record(self, code: str) -> AgencyRecord | None:
        """Return the agency that a code means or meant last, merged or not; None when nobody ever had it."""
        rows = await self._fetch("holder_of_code", code)
        return (await self._records([row["code"] for row in rows]))[0] if rows else None

    async def history(self, code: str) -> list[tuple[datetime, str, dict[str, Any]]]:
        """Return what operators decided about an agency, by its canonical code: when, what, facts."""
        rows = await self._fetch("agency_history", code)
        return [(row["recorded_at"], row["kind"], json.loads(row["facts"])) for row in rows]

    async def _records(self, codes: Sequence[str]) -> list[AgencyRecord]:
        rows = await self._fetch("agency_records", codes)
        return [
            _RECORD.validate_python({k: json.loads(v) if k in _PARTS else v for k, v in row.items()}) for row in rows
        ]

    async def _fetch(self, name: str, *arguments: object) -> Sequence[asyncpg.Record]:
        with translated():
            return await self._connection.fetch(statement(name), *arguments)


def _arguments(wanted: AgencyFilter) -> tuple[object, ...]:
    return wanted.stage, wanted.kind, wanted.under, wanted.text, wanted.merged, query_of(wanted.text or "")
