"""Documents whose senders change their minds: asked back, withdrawn, updated or replaced after they were delivered."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING

from lienthong.edxml import BusinessType
from lienthong.simulation.signing import Signing
from lienthong.simulation.traffic import AGREES, DECLINES
from lienthong.simulation.units import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.simulation.traffic import Traffic

__all__ = ["REGISTER", "WAYS", "last_numbers", "reconsider"]

REGISTER = (Role.FULLY, Role.PARTLY)
"""Who registers what it gets, so that it can be asked about it."""
ASKED_BACK = "asked back"
WAYS: tuple[tuple[BusinessType | str, bool], ...] = (
    (ASKED_BACK, True),
    (BusinessType.WITHDRAW, True),
    (BusinessType.UPDATE, True),
    (BusinessType.REPLACE, True),
    (ASKED_BACK, False),
    (BusinessType.WITHDRAW, False),
    (BusinessType.UPDATE, False),
)
"""What is done to a document, and whether all of its addressees agree; a replacement asks nobody."""


def reconsider(traffic: Traffic, *, share: float, seed: int) -> Traffic:
    """Let senders reconsider some documents of a plan.

    Some are asked back by status 13; the others are followed by another document, which withdraws, updates or replaces
    them. Now and then one addressee declines (16). Only receivers who register what they get are asked.

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
        and all(roles[unit.code] in REGISTER for unit in draft.addressees)
    ]
    lot = random.Random(f"reconsidered {seed}")  # noqa: S311 - a repeatable lot, nothing secret
    chosen = lot.sample(able, min(len(able), max(len(WAYS), round(share * len(traffic.drafts)))))
    numbers = last_numbers(traffic)
    drafts = list(traffic.drafts)
    ways: Iterator[tuple[BusinessType | str, bool]] = cycle(WAYS)
    for place in sorted(chosen):
        draft, (way, agreed) = drafts[place], next(ways)
        declines = frozenset() if agreed else frozenset({lot.choice(draft.addressees).code})
        if isinstance(way, BusinessType):
            numbers[draft.sender.code] += 1
            later = replace(
                draft,
                number=numbers[draft.sender.code],
                business=way,
                earlier=draft,
                declined_by=declines,
                # The law says how soon a document has to be sent, not a request about one.
                late=draft.late and way is BusinessType.REPLACE,
            )
            drafts[place] = replace(draft, followed_by=later)
        else:
            answers = {unit.code: DECLINES if unit.code in declines else AGREES for unit in draft.addressees}
            drafts[place] = replace(draft, asked_back=answers)
    return replace(traffic, drafts=tuple(drafts))


def last_numbers(traffic: Traffic) -> dict[str, int]:
    """Return the highest number in each writer's register."""
    numbers: dict[str, int] = defaultdict(int)
    for draft in traffic:
        numbers[draft.sender.code] = max(numbers[draft.sender.code], draft.number)
    return numbers
