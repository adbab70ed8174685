"""One connection to the broker: opened over a list of addresses, opened again when it is lost, cut when it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import aio_pika
import aiormq
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp.exceptions import PAMQPException
from yarl import URL

from lienthong.bus.backoff import Backoff
from lienthong.bus.piecemeal import PiecemealWriter
from lienthong.bus.readable import ReadableFrames
from lienthong.errors import LienThongError, MisconfiguredError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator


__all__ = ["BROKER_TROUBLE", "Link", "addresses_of", "asked", "describe", "library_calls"]

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
ANSWER_SECONDS = 30.0

AnswerT = TypeVar("AnswerT")

BROKER_TROUBLE: tuple[type[Exception], ...] = (
    aiormq.AMQPError,
    aiormq.ChannelInvalidStateError,
    PAMQPException,
    OSError,
    TimeoutError,
    EOFError,
)
"""What the client library raises when the connection or a channel is in trouble."""

# It also raises RuntimeError where it finds the connection closed before it began.
_OPENING_TROUBLE: tuple[type[Exception], ...] = (*BROKER_TROUBLE, RuntimeError)
_LOGIN_REFUSED = (aiormq.AuthenticationError, aiormq.ProbableAuthenticationError)


def addresses_of(urls: str) -> tuple[URL, ...]:
    """Return the addresses in a comma-separated list; raises `MisconfiguredError` when one is no AMQP address."""
    try:
        addresses = tuple(URL(text.strip()) for text in urls.split(",") if text.strip())
    except ValueError:
        # What it says may quote a part of the password, as may an error in its cause.
        addresses = ()
    if not addresses or any(url.scheme not in {"amqp", "amqps"} or not url.host for url in addresses):
        raise MisconfiguredError(
            "địa chỉ RabbitMQ phải có dạng / the broker's address must look like "
            "amqp://user:password@host:5672/vhost, special characters as %XX"
        )
    return addresses


def describe(error: BaseException) -> str:
    """Return what happened on one line, also for errors whose text is empty."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")


