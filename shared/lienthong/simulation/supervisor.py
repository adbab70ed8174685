"""The five workers as processes of their own, started again when one dies."""

from __future__ import annotations

import asyncio
import http
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import aiohttp

from lienthong.bus.backoff import Backoff
from lienthong.errors import Unavailable
from lienthong.testing.processes import Family, Process, free_ports
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["Supervisor"]

LOOK_SECONDS = 0.1
READY_SECONDS = 60.0
STEADY_SECONDS = 5.0
"""A worker that ran for so long is started again without delay."""


@dataclass(slots=True)
class _Worker:
    step: Step
    port: int
    process: Process
    starts: int = 1


class Supervisor:
    """Runs one process of each worker; an async context manager.

    Args:
        environments: each worker's settings, the only ones of ours it gets; what else this process has in its
            environment goes with them.
        logs: folder of their logs, one file each.
        scratch: a folder that may be removed when this process is killed.
        on_death: told the step of a worker that died, before it is started again.
    """

    def __init__(
        self,
        environments: Mapping[Step, Mapping[str, str]],
        *,
        logs: Path,
        scratch: Path,
        on_death: Callable[[Step], None] | None = None,
    ) -> None:
        # Nor does a worker get what was meant for somebody else, such as the password of a server's administrator.
        self._inherited = {name: value for name, value in os.environ.items() if not name.startswith("LIENTHONG_")}
        self._environments = environments
        self._logs = logs
        self._family = Family(scratch, stop_signal=signal.SIGTERM)
        self._on_death = on_death
        self._workers: dict[Step, _Worker] = {}
        self._watching: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start the workers; returns when all of them are ready.

        Raises:
            Unavailable: one is not ready in time; the text has the end of its log.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        self._family.__enter__()
        try:
            for step, port in zip(Step, free_ports(len(Step)), strict=True):
                self._log(step).unlink(missing_ok=True)
                worker = self._workers[step] = _Worker(step, port, self._start(step, port))
                self._watching.append(asyncio.create_task(self._watch(worker), name=f"watch {step}"))
            await self.ready()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        # In a thread: they may be talking to a server through this very process while they end.
        await asyncio.to_thread(self._family.__exit__, kind, error, trace)

    @property
    def restarts(self) -> dict[Step, int]:
        """How often each worker was started again."""
        return {worker.step: worker.starts - 1 for worker in self._workers.values()}

    @property
    def health_urls(self) -> dict[Step, str]:
        """Where each worker answers ``/live``, ``/ready`` and ``/metrics``."""
        return {worker.step: f"http://127.0.0.1:{worker.port}" for worker in self._workers.values()}

    def pid(self, step: Step) -> int:
        """Return the process id of a worker."""
        return self._workers[step].process.pid

    async def ready(self) -> None:
        """Wait until every worker says it is ready; raises `Unavailable` when one does not in time."""
        async with aiohttp.ClientSession() as session:
            try:
                async with asyncio.timeout(READY_SECONDS):
                    await asyncio.gather(*(_await_ready(session, url) for url in self.health_urls.values()))
            except TimeoutError:
                waiting = [
                    worker
                    for worker in self._workers.values()
                    if not await _is_ready(session, self.health_urls[worker.step])
                ]
                tails = "\n".join(f"{worker.step}: {worker.process.log_tail()}" for worker in waiting)
                raise Unavailable(f"workers are not ready after {READY_SECONDS:g} s:\n{tails}") from None

    def _log(self, step: Step) -> Path:
        return self._logs / f"{step}.log"

    def _start(self, step: Step, port: int) -> Process:
        return self._family.start(
            [sys.executable, "-m", f"lienthong_{step.replace('-', '_')}"],
            log=self._log(step),
            environment={
                **self._inherited,
                **self._environments[step],
                "LIENTHONG_SERVICE_HEALTH_PORT": str(port),
            },
        )

    async def _watch(self, worker: _Worker) -> None:
        backoff = Backoff(first=LOOK_SECONDS)
        started = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if worker.process.failure() is not None:
                if self._on_death is not None:
                    self._on_death(worker.step)
                if time.monotonic() - started > STEADY_SECONDS:
                    backoff.reset()
                # One that cannot even start must not be started in a tight loop.
                await asyncio.sleep(backoff.next())
                worker.process = self._start(worker.step, worker.port)
                worker.starts += 1
                started = time.monotonic()


async def _await_ready(session: aiohttp.ClientSession, url: str) -> None:
    while not await _is_ready(session, url):  # noqa: ASYNC110 - another process; there is nothing to wait on
        await asyncio.sleep(LOOK_SECONDS)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/ready") as answer:
            # What an authority owes may stay away as long as it does; the worker works on all the same.
            return answer.status == http.HTTPStatus.OK or set((await answer.json())["missing"]) == {"trust"}
    except aiohttp.ClientError:
        return False
