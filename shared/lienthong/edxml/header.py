"""Reading the header: a document's, a status's, and the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import names
from lienthong.edxml.findings import excerpt
from lienthong.edxml.model import (
    ActingAgency,
    Business,
    BusinessType,
    Document,
    DocumentCode,
    DocumentType,
    Organization,
    OtherInfo,
    Promulgation,
    Receiver,
    Replacement,
    ResponseFor,
    Signer,
    StaffInfo,
    Status,
    TraceHeader,
)

if TYPE_CHECKING:
    from lienthong.edxml.fields import Fields
    from lienthong.edxml.model import Attachment
    from lienthong.edxml.parser import Element

__all__ = ["read_document", "read_status"]


def read_document(
    fields: Fields, header: Element, trace: Element | None, attachments: tuple[Attachment, ...], signature: str | None
) -> Document:
    """Return the document of a header; ids that are missing or wrong are empty strings, and among the findings."""
    other = fields.one(header, names.OTHER_INFO)
    feedback = fields.one(header, names.FEEDBACK)
    agency = fields.one(header, names.AGENCY)
    answers = (read_response_for(fields, element) for element in fields.many(header, names.RESPONSE_FOR))
    return Document(
        sender=read_organization(fields, fields.one(header, names.FROM)),
        addressees=tuple(read_organization(fields, element) for element in fields.many(header, names.TO)),
        document_id=fields.text(header, names.DOCUMENT_ID) or "",
        code=_code(fields, fields.one(header, names.CODE)),
        promulgation=_promulgation(fields, fields.one(header, names.PROMULGATION_INFO)),
        document_type=_document_type(fields, fields.one(header, names.DOCUMENT_TYPE)),
        subject=fields.text(header, names.SUBJECT),
        content=fields.text(header, names.CONTENT),
        signer=_signer(fields, fields.one(header, names.SIGNER_INFO)),
        due_date=fields.day(header, names.DUE_DATE),
        to_places=fields.texts(fields.one(header, names.TO_PLACES), names.PLACE),
        other=_other(fields, other),
        response_for=tuple(answer for answer in answers if answer is not None),
        steering_type=fields.number(header, names.STEERING_TYPE, decisive=True),
        trace=tuple(_hop(fields, element) for element in fields.many(trace, names.TRACE_HEADER)),
        business=_business(fields, fields.one(trace, names.BUSINESS)),
        attachments=attachments,
        response_for_tasks=fields.texts(fields.one(header, names.RESPONSE_FOR_TASK), names.TASK_CODE),
        application_type=fields.text(header, names.APPLICATION_TYPE),
        feedback=read_response_for(fields, feedback) if feedback is not None else None,
        agency=_acting_agency(fields, agency) if agency is not None else None,
        legacy_signature=signature,
    )


def read_status(fields: Fields, header: Element) -> Status:
    """Return the status of a header; what is missing or wrong is an empty string, and among the findings."""
    about = fields.one(header, names.RESPONSE_FOR)
    code = fields.text(header, names.STATUS_CODE) or ""
    if code and code not in STATUS_CODES:
        fields.findings.refuse(
            "R",
            f"{header.path}/{names.STATUS_CODE}",
            f"Không có mã trạng thái {excerpt(code)}; các mã là {', '.join(STATUS_CODES)}",
            f"There is no status code {excerpt(code)}; the codes are {', '.join(STATUS_CODES)}",
        )
    return Status(
        sender=read_organization(fields, fields.one(header, names.FROM)),
        response_for=(read_response_for(fields, about) if about is not None else None) or ResponseFor("", ""),
        status_code=code,
        staff=_staff(fields, fields.one(header, names.STAFF_INFO)),
        description=fields.text(header, names.DESCRIPTION),
        timestamp=fields.moment(header, names.TIMESTAMP),
    )


def read_organization(fields: Fields, element: Element | None) -> Organization:
    """Return a sender or receiver."""
    return Organization(
        organ_id=fields.organ_id(element),
        organ_name=fields.text(element, names.ORGAN_NAME),
        organization_in_charge=fields.text(element, names.ORGANIZATION_IN_CHARGE),
        organ_add=fields.text(element, names.ORGAN_ADD),
        email=fields.text(element, names.EMAIL),
        telephone=fields.text(element, names.TELEPHONE),
        fax=fields.text(element, names.FAX),
        website=fields.text(element, names.WEBSITE),
    )


def read_response_for(fields: Fields, element: Element) -> ResponseFor | None:
    """Return the document that is answered, or None for the empty element that real traffic has."""
    if not any(grandchild.text.strip() for siblings in element.children.values() for grandchild in siblings):
        fields.empty(element)
        return None
    return ResponseFor(
        organ_id=fields.organ_id(element),
        document_id=fields.text(element, names.DOCUMENT_ID) or "",
        code=fields.text(element, names.CODE),
        promulgation_date=fields.day(element, names.PROMULGATION_DATE),
    )


def _code(fields: Fields, element: Element | None) -> DocumentCode | None:
    number = fields.text(element, names.CODE_NUMBER)
    notation = fields.text(element, names.CODE_NOTATION)
    return DocumentCode(number, notation) if number or notation else None


def _promulgation(fields: Fields, element: Element | None) -> Promulgation | None:
    place = fields.text(element, names.PLACE)
    day = fields.day(element, names.PROMULGATION_DATE)
    return Promulgation(place, day) if place or day else None


def _document_type(fields: Fields, element: Element | None) -> DocumentType | None:
    found = DocumentType(
        type=fields.number(element, names.TYPE),
        type_name=fields.text(element, names.TYPE_NAME),
        type_detail=fields.number(element, names.TYPE_DETAIL),
    )
    return None if found == DocumentType() else found


def _signer(fields: Fields, element: Element | None) -> Signer | None:
    found = Signer(
        full_name=fields.text(element, names.FULL_NAME),
        position=fields.text(element, names.POSITION),
        competence=fields.text(element, names.COMPETENCE),
    )
    return None if found == Signer() else found


def _other(fields: Fields, element: Element | None) -> OtherInfo | None:
    found = OtherInfo(
        priority=fields.number(element, names.PRIORITY, decisive=True),
        sphere=fields.text(element, names.SPHERE_OF_PROMULGATION),
        typer_notation=fields.text(element, names.TYPER_NOTATION),
        promulgation_amount=fields.number(element, names.PROMULGATION_AMOUNT),
        page_amount=fields.number(element, names.PAGE_AMOUNT),
        direction=fields.flag(element, names.DIRECTION),
        appendixes=fields.texts(fields.one(element, names.APPENDIXES), names.APPENDIX),
    )
    return None if found == OtherInfo() else found


def _staff(fields: Fields, element: Element | None) -> StaffInfo | None:
    found = StaffInfo(
        department=fields.text(element, names.DEPARTMENT),
        staff=fields.text(element, names.STAFF),
        mobile=fields.text(element, names.MOBILE),
        email=fields.text(element, names.EMAIL),
        department_id=fields.text(element, names.DEPARTMENT_ID),
        staff_id=fields.text(element, names.STAFF_ID),
    )
    return None if found == StaffInfo() else found


def _acting_agency(fields: Fields, element: Element) -> ActingAgency | None:
    found = ActingAgency(
        organ_id=fields.text(element, names.ORGAN_ID),
        organ_name=fields.text(element, names.ORGAN_NAME),
        department_id=fields.text(element, names.DEPARTMENT_ID),
        department_name=fields.text(element, names.DEPARTMENT_NAME),
        execute_role=fields.text(element, names.EXECUTE_ROLE),
    )
    return None if found == ActingAgency() else found


def _hop(fields: Fields, element: Element) -> TraceHeader:
    """Return one hop; who it was is missing or the text ``null`` in real traffic, which loses no document."""
    organ_id = fields.text(element, names.ORGAN_ID)
    if organ_id in (None, "null"):
        path = f"{element.path}/{names.ORGAN_ID}"
        what_vi, what_en = ("ghi chữ “null”", "holds the text “null”") if organ_id else ("thiếu", "is missing")
        fields.findings.blemish(
            "N",
            path,
            f"{path} {what_vi}; hãy điền mã của cơ quan đã chuyển gói tin",
            f"{path} {what_en}; fill in the code of the agency that passed the message on",
        )
        organ_id = None
    return TraceHeader(organ_id, fields.moment(element, names.TIMESTAMP))


def _business(fields: Fields, element: Element | None) -> Business:
    if element is None:
        return Business()
    info = fields.one(element, names.BUSINESS_DOCUMENT_INFO)
    replaced = fields.many(fields.one(element, names.REPLACEMENT_INFO_LIST), names.REPLACEMENT_INFO)
    return Business(
        type=_business_type(fields, element),
        reason=fields.text(element, names.BUSINESS_DOC_REASON),
        document_id=fields.text(element, names.DOCUMENT_ID),
        staff=_staff(fields, fields.one(element, names.STAFF_INFO)),
        paper=fields.flag(element, names.PAPER),
        content_changed=fields.flag(info, names.DOCUMENT_INFO),
        receivers_changed=fields.flag(info, names.DOCUMENT_RECEIVER),
        receivers=tuple(
            _receiver(fields, receiver)
            for receiver in fields.many(fields.one(info, names.RECEIVER_LIST), names.RECEIVER)
        ),
        replacements=tuple(_replacement(fields, replacement) for replacement in replaced),
    )


def _business_type(fields: Fields, element: Element) -> BusinessType:
    number = fields.number(element, names.BUSINESS_DOC_TYPE, decisive=True)
    if number is None:
        return BusinessType.NEW
    try:
        return BusinessType(number)
    except ValueError:
        fields.findings.refuse(
            "R",
            f"{element.path}/{names.BUSINESS_DOC_TYPE}",
            f"Không có loại nghiệp vụ {number}; dùng 0 mới, 1 thu hồi, 2 cập nhật, 3 thay thế",
            f"There is no business type {number}; use 0 new, 1 withdraw, 2 update, 3 replace",
        )
        return BusinessType.NEW


def _receiver(fields: Fields, element: Element) -> Receiver:
    organ_id = fields.organ_id(element)
    added = fields.flag(element, names.RECEIVER_TYPE)
    for name, absent in ((names.ORGAN_ID, not organ_id), (names.RECEIVER_TYPE, added is None)):
        path = f"{element.path}/{name}"
        if absent and not fields.findings.refused_at(path):
            fields.findings.refuse("N", path, f"Thiếu {path}; hãy điền vào", f"{path} is missing; fill it in")
    return Receiver(organ_id, bool(added))


def _replacement(fields: Fields, element: Element) -> Replacement:
    document_id = fields.text(element, names.DOCUMENT_ID)
    if document_id is None:
        path = f"{element.path}/{names.DOCUMENT_ID}"
        fields.findings.refuse("N", path, f"Thiếu {path}; hãy điền vào", f"{path} is missing; fill it in")
    return Replacement(document_id or "", fields.texts(fields.one(element, names.ORGAN_ID_LIST), names.ORGAN_ID))
