"""Which facts are told to whom, as the ledger decides it in the fact's own transaction; and what alarms are raised."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.notifier.conftest import refuse, subscribe

from lienthong.access.admission import NotPossibleError
from lienthong.access.standing import Registry
from lienthong.access.subscribing import Subscribing
from lienthong.bus.connection import Bus
from lienthong.bus.messages import Incoming, Outgoing
from lienthong.document.ids import derive
from lienthong.document.messages import NoticeToSend, Waiting
from lienthong.document.zone import VIETNAM
from lienthong.ledger.letters import AGENCY_TOPICS, OPERATOR_TOPICS, Subscription
from lienthong.ledger.rows import QuarantinedRow
from lienthong.topology.names import DEAD, Step, dead_queue, work_queue
from lienthong.topology.plan import exchange_plan
from lienthong.topology.rights import worker_user
from lienthong.trust import TrustStore
from lienthong_notifier.alarms import Alarms
from lienthong_notifier.handler import SendNotice
from lienthong_notifier.words import said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.integration.notifier.conftest import Clock

    from lienthong.ledger.ledger import Ledger
    from lienthong.ledger.letters import Announcement


async def told(owner: Ledger, clock: Clock) -> list[tuple[str | None, Announcement]]:
    """Return what is told to whom, the agency or None for the operators; each only once."""
    found: list[tuple[str | None, Announcement]] = []
    while True:
        async with owner.transaction() as unit:
            later = clock.now + timedelta(days=1)
            claimed = await unit.letters.claim(clock.now, later, {"mail"}, besides=(), limit=100)
            for letter in claimed:
                await unit.letters.sent(letter.letter, clock.now)
        if not claimed:
            return found
        found += [(letter.agency, one) for letter in claimed for one in letter.announcements]


@pytest_asyncio.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Provide a connection of the ledger's owner."""
    opened = await asyncpg.connect(database)
    yield opened
    await opened.close()


