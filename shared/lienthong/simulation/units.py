"""The 95 units of the national axis in January 2019, and what each of them did with documents it received.

The source (the supervision of January 2019) gives only the *counts*: 84 units connected, 11 in progress; of the
connected 78 receive documents and 6 do not yet; of the 78, 41 feed back fully, 22 partly, 13 only the arrival at the
clerk, 2 nothing. It does not name which unit is which, so the choice here is drawn by lot from a seed and says
nothing about any real agency. It leaves the 6 units that do not yet receive documents unclassified.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["JANUARY_2019", "Member", "Merger", "Role", "Unit", "cast", "old_form", "units_2019"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of the list.

    Attributes:
        code: its level-1 agency code in the new form; placeholders where no public source gives one.
        name: its name in Vietnamese.
        kind: ``ministry``, ``ministerial-agency``, ``government-agency``, ``party-office`` or ``province``.
    """

    code: str
    name: str
    kind: str

    @property
    def abbreviation(self) -> str:
        """Its abbreviation as notations of documents use it: UBND for every province, initials for the others."""
        if self.kind == "province":
            return "UBND"
        words = (word for word in self.name.replace(",", "").split() if word not in ("-", "và"))
        return "".join(word[0] for word in words).upper()

    @property
    def place(self) -> str:
        """Where it issues its documents."""
        if self.kind != "province":
            return "Hà Nội"
        return self.name.removeprefix("UBND tỉnh ").removeprefix("UBND Thành phố ")


class Role(StrEnum):
    """What a unit does: the classes the supervision of January 2019 counted."""

    IN_PROGRESS = "in-progress"
    SENDS_ONLY = "sends-only"
    FULLY = "fully"
    PARTLY = "partly"
    ARRIVAL = "arrival"
    NEVER = "never"

    @property
    def connected(self) -> bool:
        """Whether it has a connection of its own."""
        return self is not Role.IN_PROGRESS

    @property
    def receives(self) -> bool:
        """Whether documents are sent to it."""
        return self not in (Role.IN_PROGRESS, Role.SENDS_ONLY)

    @property
    def statuses(self) -> tuple[str, ...]:
        """The status codes it reports for a document it accepts, in order."""
        return _STATUSES[self]


_STATUSES: dict[Role, tuple[str, ...]] = {
    Role.IN_PROGRESS: (),
    Role.SENDS_ONLY: (),
    Role.FULLY: ("01", "03", "04", "05", "06"),
    Role.PARTLY: ("01", "03", "04"),
    Role.ARRIVAL: ("01",),
    Role.NEVER: (),
}

JANUARY_2019: Mapping[Role, int] = {
    Role.IN_PROGRESS: 11,
    Role.SENDS_ONLY: 6,
    Role.FULLY: 41,
    Role.PARTLY: 22,
    Role.ARRIVAL: 13,
    Role.NEVER: 2,
}
"""How many units did what; they add up to 95."""


@dataclass(frozen=True, slots=True)
class Member:
    """A unit with its role."""

    unit: Unit
    role: Role


@dataclass(frozen=True, slots=True)
class Merger:
    """That a unit, which is none of the members, was merged into one of them."""

    merged: Unit
    heir: Unit


def units_2019() -> tuple[Unit, ...]:
    """Return the 95 units, in the order of their codes."""
    text = resources.files(__package__).joinpath("units-2019.csv").read_text(encoding="utf-8")
    return tuple(Unit(row["code"], row["name"], row["kind"]) for row in csv.DictReader(text.splitlines()))


def cast(
    roles: Mapping[Role, int] = JANUARY_2019, *, seed: int, units: Sequence[Unit] | None = None
) -> tuple[Member, ...]:
    """Give units their roles by lot.

    Args:
        roles: how many units play each role.
        seed: the same seed gives the same cast.
        units: from whom to draw; the 95 of January 2019 when left out.

    Raises:
        ValueError: there are fewer units than roles.
    """
    pool = list(units_2019() if units is None else units)
    wanted = sum(roles.values())
    if wanted > len(pool):
        raise ValueError(f"{wanted} roles for {len(pool)} units")
    random.Random(f"cast {seed}").shuffle(pool)  # noqa: S311 - a repeatable lot, nothing secret
    drawn = iter(pool)
    members = [Member(next(drawn), role) for role, count in roles.items() for _ in range(count)]
    return tuple(sorted(members, key=lambda member: member.unit.code))


def old_form(code: str) -> str:
    """Return the old 13-character form of a level-1 code: ``000.00.00.H53`` for ``H53``."""
    return f"000.00.00.{code}"
