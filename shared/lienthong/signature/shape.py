"""Where everything stands in a signed message: one fixed shape, so that nothing can be wrapped, moved or doubled.

Signature wrapping works where a verifier looks for what a reference names and a reader looks somewhere else. Here both
look at the same fixed places (profile 1, "Where and what"), and whatever else stands in the frame refuses the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lienthong.edxml import names
from lienthong.edxml.fields import tidy
from lienthong.edxml.model import bare_content_id
from lienthong.signature.reasons import BrokenSignatureError, Code
from lienthong.signature.tree import LIMITS, malformed

if TYPE_CHECKING:
    from lxml import etree

    from lienthong.signature.contents import Content
    from lienthong.signature.tree import Tree

__all__ = ["DS", "EDXML", "Carried", "Frame", "find_signature", "leaf", "read_attachments", "read_frame"]

EDXML: Final = f"{{{names.NAMESPACE}}}"
DS: Final = f"{{{names.XMLDSIG}}}"
_SIGNATURE: Final = f"{DS}Signature"

_ATTACHMENT: Final = f"{EDXML}{names.ATTACHMENT}"
_FIELDS: Final = frozenset(
    {names.CONTENT_ID, names.ATTACHMENT_NAME, names.DESCRIPTION, names.CONTENT_TYPE, names.CONTENT_TRANSFER_ENCODED}
)
_IGNORED: Final = frozenset({names.FIELD_NAME, names.MIME_TYPE, names.FORMAT})


class Carried(NamedTuple):
    """An attachment as the message carries it.

    Attributes:
        element: the whole Attachment.
        holder: the element that holds its base64.
        content: the base64.
        content_id: without ``cid:``.
        fields: what else is said about it, by name; nothing of that is signed in the manifest layout.
    """

    element: etree._Element
    holder: etree._Element
    content: Content | bytes
    content_id: str
    fields: dict[str, str | None]


class Frame(NamedTuple):
    """The parts of a signed message."""

    header: etree._Element
    manifest: etree._Element | None
    signature: etree._Element
    attachments: tuple[Carried, ...]


def find_signature(tree: Tree) -> etree._Element | None:
    """Return the one XML-DSig signature, wherever it stands, or None when there is none at all.

    Raises:
        BrokenSignatureError: there is more than one.
    """
    found = list(tree.root.iter(_SIGNATURE))
    if len(found) > 1:
        raise malformed(f"có {len(found)} phần tử ds:Signature", f"there are {len(found)} elements ds:Signature")
    return found[0] if found else None


def read_frame(tree: Tree, signature: etree._Element) -> Frame:
    """Return the parts of a message that holds a signature.

    Raises:
        BrokenSignatureError: something stands where nothing does, is doubled, or missing.
    """
    root = tree.root
    if tree.has_remarks:
        raise malformed("có chú thích XML", "there are XML comments")
    if root.tag != f"{EDXML}{names.ROOT}":
        raise malformed(f"phần tử gốc không phải {names.ROOT}", f"the root element is not {names.ROOT}")
    outer = _parts(root, (names.ENVELOPE,), (names.ATTACHMENT_ENCODED,))
    envelope = _parts(outer[names.ENVELOPE], (names.HEADER,), (names.BODY,))
    heading = _parts(
        envelope[names.HEADER], (names.MESSAGE_HEADER,), (names.TRACE_HEADER_LIST, names.DIGITAL_SIGNATURE)
    )
    place = heading.get(names.DIGITAL_SIGNATURE)
    if place is None or len(place) != 1 or place[0] is not signature:
        raise malformed(
            f"chữ ký không nằm trong {names.HEADER}/{names.DIGITAL_SIGNATURE}",
            f"the signature does not stand in {names.HEADER}/{names.DIGITAL_SIGNATURE}",
        )
    manifest = None
    if names.BODY in envelope:
        manifest = _parts(envelope[names.BODY], (names.MANIFEST,), ())[names.MANIFEST]
    return Frame(heading[names.MESSAGE_HEADER], manifest, signature, _attachments(tree, outer))


def read_attachments(tree: Tree) -> tuple[Carried, ...]:
    """Return the attachments of a message that is still to be signed.

    Raises:
        BrokenSignatureError: the frame around them or one of them is not in order.
    """
    return _attachments(tree, _parts(tree.root, (names.ENVELOPE,), (names.ATTACHMENT_ENCODED,)))


def leaf(element: etree._Element) -> str | None:
    """Return an element's text in normal form.

    Raises:
        BrokenSignatureError: there are elements in it, so that readers could take different texts for its value.
    """
    if len(element):
        raise malformed("có phần tử lồng trong một giá trị", "there are elements inside a value")
    text = element.text
    return tidy(text) if text else None


def _parts(parent: etree._Element, needed: tuple[str, ...], allowed: tuple[str, ...]) -> dict[str, etree._Element]:
    """Return an element's children by local name: each at most once, and none but these."""
    found: dict[str, etree._Element] = {}
    for child in parent:
        tag = str(child.tag)
        name = tag.removeprefix(EDXML)
        if name == tag or (name not in needed and name not in allowed):
            shown = tag.rpartition("}")[2][:100]
            raise malformed(f"có phần tử lạ {shown}", f"there is a foreign element {shown}")
        if name in found:
            raise malformed(f"{name} bị lặp", f"{name} stands there twice")
        found[name] = child
    for name in needed:
        if name not in found:
            raise malformed(f"thiếu {name}", f"{name} is missing")
    return found


