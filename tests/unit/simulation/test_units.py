"""The 95 units and their roles."""

from __future__ import annotations

from collections import Counter

import pytest

from lienthong.document.codes import is_agency_code, level_one
from lienthong.document.life_cycle import STATUS_CODES, Office
from lienthong.simulation.units import JANUARY_2019, Role, cast, old_form, units_2019


def test_the_list_has_the_95_units_of_january_2019() -> None:
    """The supervision counted 63 provinces, 31 central bodies and the party's central office, each once."""
    units = units_2019()
    assert len(units) == 95
    assert len({unit.code for unit in units}) == 95
    assert Counter(unit.kind == "province" for unit in units) == {True: 63, False: 32}
    assert all(is_agency_code(unit.code) and level_one(unit.code) == unit.code for unit in units)


def test_the_roles_are_the_counts_of_the_source() -> None:
    """84 of 95 connected, 78 of them receive, 76 of those feed back: fully 41, partly 22, arrival only 13."""
    roles = Counter(member.role for member in cast(seed=1))
    assert roles == JANUARY_2019
    assert sum(count for role, count in roles.items() if role.connected) == 84
    assert sum(count for role, count in roles.items() if role.receives) == 78
    assert sum(count for role, count in roles.items() if role.statuses) == 76


@pytest.mark.parametrize(
    ("role", "offices"),
    [
        (Role.FULLY, {Office.CLERK, Office.LEADER, Office.OFFICER}),
        (Role.PARTLY, {Office.CLERK, Office.LEADER}),
        (Role.ARRIVAL, {Office.CLERK}),
        (Role.NEVER, set()),
    ],
)
def test_a_role_speaks_of_the_offices_that_its_grade_names(role: Role, offices: set[Office]) -> None:
    """The supervision's grades come from which offices' statuses are seen."""
    assert {STATUS_CODES[code].office for code in role.statuses} == offices


def test_the_same_seed_gives_the_same_cast() -> None:
    """Which unit plays which part is a repeatable lot."""
    assert cast(seed=7) == cast(seed=7)
    assert cast(seed=7) != cast(seed=8)


def test_more_roles_than_units_are_refused() -> None:
    """A cast never gives one unit two parts."""
    with pytest.raises(ValueError, match="96 roles"):
        cast({Role.FULLY: 96}, seed=1)


def test_abbreviations_and_places_come_from_the_names() -> None:
    """Notations of documents are made of the units' own names."""
    by_code = {unit.code: unit for unit in units_2019()}
    assert by_code["G22"].abbreviation == "VPCP"
    assert by_code["G07"].abbreviation == "BLĐTBXH"
    assert by_code["H53"].abbreviation == "UBND"
    assert (by_code["G22"].place, by_code["H53"].place, by_code["H29"].place) == ("Hà Nội", "Tây Ninh", "Hồ Chí Minh")


def test_the_old_form_of_a_level_one_code() -> None:
    """Level 1 stands in the last group of the old form, after zeros."""
    assert old_form("H53") == "000.00.00.H53"
    assert level_one(old_form("H53")) == "H53"
