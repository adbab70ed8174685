"""Real messages of the national axis's SDK and of test traffic, where the folder with them is beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from lienthong.edxml import Document, Inspection, Packing, Profile, Status, decode, encode, inspect
from lienthong.edxml.schema import schema_errors

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
REFUSED = {"edoc.edxml", "edoc_new.edxml"}
FILES = sorted([*SAMPLES.glob("*.edxml*"), *SAMPLES.glob("vxp/*.edxml"), *SAMPLES.glob("signed/*.xml")])

pytestmark = pytest.mark.skipif(not FILES, reason="the folder with real messages is not beside the repository")

each_readable = pytest.mark.parametrize(
    "file", [file for file in FILES if file.name not in REFUSED], ids=lambda file: file.name
)


def look(name: str, profile: Profile = Profile.LENIENT) -> Inspection:
    """Return the inspection of a sample."""
    return inspect((SAMPLES / name).read_bytes(), profile=profile)


def codes(inspection: Inspection) -> set[str]:
    """Return the codes of everything found."""
    return {finding.code for finding in (*inspection.problems, *inspection.warnings)}


@each_readable
def test_every_well_formed_message_is_read_in_the_lenient_profile(file: Path) -> None:
    """Real traffic is read as it is."""
    inspection = inspect(file.read_bytes())
    assert inspection.problems == ()
    assert inspection.kind == ("status" if file.name.startswith("status") else "document")


@each_readable
def test_what_was_read_is_written_readable_stable_and_valid(file: Path) -> None:
    """Writing a real message again loses nothing we model and mends its form."""
    message = decode(file.read_bytes())
    written = encode(message)
    assert encode(decode(written)) == written
    assert schema_errors(written) == ()
    if message.kind == "status" or all("." in attachment.name for attachment in message.attachments):
        assert decode(written) == message


@each_readable
def test_messages_in_the_sdks_order_are_valid_by_our_schema(file: Path) -> None:
    """The schema has the SDK's order; the signed samples have another."""
    assert bool(schema_errors(file.read_bytes())) == (file.parent.name == "signed")


def test_what_stands_before_the_declaration_is_named() -> None:
    """edoc_new.edxml begins with 1212."""
    (problem,) = look("edoc_new.edxml").problems
    assert "“1212”" in problem.en
    assert "“1212”" in problem.vi


def test_undeclared_prefix_and_placeholder_are_both_named() -> None:
    """edoc.edxml uses xlink undeclared, edXML outside its scope, and a variable in place of base64."""
    inspection = look("edoc.edxml")
    assert [(problem.code, problem.path) for problem in inspection.problems] == [
        ("T.Reference", "edXMLManifest/Reference[1]"),
        ("T.AttachmentEncoded", "AttachmentEncoded"),
        ("T.Attachment.ContentTransferEncoded", "AttachmentEncoded/Attachment[1]/ContentTransferEncoded"),
    ]
    assert "“xlink”" in inspection.problems[0].en
    assert "${__StringFromFile" in inspection.problems[2].en
    assert "N.MessageHeader.ResponseFor" in codes(inspection)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("edoc_update.edxml", "M.MessageHeader.DocumentType", "Công văn"),
        ("edoc_update.edxml", "M.MessageHeader.To.OrganName", "G17"),
        ("edoc_new.edxml.bak", "M.MessageHeader.From.OrganName", "A80"),
        ("edoc_update.edxml", "T.Signature.KeyInfo.X509Data.X509Certificate", "11 characters"),
        (
            "edoc_update.edxml",
            "M.Signature.SignedInfo.Reference.Transforms.Transform",
            "http://www.w3.org/2001/10/xml-exc-c14n#",
        ),
        ("edoc_update.edxml", "R.TraceHeaderList.Bussiness.DocumentId", "2014/02/30"),
        ("traffic_2019.edxml", "N.MessageHeader.ResponseFor", "empty"),
        ("traffic_2019.edxml", "M.Attachment.ContentType", "application/pdf"),
        ("traffic_2025.edxml", "N.TraceHeaderList.TraceHeader.OrganId", "missing"),
    ],
)
def test_defects_that_stop_nobody_are_named(name: str, code: str, said: str) -> None:
    """Contradictions, cut certificates, wrong URIs and impossible days are told, each in its place."""
    assert [warning for warning in look(name).warnings if warning.code == code and said in warning.en]


@pytest.mark.parametrize(
    ("name", "codes_missing"),
    [
        (
            "traffic_2025.edxml",
            {
                "N.TraceHeaderList.TraceHeader.OrganId",
                "N.MessageHeader.From.OrganAdd",
                "N.MessageHeader.From.Email",
                "R.MessageHeader.Code.CodeNumber",
                "N.MessageHeader.SignerInfo.Position",
                "N.MessageHeader.ToPlaces.Place",
            },
        ),
        (
            "vxp/status_minimal.edxml",
            {"N.MessageHeader.Timestamp", "N.MessageHeader.StaffInfo.Department", "N.MessageHeader.StaffInfo.Staff"},
        ),
        ("vxp/doc_update.edxml", set()),
        ("vxp/status_16.edxml", set()),
    ],
)
def test_the_strict_profile_says_exactly_what_is_missing(name: str, codes_missing: set[str]) -> None:
    """No more and no less."""
    assert {problem.code for problem in look(name, Profile.STRICT).problems} == codes_missing


def test_all_packings_of_the_sdk_are_opened() -> None:
    """Raw and zipped, doubled cid:, duplicate ids, odd types, names without extension: the files come out."""
    document = look("vxp/doc_new_attachments.edxml").message
    assert isinstance(document, Document)
    assert [(file.name, file.packing, file.description) for file in document.attachments] == [
        ("mau.txt", Packing.ZIPPED, "Mô tả mau.txt"),
        ("mau.pdf", Packing.RAW, "Mô tả mau.pdf"),
        ("mau.doc", Packing.RAW, "Mô tả mau.doc"),
        ("mau.docx", Packing.RAW, "Mô tả mau.docx"),
        ("mau.xlsx", Packing.ZIPPED, "Mô tả mau.xlsx"),
        ("mau.xsl", Packing.RAW, "Mô tả mau.xsl"),
        ("mau.zip", Packing.RAW, "Mô tả mau.zip"),
        ("mau", Packing.ZIPPED, "Mô tả mau"),
        ("Tệp đính kèm.PDF", Packing.RAW, "Mô tả Tệp đính kèm.PDF"),
        ("mau.txt", Packing.ZIPPED, None),
        ("ct.txt", Packing.ZIPPED, None),
    ]
    assert document.attachments[0].content.decode().startswith("Tệp văn bản mẫu")
    assert document.attachments[9].content_id == "f2dec402-330e-4040-8640-cdc64e45337a"


def test_the_take_back_names_the_receiver_it_is_for() -> None:
    """In code 13 the sender is the issuer, and ResponseFor names the receiver."""
    status = look("status_cancellation_13.edxml").message
    assert isinstance(status, Status)
    assert (status.sender.organ_id, status.response_for.organ_id) == ("000.00.00.G22", "000.00.00.H41")
