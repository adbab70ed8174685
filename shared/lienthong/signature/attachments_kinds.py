"""What a file really is, by its content: deep enough to tell a .docx from an .xlsx and a script from a text.

Names and declared types are claims; this looks at the bytes that programs go by.
"""

from __future__ import annotations

import codecs
import re
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ACCEPTED", "EXECUTABLES", "EXECUTABLE_EXTENSIONS", "MACROS", "OLE_ENCRYPTED", "kind_of", "office_kind"]

MACROS: Final = frozenset({"docm", "xlsm", "pptm"})
EXECUTABLES: Final = frozenset({"exe", "elf", "mach-o", "class", "script", "lnk", "msi", "chm", "cab", "swf", "dex"})
OLE_ENCRYPTED: Final = "ole-encrypted"
_TEXTS: Final = frozenset({"text", "xml", "html", "rtf"})
_ZIPS: Final = frozenset(
    {"zip", "docx", "xlsx", "pptx", "docm", "xlsm", "pptm", "odt", "ods", "odp", "epub", "jar", "ooxml"}
)

ACCEPTED: Final[dict[str, frozenset[str]]] = {
    "pdf": frozenset({"pdf"}),
    **{suffix: frozenset({suffix, OLE_ENCRYPTED}) for suffix in ("docx", "xlsx", "pptx", "docm", "xlsm", "pptm")},
    "doc": frozenset({"doc", "rtf", OLE_ENCRYPTED}),
    "xls": frozenset({"xls", OLE_ENCRYPTED}),
    "ppt": frozenset({"ppt", OLE_ENCRYPTED}),
    **{
        suffix: frozenset({suffix}) for suffix in ("odt", "ods", "odp", "rtf", "rar", "7z", "png", "gif", "bmp", "webp")
    },
    "zip": _ZIPS - {"jar"},
    "gz": frozenset({"gz"}),
    **dict.fromkeys(("jpg", "jpeg"), frozenset({"jpg"})),
    **dict.fromkeys(("tif", "tiff"), frozenset({"tif"})),
    **dict.fromkeys(("txt", "csv", "json", "log", "md"), _TEXTS),
    **dict.fromkeys(("xml", "edxml", "xsl"), frozenset({"xml", "text"})),
    **dict.fromkeys(("html", "htm"), frozenset({"html", "xml", "text"})),
    **dict.fromkeys(("p7s", "p7m", "p7b", "cer", "crt", "tsr"), frozenset({"der", "text"})),
}
"""The kinds of content that may stand behind an extension."""

EXECUTABLE_EXTENSIONS: Final = frozenset(
    [
        "exe",
        "com",
        "bat",
        "cmd",
        "scr",
        "pif",
        "msi",
        "msp",
        "msc",
        "cpl",
        "dll",
        "sys",
        "js",
        "jse",
        "vbs",
        "vbe",
        "wsf",
        "wsh",
        "wsc",
        "hta",
        "ps1",
        "psm1",
        "lnk",
        "url",
        "scf",
        "inf",
        "reg",
        "jar",
        "class",
        "sh",
        "bash",
        "py",
        "pl",
        "rb",
        "php",
        "apk",
        "app",
        "deb",
        "rpm",
        "run",
        "elf",
        "chm",
        "hlp",
        "iso",
        "img",
        "vhd",
        "vhdx",
        "cab",
        "gadget",
        "application",
        "appref-ms",
        "settingcontent-ms",
        "xll",
        "xlam",
        "ppam",
        "one",
        "docker",
        "swf",
        "svg",
        "svgz",
        "desktop",
        "library-ms",
        "search-ms",
        "jnlp",
    ]
)

_MAGICS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tif"),
    (b"MM\x00*", "tif"),
    (b"BM", "bmp"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b\x08", "gz"),
    (b"{\\rtf", "rtf"),
    (b"MZ", "exe"),
    (b"\x7fELF", "elf"),
    (b"\xcf\xfa\xed\xfe", "mach-o"),
    (b"\xce\xfa\xed\xfe", "mach-o"),
    (b"\xfe\xed\xfa\xce", "mach-o"),
    (b"\xfe\xed\xfa\xcf", "mach-o"),
    (b"\xca\xfe\xba\xbe", "class"),
    (b"dex\n", "dex"),
    (b"#!", "script"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "lnk"),
    (b"ITSF", "chm"),
    (b"MSCF", "cab"),
    (b"FWS", "swf"),
    (b"CWS", "swf"),
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_DOS_HEADER: Final = 64
_FIRST_SPECIAL_SECTOR: Final = 0xFFFFFFFA
_DIRECTORY_SECTORS: Final = 256
_DIRECTORY_ENTRY: Final = 128
_NAME_BYTES: Final = 64
_SPACE: Final = 32
_BMP_HEADER: Final = 26
_LOOKED_AT: Final = 4096
_HTML: Final = re.compile(rb"<(?:!doctype\s+html|html|script|head|body|iframe|svg)[\s>]", re.IGNORECASE)
_XML: Final = re.compile(rb"\s*<(?:\?xml\b|[A-Za-z_][\w.:-]*[\s/>])")
_FORMS: Final = {
    b"wordprocessingml.document.main+xml": "docx",
    b"spreadsheetml.sheet.main+xml": "xlsx",
    b"presentationml.presentation.main+xml": "pptx",
    b"ms-word.document.macroEnabled.main+xml": "docm",
    b"ms-excel.sheet.macroEnabled.main+xml": "xlsm",
    b"ms-powerpoint.presentation.macroEnabled.main+xml": "pptm",
}
_OPEN_DOCUMENT: Final = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.presentation": "odp",
    b"application/epub+zip": "epub",
}


