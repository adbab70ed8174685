"""Reading messages: what is read, what is refused, where, and in which words."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from tests.unit.edxml.examples import changed, element, places, read_document

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import (
    BusinessType,
    DocumentType,
    Packing,
    Profile,
    Status,
    TraceHeader,
    decode,
    inspect,
)
from lienthong.errors import Refusal

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
FROM = "<edXML:From>\r\n          <edXML:OrganId>"


def test_everything_a_document_says_is_read(document_text: str) -> None:
    """Each field of the wire has its place in the model."""
    document = read_document(document_text.encode())
    assert document.sender.organ_id == "H23.1"
    assert [(addressee.organ_id, addressee.organ_name) for addressee in document.addressees] == [
        ("000.00.01.G22", "Vụ Kiểm thử"),
        ("G14.05", "Cục Mẫu"),
    ]
    assert str(document.code) == "101/STN-VP"
    assert document.document_type == DocumentType(18, "Công văn", 0)
    assert document.subject == 'V/v kiểm thử <liên thông> & "định dạng"'
    assert document.due_date == dt.date(2026, 12, 1)
    assert document.to_places == ("Như trên", "Lưu: VT")
    assert document.priority == 1
    assert document.response_for[0].document_id == "G14.05-77"
    assert document.trace == (TraceHeader("H23.1", dt.datetime(2026, 11, 20, 1, 9, 10, tzinfo=dt.UTC)),)
    assert document.business.type is BusinessType.NEW
    assert document.business.paper is False
    pdf, text = document.attachments
    assert (pdf.packing, pdf.content_type, pdf.declared_type) == (Packing.RAW, "application/pdf", "application/pdf")
    assert (text.packing, text.content_type, text.declared_type) == (Packing.ZIPPED, "text/plain", "application/zip")
    assert text.content.decode() == "Dự thảo phụ lục kèm theo.\n"


def test_everything_a_status_says_is_read(status_text: str) -> None:
    """A status has no addressee of its own: it is for the agency it answers."""
    status = decode(status_text.encode())
    assert isinstance(status, Status)
    assert (status.kind, status.status_code) == ("status", "03")
    assert status.response_for.organ_id == "H23.1"
    assert status.response_for.promulgation_date == dt.date(2026, 11, 20)
    assert status.staff is not None
    assert status.staff.mobile == "0200000006"
    assert status.timestamp == dt.datetime(2026, 11, 20, 3, 11, 12, tzinfo=dt.UTC)


def test_a_kind_is_known_even_of_what_is_refused(document_text: str, status_text: str) -> None:
    """Whoever answers a refusal needs the kind, the sender and the id when they could be read."""
    wrong = inspect(changed(document_text, ("2026/12/01", "01/12/2026")))
    assert (wrong.message, wrong.kind, wrong.sender, wrong.document_id) == (
        None,
        "document",
        "H23.1",
        "H23.1,2026/11/20,101/STN-VP",
    )
    wrong = inspect(changed(status_text, (">03<", ">99<")))
    assert (wrong.kind, wrong.sender) == ("status", "000.00.01.G22")


@pytest.mark.parametrize(
    "change",
    [
        ("edXML:", ""),
        ("edXML:", "edx:"),
        ("\r\n", ""),
        ("\r\n", "\n"),
    ],
    ids=["no prefix", "another prefix", "minified", "line feeds"],
)
def test_prefix_and_white_space_do_not_matter(document_text: str, change: tuple[str, str]) -> None:
    """Names are compared by namespace and local name."""
    declared = (("xmlns:edXML", "xmlns:edx"),) if change[1] == "edx:" else ()
    data = changed(document_text, change, *declared)
    assert decode(data) == decode(document_text.encode())


def test_order_does_not_matter(document_text: str) -> None:
    """Real writers put DocumentId last and the trace's Bussiness first or last."""
    header = re.search(r"<edXML:MessageHeader>(.*)</edXML:MessageHeader>", document_text, re.DOTALL)
    assert header is not None
    pieces = [match[0] for match in re.finditer(r"\r\n {8}<edXML:(\w+)>(?:(?!\r\n {8}<edXML).)*", header[1], re.DOTALL)]
    assert len(pieces) > 12
    backwards = "".join(reversed([piece for piece in pieces if "edXML:To>" not in piece]))
    addressees = "".join(piece for piece in pieces if "edXML:To>" in piece)
    assert decode(document_text.replace(header[1], addressees + backwards).encode()) == decode(document_text.encode())


