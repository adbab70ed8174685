"""The plan of a drill's faults."""

from __future__ import annotations

import pytest

from lienthong.simulation.drill_plan import BROKER, LEDGER, Action, Wire, plan_faults
from lienthong.topology.names import Step

AGENCIES = ["G01", "G22", "H23"]
EVERYTHING = {
    *((action, step.value) for step in Step for action in (Action.KILL, Action.FREEZE, Action.RESTART)),
    *((action, server) for server in (BROKER, LEDGER) for action in (Action.KILL, Action.FREEZE, Action.RESTART)),
    *((Action.CUT, wire.value) for wire in Wire),
    *((Action.KILL, code) for code in AGENCIES),
}


def test_the_same_seed_plans_the_same_faults() -> None:
    """A drill can be held again as it was; another seed is another drill."""
    plan = plan_faults(7, faults=40, seconds=300)
    assert plan == plan_faults(7, faults=40, seconds=300)
    assert plan != plan_faults(8, faults=40, seconds=300)


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_of_fault_comes_early_and_every_fault_in_time(seed: int) -> None:
    """Six faults are of the six kinds; as many as there are places in the heaps leave nothing out."""
    first = plan_faults(seed, faults=6, seconds=60, agencies=AGENCIES)
    assert {fault.action for fault in first} == set(Action)
    assert len([fault for fault in first if fault.target in AGENCIES]) == 1
    assert len([fault for fault in first if fault.target in (BROKER, LEDGER)]) == 1
    all_of_it = plan_faults(seed, faults=36, seconds=60, agencies=AGENCIES)
    assert {(fault.action, fault.target) for fault in all_of_it} == EVERYTHING


@pytest.mark.parametrize("seconds", [6.0, 40.0, 300.0])
def test_faults_come_in_order_within_the_load(seconds: float) -> None:
    """Before the first fault and after the last one documents are sent, so that what each did can be seen."""
    plan = plan_faults(3, faults=30, seconds=seconds)
    moments = [fault.at for fault in plan]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] <= 0.9 * seconds + 0.1


def test_only_what_is_frozen_stands_still_for_a_time() -> None:
    """A kill, a restart and a cut are moments; what is frozen is let go again."""
    plan = plan_faults(5, faults=50, seconds=300)
    assert all((fault.seconds > 0) == (fault.action is Action.FREEZE) for fault in plan)


def test_a_drill_without_faults_is_one() -> None:
    """The load can be had alone, to compare with."""
    assert plan_faults(1, faults=0, seconds=60) == ()
