"""When a target is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lienthong_notifier.breaker import FIRST, LONGEST, Breakers

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_target_that_fails_is_left_alone_longer_and_longer() -> None:
    """Three failures in a row open a circuit; a probe that fails opens it for twice as long, up to a limit."""
    breakers = Breakers()
    for _ in range(2):
        breakers.failed("a", NOW)
    assert breakers.open(NOW) == set()
    breakers.failed("a", NOW)
    breakers.failed("b", NOW)
    assert breakers.open(NOW) == {"a"}
    now = NOW + FIRST
    assert breakers.open(now) == set()
    breakers.failed("a", now)
    assert breakers.open(now + FIRST) == {"a"}
    assert breakers.open(now + 2 * FIRST) == set()
    for _ in range(2000):
        breakers.failed("a", now)
    assert breakers.open(now + LONGEST - timedelta(seconds=1)) == {"a"}
    assert breakers.open(now + LONGEST) == set()


def test_a_success_closes_it() -> None:
    """What was reached once has its three failures again."""
    breakers = Breakers()
    for _ in range(3):
        breakers.failed("a", NOW)
    breakers.succeeded("a")
    breakers.failed("a", NOW)
    assert breakers.open(NOW) == set()
