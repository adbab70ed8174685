"""signature-verify, router, status-tracker and notifier: what each does with what the one before handed on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from tests.integration.workers.conftest import NOW, document, handed_on, handle, ids, status, submitted

import lienthong_router.handler
from lienthong.document.messages import Delivered, NoticeToSend, Refused, decode_notice
from lienthong.edxml import OtherInfo
from lienthong.errors import Unavailable
from lienthong.ledger.rows import AgencyRow
from lienthong.signature.policy import Policy
from lienthong.topology.names import RETRY_SECONDS
from lienthong_ingest.handler import IngestDocument
from lienthong_notifier.handler import SendNotice
from lienthong_router.handler import RouteDocument
from lienthong_signature_verify.handler import VerifySignature
from lienthong_status_tracker.handler import TrackStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.workers.conftest import ExaminesHere

    from lienthong.bus.messages import Incoming, Outgoing
    from lienthong.ledger.ledger import Ledger
    from lienthong.payload import FolderStore
    from lienthong.topology.plan import Plan
    from lienthong.worker.handler import Outcome


class Exchange:
    """The handlers of all workers on one ledger, and the queues the router declared."""

    def __init__(self, ledger: Ledger, store: FolderStore, examiner: ExaminesHere) -> None:
        self.ledger = ledger
        self.declared: list[str] = []
        self.ingest = IngestDocument(store)
        self.verify = VerifySignature(examiner, Policy(), clock=lambda: NOW)
        self.router = RouteDocument(store, self._declare)
        self.tracker = TrackStatus(store, examiner, Policy())
        self.notifier = SendNotice()

    async def _declare(self, plan: Plan) -> None:
        self.declared += [queue.name for queue in plan.queues]

    async def to_router(self, *messages: Incoming) -> list[Incoming]:
        """Take submissions as far as the router's queue."""
        received = await handle(self.ingest, self.ledger, *messages)
        to_verify = [handed_on(outcome.outputs[0]) for outcome in received]
        verified = await handle(self.verify, self.ledger, *to_verify)
        return [handed_on(outcome.outputs[0]) for outcome in verified]

    async def deliver(self, *messages: Incoming) -> None:
        """Take submissions into their delivery queues."""
        await handle(self.router, self.ledger, *await self.to_router(*messages))

    async def report(self, *messages: Incoming, mark: bool = True) -> list[Outcome]:
        """Report statuses."""
        return await handle(self.tracker, self.ledger, *messages, mark=mark)


@pytest.fixture
def exchange(ledger: Ledger, store: FolderStore, examiner: ExaminesHere) -> Exchange:
    """Provide the handlers."""
    return Exchange(ledger, store, examiner)


def refusal(outputs: Sequence[Outgoing]) -> Refused:
    """Return the one refusal among outputs."""
    (output,) = outputs
    notice = NoticeToSend.model_validate_json(output.body).notice
    assert isinstance(notice, Refused)
    return notice


def reported(code: str, number: int = 1, **more: Any) -> Incoming:
    """Return a status message with an id of its own."""
    message = status(code, **more)
    return submitted(message, message_id=f"{message.sender.organ_id}-{code}-{number}")


async def test_a_document_for_many_is_one_publish(exchange: Exchange, ledger: Ledger) -> None:
    """One publish with every carrier's key; the sender is told who carries for whom, after the delivery."""
    (task,) = await exchange.to_router(submitted(document(to=("H23", "000.00.00.H41", "H23.1"))))
    (outcome,) = await handle(exchange.router, ledger, task)
    (delivery,) = outcome.outputs
    assert (delivery.routing_key, *delivery.bcc) == ("H23", "H41")
    assert exchange.declared == [f"agency.{code}.{what}" for code in ("H23", "H41") for what in ("delivery", "status")]
    (then,) = outcome.then
    notice = NoticeToSend.model_validate_json(then.body).notice
    assert isinstance(notice, Delivered)
    assert {(one.code, one.agency, one.carrier) for one in notice.addressees} == {
        ("H23", "H23", "H23"),
        ("000.00.00.H41", "H41", "H41"),
        ("H23.1", "H23.1", "H23"),
    }


