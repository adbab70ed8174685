"""Let what an agency publishes go to a queue of its own for a while when it sends more than it may.

Its keys are bound on the broker, and unbound when the time is over (see `lienthong.topology.plan`). The ledger has a
row for each such agency, recorded before the binding is made and deleted after it is gone: any worker ends what another
one began, and the broker needs to be asked nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from lienthong.bus.consumer import SLOWEST_A_SECOND, SLOWLY_A_SECOND
from lienthong.telemetry.events import Event
from lienthong.topology.plan import DIVERTED_KEYS, Plan, diverting
from lienthong.worker.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lienthong.topology.plan import Binding
    from lienthong.worker.runner import Transactions

__all__ = ["DIVERTED_SECONDS", "MOST_DIVERTED_SECONDS", "Diversion"]

DIVERTED_SECONDS = 15.0
"""How long an agency is diverted; twice as long as before when it goes on right after that."""
MOST_DIVERTED_SECONDS = 60.0
BINDING_SECONDS = 2.0
"""When more comes by the lanes after so long, the binding may be gone again: it is made once more."""
LOOK_SECONDS = 1.0
"""How often it is looked whose diversion is over."""
ASTRAY_SECONDS = 60.0
"""How often a binding is taken away, at most, of an agency that is not diverted: what it had brought may still come."""

log = structlog.stdlib.get_logger(__name__)


class Binds(Protocol):
    """What is needed of the bus."""

    async def declare(self, plan: Plan) -> None:
        """Create what is not there yet."""
        ...

    async def unbind(self, bindings: Iterable[Binding]) -> None:
        """Take bindings away, also such as are not there."""
        ...

    def work_off(self, per_second: float) -> None:
        """Set how many messages in a second are taken of each queue to be worked off slowly."""
        ...


class Diversion(Beside):
    """Diverts agencies as they are named, and ends the diversions whose time is over.

    Args:
        bus: where bindings are made.
        ledger: where it stands who is diverted.
    """

    what = "divert floods"

    def __init__(self, bus: Binds, ledger: Transactions) -> None:
        self._bus, self._ledger = bus, ledger
        self._asked: dict[str, tuple[float, float, float]] = {}
        self._wanted: dict[str, timedelta] = {}
        self._released: dict[str, float] = {}
        self._astray: set[str] = set()
        self._wake = asyncio.Event()

    def divert(self, agency: str) -> None:
        """Ask for an agency to be diverted, soon and for a while; what comes meanwhile may still come by the lanes."""
        now = time.monotonic()
        asked, until, period = self._asked.get(agency, (0.0, 0.0, 0.0))
        if now < min(asked + BINDING_SECONDS, until):
            return
        if now >= until:
            goes_on = now < until + period
            period = min(2 * period, MOST_DIVERTED_SECONDS) if goes_on else DIVERTED_SECONDS
            until = now + period
        self._asked[agency] = (now, until, period)
        self._wanted[agency] = timedelta(seconds=until - now)
        self._wake.set()

    def release(self, agency: str) -> None:
        """Note that something of an agency was diverted though it is not: its binding may have outlived its row.

        A cluster that heals after a partition can bring a binding back, and a ledger that was restored knows of none.
        """
        now = time.monotonic()
        if now >= self._released.get(agency, 0.0):
            self._released[agency] = now + ASTRAY_SECONDS
            self._astray.add(agency)
            self._wake.set()

    async def _round(self) -> float:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wake.wait()
        self._wake.clear()
        # Whoever cannot be diverted now is asked for again when more comes.
        wanted, self._wanted = self._wanted, {}
        astray, self._astray = self._astray, set()
        async with self._ledger.transaction() as unit:
            await unit.quotas.divert(dict.fromkeys(astray, timedelta(0)))
            if over := await unit.quotas.end_diversions():
                await self._bus.unbind([one for agency in over for one in _bindings(agency)])
        for agency in over:
            log.info(Event.AGENCY_NOT_DIVERTED, agency=agency)
        if wanted:
            await self._begin(wanted)
        async with self._ledger.transaction() as unit:
            going_on = await unit.quotas.any_diverted()
        self._bus.work_off(SLOWEST_A_SECOND if going_on else SLOWLY_A_SECOND)
        return 0.0

    async def _begin(self, wanted: dict[str, timedelta]) -> None:
        async with self._ledger.transaction() as unit:
            await unit.quotas.divert(wanted)
        async with self._ledger.transaction() as unit:
            # Had this worker stood still since, they may have been ended: then there would be bindings without a row.
            held = await unit.quotas.hold_diversions(wanted)
            await self._bus.declare(Plan(bindings=tuple(one for agency in held for one in _bindings(agency))))
        for agency in held:
            log.info(Event.AGENCY_DIVERTED, agency=agency, seconds=round(wanted[agency].total_seconds(), 1))


def _bindings(agency: str) -> list[Binding]:
    return [diverting(agency, key) for key in DIVERTED_KEYS]
