"""Reading single values out of elements: texts, numbers, flags, days and moments, with what is wrong about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lienthong.document.codes import is_agency_code
from lienthong.edxml import names
from lienthong.edxml.findings import excerpt
from lienthong.edxml.parser import Lines
from lienthong.edxml.wire_time import is_unset, read_day, read_moment

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from lienthong.edxml.findings import Findings
    from lienthong.edxml.parser import Element

__all__ = ["Fields", "tidy"]

XML_SPACE = " \t\r\n"
DATE_SHAPE = "yyyy/MM/dd"
MOMENT_SHAPE = "yyyy/MM/dd HH:mm:ss"

_FLAGS = {"0": False, "1": True, "false": False, "true": True}
_MAX_DIGITS = 9
_When = TypeVar("_When")


def tidy(text: str) -> str | None:
    r"""Return a text in the model's normal form: no white space around it, lines parted by ``\n``, None for nothing."""
    bare = text.strip(XML_SPACE)
    if "\r" in bare:
        bare = bare.replace("\r\n", "\n").replace("\r", "\n")
    return bare or None


class Fields:
    """Reads the values of elements; whatever is wrong goes to `findings` and reads as None."""

    def __init__(self, findings: Findings, data: bytes) -> None:
        self.findings = findings
        self.data = data
        self.lines = Lines(data)

    def one(self, parent: Element | None, name: str) -> Element | None:
        """Return the only child of this name; more than one is a problem, for readers would choose differently."""
        found = self.many(parent, name)
        if not found:
            return None
        if len(found) > 1:
            second = found[1]
            self.findings.refuse(
                "M",
                second.path,
                f"{name} xuất hiện {len(found)} lần (lần thứ hai ở dòng {self.lines.line(second)}); chỉ giữ lại một",
                f"{name} stands here {len(found)} times (again at line {self.lines.line(second)}); keep one",
            )
        return found[0]

    def many(self, parent: Element | None, name: str) -> list[Element]:
        """Return the children of this name, in order; one from another namespace is a problem."""
        if parent is None or not (found := parent.children.get(name)):
            return []
        strangers = [child for child in found if child.namespace != names.NAMESPACE]
        for stranger in strangers:
            self.wrong_namespace(stranger)
        return [child for child in found if child.namespace == names.NAMESPACE] if strangers else found

    def wrong_namespace(self, element: Element) -> None:
        """Add the problem that an element is in another namespace than the format's."""
        found = excerpt(element.namespace) if element.namespace else None
        vi = f"có không gian tên {found}" if found else "không có không gian tên"
        en = f"is in the namespace {found}" if found else "is in no namespace"
        line = self.lines.line(element)
        self.findings.refuse(
            "M",
            element.path,
            f"{element.name} (dòng {line}) {vi}; phải là {names.NAMESPACE}",
            f"{element.name} (line {line}) {en}; it must be in {names.NAMESPACE}",
        )

    def text(self, parent: Element | None, name: str) -> str | None:
        """Return the text of a child, None when it is absent or empty."""
        return self.text_of(self.one(parent, name))

    def texts(self, parent: Element | None, name: str) -> tuple[str, ...]:
        """Return the texts of all children of this name, empty ones left out."""
        return tuple(text for child in self.many(parent, name) if (text := self.text_of(child)) is not None)

    def text_of(self, element: Element | None) -> str | None:
        """Return an element's own text in normal form."""
        if element is None:
            return None
        if element.children or element.interrupted:
            self.findings.refuse(
                "T",
                element.path,
                f"{element.path} chỉ được chứa văn bản, không chứa phần tử hay chú thích; hãy bỏ chúng đi",
                f"{element.path} may hold text only, no elements or comments; take them out",
            )
        return tidy("".join(element.parts))

    def organ_id(self, parent: Element | None) -> str:
        """Return a required agency code; the empty string stands for one that is missing or impossible."""
        element = self.one(parent, names.ORGAN_ID)
        text = self.text_of(element)
        if element is None or text is None:
            return ""
        if text == "null":
            self.findings.refuse(
                "N",
                element.path,
                f"{element.path} ghi chữ “null” thay cho mã định danh; hãy điền mã của cơ quan",
                f"{element.path} holds the text “null” in place of a code; fill in the agency's code",
            )
            return ""
        if not is_agency_code(text):
            self.findings.refuse(
                "T",
                element.path,
                f"{excerpt(text)} không thể là mã định danh cơ quan; mã có dạng 000.00.00.H53 hoặc H53.37.11, "
                "tối đa 35 ký tự",
                f"{excerpt(text)} cannot be an agency's code; codes look like 000.00.00.H53 or H53.37.11 "
                "and have at most 35 characters",
            )
            return ""
        return text

    def number(self, parent: Element | None, name: str, *, decisive: bool = False) -> int | None:
        """Return a whole number.

        Args:
            parent: the element it stands in.
            name: its name.
            decisive: whether something depends on it; garbage then is a problem in both profiles.
        """
        element = self.one(parent, name)
        text = self.text_of(element)
        if element is None:
            return None
        if text is None:
            self.empty(element)
            return None
        if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
            if element.text != text:
                self.findings.blemish(
                    "T",
                    element.path,
                    f"{element.path} có khoảng trắng quanh số; SDK quốc gia sẽ đọc sai, hãy ghi số liền",
                    f"{element.path} has white space around the number; the national SDK misreads it, write it bare",
                )
            return int(text)
        add = self.findings.refuse if decisive else self.findings.blemish
        add(
            "T",
            element.path,
            f"{element.path} phải là số nguyên, nhưng có {excerpt(text)}",
            f"{element.path} must be a whole number, not {excerpt(text)}",
        )
        return None

    def flag(self, parent: Element | None, name: str) -> bool | None:
        """Return a yes or no: ``1``, ``0``, ``true`` or ``false``."""
        element = self.one(parent, name)
        text = self.text_of(element)
        if element is None:
            return None
        if text is None:
            self.empty(element)
            return None
        if (value := _FLAGS.get(text.lower())) is None:
            self.findings.refuse(
                "T",
                element.path,
                f"{element.path} phải là 0 hoặc 1, nhưng có {excerpt(text)}",
                f"{element.path} must be 0 or 1, not {excerpt(text)}",
            )
        return value

    def day(self, parent: Element | None, name: str) -> dt.date | None:
        """Return a day."""
        return self._when(self.one(parent, name), read_day, DATE_SHAPE)

    def moment(self, parent: Element | None, name: str) -> dt.datetime | None:
        """Return a moment in UTC."""
        return self._when(self.one(parent, name), read_moment, MOMENT_SHAPE)

    def empty(self, element: Element) -> None:
        """Add that an element is there with nothing in it."""
        self.findings.blemish(
            "N",
            element.path,
            f"{element.path} để trống; hãy điền giá trị hoặc bỏ hẳn phần tử",
            f"{element.path} is empty; fill it in or leave the element out",
        )

    def _when(self, element: Element | None, read: Callable[[str], _When], shape: str) -> _When | None:
        text = self.text_of(element)
        if element is None:
            return None
        if text is None:
            self.empty(element)
            return None
        if is_unset(text):
            self.findings.blemish(
                "R",
                element.path,
                f"{element.path} ghi {text}, là “chưa có ngày” của .NET; hãy bỏ hẳn phần tử",
                f"{element.path} says {text}, which is .NET's “no date”; leave the element out",
            )
            return None
        try:
            return read(text)
        except ValueError:
            self.findings.refuse(
                "T",
                element.path,
                f"{element.path} có {excerpt(text)}: không phải ngày giờ có thật theo dạng {shape}; "
                "hãy ghi năm trước, rồi tháng, rồi ngày",
                f"{element.path} holds {excerpt(text)}: no real date written as {shape}; "
                "write the year first, then month, then day",
            )
            return None
