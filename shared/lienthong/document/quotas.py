"""How much an agency may send: so many messages a minute and so many megabytes an hour, counted as leaking buckets.

A bucket holds what a whole period allows and leaks evenly, so all of it may come at once, and after that as much as
leaks. It is kept as the one moment at which it will be empty (the generic cell rate algorithm of ITU-T I.371): what is
in it is that moment's distance from now. A message that finds no room is not put in, so it costs its sender nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

__all__ = ["Excess", "Quota", "Use", "admit", "share_used"]

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Quota:
    """What an agency may send; 0 is no limit.

    Attributes:
        messages_per_minute: documents, or statuses.
        megabytes_per_hour: of their payloads, 10^6 bytes each.
    """

    messages_per_minute: int
    megabytes_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """What an agency has used.

    Attributes:
        messages_until: when its bucket of messages will be empty; UTC.
        bytes_until: when its bucket of bytes will be.
        over_since: since when it sends more than it may; None when it does not.
    """

    messages_until: datetime
    bytes_until: datetime
    over_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Excess:
    """Why there is no room for a message.

    Attributes:
        what: which quota.
        limit: that quota.
        used: how much of it is used, in the quota's unit.
        retry_at: when there is room for this message, were nothing else to come; UTC.
    """

    what: Literal["messages", "megabytes"]
    limit: int
    used: int
    retry_at: datetime


def admit(use: Use, quota: Quota, size: int, now: datetime) -> tuple[Use, Excess | None]:
    """Put a message into both buckets, or into neither; returns what is used then, and why it was not put in.

    Into an empty bucket anything fits, or what is larger than the quota could never be sent.

    Args:
        use: what was used before.
        quota: what is allowed.
        size: of the message, in bytes.
        now: the moment it came.
    """
    messages = _fill(use.messages_until, MINUTE, quota.messages_per_minute, 1, now)
    octets = _fill(use.bytes_until, HOUR, quota.megabytes_per_hour * MEGABYTE, size, now)
    if use.messages_until > now < messages - MINUTE:
        used = _used(use.messages_until, MINUTE, quota.messages_per_minute, now)
        return use, Excess("messages", quota.messages_per_minute, used, messages - MINUTE)
    if use.bytes_until > now < octets - HOUR:
        used = _used(use.bytes_until, HOUR, quota.megabytes_per_hour, now)
        return use, Excess("megabytes", quota.megabytes_per_hour, used, octets - HOUR)
    return replace(use, messages_until=messages, bytes_until=octets), None


def share_used(use: Use, now: datetime) -> float:
    """Return how much of what is allowed is used, of messages or of bytes, whichever is more; 1 is all of it."""
    return max((use.messages_until - now) / MINUTE, (use.bytes_until - now) / HOUR, 0.0)


def _fill(until: datetime, period: timedelta, limit: int, amount: int, now: datetime) -> datetime:
    # Rounded down: many fractions of a microsecond more must not keep the last message out.
    return max(until, now) + period * amount // limit if limit else now


def _used(until: datetime, period: timedelta, limit: int, now: datetime) -> int:
    return round((until - now) / period * limit)
