"""Injects the planned faults into a running exchange, and measures how long each was felt."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp

from lienthong.errors import Unavailable
from lienthong.simulation.drill_plan import BROKER, LEDGER, Action, PlannedFault, Wire
from lienthong.testing.answers import start_again
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lienthong.simulation.fleet import Fleet
    from lienthong.simulation.supervisor import Supervisor
    from lienthong.testing.answers import Address, Server
    from lienthong.testing.proxy import FaultyProxies
    from lienthong.testing.servers import Servers

__all__ = ["InjectedFault", "Injector"]

AGENCIES = "agencies"
LOOK_SECONDS = 0.1
ANSWER_SECONDS = 1.0
SERVER_SECONDS = 120.0
WORKER_SECONDS = 60.0
SETTLED = re.compile(r'^lienthong_messages_settled_total\{outcome="forwarded",step="[^"]*"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """What came of one planned fault.

    Attributes:
        planned: the fault.
        injected_at: when it was injected; None when it could not be.
        recovered_seconds: from that moment until, for a worker, it settled its next batch; for a server or a wire of
            the workers, every worker settled its next batch; for the agencies' wire, an agency was handed its next
            document; for an agency's program, it noted something more. None when there was nothing more to do.
        obstacle: why it could not be injected.
    """

    planned: PlannedFault
    injected_at: datetime | None = None
    recovered_seconds: float | None = None
    obstacle: str | None = None


class Injector:
    """Does to an exchange what was planned.

    Args:
        supervisor: its workers.
        servers: its broker and its ledger.
        proxies: what stands in front of them, by wire.
        fleet: the agencies' programs.
        tell: told each fault when its recovery is known.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        servers: Servers,
        proxies: Mapping[Wire, FaultyProxies],
        fleet: Fleet,
        tell: Callable[[InjectedFault], None],
    ) -> None:
        self._supervisor = supervisor
        self._servers: dict[str, Server[Address]] = {BROKER: servers.broker, LEDGER: servers.ledger}
        self._proxies = proxies
        self._fleet = fleet
        self._tell = tell
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def inject(self, plan: Sequence[PlannedFault], *, patience_seconds: float) -> list[InjectedFault]:
        """Inject every fault at its moment, counted from now; returns, in the plan's order, when all have been felt.

        Faults of different targets overlap as they come; two of one target do not: the later one waits.

        Args:
            plan: the faults.
            patience_seconds: how long to wait for the recovery from one.

        Raises:
            Unavailable: a server did not come back.
        """
        begin = asyncio.get_running_loop().time()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)) as session:
            async with asyncio.TaskGroup() as injecting:
                tasks = [
                    injecting.create_task(self._one(session, fault, begin + fault.at, patience_seconds))
                    for fault in plan
                ]
            return [task.result() for task in tasks]

    async def _one(
        self, session: aiohttp.ClientSession, fault: PlannedFault, moment: float, patience: float
    ) -> InjectedFault:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(moment - loop.time())
        async with self._turns[fault.target]:
            injected = await self._injected(session, fault, patience)
        self._tell(injected)
        return injected

    async def _injected(self, session: aiohttp.ClientSession, fault: PlannedFault, patience: float) -> InjectedFault:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        injected = InjectedFault(fault, datetime.now(UTC))
        signs: Iterable[str] = Step
        if fault.target in self._servers:
            if obstacle := await self._server(fault, self._servers[fault.target]):
                return replace(injected, injected_at=None, obstacle=obstacle)
        elif fault.action is Action.CUT:
            self._proxies[Wire(fault.target)].cut()
            if fault.target == Wire.AGENCIES_BROKER:
                signs = [AGENCIES]
        elif fault.target in self._fleet.journals:
            await self._fleet.kill(fault.target)
            signs = [fault.target]
        else:
            await self._worker(fault, Step(fault.target))
            signs = [fault.target]
        try:
            async with asyncio.timeout(patience):
                await asyncio.gather(*(self._felt(session, sign) for sign in signs))
        except TimeoutError:
            return injected
        return replace(injected, recovered_seconds=round(loop.time() - begin, 1))

    async def _server(self, fault: PlannedFault, server: Server[Address]) -> str | None:
        """Do it to a server, and wait until it runs again; return why not when that is not possible."""
        if server.power is None:
            return f"máy chủ cho sẵn không dừng được từ đây / a server {server.place} cannot be ended from here"
        if fault.action is Action.FREEZE:
            await asyncio.to_thread(server.power.freeze)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                await asyncio.to_thread(server.power.thaw)
            return None
        await asyncio.to_thread(server.power.kill if fault.action is Action.KILL else server.power.stop)
        await asyncio.to_thread(start_again, server, SERVER_SECONDS)
        return None

    async def _worker(self, fault: PlannedFault, step: Step) -> None:
        """Do it to a worker, and wait until it runs again."""
        pid = self._supervisor.pid(step)
        if fault.action is Action.FREEZE:
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            return
        os.kill(pid, signal.SIGKILL if fault.action is Action.KILL else signal.SIGTERM)
        try:
            async with asyncio.timeout(WORKER_SECONDS):
                while self._supervisor.pid(step) == pid:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise Unavailable(f"{step} did not end, or was not started again, in {WORKER_SECONDS:g} s") from None

    async def _felt(self, session: aiohttp.ClientSession, sign: str) -> None:
        """Wait until this worker, or this agency, has gone on."""
        known: tuple[int, float] | None = None
        while True:
            now = await self._progress(session, sign)
            if now is not None:
                # A process that was started meanwhile counts from nothing.
                if known is not None and now[1] > (known[1] if known[0] == now[0] else 0.0):
                    return
                known = now
            await asyncio.sleep(LOOK_SECONDS)

    async def _progress(self, session: aiohttp.ClientSession, sign: str) -> tuple[int, float] | None:
        """Return the process and how much it has settled; None when it does not say."""
        if sign == AGENCIES:
            return 0, float(self._fleet.tally.counts.deliveries)
        if sign in self._fleet.journals:
            return 0, float(self._fleet.journals[sign].noted)
        step = Step(sign)
        pid = self._supervisor.pid(step)
        try:
            async with session.get(f"{self._supervisor.health_urls[step]}/metrics") as answer:
                found = SETTLED.search(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return None
        return pid, float(found[1]) if found else 0.0
