"""Reading a message from end to end: the frame first, then what is in it, then whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lienthong.edxml import names, rules
from lienthong.edxml.attachments import read_attachments
from lienthong.edxml.fields import Fields
from lienthong.edxml.findings import Findings, excerpt
from lienthong.edxml.header import read_document, read_status
from lienthong.edxml.oddities import look_around
from lienthong.edxml.parser import parse
from lienthong.edxml.profile import Limits, Profile
from lienthong.errors import Refusal

if TYPE_CHECKING:
    from lienthong.edxml.model import Document, Status
    from lienthong.edxml.parser import Element, UndeclaredPrefix
    from lienthong.errors import Problem

__all__ = ["Inspection", "decode", "inspect"]

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What reading a message found.

    Attributes:
        message: the message; None when there are problems.
        kind: whether it is a document or a status, as far as it could be told.
        problems: why it is refused; empty when it is not.
        warnings: what is worth mending though it stops nobody.
        sender: the code in From, when it could be read, even of a refused message.
        document_id: the DocumentId (of a status: the one it is about), likewise.
    """

    message: Document | Status | None
    kind: Literal["document", "status"] | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    sender: str | None = None
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Frame:
    """The parts of a message that is framed rightly."""

    root: Element
    header: Element
    manifest: Element | None
    trace: Element | None
    legacy_signature: Element | None


def decode(data: bytes, *, profile: Profile = Profile.LENIENT, limits: Limits = DEFAULT_LIMITS) -> Document | Status:
    """Return the message in the bytes.

    Args:
        data: the message as received.
        profile: how strictly to read.
        limits: how much to read.

    Raises:
        Refusal: with every problem found; any bytes whatever are either read or refused.
    """
    inspection = inspect(data, profile=profile, limits=limits, warnings=False)
    if inspection.message is None:
        raise Refusal(inspection.problems)
    return inspection.message


def inspect(
    data: bytes,
    *,
    profile: Profile = Profile.LENIENT,
    limits: Limits = DEFAULT_LIMITS,
    warnings: bool = True,
) -> Inspection:
    """Return the message in the bytes with everything that is wrong or odd about it; never raises.

    Args:
        data: the message as received.
        profile: how strictly to read.
        limits: how much to read.
        warnings: whether to look for what is merely odd, too.
    """
    findings = Findings(profile)
    try:
        root, undeclared = parse(data, limits)
    except Refusal as refusal:
        return Inspection(None, None, refusal.problems, ())
    fields = Fields(findings, data)
    for prefix in undeclared:
        _refuse_prefix(fields, prefix)
    frame = _frame(fields, root)
    if frame is None:
        return Inspection(None, None, tuple(findings.problems), tuple(findings.warnings))
    message = _message(fields, frame, limits)
    rules.apply(message, findings, frame.header.name)
    # Some of what is merely odd elsewhere the strict profile refuses, whoever asks.
    if warnings or profile is Profile.STRICT:
        look_around(fields, root, frame.header, frame.legacy_signature, message)
    document_id = message.document_id if message.kind == "document" else message.response_for.document_id
    return Inspection(
        None if findings.problems else message,
        message.kind,
        tuple(findings.problems),
        tuple(findings.warnings) if warnings else (),
        message.sender.organ_id or None,
        document_id or None,
    )


def _message(fields: Fields, frame: _Frame, limits: Limits) -> Document | Status:
    header = frame.header
    if not _is_status(frame):
        attachments = read_attachments(fields, frame.root, frame.manifest, limits)
        legacy = frame.legacy_signature
        return read_document(
            fields, header, frame.trace, attachments, _verbatim(fields.data, legacy) if legacy else None
        )
    for name in (names.TO, names.DOCUMENT_ID):
        for element in header.children.get(name, [])[:1]:
            fields.findings.refuse(
                "M",
                element.path,
                f"Gói tin có {names.STATUS_CODE} nên là trạng thái, không được có {name}; nơi nhận trạng thái là "
                f"{names.RESPONSE_FOR}/{names.ORGAN_ID}",
                f"With a {names.STATUS_CODE} the message is a status, which has no {name}; "
                f"a status is addressed by {names.RESPONSE_FOR}/{names.ORGAN_ID}",
            )
    return read_status(fields, header)


