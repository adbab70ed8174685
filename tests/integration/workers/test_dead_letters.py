"""Dead letters between a real broker and a real ledger: collected, replayed and discarded, whatever crashes between."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiormq
import pytest_asyncio
from tests.integration.workers.conftest import document, status, submitted

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Incoming, Outgoing
from lienthong.document.ids import document_uuid
from lienthong.document.messages import (
    DocumentToRoute,
    DocumentToVerify,
    Found,
    NoticeToSend,
    Receipt,
    Refused,
)
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import encode
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.reports import Reports
from lienthong.topology.names import WORK, Header, Step, delivery_queue, work_key, work_queue
from lienthong.topology.plan import AGENCY_DEAD_QUEUE, agency_plan, exchange_plan
from lienthong.worker.dead_letters import DeadLetters
from lienthong.worker.ladder import Input, Ladder, LadderHeader
from lienthong.worker.runner import Runner
from lienthong_ingest.handler import IngestDocument
from lienthong_router.handler import RouteDocument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from lienthong.ledger.rows import RecordedDeadLetter
    from lienthong.payload import FolderStore
    from lienthong.topology.plan import Plan
    from lienthong.worker.handler import Handler

SOON = 20.0
NOTIFIER = work_queue(Step.NOTIFIER)
VERIFY = work_queue(Step.SIGNATURE_VERIFY)


def short_plan() -> Plan:
    """Return the exchange's plan with short rungs on its ladder."""
    plan = exchange_plan()
    queues = tuple(
        replace(queue, arguments=dict(queue.arguments) | {"x-message-ttl": 50})
        if queue.name.startswith("retry.")
        else queue
        for queue in plan.queues
    )
    return replace(plan, queues=queues)


@pytest_asyncio.fixture
async def bus(vhost: str) -> AsyncIterator[Bus]:
    """Provide the exchange's topology, with a ladder of short rungs, and a bus."""
    async with Bus(vhost, name="test") as opened:
        await opened.declare(short_plan() + agency_plan("H23"))
        yield opened


@pytest_asyncio.fixture
async def reports(database: str) -> AsyncIterator[Reports]:
    """Provide the read side of the ledger."""
    opened = await Reports.connect(database)
    yield opened
    await opened.close()


@asynccontextmanager
async def desk(vhost: str, database: str, store: FolderStore, bus_class: type[Bus] = Bus) -> AsyncIterator[DeadLetters]:
    """Work as an operator, with the operator's rights."""
    async with bus_class(vhost, name="operator") as own:
        ledger = await Ledger.connect(database, role="lienthong_operator")
        try:
            yield DeadLetters(own, str(own.user), ledger, store)
        finally:
            await ledger.close()


async def die(bus: Bus, step: Step, message: Incoming) -> None:
    """Let a message die as a worker of this step lets it die."""
    error = KeyError("surprise")
    climbed = Ladder(step, str(bus.user)).climb(Input(replace(message, queue=work_queue(step)), 99), error)
    assert await bus.publish_many([climbed.output]) == [None]


async def taken(bus: Bus, *queues: str, quiet: float = 1.0) -> list[Incoming]:
    """Take and acknowledge what stands in queues."""
    messages: list[Incoming] = []
    await bus.consume(queues, prefetch=100)
    while batch := await bus.take(100, timeout=quiet):
        messages += batch
        for queue, tag in {message.queue: message.tag for message in batch}.items():
            await bus.ack_through(queue, tag)
    await bus.cancel()
    return messages


async def only(reports: Reports) -> RecordedDeadLetter:
    """Return the one dead letter there is."""
    (letter,) = await reports.dead_letters(settled=True)
    return letter


async def kinds(reports: Reports, key: UUID) -> list[str]:
    """Return what happened to a dead letter."""
    return [kind for _, kind, _ in await reports.dead_letter_history(key)]


class NeverAcknowledges(Bus):
    """Stands still between recording and acknowledging."""

    async def ack_through(self, queue: str, tag: int) -> None:
        """Hang."""
        await asyncio.Event().wait()
        await super().ack_through(queue, tag)


