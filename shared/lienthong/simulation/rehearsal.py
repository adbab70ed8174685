"""One run of the robots over a running exchange, and what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lienthong.document.verdicts import Value
from lienthong.ledger.figures import Figures
from lienthong.simulation.fleet import Fleet
from lienthong.simulation.happenings import happened, planned
from lienthong.simulation.journal import Balance, Counts, compare
from lienthong.simulation.units import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lienthong.ledger.reports import Reports, Supervision, Timing
    from lienthong.simulation.exchange import Exchange
    from lienthong.simulation.journal import Tally
    from lienthong.simulation.papers import Papers
    from lienthong.simulation.traffic import Traffic
    from lienthong.simulation.units import Member

__all__ = ["Result", "expected_table", "quiet", "rehearse"]

STALL_SECONDS = 45.0
"""No change for so long means that what is missing will not come; the retry ladder's second rung is 10 s."""
SETTLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run.

    Attributes:
        supervision: the ledger's table.
        totals: the ledger's counts.
        values: how many documents the ledger says are worth what: ``paper``, ``information``, ``refused``, ``held``.
        happenings: how often the ledger says each of `happenings.planned` happened.
        timings: the ledger's measurements: to the ``delivery`` queue, to the first ``status`` at the sender.
        counts: the robots' own counts.
        balance: what does not add up between robots.
        duplicates: repeats that the agencies' kit dropped.
        complaints: where the ledger and what was played differ; empty when all is well.
        seconds: how long the run took.
    """

    supervision: Supervision
    totals: Mapping[str, int]
    values: Mapping[str, int]
    happenings: Mapping[str, int]
    timings: Mapping[str, Timing]
    counts: Counts
    balance: Balance
    duplicates: int
    complaints: tuple[str, ...]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether everything balances and the table is the one that was played."""
        return self.balance.even and not self.complaints


async def rehearse(
    exchange: Exchange,
    papers: Papers,
    *,
    seconds: float,
    progress: Callable[[Counts], None] | None = None,
) -> Result:
    """Let the robots write the planned documents, wait until every status is back, and ask the ledger.

    Args:
        exchange: with its workers running.
        papers: what to send.
        seconds: over how long the documents are spread.
        progress: told the counts whenever they change.
    """
    started = datetime.now(UTC)
    traffic = papers.traffic
    reports = await Figures.connect(exchange.ledger_url)
    try:
        async with Fleet(exchange, papers, traffic.members) as fleet:
            async with asyncio.TaskGroup() as running:
                sending = running.create_task(_send_all(traffic, fleet, seconds))
                await quiet(traffic, fleet.tally, progress, stall_seconds=max(STALL_SECONDS, seconds))
                sending.cancel()
            ended = datetime.now(UTC)
            # Still connected: what comes twice comes now.
            totals = await _settled_totals(reports)
        until = datetime.now(UTC) + timedelta(days=1)
        supervision = await reports.supervision(started, until)
        timings = await reports.timings(started, until)
        values = await reports.values(started, until)
        happenings = await happened(reports, traffic, started, until)
    finally:
        await reports.close()
    return Result(
        supervision=supervision,
        totals=totals,
        values=values,
        happenings=happenings,
        timings=timings,
        counts=fleet.tally.counts,
        balance=compare(fleet.journals),
        duplicates=fleet.duplicates,
        complaints=(
            *_wrong_table(supervision, traffic),
            *_wrong_totals(totals, traffic),
            *_wrong_values(values, traffic),
            *_wrong_happenings(happenings, traffic),
        ),
        seconds=(ended - started).total_seconds(),
    )


def expected_table(members: Iterable[Member]) -> dict[str, int]:
    """Return the figures that this cast plays."""
    roles = [member.role for member in members]
    return {
        "units": len(roles),
        "connected": sum(role.connected for role in roles),
        "in_progress": roles.count(Role.IN_PROGRESS),
        "receiving": sum(role.receives for role in roles),
        "feeding_back": sum(bool(role.statuses) for role in roles),
        "fully": roles.count(Role.FULLY),
        "partly": roles.count(Role.PARTLY),
        "arrival_only": roles.count(Role.ARRIVAL),
        "never": roles.count(Role.NEVER),
        "nothing_received": roles.count(Role.SENDS_ONLY),
    }


async def _send_all(traffic: Traffic, fleet: Fleet, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    for draft in traffic.drafts:
        await asyncio.sleep(max(0.0, start + draft.at * seconds - loop.time()))
        fleet.send(draft)


async def quiet(
    traffic: Traffic, tally: Tally, progress: Callable[[Counts], None] | None, *, stall_seconds: float
) -> bool:
    """Wait until everything planned has happened; returns False when nothing happened any more for so long."""
    documents, delivered, statuses = sum(1 for _ in traffic), len(traffic.delivered), traffic.statuses
    late = sum(draft.late for draft in traffic.delivered)
    wanted = Counts(
        documents=documents,
        receipts=documents,
        verified=delivered,
        notices=delivered,
        deliveries=traffic.deliveries,
        reported=statuses,
        heard=statuses,
        refusals=documents - delivered,
        late=late,
    )
    counts = tally.counts
    while True:
        if progress is not None:
            progress(counts)
        if all(have >= want for have, want in zip(astuple(counts), astuple(wanted), strict=True)):
            return True
        if not await tally.change(stall_seconds):
            return False


async def _settled_totals(reports: Reports) -> dict[str, int]:
    """Return the ledger's counts once nothing in it waits to be marked as forwarded."""
    totals = await reports.totals()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_SECONDS
    while totals["documents_waiting"] and loop.time() < deadline:
        await asyncio.sleep(0.1)
        totals = await reports.totals()
    return totals


def _wrong_table(supervision: Supervision, traffic: Traffic) -> list[str]:
    table, expected = supervision.figures, expected_table(traffic.members)
    return [f"{name}: {table[name]}, not {expected[name]}" for name in expected if table[name] != expected[name]]


def _wrong_totals(totals: Mapping[str, int], traffic: Traffic) -> list[str]:
    expected = {
        "documents": sum(1 for _ in traffic),
        "documents_waiting": 0,
        "deliveries": traffic.deliveries,
        "statuses": traffic.statuses,
        "statuses_illegal": 0,
        "refusals": traffic.worths[Value.REFUSED],
    }
    return [f"ledger: {name} {totals[name]}, not {want}" for name, want in expected.items() if totals[name] != want]


def _wrong_values(values: Mapping[str, int], traffic: Traffic) -> list[str]:
    expected = {**{str(value): traffic.worths[value] for value in Value}, "held": 0}
    return [f"ledger: {name} {values[name]}, not {want}" for name, want in expected.items() if values[name] != want]


def _wrong_happenings(happenings: Mapping[str, int], traffic: Traffic) -> list[str]:
    expected = planned(traffic)
    return [
        f"ledger: {name} {happenings[name]}, not {want}" for name, want in expected.items() if happenings[name] != want
    ]
