"""What robots plan to write."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from lienthong.document.verdicts import Value
from lienthong.edxml import Document, Profile, check, decode, encode
from lienthong.simulation.letter import render
from lienthong.simulation.signing import Signing
from lienthong.simulation.traffic import ADDRESSEES, Draft, Traffic, plan_letter, plan_traffic, statuses_for
from lienthong.simulation.units import Role, cast

DAY = date(2019, 1, 15)
PDF = b"%PDF-1.7 a letter"
MEMBERS = cast(seed=3)
ROLES = {member.unit.code: member.role for member in MEMBERS}


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    """Plan a full-size run."""
    return plan_traffic(MEMBERS, documents=300, seed=3, issued_on=DAY)


def test_the_same_seed_plans_the_same_documents(traffic: Traffic) -> None:
    """A run can be repeated: documents, addressees, subjects and answers come from the seed alone."""
    again = plan_traffic(MEMBERS, documents=300, seed=3, issued_on=DAY)
    other = plan_traffic(MEMBERS, documents=300, seed=4, issued_on=DAY)
    assert again == traffic
    assert [draft.theme for draft in other] != [draft.theme for draft in traffic]
    first = traffic.drafts[0]
    assert encode(first.document(PDF)) == encode(again.drafts[0].document(PDF))
    assert render(first.letter) == render(again.drafts[0].letter)


def test_only_connected_units_write_and_only_receiving_ones_are_written_to(traffic: Traffic) -> None:
    """Nobody writes to a unit that cannot receive, nor to itself."""
    for draft in traffic:
        assert ROLES[draft.sender.code].connected
        assert draft.addressees
        assert all(ROLES[unit.code].receives for unit in draft.addressees)
        assert draft.sender not in draft.addressees
        assert len(set(draft.addressees)) == len(draft.addressees)


@pytest.mark.parametrize("documents", [2, 300])
def test_every_receiving_unit_gets_something_it_does_not_refuse(documents: int) -> None:
    """However small a run is, each unit shows its grade."""
    plan = plan_traffic(MEMBERS, documents=documents, seed=5, issued_on=DAY)
    accepted = {unit.code for draft in plan for unit in draft.addressees if unit.code not in draft.refused}
    assert accepted == {code for code, role in ROLES.items() if role.receives}


def test_the_mix_is_like_real_traffic(traffic: Traffic) -> None:
    """About six addressees a document, some to everybody, some urgent, some refused with a reason, some answered."""
    drafts = list(traffic)
    assert 5 < traffic.deliveries / len(drafts) < 7
    assert sum(len(draft.addressees) >= 77 for draft in drafts) == 5
    assert 10 < sum(draft.priority > 0 for draft in drafts) < 50
    refusals = [reason for draft in drafts for reason in draft.refused.values()]
    assert 5 < len(refusals) < 50
    assert all(refusals)
    replies = [draft for draft in drafts if draft.answers]
    assert 5 < len(replies) < 60
    assert any(draft.written for draft in drafts)


def test_a_few_documents_are_not_signed_as_they_should_be(traffic: Traffic) -> None:
    """Of the ordinary ones that nobody refuses or answers: two revoked, two unsigned, some by the agency alone."""
    bad = [draft for draft in traffic if draft.signing is not Signing.COMPLETE]
    signings = Counter(draft.signing for draft in bad)
    assert signings == {Signing.REVOKED: 2, Signing.UNSIGNED: 2, Signing.AGENCY_ONLY: 6}
    assert all(len(draft.addressees) <= max(ADDRESSEES) for draft in bad)
    assert not any(draft.refused or draft.replies or draft.answers for draft in bad)
    assert traffic.worths == {Value.PAPER: sum(1 for _ in traffic) - 10, Value.INFORMATION: 8, Value.REFUSED: 2}


def test_what_is_to_be_refused_reaches_nobody(traffic: Traffic) -> None:
    """A run neither waits for deliveries of a document whose signature is revoked nor for statuses of it."""
    everywhere = replace(
        traffic, drafts=tuple(replace(draft, signing=Signing.REVOKED, replies={}) for draft in traffic.drafts)
    )
    assert (everywhere.delivered, everywhere.deliveries, everywhere.statuses) == ((), 0, 0)
    refused = sum(len(draft.addressees) for draft in traffic if draft.signing is Signing.REVOKED)
    assert traffic.deliveries == sum(len(draft.addressees) for draft in traffic) - refused
    assert refused > 0


def test_document_ids_are_unique_for_their_sender(traffic: Traffic) -> None:
    """The same id with other content would be refused."""
    names = [(draft.sender.code, draft.document_id) for draft in traffic]
    assert len(set(names)) == len(names)


def test_a_document_is_what_a_certified_sender_writes(traffic: Traffic) -> None:
    """Robots send documents that the strict profile finds nothing missing in, and that read back the same."""
    reply = next(draft for draft in traffic if draft.answers)
    for draft in (traffic.drafts[0], next(draft for draft in traffic if draft.written), reply):
        document = draft.document(PDF)
        assert check(document, Profile.STRICT) == ()
        decoded = decode(encode(document), profile=Profile.STRICT)
        assert decoded == document
        (attachment,) = document.attachments
        assert attachment.content == PDF
    assert reply.answers is not None
    (answered,) = reply.document(PDF).response_for
    assert (answered.organ_id, answered.document_id) == (reply.answers.sender.code, reply.answers.document_id)


def test_a_reply_comes_from_an_addressee_to_the_sender(traffic: Traffic) -> None:
    """Only who got a document answers it, to whom it came from."""
    for draft in traffic:
        for code, reply in draft.replies.items():
            assert code == reply.sender.code
            assert reply.sender in draft.addressees
            assert reply.addressees == (draft.sender,)
            assert code not in draft.refused


def test_statuses_follow_the_role_unless_the_document_is_refused() -> None:
    """A refusing clerk reports the arrival and the refusal, nothing more."""
    refused = _draft(refused={"G01": "Gửi nhầm"})
    assert statuses_for(refused, "G01", Role.FULLY) == ("01", "02")
    assert statuses_for(refused, "G02", Role.FULLY) == ("01", "03", "04", "05", "06")
    assert statuses_for(None, "G02", Role.PARTLY) == ("01", "03", "04")


def test_the_statuses_of_a_run_are_those_of_its_deliveries() -> None:
    """What a run waits for is the sum over all deliveries."""
    plan = plan_traffic(MEMBERS, documents=2, seed=5, issued_on=DAY)
    expected = sum(len(ROLES[unit.code].statuses) for draft in plan for unit in draft.addressees)
    assert plan.statuses == expected


def test_a_single_letter_goes_where_it_is_told() -> None:
    """The background demo gives its players a document they can send at once."""
    sender, *others = [member.unit.code for member in MEMBERS if member.role is Role.FULLY][:4]
    draft = plan_letter(MEMBERS, sender, others, seed=1, issued_on=DAY)
    document = decode(encode(draft.document(PDF)))
    assert isinstance(document, Document)
    assert document.sender.organ_id == sender
    assert {one.organ_id.rpartition(".")[2] for one in document.addressees} == set(others)


def _draft(refused: dict[str, str]) -> Draft:
    code = next(member.unit.code for member in MEMBERS if member.role is Role.FULLY)
    draft = plan_letter(MEMBERS, code, ["G01", "G02"], seed=1, issued_on=DAY)
    return Draft(**{**{name: getattr(draft, name) for name in Draft.__dataclass_fields__}, "refused": refused})
