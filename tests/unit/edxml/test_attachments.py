"""Attached files on the wire: base64, the manifest, wrapping, damage."""

from __future__ import annotations

import base64
import re
import zipfile
import zlib
from io import BytesIO

import pytest

from lienthong.edxml import Attachment, Document, Limits, Organization, Packing, Profile, decode, encode, inspect
from lienthong.edxml.strict_base64 import decode_base64
from lienthong.errors import Refusal

UUID = "0b5f7a9e-5a52-4a0e-9d0a-0a4a7d0c7d11"


def message(*attachments: Attachment) -> bytes:
    """Return a small document with these files."""
    return encode(Document(Organization("H23"), (Organization("G22"),), "1", attachments=attachments))


def packed(content: bytes, raw: bytes, name: str = "a.txt", declared: str = "text/plain") -> bytes:
    """Return a document whose one file stands on the wire as these bytes."""
    data = message(Attachment(name, content, declared))
    text = base64.b64encode(content)
    assert data.count(text) == 1
    return data.replace(text, base64.b64encode(raw))


def read(data: bytes, limits: Limits | None = None) -> tuple[Attachment, ...]:
    """Return the files of a document."""
    document = decode(data, limits=limits or Limits())
    assert isinstance(document, Document)
    return document.attachments


def wrapped(content: bytes, extension: str = "txt") -> bytes:
    """Return a file in the national SDK's wrapping."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{UUID}.{extension}", content)
    return target.getvalue()


def codes(data: bytes, profile: Profile = Profile.LENIENT, limits: Limits | None = None) -> list[str]:
    """Return the codes of a message's problems."""
    return [problem.code for problem in inspect(data, profile=profile, limits=limits or Limits()).problems]


@pytest.mark.parametrize("text", [b"QQ==", b" Q Q\r\n=\t= ", b"QUJD", b"", b"QUI="])
def test_base64_may_hold_xml_white_space(text: bytes) -> None:
    """Writers wrap long lines; nothing else is overlooked."""
    assert decode_base64(text) == base64.b64decode(text)


@pytest.mark.parametrize(
    "text",
    [
        b"QR==",
        b"QUJ=",
        b"QQ",
        b"QQ=",
        b"QQ==QQ==",
        b"QUI_",
        b"QUI-",
        b"QU!JD",
        b"=",
        b"${x}",
        b"\xc2\xa0QQ==",
        b"QQ==\x0b",
    ],
)
def test_base64_is_strict(text: bytes) -> None:
    """Garbage, missing padding, URL-safe letters and dirty last bits would let two texts stand for the same bytes."""
    assert decode_base64(text) is None


def test_a_placeholder_instead_of_base64_is_named() -> None:
    """The official example holds a test tool's variable: the refusal shows it and names the file."""
    data = packed(b"content", b"").replace(
        b'2016"></edXML:ContentTransferEncoded', b'2016">${__StringFromFile(test.txt,,,)}</edXML:ContentTransferEncoded'
    )
    (problem,) = inspect(data).problems
    assert problem.code == "T.Attachment.ContentTransferEncoded"
    assert problem.path == "AttachmentEncoded/Attachment[1]/ContentTransferEncoded"
    assert "“a.txt”" in problem.vi
    assert "${__StringFromFile" in problem.en
    assert problem.province_code == 21


@pytest.mark.parametrize(
    ("inside", "readable"),
    [
        (b"<![CDATA[Y29udGVudA==]]>", True),
        (b"Y29u&#100;GVudA==", True),
        (b"\r\n  Y29u\r\n  dGVudA==\r\n", True),
        (b"Y29u<!-- -->dGVudA==", False),
        (b"Y29u<b/>dGVudA==", False),
    ],
)
def test_base64_is_found_however_xml_writes_it(inside: bytes, readable: bool) -> None:
    """Sections and references are text; comments and elements have no place there."""
    data = packed(b"content", b"content").replace(b"Y29udGVudA==", inside)
    if readable:
        assert read(data)[0].content == b"content"
    else:
        assert codes(data) == ["T.Attachment.ContentTransferEncoded"]


@pytest.mark.parametrize("declared", ["application/zip", "text/plain"])
def test_the_sdks_wrapping_is_taken_off_whatever_is_declared(declared: str) -> None:
    """Zip declared as zip, and zip declared as the file: both are seen, the bytes decide."""
    (found,) = read(packed(b"content", wrapped(b"content"), declared=declared))
    assert found.content == b"content"
    assert found.packing is Packing.ZIPPED
    assert found.content_type == "text/plain"


