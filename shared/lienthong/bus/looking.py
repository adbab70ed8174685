"""What stands in a queue, without taking it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiormq
from pamqp import commands

from lienthong.bus.link import BROKER_TROUBLE, asked, describe
from lienthong.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lienthong.bus.link import Link

__all__ = ["Count", "Standing", "counts", "exists", "look"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A message in a queue, without its body; None where its publisher said nothing."""

    message_id: str | None
    user_id: str | None
    headers: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages stand ready in a queue, and how many consumers it has."""

    ready: int
    consumers: int


async def exists(link: Link, queue: str, *, within: float) -> bool:
    """Tell whether there is a queue of this name; raises `Unavailable` when the broker does not say."""
    channel = await link.channel(confirms=False, within=within)
    try:
        await asked(channel.queue_declare(queue, passive=True))
        await asked(channel.close())
    except aiormq.ChannelNotFoundEntity:
        return False
    except BROKER_TROUBLE as error:
        raise Unavailable(f"cannot ask for {queue}: {describe(error)}") from error
    return True


async def counts(link: Link, queues: Collection[str], *, within: float) -> dict[str, Count | None]:
    """Return how many messages stand ready in each queue and who consumes it, None where there is no such queue.

    What a consumer has in hand is not counted. For a quorum queue without a leader RabbitMQ says 0.

    Raises:
        Unavailable: the broker does not say.
    """
    found: dict[str, Count | None] = {}
    channel = await link.channel(confirms=False, within=within)
    for queue in queues:
        try:
            declared = await asked(channel.queue_declare(queue, passive=True))
            found[queue] = Count(declared.message_count or 0, declared.consumer_count or 0)
        except aiormq.ChannelNotFoundEntity:
            found[queue] = None
            channel = await link.channel(confirms=False, within=within)
        except BROKER_TROUBLE as error:
            raise Unavailable(f"cannot ask for {queue}: {describe(error)}") from error
    try:
        await asked(channel.close())
    except BROKER_TROUBLE as error:
        raise Unavailable(f"cannot end asking: {describe(error)}") from error
    return found


async def look(link: Link, queue: str, *, within: float) -> list[Standing] | None:
    """Return what stands ready in a queue, in order; None when there is no such queue.

    For that all of it is taken at once and given back: for a moment nobody else gets it, and each message counts as
    delivered once more. What a consumer has in hand is not seen.

    Raises:
        Unavailable: the broker went away meanwhile, and has everything back.
    """
    channel = await link.channel(confirms=False, within=within)
    found = []
    try:
        await asked(channel.queue_declare(queue, passive=True))
        while True:
            got = await asked(channel.basic_get(queue))
            if isinstance(got.delivery, commands.Basic.GetEmpty):
                break
            properties = got.header.properties
            found.append(
                Standing(properties.message_id or None, properties.user_id or None, dict(properties.headers or {}))
            )
        # What a closing channel has not acknowledged goes back to its place.
        await asked(channel.close())
    except aiormq.ChannelNotFoundEntity:
        return None
    except BROKER_TROUBLE as error:
        raise Unavailable(f"cannot look into {queue}: {describe(error)}") from error
    return found
