"""What was signed, in values: read from the canonical bytes the signature covers, never from anywhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from lienthong.edxml import names
from lienthong.edxml.model import Status, bare_content_id
from lienthong.signature.algorithms import SHA256
from lienthong.signature.contents import decode_text
from lienthong.signature.reasons import BrokenSignatureError, Code
from lienthong.signature.shape import EDXML, leaf
from lienthong.signature.tree import malformed

if TYPE_CHECKING:
    from lxml import etree

    from lienthong.edxml.model import Document

__all__ = ["Line", "SignedHeader", "read_header", "read_manifest"]

_REFERENCE: Final = f"{EDXML}{names.REFERENCE}"
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,9}")


class SignedHeader(NamedTuple):
    """The signed values of a MessageHeader by which a message is recorded, routed and answered.

    Texts are in the normal form of `lienthong.edxml.model`; None where there is nothing.

    Attributes:
        sender: ``From/OrganId``.
        addressees: ``To/OrganId``, in order; empty in a status.
        document_id: ``DocumentId``.
        number: ``Code/CodeNumber``.
        notation: ``Code/CodeNotation``.
        subject: ``Subject``.
        status_code: ``StatusCode``; only a status has one.
        answered_agency: ``ResponseFor/OrganId`` of a status, to which it goes.
        answered_document: ``ResponseFor/DocumentId`` of a status.
    """

    sender: str | None
    addressees: tuple[str | None, ...] = ()
    document_id: str | None = None
    number: str | None = None
    notation: str | None = None
    subject: str | None = None
    status_code: str | None = None
    answered_agency: str | None = None
    answered_document: str | None = None

    def differences(self, message: Document | Status) -> tuple[str, ...]:
        """Return the names of the values in which a decoded message is not what was signed; empty when it is."""
        read = _as_read(message)
        return tuple(name for name, signed, found in zip(self._fields, self, read, strict=True) if signed != found)


class Line(NamedTuple):
    """One Reference of the manifest.

    Attributes:
        content_id: without ``cid:``.
        fields: what it says about the attachment, by name.
        digest: SHA-256 of the decoded bytes; None when it has no Digest.
        size: how many those are; None when it does not say.
    """

    content_id: str
    fields: dict[str, str | None]
    digest: bytes | None = None
    size: int | None = None


def read_header(header: etree._Element) -> SignedHeader:
    """Return the values of a MessageHeader.

    Args:
        header: parsed from its canonical bytes.

    Raises:
        BrokenSignatureError: a value stands there twice, or has elements inside.
    """
    single: dict[str, etree._Element] = {}
    addressees: list[str | None] = []
    answers: list[etree._Element] = []
    for child in header:
        name = _name(child)
        if name == names.TO:
            addressees.append(_value(child, names.ORGAN_ID))
        elif name == names.RESPONSE_FOR:
            answers.append(child)
        elif name in single:
            raise malformed(f"{name} bị lặp", f"{name} stands there twice")
        else:
            single[name] = child
    if names.FROM not in single:
        raise malformed(f"thiếu {names.FROM}", f"{names.FROM} is missing")
    code = single.get(names.CODE)
    status_code = _text(single, names.STATUS_CODE)
    is_status = names.STATUS_CODE in single
    answer = answers[0] if is_status and len(answers) == 1 else None
    if is_status and (answer is None or addressees):
        raise malformed(
            f"trạng thái cần đúng một {names.RESPONSE_FOR} và không có {names.TO}",
            f"a status has just one {names.RESPONSE_FOR} and no {names.TO}",
        )
    return SignedHeader(
        sender=_value(single[names.FROM], names.ORGAN_ID),
        addressees=tuple(addressees),
        document_id=_text(single, names.DOCUMENT_ID),
        number=None if code is None else _value(code, names.CODE_NUMBER),
        notation=None if code is None else _value(code, names.CODE_NOTATION),
        subject=_text(single, names.SUBJECT),
        status_code=status_code,
        answered_agency=None if answer is None else _value(answer, names.ORGAN_ID),
        answered_document=None if answer is None else _value(answer, names.DOCUMENT_ID),
    )


def read_manifest(manifest: etree._Element) -> dict[str, Line]:
    """Return the lines of a manifest by their content ids.

    Args:
        manifest: parsed from its canonical bytes.

    Raises:
        BrokenSignatureError: two lines are about the same attachment, or a line is not in order.
    """
    lines: dict[str, Line] = {}
    for element in manifest:
        if element.tag != _REFERENCE:
            raise malformed("bảng kê có phần tử lạ", "there is a foreign element in the manifest")
        line = _line(element)
        if not line.content_id or line.content_id in lines:
            raise BrokenSignatureError(
                Code.SIG_CONSTRAINTS_FAILURE,
                f"Bảng kê có dòng thiếu hoặc trùng ContentId ({line.content_id[:100]})",
                f"A line of the manifest has no ContentId, or one that another has, too ({line.content_id[:100]})",
            )
        lines[line.content_id] = line
    return lines


def _line(element: etree._Element) -> Line:
    texts: dict[str, str | None] = {}
    digest: etree._Element | None = None
    for child in element:
        name = _name(child)
        if name in texts or (digest is not None and name == names.DIGEST):
            raise malformed(f"{name} bị lặp", f"{name} stands there twice")
        if name == names.DIGEST:
            digest = child
        else:
            texts[name] = leaf(child)
    content_id = texts.pop(names.CONTENT_ID, None)
    if content_id is None:
        # The .NET dialect has it in an attribute xlink:href.
        content_id = next((str(value) for key, value in element.items() if str(key).endswith("}href")), "")
    if digest is None:
        return Line(bare_content_id(content_id), texts)
    algorithm, size = digest.get("Algorithm", ""), digest.get("Size")
    if algorithm != SHA256:
        raise BrokenSignatureError(
            Code.CRYPTO_CONSTRAINTS_FAILURE,
            f"Thuật toán băm {algorithm[:100]} trong bảng kê không được chấp nhận",
            f"The digest algorithm {algorithm[:100]} in the manifest is not accepted",
        )
    value = decode_text(leaf(digest) or "")
    if value is None or (size is not None and not _SIZE.fullmatch(size)):
        raise malformed("Digest trong bảng kê sai dạng", "a Digest in the manifest is not proper")
    return Line(bare_content_id(content_id), texts, value, None if size is None else int(size))


def _name(element: etree._Element) -> str:
    """Return an element's local name; one of another namespace keeps it, so it is never taken for ours."""
    return str(element.tag).removeprefix(EDXML)


def _text(single: dict[str, etree._Element], name: str) -> str | None:
    element = single.get(name)
    return None if element is None else leaf(element)


def _value(parent: etree._Element, name: str) -> str | None:
    tag = EDXML + name
    found = [child for child in parent if child.tag == tag]
    if len(found) > 1:
        raise malformed(f"{name} bị lặp", f"{name} stands there twice")
    return leaf(found[0]) if found else None


def _as_read(message: Document | Status) -> SignedHeader:
    sender = message.sender.organ_id or None
    if isinstance(message, Status):
        return SignedHeader(
            sender,
            status_code=message.status_code or None,
            answered_agency=message.response_for.organ_id or None,
            answered_document=message.response_for.document_id or None,
        )
    code = message.code
    return SignedHeader(
        sender,
        tuple(addressee.organ_id or None for addressee in message.addressees),
        message.document_id or None,
        code.number if code else None,
        code.notation if code else None,
        message.subject,
    )