async def test_each_fact_is_told_to_whom_it_concerns(
    owner: Ledger, clock: Clock, connection: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Refusals to who sent it, parking to the agency and the operators, the operators' own matters to them only."""
    await subscribe(
        owner,
        Subscription("G22", "mail", "vt@g22.vn", AGENCY_TOPICS),
        Subscription("H23", "mail", "vt@h23.vn", ("statuses",)),
        Subscription(None, "mail", "ops@x.vn", OPERATOR_TOPICS),
    )
    await refuse(owner, "d1", "G22")
    await refuse(owner, "d2", "H23")
    async with owner.transaction() as unit:
        assert await unit.parking.park("G22", 9, 5)
        await unit.quotas.note("AgencyThrottled", "H41", {"kind": "document", "quota": "documents", "limit": 5})
        for _ in range(2):
            await unit.record_quarantined([QuarantinedRow("a" * 64, {"reason": "no user_id", "queue": "q"})])
    found = [(agency, one.topic, one.subject) for agency, one in await told(owner, clock)]
    assert sorted(found, key=repr) == sorted(
        [
            ("G22", "refusals", "G22"),
            ("G22", "waiting", "G22"),
            (None, "parked", "G22"),
            (None, "flood", "H41"),
            (None, "quarantined", None),
        ],
        key=repr,
    )
    # Nobody is told of what was before, nor in the ways that were ended.
    async with owner.access() as unit:
        assert await unit.subscriptions.end("G22", "mail", "vt@g22.vn")
        assert not await unit.subscriptions.end("G22", "mail", "vt@g22.vn")
    await refuse(owner, "d3", "G22")
    assert await told(owner, clock) == []
    assert await connection.fetchval("select count(*) from entry where kind = 'LetterSent'") == 5


async def test_a_notice_is_told_in_its_own_words_once(owner: Ledger, ledger: Ledger, clock: Clock) -> None:
    """What an agency's system is told its people are told too; the same twice changes nothing."""
    await subscribe(owner, Subscription("G22", "mail", "vt@g22.vn", ("waiting",)))
    document = derive("document", "d1")
    words = {"vi": "Văn bản đang chờ", "en": "The document waits"}
    notice = Waiting(document=document, document_id="d1", addressees=(), waiting_since=clock.now, **words)
    task = NoticeToSend(
        notice_id=derive("waiting", document), agency="G22", document=document, notice=notice, caused_at=clock.now
    )
    handler = SendNotice()
    queue, key = work_queue(Step.NOTIFIER), str(task.notice_id)
    message = Incoming(queue, 1, task.encode(), key, None, "notifier", {}, None, None, 0, clock.now)
    for _ in range(2):
        async with ledger.transaction() as unit:
            await handler.record(unit, 2 * [(message, await handler.decide(message))])
    ((agency, one),) = await told(owner, clock)
    assert agency == "G22"
    assert said(one).vi.startswith("Văn bản đang chờ")
    assert said(one).en.startswith("The document waits")


async def test_what_concerns_a_merged_agency_is_told_to_its_successor(owner: Ledger, clock: Clock) -> None:
    """From the day of the merger its own subscriptions are silent; one that is only announced changes nothing yet."""
    await subscribe(owner, *(Subscription(code, "mail", f"vt@{code}.vn", ("refusals",)) for code in ("G22", "H41")))
    registry = Registry(owner, lambda: TrustStore.of(roots=()), by="lan@test")
    await registry.merge(["H41"], "G22", datetime.now(VIETNAM).date() + timedelta(days=2))
    await refuse(owner, "d1", "H41")
    assert [(agency, one.subject) for agency, one in await told(owner, clock)] == [("H41", "H41")]
    await registry.merge(["H41"], "H23", datetime.now(VIETNAM).date(), instead=True)
    await registry.merge(["H23"], "G22", datetime.now(VIETNAM).date())
    await refuse(owner, "d2", "H41")
    assert [(agency, one.subject) for agency, one in await told(owner, clock)] == [("G22", "H41")]
    with pytest.raises(NotPossibleError, match="successor told: G22"):
        await Subscribing(owner, by="lan@test").set(Subscription("H41", "mail", "vt@x.vn", ("refusals",)))


async def test_alarms_are_raised_once_and_cleared(
    owner: Ledger,
    ledger: Ledger,
    clock: Clock,
    connection: asyncpg.Connection[asyncpg.Record],
    vhost: str,
    own_url: Callable[[str], Awaitable[str]],
    tmp_path: Path,
) -> None:
    """Dead letters, a certificate that ends: told when found, not while open, and anew when they come again."""
    await subscribe(
        owner,
        Subscription("G22", "mail", "vt@g22.vn", ("certificates",)),
        Subscription(None, "mail", "ops@x.vn", OPERATOR_TOPICS),
    )
    await connection.execute(
        "insert into agency_certificate "
        "(agency, fingerprint, subject, serial_number, valid_from, valid_to, certificate) values "
        "('G22', repeat('a', 64), 'CN=G22', '1', now(), now() + interval '10 days', '')"
    )
    async with Bus(vhost, name="test") as bus:
        await bus.declare(exchange_plan())
        queue = dead_queue(Step.ROUTER)
        dead = Outgoing(DEAD, str(Step.ROUTER), "m1", b"{}")
        async with Bus(await own_url(worker_user(Step.NOTIFIER)), name="notifier") as own:
            alarms = Alarms(ledger, own, tmp_path / "no trust folder", clock=clock)
            await bus.publish_many([dead])
            for _ in range(2):
                await alarms.look()
            found = {(agency, one.topic, one.facts["subject"]) for agency, one in await told(owner, clock)}
            assert found == {
                (None, "dead-letters", "router"),
                (None, "certificates", "G22"),
                ("G22", "certificates", "G22"),
            }
            await bus.consume([queue], prefetch=10)
            (taken,) = await bus.take(10, timeout=60)
            await bus.ack_through(queue, taken.tag)
            await bus.cancel()
            clock.now += timedelta(minutes=1)
            await alarms.look()
            await bus.publish_many([dead])
            clock.now += timedelta(minutes=1)
            await alarms.look()
    (again,) = await told(owner, clock)
    assert again[1].facts["subject"] == "router"
    history = await connection.fetch("select kind, facts from entry where kind like 'Alarm%' order by entry")
    seen = [(row["kind"], json.loads(row["facts"])["subject"]) for row in history]
    assert seen == [
        ("AlarmRaised", "router"),
        ("AlarmRaised", "G22"),
        ("AlarmCleared", "router"),
        ("AlarmRaised", "router"),
    ]