def test_a_missing_extension_is_taken_from_the_wrapping() -> None:
    """The SDK names a file without extension when its caller gives no name; the zip entry still has it."""
    inspection = inspect(packed(b"content", wrapped(b"content")).replace(b"a.txt", b"mau"))
    assert isinstance(inspection.message, Document)
    assert inspection.message.attachments[0].name == "mau.txt"
    assert any("“mau.txt”" in warning.en for warning in inspection.warnings)


def test_wrappings_in_wrappings_come_off_too_but_not_for_ever() -> None:
    """So that reading what we write changes nothing; a matryoshka is refused."""
    assert read(packed(b"content", wrapped(wrapped(b"content"))))[0].content == b"content"
    layers = b"content"
    for _ in range(9):
        layers = wrapped(layers)
    assert codes(packed(b"content", layers)) == ["R.Attachment.ContentTransferEncoded"]


def test_all_files_share_one_budget_of_unpacked_bytes() -> None:
    """A hundred small bombs are one big one."""
    bomb = packed(b"content", wrapped(bytes(600)))
    assert codes(bomb, limits=Limits(unpacked_bytes=599)) == ["R.Attachment.ContentTransferEncoded"]
    assert codes(bomb, limits=Limits(unpacked_bytes=600)) == []
    two = message(Attachment("a.txt", b"first"), Attachment("b.txt", b"second"))
    for content in (b"first", b"second"):
        two = two.replace(base64.b64encode(content), base64.b64encode(wrapped(bytes(600))))
    assert codes(two, limits=Limits(unpacked_bytes=1000)) == ["R.Attachment.ContentTransferEncoded"]


def test_a_damaged_wrapping_is_refused() -> None:
    """Its check sum is wrong: the file is not what was sent."""
    broken = bytearray(wrapped(b"content of a file" * 9))
    broken[60] ^= 0xFF
    assert codes(packed(b"content", bytes(broken))) == ["M.Attachment.ContentTransferEncoded"]


def test_an_office_file_is_not_unwrapped() -> None:
    """A docx is a zip of its own."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    (found,) = read(packed(b"content", target.getvalue(), name="a.docx"))
    assert found.content == target.getvalue()
    assert found.packing is Packing.RAW


def test_a_ruined_pdf_is_refused_with_the_remedy() -> None:
    """Base64 and envelope are fine, the file is destroyed: only looking at it tells."""
    pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n/FlateDecode " + zlib.compress(bytes(range(256)) * 5)
    ruined = pdf.decode("utf-8", "replace").encode()
    for raw in (ruined, wrapped(ruined, "pdf")):
        (problem,) = inspect(packed(b"content", raw, "cong-van.pdf", "application/pdf")).problems
        assert problem.code == "M.Attachment.ContentTransferEncoded"
        assert "“cong-van.pdf”" in problem.vi
        assert "EF BF BD" in problem.en
        assert "binary" in problem.en
        assert problem.province_code == 21


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (packed(b"content", wrapped(b"content")), "cannot open"),
        (packed(b"content", b"content", declared="application/zip").replace(b"text/plain", b"application/zip"), "lose"),
        (packed(b"content", b"content", "a.pdf"), "says application/pdf"),
        (packed(b"content", wrapped(b"x", "edxml"), "a.doc", "application/msword"), "left as it is"),
    ],
)
def test_what_receivers_will_stumble_over_is_told_to_the_sender(data: bytes, said: str) -> None:
    """The exchange passes messages on unchanged, so the sender is where a bad packing can be mended."""
    inspection = inspect(data)
    assert inspection.message is not None
    assert [warning for warning in inspection.warnings if said in warning.en]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (packed(b"content", wrapped(b"content")), "M.Attachment.ContentType"),
        (
            packed(b"content", b"content", declared="application/zip").replace(b"text/plain", b"application/zip"),
            "M.Attachment.ContentType",
        ),
        (packed(b"content", wrapped(b"content")).replace(b"a.txt", b"mau"), "R.Attachment.AttachmentName"),
    ],
)
def test_the_strict_profile_refuses_what_the_national_sdk_loses(data: bytes, code: str) -> None:
    """A certified sender's files can be opened by every receiver; judging and decoding agree on it."""
    assert code in codes(data, Profile.STRICT)
    with pytest.raises(Refusal, match=code):
        decode(data, profile=Profile.STRICT)


def test_manifest_and_files_are_joined_by_id_in_any_order() -> None:
    """The manifest's description goes to the file of the same id."""
    data = message(
        Attachment("a.txt", b"1", content_id="1", description="one"),
        Attachment("b.txt", b"2", content_id="2", description="two"),
    )
    references = re.findall(rb"<edXML:Reference>.*?</edXML:Reference>", data, re.DOTALL)
    swapped = data.replace(references[0], b"{}").replace(references[1], references[0]).replace(b"{}", references[1])
    swapped = re.sub(rb"<Description>.*?</Description>", b"", swapped)
    assert [(found.name, found.description) for found in read(swapped)] == [("a.txt", "one"), ("b.txt", "two")]


