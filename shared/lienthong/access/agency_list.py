"""A list of agencies as CSV: read, and everything that is wrong with it found, line by line; pure.

The columns are `COLUMNS`; ``code`` and ``name`` have to be there. A column that is missing, or an empty cell, says
nothing: what the directory holds stays. Days are written 2025-07-01.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal

from lienthong.document.codes import CodeForm, code_form, is_agency_code
from lienthong.ledger.registry import CodeRow, ContactRow, ListedAgency, SuccessorRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["COLUMNS", "AgencyList", "Line", "Trouble", "read_list"]

COLUMNS = (
    "code",
    "name",
    "old_code",
    "kind",
    "parent",
    "valid_from",
    "valid_to",
    "successor",
    "succeeded_on",
    "supervised",
    "software",
    "software_version",
    "security_level",
    "contact",
    "email",
    "phone",
    "technical_contact",
    "technical_email",
    "technical_phone",
)
NEEDED = ("code", "name")
LONGEST_TEXT = 500
SECURITY_LEVELS = range(1, 6)
YES_OR_NO = {"yes": True, "true": True, "1": True, "có": True, "no": False, "false": False, "0": False, "không": False}
MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
FORMS = (CodeForm.NEW, CodeForm.OLD, CodeForm.TRANSITIONAL)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong in a list, where it stands, and how to mend it.

    Attributes:
        line: of the file, the header being line 1.
        column: its name; empty when it is about the whole line.
        vi: what is wrong and what to do, in Vietnamese.
        en: the same in English.
    """

    line: int
    column: str
    vi: str
    en: str

    def __str__(self) -> str:
        """Say it on one line."""
        column = f", cột / column {self.column}" if self.column else ""
        return f"dòng / line {self.line}{column}: {self.vi} / {self.en}"


@dataclass(frozen=True, slots=True)
class Line:
    """One agency of a list, with the line it stands in."""

    number: int
    agency: ListedAgency
    codes: tuple[CodeRow, ...]
    contacts: tuple[ContactRow, ...]
    successor: SuccessorRow | None


@dataclass(slots=True)
class AgencyList:
    """What was read, and what is wrong with it."""

    lines: list[Line] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


def read_list(data: bytes, *, skipped: Sequence[str] = (), any_code: bool = False) -> AgencyList:
    """Read a list of agencies.

    Args:
        data: the file: UTF-8, separated by commas or, as some spreadsheets write it, by semicolons.
        skipped: names of columns that are left out of account.
        any_code: whether codes of neither form are taken, which some test environments have.
    """
    found = AgencyList()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found.troubles.append(
            Trouble(line, "", "không phải UTF-8; hãy lưu lại dạng CSV UTF-8", "not UTF-8; save it as CSV UTF-8")
        )
        return found
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",")
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        found.troubles += _header_troubles(header, skipped)
        if not found.troubles:
            _read_lines(rows, header, found, any_code=any_code)
    except csv.Error as error:
        found.troubles.append(
            Trouble(rows.line_num, "", f"không đọc được CSV: {error}", f"cannot be read as CSV: {error}")
        )
    return found


def _header_troubles(header: Sequence[str], skipped: Sequence[str]) -> Iterator[Trouble]:
    for name in NEEDED:
        if name not in header:
            yield Trouble(1, name, "thiếu cột này; hãy thêm vào", "the column is missing; add it")
    for name, times in Counter(header).items():
        if name not in COLUMNS and name not in skipped:
            known = ", ".join(COLUMNS)
            yield Trouble(
                1,
                name,
                f"không có cột này; hãy bỏ, dùng --skip-column, hoặc đổi thành một trong: {known}",
                f"no such column; remove it, use --skip-column, or make it one of: {known}",
            )
        elif times > 1:
            yield Trouble(1, name, "có hai lần; hãy bỏ một cột", "stands there twice; remove one of them")


def _read_lines(rows: Iterator[list[str]], header: Sequence[str], found: AgencyList, *, any_code: bool) -> None:
    seen: dict[str, int] = {}
    number = 2
    for cells in rows:
        line, number = number, rows.line_num + 1  # type: ignore[attr-defined] # csv's reader has it
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            found.troubles.append(
                Trouble(
                    line,
                    "",
                    f"có {len(cells)} ô thay vì {len(header)}; hãy đặt trong ngoặc kép ô có dấu phân cách",
                    f"has {len(cells)} cells, not {len(header)}; put quotes around a cell that holds the separator",
                )
            )
            continue
        reader = _Reader(line, dict(zip(header, (cell.strip() for cell in cells), strict=True)), any_code=any_code)
        one = reader.line()
        codes = [row.code for row in one.codes]
        if taken := [code for code in codes if code in seen]:
            reader.add(
                "code" if taken[0] == one.agency.code else "old_code",
                f"mã {taken[0]} đã có ở dòng {seen[taken[0]]}; hãy giữ lại một dòng",
                f"code {taken[0]} stands in line {seen[taken[0]]} already; keep one of them",
            )
        for code in codes:
            seen.setdefault(code, line)
        found.troubles += reader.troubles
        if not reader.troubles:
            found.lines.append(one)


