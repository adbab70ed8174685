"""A report before it is written in one form or another: figures, tables, and which of these are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import floor
from typing import TYPE_CHECKING, Literal, NamedTuple
from uuid import UUID

from lienthong.document.zone import VIETNAM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Bars", "Cell", "Column", "Kind", "Language", "Period", "Report", "Table", "Words", "cell_text", "printable"]

Language = Literal["vi", "en", "both"]
Cell = str | int | float | datetime | UUID | None
_NO_BREAK = "\u00a0"


class Words(NamedTuple):
    """A text in both languages."""

    vi: str
    en: str

    def shown(self, language: Language, between: str = " / ") -> str:
        """Return it in one language, or in both."""
        if language == "both":
            return self.vi if self.vi == self.en else f"{self.vi}{between}{self.en}"
        return self.vi if language == "vi" else self.en


class Kind(StrEnum):
    """What the cells of a column are."""

    TEXT = "text"
    NUMBER = "number"
    BYTES = "bytes"
    SHARE = "share"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        key: its name for programs.
        title: its heading.
        kind: what its cells are.
        names: what its values are called, where they are not shown as they are.
        summed: whether the sum of it says something.
        width: its share of the width of a page.
    """

    key: str
    title: Words
    kind: Kind = Kind.TEXT
    names: Mapping[str, Words] = field(default_factory=dict)
    summed: bool = False
    width: int = 10


@dataclass(frozen=True, slots=True)
class Bars:
    """How a table is drawn: a bar for each row, as long as one column says, named by another.

    Attributes:
        label: key of the column that names the bars.
        value: key of the column that has their lengths.
        upright: whether they stand beside one another, as times do.
        colours: of the bars, by the value of the label column; where there is none the usual one.
    """

    label: str
    value: str
    upright: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report.

    Attributes:
        key: its name for programs.
        title: its heading.
        columns: what stands in its rows.
        rows: a cell for each column.
        bars: how it is drawn; None when it is only read.
        most: so many rows are shown to people, the others summed up; None shows all. Programs get all.
        note: what a reader has to know.
    """

    key: str
    title: Words
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    bars: Bars | None = None
    most: int | None = None
    note: Words | None = None

    @property
    def totals(self) -> tuple[Cell, ...] | None:
        """The sums of the columns that are summed; None when none is."""
        return self._sums(self.rows) if self.rows and any(column.summed for column in self.columns) else None

    def shown(self) -> tuple[Sequence[Sequence[Cell]], tuple[Cell, ...] | None, int]:
        """Return the rows for people, the sums of those left out (None when none is), and how many these are."""
        if self.most is None or len(self.rows) <= self.most:
            return self.rows, None, 0
        left_out = self.rows[self.most :]
        return self.rows[: self.most], self._sums(left_out), len(left_out)

    def records(self) -> list[dict[str, Cell]]:
        """Return the rows as programs have them."""
        return [dict(zip((column.key for column in self.columns), row, strict=True)) for row in self.rows]

    def column(self, key: str) -> int:
        """Return the place of a column; raises KeyError when there is none."""
        for place, column in enumerate(self.columns):
            if column.key == key:
                return place
        raise KeyError(key)

    def _sums(self, rows: Sequence[Sequence[Cell]]) -> tuple[Cell, ...]:
        return tuple(
            sum(cell for row in rows if isinstance(cell := row[place], int)) if column.summed else None
            for place, column in enumerate(self.columns)
        )


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of Vietnam's calendar, the last one included."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """The first moment of it."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=VIETNAM)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        after = self.last + timedelta(days=1)
        return datetime(after.year, after.month, after.day, tzinfo=VIETNAM)


@dataclass(frozen=True, slots=True)
class Report:
    """A report.

    Attributes:
        key: its name for programs.
        title: its heading.
        period: what it is about.
        made_at: when the ledger was asked.
        figures: what it comes to, by name.
        figure_words: what these are called.
        tables: the main one first.
    """

    key: str
    title: Words
    period: Period
    made_at: datetime
    figures: Mapping[str, int]
    figure_words: Mapping[str, Words]
    tables: Sequence[Table]

    def table(self, key: str | None = None) -> Table:
        """Return a table by its key, the main one without; raises KeyError when there is none."""
        if key is None:
            return self.tables[0]
        return next((table for table in self.tables if table.key == key), None) or _no_table(key)


def _no_table(key: str) -> Table:
    raise KeyError(key)


def printable(text: str) -> str:
    """Return a stranger's text without what does not print: no terminal, page or spreadsheet is steered by it."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def number_text(number: int) -> str:
    """Return a whole number as both languages read it: the thousands apart."""
    return f"{number:,}".replace(",", _NO_BREAK)


def cell_text(column: Column, value: Cell, language: Language, between: str = " / ") -> str:
    """Return a cell as people read it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(VIETNAM):%Y-%m-%d %H:%M}"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str):
        named = column.names.get(value)
        return named.shown(language, between) if named else printable(value)
    if column.kind is Kind.SHARE:
        # Never more than it is: one of many that was late is not "100 %" in time.
        return f"{floor(round(value * 100, 6))}{_NO_BREAK}%"
    if column.kind is Kind.BYTES:
        return _bytes_text(value)
    return number_text(int(value))


def _bytes_text(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:  # noqa: PLR2004 - what the units are made of
            return f"{number:.0f}{_NO_BREAK}B" if unit == "B" else f"{number:.1f}{_NO_BREAK}{unit}"
        number /= 1024
    return f"{number:.1f}{_NO_BREAK}TiB"
