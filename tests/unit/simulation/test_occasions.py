"""What a run shows besides ordinary documents, however short it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lienthong.document.deadlines import Dating, Rules
from lienthong.document.working_days import WorkingDays
from lienthong.edxml import BusinessType, Document, Profile, check, decode, encode
from lienthong.simulation.happenings import planned
from lienthong.simulation.occasions import OLD_CODE, with_occasions
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import Role, cast

MEMBERS = cast(seed=3)
ROLES = {member.unit.code: member.role for member in MEMBERS}
TET = date(2026, 2, 23)
"""A day after the longest of holidays."""


@pytest.mark.parametrize("documents", [2, 300])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_happens_in_every_run(documents: int, seed: int) -> None:
    """Short or long: each happens, as often as the same plan says, under a number and an id of its own."""
    plan = plan_traffic(MEMBERS, documents=documents, seed=seed, issued_on=TET)
    eventful = with_occasions(plan, seed=seed)
    assert eventful == with_occasions(plan, seed=seed)
    assert min(planned(eventful).values()) > 0
    names = [draft.document_id for draft in eventful]
    assert len(set(names)) == len(names)
    assert {draft.document_id for draft in plan} <= set(names)


def test_what_happens_changes_nobodys_grade() -> None:
    """Only who registers what it gets has a part in it, and each of them reports all it does of another document."""
    eventful = with_occasions(plan_traffic(MEMBERS, documents=2, seed=1, issued_on=TET), seed=1)
    told = [draft for draft in eventful if draft.asked_back or draft.followed_by or draft.earlier]
    assert {ROLES[unit.code] for draft in told for unit in draft.addressees} <= {Role.FULLY, Role.PARTLY}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_late_is_late_by_the_law(seed: int) -> None:
    """The late document is late and the others are not, by the rules of the exchange, even right after Tết."""
    eventful = with_occasions(plan_traffic(MEMBERS, documents=2, seed=seed, issued_on=TET), seed=seed)
    rules, moment = Rules(WorkingDays(), timedelta(minutes=30)), datetime(2026, 2, 23, 3, tzinfo=UTC)
    for draft in eventful:
        if draft.business in (BusinessType.NEW, BusinessType.REPLACE):
            found = rules.sending(draft.issued_on, moment, urgent=draft.priority > 0)
            assert (found.dating is Dating.LATE) == draft.late, draft
        else:
            assert not draft.late, "a request is not sent late"


def test_a_merged_units_code_is_no_members() -> None:
    """Its successor is the addressee, the document has the old code, and is valid edXML."""
    eventful = with_occasions(plan_traffic(MEMBERS, documents=2, seed=1, issued_on=TET), seed=1)
    assert eventful.merger is not None
    assert OLD_CODE not in ROLES
    heir = eventful.merger.heir
    draft = next(draft for draft in eventful if OLD_CODE in draft.written.values())
    assert heir in draft.addressees
    document = decode(encode(draft.document(b"%PDF-1.7 a letter")))
    assert isinstance(document, Document)
    written = {one.organ_id for one in document.addressees}
    assert OLD_CODE in written
    assert heir.code not in written
    assert check(document, Profile.STRICT) == ()
