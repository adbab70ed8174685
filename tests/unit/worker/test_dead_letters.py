"""What is kept of a dead letter: its message as it was published, where it goes back to, and why it is here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.errors import Unavailable
from lienthong.topology.names import Header, Step
from lienthong.worker.dead_letters import dead_letter_row
from lienthong.worker.ladder import Input, Ladder, LadderHeader

OURS = "exchange"
SUBMITTED = Incoming(
    queue="work.ingest.urgent",
    tag=7,
    body=b"<edXML/>",
    message_id="id-1",
    user_id="H23.1",
    routing_key="document.urgent",
    headers={Header.SHA256: "ab" * 32},
    content_type="application/xml",
    type=None,
    delivery_count=0,
    received_at=datetime.now(UTC),
)


def dead(output: Outgoing) -> Incoming:
    """Return what stands in the dead-letter queue of a step after the last rung."""
    return replace(
        SUBMITTED,
        queue=f"dead.{output.routing_key}",
        message_id=output.message_id,
        user_id=output.user_id,
        routing_key=output.routing_key,
        headers=dict(output.headers),
    )


def died(message: Incoming, *deaths: tuple[str, str]) -> Incoming:
    """Return a message that the broker itself made a dead letter of ingest."""
    entries = [{"queue": queue, "reason": reason} for queue, reason in deaths]
    headers: dict[str, object] = {**message.headers, "x-death": entries}
    return replace(message, queue="dead.ingest", routing_key="ingest", headers=headers)


def test_a_worker_s_dead_letter_is_the_message_as_its_sender_published_it() -> None:
    """Sender, id, key and lane come from what our own worker wrote; so do the reason and the attempts."""
    output = Ladder(Step.INGEST, OURS).climb(Input(SUBMITTED, 4), Unavailable("the store is away")).output
    row = dead_letter_row(dead(output), OURS)
    assert (row.step, row.queue, row.user_name, row.message_id) == ("ingest", "work.ingest.urgent", "H23.1", "id-1")
    assert (row.routing_key, row.reason, row.attempts) == (
        "document.urgent",
        "Unavailable: the store is away",
        5,
    )
    assert row.headers == {Header.SHA256: "ab" * 32}
    assert dead_letter_row(dead(output), OURS) == row


def test_a_dead_letter_the_broker_made_goes_back_to_its_lane() -> None:
    """Without a word of ours the broker's own list of deaths says the reason and the lane."""
    row = dead_letter_row(
        died(SUBMITTED, ("work.ingest.returned", "delivery_limit"), ("work.ingest.urgent", "expired")), OURS
    )
    assert (row.queue, row.user_name, row.attempts) == ("work.ingest.urgent", "H23.1", 0)
    assert row.reason == "RabbitMQ: delivery_limit (work.ingest.returned)"


def test_an_agency_s_word_about_where_a_message_came_from_is_not_taken() -> None:
    """Headers of the ladder written by somebody else give neither another sender nor a reason nor another step."""
    forged: dict[str, object] = {
        Header.ATTEMPT: 1,
        Header.REASON: "lies",
        LadderHeader.USER: "G22",
        LadderHeader.MESSAGE_ID: "other",
        LadderHeader.QUEUE: "work.router",
    }
    row = dead_letter_row(died(replace(SUBMITTED, headers=forged), ("work.ingest", "delivery_limit")), OURS)
    assert (row.queue, row.user_name, row.message_id) == ("work.ingest", "H23.1", "id-1")
    assert (row.reason, row.attempts, row.headers) == ("RabbitMQ: delivery_limit (work.ingest)", 0, {})


def test_nobody_takes_back_what_is_in_quarantine() -> None:
    """A message whose sender is not known has nowhere to go, and keeps the reason it was put aside for."""
    row = dead_letter_row(
        replace(SUBMITTED, queue="quarantine", user_id=None, headers={Header.REASON: "no user_id"}), OURS
    )
    assert (row.step, row.queue, row.user_name, row.reason) == ("quarantine", None, None, "no user_id")


@pytest.mark.parametrize("queue", ["agency.H23.delivery", "agency.H23.1.status"])
def test_an_agency_s_dead_letter_goes_back_to_its_queue(queue: str) -> None:
    """The broker's list of deaths says which of an agency's queues it stood in."""
    message = replace(died(SUBMITTED, (queue, "delivery_limit")), queue="dead.agency")
    assert (dead_letter_row(message, OURS).step, dead_letter_row(message, OURS).queue) == ("agency", queue)
    other = replace(died(SUBMITTED, ("work.ingest", "delivery_limit")), queue="dead.agency")
    assert dead_letter_row(other, OURS).queue is None


def test_the_document_is_known_where_our_own_workers_name_it() -> None:
    """Between workers a message names its document; whatever else a body holds is left alone."""
    document = uuid4()
    message = replace(SUBMITTED, queue="dead.router", user_id=None)
    assert dead_letter_row(replace(message, body=f'{{"document": "{document}"}}'.encode()), OURS).document == document
    for body in (b"[]", b'{"document": 1}', b"\xff", b'{"document": null}', b"{}"):
        assert dead_letter_row(replace(message, body=body), OURS).document is None


def test_a_stranger_s_headers_of_any_kind_are_survived() -> None:
    """Lists and tables where a text or a list of tables is expected change nothing."""
    headers: dict[str, object] = {"x-death": ["x", 1, {}], LadderHeader.QUEUE: [{}], Header.REASON: {}}
    row = dead_letter_row(replace(SUBMITTED, queue="dead.ingest", headers=headers), OURS)
    assert (row.queue, row.reason) == ("work.ingest", "RabbitMQ: None (None)")


def test_what_no_text_of_the_ledger_can_hold_is_left_out() -> None:
    """A NUL in a property or header of a stranger does not keep a dead letter out of the ledger."""
    strange = replace(SUBMITTED, content_type="a\0b", type="\0", headers={Header.SHA256: "\0", Header.DOCUMENT_ID: 3})
    row = dead_letter_row(died(strange, ("work\0", "why\0")), OURS)
    assert (row.content_type, row.type, row.headers) == ("ab", None, {Header.SHA256: "", Header.DOCUMENT_ID: 3})
    assert row.reason == "RabbitMQ: why (work)"
