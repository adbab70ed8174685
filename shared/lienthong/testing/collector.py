"""A collector of traces: takes OTLP over HTTP and keeps what comes, for whoever wants to look at it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Collector", "Seen"]


@dataclass(frozen=True)
class Seen:
    """A span as it came.

    Attributes:
        service: who made it.
        name: what was done.
        trace: its trace.
        span: its id.
        parent: the id of the span before; empty when it has none.
        links: trace and id of each span it is linked with.
        events: what happened in it, in the order told, with the time in nanoseconds.
        begin: when it began, in nanoseconds since 1970.
        end: when it ended.
        facts: its attributes that are texts.
    """

    service: str
    name: str
    trace: UUID
    span: bytes
    parent: bytes
    links: tuple[tuple[UUID, bytes], ...]
    events: tuple[tuple[str, int], ...]
    begin: int
    end: int
    facts: dict[str, str]


class Collector:
    """Listens on a free port of this machine until its block ends, in a thread of its own.

    Attributes:
        spans: what has come so far.
        url: where, as an endpoint for OTLP.
    """

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        taken = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                self.send_response(HTTPStatus.OK)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="collector")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def of(self, trace: UUID) -> list[Seen]:
        """Return the spans of a trace, in the order of their begin."""
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.begin)


def _spans(request: ExportTraceServiceRequest) -> list[Seen]:
    found = []
    for resource in request.resource_spans:
        service = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
        found += [
            Seen(
                service,
                span.name,
                UUID(bytes=span.trace_id),
                span.span_id,
                span.parent_span_id,
                tuple((UUID(bytes=link.trace_id), link.span_id) for link in span.links),
                tuple((event.name, event.time_unix_nano) for event in span.events),
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                {one.key: one.value.string_value for one in span.attributes},
            )
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    return found
