"""Checks on the PDF itself: what a signature covers, the page tree, and remains of signatures that were stripped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject

from lienthong.signature.pdf_cms import Flawed
from lienthong.signature.pdf_facts import Flaw

if TYPE_CHECKING:
    from pyhanko.pdf_utils.reader import PdfFileReader

__all__ = ["byte_range", "check_field_tree", "check_page_tree", "check_tail", "covers_page", "has_remains"]

_MAX_PAGE_NODES: Final = 20_000
_MAX_FIELDS: Final = 5_000
_NUMBERS: Final = 4
_A4_POINTS: Final = 595 * 842
_MAX_SHARE: Final = 0.2
"""A person's signature and the seal beside it take a few hundredths of the page (Decree 30/2020/NĐ-CP, Annex I)."""

_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_REMAINS: Final = re.compile(
    rb"/ByteRange\s*\[|/SubFilter\s*/(?:ETSI|adbe)\.|/Type\s*/(?:Sig|DocTimeStamp)\b|/Contents\s*<[0-9A-Fa-f]{400}"
)


def byte_range(numbers: object, contents: bytes, pdf: bytes) -> tuple[int, int, int]:
    """Return where the gap begins and ends and where the signed part ends.

    What is signed must begin with the file, and leave out exactly the hexadecimal string that holds the signature
    (ISO 32000-2, 12.8.1).

    Args:
        numbers: the value of ``/ByteRange``.
        contents: the value of ``/Contents``.
        pdf: the whole file.

    Raises:
        Flawed: it is anything else.
    """
    if not isinstance(numbers, ArrayObject) or len(numbers) != _NUMBERS:
        raise Flawed(Flaw.BYTE_RANGE)
    values = [numbers.raw_get(index) for index in range(_NUMBERS)]
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise Flawed(Flaw.BYTE_RANGE)
    start, gap_begins, gap_ends, rest = map(int, values)
    end = gap_ends + rest
    if start or rest <= 0 or not 0 < gap_begins < gap_ends < end <= len(pdf):
        raise Flawed(Flaw.BYTE_RANGE)
    gap = pdf[gap_begins:gap_ends]
    if gap[:1] != b"<" or gap[-1:] != b">" or gap[1:-1].lower() != contents.hex().encode():
        raise Flawed(Flaw.BYTE_RANGE)
    return gap_begins, gap_ends, end


def check_page_tree(reader: PdfFileReader) -> None:
    """Walk the page tree once.

    Raises:
        Flawed: a node comes twice, is none, or there are more than 20,000.
    """
    waiting: list[Any] = [reader.root.raw_get("/Pages")]
    seen: set[object] = set()
    while waiting:
        reference = waiting.pop()
        if not isinstance(reference, IndirectObject) or reference.reference in seen or len(seen) >= _MAX_PAGE_NODES:
            raise Flawed(Flaw.PAGE_TREE)
        seen.add(reference.reference)
        node = reference.get_object()
        if not isinstance(node, DictionaryObject):
            raise Flawed(Flaw.PAGE_TREE)
        if "/Kids" in node and not isinstance(node.get("/Kids"), ArrayObject):
            raise Flawed(Flaw.PAGE_TREE)
        waiting.extend(_items(node.get("/Kids")))


def check_field_tree(reader: PdfFileReader) -> None:
    """Walk the tree of form fields once.

    Raises:
        Flawed: a node comes twice, is none, or there are more than 5,000.
    """
    form = reader.root.get("/AcroForm")
    if not isinstance(form, DictionaryObject):
        return
    waiting = _items(form.get("/Fields"))
    seen: set[object] = set()
    while waiting:
        reference = waiting.pop()
        node = reference.get_object() if isinstance(reference, IndirectObject) else reference
        mark = reference.reference if isinstance(reference, IndirectObject) else id(node)
        if not isinstance(node, DictionaryObject) or mark in seen or len(seen) >= _MAX_FIELDS:
            raise Flawed(Flaw.FIELD_TREE)
        seen.add(mark)
        waiting.extend(_items(node.get("/Kids")))


def check_tail(reader: PdfFileReader, pdf: bytes, *, signed_revision: int, end: int) -> None:
    """Check that what follows the last signature is whole revisions, and that they replace archival data only.

    A revision may say the same thing again in another way; another program might read the other thing.

    Raises:
        Flawed: there is more.
    """
    tail = pdf[end:]
    later = reader.xrefs.total_revisions - 1 - signed_revision
    if not tail and not later:
        return
    whole = later > 0 and tail.count(b"%%EOF") == later and re.search(rb"%%EOF[\r\n]{0,2}\Z", tail)
    if not whole or not _archives_only(reader, signed_revision):
        raise Flawed(Flaw.NOT_COVERED)


def _archives_only(reader: PdfFileReader, signed_revision: int) -> bool:
    """Tell whether revisions after that one replace only the catalog, metadata and the document security store."""
    root = reader.root
    replaceable = {reader.root_ref, reader.trailer.raw_get("/Info") if "/Info" in reader.trailer else None}
    replaceable.add(root.raw_get("/Metadata") if "/Metadata" in root else None)
    allowed = {getattr(item, "reference", item) for item in replaceable}
    if "/DSS" in root:
        allowed |= reader.get_historical_resolver(reader.xrefs.total_revisions - 1).collect_dependencies(
            root.raw_get("/DSS")
        )
    for revision in range(signed_revision + 1, reader.xrefs.total_revisions):
        for reference in reader.xrefs.explicit_refs_in_revision(revision):
            known = reader.xrefs.get_introducing_revision(reference) <= signed_revision
            if known and reference not in allowed:
                return False
    return True


def has_remains(pdf: bytes) -> bool:
    """Tell whether there is anything of a signature dictionary in the file, spelled with escapes or not."""
    if _REMAINS.search(pdf):
        return True
    return b"#" in pdf and _REMAINS.search(_ESCAPE.sub(_unescape, pdf)) is not None


def _items(array: object) -> list[Any]:
    """Return the items of an array, references as they are; none when it is something else."""
    return [array.raw_get(index) for index in range(len(array))] if isinstance(array, ArrayObject) else []


def _unescape(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())


def covers_page(field: DictionaryObject) -> bool:
    """Tell whether the picture of a signature takes more than a fifth of an A4 page."""
    widgets = [field, *(kid for kid in field.get("/Kids", ()) if isinstance(kid, DictionaryObject))]
    return any(_area(widget.get("/Rect")) > _MAX_SHARE * _A4_POINTS for widget in widgets)


def _area(rectangle: object) -> float:
    if not isinstance(rectangle, ArrayObject) or len(rectangle) != _NUMBERS:
        return 0.0
    left, bottom, right, top = (float(number) for number in rectangle)
    return abs(right - left) * abs(top - bottom)
