"""From a skeleton's bytes to its tree, past every way known of making a parser do something else.

A small skeleton without a single ``<!`` or ``<?`` in it can hold no DOCTYPE, comment, CDATA section or processing
instruction, and its limits follow from its size: libxml2 reads it at once. Any other goes through the exchange's own
parser (`lienthong.edxml.parser`) first, which counts everything while it reads.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from lienthong.edxml import Limits, names
from lienthong.edxml.parser import parse
from lienthong.errors import Refusal
from lienthong.signature.contents import Content, Skeleton, cut
from lienthong.signature.reasons import BrokenSignatureError, Code

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Tree", "canonical", "malformed", "parse_canonical", "read_tree"]

LIMITS: Final = Limits()
SMALL: Final = 64 * 1024
"""A skeleton of so many bytes holds no text and not so many elements as would be too much."""
FEW_ATTRIBUTES: Final = 64
MAX_ATTRIBUTE: Final = 4096

_DECLARATION: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?<\?xml\s+version=(?:"1\.0"|'1\.0')(?:\s+encoding=(?:"utf-8"|'utf-8'))?"""
    rb"""(?:\s+standalone=(?:"yes"|"no"|'yes'|'no'))?\s*\?>""",
    re.IGNORECASE,
)
_TOO_DEEP: Final = etree.XPath("boolean(" + "/*" * (LIMITS.depth + 1) + ")")
_ATTRIBUTE_VALUES: Final = etree.XPath("//@*", smart_strings=False)
_REMARKS: Final = etree.XPath("//comment() | //processing-instruction()")
_CONTENT: Final = f"{{*}}{names.CONTENT_TRANSFER_ENCODED}"
_CDATA: Final = re.compile(rb"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


class Tree:
    """A message as a tree, its attachments' contents beside it.

    Attributes:
        root: the skeleton's root element.
        attribute_values: every attribute's value in the message, without white space around it.
        has_remarks: whether there are comments in it.
    """

    def __init__(self, skeleton: Skeleton, root: etree._Element, *, has_remarks: bool) -> None:
        self.skeleton = skeleton
        self.root = root
        self.has_remarks = has_remarks
        values = _ATTRIBUTE_VALUES(root)
        assert isinstance(values, list), "a path gives a list"
        self.attribute_values = [str(value).strip(" \t\r\n") for value in values]

    def content_elements(self) -> list[tuple[etree._Element, Content | None]]:
        """Return every element that holds a content, with what was cut out of it.

        Raises:
            BrokenSignatureError: the cut and the tree do not see the same elements.
        """
        elements = list(self.root.iter(_CONTENT))
        if len(elements) != len(self.skeleton.contents):
            raise malformed(
                f"các phần tử {names.CONTENT_TRANSFER_ENCODED} không rõ ràng",
                f"the elements {names.CONTENT_TRANSFER_ENCODED} are not told apart",
            )
        return list(zip(elements, self.skeleton.contents, strict=True))

    def canonical_pieces(self, element: etree._Element) -> Iterator[bytes]:
        """Yield the exclusive canonical form of an element with its contents, never holding these as a whole."""
        inside = set(element.iter(_CONTENT))
        taken = [(holder, content) for holder, content in self.content_elements() if content and holder in inside]
        # No message can hold its own digest, so nobody can write such a mark into one.
        secret = hashlib.sha256(self.skeleton.xml).hexdigest()
        for number, (holder, _) in enumerate(taken):
            holder.text = f"{secret}-{number}-"
        rest = canonical(element)
        for number, (holder, content) in enumerate(taken):
            holder.text = None
            before, mark, rest = rest.partition(f"{secret}-{number}-".encode())
            assert mark, "what was written is there"
            yield before
            yield from content.text()
        yield rest


def read_tree(data: bytes) -> Tree:
    """Return a message as a tree.

    Raises:
        BrokenSignatureError: it is too large, not XML, or XML with what the profile forbids.
    """
    if len(data) > LIMITS.total_bytes:
        raise malformed(f"dài quá {LIMITS.total_bytes} byte", f"it has more than {LIMITS.total_bytes} bytes")
    skeleton = cut(data)
    xml = skeleton.xml
    declaration = _DECLARATION.match(xml)
    start = declaration.end() if declaration else 0
    quick = (
        len(xml) <= SMALL
        and xml.count(b"=") <= FEW_ATTRIBUTES
        # To look for one byte is ten times as fast as for two.
        and (xml.find(b"!", start) < 0 or xml.find(b"<!", start) < 0)
        and (xml.find(b"?", start) < 0 or xml.find(b"<?", start) < 0)
    )
    if not quick:
        try:
            parse(xml, LIMITS)
        except Refusal as refusal:
            problem = refusal.problems[0]
            raise BrokenSignatureError(Code.FORMAT_FAILURE, problem.vi, problem.en) from refusal
        _refuse_cuts_in_cdata(skeleton)
    try:
        root = etree.fromstring(xml, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise malformed("không phải XML đúng chuẩn", f"not well-formed XML ({str(error)[:200]})") from error
    tree = Tree(skeleton, root, has_remarks=not quick and bool(_REMARKS(root)))
    if quick and (_TOO_DEEP(root) or max(map(len, tree.attribute_values), default=0) > MAX_ATTRIBUTE):
        raise malformed("lồng quá sâu hoặc thuộc tính quá dài", "it is nested too deeply or has too long an attribute")
    return tree


def canonical(element: etree._Element) -> bytes:
    """Return the exclusive canonical form of an element (XML-EXC-C14N 1.0), without the text that follows it."""
    try:
        return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError as error:
        raise malformed(
            "không đưa được về dạng chuẩn tắc (không gian tên tương đối?)",
            "it has no canonical form (a relative namespace?)",
        ) from error


def parse_canonical(xml: bytes) -> etree._Element:
    """Return the tree of canonical bytes, so that values are read from what was signed and from nothing else."""
    return etree.fromstring(xml, _parser())


def malformed(vi: str, en: str) -> BrokenSignatureError:
    """Return the error of a message that is no message."""
    return BrokenSignatureError(Code.FORMAT_FAILURE, f"Gói tin không hợp lệ: {vi}", f"Not a proper message: {en}")


def _parser() -> etree.XMLParser:
    """Return a parser that fetches nothing, expands nothing, and keeps libxml2's own limits."""
    return _PARSER


_PARSER: Final = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    huge_tree=False,
    recover=False,
    collect_ids=False,
)


def _refuse_cuts_in_cdata(skeleton: Skeleton) -> None:
    """Refuse a content whose tags stand in a CDATA section, where they are only text."""
    for section in _CDATA.finditer(skeleton.xml):
        if any(section.start() < start < section.end() for start in skeleton.starts):
            raise malformed("thẻ nằm trong CDATA", "there are tags in a CDATA section")
