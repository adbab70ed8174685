"""Letters go out once, whatever is away meanwhile, and nothing waits for what is away."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
from tests.integration.notifier.conftest import Hook, MailServer, refuse, senders, settings, subscribe

from lienthong.document.webhooks import WebhookCall
from lienthong.document.zone import VIETNAM
from lienthong.errors import Unavailable
from lienthong.ledger.letters import MOST_SAID, Subscription
from lienthong.ledger.rows import QuarantinedRow
from lienthong_notifier.mail import MailSender, composed
from lienthong_notifier.post import CLAIM, KEPT_REFUSED, PostOffice

if TYPE_CHECKING:
    from datetime import datetime

    import pytest
    from tests.integration.notifier.conftest import Clock

    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.letters import Channel, Letter

SECONDS = 60.0
QUARTER = timedelta(minutes=15)
TOPICS = ("refusals",)
CHANNELS: tuple[Channel, ...] = ("mail", "webhook")


def mailed(server: MailServer, address: str) -> Counter[str]:
    """Return the documents that mails to an address are about, and how often."""
    found: Counter[str] = Counter()
    for mail in server.mails:
        if mail["To"] == address:
            body = mail.get_body(("plain",))
            assert body is not None
            found.update(re.findall(r"DocumentId ([\w-]+)", body.get_content()))
    return found


def called(hook: Hook) -> Counter[str | None]:
    """Return the documents that a webhook was told of, and how often."""
    calls = [WebhookCall.model_validate_json(call.body) for call in hook.calls]
    return Counter(notice.document_id for call in calls for notice in call.notices)


async def test_a_day_without_mail_server_and_with_a_failing_webhook(
    owner: Ledger, ledger: Ledger, clock: Clock, mail_server: MailServer
) -> None:
    """A day of traffic, the mail server down, the webhook answering 500: each notice arrives once after they return."""
    async with mail_server.running():
        pass  # it has a port now, and nobody is there
    failing, healthy = Hook(status=500), Hook()
    async with failing.running(), healthy.running():
        await subscribe(
            owner,
            Subscription("G22", "mail", "vt@g22.vn", TOPICS),
            Subscription("G22", "mail", "digest@g22.vn", TOPICS, "both", 8),
            Subscription("G22", "webhook", failing.url("/failing"), TOPICS),
            Subscription("H23", "webhook", healthy.url("/healthy"), TOPICS),
        )
        expected = []
        async with senders(settings(mail_server)) as ways:
            office = PostOffice(ledger, ways, clock=clock)
            for hour in range(24):
                for number in range(2):
                    expected.append(f"d-{hour}-{number}")
                    await refuse(owner, expected[-1])
                await refuse(owner, f"other-{hour}", "H23")
                for _ in range(2):
                    await office.drain()
                    clock.now += 2 * QUARTER
                # What is well is told at once, whatever else is away.
                assert called(healthy)[f"other-{hour}"] == 1
            assert not mail_server.mails
            assert not failing.calls
            # The breaker: 48 letters were not tried against a dead target again and again.
            assert failing.tries < 24 * 2 + 10
            failing.status = 200
            async with mail_server.running():
                # Two hours: the longest retry and the longest a circuit is open.
                for _ in range(8):
                    await office.drain()
                    clock.now += QUARTER
        once = Counter(expected)
        assert mailed(mail_server, "vt@g22.vn") == once
        assert called(failing) == once
        assert mailed(mail_server, "digest@g22.vn") == Counter(dict.fromkeys(once, 2))
        assert called(healthy) == Counter(f"other-{hour}" for hour in range(24))
        ids = [mail["Message-ID"] for mail in mail_server.mails]
        assert len(ids) == len(set(ids))
    async with owner.access() as unit:
        assert {(one.waiting, one.given_up, one.trouble) for one in await unit.subscriptions.all()} == {(0, 0, None)}


async def test_two_notifiers_send_each_letter_once(owner: Ledger, ledger: Ledger, clock: Clock) -> None:
    """Several replicas share the work: no letter is sent by two, none is left."""
    hook = Hook()
    async with hook.running():
        await subscribe(owner, *(Subscription("G22", "webhook", hook.url(f"/{n}"), TOPICS) for n in range(10)))
        for number in range(5):
            await refuse(owner, f"d{number}")
        async with senders(settings()) as ways:
            offices = [PostOffice(ledger, {"webhook": ways["webhook"]}, clock=clock) for _ in range(2)]
            await asyncio.gather(*(office.drain() for office in offices))
            # One may have seen nothing but what the other had in hand.
            await offices[0].drain()
    assert set(called(hook).values()) == {10}
    assert len(hook.calls) == 50


async def test_who_dies_between_sending_and_recording_leaves_a_mail_that_is_recognised(
    owner: Ledger, ledger: Ledger, clock: Clock, mail_server: MailServer
) -> None:
    """The letter is nobody else's until the claim is over; then it is sent once more, with the same Message-ID."""
    await subscribe(owner, Subscription("G22", "mail", "vt@g22.vn", TOPICS))
    await refuse(owner, "d1")
    async with mail_server.running():
        async with ledger.transaction() as unit:
            (letter,) = await unit.letters.claim(clock.now, clock.now + CLAIM, {"mail"}, besides=(), limit=5)
        await MailSender(settings(mail_server)).send(letter, clock.now)
        async with senders(settings(mail_server)) as ways:
            office = PostOffice(ledger, ways, clock=clock)
            assert await office.drain() == 0
            clock.now += CLAIM
            assert await office.drain() == 1
            clock.now += CLAIM
            assert await office.drain() == 0
    first, again = mail_server.mails
    assert first["Message-ID"] == again["Message-ID"]


