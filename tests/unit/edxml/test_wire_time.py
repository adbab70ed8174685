"""Days and moments of the wire."""

from __future__ import annotations

import datetime as dt

import pytest

from lienthong.edxml.wire_time import is_unset, read_day, read_moment, whole_seconds, write_day, write_moment


def test_moments_are_vietnamese_on_the_wire_and_utc_inside() -> None:
    """The wire has no zone and means Vietnam's; inside, moments are UTC."""
    moment = read_moment("2026/11/20 05:09:10")
    assert moment == dt.datetime(2026, 11, 19, 22, 9, 10, tzinfo=dt.UTC)
    assert moment.tzinfo is dt.UTC
    assert write_moment(moment) == "2026/11/20 05:09:10"


def test_a_day_alone_is_its_midnight_in_vietnam() -> None:
    """Some senders leave the time of day out."""
    assert write_moment(read_moment("2026/11/20")) == "2026/11/20 00:00:00"


@pytest.mark.parametrize(
    "text",
    [
        "20/11/2026",
        "2026-11-20",
        "2026/02/30",
        "2026/13/01",
        "2026/11/20 ",
        "26/11/20",
        "2026/11/20 08:00:00",
        "٢٠٢٦/11/20",
    ],
)
def test_no_other_writing_of_a_day_is_guessed(text: str) -> None:
    """A day of another order, or one that does not exist, is reported and never read as some day."""
    with pytest.raises(ValueError, match=r"\S"):
        read_day(text)


@pytest.mark.parametrize(
    "text",
    ["20/11/2026 08:00:00", "2026/11/20T08:00:00", "2026/11/20 24:00:00", "2026/02/30 08:00:00", "0001/01/01 00:30:00"],
)
def test_no_other_writing_of_a_moment_is_guessed(text: str) -> None:
    """Neither is a moment; nor one before the calendar of UTC begins."""
    with pytest.raises(ValueError, match=r"\S"):
        read_moment(text)


def test_days_are_written_with_four_digits_of_year() -> None:
    """Every day that can be built can be written and read again."""
    assert write_day(dt.date(987, 1, 2)) == "0987/01/02"
    assert read_day("0987/01/02") == dt.date(987, 1, 2)
    assert read_day("2026/1/2") == dt.date(2026, 1, 2)


def test_the_first_day_of_dot_net_means_no_day() -> None:
    """DateTime.MinValue is how .NET programs write that they know no date."""
    assert is_unset("0001/01/01")
    assert is_unset("0001/01/01 00:00:00")
    assert not is_unset("2001/01/01")


def test_moments_need_a_zone_and_lose_their_microseconds() -> None:
    """A moment without a zone would be read differently on every machine; the wire has whole seconds."""
    moment = dt.datetime(2026, 11, 20, 8, 9, 10, 999_999, tzinfo=dt.timezone(dt.timedelta(hours=7)))
    assert whole_seconds(moment) == dt.datetime(2026, 11, 20, 1, 9, 10, tzinfo=dt.UTC)
    assert whole_seconds(None) is None
    with pytest.raises(ValueError, match="zone"):
        whole_seconds(dt.datetime(2026, 11, 20))  # noqa: DTZ001 - the mistake under test
    with pytest.raises(ValueError, match="calendar"):
        whole_seconds(dt.datetime(9999, 12, 31, 23, tzinfo=dt.UTC))