def test_white_space_around_texts_is_no_part_of_them(document_text: str) -> None:
    """The national SDK trims what it writes and reads; inner line breaks stay, as line feeds."""
    document = read_document(
        changed(document_text, (">H23.1<", ">\r\n  H23.1\t<"), (">Nội dung", ">Dòng 1\r\n Dòng 2&#13;"))
    )
    assert document.sender.organ_id == "H23.1"
    assert document.content == "Dòng 1\n Dòng 2\n kiểm thử"


def test_character_data_sections_and_references_are_text(document_text: str) -> None:
    """Both are ordinary XML, and the national SDK reads them."""
    document = read_document(changed(document_text, (">Nội dung kiểm thử<", "><![CDATA[a < b]]> &#272;<")))
    assert document.content == "a < b Đ"


def test_a_comment_inside_a_value_is_refused(document_text: str) -> None:
    """Readers disagree about what G01<!---->.X99 says, so nobody may send it; comments elsewhere are fine."""
    inspection = inspect(changed(document_text, (">000.00.01.G22<", ">000.00.01<!-- -->.G22<")))
    assert places(inspection.problems) == [("T.MessageHeader.To.OrganId", "MessageHeader/To[1]/OrganId")]
    assert not inspect(changed(document_text, ("<edXML:From>", "<!-- sender --><edXML:From><!-- x -->"))).problems


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (
            (f"{FROM}H23.1</edXML:OrganId>", "<edXML:From>"),
            "N.MessageHeader.From.OrganId",
            "MessageHeader/From/OrganId",
        ),
        (
            (f"{FROM}H23.1<", f"{FROM}null<"),
            "N.MessageHeader.From.OrganId",
            "MessageHeader/From/OrganId",
        ),
        ((">000.00.01.G22<", ">null<"), "N.MessageHeader.To.OrganId", "MessageHeader/To[1]/OrganId"),
        ((">000.00.01.G22<", "> <"), "N.MessageHeader.To.OrganId", "MessageHeader/To[1]/OrganId"),
        ((">000.00.01.G22<", ">Vụ Kiểm thử<"), "T.MessageHeader.To.OrganId", "MessageHeader/To[1]/OrganId"),
        ((">000.00.01.G22<", ">G14.05<"), "M.MessageHeader.To.OrganId", "MessageHeader/To[2]/OrganId"),
        ((">H23.1,2026/11/20,101/STN-VP<", "><"), "N.MessageHeader.DocumentId", "MessageHeader/DocumentId"),
        (
            (">H23.1,2026/11/20,101/STN-VP<", f">{'x' * 201}<"),
            "R.MessageHeader.DocumentId",
            "MessageHeader/DocumentId",
        ),
        (
            (">2026/11/20<", ">20/11/2026<"),
            "T.MessageHeader.PromulgationInfo.PromulgationDate",
            "MessageHeader/PromulgationInfo/PromulgationDate",
        ),
        ((">2026/12/01<", ">2026/02/30<"), "T.MessageHeader.DueDate", "MessageHeader/DueDate"),
        (
            (">1</edXML:Priority", ">khẩn</edXML:Priority"),
            "T.MessageHeader.OtherInfo.Priority",
            "MessageHeader/OtherInfo/Priority",
        ),
        ((">1</edXML:Steering", ">x</edXML:Steering"), "T.MessageHeader.SteeringType", "MessageHeader/SteeringType"),
        ((">false<", ">maybe<"), "T.MessageHeader.OtherInfo.Direction", "MessageHeader/OtherInfo/Direction"),
        (
            (">0</edXML:BussinessDocType", ">7</edXML:BussinessDocType"),
            "R.TraceHeaderList.Bussiness.BussinessDocType",
            "TraceHeaderList/Bussiness/BussinessDocType",
        ),
        (
            ("2026/11/20 08:09:10", "08:09:10 2026/11/20"),
            "T.TraceHeaderList.TraceHeader.Timestamp",
            "TraceHeaderList/TraceHeader[1]/Timestamp",
        ),
        (
            ("<edXML:Subject>", "<edXML:Subject>x</edXML:Subject><edXML:Subject>"),
            "M.MessageHeader.Subject",
            "MessageHeader/Subject[2]",
        ),
        (("<edXML:Subject>", "<edXML:Subject><edXML:b/>"), "T.MessageHeader.Subject", "MessageHeader/Subject"),
        (
            ("</edXML:edXMLHeader>", "<edXML:MessageHeader/></edXML:edXMLHeader>"),
            "M.MessageHeader",
            "MessageHeader[2]",
        ),
        (
            ("<edXML:Subject>", '<edXML:Subject xmlns:edXML="urn:other">'),
            "M.MessageHeader.Subject",
            "MessageHeader/Subject",
        ),
    ],
)
@pytest.mark.parametrize("profile", Profile)
def test_what_neither_profile_accepts(
    document_text: str, change: tuple[str, str], code: str, path: str, profile: Profile
) -> None:
    """Each wrong thing is named by code and place, once, with a remedy in both languages."""
    data = changed(document_text, change)
    inspection = inspect(data, profile=profile)
    assert places(inspection.problems) == [(code, path)]
    (problem,) = inspection.problems
    assert problem.vi != problem.en
    with pytest.raises(Refusal) as refused:
        decode(data, profile=profile)
    assert refused.value.problems == inspection.problems


