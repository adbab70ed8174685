"""Attached files: what they are by their content, and what comes out of them."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.signature.attachments import AttachmentFlaw as F
from lienthong.signature.attachments import ZipLimits, examine_attachment
from lienthong.signature.attachments_kinds import kind_of

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
EXE = b"MZ\x90\x00\x03" + bytes(120)
FORMS = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
    "docm": "application/vnd.ms-word.document.macroEnabled.main+xml",
}


def packed(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target.getvalue()


def office(kind: str, **more: bytes) -> bytes:
    """Return a small Office file."""
    types = f'<Types><Override PartName="/x" ContentType="{FORMS[kind]}"/></Types>'.encode()
    return packed({"[Content_Types].xml": types, "word/document.xml": b"<w/>"} | more)


def compound(*streams: str) -> bytes:
    """Return a compound file with these streams in its directory."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HH", header, 28, 0xFFFE, 9)
    struct.pack_into("<I", header, 48, 1)
    struct.pack_into("<109I", header, 76, 0, *[0xFFFFFFFF] * 108)
    table = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *[0xFFFFFFFF] * 126)
    directory = b""
    for name in ("Root Entry", *streams):
        text = name.encode("utf-16-le") + b"\0\0"
        directory += text.ljust(64, b"\0") + struct.pack("<HB", len(text), 2) + bytes(61)
    return bytes(header) + table + directory.ljust(512, b"\0")


def flaws(name: str, content: bytes, declared: str | None = None, limits: ZipLimits | None = None) -> set[F]:
    """Return what is wrong with a file."""
    report = examine_attachment(name, content, declared, limits=limits or ZipLimits())
    return {found.flaw for found in report.findings}


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.pdf", PDF, "pdf"),
        ("a.docx", office("docx"), "docx"),
        ("a.xlsx", office("xlsx"), "xlsx"),
        ("a.pptx", office("pptx"), "pptx"),
        ("a.doc", compound("WordDocument"), "doc"),
        ("a.doc", b"{\\rtf1 x}", "rtf"),
        ("a.xls", compound("Workbook"), "xls"),
        ("a.odt", packed({"mimetype": b"application/vnd.oasis.opendocument.text"}, zipfile.ZIP_STORED), "odt"),
        ("a.zip", packed({"b.txt": b"b"}), "zip"),
        ("a.png", PNG, "png"),
        ("a.jpeg", b"\xff\xd8\xff\xe0" + bytes(20), "jpg"),
        ("a.tiff", b"II*\x00" + bytes(20), "tif"),
        ("a.gif", b"GIF89a" + bytes(20), "gif"),
        ("a.txt", "Kính gửi".encode(), "text"),
        ("a.txt", "Kính gửi".encode("utf-16"), "text"),
        ("a.csv", b"MZ,BM,2026\n", "text"),
        ("a.xml", b"<?xml version='1.0'?><a/>", "xml"),
        ("a.edxml", b"<edXML:edXML xmlns:edXML='x'/>", "xml"),
        ("a.la", b"plain words", "text"),
    ],
)
def test_a_file_is_what_its_content_is(name: str, content: bytes, kind: str) -> None:
    """Rightly named files of all ordinary kinds are recognized by their content and have no flaw."""
    report = examine_attachment(name, content)
    assert (report.kind, report.findings) == (kind, ())