async def test_a_crash_while_collecting_neither_loses_nor_doubles(
    bus: Bus, vhost: str, database: str, store: FolderStore, reports: Reports
) -> None:
    """Recorded but not acknowledged is found again as the same dead letter; then the queues are empty."""
    for number in range(30):
        await die(bus, Step.INGEST, submitted(b"x" * number, message_id=f"m{number}"))
    await bus.publish_many([Outgoing("", AGENCY_DEAD_QUEUE, "a", b""), Outgoing("", "quarantine", "q", b"")])
    async with desk(vhost, database, store, NeverAcknowledges) as letters:
        crashing = asyncio.create_task(letters.collect())
        async with asyncio.timeout(SOON):
            while not await reports.dead_letters():  # noqa: ASYNC110 - a row of another connection announces nothing
                await asyncio.sleep(0.05)
        crashing.cancel()
    async with desk(vhost, database, store) as letters:
        await letters.collect()
    found = await reports.dead_letters()
    assert len(found) == 32
    assert {letter.times for letter in found} == {1}
    for letter in found:
        assert len(await store.get(letter.sha256)) == letter.size
        assert await kinds(reports, letter.dead_letter) == ["DeadLetterFound"]
    assert await taken(bus, "dead.ingest", AGENCY_DEAD_QUEUE, "quarantine") == []


async def test_a_replay_is_the_message_of_its_sender_and_survives_a_crash(
    bus: Bus, vhost: str, database: str, store: FolderStore, reports: Reports
) -> None:
    """Ordered and not published before a crash, it leaves with the next command; the worker sees sender, id and key."""
    message = submitted(document(), user="G22", message_id="m1")
    await die(bus, Step.INGEST, message)
    async with desk(vhost, database, store) as letters:
        await letters.collect()
        key = (await only(reports)).dead_letter
        assert await letters.replay([key], "an") == {key}
        assert await letters.replay([key], "bình") == set()
    assert (await only(reports)).state == "replaying"
    async with desk(vhost, database, store) as letters:
        assert await letters.finish() == {}
        assert await letters.finish() == {}
    letter = await only(reports)
    assert (letter.state, letter.changed_by) == ("replayed", "an")
    (got,) = await taken(bus, work_queue(Step.INGEST))
    again = Ladder(Step.INGEST, str(bus.user)).restore(got)
    assert (again.attempts, again.message.user_id, again.message.message_id) == (0, "G22", "m1")
    assert (again.message.routing_key, again.message.headers) == ("document", message.headers)
    assert again.message.body == message.body
    ((_, _, found), (_, what, facts)) = await reports.dead_letter_history(key)
    assert (found["reason"], what, facts["by"]) == ("KeyError: 'surprise'", "DeadLetterReplayOrdered", "an")


async def test_what_dies_again_waits_again(
    bus: Bus, vhost: str, database: str, store: FolderStore, reports: Reports
) -> None:
    """A replayed message that fails once more is the same dead letter, with its history, and can be replayed again."""
    message = submitted(document())
    async with desk(vhost, database, store) as letters:
        for times in (1, 2):
            await die(bus, Step.INGEST, message)
            await letters.collect()
            letter = await only(reports)
            assert (letter.state, letter.times) == ("waiting", times)
            assert await letters.replay([letter.dead_letter], "an") == {letter.dead_letter}
            assert await letters.finish() == {}
    assert await kinds(reports, letter.dead_letter) == ["DeadLetterFound", "DeadLetterReplayOrdered"] * 2


async def test_a_body_that_is_gone_is_said_and_the_order_stands(
    bus: Bus, vhost: str, database: str, store: FolderStore, reports: Reports
) -> None:
    """A payload that cannot be read keeps its own dead letter from leaving, and no other."""
    await die(bus, Step.INGEST, submitted(b"gone", message_id="gone"))
    await die(bus, Step.INGEST, submitted(b"there", message_id="there"))
    async with desk(vhost, database, store) as letters:
        await letters.collect()
        found = {str(letter.message_id): letter for letter in await reports.dead_letters()}
        store.path(found["gone"].sha256).unlink()
        await letters.replay([letter.dead_letter for letter in found.values()], "an")
        failed = await letters.finish()
        assert list(failed) == [found["gone"].dead_letter]
        assert [letter.state for letter in await reports.dead_letters()] == ["replaying"]
        await store.put(b"gone")
        assert await letters.finish() == {}
    assert {message.body for message in await taken(bus, work_queue(Step.INGEST))} == {b"gone", b"there"}


