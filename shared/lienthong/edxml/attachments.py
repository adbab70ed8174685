"""Reading the attached files: base64, the national SDK's wrapping, the manifest, and damage done on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.edxml import names
from lienthong.edxml.fields import tidy
from lienthong.edxml.findings import FILE_PROCESSING, excerpt
from lienthong.edxml.media import extension, kind_by_name, ruined_by_text_decoding
from lienthong.edxml.model import Attachment, Packing, bare_content_id
from lienthong.edxml.packing import UNKNOWN, DamagedWrappingError, TooLargeError, foreign_entry, unwrap
from lienthong.edxml.parser import text_within
from lienthong.edxml.strict_base64 import decode_base64

if TYPE_CHECKING:
    from lienthong.edxml.fields import Fields
    from lienthong.edxml.parser import Element
    from lienthong.edxml.profile import Limits

__all__ = ["read_attachments"]

MAX_WRAPPINGS = 4
"""A file is wrapped once; more than a few layers is somebody's zip bomb."""

_LOOKED_AT = 60


@dataclass(slots=True)
class _Listed:
    """One line of the manifest."""

    element: Element
    content_id: str
    name: str | None
    description: str | None
    used: bool = False


def read_attachments(fields: Fields, root: Element, manifest: Element | None, limits: Limits) -> tuple[Attachment, ...]:
    """Return the attached files that could be read, in order; the rest is among the findings."""
    frame = fields.one(root, names.ATTACHMENT_ENCODED)
    elements = fields.many(frame, names.ATTACHMENT)
    if len(elements) > limits.attachments:
        path = names.ATTACHMENT_ENCODED
        fields.findings.refuse(
            "R",
            path,
            f"Có {len(elements)} tệp đính kèm, tối đa {limits.attachments}; hãy gộp hoặc chia thành nhiều văn bản",
            f"There are {len(elements)} attachments, at most {limits.attachments} are allowed; merge or split them",
        )
        return ()
    elements = [element for element in elements if not _is_blank(fields, element)]
    manifested = [_listed(fields, element) for element in fields.many(manifest, names.REFERENCE)]
    lines = _join(fields, elements, manifested)
    reader = _Reader(fields, limits.unpacked_bytes)
    found = (reader.read(element, line) for element, line in zip(elements, lines, strict=True))
    return tuple(attachment for attachment in found if attachment is not None)


def _is_blank(fields: Fields, element: Element) -> bool:
    if element.children or element.text.strip():
        return False
    fields.empty(element)
    return True


def _listed(fields: Fields, element: Element) -> _Listed:
    """Return a line of the manifest; the .NET dialect has its content id in an attribute ``xlink:href``."""
    content_id = fields.text(element, names.CONTENT_ID)
    if content_id is None:
        content_id = next((value for name, value in element.attributes.items() if name.endswith(":href")), "")
    return _Listed(
        element,
        bare_content_id(content_id),
        fields.text(element, names.ATTACHMENT_NAME),
        fields.text(element, names.DESCRIPTION),
    )


def _join(fields: Fields, elements: list[Element], manifested: list[_Listed]) -> list[_Listed | None]:
    """Return each attachment's line of the manifest.

    By content id where it is unique; the national SDK does not notice duplicate ids, but keeps the order of both
    lists, so what is left is joined by order.
    """
    ids = [bare_content_id(fields.text(element, names.CONTENT_ID) or "") for element in elements]
    joined: list[_Listed | None] = [None] * len(elements)
    for index, content_id in enumerate(ids):
        same = [line for line in manifested if line.content_id == content_id]
        if content_id and len(same) == 1 and ids.count(content_id) == 1:
            joined[index] = same[0]
            same[0].used = True
    left = iter([line for line in manifested if not line.used])
    for index, element in enumerate(elements):
        if joined[index] is not None:
            continue
        if (line := next(left, None)) is None:
            fields.findings.blemish(
                "M",
                f"{element.path}/{names.CONTENT_ID}",
                f"{element.path} không có dòng nào trong {names.MANIFEST}; hãy thêm {names.REFERENCE} cùng ContentId",
                f"{element.path} has no line in {names.MANIFEST}; add a {names.REFERENCE} with the same ContentId",
            )
            continue
        line.used = True
        joined[index] = line
    for line in manifested:
        if not line.used:
            fields.findings.refuse(
                "M",
                f"{line.element.path}/{names.CONTENT_ID}",
                f"{names.MANIFEST} kê {excerpt(line.name or line.content_id)} nhưng gói tin không có tệp đó; "
                "hãy đính kèm tệp hoặc bỏ dòng kê",
                f"{names.MANIFEST} lists {excerpt(line.name or line.content_id)} but the message does not hold it; "
                "attach the file or take the line out",
            )
    return joined