@contextlib.contextmanager
def library_calls() -> Iterator[None]:
    """Stand around calls of the client library, so that they end in one of the ways its callers know.

    A cancellation of ours is not lost: when it comes while the library is putting away a connection that failed, the
    library raises that failure instead; and up to Python 3.11 ``asyncio.wait_for``, which it uses, drops it when what
    is waited for is done just then. And what is under way while the connection is closed, which the library ends with
    a bare `Exception`, or as if it had been cancelled, fails like a call on a connection that is closed.

    Raises:
        CancelledError: the task was cancelled meanwhile, whatever came of the call.
        ConnectionClosed: of aiormq, the connection was closed meanwhile.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        yield
    except asyncio.CancelledError as error:
        if task is None or task.cancelling():
            raise
        raise aiormq.ConnectionClosed(0, "closed meanwhile") from error
    except Exception as error:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError from error
        if type(error) is Exception:
            raise aiormq.ConnectionClosed(0, "closed meanwhile") from error
        raise
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def asked(call: Awaitable[AnswerT]) -> AnswerT:
    """Return the broker's answer to one call of the client library; see `library_calls`.

    The library's own timeouts stand on ``asyncio.wait_for``: who closes the connection at a bad moment waits for them.

    Raises:
        TimeoutError: it took longer than `ANSWER_SECONDS`.
    """
    with library_calls():
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call


class _CuttableTransport(TransportFactory):
    """Opens the socket as the library would, and remembers it: a connection that hangs can only be ended from below.

    What is read from it can be decoded; see `ReadableFrames`.
    """

    def __init__(self, *, secure: bool) -> None:
        self._factory: TransportFactory = TLSTransportFactory() if secure else TCPTransportFactory()
        self.transport: asyncio.WriteTransport | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self._factory.create(url, **kwargs)
        self.transport = writer.transport
        return cast("asyncio.StreamReader", ReadableFrames(reader)), PiecemealWriter(writer, reader)


class Link:
    """One connection to the broker, which its user opens again by asking for it, until it is ended."""

    def __init__(self, addresses: tuple[URL, ...], *, name: str, heartbeat_seconds: int) -> None:
        self._addresses = deque(url.update_query(heartbeat=heartbeat_seconds) for url in addresses)
        self._name = name
        self.ended = False
        """Whether nobody opens it again."""
        self._opening = asyncio.Lock()
        self._connection: aio_pika.Connection | None = None
        self._transport: asyncio.WriteTransport | None = None

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as its reader and writer know."""
        return self._connection is not None and _below(self._connection).is_opened

    async def channel(self, *, confirms: bool, within: float) -> aiormq.Channel:
        """Open a channel, and the connection first when there is none.

        Args:
            confirms: whether the broker shall confirm publishes; a message it cannot route then raises.
            within: how long to try, in seconds.

        Raises:
            Unavailable: no broker answered in time.
            MisconfiguredError: every broker that answered refused our user.
        """
        connection = await self._open(within)
        try:
            with library_calls():
                async with asyncio.timeout(min(within, CONNECT_SECONDS)):
                    opened = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
                    await opened.initialize()
                    channel = await opened.get_underlay_channel()
        except _OPENING_TROUBLE as error:
            await self.cut()
            raise Unavailable(f"cannot open a channel: {describe(error)}") from error
        assert isinstance(channel, aiormq.Channel)
        return channel

    async def open(self, *, within: float) -> None:
        """Open the connection unless it stands; raises like `channel`."""
        await self._open(within)

    async def keep_open(self) -> NoReturn:
        """Open the connection again whenever it is lost, until cancelled."""
        backoff = Backoff()
        while True:
            try:
                connection = await self._open(CONNECT_SECONDS)
            except LienThongError as error:
                log.warning("%s: %s", self._name, describe(error))
            else:
                backoff.reset()
                await asyncio.wait([_below(connection).closing])
            await asyncio.sleep(backoff.next())

    async def _open(self, within: float) -> aio_pika.Connection:
        try:
            async with asyncio.timeout(within):
                await self._opening.acquire()
        except TimeoutError as error:
            raise Unavailable("no broker has answered yet") from error
        try:
            if self._connection is not None and self.is_open:
                return self._connection
            self._check()
            await self.close()
            return await self._connect(within)
        finally:
            self._opening.release()

    async def _connect(self, within: float) -> aio_pika.Connection:
        deadline = asyncio.get_running_loop().time() + within
        backoff = Backoff()
        while True:
            failures: list[tuple[URL, Exception]] = []
            for left in range(len(self._addresses), 0, -1):
                address = self._addresses[0]
                # Next time another one: a node whose connection was lost may still take new ones, and never answer.
                self._addresses.rotate(-1)
                share = (deadline - asyncio.get_running_loop().time()) / left
                try:
                    with library_calls():
                        return await self._connect_to(address, min(CONNECT_SECONDS, max(share, 0.1)))
                except _OPENING_TROUBLE as error:
                    failures.append((address, error))
            if all(isinstance(error, _LOGIN_REFUSED) for _, error in failures):
                raise MisconfiguredError(
                    "RabbitMQ từ chối tên người dùng hoặc mật khẩu / the broker refuses our user or its password: "
                    f"{describe(failures[0][1])}"
                )
            delay = backoff.next()
            if asyncio.get_running_loop().time() + delay > deadline:
                reasons = "; ".join(_why(*failure) for failure in failures)
                raise Unavailable(f"RabbitMQ không trả lời / no broker answers ({reasons})") from failures[-1][1]
            await asyncio.sleep(delay)

    async def _connect_to(self, address: URL, seconds: float) -> aio_pika.Connection:
        transport = _CuttableTransport(secure=address.scheme == "amqps")
        connection = aio_pika.Connection(address, client_properties={"connection_name": self._name})
        connection.kwargs["transport_factory"] = transport
        try:
            async with asyncio.timeout(seconds):
                await connection.connect()
            self._check()
        except BaseException:
            if transport.transport is not None:
                transport.transport.abort()
            # There is nothing left to close; the library would try to when it is collected, wherever that happens.
            await connection.close()
            raise
        self._connection, self._transport = connection, transport.transport
        return connection

    async def end(self) -> None:
        """End the connection for good: nobody opens it again, not even who was about to."""
        self.ended = True
        await self.close()

    def _check(self) -> None:
        if self.ended:
            raise Unavailable("closed by us")

    async def cut(self) -> None:
        """End a connection that no longer answers: no farewell, everything under way on it fails."""
        connection, transport = self._connection, self._transport
        self._connection = self._transport = None
        if connection is not None and transport is not None:
            transport.abort()
            await _bounded(connection.close(aiormq.ConnectionClosed(0, "cut")))

    async def close(self) -> None:
        """End the connection, which may be lost already; what hangs is cut."""
        connection, transport = self._connection, self._transport
        self._connection = self._transport = None
        if connection is not None:
            await _bounded(connection.close(aiormq.ConnectionClosed(0, "closed by us")))
        if transport is not None:
            transport.abort()


def _why(address: URL, error: Exception) -> str:
    # When the broker answers the opening of a virtual host by closing, the library drops the reason it gives.
    if isinstance(error, aiormq.exceptions.InvalidFrameError) and "OpenOk" in str(error):
        vhost = address.path.removeprefix("/") or "/"
        return f"virtual host {vhost} không có hoặc không được vào / is not there, or our user may not enter it"
    return describe(error)


def _below(connection: aio_pika.Connection) -> aiormq.abc.AbstractConnection:
    assert connection.transport is not None, "only connected ones are kept"
    return connection.transport.connection


async def _bounded(closing: Awaitable[None]) -> None:
    # Whatever closing reports, the connection is of no use afterwards.
    with contextlib.suppress(*_OPENING_TROUBLE):
        async with asyncio.timeout(CLOSE_SECONDS):
            await closing