async def test_a_discarded_submission_is_answered_once(
    bus: Bus, vhost: str, database: str, store: FolderStore, reports: Reports
) -> None:
    """Its sender is refused with the operator's reason, also after a crash; digest and body stay."""
    await die(bus, Step.INGEST, submitted(b"broken", user="G22", message_id="m1"))
    await die(bus, Step.STATUS_TRACKER, submitted(encode(status("03")), user="H23", message_id="s1"))
    async with desk(vhost, database, store) as letters:
        await letters.collect()
        for letter in await reports.dead_letters():
            assert await letters.discard(letter.dead_letter, "an", "tệp hỏng")
            assert not await letters.discard(letter.dead_letter, "bình", "lần nữa")
    async with desk(vhost, database, store) as letters:
        assert await letters.finish() == {}
        assert await letters.finish() == {}
    told = {notice.agency: notice.notice for notice in map(_notice, await taken(bus, NOTIFIER))}
    assert set(told) == {"G22", "H23"}
    for agency, (about, message_id) in {"G22": ("document", "m1"), "H23": ("status", "s1")}.items():
        notice = told[agency]
        assert isinstance(notice, Refused)
        assert (notice.about, notice.submission_message_id) == (about, message_id)
        assert "tệp hỏng" in notice.problems[0].vi
        assert "tệp hỏng" in notice.problems[0].en
    for letter in await reports.dead_letters(settled=True):
        assert letter.state == "discarded"
        assert await store.get(letter.sha256)
        *_, (_, what, facts) = await reports.dead_letter_history(letter.dead_letter)
        assert (what, facts["by"], facts["reason"]) == ("DeadLetterDiscardOrdered", "an", "tệp hỏng")


async def test_a_document_discarded_on_its_way_is_refused_and_never_delivered(
    bus: Bus, vhost: str, database: str, store: FolderStore, ledger: Ledger, reports: Reports
) -> None:
    """The sender of a document that died behind ingest is refused; if it comes to the router later, it ends there."""
    await bus.publish_many([submission(bus.user, "d1", "m1")])
    async with running(vhost, IngestDocument(store), ledger):
        (task,) = await _tasks(bus)
    await taken(bus, NOTIFIER)
    key = document_uuid("G22", "d1", 0)
    await die(bus, Step.SIGNATURE_VERIFY, replace(submitted(task.encode()), user_id=None, message_id="w"))
    async with desk(vhost, database, store) as letters:
        await letters.collect()
        assert (await only(reports)).document == key
        assert await letters.discard((await only(reports)).dead_letter, "an", "khóa hỏng")
        assert await letters.finish() == {}
    async with running(vhost, RouteDocument(store, bus.declare), ledger):
        await bus.publish_many([_routed(task)])
        (notice,) = map(_notice, await taken(bus, NOTIFIER))
    assert isinstance(notice.notice, Refused)
    assert (notice.agency, notice.notice.submission_message_id) == ("G22", "m1")
    assert notice.notice.document_id == "d1"
    assert await taken(bus, delivery_queue("H23"), work_queue(Step.ROUTER)) == []
    assert [kind for _, kind, _ in await reports.story(key)].count("DeadLetterDiscardOrdered") == 1


async def test_nobody_is_told_of_what_was_forwarded_all_the_same(
    bus: Bus, vhost: str, database: str, store: FolderStore, ledger: Ledger, reports: Reports
) -> None:
    """A dead letter of a document that left by another delivery of the same message is discarded without a refusal."""
    await bus.publish_many([submission(bus.user, "d1", "m1")])
    async with running(vhost, IngestDocument(store), ledger):
        await _tasks(bus)
        await taken(bus, NOTIFIER)
    await die(bus, Step.INGEST, submitted(document(), user="G22", message_id="m1"))
    async with desk(vhost, database, store) as letters:
        await letters.collect()
        assert await letters.discard((await only(reports)).dead_letter, "an", "thừa")
        assert await letters.finish() == {}
    assert (await only(reports)).refusal is None
    assert await taken(bus, NOTIFIER) == []


