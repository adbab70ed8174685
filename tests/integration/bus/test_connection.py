"""The bus against a real broker: what is confirmed arrives, what fails fails alone, what is lost is said."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio
from pamqp import commands

from lienthong.bus import consumer
from lienthong.bus.connection import Bus
from lienthong.bus.consumer import SLOWLY, SLOWLY_A_SECOND
from lienthong.bus.errors import ConnectionLost, PublishForbidden, Unroutable
from lienthong.bus.link import Link, addresses_of
from lienthong.bus.messages import Incoming, Outgoing
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing.proxy import FaultyProxy
from lienthong.topology.plan import Binding, Exchange, Plan, Queue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

QUORUM: dict[str, str | int] = {"x-queue-type": "quorum"}
LIMITED: dict[str, str | int] = {
    "x-delivery-limit": 20,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "dead",
}
SOON = 5.0


def lane(name: str, arguments: Mapping[str, str | int] | None = None) -> Plan:
    """Return a queue bound by its own name to exchange ``in``."""
    return Plan(
        (Exchange("in", "direct"),), (Queue(name, QUORUM | dict(arguments or {})),), (Binding("in", name, name),)
    )


def letters(count: int, key: str = "ordinary", prefix: str = "m", size: int = 10) -> list[Outgoing]:
    """Return messages with ids of their own."""
    return [Outgoing("in", key, f"{prefix}{number}", b"x" * size) for number in range(count)]


@pytest_asyncio.fixture
async def bus(vhost: str) -> AsyncIterator[Bus]:
    """Provide a bus with the lanes ``urgent`` and ``ordinary``."""
    async with Bus(vhost, name="test") as bus:
        await bus.declare(lane("urgent") + lane("ordinary"))
        yield bus


async def taken(bus: Bus, count: int, *, ack: bool = True) -> list[Incoming]:
    """Take this many messages at least, acknowledging each batch."""
    messages: list[Incoming] = []
    while len(messages) < count:
        batch = await bus.take(100, timeout=SOON)
        assert batch, f"only {len(messages)} of {count} messages arrived"
        messages += batch
        if ack:
            for queue in {message.queue for message in batch}:
                await bus.ack_through(queue, max(message.tag for message in batch if message.queue == queue))
    return messages


async def distinct(bus: Bus) -> set[str | None]:
    """Take and acknowledge from ``ordinary`` until it is empty; return the different ids."""
    got: set[str | None] = set()
    while batch := await bus.take(100, timeout=1.0):
        got |= {message.message_id for message in batch}
        await bus.ack_through("ordinary", batch[-1].tag)
    return got


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition nothing announces."""
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def test_declaring_twice_changes_nothing(bus: Bus) -> None:
    """A plan is idempotent: every worker may declare it."""
    await bus.declare(lane("ordinary"))


async def test_declaring_otherwise_names_the_queue(bus: Bus) -> None:
    """A queue that exists with other arguments is the operator's to mend, and is named."""
    with pytest.raises(MisconfiguredError, match=r"queue 'ordinary'.*x-delivery-limit"):
        await bus.declare(lane("ordinary", {"x-delivery-limit": 3}))
    assert await bus.publish_many(letters(1)) == [None]


async def test_a_message_arrives_as_it_was_sent(bus: Bus) -> None:
    """Id, type, content type, headers, key, user and body all travel."""
    sent = Outgoing(
        "in", "ordinary", "id-1", "tiếng Việt".encode(), "text/plain", "letter", {"n": 7, "s": "ố"}, priority=9,
        user_id=bus.user,
    )  # fmt: skip
    assert await bus.publish_many([sent]) == [None]
    await bus.consume(["ordinary"], prefetch=10)
    (got,) = await taken(bus, 1)
    assert (got.queue, got.routing_key, got.message_id, got.body) == ("ordinary", "ordinary", "id-1", sent.body)
    assert (got.content_type, got.type, got.user_id, got.delivery_count) == ("text/plain", "letter", bus.user, 0)
    assert {"n": 7, "s": "ố"}.items() <= got.headers.items()


async def test_one_publish_reaches_every_blind_copy(bus: Bus) -> None:
    """A fan-out is one publish with all keys in BCC, which receivers do not see."""
    names = [f"agency-{number}" for number in range(12)]
    for name in names:
        await bus.declare(lane(name))
    document = Outgoing("in", names[0], "document-1", b"x", bcc=tuple(names[1:]))
    assert await bus.publish_many([document]) == [None]
    await bus.consume(names, prefetch=10)
    got = await taken(bus, len(names))
    assert sorted(message.queue for message in got) == sorted(names)
    assert {message.message_id for message in got} == {"document-1"}
    assert not any("BCC" in message.headers for message in got)


async def test_what_cannot_be_routed_or_is_forbidden_fails_alone(bus: Bus) -> None:
    """An unroutable message, a missing exchange and a foreign user fail by themselves; their neighbours arrive once."""
    good = letters(100)
    culprits = [
        Outgoing("in", "nobody", "unroutable", b""),
        Outgoing("missing", "ordinary", "no exchange", b""),
        Outgoing("in", "ordinary", "foreign", b"", user_id="somebody-else"),
    ]
    outcomes = await bus.publish_many([*good[:50], *culprits, *good[50:]])
    assert [type(outcome) for outcome in outcomes[50:53]] == [Unroutable, PublishForbidden, PublishForbidden]
    assert outcomes[:50] + outcomes[53:] == [None] * 100
    await bus.consume(["ordinary"], prefetch=200)
    assert await distinct(bus) == {message.message_id for message in good}


async def test_a_message_that_cannot_be_encoded_fails_alone(bus: Bus) -> None:
    """A routing key longer than AMQP allows is the caller's bug: its outcome says so, nothing else suffers."""
    outcomes = await bus.publish_many([*letters(1), Outgoing("in", "k" * 300, "too long", b"")])
    assert outcomes[0] is None
    assert isinstance(outcomes[1], ValueError)


async def test_a_nack_fails_alone_and_is_tried_again(vhost: str) -> None:
    """A full queue's nack is `Unavailable` after the time for it, and the others are confirmed meanwhile."""
    async with Bus(vhost, name="test", give_up_seconds=1.5) as bus:
        await bus.declare(lane("ordinary") + lane("full", {"x-max-length": 1, "x-overflow": "reject-publish"}))
        await bus.publish_many(letters(1, "full", "first"))
        await bus.publish_many(letters(1, "full", "second"))
        outcomes = await bus.publish_many([*letters(20), *letters(1, "full", "last"), *letters(20, prefix="n")])
        assert isinstance(outcomes[20], Unavailable)
        assert not isinstance(outcomes[20], Unroutable | PublishForbidden)
        assert outcomes[:20] + outcomes[21:] == [None] * 40


async def test_one_id_twice_in_a_batch_is_published_twice(bus: Bus) -> None:
    """Messages of one id do not confuse each other's outcomes."""
    twins = [Outgoing("in", "ordinary", "twin", b"1"), Outgoing("in", "nobody", "twin", b"2")] * 5
    outcomes = await bus.publish_many(twins)
    assert outcomes[::2] == [None] * 5
    assert all(isinstance(outcome, Unroutable) for outcome in outcomes[1::2])


async def test_a_cut_while_publishing_loses_nothing(vhost: str) -> None:
    """Every message of a batch is confirmed though the connection is reset in its middle, twice."""
    async with FaultyProxy(vhost) as proxy, Bus(proxy.url, name="test") as bus:
        await bus.declare(lane("ordinary"))
        proxy.cut_after(300_000)
        cut = asyncio.create_task(bus.publish_many(letters(1000, size=1000)))
        await until(lambda: proxy.accepted > 1)
        proxy.cut_after(200_000)
        assert await cut == [None] * 1000
        assert proxy.accepted >= 3
        await bus.consume(["ordinary"], prefetch=200)
        assert await distinct(bus) == {f"m{number}" for number in range(1000)}


async def test_a_broker_that_stays_silent_is_unavailable_and_comes_back(vhost: str) -> None:
    """A publish never hangs: with nothing going through it is `Unavailable` in time, and goes through later."""
    async with (
        FaultyProxy(vhost) as proxy,
        Bus(proxy.url, name="test", confirm_seconds=0.5, give_up_seconds=1.0) as bus,
    ):
        await bus.declare(lane("ordinary"))
        proxy.swallow()
        (outcome,) = await asyncio.wait_for(bus.publish_many(letters(1)), 10)
        assert type(outcome) is Unavailable
        proxy.flow()
        async with asyncio.timeout(10):
            while await bus.publish_many(letters(1)) != [None]:
                pass


