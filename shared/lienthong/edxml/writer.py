"""Writing messages so that the national axis's SDK can read them.

Its parser loses whole documents over small things, so: the prefix ``edXML`` on everything in the envelope, the SDK's
own order of elements, numbers bare, unknown values left out rather than written empty, a DocumentId always, every file
raw under its true media type and a name with an extension, one ``cid:``, ``AttachmentEncoded`` after the envelope,
UTF-8 without a byte order mark.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pybase64

from lienthong.edxml import names
from lienthong.edxml.fields import tidy
from lienthong.edxml.findings import FORMAT, code_of, excerpt
from lienthong.edxml.media import KINDS, extension, kind_shown
from lienthong.edxml.model import Business, Document
from lienthong.edxml.wire_time import write_day, write_moment
from lienthong.errors import Problem, Refusal

if TYPE_CHECKING:
    import datetime as dt

    from lienthong.edxml.model import (
        Attachment,
        Organization,
        OtherInfo,
        Replacement,
        ResponseFor,
        StaffInfo,
        Status,
        TraceHeader,
    )

__all__ = ["encode"]

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_EXTENSION = "bin"


def encode(message: Document | Status) -> bytes:
    """Return the message as edXML.

    Reading it again gives the same message, if its texts are in normal form (see `lienthong.edxml.model`) and its
    files' names have extensions; a name without one gets the extension its content shows, or ``.bin``.

    Raises:
        Refusal: it lacks the ids without which nothing is a message, or holds characters XML cannot carry.
    """
    writer = _Writer()
    if isinstance(message, Document):
        writer.document(message)
    else:
        writer.status(message)
    if writer.problems:
        raise Refusal(writer.problems)
    return b"".join(writer.pieces)


class _Writer:
    """Collects the pieces of one message; elements of the envelope are prefixed, those of the attachments are not."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.problems: list[Problem] = []
        self.steps: list[str] = []
        self.indent = 0
        self.prefix = f"{names.PREFIX}:"
        self.pieces.append(b'<?xml version="1.0" encoding="UTF-8"?>\n')

    def document(self, document: Document) -> None:
        self._open_frame()
        self.open(names.MESSAGE_HEADER)
        self._document_header(document)
        self.close(names.MESSAGE_HEADER)
        self._trace(document.trace, document.business)
        self.close(names.HEADER)
        self.open(names.BODY)
        self._manifest(document.attachments)
        self.close(names.BODY)
        self.close(names.ENVELOPE)
        self.prefix = ""
        self._attached(document.attachments)
        self.close(names.ROOT)

    def status(self, status: Status) -> None:
        self._open_frame()
        self.open(names.MESSAGE_HEADER)
        self._organization(names.FROM, status.sender)
        self._response_for(names.RESPONSE_FOR, status.response_for)
        for name, text in (
            (names.ORGAN_ID, status.response_for.organ_id),
            (names.DOCUMENT_ID, status.response_for.document_id),
        ):
            self._demand(f"{names.RESPONSE_FOR}/{name}", text)
        self._staff(status.staff)
        self._demand(names.STATUS_CODE, status.status_code)
        self.leaf(names.STATUS_CODE, status.status_code)
        self.leaf(names.DESCRIPTION, status.description)
        self._moment(names.TIMESTAMP, status.timestamp)
        self.close(names.MESSAGE_HEADER)
        self.close(names.HEADER)
        self.close(names.ENVELOPE)
        self.prefix = ""
        self.close(names.ROOT)

    def _open_frame(self) -> None:
        self.prefix = ""
        self.open(names.ROOT, f' xmlns="{names.NAMESPACE}"')
        self.prefix = f"{names.PREFIX}:"
        self.open(names.ENVELOPE, f' xmlns:{names.PREFIX}="{names.NAMESPACE}"')
        self.open(names.HEADER)
        self.steps.clear()

    def _document_header(self, document: Document) -> None:
        self._organization(names.FROM, document.sender)
        for addressee in document.addressees:
            self._organization(names.TO, addressee)
        self._demand(names.DOCUMENT_ID, document.document_id)
        self.leaf(names.DOCUMENT_ID, document.document_id)
        if (code := document.code) is not None:
            self.group(names.CODE, ((names.CODE_NUMBER, code.number), (names.CODE_NOTATION, code.notation)))
        if (issued := document.promulgation) is not None:
            day = write_day(issued.date) if issued.date else None
            self.group(names.PROMULGATION_INFO, ((names.PLACE, issued.place), (names.PROMULGATION_DATE, day)))
        if (kind := document.document_type) is not None:
            values = ((names.TYPE, kind.type), (names.TYPE_DETAIL, kind.type_detail), (names.TYPE_NAME, kind.type_name))
            self.group(names.DOCUMENT_TYPE, values)
        self.leaf(names.SUBJECT, document.subject)
        self.leaf(names.CONTENT, document.content)
        if (signer := document.signer) is not None:
            self.group(
                names.SIGNER_INFO,
                (
                    (names.COMPETENCE, signer.competence),
                    (names.POSITION, signer.position),
                    (names.FULL_NAME, signer.full_name),
                ),
            )
        self.leaf(names.DUE_DATE, write_day(document.due_date) if document.due_date else None)
        self._other(document.other)
        for answer in document.response_for:
            self._response_for(names.RESPONSE_FOR, answer)
        self.leaf(names.STEERING_TYPE, document.steering_type)
        self.group(names.RESPONSE_FOR_TASK, tuple((names.TASK_CODE, task) for task in document.response_for_tasks))
        self.leaf(names.APPLICATION_TYPE, document.application_type)
        if document.feedback is not None:
            self._response_for(names.FEEDBACK, document.feedback)
        if (agency := document.agency) is not None:
            self.group(
                names.AGENCY,
                (
                    (names.ORGAN_ID, agency.organ_id),
                    (names.ORGAN_NAME, agency.organ_name),
                    (names.DEPARTMENT_ID, agency.department_id),
                    (names.DEPARTMENT_NAME, agency.department_name),
                    (names.EXECUTE_ROLE, agency.execute_role),
                ),
            )
        self.group(names.TO_PLACES, tuple((names.PLACE, place) for place in document.to_places))

    def _organization(self, name: str, organization: Organization) -> None:
        self._demand(f"{name}/{names.ORGAN_ID}", organization.organ_id)
        self.group(
            name,
            (
                (names.ORGAN_ID, organization.organ_id),
                (names.ORGANIZATION_IN_CHARGE, organization.organization_in_charge),
                (names.ORGAN_NAME, organization.organ_name),
                (names.ORGAN_ADD, organization.organ_add),
                (names.EMAIL, organization.email),
                (names.TELEPHONE, organization.telephone),
                (names.FAX, organization.fax),
                (names.WEBSITE, organization.website),
            ),
        )

    def _other(self, other: OtherInfo | None) -> None:
        if other is None:
            return
        self.open(names.OTHER_INFO)
        self.leaf(names.PRIORITY, other.priority)
        self.leaf(names.SPHERE_OF_PROMULGATION, other.sphere)
        self.leaf(names.TYPER_NOTATION, other.typer_notation)
        self.leaf(names.PROMULGATION_AMOUNT, other.promulgation_amount)
        self.leaf(names.PAGE_AMOUNT, other.page_amount)
        self.leaf(names.DIRECTION, None if other.direction is None else str(other.direction).lower())
        self.group(names.APPENDIXES, tuple((names.APPENDIX, appendix) for appendix in other.appendixes))
        self.close(names.OTHER_INFO)

    def _response_for(self, name: str, answer: ResponseFor) -> None:
        day = write_day(answer.promulgation_date) if answer.promulgation_date else None
        self.group(
            name,
            (
                (names.ORGAN_ID, answer.organ_id),
                (names.CODE, answer.code),
                (names.DOCUMENT_ID, answer.document_id),
                (names.PROMULGATION_DATE, day),
            ),
        )

    def _staff(self, staff: StaffInfo | None) -> None:
        if staff is not None:
            self.group(
                names.STAFF_INFO,
                (
                    (names.DEPARTMENT, staff.department),
                    (names.DEPARTMENT_ID, staff.department_id),
                    (names.STAFF, staff.staff),
                    (names.STAFF_ID, staff.staff_id),
                    (names.EMAIL, staff.email),
                    (names.MOBILE, staff.mobile),
                ),
            )

    def _trace(self, trace: tuple[TraceHeader, ...], business: Business) -> None:
        self.open(names.TRACE_HEADER_LIST)
        self.open(names.BUSINESS)
        self.leaf(names.DOCUMENT_ID, business.document_id)
        self.leaf(names.BUSINESS_DOC_TYPE, int(business.type))
        self.leaf(names.BUSINESS_DOC_REASON, business.reason)
        self.leaf(names.PAPER, _digit(business.paper))
        self._changes(business)
        if business.replacements:
            self.open(names.REPLACEMENT_INFO_LIST)
            for replacement in business.replacements:
                self._replacement(replacement)
            self.close(names.REPLACEMENT_INFO_LIST)
        self._staff(business.staff)
        self.close(names.BUSINESS)
        for hop in trace:
            self.open(names.TRACE_HEADER)
            self.leaf(names.ORGAN_ID, hop.organ_id)
            self._moment(names.TIMESTAMP, hop.timestamp)
            self.close(names.TRACE_HEADER)
        self.close(names.TRACE_HEADER_LIST)

    def _changes(self, business: Business) -> None:
        if business.content_changed is None and business.receivers_changed is None and not business.receivers:
            return
        self.open(names.BUSINESS_DOCUMENT_INFO)
        self.leaf(names.DOCUMENT_INFO, _digit(business.content_changed))
        self.leaf(names.DOCUMENT_RECEIVER, _digit(business.receivers_changed))
        if business.receivers:
            self.open(names.RECEIVER_LIST)
            for receiver in business.receivers:
                values = ((names.ORGAN_ID, receiver.organ_id), (names.RECEIVER_TYPE, _digit(receiver.added)))
                self.group(names.RECEIVER, values)
            self.close(names.RECEIVER_LIST)
        self.close(names.BUSINESS_DOCUMENT_INFO)

    def _replacement(self, replacement: Replacement) -> None:
        self.open(names.REPLACEMENT_INFO)
        self.leaf(names.DOCUMENT_ID, replacement.document_id)
        self.group(names.ORGAN_ID_LIST, tuple((names.ORGAN_ID, organ_id) for organ_id in replacement.organ_ids))
        self.close(names.REPLACEMENT_INFO)

    def _manifest(self, attachments: tuple[Attachment, ...]) -> None:
        self.open(names.MANIFEST, ' version="1.0"')
        for attachment in attachments:
            self.group(
                names.REFERENCE,
                (
                    (names.CONTENT_ID, f"{names.CID}{attachment.content_id}"),
                    (names.CONTENT_TYPE, attachment.content_type),
                    (names.DESCRIPTION, attachment.description),
                    (names.ATTACHMENT_NAME, _full_name(attachment)),
                ),
            )
        self.close(names.MANIFEST)

    def _attached(self, attachments: tuple[Attachment, ...]) -> None:
        self.open(names.ATTACHMENT_ENCODED)
        prefixed = f"{names.PREFIX}:{names.CONTENT_TRANSFER_ENCODED}"
        for attachment in attachments:
            self.open(names.ATTACHMENT)
            self.leaf(names.CONTENT_ID, f"{names.CID}{attachment.content_id}")
            self.leaf(names.ATTACHMENT_NAME, _full_name(attachment))
            self.leaf(names.DESCRIPTION, attachment.description)
            self.leaf(names.CONTENT_TYPE, attachment.content_type)
            tag = f'{"  " * self.indent}<{prefixed} xmlns:{names.PREFIX}="{names.NAMESPACE}">'
            self.pieces += (tag.encode(), pybase64.b64encode(attachment.content), f"</{prefixed}>\n".encode())
            self.close(names.ATTACHMENT)
        self.close(names.ATTACHMENT_ENCODED)

    def _moment(self, name: str, moment: dt.datetime | None) -> None:
        self.leaf(name, write_moment(moment) if moment is not None else None)

    def open(self, name: str, attributes: str = "") -> None:
        self.pieces.append(f"{'  ' * self.indent}<{self.prefix}{name}{attributes}>\n".encode())
        self.indent += 1
        self.steps.append(name)

    def close(self, name: str) -> None:
        self.indent -= 1
        self.pieces.append(f"{'  ' * self.indent}</{self.prefix}{name}>\n".encode())
        if self.steps:
            self.steps.pop()

    def group(self, name: str, values: tuple[tuple[str, str | int | None], ...]) -> None:
        """Write an element with its leaves, or nothing when all are unknown."""
        if any(value is not None and value != "" for _, value in values):
            self.open(name)
            for leaf, value in values:
                self.leaf(leaf, value)
            self.close(name)

    def leaf(self, name: str, value: str | int | None) -> None:
        """Write an element with its text, or nothing when the value is unknown."""
        if value is None:
            return
        text = value if isinstance(value, str) else str(int(value))
        if (bare := tidy(text)) is None:
            return
        if _UNWRITABLE.search(bare):
            self._refuse("T", name, bare)
            return
        escaped = bare.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self.pieces.append(f"{'  ' * self.indent}<{self.prefix}{name}>{escaped}</{self.prefix}{name}>\n".encode())

    def _demand(self, name: str, text: str) -> None:
        if tidy(text) is None:
            path = "/".join((*self.steps, name))
            problem = Problem(
                code_of("N", path), path, f"Thiếu {path}; hãy điền vào", f"{path} is missing; fill it in", FORMAT
            )
            self.problems.append(problem)

    def _refuse(self, sort: str, name: str, text: str) -> None:
        path = "/".join((*self.steps, name))
        vi = f"{path} có ký tự điều khiển mà XML không chứa được: {excerpt(text)}; hãy xóa chúng"
        en = f"{path} has control characters that XML cannot carry: {excerpt(text)}; delete them"
        self.problems.append(Problem(code_of(sort, path), path, vi, en, FORMAT))


def _digit(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def _full_name(attachment: Attachment) -> str:
    if extension(attachment.name):
        return attachment.name
    kind = next((suffix for suffix, kind in KINDS.items() if kind.media_type == attachment.content_type), None)
    return f"{attachment.name}.{kind or kind_shown(attachment.content) or _NO_EXTENSION}"