def _is_status(frame: _Frame) -> bool:
    """Tell a status from a document, by what only a status has, and a document never lacks."""
    has = frame.header.children
    if frame.header.name == names.STATUS or names.STATUS_CODE in has:
        return True
    return names.TO not in has and names.DOCUMENT_ID not in has and (names.STAFF_INFO in has or names.TIMESTAMP in has)


def _frame(fields: Fields, root: Element) -> _Frame | None:
    """Return the parts of a message, or None when the frame is so wrong that there are none."""
    if root.namespace != names.NAMESPACE:
        fields.wrong_namespace(root)
    if root.name != names.ROOT:
        fields.findings.blemish(
            "M",
            "",
            f"Phần tử gốc là {excerpt(root.name)}, phải là {names.ROOT}",
            f"The root element is {excerpt(root.name)}, it must be {names.ROOT}",
        )
    envelope = _part(fields, root, names.ENVELOPE)
    outer = _part(fields, envelope, names.HEADER) if envelope is not None else None
    if envelope is None or outer is None:
        return None
    for misplaced in envelope.children.get(names.ATTACHMENT_ENCODED, [])[:1]:
        line = fields.lines.line(misplaced)
        fields.findings.refuse(
            "M",
            misplaced.path,
            f"{names.ATTACHMENT_ENCODED} (dòng {line}) nằm trong {names.ENVELOPE}, nơi SDK quốc gia không "
            f"tìm thấy; hãy đặt nó ngay dưới phần tử gốc, sau {names.ENVELOPE}",
            f"{names.ATTACHMENT_ENCODED} (line {line}) stands inside {names.ENVELOPE}, where the national "
            f"SDK does not find it; put it directly under the root, after {names.ENVELOPE}",
        )
    status = fields.one(outer, names.STATUS)
    header = fields.one(outer, names.MESSAGE_HEADER) or status
    if header is None:
        if not fields.findings.problems:
            _missing(fields.findings, names.MESSAGE_HEADER)
        return None
    return _Frame(
        root,
        header,
        fields.one(fields.one(envelope, names.BODY), names.MANIFEST),
        fields.one(outer, names.TRACE_HEADER_LIST),
        next(iter(outer.children.get(names.SIGNATURE, [])), None),
    )


def _part(fields: Fields, parent: Element, name: str) -> Element | None:
    part = fields.one(parent, name)
    if part is None and name not in parent.children:
        _missing(fields.findings, name)
    return part


def _missing(findings: Findings, name: str) -> None:
    findings.refuse(
        "N",
        name,
        f"Không có {name}; gói tin edXML gồm {names.ROOT}/{names.ENVELOPE}/{names.HEADER}/{names.MESSAGE_HEADER}",
        f"There is no {name}; an edXML message is {names.ROOT}/{names.ENVELOPE}/{names.HEADER}/{names.MESSAGE_HEADER}",
    )


def _refuse_prefix(fields: Fields, found: UndeclaredPrefix) -> None:
    line, column = fields.lines.line(found.element), fields.lines.column(found.element)
    fields.findings.refuse(
        "T",
        found.element.path,
        f"Tiền tố {excerpt(found.prefix)} (dòng {line} cột {column}) chưa được khai báo; "
        f'hãy thêm xmlns:{found.prefix}="…" hoặc bỏ tiền tố',
        f"The prefix {excerpt(found.prefix)} (line {line} column {column}) is not declared; "
        f'add xmlns:{found.prefix}="…" or leave the prefix out',
    )


def _verbatim(data: bytes, element: Element) -> str:
    """Return an element as it stands in the bytes."""
    return data[element.start : data.index(b">", element.end) + 1].decode()
