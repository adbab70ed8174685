"""A drill: robots at work on a whole exchange while it is broken again and again, and the balance afterwards."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from lienthong.document.zone import VIETNAM
from lienthong.ledger.reports import Reports
from lienthong.simulation.drill_balance import LedgerSide, Sheet, balance_sheet
from lienthong.simulation.drill_faults import InjectedFault, Injector
from lienthong.simulation.drill_plan import Wire, plan_faults
from lienthong.simulation.fleet import Fleet
from lienthong.simulation.reconsidered import reconsider
from lienthong.simulation.rehearsal import quiet
from lienthong.simulation.supervisor import Supervisor
from lienthong.simulation.traffic import Traffic, plan_traffic
from lienthong.simulation.units import Role, cast
from lienthong.testing.proxy import FaultyProxies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from lienthong.simulation.exchange import Exchange
    from lienthong.simulation.journal import Counts, Journal
    from lienthong.simulation.papers import Papers
    from lienthong.testing.servers import Servers

__all__ = ["DRILL_ROLES", "DrillResult", "hold_drill", "plan_load"]

DRILL_ROLES: Mapping[Role, int] = {
    Role.SENDS_ONLY: 1,
    Role.FULLY: 6,
    Role.PARTLY: 3,
    Role.ARRIVAL: 2,
    Role.NEVER: 1,
}
"""Few enough agencies for a small machine; each of the five workers has something to do every second."""
DOCUMENTS_PER_SECOND = 1.5
RECONSIDERED_SHARE = 0.15
SPARE_SECONDS = 60.0
"""For so long the load may go on until the last fault has been recovered from."""
STALL_SECONDS = 90.0
"""No change for so long means that what is missing will not come; the retry ladder's third rung is 60 s."""
SETTLE_SECONDS = 20.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What came of a drill.

    Attributes:
        faults: every planned fault with what came of it.
        sheet: the balance.
        journals: what each robot did and saw, by agency code.
        ledger: what the ledger says.
        duplicates: repeats that the agencies' kit dropped.
        restarts: how often workers were started again.
        seconds: how long the exchange was under load.
    """

    faults: tuple[InjectedFault, ...]
    sheet: Sheet
    journals: Mapping[str, Journal]
    ledger: LedgerSide
    duplicates: int
    restarts: int
    seconds: float


def plan_load(seed: int, *, seconds: float, faults: int) -> Traffic:
    """Plan what is written during a drill; the same seed, time and day write the same.

    Args:
        seed: of the plan.
        seconds: how long documents are sent.
        faults: how many are planned; without any nothing is planned for the spare time.
    """
    documents = max(2, round((seconds + SPARE_SECONDS) * DOCUMENTS_PER_SECOND))
    members = cast(DRILL_ROLES, seed=seed)
    traffic = plan_traffic(members, documents=documents, seed=seed, issued_on=datetime.now(VIETNAM).date())
    traffic = reconsider(traffic, share=RECONSIDERED_SHARE, seed=seed)
    end = 1.0 if faults else seconds / (seconds + SPARE_SECONDS)
    return replace(traffic, drafts=tuple(draft for draft in traffic.drafts if draft.at <= end))


async def hold_drill(
    exchange: Exchange,
    servers: Servers,
    papers: Papers,
    *,
    folder: Path,
    seed: int,
    faults: int,
    seconds: float,
    tell: Callable[[InjectedFault], None],
    progress: Callable[[Counts], None] | None = None,
) -> DrillResult:
    """Hold a drill on a founded exchange whose workers do not run yet.

    Args:
        exchange: where it is.
        servers: what it stands on.
        papers: what the robots write: `plan_load` of the same seed, time and number of faults.
        folder: for the workers' logs and the agencies' state files.
        seed: of the plan of faults.
        faults: how many.
        seconds: how long documents are sent; longer when faults are still felt.
        tell: told each fault when it is over.
        progress: told the robots' counts while what was sent comes to rest.

    Raises:
        Unavailable: something did not start, or did not come back.
    """
    receiving = [member.unit.code for member in papers.traffic.members if member.role.receives]
    plan = plan_faults(seed, faults=faults, seconds=seconds, agencies=receiving)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as running:
        proxies = await running.enter_async_context(_proxies(exchange))
        for_workers = replace(
            exchange,
            broker_url=proxies[Wire.WORKERS_BROKER].url,
            ledger_url=proxies[Wire.WORKERS_LEDGER].url,
        )
        for_agencies = replace(exchange, broker_url=proxies[Wire.AGENCIES_BROKER].url)
        supervisor = await running.enter_async_context(
            Supervisor(for_workers.environments, logs=folder / "logs", scratch=folder / "scratch")
        )
        state = running.enter_context(_fresh(folder / "state"))
        fleet = await running.enter_async_context(Fleet(for_agencies, papers, papers.traffic.members, state=state))
        injector = Injector(supervisor, servers, proxies, fleet, tell)
        begin = loop.time()
        async with asyncio.TaskGroup() as at_work:
            injecting = at_work.create_task(injector.inject(plan, patience_seconds=SPARE_SECONDS))
            load = _Load(papers.traffic, fleet)
            await load.send(injecting, seconds)
            injected = await injecting
            under_load = loop.time() - begin
            await quiet(load.sent, fleet.tally, progress, stall_seconds=STALL_SECONDS)
        ledger = await _settled_ledger(exchange.ledger_url)
        restarts = sum(supervisor.restarts.values())
    journals = fleet.journals
    planned = {(draft.sender.code, draft.document_id) for draft in load.sent}
    confirmed = {(code, document_id) for code, journal in journals.items() for document_id in journal.sent}
    return DrillResult(
        faults=tuple(injected),
        sheet=balance_sheet(journals, ledger, planned - confirmed),
        journals=journals,
        ledger=ledger,
        duplicates=fleet.duplicates,
        restarts=restarts,
        seconds=under_load,
    )


@asynccontextmanager
async def _proxies(exchange: Exchange) -> AsyncIterator[Mapping[Wire, FaultyProxies]]:
    urls = {
        Wire.WORKERS_BROKER: exchange.broker_url,
        Wire.WORKERS_LEDGER: exchange.ledger_url,
        Wire.AGENCIES_BROKER: exchange.broker_url,
    }
    async with AsyncExitStack() as open_proxies:
        yield {wire: await open_proxies.enter_async_context(FaultyProxies(url)) for wire, url in urls.items()}


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """Provide an empty folder, and remove it: what a kit remembers of one drill is wrong in the next."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class _Load:
    """Sends what is planned, at its times, until the time is over and every fault has been felt."""

    def __init__(self, traffic: Traffic, fleet: Fleet) -> None:
        self._traffic = traffic
        self._fleet = fleet
        self._begun = 0

    @property
    def sent(self) -> Traffic:
        """What of it was, or is being, sent."""
        return replace(self._traffic, drafts=self._traffic.drafts[: self._begun])

    async def send(self, injecting: asyncio.Future[list[InjectedFault]], seconds: float) -> None:
        """Begin to send each document at its time."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for draft in self._traffic.drafts:
            moment = begin + draft.at * (seconds + SPARE_SECONDS)
            if moment > begin + seconds:
                await asyncio.wait([injecting], timeout=max(0.0, moment - loop.time()))
                if injecting.done():
                    return
            await asyncio.sleep(moment - loop.time())
            self._fleet.send(draft)
            self._begun += 1


async def _settled_ledger(url: str) -> LedgerSide:
    """Return what the ledger says once every document in it has an outcome, or has none for too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_SECONDS
    reports = await Reports.connect(url)
    try:
        while True:
            side = await LedgerSide.read(reports)
            # The mark that a delivery has left follows it by some milliseconds.
            if "waiting" not in side.outcomes.values() or loop.time() > deadline:
                return side
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await reports.close()
