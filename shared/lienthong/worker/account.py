"""What is told of every message a worker settles: metrics, a log line, a span of its document's trace."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import structlog

from lienthong.document.ids import derive
from lienthong.document.messages import Lane
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.topology.names import Step, diverted_queue, returned_queue, work_queue
from lienthong.topology.plan import lanes
from lienthong.worker.handler import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from opentelemetry.trace import Span

    from lienthong.bus.messages import Incoming
    from lienthong.telemetry.traces import Tracing
    from lienthong.worker.ladder import Input
    from lienthong.worker.settle import Settled

__all__ = ["TRACEPARENT", "Account", "Turn"]

TRACEPARENT: Final = "traceparent"
"""The header that names the span before, by W3C Trace Context."""
DIVERTED, RETURNED = "diverted", "returned"
"""Stand for a lane where messages come by no lane, or from what the broker took out of one."""
PHASES = ("decide", "record", "publish")
OUTCOMES = ("forwarded", "retried", "dead_lettered")
_MILESTONES = {Step.NOTIFIER: "receipt", Step.ROUTER: "delivered"}
"""Which step brings documents how far."""
_PUBLIC = {Step.INGEST, Step.STATUS_TRACKER}
"""The steps whose messages come from agencies."""

log = structlog.stdlib.get_logger(__name__)


class Account:
    """Tells of one step's batches; every series that has few values is there from the begin, as zero.

    Args:
        step: whose.
        tracing: where spans are made; None when nothing is traced.
    """

    def __init__(self, step: Step, tracing: Tracing | None = None) -> None:
        self.step, self.tracing = step, tracing
        self.lanes: dict[str, str] = {work_queue(step, lane): lane for lane in lanes(step)}
        self.lanes[returned_queue(step)] = RETURNED
        if step is Step.INGEST:
            self.lanes[diverted_queue(step)] = DIVERTED
        self.log = log.bind(step=str(step))
        for queue, lane in self.lanes.items():
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

    def begin(self) -> Turn:
        """Return what is to be told of a batch that begins now."""
        return Turn(self)


class Turn:
    """One batch on its way through the phases; made by `Account.begin`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._began_at = datetime.now(UTC)
        self._moments = [time.perf_counter()]
        self._documents: list[UUID | None] = []
        self._traces: list[UUID] = []
        self._spans: list[Span | None] = []

    def decided(self) -> None:
        """Note that every message is decided."""
        self._moments.append(time.perf_counter())

    def recorded(
        self, inputs: Sequence[Input], outcomes: Sequence[Outcome | Exception]
    ) -> tuple[Sequence[Input], Sequence[Outcome | Exception]]:
        """Note that the batch is recorded; returns it with what has to be handed on for its traces."""
        self._moments.append(time.perf_counter())
        self._documents = [one.document if isinstance(one, Outcome) else None for one in outcomes]
        tracing = self._account.tracing
        if tracing is None:
            return inputs, outcomes
        for each, outcome in zip(inputs, outcomes, strict=True):
            document = outcome.document if isinstance(outcome, Outcome) else None
            trace = self._trace(tracing, each.message, document)
            is_first = isinstance(outcome, Outcome) and outcome.mark is not None and outcome.mark.table == "document"
            self._traces.append(trace)
            self._spans.append(self._span(tracing, each, trace, first=is_first or document is None))
        told = [None if span is None else tracing.header_of(span) for span in self._spans]
        return (
            [each if header is None else _handed_on(each, header) for each, header in zip(inputs, told, strict=True)],
            [one if header is None else _carrying(one, header) for one, header in zip(outcomes, told, strict=True)],
        )

    def published(self, inputs: Sequence[Input], settled: Settled) -> None:
        """Tell of the batch, now that it is settled."""
        self._moments.append(time.perf_counter())
        account, now = self._account, datetime.now(UTC)
        step = account.step
        metrics.BATCH_SIZE.labels(step).observe(len(inputs))
        for place, each in enumerate(inputs):
            message = each.message
            took = max(0.0, (now - message.received_at).total_seconds())
            metrics.TAKEN.labels(step, message.queue).inc()
            metrics.STEP_SECONDS.labels(step, account.lanes[message.queue]).observe(took)
            self._tell(place, message, settled.endings[place], took)
        for outcome in OUTCOMES:
            metrics.SETTLED.labels(step, outcome).inc(getattr(settled, outcome))
        seconds = dict(zip(PHASES, (after - before for before, after in pairwise(self._moments)), strict=True))
        for phase in PHASES:
            metrics.PHASE_SECONDS.labels(step, phase).observe(seconds[phase])
        account.log.info(
            Event.BATCH_SETTLED,
            size=len(inputs),
            **{outcome: getattr(settled, outcome) for outcome in OUTCOMES},
            **{f"{phase}_ms": round(seconds[phase] * 1000, 1) for phase in PHASES},
        )
        if account.tracing is not None:
            self._end(account.tracing, settled.endings)

    def _tell(self, place: int, message: Incoming, ending: str, seconds: float) -> None:
        facts: dict[str, str | float] = {}
        if (document := self._documents[place]) is not None:
            facts["document"] = str(document)
        if self._traces:
            facts["trace"] = self._traces[place].hex
        self._account.log.info(
            Event.MESSAGE_SETTLED,
            outcome=ending,
            queue=message.queue,
            message_id=message.message_id,
            seconds=round(seconds, 4),
            attempts=message.attempts,
            **facts,
        )

    def _trace(self, tracing: Tracing, message: Incoming, document: UUID | None) -> UUID:
        # What an agency says of traces is its own affair; what was not recorded has the trace of its message.
        of_ours = None if self._account.step in _PUBLIC else tracing.trace_of(message.headers.get(TRACEPARENT))
        return document or of_ours or derive("trace", message.user_id, message.message_id)

    def _span(self, tracing: Tracing, each: Input, trace: UUID, *, first: bool) -> Span | None:
        step, message = self._account.step, each.message
        fresh = not message.delivery_count and not each.attempts
        attributes: dict[str, str | int] = {
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "process",
            "messaging.destination.name": message.queue,
            "messaging.message.id": message.message_id or "",
            "lienthong.attempts": each.attempts,
            "lienthong.delivery_count": message.delivery_count,
        }
        return tracing.begin(
            str(step),
            trace,
            message.headers.get(TRACEPARENT),
            first=first and fresh,
            at=message.received_at,
            attributes=attributes,
        )

    def _end(self, tracing: Tracing, endings: Sequence[str]) -> None:
        moments = [self._began_at + timedelta(seconds=one - self._moments[0]) for one in self._moments]
        spans = [(span, ending) for span, ending in zip(self._spans, endings, strict=True) if span is not None]
        if not spans:
            return
        events = list(zip(("decided", "recorded", "published"), moments[1:], strict=True))
        for span, ending in spans:
            tracing.end(span, events, moments[-1], {"lienthong.outcome": ending})
        phases = [(phase, *between) for phase, between in zip(PHASES, pairwise(moments), strict=True)]
        tracing.batch(f"{self._account.step} batch", [span for span, _ in spans], phases)


def _handed_on(each: Input, header: str) -> Input:
    """Return an input whose next try, if there has to be one, follows this one in the trace."""
    return replace(each, message=replace(each.message, headers={**each.message.headers, TRACEPARENT: header}))


def _carrying(outcome: Outcome | Exception, header: str) -> Outcome | Exception:
    """Return an outcome all of whose messages say which span was before."""
    if isinstance(outcome, Exception):
        return outcome
    outputs, then = (
        tuple(replace(one, headers={**one.headers, TRACEPARENT: header}) for one in messages)
        for messages in (outcome.outputs, outcome.then)
    )
    return replace(outcome, outputs=outputs, then=then)
