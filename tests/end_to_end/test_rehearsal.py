"""Robots over a whole exchange: what was played is what the ledger shows, also when workers are killed."""

from __future__ import annotations

import os
import signal
from datetime import date
from typing import TYPE_CHECKING

from lienthong.document.verdicts import Value
from lienthong.simulation.papers import Papers
from lienthong.simulation.rehearsal import expected_table, rehearse
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import Role, cast
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from tests.end_to_end.conftest import RunningExchange

    from lienthong.simulation.journal import Counts

SMALL = {Role.IN_PROGRESS: 2, Role.SENDS_ONLY: 1, Role.FULLY: 5, Role.PARTLY: 3, Role.ARRIVAL: 2, Role.NEVER: 1}
MEMBERS = cast(SMALL, seed=11)
TRAFFIC = plan_traffic(MEMBERS, documents=40, seed=11, issued_on=date(2019, 1, 15))


async def test_what_was_played_is_what_the_ledger_shows(running_exchange: RunningExchange) -> None:
    """Every document and status arrives once, and the ledger's table is the cast's."""
    async with running_exchange(MEMBERS) as running:
        with Papers(TRAFFIC, running.exchange.credentials) as papers:
            result = await rehearse(running.exchange, papers, seconds=2)
        assert set(running.supervisor.restarts.values()) == {0}
    assert result.balance.even, result.balance
    assert result.complaints == ()
    assert result.supervision.figures == expected_table(MEMBERS)
    assert result.supervision.figures["fully"] == SMALL[Role.FULLY]
    assert result.totals["deliveries"] == TRAFFIC.deliveries == result.counts.deliveries
    assert {value: result.values[value] for value in Value} == TRAFFIC.worths
    assert min(TRAFFIC.worths.values()) > 0
    assert result.totals["statuses"] == TRAFFIC.statuses == result.counts.heard
    delivery, status = result.timings["delivery"], result.timings["status"]
    assert delivery.count == len(TRAFFIC.delivered)
    assert delivery.median is not None
    assert delivery.p99 is not None
    assert status.median is not None
    assert 0 < delivery.median <= delivery.p99
    assert delivery.median < status.median


async def test_killed_workers_change_nothing(running_exchange: RunningExchange) -> None:
    """Every worker ended by kill -9 twice, one after the other: the same table, nothing lost, nothing handled twice."""
    # Early, with most still to come, and late, with much already recorded.
    plan = [(share / 20, step) for share, step in zip(range(2, 2 + 2 * len(Step)), [*Step, *Step], strict=True)]
    killed: list[int] = []
    async with running_exchange(MEMBERS) as running:

        def kill_in_the_middle(counts: Counts) -> None:
            share, step = plan[len(killed)] if len(killed) < len(plan) else (2.0, Step.INGEST)
            if counts.deliveries > share * TRAFFIC.deliveries and running.supervisor.pid(step) not in killed:
                killed.append(running.supervisor.pid(step))
                os.kill(killed[-1], signal.SIGKILL)

        with Papers(TRAFFIC, running.exchange.credentials) as papers:
            result = await rehearse(running.exchange, papers, seconds=6, progress=kill_in_the_middle)
        assert running.supervisor.restarts == dict.fromkeys(Step, 2)
    assert result.balance.even, result.balance
    assert result.complaints == ()
    assert result.supervision.figures == expected_table(MEMBERS)
