"""What seldom happens, and a run has to show: each of it at least once, however short the run is."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lienthong.simulation.reconsidered import REGISTER, WAYS, last_numbers, reconsider
from lienthong.simulation.subjects import REASONS
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Merger, Unit

if TYPE_CHECKING:
    from lienthong.simulation.traffic import Draft, Traffic

__all__ = ["OLD_CODE", "with_occasions"]

RECONSIDERED_SHARE = 0.03
ADDRESSEES = 3
LATE = timedelta(days=20)
"""Longer than any holiday, which for Tết is some ten days: by then the next working day's noon has passed."""
AT_ONCE = 3
"""edXML's ``Priority`` for what is most urgent (hỏa tốc)."""
OLD_CODE = "H99"
"""No unit's code, so it may be that of one which is no more."""


def with_occasions(traffic: Traffic, *, seed: int) -> Traffic:
    """Add a few documents to a plan, and let senders reconsider some of all of them.

    One of those added is refused (02) by an addressee, one is urgent and due on the same day, one is sent weeks after
    its date and after its due date as well, and one is written to the code of a unit that was merged into another.

    Args:
        traffic: the plan; four of its members or more register what they get.
        seed: the same seed and plan give the same choice.
    """
    lot = random.Random(f"occasions {seed}")  # noqa: S311 - a repeatable lot, nothing secret
    able = [member.unit.code for member in traffic.members if member.role in REGISTER]
    numbers = last_numbers(traffic)
    today = max(draft.issued_on for draft in traffic.drafts)

    def letter() -> Draft:
        sender, *addressees = lot.sample(able, 1 + ADDRESSEES)
        plain = plan_letter(traffic.members, sender, addressees, seed=lot.randrange(2**32), issued_on=today)
        number = numbers[sender] = max(numbers[sender] + 1, plain.number)
        return replace(plain, number=number, priority=0, at=lot.random())

    refused, urgent, late, misaddressed = (letter() for _ in range(4))
    heir = misaddressed.addressees[0]
    added = [
        *(letter() for _ in WAYS),
        replace(refused, refused={refused.addressees[0].code: lot.choice(REASONS)}),
        replace(urgent, priority=AT_ONCE, due_on=today),
        replace(late, issued_on=today - LATE, due_on=today - LATE / 2, late=True),
        replace(misaddressed, written={heir.code: OLD_CODE}),
    ]
    drafts = sorted([*traffic.drafts, *added], key=lambda draft: draft.at)
    merger = Merger(Unit(OLD_CODE, f"Đơn vị đã sáp nhập vào {heir.name}", heir.kind), heir)
    return reconsider(replace(traffic, drafts=tuple(drafts), merger=merger), share=RECONSIDERED_SHARE, seed=seed)
