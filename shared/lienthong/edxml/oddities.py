"""What is odd about a message but stops no real traffic: defects named so that senders can mend them."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from lienthong.document.codes import level_one
from lienthong.edxml import names
from lienthong.edxml.findings import excerpt
from lienthong.edxml.known_names import TYPE_NUMBERS, fold, provincial_level_one, stated_level_one
from lienthong.edxml.media import ZIP_TYPE, extension, kind_shown
from lienthong.edxml.model import MAX_PRIORITY, Document, Packing
from lienthong.edxml.strict_base64 import decode_base64

if TYPE_CHECKING:
    from lienthong.edxml.fields import Fields
    from lienthong.edxml.findings import Findings
    from lienthong.edxml.model import Organization, Status
    from lienthong.edxml.parser import Element

__all__ = ["look_around"]

_DATE_IN_ID = re.compile(r"(?<![0-9])([0-9]{4})/([0-9]{2})/([0-9]{2})(?![0-9])")
_SIGNATURES = frozenset({names.SIGNATURE, names.DIGITAL_SIGNATURE, names.DIGEST})
_CERTIFICATE = "X509Certificate"
_TRANSFORM = "Transform"
_SIGNATURE_METHOD = "SignatureMethod"
_SEQUENCE = 0x30


def look_around(
    fields: Fields, root: Element, header: Element, signature: Element | None, message: Document | Status
) -> None:
    """Add a warning for everything odd.

    Args:
        fields: whose findings take the warnings.
        root: the whole message.
        header: its MessageHeader, or the Status element in its place.
        signature: the envelope's old ``Signature``, if any.
        message: what was read.
    """
    findings = fields.findings
    _unknown_elements(fields, root)
    _names_and_codes(findings, f"{header.path}/{names.FROM}", message.sender)
    if header.name == names.STATUS:
        findings.warn(
            "M",
            header.path,
            f"Trạng thái nằm trong {names.STATUS}; SDK quốc gia chỉ đọc {names.MESSAGE_HEADER}",
            f"The status stands in {names.STATUS}; the national SDK reads {names.MESSAGE_HEADER} only",
        )
    if isinstance(message, Document):
        for position, addressee in enumerate(message.addressees, 1):
            _names_and_codes(findings, f"{header.path}/{names.TO}[{position}]", addressee)
        _type_and_name(findings, message)
        _priority(findings, message)
        _packing(findings, message)
    for element in root.walk():
        if element.name == names.DOCUMENT_ID:
            _date_in_id(findings, element)
    if signature is not None:
        _legacy_signature(findings, signature)


def _unknown_elements(fields: Fields, element: Element) -> None:
    """Warn of elements nobody will read; signatures have their own rules."""
    known = names.CHILDREN.get(element.name)
    for name, siblings in element.children.items():
        for child in siblings:
            line = fields.lines.line(child)
            if child.spelling:
                fields.findings.warn(
                    "M",
                    child.path,
                    f"{child.spelling} (dòng {line}) được đọc là {name}; SDK quốc gia chỉ nhận tên đó",
                    f"{child.spelling} (line {line}) is read as {name}; the national SDK only knows that",
                )
            if known is not None and name not in known:
                fields.findings.warn(
                    "M",
                    child.path,
                    f"Không rõ phần tử {excerpt(name)} (dòng {line}); nó bị bỏ qua",
                    f"The element {excerpt(name)} (line {line}) is not known; it is ignored",
                )
            elif name not in _SIGNATURES:
                _unknown_elements(fields, child)


def _names_and_codes(findings: Findings, path: str, organization: Organization) -> None:
    name, code = organization.organ_name, organization.organ_id
    if not name or not code:
        return
    top = level_one(code)
    stated = stated_level_one(name)
    central = provincial_level_one(name) and top is not None and not top.startswith("H")
    if (stated is not None and top is not None and stated != top) or central:
        findings.warn(
            "M",
            f"{path}/{names.ORGAN_NAME}",
            f"Tên {excerpt(name)} thuộc {stated or 'một tỉnh (H…)'} nhưng mã là {code}; hãy kiểm tra tên và mã",
            f"The name {excerpt(name)} belongs to {stated or 'a province (H…)'} but the code is {code}; "
            "check name and code",
        )


def _type_and_name(findings: Findings, document: Document) -> None:
    kind = document.document_type
    if kind is None or kind.type is None or kind.type_name is None:
        return
    numbers = TYPE_NUMBERS.get(fold(kind.type_name))
    if numbers is not None and kind.type not in numbers:
        listed = ", ".join(map(str, sorted(numbers)))
        findings.warn(
            "M",
            f"{names.MESSAGE_HEADER}/{names.DOCUMENT_TYPE}",
            f"Type {kind.type} không khớp TypeName {excerpt(kind.type_name)} (số đúng: {listed}); "
            "bên nhận sẽ dùng TypeName",
            f"Type {kind.type} contradicts TypeName {excerpt(kind.type_name)} (its number: {listed}); "
            "receivers go by TypeName",
        )


def _priority(findings: Findings, document: Document) -> None:
    if document.priority > MAX_PRIORITY:
        findings.warn(
            "R",
            f"{names.MESSAGE_HEADER}/{names.OTHER_INFO}/{names.PRIORITY}",
            f"Độ khẩn {document.priority} không có trong bảng 0–{MAX_PRIORITY}; được xem là thường",
            f"Urgency {document.priority} is not in the table 0–{MAX_PRIORITY}; it is taken as ordinary",
        )


def _packing(findings: Findings, document: Document) -> None:
    """Warn of packings the national SDK cannot open: its receivers lose the file, or the whole document."""
    for position, attachment in enumerate(document.attachments, 1):
        said = attachment.declared_type or ""
        says_zip = said.lower() == ZIP_TYPE
        name = excerpt(attachment.name)
        path = f"{names.ATTACHMENT_ENCODED}/{names.ATTACHMENT}[{position}]/{names.CONTENT_TYPE}"
        if attachment.packing is Packing.ZIPPED and not says_zip:
            findings.blemish(
                "M",
                path,
                f"{name} là tệp nén nhưng khai {excerpt(said)}; bên nhận "
                f"dùng SDK quốc gia sẽ không mở được, hãy gửi tệp không nén hoặc khai {ZIP_TYPE}",
                f"{name} is zipped but declared {excerpt(said)}; receivers "
                f"with the national SDK cannot open it, send it raw or declare {ZIP_TYPE}",
            )
        raw = attachment.packing is Packing.RAW and kind_shown(attachment.content) != "zip"
        if says_zip and raw and extension(attachment.name) != "zip":
            findings.blemish(
                "M",
                path,
                f"{name} khai {ZIP_TYPE} nhưng không phải tệp nén; bên nhận dùng SDK quốc gia sẽ "
                "mất cả văn bản, hãy khai đúng kiểu tệp",
                f"{name} is declared {ZIP_TYPE} but is no zip; receivers with the national SDK lose "
                "the whole document, declare its true type",
            )


def _date_in_id(findings: Findings, element: Element) -> None:
    for found in _DATE_IN_ID.finditer(element.text):
        year, month, day = map(int, found.groups())
        try:
            dt.date(year, month, day)
        except ValueError:
            findings.warn(
                "R",
                element.path,
                f"{element.path} chứa ngày không có thật {found[0]}; mã được giữ nguyên, không suy diễn",
                f"{element.path} contains the impossible day {found[0]}; the id is kept as it is, opaque",
            )


def _legacy_signature(findings: Findings, signature: Element) -> None:
    algorithm = "?"
    for element in signature.walk():
        if element.name == _CERTIFICATE:
            _certificate(findings, element)
        elif element.name == _SIGNATURE_METHOD:
            algorithm = element.attributes.get("Algorithm", "?")
        elif element.name == _TRANSFORM and element.attributes.get("Algorithm") == names.UNREGISTERED_EXCLUSIVE_C14N:
            findings.warn(
                "M",
                element.path,
                f"{names.UNREGISTERED_EXCLUSIVE_C14N} không phải URI đã đăng ký của exclusive c14n; "
                f"URI đúng là {names.EXCLUSIVE_C14N}",
                f"{names.UNREGISTERED_EXCLUSIVE_C14N} is not the registered URI of exclusive c14n; "
                f"the right one is {names.EXCLUSIVE_C14N}",
            )
    findings.warn(
        "M",
        signature.path,
        f"Chữ ký kiểu cũ ({algorithm}) không kiểm chứng được và không được tính là bằng chứng",
        f"The old-style signature ({algorithm}) cannot be verified and is never counted as proof",
    )


def _certificate(findings: Findings, element: Element) -> None:
    text = "".join(element.text.split())
    encoded = decode_base64(text.encode()) if text.isascii() else None
    if encoded is None or not _is_whole_der(encoded):
        findings.warn(
            "T",
            element.path,
            f"Chứng thư số bị cắt cụt hoặc sai mã hóa (chỉ có {len(text)} ký tự)",
            f"The certificate is truncated or wrongly encoded (it has {len(text)} characters)",
        )


def _is_whole_der(encoded: bytes) -> bool:
    """Tell whether the bytes are one DER sequence, as long as it says it is."""
    if len(encoded) < 2 or encoded[0] != _SEQUENCE:  # noqa: PLR2004 - tag and length
        return False
    first = encoded[1]
    if first < 0x80:  # noqa: PLR2004 - the short form of a DER length
        return len(encoded) == first + 2
    octets = first & 0x7F
    return len(encoded) == int.from_bytes(encoded[2 : 2 + octets]) + 2 + octets
