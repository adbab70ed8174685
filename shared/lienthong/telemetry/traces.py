"""Traces by OpenTelemetry: one for each document, whose trace id is the document's own id.

So every step finds the trace by itself, also where nothing was handed on: for a status that its receiver reports weeks
later, for a deadline, after a restart. What is handed on, in the header ``traceparent`` of W3C Trace Context, says
which span was before. A stranger's trace is never continued, only linked: else it could write into ours.

Nothing imports this module unless traces are wanted, since OpenTelemetry is an extra (``traces``) and not small.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import lienthong

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from opentelemetry.trace import Span, SpanContext

__all__ = ["Tracing"]

TRACEPARENT: Final = "traceparent"
EXPORT_SECONDS = 2.0
"""How long a collector may take for a batch of spans; what it does not take then is given up."""
_SAMPLED = api.TraceFlags(api.TraceFlags.SAMPLED)
_CHANCE_BITS = 32
_PROPAGATOR = TraceContextTextMapPropagator()


class _Ids(RandomIdGenerator):
    """Makes ids by chance, but for a span that is given its own."""

    def __init__(self) -> None:
        self.trace_id: int | None = None
        self.span_id: int | None = None

    def generate_trace_id(self) -> int:
        """Return a trace's id."""
        given, self.trace_id = self.trace_id, None
        return super().generate_trace_id() if given is None else given

    def generate_span_id(self) -> int:
        """Return a span's id."""
        given, self.span_id = self.span_id, None
        return super().generate_span_id() if given is None else given

    def is_trace_id_random(self) -> bool:
        """Tell that ids are not all by chance."""
        return False


class Tracing:
    """Makes the spans of one process and sends them to a collector in the background.

    Args:
        service: the name under which its spans are found.
        endpoint: base URL of a collector that takes OTLP over HTTP.
        ratio: which share of documents is traced, the same ones by all workers.
    """

    def __init__(self, service: str, endpoint: str, ratio: float) -> None:
        self._ids, self._ratio = _Ids(), ratio
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.version": lienthong.__version__}),
            id_generator=self._ids,
            sampler=ALWAYS_ON,
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("lienthong", lienthong.__version__)

    def close(self) -> None:
        """Send what is left, and end; may take twice `EXPORT_SECONDS`."""
        self._provider.shutdown()

    def begin(
        self,
        name: str,
        trace: UUID,
        header: object,
        *,
        first: bool,
        at: datetime,
        attributes: Mapping[str, str | int],
    ) -> Span | None:
        """Begin a span of a document's trace.

        Args:
            name: what is done.
            trace: the trace, by the id of the document.
            header: what the message has as ``traceparent``, whoever wrote that.
            first: whether this is the span with which the trace begins.
            at: when it began, UTC.
            attributes: what it is about.

        Returns:
            The span, to be ended by `end`; None when this document is not traced.
        """
        # The last bits of an id are those of a digest, as good as by chance.
        if (trace.int % 2**_CHANCE_BITS) >= self._ratio * 2**_CHANCE_BITS:
            return None
        beginning = api.SpanContext(trace.int, _first_span(trace), is_remote=True, trace_flags=_SAMPLED)
        told, links = _told(header), []
        if told is not None and told.trace_id == trace.int:
            beginning, first = told, False
        elif told is not None:
            links.append(api.Link(told))
        context = Context()
        if first:
            self._ids.trace_id, self._ids.span_id = beginning.trace_id, beginning.span_id
        else:
            context = api.set_span_in_context(api.NonRecordingSpan(beginning), context)
        return self._tracer.start_span(
            name,
            context,
            kind=api.SpanKind.CONSUMER,
            attributes=attributes,
            links=links,
            start_time=_nanoseconds(at),
        )

    def batch(self, name: str, spans: Iterable[Span], phases: Sequence[tuple[str, datetime, datetime]]) -> None:
        """Tell of a batch, linked to the spans of its messages: a span for each phase, with its begin and end."""
        links = [api.Link(span.get_span_context()) for span in spans]
        whole = self._tracer.start_span(name, Context(), links=links, start_time=_nanoseconds(phases[0][1]))
        inside = api.set_span_in_context(whole, Context())
        for phase, begin, ended in phases:
            self._tracer.start_span(phase, inside, start_time=_nanoseconds(begin)).end(_nanoseconds(ended))
        whole.end(_nanoseconds(phases[-1][2]))

    @staticmethod
    def end(span: Span, events: Iterable[tuple[str, datetime]], at: datetime, attributes: Mapping[str, str]) -> None:
        """End a span, with what happened in it and when."""
        for event, moment in events:
            span.add_event(event, timestamp=_nanoseconds(moment))
        span.set_attributes(attributes)
        span.end(_nanoseconds(at))

    @staticmethod
    def header_of(span: Span) -> str:
        """Return what says by `TRACEPARENT` that this span was before."""
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    @staticmethod
    def trace_of(header: object) -> UUID | None:
        """Return the trace that a header names."""
        told = _told(header)
        return None if told is None else UUID(int=told.trace_id)


def _told(header: object) -> SpanContext | None:
    if not isinstance(header, str):
        return None
    context = api.get_current_span(_PROPAGATOR.extract({TRACEPARENT: header}, Context())).get_span_context()
    return context if context.is_valid else None


def _first_span(trace: UUID) -> int:
    """Return the id of the span with which a trace begins, which later ones may have to name."""
    return int.from_bytes(sha256(trace.bytes).digest()[:8]) or 1


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
