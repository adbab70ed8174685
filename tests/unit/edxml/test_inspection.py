"""Reading messages: what is read, what is refused, where, and in which words."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import (
    BusinessType,
    Document,
    DocumentType,
    Inspection,
    Packing,
    Profile,
    Receiver,
    Replacement,
    Status,
    TraceHeader,
    decode,
    inspect,
)
from lienthong.errors import Problem, Refusal

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
FROM = "<edXML:From>\r\n          <edXML:OrganId>"


def changed(text: str, *changes: tuple[str, str]) -> bytes:
    """Return the message with every change made; a change that finds nothing is a mistake of the test."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def element(text: str, name: str) -> str:
    """Return the first element of this name as it stands in the text."""
    found = re.search(rf"<edXML:{name}>.*?</edXML:{name}>", text, re.DOTALL)
    assert found is not None
    return found[0]


def places(findings: tuple[Problem, ...]) -> list[tuple[str, str]]:
    """Return code and path of each finding."""
    return [(finding.code, finding.path) for finding in findings]


def read_document(data: bytes) -> Document:
    """Return the document in the bytes."""
    message = decode(data)
    assert isinstance(message, Document)
    return message


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


class TestBusiness:
    """What a document does to an earlier one."""

    UPDATE = (
        "<edXML:DocumentId>H23.1,2014/02/30,100/STN-VP</edXML:DocumentId><edXML:BussinessDocType>2</edXML:BussinessDocType>"
        "<edXML:BussinessDocumentInfo><edXML:DocumentInfo>1</edXML:DocumentInfo>"
        "<edXML:DocumentReceiver>0</edXML:DocumentReceiver><edXML:ReceiverList>"
        "<edXML:Receiver><edXML:OrganId>G22</edXML:OrganId><edXML:ReceiverType>0</edXML:ReceiverType></edXML:Receiver>"
        "<edXML:Receiver><edXML:OrganId>G14</edXML:OrganId><edXML:ReceiverType>1</edXML:ReceiverType></edXML:Receiver>"
        "</edXML:ReceiverList></edXML:BussinessDocumentInfo>"
    )
    REPLACE = (
        "<edXML:BussinessDocType>3</edXML:BussinessDocType><edXML:ReplacementInfoList><edXML:ReplacementInfo>"
        "<edXML:DocumentId>H23.1-99</edXML:DocumentId><edXML:OrganIdList><edXML:OrganId>G22</edXML:OrganId>"
        "<edXML:OrganId>G14</edXML:OrganId></edXML:OrganIdList></edXML:ReplacementInfo></edXML:ReplacementInfoList>"
    )
    NEW = "<edXML:BussinessDocType>0</edXML:BussinessDocType>"

    def test_an_update_says_what_changed(self, document_text: str) -> None:
        """The earlier document, and whether content or receivers changed, and how."""
        business = read_document(changed(document_text, (self.NEW, self.UPDATE))).business
        assert business.type is BusinessType.UPDATE
        assert business.document_id == "H23.1,2014/02/30,100/STN-VP"
        assert (business.content_changed, business.receivers_changed) == (True, False)
        assert business.receivers == (Receiver("G22", added=False), Receiver("G14", added=True))

    def test_a_replacement_says_what_it_replaces(self, document_text: str) -> None:
        """Which document, for which receivers."""
        business = read_document(changed(document_text, (self.NEW, self.REPLACE))).business
        assert business.type is BusinessType.REPLACE
        assert business.replacements == (Replacement("H23.1-99", ("G22", "G14")),)

    def test_a_changed_receiver_without_code_or_direction_is_refused(self, document_text: str) -> None:
        """Nobody is added or removed by guess."""
        half = self.UPDATE.replace("<edXML:ReceiverType>1</edXML:ReceiverType>", "").replace(">G22<", "><")
        inspection = inspect(changed(document_text, (self.NEW, half)))
        head = "TraceHeaderList/Bussiness/BussinessDocumentInfo/ReceiverList"
        assert [problem.path for problem in inspection.problems] == [
            f"{head}/Receiver[1]/OrganId",
            f"{head}/Receiver[2]/ReceiverType",
        ]

    def test_a_replacement_of_nothing_is_refused(self, document_text: str) -> None:
        """A replacement entry without DocumentId replaces nothing."""
        inspection = inspect(changed(document_text, (self.NEW, self.REPLACE.replace("H23.1-99", ""))))
        assert [problem.code for problem in inspection.problems] == [
            "N.TraceHeaderList.Bussiness.ReplacementInfoList.ReplacementInfo.DocumentId"
        ]

    def test_the_right_spelling_is_read_as_the_official_one(self, document_text: str) -> None:
        """Some provinces write Business; the national SDK ignores that, so the sender is warned."""
        inspection = inspect(changed(document_text, (self.NEW, self.UPDATE), ("Bussiness", "Business")))
        assert isinstance(inspection.message, Document)
        assert inspection.message.business.type is BusinessType.UPDATE
        assert "Business" in inspection.warnings[0].en
        assert inspection.warnings[0].path == "TraceHeaderList/Bussiness"

    def test_no_trace_at_all_is_a_new_document(self, document_text: str) -> None:
        """Test traffic has documents without TraceHeaderList; they are new ones."""
        document = read_document(changed(document_text, (element(document_text, "TraceHeaderList"), "")))
        assert document.business.type is BusinessType.NEW
        assert document.trace == ()