async def test_more_carriers_than_a_frame_holds_are_named_in_parts(
    exchange: Exchange, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every carrier is named once, under one message id."""
    monkeypatch.setattr(lienthong_router.handler, "MOST_CARRIERS", 1)
    (task,) = await exchange.to_router(submitted(document(to=("H23", "H41"))))
    (outcome,) = await handle(exchange.router, ledger, task)
    assert [(output.routing_key, *output.bcc) for output in outcome.outputs] == [("H23",), ("H41",)]
    assert len({output.message_id for output in outcome.outputs}) == 1


async def test_the_payload_is_delivered_unaltered(exchange: Exchange, ledger: Ledger) -> None:
    """The receiver gets the sender's bytes; an urgent document gets AMQP's highest priority."""
    message = submitted(document(other=OtherInfo(priority=1)))
    (task,) = await exchange.to_router(message)
    (outcome,) = await handle(exchange.router, ledger, task)
    assert (outcome.outputs[0].body, outcome.outputs[0].priority) == (message.body, 9)


async def test_the_router_is_told_how_large_a_payload_is(exchange: Exchange) -> None:
    """The task is small whatever the document weighs, so its weight travels with it."""
    message = submitted(document())
    (task,) = await exchange.to_router(message)
    assert task.headers["payload-bytes"] == len(message.body) > len(task.body)


async def test_routing_again_changes_nothing(exchange: Exchange, ledger: Ledger) -> None:
    """A redelivered document is published again with the same id until it is marked, then no more."""
    (task,) = await exchange.to_router(submitted(document()))
    first = await handle(exchange.router, ledger, task, mark=False)
    await ledger.register([AgencyRow("H23", "Hải Dương", stage="suspended")])
    again = await handle(exchange.router, ledger, task)
    assert ids(first) == ids(again)
    assert (await handle(exchange.router, ledger, task))[0].outputs == ()


@pytest.mark.parametrize(
    ("to", "code"),
    [
        (("H23", "H98"), 18),
        (("H23", "G01"), 18),
        (("H23", "H99"), 23),
        (("H23", "000.00.00.H23"), 22),
    ],
)
async def test_one_bad_addressee_refuses_the_document(
    exchange: Exchange, ledger: Ledger, database: str, to: tuple[str, ...], code: int
) -> None:
    """All or nothing: nobody gets it, and the sender learns which addressee it was, with the provincial number."""
    (task,) = await exchange.to_router(submitted(document(to=to)))
    (outcome,) = await handle(exchange.router, ledger, task)
    (problem,) = refusal(outcome.outputs).problems
    assert (problem.path, problem.province_code) == ("MessageHeader/To[2]/OrganId", code)
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select count(*) from delivery") == 0
    await connection.close()
    assert (await handle(exchange.router, ledger, task))[0].outputs == ()


async def test_statuses_reach_the_sender_in_the_reporters_own_bytes(exchange: Exchange) -> None:
    """Each allowed step is published once to the sender's topic, unaltered."""
    await exchange.deliver(submitted(document()))
    for code in ("01", "03", "04", "05", "06"):
        message = reported(code)
        (outcome,) = await exchange.report(message)
        (output,) = outcome.outputs
        assert output.routing_key == f"from.G22.to.H23.{code}"
        assert output.body == message.body


async def test_a_batch_is_walked_in_order(exchange: Exchange) -> None:
    """Statuses of one delivery in one batch apply one after the other."""
    await exchange.deliver(submitted(document()))
    outcomes = await exchange.report(*(reported(code) for code in ("01", "03", "06")))
    assert [outcome.outputs[0].routing_key[-2:] for outcome in outcomes] == ["01", "03", "06"]


async def test_a_step_that_comes_late_is_told_all_the_same(exchange: Exchange, database: str) -> None:
    """Redelivery does not keep order: 01 and 04, reported before 06 and handled after it, reach the sender."""
    await exchange.deliver(submitted(document()))
    at = {code: f"2026-11-22T01:02:{number:02}+00:00" for number, code in enumerate(("01", "03", "04", "06"))}
    letters = {code: replace(reported(code), headers={"submitted-at": at[code]}) for code in at}
    await exchange.report(letters["03"], letters["06"])
    late = await exchange.report(letters["01"], letters["04"])
    assert [outcome.outputs[0].routing_key[-2:] for outcome in late] == ["01", "04"]
    (illegal,) = await exchange.report(replace(reported("04", 2), headers={"submitted-at": "2026-11-22T01:03:00Z"}))
    assert refusal(illegal.outputs).problems[0].code == "M.MessageHeader.StatusCode"
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select state from delivery") == "finished"
    await connection.close()


async def test_a_step_that_is_ahead_is_tried_once_more(exchange: Exchange, database: str) -> None:
    """04 that comes before 03 waits on the ladder for it; when 03 does not come either, it is refused."""
    await exchange.deliver(submitted(document()))
    with pytest.raises(Unavailable, match="before the one before it"):
        await exchange.report(reported("04"))
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select count(*) from status") == 0
    await connection.close()
    (hasty,) = await exchange.report(replace(reported("04", 2), attempts=1))
    assert refusal(hasty.outputs).problems[0].code == "M.MessageHeader.StatusCode"
    await exchange.report(reported("03"))
    (again,) = await exchange.report(replace(reported("04"), attempts=1))
    assert again.outputs[0].routing_key == "from.G22.to.H23.04"


async def test_the_strict_profile_refuses_what_leaves_steps_out(
    exchange: Exchange, ledger: Ledger, store: FolderStore, examiner: ExaminesHere, database: str
) -> None:
    """Real traffic goes from 03 to 06, and the ledger keeps what was left out; strictly 06 waits for 04 and 05."""
    await exchange.deliver(submitted(document()), submitted(document("d2"), message_id="m2"))
    await exchange.report(reported("01"), reported("03"))
    (skipping,) = await exchange.report(reported("06"))
    assert skipping.outputs[0].routing_key == "from.G22.to.H23.06"
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select skipped from status where code = '06'") == ["04", "05"]
    await connection.close()
    strictly = TrackStatus(store, examiner, Policy(), strict=True)
    in_order = [reported(code, 2, document_id="d2") for code in ("01", "03", "04", "05", "06")]
    await handle(strictly, ledger, *in_order[:2])
    with pytest.raises(Unavailable, match="before the one before it"):
        await handle(strictly, ledger, in_order[-1])
    (hasty,) = await handle(strictly, ledger, replace(reported("06", 3, document_id="d2"), attempts=1))
    (problem,) = refusal(hasty.outputs).problems
    assert "report 04, 05 first" in problem.en
    assert "hãy báo 04, 05 trước" in problem.vi
    for one in await handle(strictly, ledger, *in_order[2:]):
        assert one.outputs[0].type == "status"


async def test_a_redelivered_status_is_recalled(exchange: Exchange) -> None:
    """A status is applied once; before its mark it is published again under the same id, after it no more."""
    await exchange.deliver(submitted(document()))
    await exchange.report(reported("01"))
    first = await exchange.report(reported("03"), mark=False)
    again = await exchange.report(reported("03"), reported("03"))
    assert ids(again) == [ids(first)[0]] * 2
    assert (await exchange.report(reported("03")))[0].outputs == ()


async def test_an_illegal_step_is_recorded_answered_and_not_applied(exchange: Exchange, database: str) -> None:
    """The reporter gets a refusal naming step and state, the ledger keeps the attempt, the state stays."""
    await exchange.deliver(submitted(document()))
    await exchange.report(reported("01"))
    hasty = replace(reported("06"), attempts=1)
    (outcome,) = await exchange.report(hasty, mark=False)
    assert refusal(outcome.outputs).problems[0].code == "M.MessageHeader.StatusCode"
    (again,) = await exchange.report(hasty)
    assert again.outputs == outcome.outputs
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select state from delivery") == "arrived"
    assert await connection.fetchval("select count(*) from status where outcome = 'illegal'") == 1
    await connection.close()


async def test_a_repeated_status_is_recorded_silently(exchange: Exchange) -> None:
    """Saying what is already so neither refuses nor tells the sender again."""
    await exchange.deliver(submitted(document()))
    await exchange.report(reported("01"))
    assert (await exchange.report(reported("01", 2)))[0].outputs == ()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (reported("01", document_id="unheard of"), "M.MessageHeader.ResponseFor.DocumentId"),
        (reported("01", owner="H98"), "M.MessageHeader.ResponseFor.DocumentId"),
        (reported("01", reporter="H41"), "Permission"),
        (submitted(status("01"), user="H41"), "Permission"),
        (submitted(document()), "M.routing_key"),
        (submitted(b"<x/>"), "M.edXML"),
    ],
)
async def test_what_is_refused(exchange: Exchange, message: Incoming, code: str) -> None:
    """A wrong status is refused to whoever sent it, and its neighbour is applied."""
    await exchange.deliver(submitted(document(), message_id="original"))
    outcome, neighbour = await exchange.report(message, reported("01", 7))
    assert refusal(outcome.outputs).problems[0].code == code
    assert neighbour.outputs[0].routing_key == "from.G22.to.H23.01"


