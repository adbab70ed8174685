"""Writing messages."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from lienthong.edxml import (
    Attachment,
    Document,
    Organization,
    OtherInfo,
    Profile,
    ResponseFor,
    Status,
    TraceHeader,
    decode,
    encode,
)
from lienthong.errors import Refusal

DATA = Path(__file__).parents[2] / "data" / "edxml"
SMALL = Document(Organization("H23"), (Organization("G22"),), "1")


def test_the_smallest_document_looks_like_this() -> None:
    """What is unknown is left out; prefix and namespaces are those of the national SDK."""
    assert encode(SMALL).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">\n'
        '  <edXML:edXMLEnvelope xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016">\n'
        "    <edXML:edXMLHeader>\n"
        "      <edXML:MessageHeader>\n"
        "        <edXML:From>\n"
        "          <edXML:OrganId>H23</edXML:OrganId>\n"
        "        </edXML:From>\n"
        "        <edXML:To>\n"
        "          <edXML:OrganId>G22</edXML:OrganId>\n"
        "        </edXML:To>\n"
        "        <edXML:DocumentId>1</edXML:DocumentId>\n"
        "      </edXML:MessageHeader>\n"
        "      <edXML:TraceHeaderList>\n"
        "        <edXML:Bussiness>\n"
        "          <edXML:BussinessDocType>0</edXML:BussinessDocType>\n"
        "        </edXML:Bussiness>\n"
        "      </edXML:TraceHeaderList>\n"
        "    </edXML:edXMLHeader>\n"
        "    <edXML:edXMLBody>\n"
        '      <edXML:edXMLManifest version="1.0">\n'
        "      </edXML:edXMLManifest>\n"
        "    </edXML:edXMLBody>\n"
        "  </edXML:edXMLEnvelope>\n"
        "  <AttachmentEncoded>\n"
        "  </AttachmentEncoded>\n"
        "</edXML>\n"
    )


def test_a_file_is_written_raw_under_its_true_type() -> None:
    """One cid:, no zip, and the media type of the file in both places."""
    written = encode(replace(SMALL, attachments=(Attachment("a.pdf", b"%PDF-1.4", "application/zip", "cid:cid:7"),)))
    assert b"<ContentId>cid:7</ContentId>" in written
    assert b"<edXML:ContentId>cid:7</edXML:ContentId>" in written
    assert written.count(b"application/pdf</") == 2
    assert b">JVBERi0xLjQ=</edXML:ContentTransferEncoded>" in written


def test_a_status_has_neither_trace_nor_body_nor_attachments() -> None:
    """The format's statuses are a header alone."""
    written = encode(Status(Organization("G22"), ResponseFor("H23", "1"), "01"))
    for name in (b"TraceHeaderList", b"edXMLBody", b"AttachmentEncoded", b"<edXML:To>"):
        assert name not in written


def test_what_was_read_is_written_so_that_it_is_read_alike() -> None:
    """The national SDK's own writing, taken in and written again, is the same message, and stays so."""
    for name in ("document.edxml", "status.edxml"):
        message = decode((DATA / name).read_bytes())
        written = encode(message)
        assert decode(written, profile=Profile.STRICT) == message
        assert encode(decode(written)) == written


def test_marks_of_xml_in_texts_are_escaped() -> None:
    """A subject may hold anything a person can type."""
    message = replace(SMALL, subject="a <b> & \"c\" 'd' ]]> \N{MUSICAL SYMBOL G CLEF}\tĐ")
    assert decode(encode(message)) == message


def test_a_name_without_extension_gets_the_one_its_content_shows() -> None:
    """Receivers need an extension to open a file."""
    files = (
        Attachment("van-ban", b"%PDF-1.4"),
        Attachment("du-lieu", b"abc"),
        Attachment("ghi chu", b"x", "text/plain"),
    )
    message = decode(encode(replace(SMALL, attachments=files)))
    assert isinstance(message, Document)
    assert [file.name for file in message.attachments] == ["van-ban.pdf", "du-lieu.bin", "ghi chu.txt"]


def test_moments_are_written_in_vietnams_time() -> None:
    """22:09 UTC is the next day in Hà Nội."""
    written = encode(replace(SMALL, trace=(TraceHeader("H23", dt.datetime(2026, 11, 20, 22, 9, 10, tzinfo=dt.UTC)),)))
    assert b"<edXML:Timestamp>2026/11/21 05:09:10</edXML:Timestamp>" in written


def test_numbers_and_flags_are_bare() -> None:
    """The national SDK bears no white space in numbers and no capital in truth."""
    written = encode(replace(SMALL, steering_type=0, other=OtherInfo(priority=0, direction=True)))
    for leaf in (b"SteeringType>0<", b"Priority>0<", b"Direction>true<"):
        assert leaf in written


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\ud800", "\uffff", "\x0b"])
def test_characters_xml_cannot_carry_are_refused_with_their_place(sign: str) -> None:
    """They would make a message nobody can read."""
    with pytest.raises(Refusal) as refused:
        encode(replace(SMALL, subject=f"a{sign}b"))
    (problem,) = refused.value.problems
    assert (problem.code, problem.path) == ("T.MessageHeader.Subject", "MessageHeader/Subject")


def test_nothing_is_written_without_its_ids() -> None:
    """A document without DocumentId gets a random one from the national SDK, and duplicates go unseen."""
    with pytest.raises(Refusal) as refused:
        encode(Document(Organization(""), (Organization(" "),), ""))
    assert [problem.code for problem in refused.value.problems] == [
        "N.MessageHeader.From.OrganId",
        "N.MessageHeader.To.OrganId",
        "N.MessageHeader.DocumentId",
    ]
    with pytest.raises(Refusal, match="StatusCode"):
        encode(Status(Organization("G22"), ResponseFor("H23", "1"), ""))