class TestDefectsOfRealTraffic:
    """Defects that stop nobody in the lenient profile, are named there, and are refused where we certify."""

    @staticmethod
    def both(data: bytes) -> tuple[Inspection, Inspection]:
        """Return the inspection in the lenient and in the strict profile."""
        lenient, strict = (inspect(data, profile=profile) for profile in (Profile.LENIENT, Profile.STRICT))
        assert lenient.message is not None, lenient.problems
        return lenient, strict

    @pytest.mark.parametrize(
        ("change", "code", "path"),
        [
            ((">2026/12/01<", "><"), "N.MessageHeader.DueDate", "MessageHeader/DueDate"),
            ((">2026/12/01<", ">0001/01/01<"), "R.MessageHeader.DueDate", "MessageHeader/DueDate"),
            (
                ("<edXML:ResponseFor>", "<edXML:ResponseFor/><edXML:ResponseFor>"),
                "N.MessageHeader.ResponseFor",
                "MessageHeader/ResponseFor",
            ),
            (
                (
                    "<edXML:OrganId>H23.1</edXML:OrganId>\r\n          <edXML:Time",
                    "<edXML:OrganId>null</edXML:OrganId><edXML:Time",
                ),
                "N.TraceHeaderList.TraceHeader.OrganId",
                "TraceHeaderList/TraceHeader[1]/OrganId",
            ),
            (
                ("<edXML:OrganId>H23.1</edXML:OrganId>\r\n          <edXML:Time", "<edXML:Time"),
                "N.TraceHeaderList.TraceHeader.OrganId",
                "TraceHeaderList/TraceHeader[1]/OrganId",
            ),
            (
                (">1</edXML:Priority", "> 1 </edXML:Priority"),
                "T.MessageHeader.OtherInfo.Priority",
                "MessageHeader/OtherInfo/Priority",
            ),
            (
                (">3</edXML:Page", ">ba</edXML:Page"),
                "T.MessageHeader.OtherInfo.PageAmount",
                "MessageHeader/OtherInfo/PageAmount",
            ),
            ((">1</edXML:Steering", "></edXML:Steering"), "N.MessageHeader.SteeringType", "MessageHeader/SteeringType"),
            ((">false<", "><"), "N.MessageHeader.OtherInfo.Direction", "MessageHeader/OtherInfo/Direction"),
            (
                (">0</edXML:BussinessDocType", "></edXML:BussinessDocType"),
                "N.TraceHeaderList.Bussiness.BussinessDocType",
                "TraceHeaderList/Bussiness/BussinessDocType",
            ),
        ],
    )
    def test_blemishes(self, document_text: str, change: tuple[str, str], code: str, path: str) -> None:
        """A warning for real traffic is a problem for a certified sender."""
        lenient, strict = self.both(changed(document_text, change))
        assert (code, path) in places(lenient.warnings)
        assert (code, path) in places(strict.problems)

    def test_a_null_hop_is_kept_without_its_agency(self, document_text: str) -> None:
        """The trace keeps its length and its times."""
        start = document_text.index("<edXML:TraceHeader>")
        text = document_text[:start] + document_text[start:].replace(">H23.1<", ">null<", 1)
        document = read_document(text.encode())
        assert [hop.organ_id for hop in document.trace] == [None]
        assert document.trace[0].timestamp is not None

    @pytest.mark.parametrize(
        ("change", "code", "said"),
        [
            ((">18<", ">1<"), "M.MessageHeader.DocumentType", "Công văn"),
            ((">Vụ Kiểm thử<", ">UBND tỉnh Cao Bằng<"), "M.MessageHeader.To.OrganName", "H14"),
            ((">Sở Thử nghiệm<", ">Văn phòng Chính phủ<"), "M.MessageHeader.From.OrganName", "G22"),
            ((">Vụ Kiểm thử<", ">Sở Y tế Hải Phòng<"), "M.MessageHeader.To.OrganName", "H…"),
            ((">H23.1,2026/11/20,", ">H23.1,2026/02/30,"), "R.MessageHeader.DocumentId", "2026/02/30"),
            ((">1</edXML:Priority", ">5</edXML:Priority"), "R.MessageHeader.OtherInfo.Priority", "ordinary"),
            (
                ("<edXML:Subject>", "<edXML:Subjekt>x</edXML:Subjekt><edXML:Subject>"),
                "M.MessageHeader.Subjekt",
                "ignored",
            ),
        ],
    )
    def test_oddities(self, document_text: str, change: tuple[str, str], code: str, said: str) -> None:
        """What contradicts itself is read as it stands, and named."""
        lenient, _ = self.both(changed(document_text, change))
        warned = [warning for warning in lenient.warnings if warning.code == code]
        assert len(warned) == 1
        assert said in warned[0].en

    def test_a_sound_message_has_no_warnings(self, document_text: str, status_text: str) -> None:
        """Warnings are worth reading because there are none without a reason."""
        for text in (document_text, status_text):
            for inspection in self.both(text.encode()):
                assert inspection.warnings == ()
                assert inspection.problems == ()

    SIGNATURE = (
        '<Signature><SignedInfo><SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>'
        '<Reference URI="">'
        '<Transforms><Transform Algorithm="http://www.w3.org/TR/xml-exc-c14n#"/></Transforms></Reference></SignedInfo>'
        "<KeyInfo><X509Data><X509Certificate>MIIFqTCCBJG</X509Certificate></X509Data></KeyInfo></Signature>"
    )

    @pytest.mark.parametrize("namespace", [None, "http://www.w3.org/2000/09/xmldsig#"])
    def test_the_old_signature_is_kept_and_never_counted(self, document_text: str, namespace: str | None) -> None:
        """It is recorded as it stands, with what is wrong about it: URI, certificate, worth."""
        signature = (
            self.SIGNATURE
            if namespace is None
            else self.SIGNATURE.replace("<Signature>", f'<Signature xmlns="{namespace}">')
        )
        lenient, _ = self.both(changed(document_text, ("</edXML:edXMLHeader>", f"{signature}</edXML:edXMLHeader>")))
        assert isinstance(lenient.message, Document)
        assert lenient.message.legacy_signature == signature
        assert [warning.code for warning in lenient.warnings] == [
            "M.Signature.SignedInfo.Reference.Transforms.Transform",
            "T.Signature.KeyInfo.X509Data.X509Certificate",
            "M.Signature",
        ]
        assert "http://www.w3.org/2001/10/xml-exc-c14n#" in lenient.warnings[0].en
        assert "11 characters" in lenient.warnings[1].en
        assert "never counted as proof" in lenient.warnings[2].en

    def test_a_whole_certificate_is_not_called_truncated(self, document_text: str) -> None:
        """Only what is cut is reported: one DER sequence as long as it says is whole."""
        whole = self.SIGNATURE.replace("MIIFqTCCBJG", "MAMCAQE=")
        lenient, _ = self.both(changed(document_text, ("</edXML:edXMLHeader>", f"{whole}</edXML:edXMLHeader>")))
        assert not [warning for warning in lenient.warnings if warning.code.startswith("T.")]

    def test_warnings_can_be_left_out(self, document_text: str) -> None:
        """The workers read without looking around; the verdict is the same."""
        assert inspect(changed(document_text, (">18<", ">1<")), warnings=False).warnings == ()
