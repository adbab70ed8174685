"""What an orchestrator and Prometheus ask a worker: /live, /ready, /metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lienthong.errors import LienThongError, MisconfiguredError
from lienthong.telemetry.events import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from lienthong.worker.runner import Pulse

__all__ = ["HealthServer"]

STUCK_SECONDS = 120.0
"""A loop that has not got on for this long is stuck: twice what the longest wait for a confirm takes."""
CHECK_SECONDS = 3.0
HEADERS = {"Cache-Control": "no-store"}

log = structlog.stdlib.get_logger(__name__)


class HealthServer:
    """Answers on one address until its block ends.

    ``/live`` is 200 while the loop turns, else 503: restart the process. ``/ready`` is 200 when everything the worker
    depends on answers, else 503 with what is missing; do not restart for that. ``/metrics`` is Prometheus' text.

    Args:
        host: address to listen on.
        port: its port; 0 takes a free one.
        pulse: when the loop last got on.
        checks: what the worker depends on, by name; a check raises a `LienThongError` when it does not answer. More may
            be put in later.
        stuck_seconds: how long the loop may stand still.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        pulse: Pulse,
        checks: Mapping[str, Callable[[], Awaitable[None]]],
        stuck_seconds: float = STUCK_SECONDS,
    ) -> None:
        self._host, self._port = host, port
        self._pulse = pulse
        self._checks = checks
        self._stuck_seconds = stuck_seconds
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        """Listen; raises `MisconfiguredError` when the address cannot be had."""
        application = web.Application()
        application.router.add_get("/live", self._live)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise MisconfiguredError(f"cannot listen on {self._host}:{self._port}: {error}") from error
        self.url = f"http://{self._host}:{self._runner.addresses[0][1]}"
        log.info(Event.HEALTH_LISTENING, url=self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        age = self._pulse.age_seconds
        return _answer(ok=age <= self._stuck_seconds, seconds_since_turn=round(age, 3))

    async def _ready(self, _request: web.Request) -> web.Response:
        checks = dict(self._checks)
        reasons = await asyncio.gather(*map(_trouble, checks.values()))
        missing = {name: reason for name, reason in zip(checks, reasons, strict=True) if reason is not None}
        return _answer(ok=not missing, missing=missing)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers=HEADERS | {"Content-Type": CONTENT_TYPE_LATEST})


async def _trouble(check: Callable[[], Awaitable[None]]) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except LienThongError as error:
        return str(error)
    return None


def _answer(*, ok: bool, **facts: object) -> web.Response:
    return web.json_response({"ok": ok, **facts}, status=200 if ok else 503, headers=HEADERS)
