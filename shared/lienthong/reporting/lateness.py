"""How far the law's deadlines were kept: by clock, by agency, and what was late longest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lienthong.document.deadline_words import CLOCK_WORDS
from lienthong.reporting.model import Bars, Column, Kind, Report, Table, Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from lienthong.ledger.lateness import Lateness, Punctuality
    from lienthong.reporting.model import Cell, Period

__all__ = ["FIGURES", "deadlines_report"]

FIGURES: Mapping[str, Words] = {
    "due": Words("Đến hạn", "Due"),
    "in_time": Words("Đúng hạn", "In time"),
    "late": Words("Muộn", "Late"),
    "overdue": Words("Quá hạn, chưa làm", "Overdue, not done"),
    "running": Words("Chưa đến hạn", "Still running"),
}
CLOCKS = {str(clock): Words(*words) for clock, words in CLOCK_WORDS.items()}
MOST_SHOWN = 100
SECONDS_AN_HOUR = 3600


def deadlines_report(found: Lateness, period: Period, made_at: datetime) -> Report:
    """Return how the deadlines that fell into a period were kept; every table adds up to the figures."""
    totals = _sums(found.counts)
    clocks = {clock: _sums(one for one in found.counts if one.clock == clock) for clock in CLOCKS}
    agencies = {code: _sums(one for one in found.counts if one.agency == code) for code in found.names}
    # Who is latest comes first: that is what the list is for.
    ranked = sorted(agencies.items(), key=lambda item: (-item[1]["late"] - item[1]["overdue"], item[0]))
    return Report(
        "deadlines",
        Words("Thực hiện thời hạn", "Deadlines"),
        period,
        made_at,
        totals,
        FIGURES,
        (
            Table(
                "agencies",
                Words("Theo cơ quan", "By agency"),
                (
                    Column("code", Words("Mã", "Code"), width=8),
                    Column("name", Words("Cơ quan phải làm", "Who had to act"), width=30),
                    *_columns(),
                ),
                [(code, found.names[code], *_cells(sums)) for code, sums in ranked],
                most=MOST_SHOWN,
            ),
            Table(
                "clocks",
                Words("Theo thời hạn", "By deadline"),
                (Column("clock", Words("Thời hạn", "Deadline"), names=CLOCKS, width=26), *_columns()),
                [(clock, *_cells(sums)) for clock, sums in clocks.items()],
                Bars("clock", "due"),
            ),
            _worst(found),
        ),
    )


def _worst(found: Lateness) -> Table:
    return Table(
        "worst",
        Words("Muộn nhất", "Longest late"),
        (
            Column("agency", Words("Cơ quan", "Agency"), width=8),
            Column("clock", Words("Thời hạn", "Deadline"), names=CLOCKS, width=24),
            Column("due_at", Words("Hạn", "Due"), Kind.MOMENT, width=13),
            Column("met_at", Words("Làm lúc", "Done at"), Kind.MOMENT, width=13),
            Column("hours", Words("Muộn, giờ", "Late, hours"), Kind.NUMBER, width=8),
            Column("sender", Words("Bên gửi", "Sender"), width=8),
            Column("number", Words("Số, ký hiệu", "Number"), width=13),
            Column("document", Words("Mã trên trục", "On the exchange"), width=33),
            Column("evidence", Words("Trạng thái làm căn cứ", "The status that proves it"), width=33),
        ),
        [
            (
                one.agency,
                one.clock,
                one.due_at,
                one.met_at,
                one.seconds // SECONDS_AN_HOUR,
                one.sender,
                one.number,
                one.document,
                one.evidence,
            )
            for one in found.worst
        ],
        most=MOST_SHOWN,
        note=Words(
            "Xem toàn bộ: lienthong document show MÃ. Hạn tính theo ngày làm việc của Việt Nam.",
            "For all of it: lienthong document show ID. Deadlines are reckoned by Vietnam's working days.",
        ),
    )


def _columns() -> tuple[Column, ...]:
    numbers = (Column(key, words, Kind.NUMBER, summed=True) for key, words in FIGURES.items())
    return (*numbers, Column("share", Words("Tỷ lệ đúng hạn", "Share in time"), Kind.SHARE))


def _sums(counts: Iterable[Punctuality]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in counts:
        sums.update({key: getattr(one, key) for key in FIGURES})
    return {key: sums[key] for key in FIGURES}


def _cells(sums: Mapping[str, int]) -> list[Cell]:
    over = sums["due"] - sums["running"]
    return [*sums.values(), sums["in_time"] / over if over else None]
