"""PDF files written by hand, byte by byte, so that attacks on them can be, too."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOG, PAGES, PAGE, CONTENT, FONT, INFO, OVERLAY = range(1, 8)
TEXT = b"BT /F1 14 Tf 72 700 Td (Pay 100 to G22) Tj ET"
A4 = b"/MediaBox [0 0 595 842]"


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """Return a stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def flate(data: bytes, entries: bytes = b"") -> bytes:
    """Return a compressed stream object."""
    return stream(zlib.compress(data, 9), b"/Filter /FlateDecode " + entries)


def objects(catalog: bytes = b"", page: bytes = b"") -> dict[int, bytes]:
    """Return the objects of a letter of one page, with more entries where wanted."""
    return {
        CATALOG: b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        PAGES: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE: b"<< /Type /Page /Parent 2 0 R %s /Contents 4 0 R /Resources << /Font << /F1 5 0 R >>"
        b" /XObject << /X1 7 0 R >> >> %s >>" % (A4, page),
        CONTENT: stream(TEXT),
        FONT: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        INFO: b"<< /Title (A letter) >>",
        OVERLAY: stream(b"1 1 1 rg 0 0 10 10 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 10 10]"),
    }


def build(
    parts: Mapping[int, bytes], trailer: bytes = b"", *, header: bytes = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
) -> bytes:
    """Return a file of these objects with a classic cross-reference table."""
    data = bytearray(header)
    offsets = {}
    for number, body in parts.items():
        offsets[number] = len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    size = max(parts) + 1
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        data += b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
    data += b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start)
    return bytes(data)


def letter() -> bytes:
    """Return an unsigned letter."""
    return build(objects())


def form() -> bytes:
    """Return an unsigned letter with a text field to fill in."""
    parts = objects(b"/AcroForm << /Fields [8 0 R] /DA (/F1 0 Tf) >>", b"/Annots [8 0 R]")
    parts[8] = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (amount) /V (100) /Rect [72 600 200 620] /P 3 0 R /F 4 >>"
    return build(parts)


def last(pattern: bytes, pdf: bytes) -> re.Match[bytes]:
    """Return the last match in a file."""
    return list(re.finditer(pattern, pdf, re.DOTALL))[-1]


def body(pdf: bytes, number: int) -> bytes:
    """Return the newest body of an object."""
    return last(rb"(?<!\d)%d 0 obj\s(.*?)\s?endobj" % number, pdf)[1]


def update(pdf: bytes, parts: Mapping[int, bytes], trailer: bytes = b"") -> bytes:
    """Return the file with an incremental update in which these objects are new or other."""
    previous = int(last(rb"startxref\s+(\d+)", pdf)[1])
    size = max(int(last(rb"/Size (\d+)", pdf)[1]), max(parts, default=0) + 1)
    root = last(rb"/Root (\d+)", pdf)[1]
    data = bytearray(pdf if pdf.endswith(b"\n") else pdf + b"\n")
    table = bytearray(b"xref\n")
    for number, part in sorted(parts.items()):
        table += b"%d 1\n%010d 00000 n \n" % (number, len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start = len(data)
    data += table + b"trailer\n<< /Size %d /Root %s 0 R /Prev %d %s >>\n" % (size, root, previous, trailer)
    return bytes(data + b"startxref\n%d\n%%%%EOF\n" % start)


def replace(pdf: bytes, old: bytes, new: bytes) -> bytes:
    """Return the file with something replaced once by something as long."""
    assert pdf.count(old) >= 1
    assert len(old) == len(new)
    return pdf.replace(old, new, 1)


def contents(pdf: bytes) -> re.Match[bytes]:
    """Return the hexadecimal string of the last signature."""
    return last(rb"/Contents\s*<([0-9a-fA-F]+)>", pdf)


def flip(pdf: bytes, position: int) -> bytes:
    """Return the file with one bit turned."""
    return pdf[:position] + bytes([pdf[position] ^ 1]) + pdf[position + 1 :]