async def test_recorded_and_dead_lettered_then_replayed_or_resubmitted_is_delivered_once(
    bus: Bus, vhost: str, database: str, store: FolderStore, ledger: Ledger, reports: Reports
) -> None:
    """A document that died before it was forwarded reaches its receiver once: by replay, by a new message, by both."""
    async with await aiormq.connect(vhost) as connection:
        await (await connection.channel()).queue_delete(VERIFY)
    await bus.publish_many([submission(bus.user, f"d{number}", f"m{number}") for number in range(3)])
    async with desk(vhost, database, store) as letters:
        async with running(vhost, IngestDocument(store), ledger), asyncio.timeout(SOON):
            while len(await reports.dead_letters()) < 3:
                await letters.collect()
        assert {row["document_id"] for row in await reports.documents()} == {"d0", "d1", "d2"}
        assert (await reports.totals())["documents_waiting"] == 3
        await bus.declare(short_plan())
        found = {str(letter.message_id): letter.dead_letter for letter in await reports.dead_letters()}
        await letters.replay([found["m0"], found["m2"]], "an")
        assert await letters.finish() == {}
    await bus.publish_many([submission(bus.user, "d1", "n1"), submission(bus.user, "d2", "n2")])
    async with running(vhost, IngestDocument(store), ledger):
        tasks = await _tasks(bus)
    assert {task.document for task in tasks} == {document_uuid("G22", f"d{number}", 0) for number in range(3)}
    receipts = [notice.notice for notice in map(_notice, await taken(bus, NOTIFIER))]
    assert {one.submission_message_id for one in receipts if isinstance(one, Receipt)} >= {"m0", "m1", "m2", "n1", "n2"}
    await bus.publish_many([_routed(task) for task in tasks])
    async with running(vhost, RouteDocument(store, bus.declare), ledger):
        delivered = await taken(bus, delivery_queue("H23"))
    assert sorted(str(message.headers["document-id"]) for message in delivered) == ["d0", "d1", "d2"]
    assert (await reports.totals())["documents_waiting"] == 0


def submission(user: str | None, document_id: str, message_id: str) -> Outgoing:
    """Return a document of G22 to H23 as it comes from the ladder, which alone may speak of G22 here."""
    return Outgoing(
        WORK,
        work_key(Step.INGEST),
        message_id,
        encode(document(document_id)),
        headers={
            Header.ATTEMPT: 0,
            LadderHeader.KEY: "document",
            LadderHeader.USER: "G22",
            LadderHeader.MESSAGE_ID: message_id,
        },
        user_id=user,
    )


@asynccontextmanager
async def running(vhost: str, handler: Handler[Any], ledger: Ledger) -> AsyncIterator[None]:
    """Run a worker's loop for the length of the block, then drain it."""
    async with Bus(vhost, name="worker") as own:
        runner = Runner(handler, bus=own, ledger=ledger, user=str(own.user))
        task = asyncio.create_task(runner.run())
        try:
            yield
        finally:
            runner.stop()
            await asyncio.wait_for(task, SOON)


async def _tasks(bus: Bus) -> list[DocumentToVerify]:
    return [DocumentToVerify.model_validate_json(message.body) for message in await taken(bus, VERIFY)]


def _routed(task: DocumentToVerify) -> Outgoing:
    found = Found(verdict=Verdict.UNSIGNED, value=Value.INFORMATION, vi="không ký", en="unsigned")
    message = DocumentToRoute(document=task.document, sha256=task.sha256, found=found)
    return Outgoing(WORK, work_key(Step.ROUTER), str(task.document), message.encode())


def _notice(message: Incoming) -> NoticeToSend:
    return NoticeToSend.model_validate_json(message.body)
