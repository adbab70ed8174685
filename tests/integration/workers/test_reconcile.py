"""Reconcile with a real broker, ledger and payload store, from which things were taken by hand."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import aiormq
import pytest
import pytest_asyncio
from tests.integration.workers.conftest import document, handle, signed, status, submitted
from yarl import URL

from lienthong.bus.connection import Bus
from lienthong.document.ids import derive, document_uuid
from lienthong.document.messages import Delivered, Lane, NoticeToSend, Receipt, Refused, Verified, decode_notice
from lienthong.edxml import Document, OtherInfo, Status, encode
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.logins import let_log_in
from lienthong.ledger.reports import Reports
from lienthong.payload import FolderStore
from lienthong.recovery.findings import Finding, Kind
from lienthong.recovery.queues import dead_queues, put_back
from lienthong.recovery.reconcile import Reconciler
from lienthong.signature.policy import Policy
from lienthong.topology.names import Step, delivery_queue, status_queue, work_queue
from lienthong.topology.plan import agency_plan, exchange_plan, lanes
from lienthong.topology.rights import OPERATOR_USER
from lienthong.worker.dead_letters import DeadLetters
from lienthong.worker.ladder import Input, Ladder
from lienthong_ingest.handler import IngestDocument
from lienthong_notifier.handler import SendNotice
from lienthong_router.handler import RouteDocument
from lienthong_signature_verify.handler import VerifySignature
from lienthong_status_tracker.handler import TrackStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection
    from pathlib import Path

    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming
    from lienthong.trust import DevelopmentAuthority
    from lienthong.worker.handler import Handler

AGENCIES = ("G22", "H23", "H41")
WAY = (Step.INGEST, Step.SIGNATURE_VERIFY, Step.ROUTER, Step.NOTIFIER)


@dataclass
class Exchange:
    """An exchange whose workers work when they are told to, and an operator who reconciles."""

    bus: Bus
    vhost: str
    ledger: Ledger
    ledger_url: str
    store: FolderStore
    handlers: dict[Step, Handler[Any]]
    operator: Ledger

    @property
    def user(self) -> str:
        """Who the workers are to the broker."""
        return str(self.bus.user)

    async def submit(self, message: Document | Status | bytes, message_id: str = "m1", user: str = "G22") -> None:
        """Put a submission into its queue, as if its sender had."""
        body = message if isinstance(message, bytes) else encode(message)
        step = Step.STATUS_TRACKER if isinstance(message, Status) else Step.INGEST
        digest = sha256(body).hexdigest()
        output = put_back(step, Lane.ORDINARY, (user, message_id), body, digest, user=self.user)
        assert await self.bus.publish_many([output]) == [None]

    async def work(self, *steps: Step) -> None:
        """Let these workers, one after the other, do everything that waits for them."""
        for step in steps:
            ladder = Ladder(step, self.user)
            taken = await self.take(*(work_queue(step, lane) for lane in lanes(step)))
            messages = [ladder.restore(message).message for message in taken]
            for outcome in await handle(self.handlers[step], self.ledger, *messages):
                outputs = [*outcome.outputs, *outcome.then]
                assert await self.bus.publish_many(outputs) == [None] * len(outputs)

    async def take(self, *queues: str) -> list[Incoming]:
        """Take everything out of queues."""
        messages: list[Incoming] = []
        await self.bus.consume(queues, prefetch=100)
        while batch := await self.bus.take(100, timeout=0.5):
            messages += batch
            for queue, tag in {message.queue: message.tag for message in batch}.items():
                await self.bus.ack_through(queue, tag)
        await self.bus.cancel()
        return messages

    async def told(self, agency: str) -> list[str]:
        """Return the kinds of what an agency is told, and take it out of its queue."""
        return [message.type or "" for message in await self.take(status_queue(agency))]

    async def by_hand(self, what: str, queue: str) -> None:
        """Do to a queue what an operator could do by mistake."""
        connection = await aiormq.connect(self.vhost)
        channel = await connection.channel()
        await (channel.queue_purge(queue) if what == "purge" else channel.queue_delete(queue))
        await connection.close()

    def reconciler(
        self, *, minutes: float = 0, again: Collection[str] = (), spare: FolderStore | None = None
    ) -> Reconciler:
        """Return an operator's look at what is older than some minutes."""
        return Reconciler(
            self.bus,
            self.user,
            self.operator,
            self.ledger_url,
            self.store,
            before=datetime.now(UTC) - timedelta(minutes=minutes),
            by="trực ban",
            again=again,
            spare=spare,
        )

    async def find(self, **more: Any) -> list[tuple[Kind, str]]:
        """Return what disagrees, and the detail of each."""
        return [(finding.kind, finding.detail) for finding in await self.reconciler(**more).find()]

    async def mend(self, **more: Any) -> list[Finding]:
        """Find and mend; return what was found."""
        reconciler = self.reconciler(**more)
        findings = await reconciler.find()
        await reconciler.mend(findings)
        return findings

    async def history(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what was done to document d1, by kind, and by whom."""
        reports = await Reports.connect(self.ledger_url)
        try:
            story = await reports.story(KEY)
        finally:
            await reports.close()
        return [(kind, facts) for _, kind, facts in story if facts.get("by")]


KEY = document_uuid("G22", "d1", 0)


@pytest_asyncio.fixture
async def exchange(
    vhost: str, database: str, ledger: Ledger, tmp_path: Path, examiner: ExaminesHere
) -> AsyncIterator[Exchange]:
    """Provide an exchange with three agencies."""
    store = FolderStore(tmp_path)
    operator = await Ledger.connect(database, role="lienthong_operator")
    async with Bus(vhost, name="test") as bus:
        await bus.declare(sum(map(agency_plan, AGENCIES), start=exchange_plan()))
        handlers: dict[Step, Handler[Any]] = {
            Step.INGEST: IngestDocument(store),
            Step.SIGNATURE_VERIFY: VerifySignature(examiner, Policy()),
            Step.ROUTER: RouteDocument(store, bus.declare),
            Step.STATUS_TRACKER: TrackStatus(store, examiner, Policy()),
            Step.NOTIFIER: SendNotice(),
        }
        yield Exchange(bus, vhost, ledger, database, store, handlers, operator)
    await operator.close()


async def delivered(exchange: Exchange, queue: str) -> list[str]:
    """Return the message ids in a delivery queue, leaving them there."""
    return [standing.message_id or "" for standing in await exchange.bus.look(queue) or ()]


async def test_ordinary_work_leaves_nothing_to_find(exchange: Exchange) -> None:
    """What waits in queues, is delivered and was told disagrees with nothing; looking moves nothing."""
    await exchange.submit(document(to=("H23", "H41")))
    await exchange.submit(document("d2", other=OtherInfo(priority=2)), "m2")
    assert await exchange.find() == []
    for step in WAY:
        await exchange.work(step)
        assert await exchange.find() == []
    assert await delivered(exchange, delivery_queue("H41")) == [str(derive("delivery", KEY))]
    assert len(await delivered(exchange, delivery_queue("H23"))) == 2
    assert sorted(await exchange.told("G22")) == sorted(["receipt", "verified", "delivered"] * 2)
    await exchange.submit(status("03"), "s1", "H23")
    await exchange.work(Step.STATUS_TRACKER)
    assert await exchange.find() == []
    assert await exchange.told("G22") == ["status"]


@pytest.mark.parametrize("purged", [Step.SIGNATURE_VERIFY, Step.ROUTER])
async def test_a_purged_work_queue_is_filled_again(exchange: Exchange, purged: Step) -> None:
    """What stood in a step's queue is asked for again, delivered once, and the history says who did it."""
    await exchange.submit(document())
    await exchange.work(*WAY[: WAY.index(purged)])
    await exchange.by_hand("purge", work_queue(purged))
    assert await exchange.find(minutes=5) == []
    assert await exchange.find() == [(Kind.INPUT_LOST, work_queue(purged))]
    (found,) = await exchange.mend()
    assert found.repaired
    assert await exchange.find() == []
    await exchange.work(*WAY[1:])
    assert await exchange.find() == []
    assert await delivered(exchange, delivery_queue("H23")) == [str(derive("delivery", KEY))]
    ((kind, facts),) = await exchange.history()
    assert (kind, facts["by"], facts["detail"]) == ("InputPutBack", "trực ban", work_queue(purged))


async def test_a_recorded_document_whose_submission_is_gone_goes_on(exchange: Exchange) -> None:
    """Recorded, and its message in no queue: it is put back as its sender published it, and answered once."""
    await handle(exchange.handlers[Step.INGEST], exchange.ledger, submitted(document()), mark=False)
    assert await exchange.find() == [(Kind.INPUT_LOST, work_queue(Step.INGEST))]
    await exchange.mend()
    await exchange.mend()
    await exchange.work(*WAY)
    assert await delivered(exchange, delivery_queue("H23")) == [str(derive("delivery", KEY))]
    assert sorted(await exchange.told("G22")) == ["delivered", "receipt", "verified"]
    assert await exchange.find() == []


async def test_a_recorded_status_whose_message_is_gone_goes_on(exchange: Exchange) -> None:
    """A status that was applied and never told is told, and applied no second time."""
    await exchange.submit(document())
    await exchange.work(*WAY)
    await exchange.told("G22")
    report = submitted(status("03"), message_id="s1", user="H23")
    await handle(exchange.handlers[Step.STATUS_TRACKER], exchange.ledger, report, mark=False)
    assert await exchange.find() == [(Kind.INPUT_LOST, work_queue(Step.STATUS_TRACKER))]
    await exchange.mend()
    await exchange.work(Step.STATUS_TRACKER)
    assert await exchange.told("G22") == ["status"]
    assert await exchange.find() == []


async def test_purged_notices_are_told(exchange: Exchange, authority: DevelopmentAuthority) -> None:
    """Receipt, verdict, delivery and refusal are made again of what the ledger holds, as they were."""
    await exchange.submit(signed(document(), authority))
    await exchange.submit(document("d2", to=("H99",)), "m2")
    await exchange.work(Step.INGEST, Step.SIGNATURE_VERIFY, Step.ROUTER)
    first = [NoticeToSend.model_validate_json(one.body) for one in await exchange.take(work_queue(Step.NOTIFIER))]
    found = await exchange.mend()
    assert {(one.kind, one.repaired) for one in found} == {(Kind.NOTICE_LOST, True)}
    assert await exchange.find() == []
    await exchange.work(Step.NOTIFIER)
    told = [decode_notice(one.body) for one in await exchange.take(status_queue("G22"))]
    assert {type(one) for one in told} == {Receipt, Verified, Delivered, Refused}
    exact = [one.notice for one in first if not isinstance(one.notice, Delivered)]
    assert sorted(str(one) for one in told if not isinstance(one, Delivered)) == sorted(map(str, exact))
    assert await exchange.find() == []


async def test_a_dead_letter_is_left_to_the_operator(exchange: Exchange) -> None:
    """What died is named, in the queue of the dead as in the ledger, and nothing puts it back behind the operator."""
    await exchange.submit(document())
    await exchange.work(Step.INGEST)
    (message,) = await exchange.take(work_queue(Step.SIGNATURE_VERIFY))
    died = Ladder(Step.SIGNATURE_VERIFY, exchange.user).climb(Input(message, 99), KeyError("surprise"))
    await exchange.bus.publish_many([died.output])
    (found,) = await exchange.mend()
    assert (found.kind, found.repaired) == (Kind.DEAD_LETTER, False)
    assert await exchange.bus.look(work_queue(Step.SIGNATURE_VERIFY)) == []
    assert sum([len(await exchange.bus.look(queue) or ()) for queue in dead_queues()]) == 1
    await DeadLetters(exchange.bus, exchange.user, exchange.operator, exchange.store).collect()
    assert sum([len(await exchange.bus.look(queue) or ()) for queue in dead_queues()]) == 0
    assert [(one.kind, one.repaired) for one in await exchange.mend()] == [(Kind.DEAD_LETTER, False)]


async def test_a_purged_delivery_queue_is_filled_again(exchange: Exchange) -> None:
    """A receiver that reports gets again what it never reported on, once; then only when somebody says so."""
    await exchange.submit(document("d0"), "m0")
    await exchange.submit(document(to=("H23", "H41")))
    await exchange.work(*WAY)
    await exchange.submit(status("01", document_id="d0"), "s0", "H23")
    await exchange.work(Step.STATUS_TRACKER)
    (of_h23,) = [one for one in await exchange.take(delivery_queue("H23")) if one.message_id == _delivery_id("d1")]
    assert await exchange.find() == [(Kind.DELIVERY_LOST, delivery_queue("H23"))]
    await exchange.mend()
    assert await exchange.find() == []
    (again,) = await exchange.take(delivery_queue("H23"))
    assert (again.body, again.message_id, again.type) == (of_h23.body, of_h23.message_id, "document")
    assert {name: again.headers[name] for name in of_h23.headers if not name.startswith("x-")} == {
        name: value for name, value in of_h23.headers.items() if not name.startswith("x-")
    }
    assert await delivered(exchange, delivery_queue("H41")) == [_delivery_id("d1")]
    assert await exchange.find() == [(Kind.DELIVERY_UNREPORTED, delivery_queue("H23"))]
    assert [one.repaired for one in await exchange.mend()] == [False]
    assert [one.repaired for one in await exchange.mend(again={"H23"})] == [True]
    assert await delivered(exchange, delivery_queue("H23")) == [_delivery_id("d1")]
    assert [(kind, facts["by"]) for kind, facts in await exchange.history()] == [("DeliveryRepeated", "trực ban")] * 2


async def test_silence_alone_proves_nothing(exchange: Exchange) -> None:
    """An agency that never reports anything may have all its documents: they are counted, and not sent again."""
    await exchange.submit(document())
    await exchange.work(*WAY)
    await exchange.take(delivery_queue("H23"))
    (found,) = await exchange.mend()
    assert (found.kind, found.agency, found.count, found.open) == (Kind.DELIVERY_UNREPORTED, "H23", 1, False)
    assert await delivered(exchange, delivery_queue("H23")) == []


async def test_a_deleted_delivery_queue_is_made_and_filled(exchange: Exchange) -> None:
    """A queue that is gone proves that what stood in it is gone."""
    await exchange.submit(document())
    await exchange.work(*WAY)
    await exchange.by_hand("delete", delivery_queue("H23"))
    assert {kind for kind, _ in await exchange.find()} == {Kind.QUEUE_MISSING, Kind.DELIVERY_LOST}
    assert all(one.repaired for one in await exchange.mend())
    assert await delivered(exchange, delivery_queue("H23")) == [_delivery_id("d1")]
    assert await exchange.find() == []


async def test_a_deleted_work_queue_is_made_and_filled(exchange: Exchange) -> None:
    """So is one of the exchange's own."""
    await exchange.submit(document())
    await exchange.work(Step.INGEST, Step.SIGNATURE_VERIFY)
    await exchange.by_hand("delete", work_queue(Step.ROUTER))
    assert all(one.repaired for one in await exchange.mend())
    await exchange.work(Step.ROUTER)
    assert await delivered(exchange, delivery_queue("H23")) == [_delivery_id("d1")]


async def test_payloads_are_mended_from_a_backup_only(exchange: Exchange, tmp_path: Path) -> None:
    """A deleted payload and one with a flipped byte are named, and written again where a backup has them intact."""
    await exchange.submit(document())
    await exchange.submit(document("d2"), "m2")
    await exchange.work(*WAY)
    gone, flipped = (exchange.store.path(sha256(encode(document(one))).hexdigest()) for one in ("d1", "d2"))
    spare = FolderStore(tmp_path / "spare")
    for path in (gone, flipped):
        await spare.put(path.read_bytes())
    stranger = exchange.store.path(await exchange.store.put(b"of nobody"))
    gone.unlink()
    flipped.write_bytes(flipped.read_bytes()[:-1] + b"?")
    assert sorted(await exchange.find()) == sorted(
        [
            (Kind.PAYLOAD_MISSING, str(gone)),
            (Kind.PAYLOAD_DAMAGED, str(flipped)),
            (Kind.PAYLOAD_UNNAMED, str(stranger)),
        ]
    )
    assert not any(one.repaired for one in await exchange.mend())
    await exchange.mend(spare=spare)
    assert await exchange.find() == [(Kind.PAYLOAD_UNNAMED, str(stranger))]
    assert await exchange.store.get(gone.name) == encode(document())


async def test_without_its_payload_a_document_waits(exchange: Exchange) -> None:
    """A lost input whose payload is lost too is tried, named with the reason, and mended when the payload is back."""
    await handle(exchange.handlers[Step.INGEST], exchange.ledger, submitted(document()), mark=False)
    path = exchange.store.path(sha256(encode(document())).hexdigest())
    body = path.read_bytes()
    path.unlink()
    found = {one.kind: one for one in await exchange.mend()}
    assert not found[Kind.INPUT_LOST].repaired
    assert path.name in found[Kind.INPUT_LOST].trouble
    path.write_bytes(body)
    assert [one.repaired for one in await exchange.mend()] == [True]


async def test_the_command_says_what_is_wrong_and_what_to_do(
    exchange: Exchange, own_url: Callable[[str], Awaitable[str]], tmp_path: Path
) -> None:
    """Looking ends with 1 and the remedy in both languages, mending with 0; what was in order stays unsaid."""
    await exchange.submit(document())
    await exchange.work(Step.INGEST)
    await exchange.by_hand("purge", work_queue(Step.SIGNATURE_VERIFY))
    await let_log_in(exchange.ledger_url, {"lienthong_operator": "secret"})
    settings = {
        "LIENTHONG_BROKER_URL": await own_url(OPERATOR_USER),
        "LIENTHONG_LEDGER_URL": str(URL(exchange.ledger_url).with_user("lienthong_operator").with_password("secret")),
        "LIENTHONG_PAYLOAD_FOLDER": str(tmp_path),
    }
    found = await lienthong(settings, "reconcile", "--older-than", "0")
    assert found.returncode == 1
    assert "đã ghi sổ" in found.stdout
    assert "its message stands in no queue" in found.stdout
    assert "run it again with --repair" in found.stdout
    mended = await lienthong(settings, "reconcile", "--older-than", "0", "--repair", "--by", "trực ban")
    assert mended.returncode == 0, mended.stderr
    assert "nothing is left that disagrees" in mended.stdout
    assert [(kind, facts["by"]) for kind, facts in await exchange.history()] == [("InputPutBack", "trực ban")]
    away = await lienthong(settings | {"LIENTHONG_LEDGER_URL": "postgresql://127.0.0.1:1/none"}, "reconcile")
    assert (away.returncode, away.stdout) == (3, "")


async def lienthong(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "lienthong_cli", *arguments],
        env=os.environ | settings,
        capture_output=True,
        check=False,
        text=True,
    )


def _delivery_id(document_id: str) -> str:
    return str(derive("delivery", document_uuid("G22", document_id, 0)))
