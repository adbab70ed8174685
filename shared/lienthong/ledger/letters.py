"""What is told outside the exchange, by mail or webhook: who asked for what, and the letters in which it goes out.

Which fact is told to whom is decided by the ledger itself, in the fact's own transaction (trigger ``announced`` on
``entry``): so nothing is forgotten in a crash, and nothing told twice for one cause.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - part of public dataclasses
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID  # noqa: TC003 - likewise

from lienthong.ledger.rows import as_json
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

__all__ = [
    "AGENCY_TOPICS",
    "OPERATOR_TOPICS",
    "Alarm",
    "AlarmRow",
    "Announcement",
    "Channel",
    "Language",
    "Letter",
    "Letters",
    "Subscribed",
    "Subscription",
    "Subscriptions",
]

Channel = Literal["mail", "webhook"]
Language = Literal["vi", "en", "both"]
Alarm = Literal["dead-letters", "certificate", "trust"]

AGENCY_TOPICS = ("refusals", "waiting", "deadlines", "deliveries", "statuses", "certificates")
"""What an agency may ask to be told of."""
MOST_SAID = 500
"""Most that one letter says: a day's notices have no end when something goes wrong."""
OPERATOR_TOPICS = ("parked", "flood", "dead-letters", "quarantined", "certificates", "trust", "undeliverable")
"""What the operators may."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an agency, or the operators, asked to be told, where and how.

    Attributes:
        agency: whose; None for the operators.
        channel: by mail or webhook.
        target: the address, or URL.
        topics: of `AGENCY_TOPICS` or `OPERATOR_TOPICS`.
        language: in which words.
        digest_hour: the Vietnamese hour at which a day's notices go out together; None for each at once.
    """

    agency: str | None
    channel: Channel
    target: str
    topics: tuple[str, ...]
    language: Language = "vi"
    digest_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription and what became of its letters.

    Attributes:
        subscription: what was asked for.
        set_at: since when.
        waiting: letters not yet sent.
        sent: letters sent, of those that are still remembered.
        given_up: letters that could not be sent; likewise.
        trouble: why the newest of those that are not sent is not; None when nothing is wrong.
    """

    subscription: Subscription
    set_at: datetime
    waiting: int
    sent: int
    given_up: int
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Announcement:
    """One fact to be told.

    Attributes:
        cause: what it rests on, unique for a target.
        topic: what it was asked for as.
        kind: the kind of the ledger's entry.
        subject: which agency it is about; None when it is about none.
        document: the document it is about.
        document_id: that one's edXML DocumentId.
        code: its number and notation.
        sender: who sent it.
        facts: what the entry says.
        caused_at: when it happened.
    """

    cause: str
    topic: str
    kind: str
    subject: str | None
    document: UUID | None
    document_id: str | None
    code: str | None
    sender: str | None
    facts: dict[str, Any]
    caused_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail, or one call of a webhook; whoever has it has claimed it for a while.

    Attributes:
        letter: its id, the same at every attempt.
        agency: whom it is for; None for the operators.
        channel: how it goes.
        target: where.
        language: in which words.
        attempts: how often it was tried, this time included.
        made_at: since when it waits.
        announcements: what it says, the oldest first, as far as there is room.
        more: how much more there is to say.
    """

    letter: UUID
    agency: str | None
    channel: Channel
    target: str
    language: Language
    attempts: int
    made_at: datetime
    announcements: tuple[Announcement, ...]
    more: int = 0

    @property
    def circuit(self) -> str:
        """What is broken when it cannot be sent: the mail server, which all mail shares, or the webhook's target."""
        return "mail" if self.channel == "mail" else self.target


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """Something operators have to see to; `agency` is concerned and may be told as well."""

    subject: str
    vi: str
    en: str
    agency: str | None = None


class Letters:
    """The part of a transaction that is about letters; see `lienthong.ledger.unit.Unit.letters`."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        self._connection = connection

    async def pack(self, now: datetime) -> None:
        """Put what waits for a digest that is due into a letter for each; another notifier may be at it already."""
        if await self._connection.fetchval(statement("take_packing_turn")):
            await self._connection.execute(statement("pack_digests"), now, MOST_SAID)

    async def claim(
        self, now: datetime, until: datetime, channels: Collection[Channel], *, besides: Collection[str], limit: int
    ) -> list[Letter]:
        """Claim the oldest due letter of each circuit.

        Args:
            now: the present.
            until: until when nobody else gets them; a letter whose claimant died is tried again then.
            channels: how they may go.
            besides: circuits that are left alone.
            limit: how many letters at most.
        """
        rows = await self._connection.fetch(
            statement("claim_letters"), now, sorted(channels), sorted(besides), limit, until
        )
        said: dict[UUID, list[Announcement]] = {row["letter"]: [] for row in rows}
        every: dict[UUID, int] = {}
        for row in await self._connection.fetch(statement("letter_announcements"), list(said), MOST_SAID):
            key = row["letter"]
            every[key] = row["announcements"]
            fields = {key: value for key, value in row.items() if key not in ("letter", "facts", "announcements")}
            said[key].append(Announcement(**fields, facts=json.loads(row["facts"])))
        return [
            Letter(**row, announcements=tuple(one := said[row["letter"]]), more=every.get(row["letter"], 0) - len(one))
            for row in rows
        ]

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete letters that were sent or given up before then, with what they said; return how many.

        Nothing is told twice because of that, and the history still says of each letter that it was sent.
        """
        return int(await self._connection.fetchval(statement("forget_letters"), before, limit))

    async def sent(self, letter: UUID, at: datetime) -> None:
        """Record that a letter has reached its target."""
        await self._connection.execute(statement("settle_letter"), letter, "sent", at, at, None)

    async def postpone(self, letter: UUID, until: datetime, trouble: str) -> None:
        """Record why a letter could not be sent, and when it is tried next."""
        await self._connection.execute(statement("settle_letter"), letter, "waiting", None, until, trouble)

    async def give_up(self, letter: UUID, at: datetime, trouble: str) -> None:
        """Record that a letter will not be tried again, and why."""
        await self._connection.execute(statement("settle_letter"), letter, "given-up", at, at, trouble)

    async def waiting(self) -> dict[str, int]:
        """Return how many letters wait, by channel."""
        rows = await self._connection.fetch(statement("count_waiting_letters"))
        return {row["channel"]: row["letters"] for row in rows}

    async def raise_alarms(
        self, alarm: Alarm, found: Sequence[AlarmRow], at: datetime
    ) -> tuple[list[AlarmRow], list[str]]:
        """Record what there is to be alarmed about now; what is not among it any more is over.

        Returns:
            What is new, and the subjects of what is over.
        """
        rows = await self._connection.fetch(statement("raise_alarms"), alarm, as_json(found), at)
        new = [AlarmRow(row["subject"], row["vi"], row["en"]) for row in rows if row["raised"]]
        return new, [row["subject"] for row in rows if not row["raised"]]

    async def ending_certificates(self, by: datetime) -> list[tuple[str, str, datetime]]:
        """Return the connected agencies whose last certificate in the directory ends by then: code, name, when."""
        rows = await self._connection.fetch(statement("ending_certificates"), by)
        return [(row["code"], row["name"], row["valid_to"]) for row in rows]

    async def first_ending_certificate(self) -> datetime | None:
        """Return when the first connected agency's last certificate ends; None when the directory has none."""
        ends: datetime | None = await self._connection.fetchval(statement("first_ending_certificate"))
        return ends


class Subscriptions:
    """The part of an operator's transaction that is about who is told what; see `AccessUnit.subscriptions`."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        self._connection = connection

    async def all(self) -> list[Subscribed]:
        """Return every subscription, the operators' first."""
        found = []
        for row in await self._connection.fetch(statement("subscriptions")):
            names = ("agency", "channel", "target", "language", "digest_hour")
            one = Subscription(**{name: row[name] for name in names}, topics=tuple(row["topics"]))
            counts = {name: row[name] for name in ("set_at", "waiting", "sent", "given_up", "trouble")}
            found.append(Subscribed(one, **counts))
        return found

    async def set(self, one: Subscription) -> bool:
        """Write a subscription; returns whether that changed anything."""
        values = one.agency, one.channel, one.target, list(one.topics), one.language, one.digest_hour
        return await self._connection.fetchval(statement("set_subscription"), *values) is not None

    async def end(self, agency: str | None, channel: Channel, target: str) -> bool:
        """End a subscription; returns whether there was one. What waits for it is sent all the same."""
        return await self._connection.fetchval(statement("end_subscription"), agency, channel, target) is not None
