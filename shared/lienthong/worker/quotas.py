"""Refuse what is more than an agency may send, and say so once to the operators.

Refusing alone does not help the others: what one agency sends as fast as it can stands in the queue before what they
send, and each refusal costs a batch of work. So whoever has just used a fiftieth of what a period allows is *hasty*:
its further documents are put aside unread where they arrive, to come again by a queue of which a few at a time are
taken, and are counted and refused there. What is within the quota is only delayed by that. It costs no more than taking
them from the queue. For this alone each worker counts by itself what arrives, for the ledger knows only what is
recorded, and a first batch is large. While documents of one agency wait there, no other is put behind them for its
haste, only for sending more than it may. And whoever does that is diverted for a while (`lienthong.worker.diversion`):
what it publishes then does not arrive here, and what little of it is taken is refused without being counted.

What has been used stands in the ledger, locked while a batch is recorded: so any number of workers share one count. A
message is counted when its submission is recorded for the first time, in the same transaction; delivered again it is
not counted again, and what was decided about it is recalled.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from lienthong.document import reasons
from lienthong.document.quotas import Excess, Quota, Use, admit, share_used
from lienthong.telemetry.events import Event

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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
HASTY = 0.02
"""The share of its quota that an agency has used when its further documents are put aside.

By default twelve documents. What comes at once up to there is worked on before what comes behind it.
"""
ENDED = 0.5
"""The share below which an agency that was over its quota is no longer."""
SUSPECTED_SECONDS = 5.0
"""For how long more is expected from one that was hasty, or over its quota."""

log = structlog.stdlib.get_logger(__name__)


class Diverts(Protocol):
    """What is needed of the diversion."""

    def divert(self, agency: str) -> None:
        """Ask for an agency to be diverted, soon and for a while."""
        ...

    def release(self, agency: str) -> None:
        """Note that something of an agency was diverted though it is not."""
        ...


class Quotas:
    """The quotas on one kind of message.

    Args:
        kind: what is counted.
        settings: what holds for agencies of which the directory says nothing else.
        diversion: what diverts those who send more than they may.
    """

    def __init__(self, kind: Counted, settings: QuotaSettings, diversion: Diverts | None = None) -> None:
        self._kind: Counted = kind
        self._settings = settings
        self._diversion = diversion
        self._hasty: dict[str, float] = {}
        self._over: dict[str, float] = {}
        self._aside: dict[str, float] = {}
        self._flooding: dict[str, tuple[float, Excess]] = {}
        self._arrived: dict[str, Use] = {}
        self._quotas: dict[str, Quota] = {}

    def puts_aside(self, user: str, size: int, *, urgent: bool, divertible: bool = False) -> bool:
        """Count a message where it arrives; tell whether its sender has just sent so much that this one waits.

        Args:
            user: its sender.
            size: in bytes.
            urgent: it may not be delayed for haste, only when its sender sends more than it may.
            divertible: it came with a routing key that can be diverted.
        """
        now = datetime.now(UTC)
        quota = self._quotas.get(user) or self._quota(None)
        if not (quota.messages_per_minute or quota.megabytes_per_hour):
            return False
        use, excess = admit(self._arrived.get(user, Use(now, now)), quota, size, now)
        self._arrived[user] = use
        if excess:
            self._flooding[user] = (time.monotonic() + SUSPECTED_SECONDS, excess)
        hasty = share_used(use, now) > HASTY or self._hasty.get(user, 0.0) > time.monotonic()
        aside = excess is not None or self.over(user) or (hasty and not urgent and not self._others_wait(user))
        if aside:
            self.note_aside(user)
            # Not by a quota that is only supposed: an agency's own stands in the ledger, and is known from there.
            if self._diversion is not None and excess and divertible and user in self._quotas:
                self._diversion.divert(user)
        return aside

    def note_aside(self, user: str) -> None:
        """Note that a message of a user was just put aside or taken from there: more of them most likely wait."""
        self._aside[user] = time.monotonic() + SUSPECTED_SECONDS

    def over(self, user: str | None) -> bool:
        """Tell whether a user was over its quota a moment ago, so that its next message most likely is."""
        return user is not None and self._over.get(user, 0.0) > time.monotonic()

    async def excess(self, unit: Unit, messages: Sequence[tuple[str, int, bool]]) -> list[Problem | None]:
        """Count messages; return for each why it is refused, None if it is not.

        Args:
            unit: the transaction in which they are recorded.
            messages: those that were never counted, in the order in which they came: each by its user, its size in
                bytes, and whether it was diverted.
        """
        if not messages:
            return []
        now, locked = await unit.quotas.lock(self._kind, {user for user, _, _ in messages})
        quotas = {user: self._quota(own) for user, own in locked.items()}
        self._quotas |= quotas
        limited = {user: one for user, one in quotas.items() if one.messages_per_minute or one.megabytes_per_hour}
        diverted = await self._diverted(unit, limited, messages)
        uses = {user: own.use for user, own in locked.items()}
        problems: list[Problem | None] = []
        excesses: dict[str, Excess] = {}
        for user, size, is_diverted in messages:
            excess = None
            if is_diverted and user in diverted:
                excess = diverted[user]
            elif user in limited:
                uses[user], excess = admit(uses[user], limited[user], size, now)
            if excess is not None:
                excesses[user] = excess
            problems.append(self._problem(excess) if excess else None)
        suspected = time.monotonic() + SUSPECTED_SECONDS
        self._over |= dict.fromkeys(excesses, suspected)
        self._hasty |= {user: suspected for user, use in uses.items() if share_used(use, now) > HASTY}
        uses = await self._note(unit, uses, self._sends_too_much(limited) | diverted | excesses, now)
        changed = {user: use for user, use in uses.items() if use != locked[user].use}
        await unit.quotas.write(self._kind, changed)
        return problems

    async def _diverted(
        self, unit: Unit, quotas: Mapping[str, Quota], messages: Sequence[tuple[str, int, bool]]
    ) -> dict[str, Excess]:
        """Return who of those with a quota is diverted, with why everything of it is too much."""
        if self._kind != "document":
            return {}
        diverted = await unit.quotas.diverted(quotas)
        for user in {user for user, _, is_diverted in messages if is_diverted} - diverted.keys():
            if self._diversion is not None:
                self._diversion.release(user)
        return {user: _all_of(quotas[user], until) for user, until in diverted.items()}

    async def _note(
        self, unit: Unit, uses: Mapping[str, Use], too_many: Mapping[str, Excess], now: datetime
    ) -> dict[str, Use]:
        """Note in the history, and in what is used, for whom it begins that too much is sent, and for whom it ends."""
        noted = dict(uses)
        for user, use in uses.items():
            calm = share_used(use, now) < ENDED and not self._waits(user)
            if user in too_many and use.over_since is None:
                noted[user] = replace(use, over_since=now)
                facts = {"kind": self._kind, "quota": too_many[user].what, "limit": too_many[user].limit}
                await unit.quotas.note("AgencyThrottled", user, facts)
                log.warning(Event.AGENCY_THROTTLED, agency=user, **facts)
            elif use.over_since is not None and user not in too_many and calm:
                noted[user] = replace(use, over_since=None)
                await unit.quotas.note("AgencyUnthrottled", user, {"kind": self._kind, "since": use.over_since})
                log.info(Event.AGENCY_UNTHROTTLED, agency=user, kind=self._kind)
        return noted

    def _waits(self, user: str) -> bool:
        """Tell whether more of a user most likely waits where it was put aside, or was diverted to."""
        return self._aside.get(user, 0.0) > time.monotonic()

    def _others_wait(self, user: str) -> bool:
        now = time.monotonic()
        self._aside = {one: until for one, until in self._aside.items() if until > now}
        return bool(self._aside.keys() - {user})

    def _sends_too_much(self, users: Collection[str]) -> dict[str, Excess]:
        """Return who of them sends more than it may, by what arrives: most of that is recorded much later."""
        now = time.monotonic()
        return {user: self._flooding[user][1] for user in users if self._flooding.get(user, (0.0,))[0] > now}

    def _problem(self, excess: Excess) -> Problem:
        vi, en = WORDS[self._kind, excess.what]
        return reasons.quota_exceeded(vi, en, excess.used, excess.limit, excess.retry_at)

    def _quota(self, own: Locked | None) -> Quota:
        settings = self._settings
        documents = own.documents_per_minute if own else None
        megabytes = own.megabytes_per_hour if own else None
        statuses = own.statuses_per_minute if own else None
        if self._kind == "status":
            return Quota(_first(statuses, settings.statuses_per_minute))
        return Quota(_first(documents, settings.documents_per_minute), _first(megabytes, settings.megabytes_per_hour))


def _all_of(quota: Quota, until: datetime) -> Excess:
    """Return why everything of an agency that is diverted is too much, of which more was seen than this worker saw."""
    if quota.messages_per_minute:
        return Excess("messages", quota.messages_per_minute, quota.messages_per_minute, until)
    return Excess("megabytes", quota.megabytes_per_hour, quota.megabytes_per_hour, until)


def _first(own: int | None, default: int) -> int:
    return default if own is None else own
