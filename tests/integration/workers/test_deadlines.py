"""Deadlines on a real ledger and broker: warned and told once each, whatever dies, by a clock that the test moves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.workers.conftest import document, handed_on, handle, status, submitted
from typer.testing import CliRunner

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.document.deadlines import Clock, Holder, Level
from lienthong.document.ids import derive, document_uuid
from lienthong.document.messages import Deadline, DocumentToRoute, Found, Lane, NoticeToSend
from lienthong.document.verdicts import Value, Verdict
from lienthong.document.zone import VIETNAM
from lienthong.edxml import OtherInfo, Promulgation
from lienthong.errors import Unavailable
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import VerificationRow
from lienthong.ledger.statements import statement
from lienthong.signature.policy import Policy
from lienthong.topology.names import WORK, Step, work_key, work_queue
from lienthong.topology.plan import exchange_plan
from lienthong.worker.answers import to_router
from lienthong_cli.__main__ import assembled
from lienthong_ingest.handler import IngestDocument
from lienthong_notifier.deadlines import DeadlineWatch
from lienthong_notifier.handler import SendNotice
from lienthong_router.handler import RouteDocument
from lienthong_status_tracker.handler import TrackStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from uuid import UUID

    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.reports import Reports
    from lienthong.payload import FolderStore

SECONDS = 60.0
AT_ONCE = timedelta(minutes=30)
Told = tuple[str, Clock, Level]


def at(text: str) -> datetime:
    """Return a moment in Vietnam, of March 2027 where only day and hour are given."""
    full = text if len(text) > len("05 12:00") else f"2027-03-{text}"
    return datetime.fromisoformat(full).replace(tzinfo=VIETNAM).astimezone(UTC)


class Dies(Bus):
    """A broker whose user is killed right after everything was confirmed, before that is recorded."""

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish, and die."""
        await super().publish_many(messages)
        raise KeyboardInterrupt


class Away:
    """A broker that is away."""

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Confirm nothing."""
        return [Unavailable("away") for _ in messages]


class Office:
    """An exchange whose time the test moves, two notifiers of it, and what is in the notifiers' queue."""

    def __init__(self, ledger: Ledger, notifier: Ledger, bus: Bus, store: FolderStore, examiner: ExaminesHere) -> None:
        self.ledger, self.notifier, self.bus = ledger, notifier, bus
        self.now = at("01 08:00")
        self.ingest = IngestDocument(store)
        self.router = RouteDocument(store, self._declare)
        self.tracker = TrackStatus(store, examiner, Policy())
        self.watches = [self.watch(bus), self.watch(bus)]

    async def _declare(self, _plan: object) -> None:
        """The queues of agencies are no matter here."""

    def watch(self, bus: Any) -> DeadlineWatch:
        """Return what watches by this clock, with a broker."""
        return DeadlineWatch(self.notifier, bus, AT_ONCE, clock=lambda: self.now)

    async def deliver(self, name: str, when: str, *, forwarded: bool = True, **more: Any) -> UUID:
        """Take a document into the delivery queues of its addressees at a moment."""
        self.now = at(when)
        message = replace(submitted(document(name, **more), message_id=name), received_at=self.now)
        await handle(self.ingest, self.ledger, message)
        key = document_uuid("G22", name, 0)
        judged = ("unsigned", "information", "", "không ký", "unsigned")
        async with self.ledger.transaction() as unit:
            row = VerificationRow(derive("verification", key, 1), key, 1, *judged, {}, self.now)
            await unit.record_verifications([row])
            found = (await unit.documents([key]))[key]
        words = Found(verdict=Verdict.UNSIGNED, value=Value.INFORMATION, vi="không ký", en="unsigned")
        task = DocumentToRoute(document=key, sha256=found.sha256, found=words)
        routed = handed_on(to_router(task, Lane(found.lane), found.size))
        (outcome,) = await handle(self.router, self.ledger, routed, mark=False)
        if forwarded:
            assert outcome.mark is not None
            async with self.ledger.transaction() as unit:
                await unit.mark_forwarded([(outcome.mark, self.now)])
        return key

    async def report(self, code: str, name: str, when: str, **headers: str) -> None:
        """Let the receiver's status come at a moment."""
        self.now = at(when)
        message = submitted(status(code, document_id=name), message_id=f"{name}-{code}", **headers)
        await handle(self.tracker, self.ledger, replace(message, received_at=self.now, attempts=9))

    async def watched(self, when: str | None = None) -> list[Told]:
        """Let both notifiers look at a moment until nothing is left to do; return who is told what."""
        return sorted((to, one.clock, one.level) for to, one in await self.notices(when))

    async def notices(self, when: str | None = None) -> list[tuple[str, Deadline]]:
        """Do the same, and return who is told which notice."""
        if when is not None:
            self.now = at(when)
        async with asyncio.timeout(SECONDS):
            while sum(await asyncio.gather(*(watch.look() for watch in self.watches))):
                pass
            while sum(await asyncio.gather(*(watch.tell() for watch in self.watches))):
                pass
        return [self._read(message) for message in await self.queued()]

    @staticmethod
    def _read(message: Incoming) -> tuple[str, Deadline]:
        task = NoticeToSend.model_validate_json(message.body)
        assert isinstance(task.notice, Deadline)
        return task.agency, task.notice

    async def queued(self) -> list[Incoming]:
        """Take what stands in the notifiers' queue, up to a mark of our own."""
        mark = Outgoing(WORK, work_key(Step.NOTIFIER), "mark", b"")
        assert await self.bus.publish_many([mark]) == [None]
        got: list[Incoming] = []
        async with asyncio.timeout(SECONDS):
            while not (got and got[-1].message_id == "mark"):
                for message in await self.bus.take(100, timeout=None):
                    got.append(message)
                    await self.bus.ack_through(message.queue, message.tag)
        return got[:-1]


