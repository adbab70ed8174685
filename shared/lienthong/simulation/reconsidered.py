"""Documents whose senders change their minds: asked back, withdrawn or updated after they were delivered."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING

from lienthong.edxml import BusinessType
from lienthong.simulation.traffic import Signing, Traffic
from lienthong.simulation.units import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["reconsider"]

AGREES = "15"
REFUSES = "16"
ASKED_BACK = "asked back"
WAYS = (ASKED_BACK, BusinessType.WITHDRAW, ASKED_BACK, BusinessType.UPDATE)
REFUSED_EVERY = 3
"""Of so many documents that are asked back one is not given back by all."""


def reconsider(traffic: Traffic, *, share: float, seed: int) -> Traffic:
    """Let senders reconsider some documents of a plan.

    Half of them are asked back by status 13, of which now and then one receiver refuses (16); half are followed by
    another document, which withdraws or updates them. Only receivers who register what they get are asked.

    Args:
        traffic: the plan.
        share: how many of its documents, from 0 to 1; at least one of each way where there are enough that can be.
        seed: the same seed and plan give the same choice.
    """
    roles = {member.unit.code: member.role for member in traffic.members}
    able = [
        place
        for place, draft in enumerate(traffic.drafts)
        if not (draft.refused or draft.replies or draft.signing is not Signing.COMPLETE)
        and all(roles[unit.code] in (Role.FULLY, Role.PARTLY) for unit in draft.addressees)
    ]
    lot = random.Random(f"reconsidered {seed}")  # noqa: S311 - a repeatable lot, nothing secret
    chosen = lot.sample(able, min(len(able), max(len(WAYS), round(share * len(traffic.drafts)))))
    numbers = _last_numbers(traffic)
    drafts = list(traffic.drafts)
    ways: Iterator[BusinessType | str] = cycle(WAYS)
    asked_back = 0
    for place in sorted(chosen):
        draft, way = drafts[place], next(ways)
        if isinstance(way, BusinessType):
            numbers[draft.sender.code] += 1
            later = replace(draft, number=numbers[draft.sender.code], business=way, earlier=draft)
            drafts[place] = replace(draft, followed_by=later)
        else:
            asked_back += 1
            answers = {unit.code: AGREES for unit in draft.addressees}
            if asked_back % REFUSED_EVERY == 0:
                answers[lot.choice(draft.addressees).code] = REFUSES
            drafts[place] = replace(draft, asked_back=answers)
    return replace(traffic, drafts=tuple(drafts))


def _last_numbers(traffic: Traffic) -> dict[str, int]:
    numbers: dict[str, int] = defaultdict(int)
    for draft in traffic:
        numbers[draft.sender.code] = max(numbers[draft.sender.code], draft.number)
    return numbers
