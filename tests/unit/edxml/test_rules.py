"""What the strict profile demands, field by field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lienthong.edxml import (
    Attachment,
    Business,
    BusinessType,
    Document,
    DocumentCode,
    DocumentType,
    Organization,
    OtherInfo,
    Profile,
    Promulgation,
    Replacement,
    ResponseFor,
    Signer,
    StaffInfo,
    Status,
    TraceHeader,
    check,
    decode,
)

DATA = Path(__file__).parents[2] / "data" / "edxml"
ORGANIZATION = Organization("H23")


@pytest.fixture(scope="module")
def document() -> Document:
    """Return a document the strict profile accepts."""
    message = decode((DATA / "document.edxml").read_bytes(), profile=Profile.STRICT)
    assert isinstance(message, Document)
    return message


@pytest.fixture(scope="module")
def status() -> Status:
    """Return a status the strict profile accepts."""
    message = decode((DATA / "status.edxml").read_bytes(), profile=Profile.STRICT)
    assert isinstance(message, Status)
    return message


def test_what_the_law_and_receivers_need_is_all_that_is_missing_from_a_bare_document() -> None:
    """The strict profile says exactly what is missing; the lenient one is content."""
    bare = Document(ORGANIZATION, (Organization("G22"),), "1")
    assert check(bare, Profile.LENIENT) == ()
    header = "MessageHeader"
    assert {problem.path for problem in check(bare)} == {
        f"{header}/From/OrganName",
        f"{header}/From/OrganAdd",
        f"{header}/From/Email",
        f"{header}/To[1]/OrganName",
        f"{header}/Code/CodeNumber",
        f"{header}/Code/CodeNotation",
        f"{header}/PromulgationInfo/Place",
        f"{header}/PromulgationInfo/PromulgationDate",
        f"{header}/DocumentType/Type",
        f"{header}/DocumentType/TypeName",
        f"{header}/Subject",
        f"{header}/SignerInfo/FullName",
        f"{header}/SignerInfo/Position",
        f"{header}/OtherInfo/Priority",
        f"{header}/ToPlaces/Place",
        "TraceHeaderList/TraceHeader",
    }
    assert {problem.code[:2] for problem in check(bare)} == {"N."}


def test_what_is_missing_from_a_bare_status() -> None:
    """Who reported it, when, and which paper it is about, so that the sender can find it without us."""
    bare = Status(ORGANIZATION, ResponseFor("G22", "1"), "01")
    assert check(bare, Profile.LENIENT) == ()
    assert {problem.path for problem in check(bare)} == {
        "MessageHeader/From/OrganName",
        "MessageHeader/ResponseFor/Code",
        "MessageHeader/ResponseFor/PromulgationDate",
        "MessageHeader/StaffInfo/Department",
        "MessageHeader/StaffInfo/Staff",
        "MessageHeader/Timestamp",
    }


@pytest.mark.parametrize("code", ["02", "13", "16"])
def test_a_refusal_or_take_back_needs_its_reason(status: Status, code: str) -> None:
    """Who refuses, takes back or declines must say why (Decision 28/2018/QĐ-TTg, Art. 5.4)."""
    assert check(replace(status, status_code=code)) == ()
    (problem,) = check(replace(status, status_code=code, description=None))
    assert problem.path == "MessageHeader/Description"


@pytest.mark.parametrize("profile", Profile)
def test_messages_that_were_built_wrong_are_refused_in_both_profiles(profile: Profile) -> None:
    """Nobody to send to, nobody who sends, an unknown code, an addressee twice."""
    nobody = Document(Organization(""), (), "")
    assert [problem.path for problem in check(nobody, profile)][:3] == [
        "MessageHeader/From/OrganId",
        "MessageHeader/To",
        "MessageHeader/DocumentId",
    ]
    twice = Document(ORGANIZATION, (Organization("G22"), Organization("G14"), Organization("G22")), "1")
    assert ("M.MessageHeader.To.OrganId", "MessageHeader/To[3]/OrganId") in [
        (problem.code, problem.path) for problem in check(twice, profile)
    ]
    unknown = Status(ORGANIZATION, ResponseFor("G22", "1"), "07")
    assert "R.MessageHeader.StatusCode" in [problem.code for problem in check(unknown, profile)]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sender": Organization("H23", "x" * 201, organ_add="x", email="x")}, "R.MessageHeader.From.OrganName"),
        ({"sender": Organization("H23", "x", "y" * 501, "x", "x")}, "R.MessageHeader.From.OrganizationInCharge"),
        ({"sender": Organization("H23", "x", None, "x", "x", "0" * 21)}, "R.MessageHeader.From.Telephone"),
        ({"addressees": (Organization("G22", "x", email="x" * 101),)}, "R.MessageHeader.To.Email"),
        ({"code": DocumentCode("1" * 12, "x")}, "R.MessageHeader.Code.CodeNumber"),
        ({"code": DocumentCode("1", "x" * 31)}, "R.MessageHeader.Code.CodeNotation"),
        ({"code": DocumentCode("1")}, "N.MessageHeader.Code.CodeNotation"),
        ({"promulgation": Promulgation("x")}, "N.MessageHeader.PromulgationInfo.PromulgationDate"),
        ({"document_type": DocumentType(1, "x" * 101)}, "R.MessageHeader.DocumentType.TypeName"),
        ({"subject": "x" * 501}, "R.MessageHeader.Subject"),
        ({"content": "x" * 501}, "R.MessageHeader.Content"),
        ({"signer": Signer("x" * 51, "y")}, "R.MessageHeader.SignerInfo.FullName"),
        ({"signer": Signer("x", "y", "z" * 101)}, "R.MessageHeader.SignerInfo.Competence"),
        ({"to_places": ("x", "y" * 1001)}, "R.MessageHeader.ToPlaces.Place"),
        ({"other": OtherInfo(5)}, "R.MessageHeader.OtherInfo.Priority"),
        ({"other": OtherInfo(0, page_amount=1000)}, "R.MessageHeader.OtherInfo.PageAmount"),
        ({"other": OtherInfo(0, typer_notation="x" * 11)}, "R.MessageHeader.OtherInfo.TyperNotation"),
        ({"trace": (TraceHeader("H23"),)}, "N.TraceHeaderList.TraceHeader.Timestamp"),
        ({"business": Business(BusinessType.WITHDRAW)}, "N.TraceHeaderList.Bussiness.BussinessDocReason"),
        ({"business": Business(BusinessType.UPDATE, "x")}, "N.TraceHeaderList.Bussiness.DocumentId"),
        (
            {"business": Business(BusinessType.REPLACE, "x")},
            "N.TraceHeaderList.Bussiness.ReplacementInfoList.ReplacementInfo",
        ),
        ({"business": Business(staff=StaffInfo("x"))}, "N.TraceHeaderList.Bussiness.StaffInfo.Staff"),
        ({"attachments": (Attachment("mau", b"x"),)}, "R.Attachment.AttachmentName"),
        ({"attachments": (Attachment("../a.pdf", b"x"),)}, "R.Attachment.AttachmentName"),
    ],
)
def test_each_demand_of_the_strict_profile(document: Document, changes: dict[str, Any], code: str) -> None:
    """One thing wrong is one problem, with its code; the lenient profile reads it."""
    message = replace(document, **changes)
    assert [problem.code for problem in check(message)] == [code]
    assert check(message, Profile.LENIENT) == ()


def test_each_business_type_can_be_sent_strictly(document: Document) -> None:
    """A withdrawal means its own DocumentId; an update and a replacement name the earlier document."""
    for business in (
        Business(BusinessType.WITHDRAW, "Ban hành nhầm"),
        Business(BusinessType.UPDATE, "Sửa nơi nhận", "H23-1"),
        Business(BusinessType.REPLACE, "Sai nội dung", replacements=(Replacement("H23-1"),)),
    ):
        assert check(replace(document, business=business)) == ()
