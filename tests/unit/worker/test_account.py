"""What is told of settled messages: one line each, and one trace of a document whatever befalls it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.errors import Unavailable
from lienthong.ledger.rows import Mark
from lienthong.telemetry.events import Event
from lienthong.telemetry.traces import Tracing
from lienthong.testing.collector import Collector
from lienthong.topology.names import WORK, Step, work_queue
from lienthong.topology.rights import worker_user
from lienthong.worker.account import TRACEPARENT, Account
from lienthong.worker.handler import Outcome
from lienthong.worker.ladder import Input, Ladder
from lienthong.worker.settle import Settled

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT = UUID("0f0e0d0c-0b0a-5908-8706-05040302f1ff")
OUTPUT = Outgoing(WORK, "router", "1", b"{}")
FORWARDED = Outcome((OUTPUT,), Mark("document", DOCUMENT), then=(OUTPUT,), document=DOCUMENT)


def incoming(step: Step) -> Incoming:
    """Return a message of a step, as it was first published."""
    return Incoming(
        work_queue(step), 1, b"{}", "m", "H01", "", {}, None, None, delivery_count=0, received_at=datetime.now(UTC)
    )


def settle(
    account: Account, tried: Input, outcome: Outcome | Exception, ending: str
) -> tuple[Input, Outcome | Exception]:
    """Lead one message through a batch of its own; return it and its outcome as they are handed on."""
    turn = account.begin()
    turn.decided()
    (given,), (handed,) = turn.recorded([tried], [outcome])
    turn.published([given], Settled(endings=[ending]))
    return given, handed


def headers(outcome: Outcome | Exception) -> Sequence[str]:
    """Return the `traceparent` of everything that leaves."""
    assert isinstance(outcome, Outcome)
    return [str(one.headers.get(TRACEPARENT)) for one in (*outcome.outputs, *outcome.then)]


def test_a_retry_goes_on_in_the_same_trace() -> None:
    """The first step begins the document's trace, the ladder keeps it, and the retry follows the try before it."""
    with Collector() as collector:
        tracing = Tracing("test", collector.url, 1.0)
        _, forwarded = settle(Account(Step.INGEST, tracing), Input(incoming(Step.INGEST), 0), FORWARDED, "forwarded")
        (header,) = set(headers(forwarded))
        verify, step = Account(Step.SIGNATURE_VERIFY, tracing), Step.SIGNATURE_VERIFY
        ladder = Ladder(step, worker_user(step))
        message = replace(incoming(step), headers={TRACEPARENT: header})
        error = Unavailable("away")
        tried, _ = settle(verify, Input(message, 0), error, "retried")
        climbed = ladder.climb(tried, error).output
        again = ladder.restore(replace(message, headers=climbed.headers, user_id=climbed.user_id))
        settle(verify, again, FORWARDED, "forwarded")
        tracing.close()
        ingest, first, second = collector.of(DOCUMENT)
    assert (ingest.name, first.name, second.name) == ("ingest", "signature-verify", "signature-verify")
    assert (ingest.parent, first.parent, second.parent) == (b"", ingest.span, first.span)
    assert [span.facts["lienthong.outcome"] for span in (ingest, first, second)] == [
        "forwarded",
        "retried",
        "forwarded",
    ]


def test_what_is_not_traced_is_left_as_it_is() -> None:
    """Without traces, or for a document that is not among those traced, messages are the very same objects."""
    with Collector() as collector:
        none = Tracing("test", collector.url, 0.0)
        for tracing in (None, none):
            tried = Input(incoming(Step.INGEST), 0)
            given, handed = settle(Account(Step.INGEST, tracing), tried, FORWARDED, "forwarded")
            assert given is tried
            assert handed is FORWARDED
        none.close()
        assert collector.spans == []


def test_each_message_has_one_line() -> None:
    """The line names step, queue, message, document, how it ended and how long it took."""
    with structlog.testing.capture_logs() as lines:
        settle(Account(Step.ROUTER), Input(incoming(Step.ROUTER), 2), FORWARDED, "forwarded")
    (line,) = (one for one in lines if one["event"] == Event.MESSAGE_SETTLED)
    assert line.pop("seconds") >= 0
    assert line == {
        "event": Event.MESSAGE_SETTLED,
        "log_level": "info",
        "step": "router",
        "outcome": "forwarded",
        "queue": "work.router",
        "message_id": "m",
        "document": str(DOCUMENT),
        "attempts": 0,
    }
