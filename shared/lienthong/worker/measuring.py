"""What a worker measures beside its handler, for Prometheus: its queues, its certificate, the payloads' disk.

Every worker of a step says the same of the step's queues, so whoever looks at several of them takes the maximum.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from cryptography import x509

from lienthong.telemetry import metrics
from lienthong.topology.names import QUARANTINE, Step, dead_queue
from lienthong.topology.plan import AGENCY_DEAD_QUEUE, step_queues
from lienthong.worker.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

__all__ = ["Measuring", "days_left"]

LOOK_SECONDS = 5.0

_BESIDES = {Step.INGEST: (QUARANTINE,), Step.ROUTER: (AGENCY_DEAD_QUEUE,)}
"""Who measures the queues that are of no step."""


class Broker(Protocol):
    """What is needed of the bus."""

    async def lengths(self, queues: Collection[str]) -> dict[str, int | None]:
        """Return how many messages stand ready in each queue; None where there is no such queue."""
        ...


class Measuring(Beside):
    """Measures again and again until its block ends.

    Args:
        step: whose queues are looked at.
        bus: where they are.
        certificate: PEM file of the certificate by which this worker connects; None when it does without.
        payload_folder: whose disk is looked at; None when this worker writes none.
        clock: the present, in seconds; only its differences count.
    """

    what = "measure"

    def __init__(
        self,
        step: Step,
        bus: Broker,
        *,
        certificate: Path | None = None,
        payload_folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues = [*step_queues(step), dead_queue(step), *_BESIDES.get(step, ())]
        self._bus, self._clock = bus, clock
        self._certificate, self._payload_folder = certificate, payload_folder
        self._empty_at: dict[str, float] = {}

    async def measure(self) -> None:
        """Measure once; raises `Unavailable` when the broker does not answer."""
        if self._payload_folder is not None:
            # A folder that is not made yet, or away, has no disk; /ready says so.
            with contextlib.suppress(OSError):
                free = (await asyncio.to_thread(shutil.disk_usage, self._payload_folder)).free
                metrics.PAYLOAD_FREE_BYTES.set(free)
        ends = await asyncio.to_thread(_end_of, self._certificate) if self._certificate else None
        metrics.CERTIFICATE_DAYS_LEFT.labels("own").set(days_left(ends, datetime.now(UTC)))
        lengths = await self._bus.lengths(self._queues)
        now = self._clock()
        for queue, length in lengths.items():
            if not length:
                self._empty_at[queue] = now
            metrics.QUEUE_MESSAGES.labels(queue).set(length or 0)
            metrics.QUEUE_BACKLOG_SECONDS.labels(queue).set(now - self._empty_at.setdefault(queue, now))

    async def _round(self) -> float:
        await self.measure()
        return LOOK_SECONDS


def days_left(ends: datetime | None, now: datetime) -> float:
    """Return how many days are left until something ends, negative when it has; infinity when it never does."""
    return math.inf if ends is None else (ends - now) / timedelta(days=1)


def _end_of(file: Path) -> datetime | None:
    # A file that is being replaced cannot be read; a connection that needs it says so.
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