@pytest_asyncio.fixture
async def office(
    ledger: Ledger, database: str, vhost: str, store: FolderStore, examiner: ExaminesHere
) -> AsyncIterator[Office]:
    """Provide the exchange, the watch on deadlines in the notifier's role."""
    notifier = await Ledger.connect(database, role="lienthong_notifier", connections=4)
    async with Bus(vhost, name="deadlines") as bus:
        await bus.declare(exchange_plan())
        await bus.consume([work_queue(Step.NOTIFIER)], prefetch=500)
        yield Office(ledger, notifier, bus, store, examiner)
    await notifier.close()


async def test_warned_then_told_once(office: Office, reports: Reports) -> None:
    """Two notifiers warn the receiver at 50 and 80 %, and tell both sides of the breach: each once."""
    signed = Promulgation("Hà Nội", date(2027, 3, 3))
    await office.deliver("d1", "03 08:00", due_date=date(2027, 3, 8), promulgation=signed, to=("H23", "H41"))
    assert await office.watched() == []
    await office.report("01", "d1", "03 08:10")
    assert await office.watched("03 15:59") == []
    assert await office.watched("03 16:00") == [("H41", Clock.RECEIPT, Level.HALF)]
    assert await office.watched("03 20:48") == [("H41", Clock.RECEIPT, Level.MOST)]
    assert await office.watched("03 23:59") == [], "half of the time for the transfer is over at 04:00"
    late = [("G22", Clock.RECEIPT, Level.BREACH), ("H41", Clock.RECEIPT, Level.BREACH)]
    assert await office.watched("04 00:00") == late
    warned = [(unit, Clock.TRANSFER, Level.HALF) for unit in ("H23", "H41")]
    assert await office.watched("04 12:00") == warned
    assert await office.watched("04 12:00") == []
    await office.report("03", "d1", "04 13:00")
    await office.report("06", "d1", "04 13:01")
    ended = await office.notices("2027-12-01 08:00")
    assert {(to, one.agency, one.clock, one.level) for to, one in ended} == {
        (to, "H41", clock, Level.BREACH) for to in ("G22", "H41") for clock in (Clock.TRANSFER, Clock.FINISH)
    }
    assert {(one.holder, one.sender, one.document_id) for _, one in ended} == {(Holder.CLERK, "G22", "d1")}
    assert await office.watched("2028-12-01 08:00") == []
    assert await reports.entry_differences() == []


