"""The immutable values of a message."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256

import pytest

from lienthong.edxml import (
    Attachment,
    Document,
    DocumentCode,
    Organization,
    OtherInfo,
    Packing,
    ResponseFor,
    Status,
    TraceHeader,
)


def document(priority: int | None) -> Document:
    """Return a document of this urgency."""
    other = OtherInfo(priority=priority) if priority is not None else None
    return Document(Organization("H23"), (Organization("G22"),), "1", other=other)


@pytest.mark.parametrize(
    ("priority", "urgent"), [(None, False), (0, False), (1, True), (2, True), (3, True), (4, True), (5, False)]
)
def test_khan_and_above_are_urgent(priority: int | None, urgent: bool) -> None:
    """1 to 4 go by the urgent lane; unset means ordinary; a number nobody defined opens no fast lane."""
    assert document(priority).urgent is urgent
    assert document(priority).priority == (priority or 0)


def test_an_attachment_knows_its_digest_and_gets_an_id() -> None:
    """The digest is of the file's own bytes; the id derived, so that the same file has the same id."""
    first, second = (Attachment("a.txt", b"content") for _ in range(2))
    assert first.sha256 == sha256(b"content").hexdigest()
    assert first == second
    assert first.content_id == second.content_id != ""
    assert Attachment("b.txt", b"content").content_id != first.content_id


def test_content_ids_are_kept_without_their_prefixes() -> None:
    """The national SDK writes cid: once or twice; both mean the same id."""
    assert Attachment("a.txt", b"", content_id=" cid:cid:7").content_id == "7"


def test_how_a_file_was_packed_is_no_part_of_what_it_is() -> None:
    """Two messages with the same file are equal, whatever the wire did to it."""
    assert Attachment("a.txt", b"x", packing=Packing.ZIPPED, declared_type="application/zip") == Attachment(
        "a.txt", b"x"
    )


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Tệp đính kèm.PDF", "Tệp đính kèm.PDF"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Temp\\a.txt", "a.txt"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("a:b*.txt", "ab.txt"),
        ("..", "attachment"),
        ("dir/", "attachment"),
    ],
)
def test_a_strangers_file_name_is_made_harmless(name: str, safe: str) -> None:
    """No folder, no control or direction character, nothing a file system refuses."""
    assert Attachment(name, b"").file_name == safe


def test_moments_without_a_zone_are_not_taken() -> None:
    """A trace or status with a naive moment is a mistake of the program that builds it."""
    naive = dt.datetime(2026, 11, 20)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(ValueError, match="zone"):
        TraceHeader("H23", naive)
    with pytest.raises(ValueError, match="zone"):
        Status(Organization("H23"), ResponseFor("G22", "1"), "01", timestamp=naive)


def test_a_code_reads_as_on_paper() -> None:
    """Number and notation are parted by a slash; one alone stands alone."""
    assert str(DocumentCode("7816", "VPCP-TTĐT")) == "7816/VPCP-TTĐT"
    assert str(DocumentCode(None, "VPCP")) == "VPCP"