@pytest.mark.parametrize(
    ("name", "content", "flaw"),
    [
        ("a.pdf", PNG, F.MISLABELLED),
        ("a.pdf", b"\n" + PDF, F.MISLABELLED),
        ("a.pdf", b"hello", F.MISLABELLED),
        ("a.docx", office("xlsx"), F.MISLABELLED),
        ("a.docx", office("docm"), F.MISLABELLED),
        ("a.docx", office("docx", **{"word/vbaProject.bin": b"x"}), F.MISLABELLED),
        ("a.docx", packed({"b.txt": b"b"}), F.MISLABELLED),
        ("a.doc", compound("Workbook"), F.MISLABELLED),
        ("a.xls", b"<html><body>x</body></html>", F.MISLABELLED),
        ("a.png", b"\xff\xd8\xff\xe0" + bytes(20), F.MISLABELLED),
        ("a.txt", PDF, F.MISLABELLED),
        ("a.txt", bytes(100), F.MISLABELLED),
        ("a.zip", PDF, F.MISLABELLED),
        ("a.pdf", EXE, F.EXECUTABLE),
        ("a.exe", b"text", F.EXECUTABLE),
        ("a.pdf.js", b"alert(1)", F.EXECUTABLE),
        ("a.txt", b"#!/bin/sh\nrm -rf ~\n", F.EXECUTABLE),
        ("a.doc", b"\x7fELF" + bytes(60), F.EXECUTABLE),
        ("a.doc", compound("\u4840\u3f7f\u4164\u422f\u4836"), F.EXECUTABLE),
        ("a", packed({"META-INF/MANIFEST.MF": b"Main-Class: X"}), F.EXECUTABLE),
        ("a.zip", packed({"readme.txt": EXE}), F.EXECUTABLE),
        ("a.zip", packed({"b.zip": packed({"c.pdf": EXE})}), F.EXECUTABLE),
        ("a.pdf", PDF + packed({"b.txt": b"b"}), F.TWO_KINDS),
        ("a.png", PNG + packed({"b.txt": b"b"}), F.TWO_KINDS),
        ("a.pdf", b"", F.EMPTY),
        ("a.docm", office("docm"), F.MACROS),
        ("a.docx", compound("EncryptedPackage"), F.ENCRYPTED),
        ("a.rar", b"Rar!\x1a\x07\x01", F.CLOSED_ARCHIVE),
        ("a.dat", bytes(100), F.UNKNOWN_KIND),
    ],
)
def test_what_is_not_what_it_says_is_told(name: str, content: bytes, flaw: F) -> None:
    """Mislabelled files, programs, polyglots and what nobody can look into are found by their content."""
    assert flaw in flaws(name, content)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("application/pdf", False),
        ("image/png; x=1", True),
        ("application/zip", False),
        ("application/docx", False),
        ("", False),
    ],
)
def test_only_a_real_declared_type_can_be_wrong(declared: str, told: bool) -> None:
    """The national SDK declares application/zip or types of its own for everything: that alone is told to nobody."""
    assert (F.DECLARED_OTHERWISE in flaws("a.pdf", PDF, declared)) is told


def zip_of_lies(size: int, crc: int | None = None) -> bytes:
    """Return a zip whose one entry says it has another size or check sum than it has."""
    data = bytearray(packed({"a.txt": b"x" * 1000}))
    for header, at in ((data.index(b"PK\x03\x04"), 14), (data.index(b"PK\x01\x02"), 16)):
        if crc is not None:
            struct.pack_into("<I", data, header + at, crc)
        struct.pack_into("<I", data, header + at + 8, size)
    return bytes(data)


def overlapping() -> bytes:
    """Return a zip whose entries share their bytes, as the densest bombs do."""
    data = bytearray(packed({"a.txt": b"x" * 100_000, "b.txt": b"y"}))
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    struct.pack_into("<I", data, second + 42, 0)
    return bytes(data)


