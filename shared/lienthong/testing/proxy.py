"""A TCP proxy on loopback that fails when told to: what a network does to a client, without a network."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["FaultyProxies", "FaultyProxy", "addresses_in", "one_address"]

CHUNK_BYTES = 64 * 1024


def addresses_in(urls: str) -> list[str]:
    """Return each server's URL: of several URLs, comma-separated, or of one PostgreSQL URL with several hosts."""
    place = urlsplit(urls)
    if "://" in place.netloc + place.path:
        return urls.split(",")
    login, at, hosts = place.netloc.rpartition("@")
    return [urlunsplit(place._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]


def one_address(urls: Sequence[str]) -> str:
    """Return the reverse of `addresses_in`."""
    places = [urlsplit(url) for url in urls]
    if not places[0].scheme.startswith("postgres"):
        return ",".join(urls)
    login, at, _ = places[0].netloc.rpartition("@")
    hosts = ",".join(place.netloc.rpartition("@")[2] for place in places)
    return urlunsplit(places[0]._replace(netloc=f"{login}{at}{hosts}"))


class FaultyProxies:
    """Stands in front of each of several servers for the length of a block.

    Args:
        urls: theirs; `FaultyProxies.url` is the same with the proxies' addresses in it. See `addresses_in`.
    """

    def __init__(self, urls: str) -> None:
        self._proxies = [FaultyProxy(url) for url in addresses_in(urls)]
        self._open = contextlib.AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        for proxy in self._proxies:
            await self._open.enter_async_context(proxy)
        self.url = one_address([proxy.url for proxy in self._proxies])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def cut(self) -> None:
        """Reset every connection; new ones are served."""
        for proxy in self._proxies:
            proxy.cut()

    def refuse(self) -> None:
        """Reset every connection, and every new one at once."""
        for proxy in self._proxies:
            proxy.refuse()

    def accept(self) -> None:
        """Serve new connections again."""
        for proxy in self._proxies:
            proxy.accept()


class FaultyProxy:
    """Stands in front of a server for the length of a block.

    Args:
        url: the server's URL; `FaultyProxy.url` is the same with the proxy's address in it.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._allowance: int | None = None
        self._rate: float | None = None
        self.accepted = 0
        """Connections so far."""
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        login, at, _ = self._target.netloc.rpartition("@")
        self.url = urlunsplit(self._target._replace(netloc=f"{login}{at}127.0.0.1:{port}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._flowing.set()
        self.cut()
        if self._pumps:
            await asyncio.wait(self._pumps)

    def cut(self) -> None:
        """Reset every connection; new ones are served."""
        self._allowance = None
        for writer in tuple(self._writers):
            writer.transport.abort()

    def cut_after(self, size: int) -> None:
        """Reset every connection once clients have sent this many more bytes."""
        self._allowance = size

    def slow_down(self, bytes_per_second: float) -> None:
        """Let what clients send through no faster than this from now on."""
        self._rate = bytes_per_second

    def swallow(self) -> None:
        """Let nothing through in either direction from now on, and tell nobody."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let everything through again, also what was held back."""
        self._flowing.set()

    def refuse(self) -> None:
        """Reset every connection, and every new one at once."""
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        """Serve new connections again."""
        self._refusing = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:  # the server is away, and so is the proxy
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for pump in (self._pump(reader, far_writer, limited=True), self._pump(far_reader, writer, limited=False)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, limited: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._flowing.wait()
                if limited and self._rate is not None:
                    await asyncio.sleep(len(chunk) / self._rate)
                writer.write(chunk)
                await writer.drain()
                if limited and self._allowance is not None:
                    self._allowance -= len(chunk)
                    if self._allowance <= 0:
                        self.cut()
        self._writers.discard(writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