async def test_a_carrier_reports_for_those_it_carries(exchange: Exchange) -> None:
    """The carrier may report in its own name for all it carries, or in the name of one of them."""
    await exchange.deliver(submitted(document(to=("H23.1",))))
    (outcome,) = await exchange.report(reported("01"))
    assert outcome.outputs[0].routing_key == "from.G22.to.H23.1.01"
    (outcome,) = await exchange.report(submitted(status("03", reporter="H23.1"), user="H23", message_id="x"))
    assert outcome.outputs[0].routing_key == "from.G22.to.H23.1.03"


async def test_taking_back(exchange: Exchange) -> None:
    """The sender's 13 reaches the receiver's status queue, the receiver's 15 the sender's, and the delivery ends."""
    await exchange.deliver(submitted(document()))
    (asked,) = await exchange.report(reported("13", reporter="G22", owner="H23"))
    assert asked.outputs[0].routing_key == "from.H23.to.G22.13"
    (agreed,) = await exchange.report(reported("15"))
    assert agreed.outputs[0].routing_key == "from.G22.to.H23.15"
    (late,) = await exchange.report(reported("03"))
    assert refusal(late.outputs).problems[0].code == "M.MessageHeader.StatusCode"


async def test_a_notice_is_sent_once(exchange: Exchange, ledger: Ledger) -> None:
    """A receipt reaches the sender's topic under an id of its own, again until it is marked, then no more."""
    (received,) = await handle(exchange.ingest, ledger, submitted(document()))
    task = handed_on(received.outputs[1])
    first = await handle(exchange.notifier, ledger, task, mark=False)
    again = await handle(exchange.notifier, ledger, task)
    assert ids(first) == ids(again)
    (output,) = first[0].outputs
    assert output.routing_key == "from.G22.to.lienthong.receipt"
    assert decode_notice(output.body).kind == output.type == "receipt"
    assert (await handle(exchange.notifier, ledger, task))[0].outputs == ()


