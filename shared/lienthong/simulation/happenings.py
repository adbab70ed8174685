"""What happened in a run besides ordinary documents: as it was planned, and as the ledger counts it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from lienthong.document.deadlines import Clock
from lienthong.document.life_cycle import Event, State
from lienthong.edxml import BusinessType
from lienthong.simulation.units import old_form

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lienthong.ledger.figures import Figures
    from lienthong.simulation.traffic import Traffic

__all__ = ["happened", "planned"]

APPLIED = "applied"
LATEST = timedelta(days=30)
"""How long before a run what is sent late in it was due, at most."""


def planned(traffic: Traffic) -> dict[str, int]:
    """Return how often each thing is to happen.

    Returns:
        ``asked_back``: statuses 13; ``withdrawals``, ``updates``, ``replacements``: documents; ``agreed``,
        ``declined``: statuses 15 and 16; ``withdrawn``, ``replaced``: deliveries that ended so; ``refused``: statuses
        02; ``urgent``, ``late``: documents that are, or are sent, so; ``succeeded``: deliveries that the code of a
        merged unit led to its successor.
    """
    delivered, told = traffic.delivered, traffic.told
    acts = Counter(draft.business for draft in delivered)
    withdrawals = (draft for draft in delivered if draft.business is BusinessType.WITHDRAW)
    replacements = (draft for draft in delivered if draft.business is BusinessType.REPLACE)
    given_back = sum(len(draft.addressees) - len(draft.declined_by) for draft in withdrawals)
    given_back += sum(answer == Event.AGREE for draft in delivered for answer in draft.asked_back.values())
    old = traffic.merger.merged.code if traffic.merger else None
    return {
        "asked_back": sum(len(draft.asked_back) for draft in delivered),
        "withdrawals": acts[BusinessType.WITHDRAW],
        "updates": acts[BusinessType.UPDATE],
        "replacements": acts[BusinessType.REPLACE],
        "agreed": told[Event.AGREE],
        "declined": told[Event.DECLINE],
        "withdrawn": given_back,
        "replaced": sum(len(draft.addressees) for draft in replacements),
        "refused": told[Event.REFUSE],
        "urgent": sum(draft.priority > 0 for draft in traffic),
        "late": sum(draft.late for draft in delivered),
        "succeeded": sum(code == old for draft in delivered for code in draft.written.values()),
    }


async def happened(figures: Figures, traffic: Traffic, since: datetime, until: datetime) -> Mapping[str, int]:
    """Return the same, as the ledger has it for a run that took from `since` to `until`, by figures and records."""
    acts = Counter(BusinessType(row["business"]) for row in await figures.documents())
    codes = Counter(row["code"] for row in await figures.statuses() if row["outcome"] == APPLIED)
    deliveries = await figures.deliveries()
    states = Counter(row["state"] for row in deliveries)
    exchanged = await figures.traffic(since, until)
    lateness = await figures.lateness(since - LATEST, until, until)
    old = traffic.merger.merged.code if traffic.merger else ""
    return {
        "asked_back": codes[Event.TAKE_BACK],
        "withdrawals": acts[BusinessType.WITHDRAW],
        "updates": acts[BusinessType.UPDATE],
        "replacements": acts[BusinessType.REPLACE],
        "agreed": codes[Event.AGREE],
        "declined": codes[Event.DECLINE],
        "withdrawn": states[State.WITHDRAWN],
        "replaced": states[State.REPLACED],
        "refused": codes[Event.REFUSE],
        "urgent": exchanged.totals["urgent"],
        "late": sum(one.late for one in lateness.counts if one.clock == Clock.SENDING),
        "succeeded": sum(row["written"] in (old, old_form(old)) for row in deliveries),
    }
