"""What a worker measures beside its handler."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from lienthong.topology.names import Step
from lienthong.worker.measuring import Measuring, days_left

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class Broker:
    """Says how long queues are, as it is told to."""

    def __init__(self) -> None:
        self.length: int | None = 0

    async def lengths(self, queues: Collection[str]) -> dict[str, int | None]:
        """Return the same for each queue."""
        return dict.fromkeys(queues, self.length)


def measured(name: str, **labels: str) -> float | None:
    """Return what Prometheus would read."""
    return REGISTRY.get_sample_value(name, labels)


async def test_a_backlog_is_as_old_as_the_queue_was_last_empty(tmp_path: Path) -> None:
    """What stands in a queue cannot be older than the moment at which that was seen empty, and begins anew with it."""
    now = [100.0]
    broker = Broker()
    measuring = Measuring(Step.ROUTER, broker, payload_folder=tmp_path, clock=lambda: now[0])
    seen = []
    for length in (0, 3, 5, 0, 2, None):
        broker.length = length
        await measuring.measure()
        seen.append(measured("lienthong_queue_backlog_seconds", queue="work.router.urgent"))
        now[0] += 10
    assert seen == [0, 10, 20, 0, 10, 0]
    assert measured("lienthong_queue_messages", queue="dead.router") == 0
    assert measured("lienthong_payload_free_bytes")


def test_days_are_left_until_something_ends() -> None:
    """Half a day is a half, the past is negative, and what never ends has infinitely many days."""
    now = datetime(2026, 1, 10, tzinfo=UTC)
    assert days_left(now + timedelta(hours=12), now) == 0.5
    assert days_left(now - timedelta(days=2), now) == -2
    assert days_left(None, now) == inf
