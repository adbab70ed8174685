"""Days and moments as edXML writes them: ``yyyy/MM/dd[ HH:mm:ss]``, in Vietnam's time, without a zone.

The national SDK misreads every other order of day and month without a word, so none is guessed here.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import overload

from lienthong.document.zone import VIETNAM

__all__ = ["VIETNAM", "is_unset", "read_day", "read_moment", "whole_seconds", "write_day", "write_moment"]

_DAY = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})")
_MOMENT = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
_UNSET = re.compile(r"0001[/-]01[/-]01(?:[ T]00:00:00)?")


def is_unset(text: str) -> bool:
    """Tell whether this is the first moment of .NET's calendar, which its programs write for "no date"."""
    return _UNSET.fullmatch(text) is not None


def read_day(text: str) -> dt.date:
    """Return a day of the wire; raises ValueError when it is written otherwise or does not exist."""
    if (found := _DAY.fullmatch(text)) is None:
        raise ValueError(text)
    year, month, day = map(int, found.groups())
    return dt.date(year, month, day)


def read_moment(text: str) -> dt.datetime:
    """Return a moment of the wire in UTC; a day alone is its midnight.

    Raises:
        ValueError: it is written otherwise or does not exist.
    """
    if (found := _MOMENT.fullmatch(text)) is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(group or 0) for group in found.groups())
    try:
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=VIETNAM).astimezone(dt.UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def write_day(day: dt.date) -> str:
    """Return a day as the wire has it."""
    return f"{day.year:04}/{day.month:02}/{day.day:02}"


def write_moment(moment: dt.datetime) -> str:
    """Return an aware moment as the wire has it, in Vietnam's time."""
    local = moment.astimezone(VIETNAM)
    return f"{write_day(local)} {local:%H:%M:%S}"


@overload
def whole_seconds(moment: dt.datetime) -> dt.datetime: ...
@overload
def whole_seconds(moment: None) -> None: ...
def whole_seconds(moment: dt.datetime | None) -> dt.datetime | None:
    """Return a moment as the model keeps it: in UTC, with whole seconds.

    Raises:
        ValueError: it has no zone, or no place in Vietnam's calendar.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone: the wire's times are Vietnam's, the model's are UTC")
    try:
        moment.astimezone(VIETNAM)
        return moment.replace(microsecond=0).astimezone(dt.UTC)
    except OverflowError as error:
        raise ValueError(f"{moment} has no place in the calendar") from error
