"""Examining a PDF: is every signature in it intact, and does the last one leave nothing out. No trust is decided here.

pyhanko reads the file and compares its revisions; what it is too kind about is added: the whole file is covered, the
gap holds the signature and zeros only, no field but a signature's changed after signing. Meant to run in a process
that may be killed (`lienthong.signature.pdf_child`).
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from pyhanko.pdf_utils.decode_limits import (
    DEFAULT_PURPOSE_LIMITS,
    DecodeLimits,
    DecodePurpose,
    DocumentDecodeBudget,
    StreamDecodeLimits,
)
from pyhanko.pdf_utils.generic import IndirectObject
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DiffResult,
    DocInfoRule,
    DSSCompareRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    XrefStreamRule,
)
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.validation.status import SignatureCoverageLevel

from lienthong.signature.pdf_cms import Flawed, read_cms
from lienthong.signature.pdf_facts import Flaw, PdfFacts, SignatureFacts
from lienthong.signature.pdf_structure import (
    byte_range,
    check_field_tree,
    check_page_tree,
    check_tail,
    covers_page,
    has_remains,
)

if TYPE_CHECKING:
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

__all__ = ["MAX_SIGNATURES", "examine"]

MAX_SIGNATURES: Final = 8
_MIB: Final = 1024 * 1024
_TIMESTAMP: Final = "/ETSI.RFC3161"
_FORMATS: Final = frozenset({"/ETSI.CAdES.detached", "/adbe.pkcs7.detached"})
_LIMITS: Final = DecodeLimits(
    per_stream=StreamDecodeLimits(max_output_size=48 * _MIB),
    per_purpose={
        **DEFAULT_PURPOSE_LIMITS,
        DecodePurpose.OBJECT_STREAM: StreamDecodeLimits(max_output_size=16 * _MIB),
        DecodePurpose.XREF_STREAM: StreamDecodeLimits(max_output_size=16 * _MIB),
    },
    document_budget=DocumentDecodeBudget(base_allowance=96 * _MIB, max_ratio=8),
)

_POLICY: Final = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(),
        DocInfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
        XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        DSSCompareRule().as_qualified(ModificationLevel.LTA_UPDATES),
        MetadataUpdateRule().as_qualified(ModificationLevel.LTA_UPDATES),
    ],
    form_rule=FormUpdatingRule(field_rules=[SigFieldCreationRule(), SigFieldModificationRule()]),
)
"""pyhanko's default without its rule for other form fields: after a signature only signatures may be added."""


def examine(pdf: bytes) -> PdfFacts:
    """Return what the file holds; any bytes whatever get an answer, within the caller's limits of time and memory.

    A file that breaks the standard but has no trace of a signature is not called broken: many programs write such
    PDFs, and nothing in them claims to be signed.

    Raises:
        MemoryError: there is not enough; the caller's process has to end.
    """
    if not pdf.startswith(b"%PDF-"):
        return PdfFacts(Flaw.NOT_A_PDF)
    try:
        return _examine(pdf)
    except Flawed as flawed:
        return PdfFacts(flawed.flaw)
    except PdfDecodeLimitError:
        return PdfFacts(Flaw.BOMB)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a library meets hostile bytes: whatever it raises, the file has no certain reading
        return PdfFacts(Flaw.UNREADABLE if has_remains(pdf) else None)


def _examine(pdf: bytes) -> PdfFacts:
    reader = PdfFileReader(BytesIO(pdf), strict=True, decode_limits=_LIMITS)
    if reader.encrypted:
        raise Flawed(Flaw.ENCRYPTED)
    check_page_tree(reader)
    check_field_tree(reader)
    signatures = _collect(reader, pdf)
    facts: list[SignatureFacts] = []
    for position, embedded in enumerate(signatures):
        facts.append(_signature(embedded, pdf, first=position == 0))
    flaw = None
    if signatures and facts[-1].flaw is None:
        try:
            _check_end(reader, pdf, signatures[-1], facts[-1].covered[2])
        except Flawed as flawed:
            flaw = flawed.flaw
    return PdfFacts(flaw, tuple(facts))


