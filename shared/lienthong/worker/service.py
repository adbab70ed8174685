"""From settings to a running worker: what every service's ``__main__`` calls.

::

    async def build(connections: Connections) -> RouteDocument:
        return RouteDocument(FolderStore(PayloadSettings().folder))

    def run() -> None:
        main(Step.ROUTER, build, role="lienthong_router")
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from lienthong.bus.backoff import Backoff
from lienthong.bus.connection import Bus
from lienthong.bus.link import addresses_of
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.migrations import lacking
from lienthong.settings import BrokerSettings, LedgerSettings, PayloadSettings, ServiceSettings, TraceSettings
from lienthong.telemetry.events import Event
from lienthong.telemetry.logs import configure_logging
from lienthong.topology.names import Step
from lienthong.worker.health import HealthServer
from lienthong.worker.ladder import reason
from lienthong.worker.measuring import Measuring
from lienthong.worker.runner import Pulse, Runner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lienthong.telemetry.traces import Tracing
    from lienthong.worker.handler import Handler

    Build = Callable[["Connections"], Awaitable[Handler[Any]]]
    Check = Callable[[], Awaitable[None]]

__all__ = ["Connections", "main", "own_user", "serve"]

REFUSED_SECONDS = 5.0
"""So long a server that refuses us at the first start is asked again: it may be starting, too."""
EXIT_CUT_SHORT = 1
EXIT_MISCONFIGURED = 78
"""``EX_CONFIG`` of sysexits.h: restarting will not help."""

OpenedT = TypeVar("OpenedT")

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Connections:
    """What a handler can be built with.

    Attributes:
        bus: the broker, connected; what a step needs there, `lienthong topology apply` has declared.
        ledger: the database, in the step's role.
        closing: what the handler opens is built from may be entered here, and is closed when the worker ends.
        checks: what ``/ready`` asks, by name; what else the handler depends on may be put here.
    """

    bus: Bus
    ledger: Ledger
    closing: AsyncExitStack
    checks: dict[str, Check]


def main(step: Step, build: Build, *, role: str | None) -> None:
    """Run one worker until a signal ends it, and exit.

    SIGTERM and SIGINT let it finish the batch in hand; a second one, or the time limit, ends it at once: nothing is
    lost by that either, only done again. Exit code 0: finished; 1: cut short; 78: misconfigured.

    Args:
        step: which worker.
        build: makes its handler.
        role: the PostgreSQL role it takes.
    """
    sys.exit(asyncio.run(serve(step, build, role=role)))


async def serve(step: Step, build: Build, *, role: str | None) -> int:
    """Run one worker with the settings of the environment; returns the exit code. See `main`."""
    name = f"lienthong-{step}"
    configure_logging(name, "info")
    try:
        service = ServiceSettings()
        configure_logging(name, service.log_level)
        await _Worker(step, build, role, service).run()
    except MisconfiguredError as error:
        log.critical(Event.WORKER_MISCONFIGURED, reason=str(error))
        return EXIT_MISCONFIGURED
    except asyncio.CancelledError:
        log.warning(Event.WORKER_STOPPED, clean=False)
        return EXIT_CUT_SHORT
    except Exception:
        log.exception(Event.WORKER_CRASHED)
        raise
    log.info(Event.WORKER_STOPPED, clean=True)
    return 0


class _Worker:
    """One process: its health, its signals, its connections, its loop."""

    def __init__(self, step: Step, build: Build, role: str | None, service: ServiceSettings) -> None:
        self._step, self._build, self._role, self._service = step, build, role, service
        self._pulse = Pulse()
        self._stopping = asyncio.Event()
        self._bus: Bus | None = None
        self._ledger: Ledger | None = None
        self._begun = False
        self._checks: dict[str, Check] = {
            "broker": self._check_broker,
            "ledger": self._check_ledger,
            "worker": self._check_begun,
        }

    async def run(self) -> None:
        """Connect, take batches until a signal comes, drain."""
        async with AsyncExitStack() as closing:
            self._obey_signals(closing)
            health = HealthServer(
                self._service.health_host,
                self._service.health_port,
                pulse=self._pulse,
                checks=self._checks,
            )
            await closing.enter_async_context(health)
            runner = await self._runner(closing)
            if runner is not None:
                stopper = asyncio.create_task(self._stop(runner), name="stop the runner")
                closing.callback(stopper.cancel)
                await runner.run()

    async def _runner(self, closing: AsyncExitStack) -> Runner[Any] | None:
        """Return the loop once everything it needs answers; None when a signal came before."""
        bus = self._bus = await self._patiently(closing, self._open_bus, refused_seconds=REFUSED_SECONDS)
        ledger = self._ledger = await self._patiently(closing, self._open_ledger, refused_seconds=REFUSED_SECONDS)
        if bus is None or ledger is None:
            return None

        async def build(attempt: AsyncExitStack) -> Handler[Any]:
            return await self._build(Connections(bus, ledger, attempt, self._checks))

        handler = await self._patiently(closing, build)
        if handler is None:
            return None
        await closing.enter_async_context(_measuring(self._step, bus))
        self._begun = True
        user, limit = own_user(bus), self._service.batch_limit
        tracing = await _tracing(self._step, closing)
        return Runner(handler, bus=bus, ledger=ledger, user=user, batch_limit=limit, pulse=self._pulse, tracing=tracing)

    async def _open_bus(self, attempt: AsyncExitStack) -> Bus:
        settings = BrokerSettings()
        bus = Bus(
            settings.url.get_secret_value(),
            name=f"lienthong {self._step}",
            heartbeat_seconds=settings.heartbeat_seconds,
        )
        await attempt.enter_async_context(bus)
        # Its queues are not declared here: whoever may declare one may delete it too. It waits until they are there.
        return bus

    async def _open_ledger(self, attempt: AsyncExitStack) -> Ledger:
        ledger = await Ledger.connect(LedgerSettings().url.get_secret_value(), role=self._role)
        attempt.push_async_callback(ledger.close)
        return ledger

    async def _patiently(
        self,
        closing: AsyncExitStack,
        opening: Callable[[AsyncExitStack], Awaitable[OpenedT]],
        *,
        refused_seconds: float = 0.0,
    ) -> OpenedT | None:
        backoff = Backoff()
        refused_since: float | None = None
        while not self._stopping.is_set():
            self._pulse.beat()
            try:
                async with AsyncExitStack() as attempt:
                    opened = await opening(attempt)
                    closing.push_async_exit(attempt.pop_all())
                    return opened
            except (Unavailable, MisconfiguredError) as away:
                if isinstance(away, MisconfiguredError):
                    refused_since = refused_since or time.monotonic()
                    if time.monotonic() - refused_since >= refused_seconds:
                        raise
                log.warning(Event.DEPENDENCY_AWAY, reason=reason(away))
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.next()):
                    await self._stopping.wait()
        return None

    def _obey_signals(self, closing: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        this = asyncio.current_task()
        assert this is not None

        def obey(signal_name: str) -> None:
            if self._stopping.is_set():
                this.cancel()
                return
            log.info(Event.WORKER_DRAINING, signal=signal_name, drain_seconds=self._service.drain_seconds)
            self._stopping.set()
            closing.callback(loop.call_later(self._service.drain_seconds, this.cancel).cancel)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, obey, number.name)
            closing.callback(loop.remove_signal_handler, number)

    async def _stop(self, runner: Runner[Any]) -> None:
        await self._stopping.wait()
        runner.stop()

    async def _check_broker(self) -> None:
        if self._bus is None or not self._bus.connected:
            raise Unavailable("not connected")
        if self._begun and not self._bus.consuming:
            raise Unavailable("a queue cannot be consumed")

    async def _check_ledger(self) -> None:
        if self._ledger is None:
            raise Unavailable("not connected")
        if lack := lacking(await self._ledger.applied()):
            raise MisconfiguredError(
                "lược đồ sổ cái cũ hơn chương trình, hãy chạy / the ledger's schema is too old for this program, run: "
                f"lienthong ledger migrate ({', '.join(lack)})"
            )

    async def _check_begun(self) -> None:
        # What is missing of the servers they say themselves.
        if self._bus is not None and self._ledger is not None and not self._begun:
            raise Unavailable("chưa bắt đầu / not begun yet")


async def _tracing(step: Step, closing: AsyncExitStack) -> Tracing | None:
    """Return where spans are made, when that is wanted; raises `MisconfiguredError` when it cannot be done."""
    settings = TraceSettings()
    if settings.endpoint is None:
        return None
    try:
        traces = importlib.import_module("lienthong.telemetry.traces")
    except ImportError as error:
        raise MisconfiguredError(
            "LIENTHONG_TRACES_ENDPOINT: thiếu OpenTelemetry, hãy cài / OpenTelemetry is not installed: pip install "
            f"'lienthong[traces]' ({error})"
        ) from error
    tracing: Tracing = traces.Tracing(f"lienthong-{step}", settings.endpoint, settings.ratio)
    # In a thread: a collector that does not answer is waited for.
    closing.push_async_callback(asyncio.to_thread, tracing.close)
    return tracing


def _measuring(step: Step, bus: Bus) -> Measuring:
    (url, *_) = addresses_of(BrokerSettings().url.get_secret_value())
    certificate = url.query.get("certfile")
    return Measuring(
        step,
        bus,
        certificate=Path(certificate) if certificate else None,
        payload_folder=PayloadSettings().folder if step is Step.INGEST else None,
    )


def own_user(bus: Bus) -> str:
    """Return who we are to the broker; raises `MisconfiguredError` when the address does not say."""
    if bus.user is None:
        raise MisconfiguredError("the broker's address must name the user of the certificate: amqps://user@host/...")
    return bus.user