async def test_a_digest_is_one_letter_at_its_hour(
    owner: Ledger, ledger: Ledger, clock: Clock, mail_server: MailServer, database: str
) -> None:
    """What happens before the hour goes out together at the hour, what comes later the next day."""
    await subscribe(owner, Subscription("G22", "mail", "vt@g22.vn", TOPICS, "vi", 8))
    for number in range(3):
        await refuse(owner, f"d{number}")
    connection = await asyncpg.connect(database)
    due = await connection.fetchval("select distinct due_at from announcement")
    hours = await connection.fetch(
        "select next_digest(t, 8::smallint) as at from unnest($1::timestamptz[]) t", [due - QUARTER, due]
    )
    await connection.close()
    assert due.astimezone(VIETNAM).hour == 8
    assert [row["at"] for row in hours] == [due, due + timedelta(days=1)]
    async with mail_server.running(), senders(settings(mail_server)) as ways:
        office = PostOffice(ledger, ways, clock=clock)
        clock.now = due - timedelta(seconds=1)
        assert await office.drain() == 0
        clock.now = due
        assert await office.drain() == 1
    (mail,) = mail_server.mails
    assert "(3)" in mail["Subject"]
    assert mailed(mail_server, "vt@g22.vn") == Counter(("d0", "d1", "d2"))


async def test_a_large_digest_is_cut_for_people_and_parted_for_machines(
    owner: Ledger, ledger: Ledger, clock: Clock, database: str
) -> None:
    """A mail says how much more there is; a webhook gets all of it, in calls of a bounded size."""
    many = MOST_SAID + 7
    await subscribe(
        owner,
        *(Subscription("G22", channel, f"https://x/{channel}", TOPICS, digest_hour=8) for channel in CHANNELS),
    )
    connection = await asyncpg.connect(database)
    await connection.execute(
        "insert into entry (kind, agency, facts) select 'DocumentRefused', 'G22', "
        "jsonb_build_object('document_id', 'd' || n, 'problems', '[]'::jsonb) from generate_series(1, $1) as n",
        many,
    )
    await connection.close()
    clock.now += timedelta(days=1)
    found: list[Letter] = []
    async with ledger.transaction() as unit:
        await unit.letters.pack(clock.now)
        while claimed := await unit.letters.claim(clock.now, clock.now + CLAIM, CHANNELS, besides=(), limit=9):
            found += claimed
    mail, *calls = sorted(found, key=lambda one: (one.channel, -len(one.announcements)))
    assert (len(mail.announcements), mail.more) == (MOST_SAID, 7)
    said = composed(mail, "truc@x.vn", clock.now)
    assert f"({many})" in said["Subject"]
    body = said.get_body(("plain",))
    assert body is not None
    assert "Và 7 thông báo nữa" in body.get_content()
    assert [(len(one.announcements), one.more) for one in calls] == [(MOST_SAID, 0), (7, 0)]
    causes = [one.cause for call in calls for one in call.announcements]
    assert len(set(causes)) == many


