"""What a message must have: what the lenient profile cannot do without, and all that the strict profile demands.

Lengths are those of the law (Decree 30/2020/NĐ-CP, Annex VI) where it has one, else of the provincial axes. What the
strict profile requires is what Decision 28/2018/QĐ-TTg, Art. 10.2, makes mandatory plus what a receiver needs to
answer; the provincial axes' checker asks for still more (fax, website), which many agencies do not have.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.edxml import names
from lienthong.edxml.findings import Findings, excerpt
from lienthong.edxml.media import extension
from lienthong.edxml.model import (
    MAX_PRIORITY,
    Business,
    BusinessType,
    Document,
    DocumentCode,
    DocumentType,
    Organization,
    OtherInfo,
    Promulgation,
    Signer,
    StaffInfo,
    Status,
)
from lienthong.edxml.profile import Profile

if TYPE_CHECKING:
    from lienthong.errors import Problem

__all__ = ["MAX_LENGTHS", "apply", "check"]

MAX_DOCUMENT_ID = 200
MAX_LENGTHS: dict[str, int] = {
    names.ORGAN_NAME: 200,
    names.ORGANIZATION_IN_CHARGE: 500,
    names.ORGAN_ADD: 500,
    names.EMAIL: 100,
    names.TELEPHONE: 20,
    names.FAX: 20,
    names.WEBSITE: 100,
    names.CODE_NUMBER: 11,
    names.CODE_NOTATION: 30,
    names.PLACE: 50,
    names.SUBJECT: 500,
    names.CONTENT: 500,
    names.TYPE_NAME: 100,
    names.COMPETENCE: 100,
    names.POSITION: 100,
    names.FULL_NAME: 50,
    names.SPHERE_OF_PROMULGATION: 100,
    names.TYPER_NOTATION: 10,
    names.ATTACHMENT_NAME: 500,
    names.DEPARTMENT: 250,
    names.STAFF: 100,
    names.MOBILE: 20,
    names.DESCRIPTION: 1000,
    names.BUSINESS_DOC_REASON: 1000,
}
"""Most characters of a field in the strict profile."""

_MAX_TO_PLACE = 1000
_MAX_AMOUNT = 999
_REASON_NEEDED = frozenset({"02", "13", "16"})
_HEADER = names.MESSAGE_HEADER
_BUSINESS = f"{names.TRACE_HEADER_LIST}/{names.BUSINESS}"


def check(message: Document | Status, profile: Profile = Profile.STRICT) -> tuple[Problem, ...]:
    """Return what a profile finds missing, too long or contradictory in a message; nothing means it conforms."""
    findings = Findings(profile)
    apply(message, findings)
    return tuple(findings.problems)


def apply(message: Document | Status, findings: Findings, header: str = _HEADER) -> None:
    """Add to the findings what is missing or out of range; `header` is the path of the header they stand in."""
    rules = _Rules(findings, header)
    if isinstance(message, Document):
        rules.document(message)
    else:
        rules.status(message)


class _Rules:
    def __init__(self, findings: Findings, header: str) -> None:
        self.findings = findings
        self.header = header
        self.strict = findings.profile is Profile.STRICT

    def document(self, document: Document) -> None:
        self.organ_id(f"{self.header}/{names.FROM}", document.sender)
        if not document.addressees:
            self.missing(f"{self.header}/{names.TO}")
        for position, addressee in enumerate(document.addressees, 1):
            self.organ_id(f"{self.header}/{names.TO}[{position}]", addressee)
        self.no_addressee_twice(document)
        self.required(f"{self.header}/{names.DOCUMENT_ID}", document.document_id)
        self.length(f"{self.header}/{names.DOCUMENT_ID}", document.document_id, MAX_DOCUMENT_ID)
        if self.strict:
            self.strict_header(document)
            self.strict_trace(document)
            self.strict_attachments(document)

    def status(self, status: Status) -> None:
        self.organ_id(f"{self.header}/{names.FROM}", status.sender)
        about = f"{self.header}/{names.RESPONSE_FOR}"
        self.required(f"{about}/{names.ORGAN_ID}", status.response_for.organ_id)
        self.required(f"{about}/{names.DOCUMENT_ID}", status.response_for.document_id)
        self.length(f"{about}/{names.DOCUMENT_ID}", status.response_for.document_id, MAX_DOCUMENT_ID)
        self.required(f"{self.header}/{names.STATUS_CODE}", status.status_code)
        path = f"{self.header}/{names.STATUS_CODE}"
        if status.status_code and status.status_code not in STATUS_CODES and not self.findings.refused_at(path):
            self.findings.refuse(
                "R",
                path,
                f"Không có mã trạng thái {excerpt(status.status_code)}; các mã là {', '.join(STATUS_CODES)}",
                f"There is no status code {excerpt(status.status_code)}; the codes are {', '.join(STATUS_CODES)}",
            )
        if self.strict:
            self.organization(f"{self.header}/{names.FROM}", status.sender, ())
            self.required(f"{about}/{names.CODE}", status.response_for.code)
            self.required(f"{about}/{names.PROMULGATION_DATE}", status.response_for.promulgation_date)
            self.required(f"{self.header}/{names.TIMESTAMP}", status.timestamp)
            self.staff(f"{self.header}/{names.STAFF_INFO}", status.staff)
            if status.status_code in _REASON_NEEDED:
                self.required(f"{self.header}/{names.DESCRIPTION}", status.description)
            self.text(self.header, names.DESCRIPTION, status.description)

    def no_addressee_twice(self, document: Document) -> None:
        counts = Counter(addressee.organ_id for addressee in document.addressees if addressee.organ_id)
        seen: set[str] = set()
        for position, addressee in enumerate(document.addressees, 1):
            code = addressee.organ_id
            if code in seen:
                self.findings.refuse(
                    "M",
                    f"{self.header}/{names.TO}[{position}]/{names.ORGAN_ID}",
                    f"Nơi nhận {code} được ghi {counts[code]} lần; hãy giữ lại một",
                    f"The addressee {code} is named {counts[code]} times; keep one",
                )
            if code:
                seen.add(code)

    def strict_header(self, document: Document) -> None:
        header = self.header
        self.organization(f"{header}/{names.FROM}", document.sender, (names.ORGAN_ADD, names.EMAIL))
        for position, addressee in enumerate(document.addressees, 1):
            self.organization(f"{header}/{names.TO}[{position}]", addressee, ())
        code = document.code or DocumentCode()
        self.text(f"{header}/{names.CODE}", names.CODE_NUMBER, code.number, required=True)
        self.text(f"{header}/{names.CODE}", names.CODE_NOTATION, code.notation, required=True)
        issued = document.promulgation or Promulgation()
        self.text(f"{header}/{names.PROMULGATION_INFO}", names.PLACE, issued.place, required=True)
        self.required(f"{header}/{names.PROMULGATION_INFO}/{names.PROMULGATION_DATE}", issued.date)
        kind = document.document_type or DocumentType()
        self.required(f"{header}/{names.DOCUMENT_TYPE}/{names.TYPE}", kind.type)
        self.text(f"{header}/{names.DOCUMENT_TYPE}", names.TYPE_NAME, kind.type_name, required=True)
        self.text(header, names.SUBJECT, document.subject, required=True)
        self.text(header, names.CONTENT, document.content)
        signer = document.signer or Signer()
        self.text(f"{header}/{names.SIGNER_INFO}", names.FULL_NAME, signer.full_name, required=True)
        self.text(f"{header}/{names.SIGNER_INFO}", names.POSITION, signer.position, required=True)
        self.text(f"{header}/{names.SIGNER_INFO}", names.COMPETENCE, signer.competence)
        if not document.to_places:
            self.missing(f"{header}/{names.TO_PLACES}/{names.PLACE}")
        for position, place in enumerate(document.to_places, 1):
            self.length(f"{header}/{names.TO_PLACES}/{names.PLACE}[{position}]", place, _MAX_TO_PLACE)
        self.other_info(f"{header}/{names.OTHER_INFO}", document.other or OtherInfo())

    def other_info(self, path: str, other: OtherInfo) -> None:
        self.required(f"{path}/{names.PRIORITY}", other.priority)
        self.range(f"{path}/{names.PRIORITY}", other.priority, MAX_PRIORITY)
        self.range(f"{path}/{names.PROMULGATION_AMOUNT}", other.promulgation_amount, _MAX_AMOUNT)
        self.range(f"{path}/{names.PAGE_AMOUNT}", other.page_amount, _MAX_AMOUNT)
        self.text(path, names.SPHERE_OF_PROMULGATION, other.sphere)
        self.text(path, names.TYPER_NOTATION, other.typer_notation)

    def strict_trace(self, document: Document) -> None:
        if not document.trace:
            self.missing(f"{names.TRACE_HEADER_LIST}/{names.TRACE_HEADER}")
        for position, hop in enumerate(document.trace, 1):
            path = f"{names.TRACE_HEADER_LIST}/{names.TRACE_HEADER}[{position}]"
            self.required(f"{path}/{names.ORGAN_ID}", hop.organ_id)
            self.required(f"{path}/{names.TIMESTAMP}", hop.timestamp)
        self.business(document.business)

    def business(self, business: Business) -> None:
        self.text(_BUSINESS, names.BUSINESS_DOC_REASON, business.reason, required=business.type is not BusinessType.NEW)
        if business.staff is not None:
            self.staff(f"{_BUSINESS}/{names.STAFF_INFO}", business.staff)
        if business.type is BusinessType.UPDATE:
            self.required(f"{_BUSINESS}/{names.DOCUMENT_ID}", business.document_id)
        if business.type is BusinessType.REPLACE and not business.replacements:
            self.missing(f"{_BUSINESS}/{names.REPLACEMENT_INFO_LIST}/{names.REPLACEMENT_INFO}")

    def strict_attachments(self, document: Document) -> None:
        ids = Counter(attachment.content_id for attachment in document.attachments)
        for position, attachment in enumerate(document.attachments, 1):
            path = f"{names.ATTACHMENT_ENCODED}/{names.ATTACHMENT}[{position}]"
            self.text(path, names.ATTACHMENT_NAME, attachment.name)
            if not extension(attachment.name) or attachment.file_name != attachment.name:
                self.findings.refuse(
                    "R",
                    f"{path}/{names.ATTACHMENT_NAME}",
                    f"Tên tệp {excerpt(attachment.name)} phải có phần mở rộng, không có thư mục và ký tự đặc biệt",
                    f"The file name {excerpt(attachment.name)} needs an extension, and no folder or special signs",
                )
            if ids[attachment.content_id] > 1:
                self.findings.refuse(
                    "M",
                    f"{path}/{names.CONTENT_ID}",
                    f"ContentId {excerpt(attachment.content_id)} dùng cho nhiều tệp; mỗi tệp cần một mã riêng",
                    f"The ContentId {excerpt(attachment.content_id)} is used for several files; each needs its own",
                )

    def organization(self, path: str, organization: Organization, required: tuple[str, ...]) -> None:
        for name, text in (
            (names.ORGAN_NAME, organization.organ_name),
            (names.ORGANIZATION_IN_CHARGE, organization.organization_in_charge),
            (names.ORGAN_ADD, organization.organ_add),
            (names.EMAIL, organization.email),
            (names.TELEPHONE, organization.telephone),
            (names.FAX, organization.fax),
            (names.WEBSITE, organization.website),
        ):
            self.text(path, name, text, required=name == names.ORGAN_NAME or name in required)

    def staff(self, path: str, staff: StaffInfo | None) -> None:
        found = staff or StaffInfo()
        self.text(path, names.DEPARTMENT, found.department, required=True)
        self.text(path, names.STAFF, found.staff, required=True)
        self.text(path, names.MOBILE, found.mobile)
        self.text(path, names.EMAIL, found.email)

    def organ_id(self, path: str, organization: Organization) -> None:
        self.required(f"{path}/{names.ORGAN_ID}", organization.organ_id)

    def text(self, parent: str, name: str, text: str | None, *, required: bool = False) -> None:
        path = f"{parent}/{name}"
        if required:
            self.required(path, text)
        self.length(path, text, MAX_LENGTHS[name])

    def required(self, path: str, value: object) -> None:
        if value is None or value == "":
            self.missing(path)

    def missing(self, path: str) -> None:
        if not self.findings.refused_at(path):
            self.findings.refuse("N", path, f"Thiếu {path}; hãy điền vào", f"{path} is missing; fill it in")

    def length(self, path: str, text: str | None, limit: int) -> None:
        if text is not None and len(text) > limit:
            self.findings.refuse(
                "R",
                path,
                f"{path} dài {len(text)} ký tự, tối đa {limit}; hãy rút ngắn",
                f"{path} has {len(text)} characters, at most {limit} are allowed; shorten it",
            )

    def range(self, path: str, number: int | None, limit: int) -> None:
        if number is not None and not 0 <= number <= limit:
            self.findings.refuse(
                "R",
                path,
                f"{path} là {number}, phải từ 0 đến {limit}",
                f"{path} is {number}, it must be between 0 and {limit}",
            )
