"""A RabbitMQ and a PostgreSQL for as long as a block lasts: given by URL, else in Docker, else started natively."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn
from urllib.parse import quote

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing.answers import BrokerAddress, LedgerAddress, Server, await_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

__all__ = ["Kind", "Servers", "running_servers"]

Kind = Literal["auto", "urls", "docker", "native"]

START_SECONDS = 120.0
BROKER_VARIABLE = "LIENTHONG_TEST_BROKER_URL"
MANAGEMENT_VARIABLE = "LIENTHONG_TEST_MANAGEMENT_URL"
LEDGER_VARIABLE = "LIENTHONG_TEST_LEDGER_URL"
GIVEN = "given by URL"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the two servers are.

    Attributes:
        broker_url: AMQP URL of a broker's administrator, without a virtual host: ``amqp://user:password@host:port``.
        management_url: URL of its management API, for the same user: ``http://user:password@host:port``.
        ledger_url: PostgreSQL URL of a superuser: ``postgresql://user:password@host:port/postgres``.
        description: which servers they are, as they say themselves: ``RabbitMQ 4.0.5, PostgreSQL 17.6 in Docker``.
        broker: the first of them, to be ended and started again where that is possible.
        ledger: the second, likewise.
    """

    broker_url: str
    management_url: str
    ledger_url: str
    description: str
    broker: Server[BrokerAddress]
    ledger: Server[LedgerAddress]

    def vhost_url(self, vhost: str) -> str:
        """Return the administrator's AMQP URL of a virtual host; several, comma-separated, of a cluster."""
        return ",".join(f"{url}/{quote(vhost, safe='')}" for url in self.broker_url.split(","))


@contextmanager
def running_servers(folder: Path, *, kind: Kind = "auto") -> Iterator[Servers]:
    """Provide a RabbitMQ and a PostgreSQL, and stop afterwards whatever was started.

    A server is taken from the environment when its URL is there: ``LIENTHONG_TEST_BROKER_URL`` together with
    ``LIENTHONG_TEST_MANAGEMENT_URL`` for RabbitMQ (its ``max_message_size`` has to be 134217728),
    ``LIENTHONG_TEST_LEDGER_URL`` for PostgreSQL. Else it runs in Docker when the engine is on this machine and the
    images are there or can be pulled, else as a child process, its Debian package being installed when this is root.

    Everything started ends with the block, also by Ctrl-C and by SIGTERM, which raises `KeyboardInterrupt` inside
    the block when it runs in the main thread; native servers end even when this process is killed.

    Args:
        folder: where native servers keep their files; made when missing, and left empty of them.
        kind: ``auto`` as described; ``urls``, ``docker`` or ``native`` allow only that way.

    Raises:
        MisconfiguredError: no way is open here; the text has the reason for each.
    """
    given_broker, given_ledger = (None, None) if kind in {"docker", "native"} else _given()
    reasons: list[str] = []
    with ended_by_sigterm():
        for way in _ways(kind):
            with ExitStack() as attempt:
                try:
                    broker, ledger = _started(attempt, way, folder, given_broker, given_ledger)
                    answers = await_answer(broker, START_SECONDS), await_answer(ledger, START_SECONDS)
                except (Unavailable, MisconfiguredError) as reason:
                    reasons.append(f"{way}: {reason}")
                    continue
                yield Servers(
                    broker.address.url.rstrip("/"),
                    broker.address.management_url.rstrip("/"),
                    ledger.address.url,
                    _description(answers, (broker.place, ledger.place)),
                    broker,
                    ledger,
                )
                return
    raise MisconfiguredError("no RabbitMQ and PostgreSQL to be had:\n" + "\n".join(f"- {line}" for line in reasons))


def _ways(kind: Kind) -> tuple[Kind, ...]:
    return ("urls", "docker", "native") if kind == "auto" else (kind,)


def _given() -> tuple[Server[BrokerAddress] | None, Server[LedgerAddress] | None]:
    broker_url, management_url, ledger_url = map(
        os.environ.get, (BROKER_VARIABLE, MANAGEMENT_VARIABLE, LEDGER_VARIABLE)
    )
    if bool(broker_url) != bool(management_url):
        raise MisconfiguredError(f"{BROKER_VARIABLE} and {MANAGEMENT_VARIABLE} belong together: set both or none")
    broker = (
        Server(BrokerAddress(broker_url, management_url), GIVEN, _nothing) if broker_url and management_url else None
    )
    ledger = Server(LedgerAddress(ledger_url), GIVEN, _nothing) if ledger_url else None
    return broker, ledger


def _nothing() -> str | None:
    """Know of no failure: somebody else's server may always come back."""
    return None


def _started(
    attempt: ExitStack,
    way: Kind,
    folder: Path,
    broker: Server[BrokerAddress] | None,
    ledger: Server[LedgerAddress] | None,
) -> tuple[Server[BrokerAddress], Server[LedgerAddress]]:
    """Start, in one way, what is not given; neither waits for the other, so they come up together."""
    if way == "urls":
        missing = [
            variable
            for server, variable in (
                (broker, f"{BROKER_VARIABLE} and {MANAGEMENT_VARIABLE}"),
                (ledger, LEDGER_VARIABLE),
            )
            if server is None
        ]
        if broker is None or ledger is None:
            raise MisconfiguredError(f"set {' and '.join(missing)}")
        return broker, ledger
    if way == "docker":
        # Only here, because importing the engine's client takes a third of a second.
        from lienthong.testing import docker  # noqa: PLC0415 - see above

        docker.prepare(
            *(
                image
                for server, image in ((broker, docker.BROKER_IMAGE), (ledger, docker.LEDGER_IMAGE))
                if server is None
            )
        )
        return (
            broker or attempt.enter_context(docker.docker_broker()),
            ledger or attempt.enter_context(docker.docker_ledger()),
        )
    from lienthong.testing import native  # noqa: PLC0415 - beside the other way

    packages: tuple[tuple[object, native.Package], ...] = ((broker, "rabbitmq-server"), (ledger, "postgresql"))
    native.install_missing(*(package for server, package in packages if server is None))
    return (
        broker or attempt.enter_context(native.native_broker(folder)),
        ledger or attempt.enter_context(native.native_ledger(folder)),
    )


def _description(answers: tuple[str, str], places: tuple[str, str]) -> str:
    if places[0] == places[1]:
        return f"{answers[0]}, {answers[1]} {places[0]}"
    return f"{answers[0]} {places[0]}, {answers[1]} {places[1]}"


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt
