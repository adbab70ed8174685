"""Messages in: one channel a queue, taken in batches, acknowledged in batches.

Delivery tags count per channel and die with it. So all channels of one `consume` live on one connection and share its
fate: when any of them is lost, all are, nothing taken from them can be acknowledged any more, and the broker delivers
it again. Nothing is consumed again behind the caller's back.

A message that kills the process must not take its neighbours to the delivery limit with it. Redelivered messages are
therefore taken in halves, down to singles, by how often they came back; and so few are prefetched: a consumer starts
with one message, and gets its whole prefetch only when that one is fresh (returned messages come back to the head).
Large messages are prefetched in small numbers too, for RabbitMQ knows no prefetch in bytes; when many of them follow
small ones at once, the connection is given up before memory is, and they come again in small numbers.

What stands before others though it need not is put aside: rejected where it arrives, so that the broker moves it on
(see `lienthong.topology.plan`). That costs neither a place in a batch nor a publish, and whatever comes behind it waits
for nothing but that.

When a quorum queue changes its leader, RabbitMQ can count a message as delivered that never left the broker. It notices
with the next delivery to the same consumer, else only when that consumer's channel ends (rabbitmq-server issue 15473).
So one that has been quiet for long is consumed anew. And what a consumer had in hand when it was cancelled is given to
nobody else when the node it is connected to dies, until the queue changes its leader once more. So more is prefetched
only when nothing is in hand. One with messages in hand is cancelled only to prefetch less, to end, or for a taker who
acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lienthong.bus.delivered import incoming
from lienthong.bus.errors import ConnectionLost
from lienthong.bus.link import BROKER_TROUBLE, describe, library_calls
from lienthong.errors import LienThongError, Unavailable
from lienthong.topology.names import Step, diverted_queue, returned_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import aiormq
    from aiormq.abc import DeliveredMessage
    from pamqp import commands

    from lienthong.bus.link import Link
    from lienthong.bus.messages import Incoming

__all__ = ["Consumer", "Rests", "fill", "room", "served_now"]

log = logging.getLogger(__name__)

_ANEW_TROUBLE: tuple[type[Exception], ...] = (*BROKER_TROUBLE, LienThongError)

RPC_SECONDS = 10.0
QUIET_SECONDS = 60.0
"""After so long without a delivery a queue is consumed anew."""
LOOKING_SECONDS = 0.1
"""Who waits for more so long, and has not acknowledged what it has, is taken to be looking only."""
MOST_HALVINGS = 30
PREFETCH_BYTES = 256 * 1024 * 1024
"""What the prefetched messages of one queue may weigh, were all of them like the largest one seen."""

SLOWLY = {returned_queue(Step.INGEST): 3, diverted_queue(Step.INGEST): 3}
"""How many are taken at once, at most, of a queue to be worked off slowly: what comes meanwhile waits for them."""
SLOWLY_A_SECOND = 10
"""How many of it are taken in a second, if nothing else is said."""
SLOWEST_A_SECOND = 1
"""How many while more is being put aside."""
ASIDE_SECONDS = 1.0
"""So long after the last one more is expected."""
YIELDS_SECONDS = 2.0
"""So much longer nothing is taken of it while there is anything else to take."""

BATCH_BYTES = 128 * 1024 * 1024
"""What a batch may weigh, payloads included; one message may weigh more."""


class Rests(Protocol):
    """A lane, and until when nothing is taken of it."""

    queue: str
    rests_until: float


RestingT = TypeVar("RestingT", bound=Rests)


def fill(lanes: Sequence[deque[Incoming]], limit: int) -> list[Incoming]:
    """Take a batch from the front of lanes.

    The first lane is served first, but a quarter of the batch is kept for the others when they hold something. A
    message that came back ``n`` times allows a batch of ``limit / 2**n`` only, and of one in the end. Nothing is added
    that would make it weigh more than `BATCH_BYTES`.

    Args:
        lanes: waiting messages, first lane first; what is taken is removed.
        limit: most messages in the batch, at least 1.
    """
    batch: list[Incoming] = []
    allowed = limit
    weight = 0
    kept = min(limit // 4, sum(map(len, lanes[1:])))
    for position, lane in enumerate(lanes):
        while lane:
            room = min(allowed, max(1, limit >> min(lane[0].delivery_count, MOST_HALVINGS)))
            if len(batch) >= (room if position else max(1, room - kept)):
                break
            weight += lane[0].weight
            if batch and weight > BATCH_BYTES:
                return batch
            allowed = room
            batch.append(lane.popleft())
    return batch


def room(full: int, seen: Sequence[Incoming]) -> int:
    """Return how many messages to prefetch after these: halved for each time one came back, and bounded in bytes.

    Args:
        full: the most, for fresh and small messages.
        seen: some messages, at least one.
    """
    delivery_count = max(message.delivery_count for message in seen)
    largest = max(len(message.body) for message in seen)
    return max(1, min(full >> min(delivery_count, MOST_HALVINGS), PREFETCH_BYTES // max(1, largest)))


def served_now(waiting: Sequence[RestingT], now: float) -> list[RestingT]:
    """Return the lanes that are served: none that rests, nor one worked off slowly while there is another to serve.

    Args:
        waiting: lanes that hold something.
        now: by the clock of their `rests_until`, in seconds.
    """
    ready = [lane for lane in waiting if lane.rests_until <= now]
    at_once = [lane for lane in ready if lane.queue not in SLOWLY or lane.rests_until + YIELDS_SECONDS <= now]
    return at_once or ready


class _Lane:
    """One queue's consumer on a channel of its own."""

    def __init__(self, consumer: Consumer, queue: str, channel: aiormq.Channel) -> None:
        self.queue = queue
        self.channel = channel
        self.waiting: deque[Incoming] = deque()
        self.waiting_bytes = 0
        self.last_tag = 0
        self.kept_tag = 0
        self.acked_tag = 0
        self.quiet_until = _quiet_until()
        self.overlooked = False
        self.rests_until = 0.0
        self.wanted = 0
        self._consumer = consumer
        # An acknowledgement settles every tag before it, so none may overtake a rejection.
        self._settling = asyncio.Lock()
        self._consumer_tag: str | None = None
        self._prefetch = 0
        channel.closing.add_done_callback(self._on_closed)
        channel.on_consumer_cancel_callbacks.add(self._on_cancelled)

    def at_rest(self) -> bool:
        """Tell whether nothing that was delivered awaits its acknowledgement."""
        return self.acked_tag == self.kept_tag

    async def prefetch(self, count: int) -> None:
        """Consume with this prefetch; an earlier consumer of this lane ends, its messages and tags stay valid."""
        with library_calls():
            async with asyncio.timeout(RPC_SECONDS):
                await self.cancel()
                await self.channel.basic_qos(prefetch_count=count)
                consuming = await self.channel.basic_consume(self.queue, self._receive)
        self._consumer_tag = consuming.consumer_tag
        self._prefetch = self.wanted = count

    def wants_more(self) -> bool:
        """Tell whether much more could be prefetched than is, or nothing is since it was cancelled for that."""
        return self._consumer_tag is None or self.wanted >= 2 * self._prefetch

    def clear(self) -> None:
        """Forget what waits."""
        self.waiting.clear()
        self.waiting_bytes = 0

    async def cancel(self) -> None:
        """Stop deliveries; returns when the last one is in."""
        if self._consumer_tag is not None:
            tag, self._consumer_tag = self._consumer_tag, None
            await self.channel.basic_cancel(tag)

    async def adapt(self, full: int, taken: Sequence[Incoming]) -> None:
        """Prefetch no more than the messages just seen allow, and note how much more that would be.

        Small changes are not worth consuming anew.
        """
        seen = [*taken, *self.waiting]
        if seen:
            self.wanted = room(full, seen)
            if self.wanted * 2 < self._prefetch:
                await self.prefetch(self.wanted)

    async def ack_through(self, tag: int) -> None:
        """Acknowledge everything up to a tag that was not put aside."""
        async with self._settling:
            if self.wants_more() and tag == self.kept_tag:
                # Before the acknowledgement lets the next one come.
                await self.cancel()
            await self.channel.basic_ack(tag, multiple=True)
        self.acked_tag = tag

    async def _put_aside(self, tag: int) -> None:
        self._consumer.put_aside_until = asyncio.get_running_loop().time() + ASIDE_SECONDS
        try:
            async with self._settling:
                await self.channel.basic_reject(tag, requeue=False, wait=False)
        except Exception as error:  # noqa: BLE001 - neither rejected nor taken, it must not be acked over
            self._consumer.lose(f"cannot put a message of {self.queue} aside: {describe(error)}", self)

    async def _receive(self, delivered: DeliveredMessage) -> None:
        try:
            message = incoming(self.queue, delivered)
            aside = self._consumer.aside(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, a hole in the tags must not be acked over
            self._consumer.lose(f"a message of {self.queue} cannot be read: {describe(error)}", self)
            return
        if message.tag != self.last_tag + 1:
            self._consumer.lose(f"delivery tags of {self.queue} jump from {self.last_tag} to {message.tag}", self)
            return
        self.last_tag = message.tag
        self.quiet_until = _quiet_until()
        if not self._consumer.holds(self):
            # Nobody will take it any more; the broker sends it again.
            return
        if aside:
            await self._put_aside(message.tag)
            return
        self.kept_tag = message.tag
        self.waiting.append(message)
        self.waiting_bytes += len(message.body)
        if self.waiting_bytes > 2 * PREFETCH_BYTES:
            self._consumer.lose(f"more bytes of {self.queue} at once than fit", self)
            return
        self._consumer.wake()

    def _on_closed(self, closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        self._consumer.lose(f"the channel of {self.queue} closed: {describe(error) if error else 'no reason'}", self)

    def _on_cancelled(self, _frame: commands.Basic.Cancel) -> None:
        self._consumer.lose(f"the broker cancelled the consumer of {self.queue}", self)


class Consumer:
    """Consumes queues over one `Link`, for one task."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lanes: dict[str, _Lane] = {}
        self._full = 0
        self._lost: str | None = "nothing is consumed yet"
        self._started = False
        self._cancelled = False
        self._wake = asyncio.Event()
        self.slowly_a_second: float = SLOWLY_A_SECOND
        self.put_aside_until = 0.0
        self.aside: Callable[[Incoming], bool] = _nothing

    @property
    def connected(self) -> bool:
        """Whether messages can arrive, of every queue."""
        return self._started and self._lost is None and self._link.is_open

    @property
    def waiting(self) -> int:
        """Messages prefetched and not yet taken."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def start(
        self, queues: Sequence[str], *, prefetch: int, within: float, aside: Callable[[Incoming], bool] | None = None
    ) -> None:
        """Consume queues, the one served first in front; what was taken before can no longer be acknowledged.

        Args:
            queues: their names; nothing is declared.
            prefetch: most messages of one queue that are delivered and not acknowledged.
            within: how long to try to connect, in seconds.
            aside: tells of each message that arrives whether the broker shall dead-letter it untouched.

        Raises:
            Unavailable: the broker, or one of the queues, cannot be reached.
        """
        self._cancelled = self._started = False
        self.lose("consumed anew")
        await self._link.close()
        lanes: dict[str, _Lane] = {}
        self._lanes, self._full, self._lost = lanes, prefetch, None
        self.aside = aside or _nothing
        try:
            for queue in queues:
                lanes[queue] = _Lane(self, queue, await self._link.channel(confirms=False, within=within))
                await lanes[queue].prefetch(1)
            self._started = True
        except BROKER_TROUBLE as error:
            self.lose(describe(error))
            await self._link.cut()
            raise Unavailable(f"cannot consume {', '.join(queues)}: {describe(error)}") from error
        except BaseException:
            self.lose("consuming was given up")
            raise

    async def take(self, limit: int, *, timeout: float | None) -> list[Incoming]:  # noqa: ASYNC109 - an answer, no error
        """Return waiting messages, at least one; see `fill` for which.

        Args:
            limit: most messages.
            timeout: how long to wait for the first one, in seconds; None waits for ever.

        Returns:
            Empty after the timeout, or once `cancel` was called.

        Raises:
            ConnectionLost: everything taken and not acknowledged will be delivered again.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        looking = loop.time() + LOOKING_SECONDS
        while True:
            # Cleared before looking, nothing awaited in between: else a message that arrives now wakes nobody.
            self._wake.clear()
            self._check()
            if self._cancelled:
                return []
            waiting = [lane for lane in self._lanes.values() if lane.waiting]
            if ready := served_now(waiting, loop.time()):
                break
            await self._consume_anew(looks=loop.time() >= looking)
            moments = [lane.rests_until for lane in waiting]
            moments += [lane.quiet_until for lane in self._lanes.values() if lane.at_rest()]
            moments += [looking for lane in self._lanes.values() if lane.wants_more()]
            try:
                async with asyncio.timeout_at(min([*moments, *([] if deadline is None else [deadline])], default=None)):
                    await self._wake.wait()
            except TimeoutError:
                if deadline is not None and loop.time() >= deadline:
                    return []
        # A redelivered message that asks for a small batch would never be reached behind a busy first lane.
        lanes = sorted(ready, key=lambda lane: not lane.overlooked)
        batch = fill([lane.waiting for lane in lanes], limit)
        for message in batch:
            self._lanes[message.queue].waiting_bytes -= len(message.body)
        served = {message.queue for message in batch}
        for lane in lanes:
            lane.overlooked = bool(lane.waiting) and lane.queue not in served
            if lane.queue in SLOWLY and lane.queue in served:
                taken = sum(message.queue == lane.queue for message in batch)
                rate = SLOWEST_A_SECOND if loop.time() < self.put_aside_until else self.slowly_a_second
                lane.rests_until = loop.time() + taken / rate
        await self._adapt(batch)
        return batch

    async def ack_through(self, queue: str, tag: int) -> None:
        """Acknowledge everything taken from a queue up to and including a delivery tag.

        Raises:
            ConnectionLost: it will be delivered again.
        """
        self._check()
        lane = self._lanes[queue]
        if not 0 < tag <= lane.last_tag:
            raise ValueError(f"{queue} has delivered nothing with tag {tag}")
        try:
            with library_calls():
                async with asyncio.timeout(RPC_SECONDS):
                    await lane.ack_through(tag)
        except BROKER_TROUBLE as error:
            self.lose(f"cannot acknowledge: {describe(error)}")
            raise self._loss() from error

    async def cancel(self) -> None:
        """Stop deliveries. What was taken can still be acknowledged; what was not goes back when the connection ends.

        Returning it message by message would be sooner, but then RabbitMQ 3.10 loses an acknowledgement that comes
        right after, since a channel holds back what its quorum queue has not yet taken of it.
        """
        self._cancelled = True
        self._wake.set()
        try:
            with library_calls():
                async with asyncio.timeout(RPC_SECONDS):
                    for lane in self._lanes.values() if self._lost is None else ():
                        await lane.cancel()
                        lane.clear()
        except BROKER_TROUBLE as error:
            # The broker takes everything back when the connection ends.
            self.lose(describe(error))

    def holds(self, lane: _Lane) -> bool:
        """Tell whether what this lane brings can still be taken."""
        return self._lost is None and self._lanes.get(lane.queue) is lane

    def wake(self) -> None:
        """Let `take` look again."""
        self._wake.set()

    def lose(self, reason: str, lane: _Lane | None = None) -> None:
        """Note that every delivery tag is void; a lane of an earlier connection no longer counts."""
        if self._lost is None and (lane is None or self._lanes.get(lane.queue) is lane):
            self._lost = reason
            for each in self._lanes.values():
                each.clear()
            self._wake.set()

    def _check(self) -> None:
        if self._lost is None and not self._link.is_open:
            self.lose("the connection is closed")
        if self._lost is not None:
            raise self._loss()

    def _loss(self) -> ConnectionLost:
        return ConnectionLost(f"no messages can be taken: {self._lost}")

    async def _consume_anew(self, *, looks: bool) -> None:
        """Consume anew what has been quiet for long, and what could be prefetched in larger numbers."""
        now = asyncio.get_running_loop().time()
        try:
            for lane in tuple(self._lanes.values()):
                if lane.wants_more() and (looks or lane.at_rest()):
                    await lane.prefetch(lane.wanted)
                elif lane.at_rest() and lane.quiet_until <= now:
                    await self._replace(lane)
        except _ANEW_TROUBLE as error:
            self.lose(describe(error))
            raise self._loss() from error

    async def _replace(self, old: _Lane) -> None:
        channel = await self._link.channel(confirms=False, within=RPC_SECONDS)
        if not self.holds(old):
            return
        lane = self._lanes[old.queue] = _Lane(self, old.queue, channel)
        with library_calls():
            await old.channel.close(timeout=RPC_SECONDS)
        await lane.prefetch(1)
        if self._cancelled:
            await lane.cancel()

    async def _adapt(self, batch: Sequence[Incoming]) -> None:
        try:
            for queue, lane in self._lanes.items():
                full = min(self._full, SLOWLY.get(queue, self._full))
                await lane.adapt(full, [message for message in batch if message.queue == queue])
        except BROKER_TROUBLE as error:
            self.lose(describe(error))
            raise self._loss() from error


def _nothing(_message: Incoming) -> bool:
    return False


def _quiet_until() -> float:
    # Not all consumers of a country at the same moment.
    return asyncio.get_running_loop().time() + QUIET_SECONDS * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