class _Reader:
    """Reads one file after another within one budget of unpacked bytes."""

    def __init__(self, fields: Fields, budget: int) -> None:
        self.fields = fields
        self.findings = fields.findings
        self.budget = budget

    def read(self, element: Element, line: _Listed | None) -> Attachment | None:
        name = self.fields.text(element, names.ATTACHMENT_NAME) or (line.name if line else None)
        declared = self.fields.text(element, names.CONTENT_TYPE)
        description = self.fields.text(element, names.DESCRIPTION) or (line.description if line else None)
        content_id = self.fields.text(element, names.CONTENT_ID) or (line.content_id if line else None) or ""
        path = f"{element.path}/{names.ATTACHMENT_NAME}"
        if name is None:
            self.findings.refuse(
                "N",
                path,
                f"Thiếu {path}; hãy ghi tên tệp kèm phần mở rộng",
                f"{path} is missing; give the file a name with an extension",
            )
        packed = self._decode(element, name or "")
        if packed is None or name is None:
            return None
        unwrapped = self._unwrap(element, name, packed)
        if unwrapped is None:
            return None
        content, full_name = unwrapped
        if full_name != name:
            self.findings.blemish(
                "R",
                path,
                f"Tên tệp {excerpt(name)} thiếu phần mở rộng, theo tệp nén bên trong là "
                f"{excerpt(full_name)}; hãy ghi tên kèm phần mở rộng",
                f"The name {excerpt(name)} lacks an extension, by its zip entry it is {excerpt(full_name)}; "
                "write the name with it",
            )
        self._judge(element, full_name, content)
        return Attachment(
            full_name,
            content,
            content_type=declared or "",
            content_id=content_id,
            description=description,
            packing=Packing.RAW if content is packed else Packing.ZIPPED,
            declared_type=declared,
        )

    def _decode(self, element: Element, name: str) -> bytes | None:
        encoded = self.fields.one(element, names.CONTENT_TRANSFER_ENCODED)
        if encoded is None:
            path = f"{element.path}/{names.CONTENT_TRANSFER_ENCODED}"
            self.findings.refuse(
                "N",
                path,
                f"Tệp {excerpt(name)} không có nội dung ({path}); hãy ghi nội dung bằng base64",
                f"The file {excerpt(name)} has no content ({path}); write its bytes in base64",
                FILE_PROCESSING,
            )
            return None
        text = text_within(self.fields.data, encoded)
        content = None if text is None or encoded.interrupted else decode_base64(text)
        if content is None:
            shown = excerpt((tidy(bytes((text or b"")[:_LOOKED_AT]).decode("utf-8", "replace")) or "") + "…")
            self.findings.refuse(
                "T",
                encoded.path,
                f"Nội dung tệp {excerpt(name)} không phải base64 đúng chuẩn (bắt đầu bằng {shown}); hãy mã hóa lại "
                "từng byte của tệp bằng base64 chuẩn, đủ dấu =",
                f"The content of {excerpt(name)} is not proper base64 (it begins with {shown}); encode the file's "
                "bytes again in standard base64, with its padding",
                FILE_PROCESSING,
            )
        elif not content:
            self.fields.empty(encoded)
        return content

    def _unwrap(self, element: Element, name: str, packed: bytes) -> tuple[bytes, str] | None:
        """Return the file and its name, which the zip entry completes when it lacks an extension."""
        content, full_name = packed, name
        path = f"{element.path}/{names.CONTENT_TRANSFER_ENCODED}"
        try:
            for _ in range(MAX_WRAPPINGS):
                if (unwrapped := unwrap(full_name, content, self.budget)) is None:
                    self.budget -= 0 if content is packed else len(content)
                    return content, full_name
                content = unwrapped.content
                if not extension(full_name) and unwrapped.extension != UNKNOWN:
                    full_name = f"{full_name}.{unwrapped.extension}"
        except DamagedWrappingError:
            self.findings.refuse(
                "M",
                path,
                f"Tệp nén bọc ngoài {excerpt(name)} bị hỏng (sai mã kiểm tra); hãy gửi lại tệp nguyên vẹn",
                f"The zip around {excerpt(name)} is damaged (wrong check sum); send the intact file again",
                FILE_PROCESSING,
            )
            return None
        except TooLargeError:
            pass
        self.findings.refuse(
            "R",
            path,
            f"Tệp {excerpt(name)} sau khi giải nén quá lớn; hãy gửi tệp nhỏ hơn, không nén nhiều lớp",
            f"The file {excerpt(name)} is too large once unzipped; send a smaller file, not zipped again and again",
            FILE_PROCESSING,
        )
        return None

    def _judge(self, element: Element, name: str, content: bytes) -> None:
        kind = kind_by_name(name)
        if ruined_by_text_decoding(name, content):
            path = f"{element.path}/{names.CONTENT_TRANSFER_ENCODED}"
            self.findings.refuse(
                "M",
                path,
                f"Tệp {excerpt(name)} đã hỏng: các byte nhị phân bị đọc như văn bản rồi ghi lại (EF BF BD); "
                "hãy đọc tệp gốc ở dạng nhị phân và gửi lại",
                f"The file {excerpt(name)} is ruined: its binary bytes were read as text and written again (EF BF BD); "
                "read the original file as binary and send it again",
                FILE_PROCESSING,
            )
        elif (entry := foreign_entry(name, content)) is not None:
            self.findings.warn(
                "M",
                f"{element.path}/{names.CONTENT_TYPE}",
                f"Tệp {excerpt(name)} thật ra là tệp nén chứa {excerpt(entry)}; được giữ nguyên, hãy đặt đúng tên",
                f"{excerpt(name)} really is a zip holding {excerpt(entry)}; it is left as it is, name it rightly",
            )
        elif kind is not None and kind.magics and content and not content.startswith(kind.magics):
            self.findings.warn(
                "M",
                f"{element.path}/{names.CONTENT_TYPE}",
                f"Tên {excerpt(name)} nói là {kind.media_type} nhưng nội dung không phải; hãy kiểm tra tệp",
                f"The name {excerpt(name)} says {kind.media_type} but the content is something else; check the file",
            )
