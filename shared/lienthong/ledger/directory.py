"""Who an agency code means, and whose queue carries what is addressed to it; in memory, kept current by its changes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from sys import intern
from typing import TYPE_CHECKING, Literal, get_args

from lienthong.document.codes import CodeForm, ancestors, code_form
from lienthong.document.zone import VIETNAM
from lienthong.ledger.rows import AgencyRow, as_json
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import asyncpg

__all__ = ["EVER", "STAGES", "Agency", "Directory", "Held", "Stage", "read_directory", "register"]

Stage = Literal["registered", "in-progress", "trial", "official", "suspended"]
STAGES: tuple[Stage, ...] = get_args(Stage)
EVER = (date.min, date.max)
"""The days of a code without dates; PostgreSQL's infinities."""
ROWS_AT_ONCE = 2_000
NOTHING_YET = -1


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency as the workers need it.

    Attributes:
        code: its canonical code.
        name: its name.
        stage: how far its connection is.
        parent: the agency above it, where its code does not tell.
        successor: the agency it was merged into; None when it was not.
        succeeded_on: the first day on which its mail is the successor's, by Vietnam's calendar.
    """

    code: str
    name: str
    stage: Stage
    parent: str | None
    successor: str | None = None
    succeeded_on: date | None = None

    @property
    def connected(self) -> bool:
        """Whether it has queues of its own."""
        return self.stage in ("trial", "official")


@dataclass(frozen=True, slots=True)
class Held:
    """That a code means an agency for `valid_from` ≤ day < `valid_to`."""

    agency: str
    valid_from: date
    valid_to: date

    def on(self, day: date) -> bool:
        """Tell whether the code means the agency on this day."""
        return self.valid_from <= day < self.valid_to


class Directory:
    """All agencies and codes of one moment; never changed, so that whoever has it sees one state of things.

    Args:
        version: the ledger's number of this state; -1 of an empty directory.
        today: the day that counts where none is named, by Vietnam's calendar.
        agencies: by canonical code.
        codes: who holds a code: an agency for ever, or several one after the other. An agency's canonical code that is
            its own for ever is left out, which saves a third of the memory.
    """

    def __init__(
        self,
        version: int,
        today: date,
        agencies: Mapping[str, Agency],
        codes: Mapping[str, str | tuple[Held, ...]],
    ) -> None:
        self.version = version
        self.today = today
        self._agencies = agencies
        self._codes = codes

    @classmethod
    def empty(cls) -> Directory:
        """Return the directory of somebody who has read nothing yet."""
        return cls(NOTHING_YET, date.min, {}, {})

    def resolve(self, code: str, at: date | None = None) -> Agency | None:
        """Return the agency that a code means on a day, in whichever form it is written; None when nobody has it.

        An agency that was merged by then is resolved to the one that took over.

        Args:
            code: as somebody wrote it.
            at: the day, by Vietnam's calendar; today when left out.
        """
        agency = self.named(code, at) or self._last_merged(code, at or self.today)
        return None if agency is None else self.heir(agency, at)

    def named(self, code: str, at: date | None = None) -> Agency | None:
        """Return the agency whose code this is on a day, merged or not; None when nobody has it."""
        held = self._codes.get(code)
        if held is None:
            return self._agencies.get(code)
        if isinstance(held, str):
            return self._agencies.get(held)
        day = at or self.today
        return next((self._agencies.get(one.agency) for one in held if one.on(day)), None)

    def agency(self, code: str) -> Agency | None:
        """Return the agency with this canonical code, whatever the code means today."""
        return self._agencies.get(code)

    def holders(self, code: str) -> tuple[Held, ...]:
        """Return everybody a code ever means, in the order of time."""
        held = self._codes.get(code)
        if held is None:
            return (Held(code, *EVER),) if code in self._agencies else ()
        return (Held(held, *EVER),) if isinstance(held, str) else held

    def heir(self, agency: Agency, at: date | None = None) -> Agency:
        """Return who stands for an agency on a day: itself, or whoever took over at the end of the chain."""
        day = at or self.today
        seen = {agency.code}
        while agency.successor is not None and agency.succeeded_on is not None and agency.succeeded_on <= day:
            heir = self._agencies.get(agency.successor)
            if heir is None or heir.code in seen:
                break
            seen.add(heir.code)
            agency = heir
        return agency

    def stands_for(self, agency: Agency) -> frozenset[str]:
        """Return the canonical codes whose affairs are an agency's by now: its own, and those merged into it."""
        found = {agency.code}
        waiting = [agency.code]
        while waiting:
            for merged in self._merged.get(waiting.pop(), ()):
                if merged not in found:
                    found.add(merged)
                    waiting.append(merged)
        return frozenset(found)

    def connected(self) -> list[str]:
        """Return the codes of the agencies that have queues of their own."""
        return sorted(agency.code for agency in self._agencies.values() if agency.connected)

    def carrier(self, agency: Agency) -> Agency | None:
        """Return the nearest connected agency at or above this one; None when there is none.

        A suspended agency is carried by nobody: what is addressed to it must not surface elsewhere.
        """
        if agency.stage == "suspended":
            return None
        if agency.connected:
            return agency
        for above in self._above(agency):
            if above.stage == "suspended":
                return None
            if above.connected:
                return above
        return None

    def on_trial(self, agency: Agency) -> bool:
        """Tell whether what an agency exchanges is on trial: it is, or the one that carries for it."""
        carrier = self.carrier(agency)
        return carrier is not None and carrier.stage == "trial"

    def speaks_for(self, user: str, agency: Agency) -> bool:
        """Tell whether this broker user may speak for the agency: it is the agency, or carries it."""
        carrier = self.carrier(agency)
        return carrier is not None and carrier.code == user

    def told(self, user: str) -> str:
        """Return whose status queue it is by now that an agency's user had: its own, or its successor's."""
        agency = self._agencies.get(user)
        if agency is None:
            return user
        heir = self.heir(agency)
        carrier = self.carrier(heir)
        return user if heir is agency or carrier is None else carrier.code

    def changed(
        self,
        version: int,
        today: date,
        agencies: Mapping[str, Agency],
        codes: Mapping[str, str | tuple[Held, ...]],
    ) -> Directory:
        """Return the directory after a change of these agencies and codes."""
        if not agencies and not codes:
            return Directory(version, today, self._agencies, self._codes)
        forever = {code for code, held in codes.items() if held == code}
        kept = self._codes if forever.isdisjoint(self._codes) else _without(self._codes, forever)
        new = {code: held for code, held in codes.items() if code not in forever}
        return Directory(version, today, {**self._agencies, **agencies}, {**kept, **new} if new else kept)

    def _last_merged(self, code: str, day: date) -> Agency | None:
        """Return the agency a code meant last, when that agency was merged: its mail has somewhere to go."""
        ended = [one for one in self.holders(code) if one.valid_to <= day]
        agency = self._agencies.get(ended[-1].agency) if ended else None
        return agency if agency is not None and self.heir(agency, day) is not agency else None

    @cached_property
    def _merged(self) -> Mapping[str, Sequence[str]]:
        """Who was merged into whom by today."""
        found = defaultdict(list)
        for agency in self._agencies.values():
            if agency.successor and agency.succeeded_on and agency.succeeded_on <= self.today:
                found[agency.successor].append(agency.code)
        return found

    def _above(self, agency: Agency) -> Iterator[Agency]:
        seen = {agency.code}
        code = agency.code
        while agency.parent and agency.parent in self._agencies:
            agency = self.heir(self._agencies[agency.parent])
            if agency.code in seen:
                break
            seen.add(agency.code)
            yield agency
        for written in ancestors(code):
            above = self.resolve(written)
            if above and above.code not in seen:
                seen.add(above.code)
                yield above


