"""Vietnam's zone, in which days begin and end and documents are dated (Decision 28/2018/QĐ-TTg, Art. 14.4)."""

from __future__ import annotations

import datetime as dt

__all__ = ["VIETNAM", "day_of", "moment_of"]

VIETNAM = dt.timezone(dt.timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam has had UTC+7 all year since 1975; whatever is exchanged here is younger."""


def day_of(moment: dt.datetime) -> dt.date:
    """Return which day it is in Vietnam at an aware moment."""
    return moment.astimezone(VIETNAM).date()


def moment_of(day: dt.date, hour: int = 0) -> dt.datetime:
    """Return the moment, in UTC, at which it is so late on a day in Vietnam; its beginning when no hour is given."""
    return dt.datetime.combine(day, dt.time(hour), VIETNAM).astimezone(dt.UTC)