async def test_a_large_message_gets_through_a_slow_line(vhost: str) -> None:
    """The time limits grow with the size: on 2 Mbit/s a message of 1 MB takes four times what a small one may."""
    async with (
        FaultyProxy(vhost) as proxy,
        Bus(proxy.url, name="test", confirm_seconds=1.0, give_up_seconds=2.0) as bus,
    ):
        await bus.declare(lane("ordinary"))
        proxy.slow_down(250_000)
        assert await bus.publish_many(letters(1, size=1_000_000)) == [None]
        assert proxy.accepted == 1


async def test_the_next_address_is_taken_when_one_does_not_answer(vhost: str) -> None:
    """Addresses are tried in turn."""
    dead = urlunsplit(urlsplit(vhost)._replace(netloc="guest:guest@127.0.0.1:1"))
    async with Bus(f"{dead},{vhost}", name="test") as bus:
        assert bus.connected


async def test_an_address_that_hangs_costs_no_more_than_its_share(vhost: str) -> None:
    """A node that is frozen takes connections and never answers: the next address has its time all the same."""
    async with FaultyProxy(vhost) as frozen:
        frozen.swallow()
        async with Bus(f"{frozen.url},{vhost}", name="patient", connect_seconds=6) as bus:
            assert bus.connected


async def test_no_broker_at_all_is_unavailable_in_bounded_time(vhost: str) -> None:
    """Where nobody listens, connecting ends with `Unavailable` and says whom it asked."""
    dead = urlunsplit(urlsplit(vhost)._replace(netloc="guest:guest@127.0.0.1:1"))
    with pytest.raises(Unavailable, match="no broker answers"):
        async with asyncio.timeout(5), Bus(dead, name="test", connect_seconds=0.5):
            pass


async def test_a_refused_login_is_the_operators_to_mend(vhost: str) -> None:
    """A wrong password is not tried again and again."""
    address = urlsplit(vhost)
    wrong = urlunsplit(address._replace(netloc=f"{address.username}:wrong@{address.hostname}:{address.port}"))
    with pytest.raises(MisconfiguredError, match="refuses our user"):
        async with Bus(wrong, name="test"):
            pass


async def test_taking_waits_for_the_first_message_only(bus: Bus) -> None:
    """A batch is what is there: one waiting message is returned at once, none after the timeout."""
    await bus.consume(["ordinary"], prefetch=10)
    assert await bus.take(100, timeout=0.05) == []
    taking = asyncio.create_task(bus.take(100, timeout=SOON))
    await bus.publish_many(letters(1))
    assert [message.message_id for message in await taking] == ["m0"]


async def test_lanes_do_not_share_delivery_tags(bus: Bus) -> None:
    """Acknowledging the urgent lane acknowledges nothing of the ordinary one."""
    await bus.publish_many([*letters(5, "urgent", "u"), *letters(5)])
    await bus.consume(["urgent", "ordinary"], prefetch=20)
    await taken(bus, 10, ack=False)
    await bus.ack_through("urgent", 5)
    await bus.consume(["urgent", "ordinary"], prefetch=20)
    got = await taken(bus, 5)
    assert [message.queue for message in got] == ["ordinary"] * 5
    assert {message.message_id for message in got} == {f"m{number}" for number in range(5)}


async def test_a_tag_that_was_never_delivered_is_not_acknowledged(bus: Bus) -> None:
    """An acknowledgement beyond what was delivered is a bug here, not a closed channel later."""
    await bus.consume(["ordinary"], prefetch=20)
    with pytest.raises(ValueError, match="nothing with tag 1"):
        await bus.ack_through("ordinary", 1)


async def test_a_lost_connection_is_told_and_everything_comes_again(vhost: str) -> None:
    """After a cut, taking and acknowledging raise until consumed anew; nothing unacknowledged is lost."""
    async with FaultyProxy(vhost) as proxy, Bus(proxy.url, name="test") as bus:
        await bus.declare(lane("ordinary"))
        await bus.publish_many(letters(50))
        await bus.consume(["ordinary"], prefetch=100)
        first = await taken(bus, 20, ack=False)
        proxy.cut()
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(forever(bus), SOON)
        with pytest.raises(ConnectionLost):
            await bus.ack_through("ordinary", first[-1].tag)
        assert not bus.connected
        await bus.consume(["ordinary"], prefetch=100)
        assert {message.message_id for message in await taken(bus, 50)} == {f"m{number}" for number in range(50)}
        assert await bus.publish_many(letters(1)) == [None]
        assert bus.connected