async def read_directory(connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], known: Directory) -> Directory:
    """Return the directory as it is now; `known` itself when nothing has changed. Needs an open transaction.

    Only what changed since is fetched, some thousand rows at a time, so that neither memory nor the event loop is
    taken up by them.
    """
    today = datetime.now(VIETNAM).date()
    now = (await connection.fetch(statement("directory_version")))[0]
    if now["version"] == known.version:
        return known if today == known.today else known.changed(known.version, today, {}, {})
    # A number that went back is another ledger's: restored, or that of a standby which had not got everything.
    if not now["reread"] <= known.version < now["version"]:
        known = Directory.empty()
    # Codes first: what they name is then found among the agencies, which are read later.
    codes = await _changed_codes(connection, known.version)
    agencies = {}
    async for row in connection.cursor(statement("changed_agencies"), known.version, prefetch=ROWS_AT_ONCE):
        code, name, stage, parent, successor, succeeded_on = row
        agency = Agency(intern(code), name, _STAGE[stage], _interned(parent), _interned(successor), succeeded_on)
        agencies[agency.code] = agency
    return known.changed(now["version"], today, agencies, codes)


async def register(connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], agencies: Sequence[AgencyRow]) -> None:
    """Add agencies, or change those that are there; parents before their children."""
    await connection.execute(statement("upsert_agencies"), as_json(agencies))
    codes = [{"code": code, "agency": agency.code} for agency in agencies for code in codes_of(agency)]
    await connection.execute(statement("insert_codes"), as_json(codes))


def codes_of(agency: AgencyRow) -> set[str]:
    """Return every way to write an agency's code that is known of it."""
    codes = {agency.code, *agency.codes}
    if code_form(agency.code) is CodeForm.NEW and "." not in agency.code:
        codes.add(f"000.00.00.{agency.code}")
    return codes


# One object for what a hundred thousand rows say again and again, instead of one for each row.
_STAGE: Mapping[str, Stage] = {stage: stage for stage in STAGES}


def _interned(code: str | None) -> str | None:
    return None if code is None else intern(code)


async def _changed_codes(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], since: int
) -> dict[str, str | tuple[Held, ...]]:
    rows = [
        (row["code"], Held(intern(row["agency"]), row["valid_from"], row["valid_to"]))
        async for row in connection.cursor(statement("changed_codes"), since, prefetch=ROWS_AT_ONCE)
    ]
    found: dict[str, str | tuple[Held, ...]] = {}
    for code, group in groupby(rows, key=itemgetter(0)):
        held = tuple(one for _, one in group)
        always = len(held) == 1 and (held[0].valid_from, held[0].valid_to) == EVER
        found[code] = held[0].agency if always else held
    return found


def _without(codes: Mapping[str, str | tuple[Held, ...]], gone: set[str]) -> Mapping[str, str | tuple[Held, ...]]:
    return {code: held for code, held in codes.items() if code not in gone}
