"""Documents whose senders change their minds."""

from __future__ import annotations

from datetime import date

from lienthong.edxml import BusinessType, Document, Profile, check, decode, encode
from lienthong.simulation.reconsidered import reconsider
from lienthong.simulation.traffic import plan_traffic, statuses_for
from lienthong.simulation.units import Role, cast

MEMBERS = cast(seed=3)
ROLES = {member.unit.code: member.role for member in MEMBERS}
TRAFFIC = plan_traffic(MEMBERS, documents=300, seed=3, issued_on=date(2019, 1, 15))


def test_documents_are_asked_back_withdrawn_updated_and_replaced() -> None:
    """Some are asked back, some followed by what acts on them; receivers agree here and decline there."""
    plan = reconsider(TRAFFIC, share=0.15, seed=3)
    assert plan == reconsider(TRAFFIC, share=0.15, seed=3)
    answers = [set(draft.asked_back.values()) for draft in plan.drafts if draft.asked_back]
    assert {"15"} in answers
    assert any("16" in each for each in answers)
    later = [draft.followed_by for draft in plan.drafts if draft.followed_by]
    assert {(draft.business, bool(draft.declined_by)) for draft in later} == {
        (BusinessType.WITHDRAW, False),
        (BusinessType.WITHDRAW, True),
        (BusinessType.UPDATE, False),
        (BusinessType.UPDATE, True),
        (BusinessType.REPLACE, False),
    }
    assert 10 < len(answers) + len(later) <= 45
    names = [draft.document_id for draft in plan]
    assert len(set(names)) == len(names)


def test_only_who_registers_documents_is_asked() -> None:
    """Each addressee of such a document answers once, after it reported the arrival where that is done."""
    for draft in reconsider(TRAFFIC, share=0.15, seed=3):
        if draft.asked_back or draft.followed_by or draft.earlier:
            assert {ROLES[unit.code] for unit in draft.addressees} <= {Role.FULLY, Role.PARTLY}
        for code, answer in draft.asked_back.items():
            assert statuses_for(draft, code, Role.FULLY) == ("01", answer)
        if draft.business in (BusinessType.WITHDRAW, BusinessType.UPDATE):
            answers = {unit.code: statuses_for(draft, unit.code, Role.FULLY) for unit in draft.addressees}
            assert {code for code, each in answers.items() if each[-1] == "16"} == draft.declined_by
            assert {each[-1] for each in answers.values()} <= {"15", "16"}


def test_what_follows_names_what_it_is_about() -> None:
    """What withdraws, updates or replaces is valid edXML and says which document it means."""
    for draft in reconsider(TRAFFIC, share=0.15, seed=3):
        if draft.earlier:
            document = decode(encode(draft.document(b"%PDF-1.7 a letter")))
            assert isinstance(document, Document)
            assert document.business.type is draft.business
            replaced = [one.document_id for one in document.business.replacements]
            named = replaced if draft.business is BusinessType.REPLACE else [document.business.document_id]
            assert named == [draft.earlier.document_id]
            assert check(document, Profile.STRICT) == ()