def _attachments(tree: Tree, outer: dict[str, etree._Element]) -> tuple[Carried, ...]:
    """Return the attachments; a content anywhere else refuses the message, for it would be hidden from every digest."""
    contents = dict(tree.content_elements())
    carried: list[Carried] = []
    if (frame := outer.get(names.ATTACHMENT_ENCODED)) is not None:
        if len(frame) > LIMITS.attachments:
            raise malformed(f"quá {LIMITS.attachments} tệp đính kèm", f"more than {LIMITS.attachments} attachments")
        carried = [_attachment(element, contents) for element in frame]
    if len(contents) != len(carried):
        raise malformed(
            f"{names.CONTENT_TRANSFER_ENCODED} nằm sai chỗ", f"{names.CONTENT_TRANSFER_ENCODED} stands in a wrong place"
        )
    ids = [attachment.content_id for attachment in carried]
    if "" in ids or len(set(ids)) != len(ids):
        raise BrokenSignatureError(
            Code.SIG_CONSTRAINTS_FAILURE,
            "Tệp đính kèm thiếu ContentId hoặc trùng ContentId",
            "An attachment has no ContentId, or one that another has, too",
        )
    return tuple(carried)


def _attachment(element: etree._Element, contents: dict[etree._Element, Content | None]) -> Carried:
    if element.tag != _ATTACHMENT:
        raise malformed("có phần tử lạ giữa các tệp", "there is a foreign element among the attachments")
    fields: dict[str, str | None] = {}
    holder: etree._Element | None = None
    for child in element:
        tag = str(child.tag)
        name = tag.removeprefix(EDXML)
        if name in _IGNORED:
            continue
        if name == tag or name not in _FIELDS:
            raise malformed("có phần tử lạ trong một tệp", "there is a foreign element in an attachment")
        if name in fields or (holder is not None and name == names.CONTENT_TRANSFER_ENCODED):
            raise malformed(f"{name} bị lặp", f"{name} stands there twice")
        if name == names.CONTENT_TRANSFER_ENCODED:
            holder = child
        else:
            fields[name] = leaf(child)
    if holder is None:
        raise malformed("một tệp không có nội dung", "an attachment has no content")
    content: Content | bytes | None = contents[holder]
    if content is None:
        content = (holder.text or "").encode()
        if len(holder):
            raise malformed("nội dung tệp có phần tử XML", "there are elements in an attachment's content")
    return Carried(element, holder, content, bare_content_id(fields.pop(names.CONTENT_ID, None) or ""), fields)