def kind_of(content: bytes) -> str:
    """Return what the bytes are: an extension's name, a word such as ``exe`` or ``text``, or ``unknown``.

    A zip is only called ``zip``; `office_kind` tells more from what is in it.
    """
    if content.startswith(_OLE):
        return _ole_kind(content)
    if content.startswith(_ZIP):
        return "zip"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    for magic, kind in _MAGICS:
        if content.startswith(magic) and _plausible(kind, content):
            return kind
    return _text_kind(content)


def _plausible(kind: str, content: bytes) -> bool:
    """Tell whether a short magic is more than the first letters of a text."""
    if kind == "exe":
        return b"\0" in content[:_DOS_HEADER] or not content[:_DOS_HEADER].isascii()
    if kind == "bmp":
        return len(content) >= _BMP_HEADER and content[6:10] == bytes(4)
    return True


def office_kind(names: Iterable[str], types: bytes, mimetype: bytes) -> str:
    """Return what a zip is by its contents.

    Args:
        names: of its entries.
        types: the entry ``[Content_Types].xml`` (ECMA-376, part 2), empty when there is none.
        mimetype: the entry ``mimetype`` (OpenDocument 1.3, part 2), likewise.
    """
    if mimetype:
        return _OPEN_DOCUMENT.get(mimetype.strip(), "zip")
    listed = set(names)
    if types:
        found = {kind for form, kind in _FORMS.items() if form in types}
        kind = found.pop() if len(found) == 1 else "ooxml"
        hidden = any(name.lower().endswith("vbaproject.bin") for name in listed)
        return kind[:3] + "m" if hidden and kind in {"docx", "xlsx", "pptx"} else kind
    return "jar" if "META-INF/MANIFEST.MF" in listed else "zip"


def _ole_kind(content: bytes) -> str:
    """Return what a compound file is, by the streams in its directory ([MS-CFB], 2.6)."""
    names = _ole_names(content)
    for name, kind in (
        ("EncryptedPackage", OLE_ENCRYPTED),
        ("WordDocument", "doc"),
        ("Workbook", "xls"),
        ("Book", "xls"),
        ("PowerPoint Document", "ppt"),
        ("\u4840\u3f3f\u4577\u446c\u3b6a\u45e4\u4824", "msi"),
        ("\u4840\u3b3f\u43f2\u4438\u45b1", "msi"),
        ("\u4840\u3f7f\u4164\u422f\u4836", "msi"),
    ):
        if name in names:
            return kind
    return "ole"


def _ole_names(content: bytes) -> set[str]:
    """Return the names in a compound file's directory; as many as can be read of a damaged one."""
    try:
        shift = struct.unpack_from("<H", content, 30)[0]
        sector = struct.unpack_from("<I", content, 48)[0]
        if shift not in (9, 12):
            return set()
        size = 1 << shift
        tables = [number for number in struct.unpack_from("<109I", content, 76) if number < _FIRST_SPECIAL_SECTOR]
        names: set[str] = set()
        for _ in range(_DIRECTORY_SECTORS):
            start = (sector + 1) * size
            for at in range(start, min(start + size, len(content) - _DIRECTORY_ENTRY + 1), _DIRECTORY_ENTRY):
                length = struct.unpack_from("<H", content, at + 64)[0]
                if content[at + 66] and 0 < length <= _NAME_BYTES:
                    names.add(content[at : at + length - 2].decode("utf-16-le", "replace"))
            table, entry = divmod(sector, size // 4)
            if table >= len(tables):
                break
            sector = struct.unpack_from("<I", content, (tables[table] + 1) * size + entry * 4)[0]
            if sector >= _FIRST_SPECIAL_SECTOR:
                break
    except struct.error:
        return set()
    return names


def _text_kind(content: bytes) -> str:
    head = content[:_LOOKED_AT]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = head.decode("utf-16", "replace").encode()
    elif b"\0" in head:
        return "unknown"
    else:
        text = head.removeprefix(codecs.BOM_UTF8)
    if head[:1] == b"\x30" and head[1:2] in b"\x80\x81\x82\x83\x84" and not head.isascii():
        return "der"
    if sum(byte < _SPACE and byte not in b"\t\n\r\f\x1b" for byte in text) > len(text) // 50:
        return "unknown"
    if b"%PDF-" in text[:1024]:
        return "unknown"  # a PDF with something before it: some programs read it, others do not
    if _HTML.search(text):
        return "html"
    return "xml" if _XML.match(text) else "text"