def layers(count: int) -> bytes:
    """Return a zip in a zip, so many deep."""
    data = packed({"a.txt": b"x"})
    for _ in range(count - 1):
        data = packed({"inner.zip": data})
    return data


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (packed({"a": bytes(64 << 20)}), F.ZIP_BOMB),
        (packed({"b.zip": packed({"a": bytes(64 << 20)})}), F.ZIP_BOMB),
        (overlapping(), F.ZIP_BOMB),
        (packed({str(i): b"ab" * 500_000 + bytes([i]) for i in range(8)}, zipfile.ZIP_STORED), F.TOO_LARGE),
        (packed({f"{i}.txt": b"" for i in range(5_001)}), F.TOO_MANY_ENTRIES),
        (layers(9), F.TOO_DEEP),
        (zip_of_lies(10), F.LYING_SIZE),
        (zip_of_lies(4_000), F.LYING_SIZE),
        (zip_of_lies(1_000, crc=7), F.LYING_SIZE),
        (packed({"a.txt": b"x"})[:-5], F.DAMAGED_ZIP),
        (packed({"a.txt": b"x"}) + b"more", F.DAMAGED_ZIP),
        (b"PK\x03\x04" + bytes(500), F.DAMAGED_ZIP),
        (packed({"../../a.txt": b"x"}), F.PATH_TRAVERSAL),
        (packed({"/etc/cron.d/a": b"x"}), F.PATH_TRAVERSAL),
        (packed({"b\\..\\c.txt": b"x"}), F.PATH_TRAVERSAL),
        (packed({"b/nul.txt": b"x"}), F.DEVICE_NAME),
        (packed({"a\u202efdp.txt": b"x"}), F.INVISIBLE_CHARACTER),
    ],
    ids=lambda value: value.value if isinstance(value, F) else "",
)
def test_zips_are_looked_into_and_never_trusted(content: bytes, flaw: F) -> None:
    """Bombs, lies, overlaps, layers and paths in zips are found, within five seconds and 300 MB."""
    limits = ZipLimits(unpacked_bytes=6_000_000) if flaw is F.TOO_LARGE else ZipLimits()
    tracemalloc.start()
    begun = time.monotonic()
    found = flaws("a.zip", content, limits=limits)
    taken = time.monotonic() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert flaw in found
    assert taken < 5
    assert peak < 300 << 20


def test_a_zip_that_names_an_entry_twice_is_refused() -> None:
    """Two entries of one name are read differently by different programs."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.txt", "one")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "two")
    assert F.DAMAGED_ZIP in flaws("a.zip", target.getvalue())


def test_an_encrypted_entry_is_told_and_not_guessed() -> None:
    """What has a password cannot be looked into: told, but for others to refuse."""
    data = bytearray(packed({"a.txt": b"x"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    report = examine_attachment("a.zip", bytes(data))
    assert [found.flaw for found in report.findings] == [F.ENCRYPTED]
    assert not report.refused


def test_pdfs_are_found_in_zips_of_zips() -> None:
    """Every PDF is handed on for its signatures to be judged, also from within a zip; Office files keep theirs."""
    inner = packed({"sâu.pdf": PDF + b"2"})
    report = examine_attachment("a.zip", packed({"x/một.pdf": PDF + b"1", "b.zip": inner, "c.txt": PDF + b"3"}))
    assert {(pdf.name, pdf.content[-1:]) for pdf in report.pdfs} == {
        ("a.zip/x/một.pdf", b"1"),
        ("a.zip/b.zip/sâu.pdf", b"2"),
        ("a.zip/c.txt", b"3"),
    }
    assert [pdf.content for pdf in examine_attachment("a.pdf", PDF).pdfs] == [PDF]
    assert examine_attachment("a.docx", office("docx", **{"word/b.pdf": PDF})).pdfs == ()


def test_every_flaw_has_words_in_both_languages() -> None:
    """A finding is a problem with a code of the axes' grammar, in Vietnamese and English, naming the file."""
    for found in examine_attachment("../NUL\x00.exe", EXE).findings:
        assert found.problem.code.startswith(("R.", "M."))
        assert "NUL" in found.problem.vi
        assert "NUL" in found.problem.en
        assert "\x00" not in found.problem.vi


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"MZ"]),
)
def test_any_bytes_are_of_some_kind(content: bytes, start: bytes) -> None:
    """Whatever the bytes, they get a kind and a report; nothing raises."""
    assert kind_of(start + content)
    assert examine_attachment("a.pdf", start + content).kind


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_zip_raises_nothing(position: int, value: int) -> None:
    """A zip with any byte changed is still examined to the end."""
    data = bytearray(office("docx", **{"word/media.bin": bytes(range(256)) * 4}))
    data[position % len(data)] = value
    examine_attachment("a.docx", bytes(data))
