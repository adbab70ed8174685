"""The retry ladder: where a failed message goes, and whom to believe when it comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.errors import Unavailable
from lienthong.topology.names import Header, Step
from lienthong.worker.ladder import Input, Ladder, LadderHeader, LethalError

LADDER = Ladder(Step.INGEST, "exchange")
AWAY = Unavailable("the store is away")
SUBMITTED = Incoming(
    queue="work.ingest.urgent",
    tag=7,
    body=b"<edXML/>",
    message_id="id-1",
    user_id="H23.1",
    routing_key="document.urgent",
    headers={Header.SHA256: "ab" * 32, "x-death": [{}], "mine": "unknown"},
    content_type="application/xml",
    type="document",
    delivery_count=2,
    received_at=datetime.now(UTC),
)


def back(output: Outgoing) -> Incoming:
    """Return what the broker delivers after a rung: same properties, from the work exchange."""
    return replace(
        SUBMITTED,
        tag=99,
        message_id=output.message_id,
        user_id=output.user_id,
        routing_key=output.routing_key,
        headers=dict(output.headers),
        content_type=output.content_type,
        type=output.type,
        delivery_count=0,
    )


def test_unavailable_climbs_every_rung_and_is_then_dead_lettered_with_the_reason() -> None:
    """One rung after the other, back to the lane it came from; then among the dead letters of its step."""
    tried, seen = Input(SUBMITTED, 0), []
    while True:
        climb = LADDER.climb(tried, AWAY)
        seen.append((climb.output.exchange, climb.output.routing_key, climb.seconds))
        if climb.seconds is None:
            break
        tried = LADDER.restore(back(climb.output))
    assert seen == [
        ("retry.0.5s", "ingest.urgent", 0.5),
        ("retry.10s", "ingest.urgent", 10),
        ("retry.60s", "ingest.urgent", 60),
        ("retry.600s", "ingest.urgent", 600),
        ("dead", "ingest", None),
    ]
    headers = climb.output.headers
    assert headers[Header.REASON] == "Unavailable: the store is away"
    assert (headers[Header.ATTEMPT], headers[LadderHeader.QUEUE]) == (5, "work.ingest.urgent")
    assert climb.output.body == SUBMITTED.body


def test_a_bug_is_tried_on_the_first_rung_three_times() -> None:
    """What nobody foresaw seldom passes by waiting: three short retries, then an operator looks."""
    seconds, tried = [], Input(SUBMITTED, 0)
    for _ in range(4):
        climb = LADDER.climb(tried, KeyError("x"))
        seconds.append(climb.seconds)
        tried = LADDER.restore(back(climb.output))
    assert seconds == [0.5, 0.5, 0.5, None]


def test_what_kills_its_worker_is_not_tried_again() -> None:
    """It was tried alone already, and each further try costs a process: straight to the dead letters."""
    climb = LADDER.climb(Input(SUBMITTED, 0), LethalError("the worker died"))
    assert (climb.output.exchange, climb.seconds) == ("dead", None)
    assert climb.output.headers[Header.REASON] == "LethalError: the worker died"


def test_a_message_comes_back_as_its_sender_published_it() -> None:
    """Sender, id, key and the headers of the contract survive the ladder, however often."""
    once = LADDER.restore(back(LADDER.climb(Input(SUBMITTED, 0), AWAY).output))
    twice = LADDER.restore(back(LADDER.climb(once, AWAY).output))
    assert (once.attempts, twice.attempts) == (1, 2)
    for restored in (once.message, twice.message):
        assert (restored.user_id, restored.message_id, restored.routing_key) == ("H23.1", "id-1", "document.urgent")
        assert (restored.content_type, restored.type) == ("application/xml", "document")
        assert restored.headers == {Header.SHA256: "ab" * 32}
        assert (restored.queue, restored.tag) == ("work.ingest.urgent", 99)


def test_what_was_absent_stays_absent() -> None:
    """A message without user or id has none after a retry either: it is not to be taken for ours."""
    nameless = replace(SUBMITTED, user_id=None, message_id=None)
    output = LADDER.climb(Input(nameless, 0), AWAY).output
    assert output.user_id == "exchange"
    assert output.message_id
    restored = LADDER.restore(back(output)).message
    assert (restored.user_id, restored.message_id) == (None, None)


@pytest.mark.parametrize(("key", "lane"), [("H23.document", "ingest"), ("H23.document.urgent", "ingest.urgent")])
def test_what_was_diverted_comes_back_to_its_lane(key: str, lane: str) -> None:
    """One queue takes in what would have come by two lanes; its sender's key says by which."""
    diverted = replace(SUBMITTED, queue="work.ingest.diverted", routing_key=key)
    assert LADDER.climb(Input(diverted, 0), AWAY).output.routing_key == lane


@pytest.mark.parametrize("user", ["H23.1", None])
def test_only_our_own_retries_are_believed(user: str | None) -> None:
    """An agency that writes the ladder's headers gains neither another name nor an attempt."""
    forged = replace(
        SUBMITTED, user_id=user, headers={Header.ATTEMPT: 99, LadderHeader.USER: "G22", LadderHeader.KEY: "status"}
    )
    restored = LADDER.restore(forged)
    assert restored.attempts == 0
    assert (restored.message.user_id, restored.message.routing_key) == (user, "document.urgent")


def test_a_message_of_ours_that_was_never_retried_is_left_alone() -> None:
    """A worker's own publish carries our user and is no retry."""
    ours = replace(SUBMITTED, user_id="exchange")
    assert LADDER.restore(ours) == Input(ours, 0)


def test_headers_filled_to_the_brim_do_not_stop_a_retry() -> None:
    """What climbs is bounded in size, whatever its sender wrote: all headers have to fit into one frame."""
    full = replace(SUBMITTED, headers={Header.DOCUMENT_ID: "x" * 100_000, **{f"h{n}": "x" * 100 for n in range(900)}})
    output = LADDER.climb(Input(full, 0), Unavailable("y" * 100_000)).output
    assert sum(len(name) + len(str(value)) for name, value in output.headers.items()) < 2000
