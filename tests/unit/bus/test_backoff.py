"""Delays between attempts."""

from __future__ import annotations

from lienthong.bus.backoff import Backoff


def test_delays_double_up_to_the_limit_within_their_jitter() -> None:
    """Each delay is half to one and a half times its nominal length, which doubles and then stays at the limit."""
    backoff = Backoff(first=1.0, most=4.0)
    delays = [backoff.next() for _ in range(5)]
    for delay, nominal in zip(delays, (1.0, 2.0, 4.0, 4.0, 4.0), strict=True):
        assert nominal * 0.5 <= delay <= nominal * 1.5


def test_a_success_starts_over() -> None:
    """After a success the shortest delay comes again."""
    backoff = Backoff(first=0.1, most=10.0)
    for _ in range(6):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 0.15