async def test_a_take_back_that_overtakes_its_document_waits_for_it(exchange: Exchange, ledger: Ledger) -> None:
    """As long as the document is on its way the sender's 13 is tried again later, and applied when it is there."""
    task = await exchange.to_router(submitted(document()))
    asked = reported("13", reporter="G22", owner="H23")
    other = reported("13", 2, reporter="G22", owner="H23", document_id="d9")
    with pytest.raises(Unavailable, match="d1 is not routed yet"):
        await exchange.report(asked, other, mark=False)
    (unknown,) = await exchange.report(other)
    assert refusal(unknown.outputs).problems[0].code == "M.MessageHeader.ResponseFor.DocumentId"
    await handle(exchange.router, ledger, *task)
    (late,) = await exchange.report(asked)
    assert late.outputs[0].routing_key == "from.H23.to.G22.13"


async def test_a_status_of_what_nobody_gets_is_refused(exchange: Exchange) -> None:
    """The exchange refused the document, or holds it for longer than the ladder lasts: the reporter is told which."""
    await exchange.to_router(submitted(document()))
    await exchange.deliver(submitted(document("d2", to=("Z99",)), message_id="m2"))
    (stopped,) = await exchange.report(reported("13", reporter="G22", owner="H23", document_id="d2"))
    assert "was refused by the exchange" in refusal(stopped.outputs).problems[0].en
    (held,) = await exchange.report(
        replace(reported("13", 2, reporter="G22", owner="H23"), attempts=len(RETRY_SECONDS))
    )
    assert "is not delivered yet" in refusal(held.outputs).problems[0].en


async def test_a_recorded_status_is_told_when_the_directory_has_moved(exchange: Exchange, ledger: Ledger) -> None:
    """What was applied stays applied and reaches the sender, whatever the directory says by then."""
    await exchange.deliver(submitted(document(to=("H23.1",))))
    message = submitted(status("01", reporter="H23.1"), user="H23", message_id="x")
    first = await exchange.report(message, mark=False)
    await ledger.register([AgencyRow("H23.1", "Sở", stage="suspended")])
    again = await exchange.report(message)
    assert again[0].outputs == first[0].outputs != ()


async def test_what_causes_nothing_does_not_wait_to_be_forwarded(exchange: Exchange, database: str) -> None:
    """Only what is still to leave has no time of forwarding: repeated and illegal statuses and refused routings do."""
    await exchange.deliver(submitted(document()))
    await exchange.report(reported("01"), reported("01", 2), replace(reported("06"), attempts=1))
    await exchange.deliver(submitted(document("d2", to=("H98",)), message_id="m2"))
    connection = await asyncpg.connect(database)
    for table in ("document", "verification", "routing", "status", "refusal"):
        assert await connection.fetchval(f"select count(*) from {table} where forwarded_at is null") == 0, table
    await connection.close()