def _collect(reader: PdfFileReader, pdf: bytes) -> list[EmbeddedPdfSignature]:
    """Return all signatures in signing order.

    Raises:
        Flawed: fields are empty or share a value, signatures are too many, of unknown kinds or without a field.
    """
    fields = list(enumerate_sig_fields(reader))
    filled = [value for _, value, _ in fields if value is not None]
    if len(filled) > MAX_SIGNATURES:
        raise Flawed(Flaw.TOO_MANY_SIGNATURES)
    if len(filled) < len(fields):
        raise Flawed(Flaw.EMPTY_FIELD)
    references = [value.reference for value in filled if isinstance(value, IndirectObject)]
    if len(set(references)) < len(filled):
        raise Flawed(Flaw.SHARED_VALUE if len(references) == len(filled) else Flaw.UNREADABLE)
    embedded: list[EmbeddedPdfSignature] = reader.embedded_signatures
    if len(embedded) != len(filled):
        raise Flawed(Flaw.UNKNOWN_FORMAT)  # pyhanko leaves out what has a /SubFilter it does not know
    if not embedded and has_remains(pdf):
        raise Flawed(Flaw.ORPHANED)
    return embedded


def _signature(embedded: EmbeddedPdfSignature, pdf: bytes, *, first: bool) -> SignatureFacts:
    """Return the facts about one signature; whatever is raised over it is a flaw of its own."""
    field = str(embedded.field_name).encode("utf-8", "replace").decode()
    facts = SignatureFacts(field, document_timestamp=embedded.sig_object_type == "/DocTimeStamp")
    try:
        facts = _read(embedded, pdf, field)
        if facts.flaw is None:
            _check_revisions(embedded)
            _check_picture(embedded, first=first)
    except Flawed as flawed:
        return _with_flaw(facts, flawed.flaw)
    except (MemoryError, PdfDecodeLimitError):
        raise
    except Exception:  # noqa: BLE001 - see `examine`
        return _with_flaw(facts, Flaw.MALFORMED)
    return facts


def _read(embedded: EmbeddedPdfSignature, pdf: bytes, field: str) -> SignatureFacts:
    """Return the facts of the signature dictionary and its CMS.

    Raises:
        Flawed: they are of an unknown kind, or what is signed is not everything around the signature.
    """
    subfilter = embedded.sig_object.get("/SubFilter")
    accepted = {"/DocTimeStamp": {_TIMESTAMP}, "/Sig": _FORMATS}.get(str(embedded.sig_object_type), frozenset())
    if subfilter not in accepted:
        raise Flawed(Flaw.UNKNOWN_FORMAT)
    covered = byte_range(embedded.sig_object.raw_get("/ByteRange"), embedded.pkcs7_content, pdf)
    return read_cms(embedded, field=field, covered=covered, cades=subfilter == "/ETSI.CAdES.detached")


def _check_picture(embedded: EmbeddedPdfSignature, *, first: bool) -> None:
    """Check that a later signature's picture does not hide what an earlier one signed."""
    if not first and covers_page(embedded.sig_field):
        raise Flawed(Flaw.HIDDEN)


def _with_flaw(facts: SignatureFacts, flaw: Flaw) -> SignatureFacts:
    return SignatureFacts(
        facts.field,
        document_timestamp=facts.document_timestamp,
        flaw=flaw,
        certificate=facts.certificate,
        claimed_at=facts.claimed_at,
    )


def _check_revisions(embedded: EmbeddedPdfSignature) -> None:
    """Check that the signature covers its whole revision, and that later ones only signed, stamped or archived.

    Raises:
        Flawed: they did more.
    """
    embedded.compute_integrity_info(diff_policy=_POLICY)
    found: dict[str, Any] = embedded.summarise_integrity_info()
    result = found["diff_result"]
    if found["coverage"] < SignatureCoverageLevel.ENTIRE_REVISION:
        raise Flawed(Flaw.NOT_COVERED)
    if not isinstance(result, DiffResult) or result.modification_level > ModificationLevel.FORM_FILLING:
        raise Flawed(Flaw.MODIFIED)
    if not found["docmdp_ok"]:
        raise Flawed(Flaw.MODIFIED)


def _check_end(reader: PdfFileReader, pdf: bytes, last: EmbeddedPdfSignature, end: int) -> None:
    """Check that the last signature covers the file, or all but archival data added to it (ETSI EN 319 142-1, 5.4).

    Raises:
        Flawed: there is more.
    """
    found: dict[str, Any] = last.summarise_integrity_info()
    if found["coverage"] != SignatureCoverageLevel.ENTIRE_FILE:
        result = found["diff_result"]
        if not isinstance(result, DiffResult) or result.modification_level > ModificationLevel.LTA_UPDATES:
            raise Flawed(Flaw.NOT_COVERED)
        if result.changed_form_fields:
            raise Flawed(Flaw.NOT_COVERED)
    check_tail(reader, pdf, signed_revision=last.signed_revision, end=end)
