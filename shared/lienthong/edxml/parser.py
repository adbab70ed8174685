"""Bytes to a tree of elements, in one pass, with nothing a stranger could make us do.

Expat without its namespace machinery: no document type is let past its first byte, so there are no entities to expand
and nothing to fetch; processing instructions are refused; size, depth, number of elements, attributes and length of
texts are bounded while reading. Only UTF-8 is read. Base64 is not even turned into a string: its place in the bytes
is noted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from xml.parsers import expat

from lienthong.edxml import names
from lienthong.edxml.findings import FORMAT, INVALID_FILE, excerpt
from lienthong.errors import Problem, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.edxml.profile import Limits

__all__ = ["Element", "Lines", "UndeclaredPrefix", "parse", "text_within"]

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
REPEATED = frozenset(
    {names.TO, names.TRACE_HEADER, names.REFERENCE, names.ATTACHMENT, names.PLACE, names.APPENDIX, names.TASK_CODE}
    | {names.RECEIVER, names.REPLACEMENT_INFO}
)
"""Elements whose place in a path always carries a position."""

CHUNK = 65_536
MAX_TOKEN = 4 * CHUNK
"""Most bytes of one tag or comment."""

MAX_UNDECLARED = 20
"""So many undeclared prefixes are told one by one."""

_START_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_FRAME = frozenset({names.ROOT, names.ENVELOPE, names.HEADER, names.BODY})
_FAR = 200
_VIETNAMESE = {
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]: "không có phần tử nào",
    expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]: "ký tự hoặc cú pháp không hợp lệ",
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: "nội dung bị cắt cụt giữa chừng",
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR]: "ký tự cuối bị cắt cụt",
    expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]: "thẻ đóng không khớp thẻ mở",
    expat.errors.codes[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "thuộc tính bị lặp",
    expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "có nội dung thừa sau phần tử gốc",
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: "dùng thực thể không được khai báo",
    expat.errors.codes[expat.errors.XML_ERROR_BAD_CHAR_REF]: "mã ký tự không hợp lệ",
    expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI]: "khai báo XML không nằm ở đầu",
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION]: "đoạn CDATA chưa đóng",
}


@dataclass(slots=True, eq=False)
class Element:
    """One element as it was found.

    Attributes:
        name: its local name, in the official spelling.
        namespace: what its prefix stands for; None when none is declared.
        attributes: as written, prefixes included.
        start: offset of its start tag in the bytes.
        end: offset of its end tag in the bytes.
        spelling: the local name as written, where that differs from `name`.
        interrupted: whether a comment stands among its text.
    """

    name: str
    namespace: str | None
    attributes: dict[str, str]
    parent: Element | None
    position: int
    start: int
    end: int = 0
    spelling: str = ""
    interrupted: bool = False
    children: dict[str, list[Element]] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    chars: int = 0

    @property
    def text(self) -> str:
        """Return the element's own text."""
        return "".join(self.parts)

    @property
    def path(self) -> str:
        """Return where it is, as problems name it: ``MessageHeader/To[2]/OrganId``."""
        steps: list[str] = []
        step: Element | None = self
        while step is not None and (step.name not in _FRAME or (not steps and step.name != names.ROOT)):
            numbered = step.position > 1 or step.name in REPEATED
            steps.append(f"{step.name}[{step.position}]" if numbered else step.name)
            step = step.parent
        return "/".join(reversed(steps))

    def walk(self) -> Iterator[Element]:
        """Yield this element and everything in it; depth is bounded by the parser."""
        yield self
        for siblings in self.children.values():
            for child in siblings:
                yield from child.walk()


class UndeclaredPrefix(NamedTuple):
    """A prefix in use that nothing declares: not well-formed by the namespaces recommendation."""

    prefix: str
    element: Element


def parse(data: bytes, limits: Limits) -> tuple[Element, tuple[UndeclaredPrefix, ...]]:
    """Return the root element, and the prefixes that nothing declares (reading could go on, so it did).

    Raises:
        Refusal: with the one problem that stopped the reading.
    """
    if len(data) > limits.total_bytes:
        limit = limits.total_bytes
        _refuse(
            "R",
            "",
            f"Gói tin dài {len(data)} byte, quá giới hạn {limit}; hãy giảm dung lượng tệp đính kèm",
            f"The message has {len(data)} bytes, more than the limit of {limit}; make its attachments smaller",
            INVALID_FILE,
        )
    _refuse_wrong_beginning(data)
    builder = _Builder(limits)
    try:
        return builder.read(data)
    except expat.ExpatError as error:
        vi = _VIETNAMESE.get(error.code, "không đúng cú pháp XML")
        en = expat.ErrorString(error.code) or "not XML"
        _refuse(
            "T",
            "",
            f"Không phải XML đúng chuẩn: {vi}, dòng {error.lineno} cột {error.offset + 1}; "
            "hãy tạo lại gói tin bằng bộ ghi XML và gửi nguyên vẹn từng byte",
            f"Not well-formed XML: {en}, line {error.lineno} column {error.offset + 1}; "
            "write the message with an XML writer and send its bytes unchanged",
            INVALID_FILE,
        )


