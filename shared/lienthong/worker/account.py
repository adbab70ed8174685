"""What is told of every message a worker settles: metrics for Prometheus, and log lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from lienthong.document.messages import Lane
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.topology.names import Step, returned_queue, work_queue
from lienthong.topology.plan import lanes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lienthong.worker.ladder import Input
    from lienthong.worker.settle import Settled

__all__ = ["Account"]

RETURNED = "returned"
"""Stands for a lane where messages come from what the broker took out of one."""
PHASES = ("decide", "record", "publish")
OUTCOMES = ("forwarded", "retried", "dead_lettered")
_MILESTONES = {Step.NOTIFIER: "receipt", Step.ROUTER: "delivered"}
"""Which step brings documents how far."""

log = structlog.stdlib.get_logger(__name__)


class Account:
    """Tells of one step's batches; every series that has few values is there from the begin, as zero."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._lanes: dict[str, str] = {work_queue(step, lane): lane for lane in lanes(step)}
        self._lanes[returned_queue(step)] = RETURNED
        self._log = log.bind(step=str(step))
        for queue, lane in self._lanes.items():
            metrics.TAKEN.labels(step, queue)
            metrics.STEP_SECONDS.labels(step, lane)
        for outcome in OUTCOMES:
            metrics.SETTLED.labels(step, outcome)
        for phase in PHASES:
            metrics.PHASE_SECONDS.labels(step, phase)
        metrics.BATCH_SIZE.labels(step)
        metrics.WAITING.labels(step)
        for lane in Lane:
            if step is Step.INGEST:
                metrics.PAYLOAD_BYTES.labels(lane)
            elif step in _MILESTONES:
                metrics.DOCUMENT_SECONDS.labels(_MILESTONES[step], lane)

    def settled(self, inputs: Sequence[Input], settled: Settled, seconds: Mapping[str, float]) -> None:
        """Tell of a batch.

        Args:
            inputs: its messages.
            settled: what became of them.
            seconds: how long it was in each of `PHASES`.
        """
        now = datetime.now(UTC)
        step = self._step
        metrics.BATCH_SIZE.labels(step).observe(len(inputs))
        for each in inputs:
            message = each.message
            metrics.TAKEN.labels(step, message.queue).inc()
            took = (now - message.received_at).total_seconds()
            metrics.STEP_SECONDS.labels(step, self._lanes[message.queue]).observe(took)
        for outcome in OUTCOMES:
            metrics.SETTLED.labels(step, outcome).inc(getattr(settled, outcome))
        for phase in PHASES:
            metrics.PHASE_SECONDS.labels(step, phase).observe(seconds[phase])
        self._log.info(
            Event.BATCH_SETTLED,
            size=len(inputs),
            **{outcome: getattr(settled, outcome) for outcome in OUTCOMES},
            **{f"{phase}_ms": round(seconds[phase] * 1000, 1) for phase in PHASES},
        )
