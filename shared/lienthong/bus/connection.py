"""The broker as the rest of the exchange sees it: batches in, confirmed batches out, over two connections.

Messages are published on a connection of their own: when one of them gets it closed, what was taken on the other stays
valid and only the publishing is repeated. The code stands on aiormq, the protocol half of aio-pika, whose upper half
costs as much again and adds nothing that is used here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import aiormq

from lienthong.bus import looking
from lienthong.bus.consumer import Consumer
from lienthong.bus.link import BROKER_TROUBLE, Link, addresses_of, asked, describe
from lienthong.bus.publisher import Publisher
from lienthong.errors import MisconfiguredError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from types import TracebackType

    from lienthong.bus.looking import Count, Standing
    from lienthong.bus.messages import Incoming, Outgoing
    from lienthong.topology.plan import Binding, Plan

__all__ = ["Bus"]


class Bus:
    """A broker, for one consuming task and any number of publishing ones.

    Attributes:
        user: who we are to the broker, as the address says; None when only a certificate knows.

    Args:
        urls: AMQP addresses, comma-separated, tried in turn; all with the same user. For TLS with a client
            certificate: ``amqps://user@host/vhost?auth=EXTERNAL&cafile=…&certfile=…&keyfile=…``.
        name: what the broker's management page shows.
        heartbeat_seconds: a dead peer is noticed after three of them.
        connect_seconds: how long to try to reach a broker before giving up with `Unavailable`.
        confirm_seconds: how long one publish may wait for its confirm before it is sent again.
        give_up_seconds: how long a message is sent again before its outcome is `Unavailable`; for a large one both
            limits grow by the time it takes on a line of 1 Mbit/s.
    """

    def __init__(
        self,
        urls: str,
        *,
        name: str,
        heartbeat_seconds: int = 15,
        connect_seconds: float = 20.0,
        confirm_seconds: float = 30.0,
        give_up_seconds: float = 60.0,
    ) -> None:
        addresses = addresses_of(urls)
        external = addresses[0].query.get("auth", "").lower() == "external"
        self.user = addresses[0].user or (None if external else "guest")
        self._connect_seconds = connect_seconds
        self._consuming = Link(addresses, name=f"{name} consume", heartbeat_seconds=heartbeat_seconds)
        self._publishing = Link(addresses, name=f"{name} publish", heartbeat_seconds=heartbeat_seconds)
        self._consumer = Consumer(self._consuming)
        self._publisher = Publisher(self._publishing, confirm_seconds=confirm_seconds, give_up_seconds=give_up_seconds)
        self._consumes = False
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect; raises `Unavailable` when no broker answers, `MisconfiguredError` when it refuses our user."""
        await self._publishing.open(within=self._connect_seconds)
        self._keeping = asyncio.create_task(self._publishing.keep_open(), name="keep the publishing connection open")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        self._consumer.lose("closed by us")
        await self._consuming.end()
        await self._publishing.end()

    @property
    def connected(self) -> bool:
        """Whether messages can leave, and arrive once `consume` was called."""
        return self._publishing.is_open and (self._consumer.connected or not self._consumes)

    @property
    def consuming(self) -> bool:
        """Whether messages can leave, and arrive of every queue that is to be consumed."""
        return self._publishing.is_open and self._consumer.connected

    @property
    def waiting(self) -> int:
        """Messages prefetched and not yet taken."""
        return self._consumer.waiting

    async def declare(self, plan: Plan) -> None:
        """Create what a plan names and is not there yet.

        Raises:
            MisconfiguredError: something is there with other properties, or our user may not create it.
            Unavailable: the broker went away meanwhile.
        """
        channel = await self._publishing.channel(confirms=False, within=self._connect_seconds)
        what = "the plan"
        try:
            for exchange in plan.exchanges:
                what = f"exchange {exchange.name!r}"
                await asked(
                    channel.exchange_declare(
                        exchange.name,
                        exchange_type=exchange.type,
                        durable=True,
                        arguments=dict(exchange.arguments),
                    )
                )
            for queue in plan.queues:
                what = f"queue {queue.name!r}"
                await asked(channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments)))
            for binding in plan.bindings:
                what = f"binding of {binding.queue!r} to {binding.exchange!r}"
                await asked(channel.queue_bind(binding.queue, binding.exchange, binding.key))
            await asked(channel.close())
        # Not one that is not found: what is declared before it is there, only not yet on a broker that is starting.
        except (aiormq.ChannelPreconditionFailed, aiormq.ChannelAccessRefused) as error:
            raise MisconfiguredError(
                f"cannot declare {what}: {describe(error)}; xem / see: lienthong topology plan"
            ) from error
        except BROKER_TROUBLE as error:
            raise Unavailable(f"cannot declare {what}: {describe(error)}") from error

    async def unbind(self, bindings: Iterable[Binding]) -> None:
        """Take bindings away, also such as are not there; raises `Unavailable` when the broker went away meanwhile."""
        channel = await self._publishing.channel(confirms=False, within=self._connect_seconds)
        try:
            for one in bindings:
                await asked(channel.queue_unbind(one.queue, one.exchange, one.key))
            await asked(channel.close())
        except BROKER_TROUBLE as error:
            raise Unavailable(f"cannot unbind: {describe(error)}") from error

    async def exists(self, queue: str) -> bool:
        """Tell whether there is a queue of this name."""
        return await looking.exists(self._publishing, queue, within=self._connect_seconds)

    async def lengths(self, queues: Collection[str]) -> dict[str, int | None]:
        """Return how many messages stand ready in each queue; None where there is no such queue."""
        found = await self.counts(queues)
        return {queue: None if count is None else count.ready for queue, count in found.items()}

    async def counts(self, queues: Collection[str]) -> dict[str, Count | None]:
        """Return the same, with how many consumers each queue has."""
        return await looking.counts(self._publishing, queues, within=self._connect_seconds)

    async def look(self, queue: str) -> list[Standing] | None:
        """Return what stands ready in a queue, taking nothing; None when there is no such queue. See `looking.look`."""
        return await looking.look(self._publishing, queue, within=self._connect_seconds)

    async def consume(
        self, queues: Sequence[str], *, prefetch: int, aside: Callable[[Incoming], bool] | None = None
    ) -> None:
        """Consume queues, first queue served first; call again after `ConnectionLost`. See `Consumer.start`."""
        self._consumes = True
        await self._consumer.start(queues, prefetch=prefetch, within=self._connect_seconds, aside=aside)

    async def take(self, limit: int, *, timeout: float | None) -> list[Incoming]:  # noqa: ASYNC109 - an answer, no error
        """Return waiting messages, at least one, or none after `timeout` seconds. See `Consumer.take`."""
        return await self._consumer.take(limit, timeout=timeout)

    async def ack_through(self, queue: str, tag: int) -> None:
        """Acknowledge what was taken from a queue up to a delivery tag. See `Consumer.ack_through`."""
        await self._consumer.ack_through(queue, tag)

    def work_off(self, per_second: float) -> None:
        """Set how many messages in a second are taken of each queue to be worked off slowly."""
        self._consumer.slowly_a_second = per_second

    async def cancel(self) -> None:
        """Take no more messages; those prefetched go back when the bus closes. See `Consumer.cancel`."""
        await self._consumer.cancel()

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish messages and return each one's outcome, None for confirmed. See `Publisher.publish_many`."""
        return await self._publisher.publish_many(messages)