async def test_old_letters_are_forgotten_and_nothing_is_told_again(
    owner: Ledger, ledger: Ledger, clock: Clock, database: str
) -> None:
    """What waits stays, and so does what may come about again under the same cause; the history says what was sent."""
    await subscribe(owner, Subscription("G22", "webhook", "https://x/1", TOPICS))
    await subscribe(owner, Subscription(None, "webhook", "https://x/2", ("quarantined",)))
    strange = [QuarantinedRow("a" * 64, {"reason": "no user_id", "queue": "q"})]
    office = PostOffice(ledger, {}, clock=clock, kept=timedelta(days=90))

    async def happen(name: str) -> list[str]:
        await refuse(owner, name)
        async with owner.transaction() as unit:
            await unit.record_quarantined(strange)
        async with ledger.transaction() as unit:
            claimed = await unit.letters.claim(clock.now, clock.now + CLAIM, CHANNELS, besides=(), limit=9)
            for one in claimed:
                await unit.letters.sent(one.letter, clock.now)
        return sorted(one.announcements[0].kind for one in claimed)

    assert await happen("d1") == ["DocumentRefused", "MessageQuarantined"]
    clock.now += timedelta(days=89)
    assert await office.forget() == 0
    await refuse(owner, "waits")
    clock.now += timedelta(days=2)
    assert await office.forget() == 1
    connection = await asyncpg.connect(database)
    left = [
        tuple(row) for row in await connection.fetch("select kind, letter is not null from announcement order by 1")
    ]
    assert left == [("DocumentRefused", True), ("MessageQuarantined", True)]
    assert await connection.fetchval("select count(*) from letter where state = 'waiting'") == 1
    assert await connection.fetchval("select count(*) from entry where kind = 'LetterSent'") == 2
    await connection.close()
    # The refusal again is no new fact, the quarantined message is the same as before.
    assert await happen("d1") == ["DocumentRefused"]
    assert await happen("d1") == []


async def test_one_address_that_is_refused_does_not_stop_the_mail_of_others(
    owner: Ledger, ledger: Ledger, clock: Clock, mail_server: MailServer
) -> None:
    """It is given up after a day, and the operators are told; of a letter to themselves they are not."""
    mail_server.refused = {"gone@g22.vn": "550 no such user", "gone@ops.vn": "550 no such user"}
    await subscribe(
        owner,
        Subscription("G22", "mail", "gone@g22.vn", TOPICS),
        Subscription("G22", "mail", "vt@g22.vn", TOPICS),
        Subscription(None, "mail", "gone@ops.vn", ("undeliverable",)),
        Subscription(None, "mail", "ops@ops.vn", ("undeliverable",)),
    )
    for number in range(4):
        await refuse(owner, f"d{number}")
    async with mail_server.running(), senders(settings(mail_server)) as ways:
        office = PostOffice(ledger, ways, clock=clock)
        await office.drain()
        assert len(mailed(mail_server, "vt@g22.vn")) == 4
        for _ in range(2):
            clock.now += KEPT_REFUSED + QUARTER
            await office.drain()
            clock.now += QUARTER
            await office.drain()
        told = [mail for mail in mail_server.mails if mail["To"] == "ops@ops.vn"]
        assert len(told) == 4
        clock.now += 2 * KEPT_REFUSED
        assert await office.drain() == 0
    async with owner.access() as unit:
        left = {one.subscription.target: (one.waiting, one.given_up) for one in await unit.subscriptions.all()}
    assert left == {"gone@g22.vn": (0, 4), "vt@g22.vn": (0, 0), "gone@ops.vn": (0, 4), "ops@ops.vn": (0, 0)}


class Slow:
    """Sends to a target that never answers, and to others at once."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[str] = asyncio.Queue()

    async def send(self, letter: Letter, at: datetime) -> None:
        """Send."""
        del at
        if letter.target.endswith("dead"):
            await asyncio.Event().wait()
        if letter.target.endswith("bug"):
            raise ValueError(letter.target)
        if letter.target.endswith("away"):
            raise Unavailable("away")
        self.sent.put_nowait(letter.target)


async def test_nothing_waits_for_what_does_not_answer(
    owner: Ledger, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs in the background a target that hangs, fails or meets a bug stops no other, and not the worker."""
    monkeypatch.setattr("lienthong_notifier.post.CLOSE_SECONDS", 0.1)
    wanted = [f"https://h.vn/{name}" for name in ("a-dead", "b-bug", "c-away", "d-well")]
    await subscribe(owner, *(Subscription("G22", "webhook", url, TOPICS) for url in wanted))
    slow = Slow()
    async with PostOffice(ledger, {"webhook": slow}):
        for number in range(3):
            await refuse(owner, f"d{number}")
            async with asyncio.timeout(SECONDS):
                assert await slow.sent.get() == "https://h.vn/d-well"
    async with owner.access() as unit:
        found = {one.subscription.target[-4:]: (one.waiting, one.sent) for one in await unit.subscriptions.all()}
    assert found == {"dead": (3, 0), "-bug": (3, 0), "away": (3, 0), "well": (0, 3)}
