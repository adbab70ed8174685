"""Who an agency code means, and whose queue carries what is addressed to it; in memory, read anew when it moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from lienthong.document.codes import CodeForm, ancestors, code_form
from lienthong.ledger.rows import AgencyRow, as_json
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import asyncpg

__all__ = ["Agency", "Directory", "read_directory", "register"]

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency as the workers need it."""

    code: str
    name: str
    stage: Literal["registered", "in-progress", "trial", "official", "suspended"]
    parent: str | None

    @property
    def connected(self) -> bool:
        """Whether it has queues of its own."""
        return self.stage in ("trial", "official")


class Directory:
    """All agencies and codes of one moment."""

    def __init__(
        self, as_of: tuple[int, date] | None, agencies: Iterable[Agency], codes: Iterable[tuple[str, str]]
    ) -> None:
        self.as_of = as_of
        self._agencies = {agency.code: agency for agency in agencies}
        self._codes = dict(codes)

    def resolve(self, code: str) -> Agency | None:
        """Return the agency a code means, in whichever form it is written; None when nobody has it."""
        canonical = self._codes.get(code) or (code if code in self._agencies else None)
        return self._agencies[canonical] if canonical else None

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

    def speaks_for(self, user: str, agency: Agency) -> bool:
        """Tell whether this broker user may speak for the agency: it is the agency, or carries it."""
        carrier = self.carrier(agency)
        return carrier is not None and carrier.code == user

    def _above(self, agency: Agency) -> Iterator[Agency]:
        seen = {agency.code}
        while agency.parent and agency.parent in self._agencies and agency.parent not in seen:
            agency = self._agencies[agency.parent]
            seen.add(agency.code)
            yield agency
        for code in ancestors(agency.code):
            above = self.resolve(code)
            if above and above.code not in seen:
                seen.add(above.code)
                yield above


async def read_directory(connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], known: Directory) -> Directory:
    """Return the directory as it is now; `known` itself when nothing has changed."""
    today = datetime.now(VIETNAM).date()
    as_of = (await connection.fetchval(statement("directory_version")), today)
    if as_of == known.as_of:
        return known
    agencies = await connection.fetch(statement("select_agencies"))
    codes = await connection.fetch(statement("select_valid_codes"), today)
    return Directory(
        as_of,
        [Agency(row["code"], row["name"], row["stage"], row["parent"]) for row in agencies],
        [(row["code"], row["agency"]) for row in codes],
    )


async def register(connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], agencies: Sequence[AgencyRow]) -> None:
    """Add agencies, or change those that are there; parents before their children."""
    await connection.execute(statement("upsert_agencies"), as_json(agencies))
    codes = [{"code": code, "agency": agency.code} for agency in agencies for code in _codes_of(agency)]
    await connection.execute(statement("insert_codes"), as_json(codes))


def _codes_of(agency: AgencyRow) -> set[str]:
    codes = {agency.code, *agency.codes}
    if code_form(agency.code) is CodeForm.NEW and "." not in agency.code:
        codes.add(f"000.00.00.{agency.code}")
    return codes
