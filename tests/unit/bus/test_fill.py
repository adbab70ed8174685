"""Which waiting messages make a batch."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.bus.connection import Bus
from lienthong.bus.consumer import BATCH_BYTES, PREFETCH_BYTES, SLOWLY, YIELDS_SECONDS, fill, room, served_now
from lienthong.bus.messages import Incoming
from lienthong.errors import MisconfiguredError


@dataclass
class Resting:
    """A lane that holds something."""

    queue: str
    rests_until: float = 0.0


def waiting(queue: str, *delivery_counts: int) -> deque[Incoming]:
    """Return messages of one queue, tagged in order."""
    return deque(
        Incoming(queue, tag, b"", str(tag), None, "", {}, None, None, count, datetime.now(UTC))
        for tag, count in enumerate(delivery_counts, 1)
    )


def test_the_first_lane_is_served_first() -> None:
    """Urgent messages come before ordinary ones that waited longer."""
    urgent, ordinary = waiting("urgent", 0, 0), waiting("ordinary", 0, 0)
    assert [message.queue for message in fill([urgent, ordinary], 100)] == ["urgent"] * 2 + ["ordinary"] * 2


@pytest.mark.parametrize("queue", SLOWLY)
def test_what_is_worked_off_slowly_yields_but_not_for_ever(queue: str) -> None:
    """A slow lane is served alone, not while it rests, and beside others only when it has yielded for long enough."""
    ordinary, slow = Resting("ordinary"), Resting(queue, rests_until=100.0)
    assert served_now([slow], 99.9) == []
    assert served_now([slow], 100.0) == [slow]
    assert served_now([ordinary, slow], 100.0) == [ordinary]
    assert served_now([ordinary, slow], 100.0 + YIELDS_SECONDS) == [ordinary, slow]


def test_a_quarter_is_kept_for_the_ordinary_lane() -> None:
    """However many urgent messages wait, a quarter of the batch is for the others."""
    batch = fill([waiting("urgent", *[0] * 500), waiting("ordinary", *[0] * 500)], 100)
    assert [message.queue for message in batch].count("urgent") == 75
    assert len(batch) == 100


def test_nothing_is_kept_for_an_empty_lane() -> None:
    """A batch is filled with urgent messages when no ordinary one waits."""
    assert len(fill([waiting("urgent", *[0] * 500), waiting("ordinary")], 100)) == 100


@pytest.mark.parametrize(("delivery_count", "size"), [(0, 100), (1, 50), (2, 25), (3, 12), (6, 1), (7, 1), (1000, 1)])
def test_redelivered_messages_are_taken_in_halves(delivery_count: int, size: int) -> None:
    """What came back n times is taken in batches of the limit halved n times, and one by one in the end."""
    assert len(fill([waiting("ordinary", *[delivery_count] * 200)], 100)) == size


def test_a_redelivered_message_is_not_put_behind_fresh_ones_beyond_its_limit() -> None:
    """A message that came back four times waits for a batch of its own rather than end one of thirty."""
    lane = waiting("ordinary", *[0] * 30, 4, 0)
    assert len(fill([lane], 100)) == 30
    assert [message.delivery_count for message in fill([lane], 100)] == [4, 0]


def test_what_came_back_narrows_the_prefetch() -> None:
    """The more often one of the messages came back, the fewer are prefetched with it, one in the end."""
    assert [room(200, waiting("ordinary", 0, count)) for count in (0, 1, 4, 7, 8, 99)] == [200, 100, 12, 1, 1, 1]


def test_large_messages_are_prefetched_in_small_numbers() -> None:
    """What is prefetched fits into memory, though RabbitMQ counts messages only."""
    (small,) = waiting("ordinary", 0)
    assert room(200, [small, replace(small, body=bytes(PREFETCH_BYTES // 5))]) == 5
    assert room(200, [replace(small, body=bytes(PREFETCH_BYTES + 1))]) == 1


def test_a_batch_is_bounded_in_bytes() -> None:
    """Payloads that a batch stands for weigh as bodies do; what is too large for any batch is taken alone."""
    lane = waiting("ordinary", *[0] * 6)
    weights = [BATCH_BYTES // 2, BATCH_BYTES // 2, 1, BATCH_BYTES * 2, 0, 0]
    lane = deque(replace(message, payload_bytes=weight) for message, weight in zip(lane, weights, strict=True))
    assert [len(fill([lane], 100)) for _ in range(4)] == [2, 1, 1, 2]


@given(
    urgent=st.lists(st.integers(0, 12), max_size=60),
    ordinary=st.lists(st.integers(0, 12), max_size=60),
    limit=st.integers(1, 50),
)
def test_order_and_limits_hold_for_any_lanes(urgent: list[int], ordinary: list[int], limit: int) -> None:
    """Every batch is not empty, within the limit of each of its messages, in order, and all messages get taken."""
    lanes = [waiting("urgent", *urgent), waiting("ordinary", *ordinary)]
    tags: dict[str, list[int]] = {"urgent": [], "ordinary": []}
    while any(lanes):
        batch = fill(lanes, limit)
        assert 1 <= len(batch) <= limit
        assert all(len(batch) <= max(1, limit >> message.delivery_count) for message in batch)
        for message in batch:
            tags[message.queue].append(message.tag)
    assert tags == {"urgent": list(range(1, len(urgent) + 1)), "ordinary": list(range(1, len(ordinary) + 1))}


@pytest.mark.parametrize("urls", ["", "http://localhost", "amqp://", "amqp://one, localhost"])
def test_what_is_no_broker_address_is_said_so(urls: str) -> None:
    """A wrong address is the operator's to mend, and is found before anything connects."""
    with pytest.raises(MisconfiguredError, match="amqp://"):
        Bus(urls, name="test")


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("amqp://lienthong:secret@host/vhost", "lienthong"),
        ("amqp://host", "guest"),
        ("amqps://ingest@host?auth=EXTERNAL", "ingest"),
        ("amqps://host?auth=EXTERNAL", None),
    ],
)
def test_the_address_says_who_we_are(url: str, user: str | None) -> None:
    """Our own user is the address's; with a certificate alone it is not known."""
    assert Bus(url, name="test").user == user