def test_duplicate_ids_are_joined_by_order() -> None:
    """The national SDK lets its callers use an id twice, and keeps both lists in one order."""
    data = message(*(Attachment(f"{name}.txt", b"x", content_id="7", description=name) for name in "abc"))
    data = re.sub(rb"<Description>.*?</Description>", b"", data)
    assert [found.description for found in read(data)] == ["a", "b", "c"]
    assert codes(data, Profile.STRICT).count("M.Attachment.ContentId") == 3


def test_the_dotnet_dialect_joins_by_an_attribute() -> None:
    """It has xlink:href="cid:…" on Reference in place of ContentId."""
    data = message(Attachment("a.txt", b"1", content_id="1"), Attachment("b.txt", b"2", content_id="2"))
    head, body = data.split(b"<edXML:edXMLBody>")
    manifest, files = body.split(b"<AttachmentEncoded>")
    manifest = re.sub(
        rb"<edXML:Reference>\s*<edXML:ContentId>(.*?)</edXML:ContentId>",
        rb'<edXML:Reference xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="\1" xlink:type="simple">',
        manifest,
    )
    dialect = head + b"<edXML:edXMLBody>" + manifest + b"<AttachmentEncoded>" + files
    assert b"xlink:href" in dialect
    assert [found.name for found in read(dialect)] == ["a.txt", "b.txt"]


def test_a_listed_file_that_is_missing_is_refused() -> None:
    """The receiver would get less than the manifest promises."""
    data = re.sub(rb"<Attachment>.*</Attachment>", b"", message(Attachment("a.txt", b"1")), flags=re.DOTALL)
    (problem,) = inspect(data).problems
    assert (problem.code, problem.path) == ("M.Reference.ContentId", "edXMLManifest/Reference[1]/ContentId")
    assert "“a.txt”" in problem.en


def test_a_file_the_manifest_does_not_list_is_a_blemish() -> None:
    """It is read, and a certified sender is told."""
    data = re.sub(rb"<edXML:Reference>.*</edXML:Reference>", b"", message(Attachment("a.txt", b"1")), flags=re.DOTALL)
    assert read(data)[0].content == b"1"
    assert "M.Attachment.ContentId" in codes(data, Profile.STRICT)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (
            rb"<AttachmentName>.*?</AttachmentName>|<edXML:AttachmentName>.*?</edXML:AttachmentName>",
            "N.Attachment.AttachmentName",
        ),
        (rb"<edXML:ContentTransferEncoded.*?</edXML:ContentTransferEncoded>", "N.Attachment.ContentTransferEncoded"),
    ],
)
def test_a_file_needs_a_name_and_content(pattern: bytes, code: str) -> None:
    """The national SDK loses the whole document over either."""
    assert codes(re.sub(pattern, b"", message(Attachment("a.txt", b"1")), flags=re.DOTALL)) == [code]


def test_the_manifests_name_helps_out() -> None:
    """A file without a name of its own has the one the manifest gives it."""
    data = re.sub(rb"<AttachmentName>.*?</AttachmentName>", b"", message(Attachment("a.txt", b"1")))
    assert read(data)[0].name == "a.txt"


def test_an_empty_attachment_element_is_skipped() -> None:
    """Real messages have it; nothing is lost."""
    data = message(Attachment("a.txt", b"1")).replace(b"<AttachmentEncoded>", b"<AttachmentEncoded><Attachment/>")
    assert [found.name for found in read(data)] == ["a.txt"]


def test_an_empty_file_is_read_and_warned_of() -> None:
    """A file of no bytes is a file; more likely it is a mistake."""
    empty = packed(b"content", b"")
    for data in (empty, empty.replace(b"></edXML:ContentTransferEncoded>", b"/>")):
        inspection = inspect(data)
        assert isinstance(inspection.message, Document)
        assert inspection.message.attachments[0].content == b""
        assert [warning.code for warning in inspection.warnings] == ["N.Attachment.ContentTransferEncoded"]


def test_the_number_of_files_is_limited() -> None:
    """The limit is told with the number found."""
    data = message(*(Attachment(f"{number}.txt", b"x") for number in range(3)))
    (problem,) = inspect(data, limits=Limits(attachments=2)).problems
    assert problem.code == "R.AttachmentEncoded"
    assert "There are 3 attachments" in problem.en
