"""Examining an attached file: is its name safe, is it what it says, does it unpack to reason, and is it infected.

Nothing here decides what a signature is worth; what was found is told to the sender in words.
"""

from __future__ import annotations

from dataclasses import dataclass

from lienthong.edxml.media import KINDS, extension
from lienthong.signature.attachments_findings import AttachmentFinding, AttachmentFlaw, finding
from lienthong.signature.attachments_kinds import (
    ACCEPTED,
    EXECUTABLE_EXTENSIONS,
    EXECUTABLES,
    MACROS,
    OLE_ENCRYPTED,
    kind_of,
)
from lienthong.signature.attachments_names import clashing_names, name_flaws, safe_name
from lienthong.signature.attachments_scanner import ClamdScanner, Scan, Scanner, ScanResult, clamd_address
from lienthong.signature.attachments_zip import PackedPdf, ZipLimits, ZipLook

__all__ = [
    "AttachmentFinding",
    "AttachmentFlaw",
    "AttachmentReport",
    "ClamdScanner",
    "PackedPdf",
    "Scan",
    "ScanResult",
    "Scanner",
    "ZipLimits",
    "clamd_address",
    "clashing_names",
    "examine_attachment",
    "safe_name",
]

_ZIP_END = b"PK\x05\x06"
_ZIP_END_SIZE = 22
_MAX_COMMENT = 65_535
_DEFAULT_LIMITS = ZipLimits()


@dataclass(frozen=True, slots=True)
class AttachmentReport:
    """What was found about one attached file.

    Attributes:
        name: the sender's.
        safe_name: under which it can be stored anywhere.
        kind: what it is by its content (``pdf``, ``docx``, ``exe``, ``text``, ``unknown``…).
        findings: what is wrong with it.
        pdfs: itself, when it is a PDF, and the PDFs in it, when it is a zip: whose signatures are to be judged.
    """

    name: str
    safe_name: str
    kind: str
    findings: tuple[AttachmentFinding, ...]
    pdfs: tuple[PackedPdf, ...] = ()

    @property
    def refused(self) -> bool:
        """Tell whether anything found refuses the document."""
        return any(found.refuses for found in self.findings)


def examine_attachment(
    name: str, content: bytes, declared_type: str | None = None, *, limits: ZipLimits = _DEFAULT_LIMITS
) -> AttachmentReport:
    """Return what is found about an attached file; never raises, whatever it is.

    Args:
        name: its name as the sender wrote it.
        content: its bytes, out of base64 and the national SDK's wrapping.
        declared_type: the media type the sender declared; None or empty when there is none.
        limits: how much may come out of zips.
    """
    flaws = name_flaws(name)
    kind = kind_of(content)
    pdfs: list[PackedPdf] = []
    if not content:
        flaws.add(AttachmentFlaw.EMPTY)
    elif kind == "zip":
        look = ZipLook(limits)
        look.look(name, content)
        flaws |= look.flaws
        kind = look.kind
        pdfs = look.pdfs
    elif kind == "pdf" or extension(name) == "pdf":
        pdfs = [PackedPdf(name, content)]
    flaws |= _kind_flaws(name, kind, content) if content else set()
    if _declared_otherwise(declared_type, kind):
        flaws.add(AttachmentFlaw.DECLARED_OTHERWISE)
    ordered = sorted(flaws, key=list(AttachmentFlaw).index)
    return AttachmentReport(name, safe_name(name), kind, tuple(finding(flaw, name) for flaw in ordered), tuple(pdfs))


def _kind_flaws(name: str, kind: str, content: bytes) -> set[AttachmentFlaw]:
    flaws: set[AttachmentFlaw] = set()
    suffix = name.strip(" .").rpartition(".")[2].lower()
    if kind in EXECUTABLES or kind == "jar" or suffix in EXECUTABLE_EXTENSIONS:
        flaws.add(AttachmentFlaw.EXECUTABLE)
    accepted = ACCEPTED.get(suffix)
    if accepted is not None and kind not in accepted:
        flaws.add(AttachmentFlaw.MISLABELLED)
    elif accepted is None and kind == "unknown":
        flaws.add(AttachmentFlaw.UNKNOWN_KIND)
    if kind in MACROS:
        flaws.add(AttachmentFlaw.MACROS)
    if kind == OLE_ENCRYPTED:
        flaws.add(AttachmentFlaw.ENCRYPTED)
    if kind in {"rar", "7z", "gz"}:
        flaws.add(AttachmentFlaw.CLOSED_ARCHIVE)
    if not content.startswith(b"PK") and _ends_as_zip(content):
        flaws.add(AttachmentFlaw.TWO_KINDS)
    return flaws


def _ends_as_zip(content: bytes) -> bool:
    """Tell whether programs that read zips from their end would take this for one."""
    at = content.rfind(_ZIP_END, max(0, len(content) - _ZIP_END_SIZE - _MAX_COMMENT))
    if at < 0 or len(content) - at < _ZIP_END_SIZE:
        return False
    comment = int.from_bytes(content[at + 20 : at + 22], "little")
    return at + _ZIP_END_SIZE + comment == len(content)


def _declared_otherwise(declared: str | None, kind: str) -> bool:
    """Tell whether the declared type is a real one and not the content's.

    The national SDK declares ``application/zip`` for nearly everything, which says nothing.
    """
    if not declared or kind not in KINDS:
        return False
    plain = declared.partition(";")[0].strip().lower()
    real = {known.media_type for suffix, known in KINDS.items() if suffix != "zip"}
    return plain in real and plain != KINDS[kind].media_type