async def test_what_counts_is_the_exchanges_clock(office: Office, database: str) -> None:
    """However late the notifiers look: what came in time is not told of, what came late is, with the proof of it."""
    await office.deliver("timely", "03 08:00")
    await office.deliver("late", "03 08:00")
    await office.deliver("early-by-its-own-clock", "03 08:00")
    await office.report("03", "timely", "03 23:59")
    await office.report("06", "timely", "04 09:00")
    claims = {"submitted-at": "2027-03-03T09:00:00+07:00"}
    for name, said in (("late", {}), ("early-by-its-own-clock", claims)):
        await office.report("03", name, "04 00:00", **said)
        await office.report("06", name, "04 00:01", **said)
    told = await office.notices("09 08:00")
    assert {(one.document_id, one.clock, one.level, one.met_at) for _, one in told} == {
        (name, Clock.RECEIPT, Level.BREACH, at("04 00:00")) for name in ("late", "early-by-its-own-clock")
    }
    assert all("04/03/2027 00:00" in text for _, one in told for text in (one.vi, one.en))
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(
        "select x.document_id, l.clock, l.agency, l.due_at, l.met_at, s.code from lateness l "
        "join document x using (document) left join status s on s.status = l.evidence "
        "where l.met_at >= l.due_at order by 1"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [
        (name, "receipt", "H23", at("04 00:00"), at("04 00:00"), "03") for name in ("early-by-its-own-clock", "late")
    ]


async def test_whether_it_was_sent_in_time(office: Office, database: str) -> None:
    """The exchange's receipt counts, at noon after Tết; whose date is ahead is told so, once, and nobody else."""
    cases = {
        "in-time": (date(2027, 2, 3), "2027-02-11 11:59"),
        "late": (date(2027, 2, 3), "2027-02-11 12:00"),
        "ahead": (date(2027, 2, 12), "2027-02-11 12:00"),
        "long-ago": (date(2019, 1, 15), "2027-02-11 12:00"),
    }
    for grade, (signed, received) in cases.items():
        await office.deliver(grade, received, to=("H23", "H41"), promulgation=Promulgation("Hà Nội", signed))
    told = await office.notices()
    assert {(to, one.document_id, one.clock, one.level) for to, one in told} == {
        ("G22", "late", Clock.SENDING, Level.BREACH),
        ("G22", "ahead", Clock.SENDING, Level.AHEAD),
    }
    assert len(told) == 2
    connection = await asyncpg.connect(database)
    rows = await connection.fetch("select document_id, dating from sending join document using (document)")
    await connection.close()
    assert {row["document_id"]: row["dating"] for row in rows} == {grade: grade for grade in cases}


async def test_an_outage_is_no_flood(office: Office) -> None:
    """Whoever was away tells the furthest only; a warning the broker did not take is dropped when it is overtaken."""
    await office.deliver("watched", "03 08:00")
    away = office.watch(Away())
    for when in ("03 16:00", "03 21:00"):
        office.now = at(when)
        await office.deliver(f"until {when}", when)
        while await away.look():
            pass
        with pytest.raises(Unavailable, match="away"):
            await away.tell()
    assert {(one.document_id, one.level) for _, one in await office.notices()} == {
        ("watched", Level.MOST),
        ("until 03 16:00", Level.HALF),
    }
    office.now = at("04 12:00")
    while await away.look():
        pass
    told = await office.notices("06 08:00")
    assert {(one.document_id, one.clock, one.level) for _, one in told} == {
        (name, clock, Level.BREACH)
        for name in ("watched", "until 03 16:00", "until 03 21:00")
        for clock in (Clock.RECEIPT, Clock.TRANSFER)
    }
    assert len(told) == 12, "each to both sides"


async def killed(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Do something that ends as when the process is killed."""
    with pytest.raises(KeyboardInterrupt):
        await work()


async def test_killed_at_any_step_it_is_told_once(office: Office, vhost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is recorded, before it is told, after it was told and before that is recorded: one notice leaves."""
    await office.deliver("d1", "03 08:00")
    office.now = at("03 16:00")
    watch = office.watch(office.bus)
    with monkeypatch.context() as patch:

        async def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("lienthong.ledger.deadlines.Deadlines.record", die)
        await killed(watch.look)
    await watch.look()
    async with Dies(vhost, name="dies") as dying:
        await killed(office.watch(dying).tell)
        await killed(office.watch(dying).tell)
    await watch.tell()
    assert await watch.tell() == 0
    messages = await office.queued()
    assert len(messages) == 3
    assert len({message.message_id for message in messages}) == 1
    sent = [outcome.outputs for one in messages for outcome in await handle(SendNotice(), office.ledger, one)]
    assert [len(outputs) for outputs in sent] == [1, 0, 0]
    (notice,) = sent[0]
    assert (notice.exchange, notice.routing_key) == ("status", "from.H23.to.lienthong.deadline")


async def test_urgent_means_at_once(office: Office) -> None:
    """An urgent document has minutes, on a Sunday as well; it is handed on in time when the leader has it."""
    await office.deliver("d1", "07 03:00", other=OtherInfo(priority=1))
    await office.report("03", "d1", "07 03:10")
    assert await office.watched("07 03:24") == [("H23", Clock.TRANSFER, Level.MOST)]
    assert {told[1:] for told in await office.watched("07 03:30")} == {(Clock.TRANSFER, Level.BREACH)}


async def test_a_delivery_on_its_way_is_not_the_receivers(office: Office, database: str) -> None:
    """No clock runs before the document stands in the receiver's queue, and then from that moment on."""
    key = await office.deliver("d1", "03 08:00", forwarded=False)
    assert await office.watched("09 08:00") == []
    connection = await asyncpg.connect(database)
    await connection.execute("update routing set forwarded_at = $1 where document = $2", at("09 08:30"), key)
    await connection.close()
    assert await office.watched("09 08:31") == []
    assert await office.watched("09 16:15") == [("H23", Clock.RECEIPT, Level.HALF)]


async def test_a_swapped_day_moves_what_is_open(
    office: Office, database: str, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an operator decides about the calendar holds at once, for clocks that run as well."""
    await office.deliver("d1", "05 08:00")
    await office.report("01", "d1", "05 08:10")
    assert await office.watched() == []
    monkeypatch.setenv("LIENTHONG_LEDGER_URL", database)
    run = CliRunner().invoke

    async def lienthong(*words: str) -> str:
        done = await asyncio.to_thread(run, assembled("calendar"), ["calendar", *words])
        return done.output

    assert "2027-03-08" in await lienthong("swap", "2027-03-08", "2027-03-13", "--because", "Công văn 1", "--by", "an")
    assert "has to be a working day" in await lienthong("swap", "2027-03-07", "2027-03-13", "--because", "x")
    listed = await lienthong("list", "2027", "--json")
    assert '"decided": "Công văn 1"' in listed
    assert "Giao thừa Tết Nguyên Đán" in listed
    assert [(one.day, one.working) for one in await reports.calendar()] == [
        (date(2027, 3, 8), False),
        (date(2027, 3, 13), True),
    ]
    assert await office.watched("09 00:00") == [], "Monday was off"
    assert await office.watched("09 12:00") == [("H23", Clock.TRANSFER, Level.HALF)]
    assert {told[2] for told in await office.watched("10 00:00")} == {Level.BREACH}
    await lienthong("decide", "2027-03-08", "usual", "--because", "nhầm")
    assert [one.day for one in await reports.calendar()] == [date(2027, 3, 13)]


async def test_what_is_due_is_found_by_an_index(office: Office, database: str) -> None:
    """A look costs what is due, not what there is; a finished document is never looked at again."""
    key = await office.deliver("d1", "03 08:00")
    await office.report("03", "d1", "03 08:10")
    await office.report("06", "d1", "03 08:20")
    await office.watched()
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select next_due_at from delivery where document = $1", key) is None
    await connection.execute("set enable_seqscan = off")
    plan = await connection.fetch(f"explain {statement('due_deliveries').replace('$1', 'now()').replace('$2', '10')}")
    await connection.close()
    assert any("delivery_next_due" in row[0] for row in plan)