class Lines:
    """Tells on which line and column of a message an element begins, at a cost that does not grow with its size."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._before: list[int] = []

    def line(self, element: Element) -> int:
        """Return the line, from 1."""
        if not self._before:
            counts = (self.data.count(b"\n", start, start + CHUNK) for start in range(0, len(self.data), CHUNK))
            self._before = list(accumulate(counts, initial=1))
        block = element.start // CHUNK
        return self._before[block] + self.data.count(b"\n", block * CHUNK, element.start)

    def column(self, element: Element) -> int:
        """Return the column, from 1 and in characters; a line of more than some 64,000 bytes is counted in bytes."""
        start = self.data.rfind(b"\n", max(0, element.start - CHUNK), element.start) + 1
        if start == 0 and element.start > CHUNK:
            return element.start - self.data.rfind(b"\n", 0, element.start)
        return len(self.data[start : element.start].decode()) + 1


def text_within(data: bytes, element: Element) -> bytes | memoryview | None:
    """Return the raw text between an element's tags, not copied if it can be, or None when there are elements in it.

    Character references, comments and CDATA sections, which nobody needs in base64, are resolved by a second look at
    just this piece.
    """
    tag = _START_TAG.match(data, element.start)
    if tag is None or data[tag.end() - 2 : tag.end()] == b"/>":
        return b""
    start, end = tag.end(), element.end
    if data.find(b"<", start, end) < 0 and data.find(b"&", start, end) < 0:
        return memoryview(data)[start:end]
    pieces: list[str] = []
    opened: list[str] = []
    second = expat.ParserCreate("utf-8")
    second.buffer_text = True
    second.CharacterDataHandler = pieces.append
    second.StartElementHandler = lambda name, _: opened.append(name)
    second.Parse(b"<t>", False)
    second.Parse(memoryview(data)[start:end], False)
    second.Parse(b"</t>", True)
    return "".join(pieces).encode() if len(opened) == 1 else None


def _refuse_wrong_beginning(data: bytes) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00", b"<\x00")):
        _refuse(
            "T",
            "",
            "Gói tin không dùng bảng mã UTF-8; hãy ghi XML bằng UTF-8",
            "The message is not in UTF-8; write the XML in UTF-8",
            INVALID_FILE,
        )
    body = data.removeprefix(b"\xef\xbb\xbf")
    ahead, declaration, _ = body[:_FAR].partition(b"<?xml ")
    if declaration and ahead and b"<" not in ahead:
        shown = excerpt(ahead.decode("utf-8", "replace"))
        _refuse(
            "T",
            "",
            f"Có {shown} đứng trước khai báo XML (dòng 1 cột 1); hãy xóa mọi thứ trước <?xml",
            f"{shown} stands before the XML declaration (line 1 column 1); delete everything before <?xml",
            INVALID_FILE,
        )


def _refuse(sort: str, path: str, vi: str, en: str, province_code: int = FORMAT) -> NoReturn:
    raise Refusal(Problem(f"{sort}.{names.ROOT}", path, vi, en, province_code))


class _Builder:
    """Expat's callbacks."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.root: Element | None = None
        self.current: Element | None = None
        self.scopes: list[dict[str, str | None]] = [{"": None, "xml": XML_NAMESPACE}]
        self.count = 0
        self.chars = 0
        self.undeclared: dict[str, UndeclaredPrefix] = {}
        # The encoding is ours to say, whatever the declaration says; see `_declaration`.
        self.expat = expat.ParserCreate("utf-8")
        self.expat.buffer_text = True
        self.expat.XmlDeclHandler = self._declaration
        self.expat.StartDoctypeDeclHandler = self._doctype
        self.expat.ProcessingInstructionHandler = self._instruction
        self.expat.CommentHandler = self._comment
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.CharacterDataHandler = self._text

    def read(self, data: bytes) -> tuple[Element, tuple[UndeclaredPrefix, ...]]:
        # Expat reports a tag or a comment when it is complete; one that does not end is refused before it costs.
        start = 0
        while len(data) - start > CHUNK:
            self.expat.Parse(data[start : start + CHUNK], False)
            start += CHUNK
            if start - self.expat.CurrentByteIndex > MAX_TOKEN:
                self._too_much()
        self.expat.Parse(data[start:], True)
        assert self.root is not None, "expat has reported a document without elements"
        return self.root, tuple(self.undeclared.values())

    def _declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0" or (encoding or "utf-8").lower() not in {"utf-8", "utf8", "us-ascii"}:
            found = excerpt(f"{version} {encoding}")
            _refuse(
                "T",
                "",
                f"Khai báo XML {found} không được nhận; hãy ghi XML 1.0 bằng UTF-8",
                f"The XML declaration {found} is not accepted; write XML 1.0 in UTF-8",
                INVALID_FILE,
            )

    def _doctype(self, *_: object) -> None:
        self._forbid("DOCTYPE")

    def _instruction(self, *_: object) -> None:
        self._forbid("processing instruction")

    def _forbid(self, what: str) -> NoReturn:
        line, column = self.expat.CurrentLineNumber, self.expat.CurrentColumnNumber + 1
        _refuse(
            "T",
            "",
            f"Không được dùng {what} (dòng {line} cột {column}); hãy bỏ đi",
            f"A {what} is not allowed (line {line} column {column}); leave it out",
            INVALID_FILE,
        )

    def _comment(self, _text: str) -> None:
        self.count += 1
        if self.count > self.limits.elements:
            self._too_much()
        if self.current is not None:
            self.current.interrupted = True

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        limits = self.limits
        if self.count > limits.elements or len(self.scopes) > limits.depth or len(attributes) > limits.attributes:
            self._too_much()
        scope = self.scopes[-1]
        if attributes:
            scope = self._declare(scope, attributes)
        self.scopes.append(scope)
        prefix, _, local = tag.rpartition(":")
        name = names.OFFICIAL_SPELLING.get(local, local)
        parent = self.current
        siblings = [] if parent is None else parent.children.setdefault(name, [])
        parser = self.expat
        element = Element(
            name,
            # An undeclared prefix refuses the message; taking it for ours lets the rest be judged, too.
            scope.get(prefix, names.NAMESPACE),
            attributes,
            parent,
            len(siblings) + 1,
            parser.CurrentByteIndex,
        )
        if name != local:
            element.spelling = local
        siblings.append(element)
        if parent is None:
            self.root = element
        self.current = element
        if prefix not in scope:
            self._undeclared(prefix, element)
        if attributes:
            self._check_attributes(scope, element)
        parser.CharacterDataHandler = None if name == names.CONTENT_TRANSFER_ENCODED else self._text

    def _end(self, _tag: str) -> None:
        element = self.current
        assert element is not None, "expat balances start and end"
        element.end = self.expat.CurrentByteIndex
        self.scopes.pop()
        self.current = element.parent
        # Text that follows a child is white space, or stands where `Fields.text_of` refuses the child.
        self.expat.CharacterDataHandler = None

    def _text(self, chunk: str) -> None:
        element = self.current
        assert element is not None, "there is no text outside the root element"
        self._count(len(chunk))
        element.chars += len(chunk)
        if element.chars > self.limits.text_chars:
            _refuse(
                "R",
                element.path,
                f"{element.path} dài quá {self.limits.text_chars} ký tự; nội dung dài hãy gửi thành tệp đính kèm",
                f"{element.path} is longer than {self.limits.text_chars} characters; attach long content as a file",
            )
        element.parts.append(chunk)

    def _declare(self, scope: dict[str, str | None], attributes: dict[str, str]) -> dict[str, str | None]:
        inner = scope
        for name, value in attributes.items():
            if len(name) + len(value) > self.limits.attribute_chars:
                self._too_much()
            self._count(len(name) + len(value))
            if name == "xmlns" or name.startswith("xmlns:"):
                if inner is scope:
                    inner = dict(scope)
                inner[name[6:]] = value or None
        return inner

    def _check_attributes(self, scope: dict[str, str | None], element: Element) -> None:
        for name in element.attributes:
            prefix, colon, _ = name.rpartition(":")
            if colon and prefix != "xmlns" and prefix not in scope:
                self._undeclared(prefix, element)

    def _undeclared(self, prefix: str, element: Element) -> None:
        if len(self.undeclared) < MAX_UNDECLARED:
            self.undeclared.setdefault(prefix, UndeclaredPrefix(prefix, element))

    def _count(self, chars: int) -> None:
        # One sign can make every other one of its text four bytes wide, and texts are copied while they are read.
        self.chars += chars
        if self.chars > self.limits.total_chars:
            limit = self.limits.total_chars
            _refuse(
                "R",
                "",
                f"Phần văn bản ngoài tệp đính kèm dài quá {limit} ký tự; nội dung dài hãy gửi thành tệp đính kèm",
                f"The texts beside the attached files have more than {limit} characters; attach long content as a file",
            )

    def _too_much(self) -> NoReturn:
        limits = self.limits
        line = self.expat.CurrentLineNumber
        _refuse(
            "R",
            "",
            f"Cấu trúc quá lớn ở dòng {line}: tối đa {limits.elements} phần tử và chú thích, sâu {limits.depth} tầng, "
            f"mỗi phần tử {limits.attributes} thuộc tính, mỗi thuộc tính {limits.attribute_chars} ký tự; "
            "hãy chia nhỏ gói tin",
            f"Too large a structure at line {line}: at most {limits.elements} elements and comments, "
            f"{limits.depth} deep, {limits.attributes} attributes each, of {limits.attribute_chars} characters; "
            "split the message",
            INVALID_FILE,
        )
