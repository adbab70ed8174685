"""Refuse what is more than an agency may send, and say so once to the operators.

Refusing alone does not help the others: what one agency sends as fast as it can stands in the queue before what they
send, and each refusal costs a batch of work. So whoever has just used a tenth of what a minute allows is *hasty*: its
further documents are put aside unread, into a lane of which a few at a time are taken, and are counted there. What is
within the quota is only delayed by that. It costs little more than taking them from the queue, and the exchange needs
no say over the broker's connections for it.

What has been used stands in the ledger, locked while a batch is recorded: so any number of workers share one count. A
message is counted when its submission is recorded for the first time, in the same transaction; delivered again it is
not counted again, and what was decided about it is recalled.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from lienthong.document import reasons
from lienthong.document.quotas import Quota, admit, share_used
from lienthong.telemetry.events import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.document.quotas import Excess
    from lienthong.errors import Problem
    from lienthong.ledger.quotas import Counted, Locked
    from lienthong.ledger.unit import Unit
    from lienthong.settings import QuotaSettings

__all__ = ["Quotas"]

WORDS = {
    ("document", "messages"): ("văn bản mỗi phút", "documents a minute"),
    ("document", "megabytes"): ("MB mỗi giờ", "MB an hour"),
    ("status", "messages"): ("trạng thái mỗi phút", "statuses a minute"),
}
HASTY = 0.1
"""The share of its quota that an agency has used when its documents are put aside."""
ENDED = 0.5
"""The share below which an agency that was over its quota is no longer."""
SUSPECTED_SECONDS = 5.0
"""For how long more is expected from one that was hasty, or over its quota."""

log = structlog.stdlib.get_logger(__name__)


class Quotas:
    """The quotas on one kind of message.

    Args:
        kind: what is counted.
        settings: what holds for agencies of which the directory says nothing else.
    """

    def __init__(self, kind: Counted, settings: QuotaSettings) -> None:
        self._kind: Counted = kind
        self._settings = settings
        self._hasty: dict[str, float] = {}
        self._over: dict[str, float] = {}

    def hasty(self, user: str | None) -> bool:
        """Tell whether a user has sent very much a moment ago, though perhaps no more than it may."""
        return user is not None and self._hasty.get(user, 0.0) > time.monotonic()

    def over(self, user: str | None) -> bool:
        """Tell whether a user was over its quota a moment ago, so that its next message most likely is."""
        return user is not None and self._over.get(user, 0.0) > time.monotonic()

    async def excess(self, unit: Unit, messages: Sequence[tuple[str, int]]) -> list[Problem | None]:
        """Count messages, each by its user and its size in bytes; return for each why it is refused, None if it is not.

        Args:
            unit: the transaction in which they are recorded.
            messages: those that were never counted, in the order in which they came.
        """
        if not messages:
            return []
        now, locked = await unit.quotas.lock(self._kind, {user for user, _ in messages})
        quotas = {user: self._quota(own) for user, own in locked.items()}
        limited = {user for user, quota in quotas.items() if quota.messages_per_minute or quota.megabytes_per_hour}
        uses = {user: own.use for user, own in locked.items()}
        before = dict(uses)
        problems: list[Problem | None] = []
        excesses: dict[str, Excess] = {}
        for user, size in messages:
            excess = None
            if user in limited:
                uses[user], excess = admit(uses[user], quotas[user], size, now)
            if excess is not None:
                excesses[user] = excess
            problems.append(self._problem(excess) if excess else None)
        suspected = time.monotonic() + SUSPECTED_SECONDS
        self._over |= dict.fromkeys(excesses, suspected)
        self._hasty |= {user: suspected for user, use in uses.items() if share_used(use, now) > HASTY}
        for user, use in uses.items():
            if user in excesses and use.over_since is None:
                uses[user] = replace(use, over_since=now)
                facts = {"kind": self._kind, "quota": excesses[user].what, "limit": excesses[user].limit}
                await unit.quotas.note("AgencyThrottled", user, facts)
                log.warning(Event.AGENCY_THROTTLED, agency=user, **facts)
            elif use.over_since is not None and user not in excesses and share_used(use, now) < ENDED:
                uses[user] = replace(use, over_since=None)
                await unit.quotas.note("AgencyUnthrottled", user, {"kind": self._kind, "since": use.over_since})
                log.info(Event.AGENCY_UNTHROTTLED, agency=user, kind=self._kind)
        await unit.quotas.write(self._kind, {user: use for user, use in uses.items() if use != before[user]})
        return problems

    def _problem(self, excess: Excess) -> Problem:
        vi, en = WORDS[self._kind, excess.what]
        return reasons.quota_exceeded(vi, en, excess.used, excess.limit, excess.retry_at)

    def _quota(self, own: Locked) -> Quota:
        settings = self._settings
        if self._kind == "status":
            return Quota(_first(own.statuses_per_minute, settings.statuses_per_minute))
        return Quota(
            _first(own.documents_per_minute, settings.documents_per_minute),
            _first(own.megabytes_per_hour, settings.megabytes_per_hour),
        )


def _first(own: int | None, default: int) -> int:
    return default if own is None else own
