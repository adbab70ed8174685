"""Where a server is, whether it answers, and which version it says it is."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import asyncpg

from lienthong.errors import MisconfiguredError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BrokerAddress", "LedgerAddress", "Power", "Server", "await_answer", "start_again"]

ANSWER_SECONDS = 5.0
"""How long one question to a server may take."""
POLL_SECONDS = 0.05
AMQP_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


class Address(Protocol):
    """A place where a server is expected."""

    def ask(self) -> str:
        """Return the name and version the server gives itself; raise `Unavailable` when it does not answer yet."""


AddressT_co = TypeVar("AddressT_co", bound=Address, covariant=True)


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A RabbitMQ with its management API, by an administrator's URLs."""

    url: str
    management_url: str

    def ask(self) -> str:
        """Return ``RabbitMQ <version>`` once both AMQP and the management API answer.

        Raises:
            Unavailable: one of them does not, yet.
            MisconfiguredError: the user or its password is wrong.
        """
        place = urlsplit(self.management_url)
        broker = urlsplit(self.url)
        try:
            if broker.scheme == "amqp":
                _greet_amqp(broker.hostname or "127.0.0.1", broker.port or 5672)
            overview = _overview(self.management_url)
            if broker.scheme == "amqps" and '"amqp/ssl"' not in json.dumps(overview["listeners"]):
                raise ConnectionError("no TLS listener yet")
            version = overview["rabbitmq_version"]
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise Unavailable(f"RabbitMQ does not answer at {place.hostname}:{place.port}: {error!r}") from error
        return f"RabbitMQ {version}"


@dataclass(frozen=True, slots=True)
class LedgerAddress:
    """A PostgreSQL, by the URL of a user who may create databases."""

    url: str

    def ask(self) -> str:
        """Return ``PostgreSQL <version>`` once it takes connections.

        Raises:
            Unavailable: it does not, yet.
            MisconfiguredError: the user or its password is wrong.
        """
        # A thread of its own, because whoever asks may be inside a running event loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(_postgresql_version(self.url))).result()


class Power(Protocol):
    """Ends a server and starts it again on the files it left, at the same address, or lets it stand still."""

    def kill(self) -> None:
        """End it as ``kill -9`` does; returns when it has ended."""

    def stop(self) -> None:
        """End it in order; returns when it has ended."""

    def start(self) -> None:
        """Start it again; it is not ready yet."""

    def freeze(self) -> None:
        """Let all its processes stand still, as SIGSTOP does; whoever talks to it is told nothing."""

    def thaw(self) -> None:
        """Let them go on."""


@dataclass(frozen=True, slots=True)
class Server(Generic[AddressT_co]):
    """A server that was started, or found.

    Attributes:
        address: where it is.
        place: ``in Docker``, ``natively`` or ``given by URL``.
        failure: returns None while it may still answer, else why it never will (the end of its log).
        log: returns what it has logged so far, as far as it is to be had from here.
        power: ends it and starts it again; None for somebody else's.
    """

    address: AddressT_co
    place: str
    failure: Callable[[], str | None]
    log: Callable[[], str] = str
    power: Power | None = None


def await_answer(server: Server[Address], seconds: float) -> str:
    """Wait until a server answers, and return the name and version it gives itself.

    Raises:
        Unavailable: it ended, or did not answer within `seconds`.
        MisconfiguredError: it answers, but not to this user.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return server.address.ask()
        except Unavailable as silence:
            if failure := server.failure():
                raise Unavailable(failure) from silence
            if time.monotonic() > deadline:
                raise Unavailable(f"no answer within {seconds:.0f} seconds: {silence}") from silence
        time.sleep(POLL_SECONDS)


def start_again(server: Server[Address], seconds: float) -> None:
    """Start a server that was ended, and wait until it answers.

    PostgreSQL does not start while a process of the one that was killed still runs; so it is tried again.

    Raises:
        Unavailable: it did not answer within `seconds`.
    """
    assert server.power is not None, "only what was started here was ended here"
    deadline = time.monotonic() + seconds
    server.power.start()
    while True:
        try:
            await_answer(server, max(0.0, deadline - time.monotonic()))
        except Unavailable:
            if server.failure() is None or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
            server.power.start()
        else:
            return


def _greet_amqp(host: str, port: int) -> None:
    """Send AMQP's protocol header; only a broker that takes connections replies with a method frame."""
    with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(AMQP_PROTOCOL_HEADER)
        if connection.recv(1) != b"\x01":
            raise ConnectionError("not an AMQP 0-9-1 broker, or not ready")


def _overview(management_url: str) -> dict[str, object]:
    place = urlsplit(management_url)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    credentials = f"{unquote(place.username or 'guest')}:{unquote(place.password or 'guest')}"
    token = base64.b64encode(credentials.encode()).decode()
    with closing(kind(place.hostname or "127.0.0.1", place.port, timeout=ANSWER_SECONDS)) as connection:
        connection.request("GET", f"{place.path.rstrip('/')}/api/overview", headers={"Authorization": f"Basic {token}"})
        response = connection.getresponse()
        body = response.read()
    if response.status == http.client.UNAUTHORIZED:
        raise MisconfiguredError(f"the management API at {place.hostname}:{place.port} refuses this user and password")
    if response.status != http.client.OK:
        raise ConnectionError(f"the management API says {response.status}")
    overview: dict[str, object] = json.loads(body)
    return overview


async def _postgresql_version(url: str) -> str:
    try:
        connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS)
        try:
            version: str = await connection.fetchval("show server_version")
        finally:
            await connection.close()
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, ValueError) as error:
        raise MisconfiguredError(f"PostgreSQL refuses this user, password or database: {error}") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"PostgreSQL does not answer: {error!r}") from error
    return f"PostgreSQL {version.split(maxsplit=1)[0]}"