def test_a_document_needs_an_addressee(document_text: str) -> None:
    """Without To nobody can be meant."""
    text = document_text
    while "<edXML:To>" in text:
        text = text.replace(element(text, "To"), "")
    assert places(inspect(text.encode()).problems) == [("N.MessageHeader.To", "MessageHeader/To")]


def test_all_problems_are_told_at_once(document_text: str) -> None:
    """A sender mends a message in one go, not one field per attempt."""
    inspection = inspect(
        changed(
            document_text,
            (">H23.1<", "><"),
            (">2026/12/01<", ">1/12/2026<"),
            ("JVBERi", "$JVBERi"),
            (">G14.05<", ">?<"),
        )
    )
    assert [problem.code for problem in inspection.problems] == [
        "T.Attachment.ContentTransferEncoded",
        "T.MessageHeader.To.OrganId",
        "T.MessageHeader.DueDate",
        "T.MessageHeader.ResponseFor.OrganId",
        "N.MessageHeader.From.OrganId",
    ]


def test_a_flood_of_problems_is_cut(document_text: str) -> None:
    """A refusal stays small enough to be sent."""
    inspection = inspect(
        changed(
            document_text, ("<edXML:To>", "<edXML:To><edXML:OrganId>?</edXML:OrganId></edXML:To>" * 999 + "<edXML:To>")
        )
    )
    assert len(inspection.problems) == 200


