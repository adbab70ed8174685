"""When what is not known yet is judged again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lienthong_signature_verify.judgement import again_at

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


def waits(hold: timedelta | None, count: int) -> list[float]:
    """Return the seconds between the first judgements."""
    now, found = NOW, []
    for _ in range(count):
        following = again_at(NOW, now, None if hold is None else NOW + hold)
        found.append((following - now).total_seconds())
        now = following
    return found


def test_waits_grow_while_it_is_held() -> None:
    """Ten seconds, then three times as long in all each time, ten minutes at the most."""
    assert waits(timedelta(hours=4), 7) == [10, 20, 60, 180, 540, 600, 600]


def test_what_was_delivered_is_judged_daily_at_last() -> None:
    """An authority that never answers does not cost more and more."""
    assert waits(None, 20)[-1] == timedelta(days=1).total_seconds()


@pytest.mark.parametrize("minutes", [1, 7, 60, 240])
def test_the_end_of_a_hold_is_not_missed(minutes: int) -> None:
    """One of the judgements falls on the moment the hold ends; a clock that is behind is asked soon again."""
    end, now = NOW + timedelta(minutes=minutes), NOW
    while now < end:
        following = again_at(NOW, now, end)
        assert now < following <= end
        now = following
    assert now == end
    assert again_at(NOW, now, end) - now <= timedelta(seconds=10)
