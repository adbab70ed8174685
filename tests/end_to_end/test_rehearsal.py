"""Robots over a whole exchange: what was played is what the ledger shows, also when workers are killed."""

from __future__ import annotations

import os
import signal
from datetime import date
from typing import TYPE_CHECKING

import pytest

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


@pytest.mark.parametrize("step", list(Step))
async def test_a_killed_worker_changes_nothing(running_exchange: RunningExchange, step: Step) -> None:
    """Any worker ended by kill -9 in the middle, started again: the same table, nothing lost, nothing handled twice."""
    async with running_exchange(MEMBERS) as running:
        killed: list[int] = []

        def kill_in_the_middle(counts: Counts) -> None:
            # Twice: early, with most still to come, and late, with much already recorded.
            for share in (0.2, 0.6):
                if len(killed) < (1 if share < 0.5 else 2) and counts.deliveries > share * TRAFFIC.deliveries:
                    pid = running.supervisor.pid(step)
                    if pid not in killed:
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

        with Papers(TRAFFIC, running.exchange.credentials) as papers:
            result = await rehearse(running.exchange, papers, seconds=4, progress=kill_in_the_middle)
        assert len(killed) == 2
        assert running.supervisor.restarts == {each: (2 if each is step else 0) for each in Step}
    assert result.balance.even, result.balance
    assert result.complaints == ()
    assert result.supervision.figures == expected_table(MEMBERS)
