"""What a file is, judged by its name and first bytes, and whether somebody took its bytes for text.

Senders' declarations are worth little: the national SDK declares ``application/zip`` for nearly every file in the
manifest and has media types of its own (``application/docx``).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Kind", "extension", "kind_by_name", "kind_shown", "ruined_by_text_decoding", "true_media_type"]

ZIP_TYPE = "application/zip"
UNKNOWN_TYPE = "application/octet-stream"


class Kind(NamedTuple):
    """A kind of file: its media type and the bytes every such file starts with (any of `magics`; none known if empty).

    `binary` says that such a file always has bytes that are not UTF-8 text.
    """

    media_type: str
    magics: tuple[bytes, ...] = ()
    binary: bool = False


_OLE = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OOXML = "application/vnd.openxmlformats-officedocument."

KINDS: dict[str, Kind] = {
    "pdf": Kind("application/pdf", (b"%PDF-",)),
    "doc": Kind("application/msword", _OLE, binary=True),
    "xls": Kind("application/vnd.ms-excel", _OLE, binary=True),
    "ppt": Kind("application/vnd.ms-powerpoint", _OLE, binary=True),
    "docx": Kind(f"{_OOXML}wordprocessingml.document", _ZIP, binary=True),
    "xlsx": Kind(f"{_OOXML}spreadsheetml.sheet", _ZIP, binary=True),
    "pptx": Kind(f"{_OOXML}presentationml.presentation", _ZIP, binary=True),
    "zip": Kind(ZIP_TYPE, _ZIP, binary=True),
    "rar": Kind("application/vnd.rar", (b"Rar!\x1a\x07",), binary=True),
    "7z": Kind("application/x-7z-compressed", (b"7z\xbc\xaf\x27\x1c",), binary=True),
    "jpg": Kind("image/jpeg", (b"\xff\xd8\xff",), binary=True),
    "jpeg": Kind("image/jpeg", (b"\xff\xd8\xff",), binary=True),
    "png": Kind("image/png", (b"\x89PNG\r\n\x1a\n",), binary=True),
    "tif": Kind("image/tiff", (b"II*\x00", b"MM\x00*"), binary=True),
    "tiff": Kind("image/tiff", (b"II*\x00", b"MM\x00*"), binary=True),
    "gif": Kind("image/gif", (b"GIF87a", b"GIF89a"), binary=True),
    "txt": Kind("text/plain"),
    "csv": Kind("text/csv"),
    "xml": Kind("application/xml"),
    "edxml": Kind("application/xml"),
    "xsl": Kind("application/xslt+xml"),
    "html": Kind("text/html"),
    "json": Kind("application/json"),
    "rtf": Kind("application/rtf", (b"{\\rtf",)),
    "odt": Kind("application/vnd.oasis.opendocument.text", _ZIP, binary=True),
    "ods": Kind("application/vnd.oasis.opendocument.spreadsheet", _ZIP, binary=True),
}

_SDK_TYPES = frozenset(f"application/{suffix}" for suffix in ("doc", "docx", "xsl", "xslx", "xls", "xlsx", "txt"))
_TELLING = frozenset({"pdf", "jpg", "png", "gif"})
"""Kinds whose first bytes say everything; a zip or OLE header is shared by many."""

_MAX_EXTENSION = 10
_TRUNCATED_SEQUENCE = 3
_PDF_FILTERS = (b"/FlateDecode", b"/DCTDecode", b"/JPXDecode", b"/CCITTFaxDecode", b"/JBIG2Decode", b"/LZWDecode")
_REPLACEMENT = "\ufffd".encode()
_FEW = 3


def extension(name: str) -> str:
    """Return a file name's extension in lower case without the dot, or an empty string."""
    stem, dot, suffix = name.rpartition(".")
    return suffix.lower() if dot and stem and suffix.isalnum() and len(suffix) <= _MAX_EXTENSION else ""


def kind_by_name(name: str) -> Kind | None:
    """Return the kind of file a name claims, or None when we know nothing about it."""
    return KINDS.get(extension(name))


def kind_shown(content: bytes) -> str | None:
    """Return the extension of what the first bytes show a file to be, or None; Office files show their container."""
    for suffix in ("pdf", "doc", "zip", "jpg", "png", "gif", "rar", "7z", "tif", "rtf"):
        if content.startswith(KINDS[suffix].magics):
            return suffix
    return None


def true_media_type(name: str, content: bytes, declared: str) -> str:
    """Return the media type to believe.

    A declaration is believed unless it is missing, one of the national SDK's own inventions, or says zip file about
    what is none by its name or its bytes.
    """
    kind = kind_by_name(name)
    plain = declared.strip()
    lowered = plain.lower()
    if lowered == ZIP_TYPE:
        if extension(name) == "zip" and content.startswith(_ZIP):
            return ZIP_TYPE
    elif plain and lowered not in _SDK_TYPES:
        return plain
    if kind is not None and kind.media_type != ZIP_TYPE and (not kind.magics or content.startswith(kind.magics)):
        return kind.media_type
    if extension(name) == "zip" and content.startswith(_ZIP):
        return ZIP_TYPE
    shown = kind_shown(content)
    return KINDS[shown].media_type if shown is not None and shown in _TELLING else UNKNOWN_TYPE


def ruined_by_text_decoding(name: str, content: bytes) -> bool:
    """Tell whether a binary file went through a text decoder and back, which destroys it while base64 stays valid.

    What comes out of such a passage is UTF-8 from end to end, which a real PDF with compressed streams, a zip or an
    OLE file never is; in place of the bytes that were no text stands U+FFFD, or, where the decoder knew every byte
    (Windows code pages), a letter of two bytes.
    """
    kind = kind_by_name(name)
    is_pdf = content.startswith(b"%PDF-")
    if is_pdf:
        return _is_text(content) and (_REPLACEMENT in content or _compressed_as_text(content))
    if kind is None or not kind.magics:
        return False
    if content.startswith(kind.magics):
        return kind.binary and _is_text(content) and content.count(_REPLACEMENT) >= _FEW
    return any(content.startswith(_passed_through(magic)) for magic in kind.magics if not magic.isascii())


def _passed_through(magic: bytes) -> tuple[bytes, ...]:
    """Return what the usual decoders make of a binary header; its last byte may melt into what follows."""
    return tuple(magic[:-1].decode(codec, "replace").encode() for codec in ("utf-8", "latin-1", "cp1252", "cp1258"))


def _is_text(content: bytes) -> bool:
    """Tell whether the bytes are UTF-8; the last sequence may have been cut."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and len(content) - error.start <= _TRUNCATED_SEQUENCE
    return True


def _compressed_as_text(content: bytes) -> bool:
    return not content.isascii() and any(name in content for name in _PDF_FILTERS)
