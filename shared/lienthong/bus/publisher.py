"""Messages out: persistent, mandatory, confirmed, pipelined, each sent again until its outcome is known.

What the broker does to a publisher that went wrong, and what is done about it here:

- A nacked message, on RabbitMQ 3.10 after an election, is followed by nacks for ever on that channel: the channel is
  given up, the rest of what is on it may still be confirmed, and the message is sent again on a new one.
- One message the broker will not have (no such exchange, no permission, a foreign ``user_id``, too large) closes the
  channel and fails everything in flight on it. All of those become suspects and are sent one by one on a channel of
  their own: the one that closes it alone is the culprit, the others get through.
- Nothing is ever sent again by the client library itself, and a publish can hang for as long as the broker is out of
  memory or disk: every publish has a time limit, after which the connection is cut and the message sent again.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiormq
from pamqp import commands

from lienthong.bus.backoff import Backoff
from lienthong.bus.errors import PublishForbidden, Unroutable
from lienthong.bus.link import BROKER_TROUBLE, CLOSE_SECONDS, describe, library_calls
from lienthong.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pamqp.common import FieldTable

    from lienthong.bus.link import Link
    from lienthong.bus.messages import Outgoing

__all__ = ["Publisher"]

_TROUBLE: tuple[type[Exception], ...] = (*BROKER_TROUBLE, Unavailable)

WINDOW = 200
"""Most messages in flight: the throughput of a confirming channel is flat from here on."""
LARGE_BYTES = 1024 * 1024
LARGE_WINDOW = 4
"""Most messages above `LARGE_BYTES` in flight: the client library buffers what the socket does not take."""
SLOWEST_BYTES_PER_SECOND = 128 * 1024
"""The slowest line (1 Mbit/s) that a large message still gets through: its time limits grow with its size."""
PERSISTENT = 2

_FORBIDDEN = (aiormq.ChannelAccessRefused, aiormq.ChannelNotFoundEntity, aiormq.ChannelPreconditionFailed)


class Publisher:
    """Publishes over one `Link`; may be used by several tasks at once."""

    def __init__(self, link: Link, *, confirm_seconds: float, give_up_seconds: float) -> None:
        self._link = link
        self._confirm_seconds = confirm_seconds
        self._give_up_seconds = give_up_seconds
        self._window = asyncio.Semaphore(WINDOW)
        self._large = asyncio.Semaphore(LARGE_WINDOW)
        self._one_by_one = asyncio.Lock()
        self._pipeline = _Outlet(link)
        self._suspects = _Outlet(link)
        self._in_flight: dict[str, asyncio.Event] = {}

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish messages and wait for every outcome.

        Returns:
            For each message, in order: None when the broker confirmed it; `Unroutable` or `PublishForbidden` when it
            will not be had as it is; `Unavailable` when its outcome could not be learnt in time (it may be in its
            queues all the same); any other error when it cannot be encoded.
        """
        return list(await asyncio.gather(*(self._publish(message) for message in messages)))

    async def _publish(self, message: Outgoing) -> Exception | None:
        # The client library finds a returned message by its id: no two with one id in flight.
        while (other := self._in_flight.get(message.message_id)) is not None:
            await other.wait()
        done = self._in_flight[message.message_id] = asyncio.Event()
        try:
            return await self._settle(message)
        finally:
            del self._in_flight[message.message_id]
            done.set()

    async def _settle(self, message: Outgoing) -> Exception | None:
        loop = asyncio.get_running_loop()
        on_the_line = len(message.body) / SLOWEST_BYTES_PER_SECOND
        deadline = loop.time() + self._give_up_seconds + on_the_line
        backoff = Backoff()
        outlet = self._pipeline
        trouble: Exception = TimeoutError("no time left")
        while (remaining := deadline - loop.time()) > 0 and not self._link.ended:
            try:
                with library_calls():
                    await self._attempt(outlet, message, min(remaining, self._confirm_seconds + on_the_line))
            except aiormq.PublishError:
                return Unroutable(f"no queue takes {message.routing_key!r} from exchange {message.exchange!r}")
            except _FORBIDDEN as error:
                if outlet is self._suspects:
                    return PublishForbidden(f"the broker refuses message {message.message_id!r}: {describe(error)}")
                outlet = self._suspects
                continue
            except _TROUBLE as error:
                trouble = error
            except Exception as error:  # noqa: BLE001 - it cannot be encoded, say; the caller gets it as the outcome
                return error
            else:
                return None
            await asyncio.sleep(min(backoff.next(), max(0.0, deadline - loop.time())))
        return Unavailable(f"message {message.message_id!r} was not confirmed: {describe(trouble)}")

    async def _attempt(self, outlet: _Outlet, message: Outgoing, seconds: float) -> None:
        async with AsyncExitStack() as turn:
            if outlet is self._suspects:
                await turn.enter_async_context(self._one_by_one)
            if len(message.body) > LARGE_BYTES:
                await turn.enter_async_context(self._large)
            await turn.enter_async_context(self._window)
            try:
                await outlet.publish(message, seconds)
            except TimeoutError:
                await self._link.cut()
                raise


@dataclass(eq=False, slots=True)
class _Confirming:
    """A confirming channel and how many publishes wait for their outcome on it."""

    channel: aiormq.Channel
    in_flight: int = 0
    given_up: bool = False


class _Outlet:
    """A confirming channel that is opened when it is needed and replaced when it failed."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._opening = asyncio.Lock()
        self._current: _Confirming | None = None

    async def publish(self, message: Outgoing, seconds: float) -> None:
        """Publish one message and wait for its confirm; raises what the client library raises, or `Unavailable`."""
        properties = _properties(message)
        current = await self._open(seconds)
        current.in_flight += 1
        try:
            await current.channel.basic_publish(
                message.body,
                exchange=message.exchange,
                routing_key=message.routing_key,
                properties=properties,
                mandatory=True,
                timeout=seconds,
                wait=False,
            )
        except aiormq.PublishError:
            raise
        except aiormq.DeliveryError as error:
            current.given_up = True
            raise Unavailable(
                "RabbitMQ chưa nhận (basic.nack), như khi gửi quá nhiều / the broker rejects it for now, as it does "
                "when too much of one sender waits"
            ) from error
        finally:
            current.in_flight -= 1
            if current.given_up and not current.in_flight:
                await _close(current.channel)

    async def _open(self, seconds: float) -> _Confirming:
        async with self._opening:
            current = self._current
            if current is None or current.given_up or current.channel.is_closed or not self._link.is_open:
                channel = await self._link.channel(confirms=True, within=seconds)
                current = self._current = _Confirming(channel)
            return current


async def _close(channel: aiormq.Channel) -> None:
    try:
        with library_calls():
            await channel.close(aiormq.ChannelClosed(0, "given up"), timeout=CLOSE_SECONDS)
    except BROKER_TROUBLE:
        return


def _properties(message: Outgoing) -> commands.Basic.Properties:
    headers: FieldTable = dict(message.headers)
    if message.bcc:
        headers["BCC"] = list(message.bcc)
    return commands.Basic.Properties(
        content_type=message.content_type or None,
        headers=headers,
        delivery_mode=PERSISTENT,
        priority=message.priority,
        message_id=message.message_id,
        message_type=message.type or None,
        user_id=message.user_id,
    )
