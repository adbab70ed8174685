"""Which faults a drill injects and when: drawn beforehand, from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lienthong.topology.names import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BROKER", "FREEZE_SECONDS", "LEDGER", "Action", "PlannedFault", "Wire", "plan_faults"]

BROKER = "broker"
LEDGER = "ledger"
FREEZE_SECONDS = (1.0, 6.0)
"""How long something stands still: also longer than a batch takes, and shorter than anybody waits for a heartbeat."""
QUIET_SHARES = (0.05, 0.1)
"""These shares of the time, at its beginning and its end, are without faults."""


class Action(StrEnum):
    """What is done to something."""

    KILL = "kill"
    FREEZE = "freeze"
    RESTART = "restart"
    CUT = "cut"


class Wire(StrEnum):
    """Connections that a proxy can cut."""

    WORKERS_BROKER = "workers-broker"
    WORKERS_LEDGER = "workers-ledger"
    AGENCIES_BROKER = "agencies-broker"


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault.

    Attributes:
        at: seconds after the beginning of the load.
        action: what is done.
        target: to what: a worker's step, ``broker``, ``ledger``, a `Wire`, or an agency's code.
        seconds: how long it stands still; 0 for other actions.
    """

    at: float
    action: Action
    target: str
    seconds: float = 0.0


def plan_faults(seed: int, *, faults: int, seconds: float, agencies: Sequence[str] = ()) -> tuple[PlannedFault, ...]:
    """Plan the faults of a drill, in the order of their moments.

    They are dealt in turn from six heaps (workers killed, frozen, restarted; servers; wires; agencies), each a
    shuffled deck that is shuffled anew when it is empty, so that also a short drill has some of every kind and a long
    one has all.

    Args:
        seed: the same seed, number and time give the same plan.
        faults: how many.
        seconds: how long the load lasts.
        agencies: whose programs are killed, by their codes.
    """
    lot = random.Random(f"drill {seed}")  # noqa: S311 - a repeatable lot, nothing secret
    heaps = _heaps(agencies)
    decks: list[list[tuple[Action, str]]] = [[] for _ in heaps]
    turns = list(range(len(heaps)))
    lot.shuffle(turns)
    begin, end = QUIET_SHARES
    slot = seconds * (1 - begin - end) / max(1, faults)
    planned = []
    for number in range(faults):
        turn = turns[number % len(turns)]
        if not decks[turn]:
            decks[turn] = lot.sample(heaps[turn], len(heaps[turn]))
        action, target = decks[turn].pop()
        at = seconds * begin + slot * (number + lot.random())
        frozen = lot.uniform(*FREEZE_SECONDS) if action is Action.FREEZE else 0.0
        planned.append(PlannedFault(round(at, 1), action, target, round(frozen, 1)))
    return tuple(planned)


def _heaps(agencies: Sequence[str]) -> list[list[tuple[Action, str]]]:
    workers = [[(action, str(step)) for step in Step] for action in (Action.KILL, Action.FREEZE, Action.RESTART)]
    ways = (Action.KILL, Action.FREEZE, Action.RESTART)
    servers = [(action, server) for action in ways for server in (BROKER, LEDGER)]
    wires = [(Action.CUT, str(wire)) for wire in Wire]
    programs = [(Action.KILL, code) for code in agencies]
    return [heap for heap in (*workers, servers, wires, programs) if heap]
