"""What finds room in a quota, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lienthong.document.quotas import Excess, Quota, Use, admit, share_used

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
NOTHING = Use(NOW - timedelta(days=1), NOW - timedelta(days=1))
MINUTE = timedelta(minutes=1)


@given(
    st.lists(st.floats(0, 90), min_size=1, max_size=200),
    st.integers(1, 20),
)
def test_no_minute_has_more_than_twice_the_quota(gaps: list[float], limit: int) -> None:
    """However messages come, what is admitted within a minute is one full bucket and what leaked meanwhile."""
    use, now, admitted = NOTHING, NOW, []
    for gap in gaps:
        now += timedelta(seconds=gap / limit)
        use, excess = admit(use, Quota(limit), 0, now)
        if excess is None:
            admitted.append(now)
    for first in admitted:
        assert sum(first <= one < first + MINUTE for one in admitted) <= 2 * limit


@given(st.integers(1, 1000), st.integers(1, 50))
def test_there_is_room_when_it_was_said_there_would_be(limit: int, more: int) -> None:
    """All of a quota may come at once; what is refused then is admitted at the time it was told, and not before."""
    use = NOTHING
    for _ in range(limit):
        use, excess = admit(use, Quota(limit), 0, NOW)
        assert excess is None
    tried = [admit(use, Quota(limit), 0, NOW) for _ in range(more)]
    assert all(after == use for after, _ in tried), "what is refused costs nothing"
    refused = tried[0][1]
    assert refused is not None
    assert (refused.what, refused.limit, refused.used) == ("messages", limit, limit)
    assert admit(use, Quota(limit), 0, refused.retry_at - timedelta(milliseconds=1))[1] is not None
    assert admit(use, Quota(limit), 0, refused.retry_at)[1] is None


def test_megabytes_are_counted_by_the_hour() -> None:
    """Payloads fill a bucket of their own; one that is larger than the quota is admitted when nothing is used."""
    use, excess = admit(NOTHING, Quota(0, 10), 50_000_000, NOW)
    assert excess is None
    use, excess = admit(use, Quota(0, 10), 1, NOW)
    assert excess == Excess("megabytes", 10, 50, NOW + timedelta(hours=4, microseconds=360))
    assert share_used(use, NOW + timedelta(hours=4)) == 1
    assert share_used(use, NOW + timedelta(hours=5)) == 0


def test_no_limit_is_no_limit() -> None:
    """A quota of 0 refuses nothing."""
    use = NOTHING
    for first, second in pairwise([NOW] * 2000):
        use, excess = admit(use, Quota(0), 50_000_000, first)
        assert excess is None
        assert second == NOW