@pytest.mark.parametrize("wrong", ["http://www.e-doc.vn/Schema/", "http://www.go.vn/eDoc"])
def test_another_namespace_is_named_beside_the_required_one(document_text: str, wrong: str) -> None:
    """The dialects before 2016 are told what they use and what they must use."""
    inspection = inspect(changed(document_text, (NAMESPACE, wrong)))
    assert places(inspection.problems) == [("M.edXML", ""), ("M.edXMLEnvelope", "edXMLEnvelope")]
    for problem in inspection.problems:
        assert wrong in problem.vi
        assert wrong in problem.en
        assert NAMESPACE in problem.en
        assert NAMESPACE in problem.vi


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (f"<edXML xmlns='{NAMESPACE}'/>", "N.edXMLEnvelope"),
        (f"<edXML xmlns='{NAMESPACE}'><edXMLEnvelope/></edXML>", "N.edXMLHeader"),
        (f"<edXML xmlns='{NAMESPACE}'><edXMLEnvelope><edXMLHeader/></edXMLEnvelope></edXML>", "N.MessageHeader"),
        ("<edXML/>", "M.edXML"),
        ("<html><body/></html>", "M.edXML"),
    ],
)
def test_a_frame_without_its_parts_is_refused(data: str, code: str) -> None:
    """What is XML but no message is told which part is missing."""
    inspection = inspect(data.encode())
    assert inspection.problems[0].code == code
    assert inspection.kind is None


def test_attachments_inside_the_envelope_are_refused(document_text: str) -> None:
    """The national SDK would not find them, and the receiver not miss them."""
    attached = document_text[document_text.index("  <AttachmentEncoded>") : document_text.index("</edXML>")]
    moved = document_text.replace(attached, "").replace("</edXML:edXMLEnvelope>", f"{attached}</edXML:edXMLEnvelope>")
    problems = places(inspect(moved.encode()).problems)
    assert problems[0] == ("M.AttachmentEncoded", "AttachmentEncoded")


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        (((">03<", ">07<"),), ["R.MessageHeader.StatusCode"]),
        (((">03<", "><"),), ["N.MessageHeader.StatusCode"]),
        (((">H23.1<", "><"),), ["N.MessageHeader.ResponseFor.OrganId"]),
        (((">H23.1,2026/11/20,101/STN-VP<", "><"),), ["N.MessageHeader.ResponseFor.DocumentId"]),
        (((">000.00.01.G22<", "><"),), ["N.MessageHeader.From.OrganId"]),
        (
            (("<edXML:StaffInfo>", "<edXML:To><edXML:OrganId>G22</edXML:OrganId></edXML:To><edXML:StaffInfo>"),),
            ["M.MessageHeader.To"],
        ),
    ],
)
def test_what_a_status_cannot_do_without(
    status_text: str, changes: tuple[tuple[str, str], ...], codes: list[str]
) -> None:
    """Who reports, about which document of whom, and a code of the table; an addressee of its own it has not."""
    assert [problem.code for problem in inspect(changed(status_text, *changes)).problems] == codes


@pytest.mark.parametrize("code", STATUS_CODES)
def test_every_status_code_of_the_table_is_read(status_text: str, code: str) -> None:
    """The table of the life cycle and the reader agree."""
    status = decode(changed(status_text, (">03<", f">{code}<")))
    assert isinstance(status, Status)
    assert status.status_code == code


def test_a_status_without_its_code_is_still_a_status(status_text: str) -> None:
    """It is told what it lacks as a status, not as a document."""
    inspection = inspect(changed(status_text, ("<edXML:StatusCode>03</edXML:StatusCode>", "")))
    assert inspection.kind == "status"
    assert places(inspection.problems) == [("N.MessageHeader.StatusCode", "MessageHeader/StatusCode")]


def test_a_status_under_the_element_status_is_read(status_text: str) -> None:
    """One variant of the SDK nests it so; codes of problems stay those of the header, paths are true."""
    nested = changed(status_text, ("edXML:MessageHeader>", "edXML:Status>"))
    assert decode(nested) == decode(status_text.encode())
    assert places(inspect(nested).warnings) == [("M.MessageHeader", "Status")]
    assert places(inspect(nested.replace(b">03<", b"><")).problems) == [
        ("N.MessageHeader.StatusCode", "Status/StatusCode")
    ]