class _Reader:
    """One line of the file."""

    def __init__(self, number: int, cells: dict[str, str], *, any_code: bool) -> None:
        self._number, self._cells, self._any_code = number, cells, any_code
        self.troubles: list[Trouble] = []

    def add(self, column: str, vi: str, en: str) -> None:
        """Note what is wrong."""
        self.troubles.append(Trouble(self._number, column, vi, en))

    def line(self) -> Line:
        """Return what the line says; not to be used when there are troubles."""
        code, old = self._code("code") or "", self._code("old_code")
        for column in NEEDED:
            if not self._cells[column]:
                self.add(column, "còn trống; hãy điền vào", "is empty; fill it in")
        valid_from, valid_to = self._day("valid_from"), self._day("valid_to")
        if valid_from and valid_to and valid_from >= valid_to:
            self.add("valid_to", "phải sau valid_from", "has to come after valid_from")
        written = dict.fromkeys(filter(None, (code, old)))
        if not old and code_form(code) is CodeForm.NEW and "." not in code:
            written[f"000.00.00.{code}"] = None
        agency = ListedAgency(
            code,
            self._text("name") or "",
            self._text("kind"),
            self._code("parent"),
            self._yes_or_no("supervised"),
            self._text("software"),
            self._text("software_version"),
            self._security_level(),
        )
        if agency.parent == code:
            self.add("parent", "không thể là chính cơ quan đó", "cannot be the agency itself")
        codes = tuple(CodeRow(one, code, valid_from, valid_to) for one in written)
        return Line(self._number, agency, codes, tuple(self._contacts(code)), self._successor(code))

    def _text(self, column: str) -> str | None:
        text = self._cells.get(column) or None
        if text and (len(text) > LONGEST_TEXT or not text.isprintable()):
            self.add(
                column,
                f"dài quá {LONGEST_TEXT} ký tự hoặc có ký tự điều khiển; hãy sửa",
                f"is longer than {LONGEST_TEXT} characters, or holds control characters; correct it",
            )
            return None
        return text

    def _code(self, column: str) -> str | None:
        code = self._cells.get(column) or None
        if code is None:
            return None
        if not is_agency_code(code):
            self.add(column, f"{code!r} không phải mã cơ quan; hãy sửa", f"{code!r} is no agency code; correct it")
            return None
        form = code_form(code)
        if column == "old_code" and form not in (CodeForm.OLD, CodeForm.TRANSITIONAL) and not self._any_code:
            self.add(
                column,
                f"{code} không đúng dạng cũ (QCVN 102:2016), ví dụ 000.00.37.H53",
                f"{code} is not of the old form (QCVN 102:2016), such as 000.00.37.H53",
            )
        elif form not in FORMS and not self._any_code:
            self.add(
                column,
                f"{code} không đúng dạng mới (H53.37) hay cũ (000.00.37.H53); hãy sửa, hoặc dùng --any-code nếu môi "
                "trường này dùng mã riêng",
                f"{code} is of neither the new form (H53.37) nor the old (000.00.37.H53); correct it, or use "
                "--any-code if this environment has codes of its own",
            )
        return code

    def _day(self, column: str) -> date | None:
        text = self._cells.get(column)
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.add(column, f"{text!r} không phải ngày; hãy viết 2025-07-01", f"{text!r} is no day; write 2025-07-01")
            return None

    def _yes_or_no(self, column: str) -> bool | None:
        text = self._cells.get(column, "").lower()
        if text and text not in YES_OR_NO:
            self.add(column, f"{text!r}: hãy viết có hoặc không", f"{text!r}: write yes or no")
        return YES_OR_NO.get(text)

    def _security_level(self) -> int | None:
        text = self._cells.get("security_level")
        if not text:
            return None
        if text not in map(str, SECURITY_LEVELS):
            self.add(
                "security_level",
                f"{text!r}: cấp độ an toàn là số từ 1 đến 5 (Nghị định 85/2016/NĐ-CP)",
                f"{text!r}: a security level is a number from 1 to 5 (Decree 85/2016/NĐ-CP)",
            )
            return None
        return int(text)

    def _contacts(self, code: str) -> Iterator[ContactRow]:
        roles: tuple[tuple[Literal["clerk", "technical"], str], ...] = (("clerk", ""), ("technical", "technical_"))
        for role, prefix in roles:
            columns = [f"{prefix}{name}" for name in ("contact", "email", "phone")]
            name, email, phone = (self._text(column) for column in columns)
            if email and not MAIL.fullmatch(email):
                self.add(columns[1], f"{email!r} không phải địa chỉ thư", f"{email!r} is no address of mail")
            if email or phone:
                yield ContactRow(code, role, name, email, phone)
            elif name:
                self.add(
                    columns[0],
                    f"cần thêm {columns[1]} hoặc {columns[2]} để liên hệ được",
                    f"needs {columns[1]} or {columns[2]} as well, to be reached",
                )

    def _successor(self, code: str) -> SuccessorRow | None:
        successor, day = self._code("successor"), self._day("succeeded_on")
        if successor == code and successor:
            self.add("successor", "không thể là chính cơ quan đó", "cannot be the agency itself")
        if successor and day:
            return SuccessorRow(code, successor, day)
        if successor and not self._cells.get("succeeded_on"):
            self.add("succeeded_on", "còn trống; cần ngày sáp nhập", "is empty; the day of the merger is needed")
        if day and not successor:
            self.add("successor", "còn trống; cần mã cơ quan kế thừa", "is empty; the successor's code is needed")
        return None
