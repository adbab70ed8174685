"""On which days offices in Vietnam work: the week from Monday to Friday, public holidays, and what operators decide.

Public holidays (Labor Code 2019, Art. 112), Tết by the lunar calendar among them, days off in lieu, and the swaps that
the Government announced are the library `holidays`'; a swap that is announced later, or a decision of the day, is put
beside it by the operator (`lienthong calendar`) and counts before it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from holidays import country_holidays

from lienthong.document.zone import day_of, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["WorkingDays"]

ONE_DAY = timedelta(days=1)


class WorkingDays:
    """The calendar of working days.

    Args:
        decided: days about which an operator has decided, with whether offices work on them.
    """

    def __init__(self, decided: Mapping[date, bool] | None = None) -> None:
        self._decided = dict(decided or {})
        self._holidays = {language: country_holidays("VN", language=language) for language in ("vi", "en_US")}
        self._known: dict[date, bool] = {}

    def decide(self, decided: Mapping[date, bool]) -> None:
        """Let these be the days about which an operator has decided, and no others."""
        if decided != self._decided:
            self._decided = dict(decided)
            self._known.clear()

    def is_working(self, day: date) -> bool:
        """Tell whether offices work on a day."""
        if (known := self._known.get(day)) is None:
            known = self._known[day] = self._decided.get(day, self._holidays["vi"].is_working_day(day))
        return known

    def from_day(self, day: date) -> date:
        """Return the first working day from this one on."""
        while not self.is_working(day):
            day += ONE_DAY
        return day

    def after(self, day: date) -> date:
        """Return the first working day after this one."""
        return self.from_day(day + ONE_DAY)

    def holidays(self, year: int) -> list[tuple[date, str, str]]:
        """Return a year's public holidays and days off in lieu as the library knows them, named in vi and en."""
        first, last = date(year, 1, 1), date(year, 12, 31)
        vi, en = self._holidays["vi"], self._holidays["en_US"]
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return [(day, vi[day], en[day]) for day in days if day in vi]

    def moment(self, start: datetime, end: datetime, share: float) -> datetime:
        """Return when a share, between 0 and 1, of the time between two moments is over; days off do not count.

        Where all of it lies on days off, they do.
        """
        spans, day = [], day_of(start)
        while (dawn := moment_of(day)) < end:
            if self.is_working(day):
                spans.append((max(start, dawn), min(end, moment_of(day + ONE_DAY))))
            day += ONE_DAY
        spans = spans or [(start, end)]
        left = share * sum((until - since for since, until in spans), timedelta())
        for since, until in spans:
            if left <= until - since:
                return since + left
            left -= until - since
        return end
