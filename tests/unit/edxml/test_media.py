"""What a file is, and whether text decoding ruined it."""

from __future__ import annotations

import zlib

import pytest

from lienthong.edxml.media import extension, ruined_by_text_decoding, true_media_type

PDF = (
    b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n<</Filter/FlateDecode>>stream\n"
    + zlib.compress(bytes(range(256)) * 9)
    + b"\nendstream"
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(200))
DOCX = b"PK\x03\x04\x14\x00\x06\x00\x08\x00" + zlib.compress(b"word" * 99 + bytes(range(256))) * 3
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(200))
FILES = {"a.pdf": PDF, "a.doc": OLE, "a.xls": OLE, "a.docx": DOCX, "a.xlsx": DOCX, "a.jpg": JPEG}


@pytest.mark.parametrize("name", FILES)
def test_sound_files_are_not_called_ruined(name: str) -> None:
    """A file as its program wrote it is left alone."""
    assert not ruined_by_text_decoding(name, FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_files_that_passed_a_utf_8_decoder_are_found_out(name: str) -> None:
    """Bytes that are no UTF-8 become EF BF BD; base64 of the result is fine, the file is destroyed."""
    assert ruined_by_text_decoding(name, FILES[name].decode("utf-8", "replace").encode())


@pytest.mark.parametrize("name", ["a.pdf", "a.doc", "a.jpg"])
@pytest.mark.parametrize("codec", ["latin-1", "cp1252"])
def test_files_that_passed_a_code_page_are_found_out(name: str, codec: str) -> None:
    """A decoder that knows every byte leaves no EF BF BD, but makes two bytes of one."""
    assert ruined_by_text_decoding(name, FILES[name].decode(codec, "replace").encode())


def test_a_ruined_pdf_is_found_out_under_any_name() -> None:
    """A PDF is known by its first bytes, which survive."""
    assert ruined_by_text_decoding("van ban", PDF.decode("utf-8", "replace").encode())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "Một \ufffd\ufffd\ufffd\ufffd văn bản".encode()),
        ("a.pdf", b"%PDF-1.4\n1 0 obj<<>>endobj\n%%EOF"),
        ("a.doc", "<html>Văn bản lưu dạng trang mạng</html>".encode()),
        ("a.pdf", b""),
        ("a.docx", b""),
    ],
)
def test_what_is_text_is_not_called_ruined(name: str, content: bytes) -> None:
    """Texts, a PDF in plain ASCII and a web page called .doc are as their programs wrote them."""
    assert not ruined_by_text_decoding(name, content)


@pytest.mark.parametrize(
    ("name", "content", "declared", "true"),
    [
        ("a.pdf", PDF, "application/zip", "application/pdf"),
        ("a.pdf", PDF, "", "application/pdf"),
        ("a.docx", DOCX, "application/docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.doc", OLE, "application/doc", "application/msword"),
        ("a.doc", DOCX, "application/zip", "application/octet-stream"),
        ("a.zip", DOCX, "application/zip", "application/zip"),
        ("a.zip", DOCX, "", "application/zip"),
        ("a.zip", b"text", "application/zip", "application/octet-stream"),
        ("a.dat", DOCX, "application/zip", "application/octet-stream"),
        ("a.txt", b"text", "APPLICATION/ZIP", "text/plain"),
        ("a", PDF, "", "application/pdf"),
        ("a", b"text", "text/markdown", "text/markdown"),
        ("a", b"text", "", "application/octet-stream"),
    ],
)
def test_declared_types_are_believed_only_when_they_can_be_true(
    name: str, content: bytes, declared: str, true: str
) -> None:
    """A receiver's SDK fails on a wrong application/zip and does not know the sender's SDK's own types."""
    found = true_media_type(name, content, declared)
    assert found == true
    assert true_media_type(name, content, found) == found


def test_extensions_are_short_and_alphanumeric() -> None:
    """What follows the last dot of a sentence is no extension."""
    assert extension("Tệp đính kèm.PDF") == "pdf"
    assert extension("mau") == ""
    assert extension(".hidden") == ""
    assert extension("v. a. về việc") == ""
