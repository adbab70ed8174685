"""Who a code means on a day, and who stands for whom: the directory in memory, without a ledger."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from lienthong.ledger.directory import EVER, Agency, Directory, Held

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lienthong.ledger.directory import Stage

TODAY = date(2026, 11, 22)
MERGED_ON = date(2025, 7, 1)
BEFORE = date(2025, 6, 30)


def agency(code: str, stage: Stage = "official", parent: str | None = None, into: str | None = None) -> Agency:
    """Return an agency, merged on 1 July 2025 when it is told into which."""
    return Agency(code, f"Cơ quan {code}", stage, parent, into, MERGED_ON if into else None)


def directory(*agencies: Agency, codes: Mapping[str, str | tuple[Held, ...]] | None = None) -> Directory:
    """Return a directory of these agencies."""
    return Directory(1, TODAY, {one.code: one for one in agencies}, codes or {})


def code_of(found: Agency | None) -> str | None:
    """Return the code of what was found."""
    return found.code if found else None


@pytest.mark.parametrize("written", ["H40", "000.00.00.H40"])
def test_mail_to_an_old_code_reaches_the_last_successor(written: str) -> None:
    """A code is followed through every merger, from the day on which it took effect and not before."""
    merged = directory(
        agency("H40", into="H29"), agency("H29", into="H01"), agency("H01"), codes={"000.00.00.H40": "H40"}
    )
    assert code_of(merged.resolve(written)) == "H01"
    assert code_of(merged.resolve(written, MERGED_ON)) == "H01"
    assert code_of(merged.resolve(written, BEFORE)) == "H40"
    assert code_of(merged.named(written)) == "H40"


def test_the_heir_stands_for_whoever_was_merged_into_it() -> None:
    """It answers for all of them, is told what they would be, and carries what stood below them."""
    merged = directory(
        agency("H40", into="H29"),
        agency("H29", "suspended", into="H01"),
        agency("H01"),
        agency("H40.1", "registered"),
        agency("X.9", "registered", parent="H29"),
    )
    heir, below, elsewhere = merged.agency("H01"), merged.agency("H40.1"), merged.agency("X.9")
    assert heir is not None
    assert below is not None
    assert elsewhere is not None
    assert merged.stands_for(heir) == {"H01", "H29", "H40"}
    assert [merged.told(user) for user in ("H40", "H29", "H01", "H40.1", "nobody")] == [
        "H01",
        "H01",
        "H01",
        "H40.1",
        "nobody",
    ]
    assert merged.carrier(below) is merged.carrier(elsewhere) is heir


def test_a_code_means_whoever_holds_it_on_the_day() -> None:
    """A code that was given to another agency later means each on its days, and nobody between them."""
    held = (Held("H23.4", date.min, BEFORE), Held("H23.5", MERGED_ON, date.max))
    moved = directory(agency("H23.4"), agency("H23.5"), codes={"000.00.09.H23": held})
    days = {date(2020, 1, 1): "H23.4", BEFORE: None, MERGED_ON: "H23.5", TODAY: "H23.5"}
    assert {day: code_of(moved.resolve("000.00.09.H23", day)) for day in days} == days
    assert moved.holders("000.00.09.H23") == held
    assert moved.holders("H23.4") == (Held("H23.4", *EVER),)
    assert moved.holders("H99") == ()


def test_a_code_that_ended_with_a_merger_goes_on_to_the_successor() -> None:
    """A list may end the codes of a merged agency; mail to them has somewhere to go all the same, others' have not."""
    ended = {code: (Held(code, date.min, MERGED_ON),) for code in ("H40", "H41")}
    merged = directory(agency("H40", into="H01"), agency("H41"), agency("H01"), codes=ended)
    assert code_of(merged.resolve("H40")) == "H01"
    assert merged.resolve("H41") is None
    assert code_of(merged.resolve("H41", BEFORE)) == "H41"


def test_a_circle_of_mergers_ends() -> None:
    """Whatever the ledger holds, a look-up comes back."""
    circle = directory(agency("H40", into="H29"), agency("H29", into="H40"))
    assert code_of(circle.resolve("H40")) == "H29"
    assert circle.stands_for(agency("H40")) == {"H40", "H29"}


def test_a_change_keeps_what_did_not_change() -> None:
    """The directory before stays as it was; the one after shares every other agency, and forgets ended exceptions."""
    before = directory(agency("H23"), agency("H24"), codes={"H23": (Held("H23", date.min, MERGED_ON),), "K": "H24"})
    after = before.changed(2, TODAY, {"H25": agency("H25")}, {"H23": "H23", "000.00.00.H25": "H25"})
    assert before.resolve("H23") is before.resolve("H25") is None
    assert after.agency("H24") is before.agency("H24")
    assert {code: code_of(after.resolve(code)) for code in ("H23", "H25", "000.00.00.H25", "K")} == {
        "H23": "H23",
        "H25": "H25",
        "000.00.00.H25": "H25",
        "K": "H24",
    }


def test_trial_is_whose_queue_it_is() -> None:
    """A unit without a connection exchanges on trial when the one that carries for it is on trial."""
    found = directory(agency("H23", "trial"), agency("H23.1", "registered"), agency("H24"), agency("H25", "registered"))
    trial = {code: found.on_trial(found.agency(code) or agency("?")) for code in ("H23", "H23.1", "H24", "H25")}
    assert trial == {"H23": True, "H23.1": True, "H24": False, "H25": False}