async def forever(bus: Bus) -> None:
    """Take until something raises."""
    while True:
        await bus.take(100, timeout=None)


async def test_a_deleted_queue_is_a_lost_connection(bus: Bus, vhost: str) -> None:
    """When the broker cancels a consumer, waiting for messages ends, instead of lasting for ever."""
    await bus.consume(["ordinary"], prefetch=10)
    taking = asyncio.create_task(forever(bus))
    async with Bus(vhost, name="operator") as operator:
        channel = await operator._publishing.channel(confirms=False, within=SOON)
        await channel.queue_delete("ordinary")
    with pytest.raises(ConnectionLost, match="cancelled"):
        await asyncio.wait_for(taking, SOON)
    with pytest.raises(Unavailable, match="cannot consume ordinary"):
        await bus.consume(["ordinary"], prefetch=10)


async def test_a_delivery_that_never_came_comes_again(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """What RabbitMQ takes for delivered though it is not reaches a quiet consumer all the same; its others stay."""
    monkeypatch.setattr(consumer, "QUIET_SECONDS", 0.5)
    await bus.consume(["ordinary", "urgent"], prefetch=10)
    assert await bus.publish_many(letters(1, "urgent", prefix="held")) == [None]
    (held,) = await taken(bus, 1, ack=False)
    # The client library drops what is for a consumer it does not know: as good as lost on the way.
    bus._consumer._lanes["ordinary"].channel.consumers.clear()
    assert await bus.publish_many(letters(3)) == [None] * 3
    found = await taken(bus, 3)
    assert [(message.message_id, message.delivery_count > 0) for message in found[:1]] == [("m0", True)]
    assert await bus.take(10, timeout=1.5) == []
    await bus.ack_through("urgent", held.tag)
    assert await bus.publish_many(letters(2, "urgent")) == [None] * 2
    assert len(await taken(bus, 2)) == 2


async def test_nothing_is_cancelled_with_a_message_in_hand(bus: Bus) -> None:
    """Who acknowledges gets more at a time only then, and in order: a dead node could keep it from everybody."""
    await bus.publish_many(letters(100))
    await bus.consume(["ordinary"], prefetch=40)
    first = await taken(bus, 1, ack=False)
    (tag,) = bus._consumer._lanes["ordinary"].channel.consumers
    assert await bus.take(10, timeout=0.05) == []
    assert list(bus._consumer._lanes["ordinary"].channel.consumers) == [tag]
    await bus.ack_through("ordinary", first[-1].tag)
    rest = await taken(bus, 99)
    assert bus._consumer._lanes["ordinary"].channel.consumers.keys().isdisjoint({tag})
    assert [message.message_id for message in first + rest] == [f"m{number}" for number in range(100)]


async def test_a_consumer_that_ended_to_get_more_begins_again(bus: Bus) -> None:
    """Also when what came just before its end allows no more after all: nothing but its acknowledgement is awaited."""
    await bus.publish_many(letters(2))
    await bus.consume(["ordinary"], prefetch=40)
    await taken(bus, 1)
    lane = bus._consumer._lanes["ordinary"]
    assert not lane.channel.consumers
    lane.wanted = 1
    assert [message.message_id for message in await taken(bus, 1)] == ["m1"]


async def test_an_idle_publishing_connection_opens_again_by_itself(vhost: str) -> None:
    """Readiness returns after a cut although nothing is published meanwhile."""
    async with FaultyProxy(vhost) as proxy, Bus(proxy.url, name="test") as bus:
        proxy.cut()
        await until(lambda: not bus.connected)
        await until(lambda: bus.connected)


async def test_cancelling_keeps_what_was_taken_and_gives_back_the_rest(bus: Bus, vhost: str) -> None:
    """A draining worker can still acknowledge what it took; the rest goes to others, and nothing to both."""
    await bus.publish_many(letters(300))
    async with Bus(vhost, name="draining") as draining:
        await draining.consume(["ordinary"], prefetch=200)
        mine = await taken(draining, 50, ack=False)
        await draining.cancel()
        assert await draining.take(10, timeout=SOON) == []
        await draining.ack_through("ordinary", mine[-1].tag)
    await bus.consume(["ordinary"], prefetch=100)
    others = await taken(bus, 300 - len(mine))
    assert len(others) == 300 - len(mine)
    assert {message.message_id for message in mine}.isdisjoint({message.message_id for message in others})


async def test_what_is_put_aside_is_dead_lettered_and_its_neighbours_are_not(vhost: str) -> None:
    """What is put aside goes whole to where the broker dead-letters; acknowledging what stands around it takes none."""
    async with Bus(vhost, name="worker") as worker, asyncio.timeout(60):
        await worker.declare(lane("dead") + lane("ordinary", LIMITED))
        pairs = zip(letters(150, prefix="kept"), letters(150, prefix="aside"), strict=True)
        await worker.publish_many([one for pair in pairs for one in pair])
        await worker.consume(
            ["ordinary"], prefetch=50, aside=lambda message: str(message.message_id).startswith("aside")
        )
        kept = await taken(worker, 150)
        assert await worker.take(10, timeout=0.2) == []
        await worker.consume(["dead"], prefetch=200)
        aside = await taken(worker, 150)
    for got, prefix in ((kept, "kept"), (aside, "aside")):
        assert Counter(message.message_id for message in got) == {f"{prefix}{number}": 1 for number in range(150)}
    # RabbitMQ 4 counts the rejection.
    assert max(message.delivery_count for message in aside) <= 1
    assert await depth(vhost, "ordinary") == 0


@pytest.mark.parametrize("rate", [SLOWLY_A_SECOND, 2 * SLOWLY_A_SECOND])
async def test_what_is_worked_off_slowly_comes_at_its_rate(bus: Bus, rate: int) -> None:
    """However much waits there, and whatever else comes, no more than so many a second are taken of such a lane."""
    slow = next(iter(SLOWLY))
    await bus.declare(lane(slow))
    bus.work_off(rate)
    await bus.publish_many(letters(40, slow, "slow"))
    await bus.consume(["ordinary", slow], prefetch=200)
    began = time.monotonic()
    await bus.publish_many(letters(40))
    got = [message.queue for message in await taken(bus, 80)]
    # The last ones are taken before their rest.
    assert time.monotonic() - began >= (40 - SLOWLY[slow]) / rate
    assert (got.count("ordinary"), got.count(slow)) == (40, 40)


async def test_a_message_that_cannot_be_judged_is_not_acknowledged_with_its_neighbours(bus: Bus) -> None:
    """Where telling what to put aside fails, nothing is taken over the hole: all of it comes again."""

    def fails(message: Incoming) -> bool:
        raise KeyError(message.message_id)

    sent = letters(3)
    await bus.publish_many(sent)
    await bus.consume(["ordinary"], prefetch=10, aside=fails)
    with pytest.raises(ConnectionLost, match="KeyError"):
        await bus.take(10, timeout=SOON)
    await bus.consume(["ordinary"], prefetch=10)
    assert await distinct(bus) == {message.message_id for message in sent}


async def test_what_kills_its_worker_takes_no_neighbour_to_the_delivery_limit(vhost: str) -> None:
    """A message nobody survives is dead-lettered alone; all others, before and behind it, are processed."""
    async with Bus(vhost, name="sender") as sender:
        await sender.declare(lane("dead") + lane("ordinary", LIMITED))
        await sender.publish_many([*letters(60, prefix="a"), *letters(1, prefix="poison"), *letters(90, prefix="b")])
    survived: Counter[str] = Counter()
    while len(survived) < 150 or not await depth(vhost, "dead"):
        async with Bus(vhost, name="worker") as worker:
            await worker.consume(["ordinary"], prefetch=200)
            while batch := await worker.take(100, timeout=0.3):
                if any(message.message_id == "poison0" for message in batch):
                    break
                survived.update(str(message.message_id) for message in batch)
                await worker.ack_through("ordinary", batch[-1].tag)
    async with Bus(vhost, name="operator") as operator:
        await operator.consume(["dead"], prefetch=200)
        dead = await operator.take(100, timeout=SOON)
    assert [message.message_id for message in dead] == ["poison0"]
    assert set(survived) == {f"a{number}" for number in range(60)} | {f"b{number}" for number in range(90)}


async def depth(vhost: str, queue: str) -> int:
    """Return how many messages stand in a queue."""
    async with Bus(vhost, name="depth") as bus:
        channel = await bus._publishing.channel(confirms=False, within=SOON)
        return (await channel.queue_declare(queue, passive=True)).message_count or 0


async def test_properties_nobody_can_decode_do_not_end_the_connection(vhost: str, bus: Bus) -> None:
    """A message whose properties are beyond the client library is taken without them, and its neighbours with it."""

    class Strange(commands.Basic.Properties):
        def marshal(self) -> bytes:
            nested = b"V"
            for _ in range(5000):
                nested = b"A" + len(nested).to_bytes(4, "big") + nested
            headers = b"\x01n" + nested
            flags = self.flags["headers"] | self.flags["message_id"] | self.flags["timestamp"]
            return flags.to_bytes(2, "big") + len(headers).to_bytes(4, "big") + headers + b"\x02\xff\xfe" + b"\xff" * 8

    await bus.consume(["ordinary"], prefetch=10)
    link = Link(addresses_of(vhost), name="stranger", heartbeat_seconds=15)
    channel = await link.channel(confirms=True, within=SOON)
    await channel.basic_publish(b"strange", exchange="in", routing_key="ordinary", properties=Strange())
    await link.close()
    assert await bus.publish_many(letters(2)) == [None, None]
    messages = await taken(bus, 3)
    assert [message.body for message in messages] == [b"strange", b"x" * 10, b"x" * 10]
    assert (messages[0].message_id, messages[0].headers, messages[0].delivery_count) == (None, {}, 0)


async def test_an_id_that_can_be_kept_nowhere_is_none(bus: Bus) -> None:
    """PostgreSQL keeps no NUL in a text, so an id with one is as good as missing."""
    await bus.consume(["ordinary"], prefetch=10)
    assert await bus.publish_many([Outgoing("in", "ordinary", "a\0b", b"x")]) == [None]
    (message,) = await taken(bus, 1)
    assert message.message_id is None


async def test_large_messages_behind_a_small_one_do_not_all_come_at_once(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many large messages wait, only so many bytes of them are held; all of them arrive in the end."""
    monkeypatch.setattr(consumer, "PREFETCH_BYTES", 500_000)
    assert set(await bus.publish_many(letters(1) + letters(40, prefix="large", size=100_000))) == {None}
    await bus.consume(["ordinary"], prefetch=200)
    (small,) = await bus.take(1, timeout=SOON)
    await bus.ack_through("ordinary", small.tag)
    with contextlib.suppress(ConnectionLost):
        await bus.take(1, timeout=SOON)
    await until(lambda: not bus.connected or bus.waiting == 39)
    assert bus.waiting < 10
    assert {f"large{number}" for number in range(40)} == await distinct_over_losses(bus)


async def distinct_over_losses(bus: Bus) -> set[str | None]:
    """Take and acknowledge from ``ordinary`` until it is empty, beginning again when what was taken is void."""
    got: set[str | None] = set()
    while True:
        with contextlib.suppress(ConnectionLost):
            await bus.consume(["ordinary"], prefetch=200)
            while batch := await bus.take(100, timeout=1.0):
                await bus.ack_through("ordinary", batch[-1].tag)
                got |= {message.message_id for message in batch}
            return got


async def test_a_task_that_is_cancelled_while_connecting_ends(vhost: str) -> None:
    """Whenever it comes, also while an attempt is failing: whoever tries for as long as it takes would not end."""
    async with FaultyProxy(vhost) as proxy:
        for turns in range(30):
            proxy.refuse()
            link = Link(addresses_of(proxy.url), name="test", heartbeat_seconds=15)
            trying = asyncio.create_task(stay_open(link))
            for _ in range(turns):
                await asyncio.sleep(0)
            trying.cancel()
            proxy.accept()
            _, left = await asyncio.wait([trying], timeout=SOON)
            assert not left, f"cancelled after {turns} turns of the event loop, it goes on"
            await link.close()


async def stay_open(link: Link) -> None:
    """Open a connection, for as long as it takes, and keep it."""
    while True:
        with contextlib.suppress(Unavailable):
            await link.open(within=SOON)
            await asyncio.Event().wait()
