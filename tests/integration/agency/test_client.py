"""The agency's kit on a real broker, the exchange's side played by the test."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from yarl import URL

from lienthong.agency import AgencyClient, DocumentReference, Receipt, Refused, StatusReport
from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.document.messages import Lane, ProblemModel
from lienthong.document.verdicts import Verdict
from lienthong.edxml import (
    Business,
    BusinessType,
    Document,
    DocumentCode,
    Organization,
    OtherInfo,
    Promulgation,
    ResponseFor,
    Status,
    decode,
    encode,
)
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.topology.names import (
    DELIVERY,
    STATUS,
    Header,
    Step,
    SubmissionKey,
    delivery_queue,
    status_key,
    status_queue,
    submission_key,
    work_queue,
)
from lienthong.topology.plan import Plan, agency_plan, lanes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Stage

    from lienthong.agency import Delivery

AGENCY = "G22"
SENDER = "H23"
SECONDS = 15.0


def paper(document_id: str = "d1", *, priority: int = 0, business: BusinessType = BusinessType.NEW) -> Document:
    """Make a small document for the agency."""
    return Document(
        sender=Organization(SENDER),
        addressees=(Organization(AGENCY),),
        document_id=document_id,
        code=DocumentCode("7816", "UBND-VP"),
        promulgation=Promulgation("Hải Dương", date(2019, 1, 15)),
        subject="V/v kiểm thử",
        other=OtherInfo(priority=priority),
        business=Business(type=business),
    )


async def one(client: AgencyClient) -> Delivery:
    """Return the next delivery, without saying that it is in safe hands."""
    async with asyncio.timeout(SECONDS):
        return await anext(client.deliveries())


async def test_a_submission_is_what_the_wire_contract_says(stage: Stage) -> None:
    """Persistent bytes unaltered, under the agency's own user, with id, digest and time, in the right lane."""
    body = encode(paper())
    async with AgencyClient(stage.url, signer=None) as client:
        ordinary = await client.send(body)
        urgent = await client.send(paper("d2", priority=2))
    taken = {message.message_id: message for message in await stage.submitted(Step.INGEST, 2)}
    first, second = taken[ordinary.message_id], taken[urgent.message_id]
    assert first.body == body
    assert (first.user_id, first.content_type, first.routing_key) == (
        AGENCY,
        "application/edxml+xml",
        submission_key(AGENCY, SubmissionKey.DOCUMENT),
    )
    assert first.headers[Header.SHA256] == sha256(body).hexdigest() == ordinary.sha256
    said = datetime.fromisoformat(str(first.headers[Header.SUBMITTED_AT]))
    assert abs((datetime.now(UTC) - said).total_seconds()) < 60
    assert (second.routing_key, second.queue) == (
        submission_key(AGENCY, SubmissionKey.DOCUMENT_URGENT),
        work_queue(Step.INGEST, lanes(Step.INGEST)[0]),
    )
    assert (ordinary.document_id, urgent.document_id) == ("d1", "d2")


async def test_keys_of_the_version_before_are_still_taken(stage: Stage) -> None:
    """A program that publishes without its code in the key reaches the same lanes."""
    async with Bus(stage.url, name="a program of its own") as bus:
        sent = [Outgoing("submission", key, key, b"x", user_id=AGENCY) for key in SubmissionKey]
        assert await bus.publish_many(sent) == [None] * len(sent)
    taken = [*await stage.submitted(Step.INGEST, 2), *await stage.submitted(Step.STATUS_TRACKER, 1)]
    assert {message.message_id: message.queue for message in taken} == {
        SubmissionKey.DOCUMENT: work_queue(Step.INGEST),
        SubmissionKey.DOCUMENT_URGENT: work_queue(Step.INGEST, Lane.URGENT),
        SubmissionKey.STATUS: work_queue(Step.STATUS_TRACKER),
    }


async def test_a_test_is_marked_both_ways(stage: Stage) -> None:
    """What is sent as a test says so and is another message; what arrives as one says so, and nothing else does."""
    await stage.deliver(paper("d1"), found={Header.TEST: "1"})
    await stage.deliver(paper("d2"))
    async with AgencyClient(stage.url, signer=None) as client:
        marked, plain = await client.send(b"x", test=True), await client.send(b"x")
        arrived = {}
        for _ in range(2):
            delivery = await one(client)
            arrived[delivery.document.document_id] = delivery.test
            await delivery.done()
    assert arrived == {"d1": True, "d2": False}
    assert marked.message_id != plain.message_id
    sent = {message.message_id: message.headers.get("test") for message in await stage.submitted(Step.INGEST, 2)}
    assert sent == {marked.message_id: 1, plain.message_id: None}


async def test_the_same_call_is_the_same_message(stage: Stage) -> None:
    """A retry after an outage cannot become a second submission, unless the agency asks to be answered again."""
    async with AgencyClient(stage.url, signer=None) as client:
        first = await client.send(paper())
        again = await client.send(paper())
        other = await client.send(paper(), message_id="mine")
    assert first.message_id == again.message_id
    assert other.message_id == "mine"
    assert [message.message_id for message in await stage.submitted(Step.INGEST, 3)] == [
        first.message_id,
        first.message_id,
        "mine",
    ]


async def test_what_was_too_much_is_a_new_message_when_it_is_sent_again(stage: Stage) -> None:
    """After a refusal that names a time the same call is looked at anew; after one that names none it is not."""
    problem = ProblemModel(code="Quota", path="", vi="vượt", en="over", province_code=21, retry_at=datetime.now(UTC))
    async with AgencyClient(stage.url, signer=None) as agency:
        first = [await agency.send(paper(name)) for name in ("d1", "d2")]
        for one, found in zip(first, (problem, problem.model_copy(update={"retry_at": None})), strict=True):
            told = Refused(
                about="document",
                submission_message_id=one.message_id,
                problems=(found,),
                refused_at=datetime.now(UTC),
            )
            key = status_key(AGENCY, "lienthong", "refusal")
            await stage.publish(Outgoing(STATUS, key, f"n {one.message_id}", told.encode(), type="refusal"))
        heard = []
        async for one_told in agency.statuses():
            assert isinstance(one_told, Refused)
            heard.append(one_told.retry_at)
            if len(heard) == len(first):
                break
        await agency.settle()
        again = [await agency.send(paper(name)) for name in ("d1", "d2")]
        assert await agency.send(paper("d1")) == again[0]
    assert heard == [problem.retry_at, None]
    assert again[0].message_id != first[0].message_id
    assert again[1] == first[1]


async def test_what_cannot_be_read_here_is_submitted_all_the_same(stage: Stage) -> None:
    """Judging a message is the exchange's office; the kit does not swallow it."""
    async with AgencyClient(stage.url, signer=None) as client:
        submission = await client.send(b"<not-edxml/>")
    (message,) = await stage.submitted(Step.INGEST, 1)
    assert message.body == b"<not-edxml/>"
    assert submission.document_id is None


async def test_a_handled_document_is_reported_and_acknowledged(stage: Stage) -> None:
    """Coming back to the loop reports 01 to the document's sender and takes the message off the queue."""
    first = await stage.deliver(paper("d1"))
    await stage.deliver(paper("d2", priority=1))
    async with AgencyClient(stage.url, signer=None) as client:
        async with asyncio.timeout(SECONDS):
            async for delivery in client.deliveries():
                if delivery.document.document_id == "d2":
                    assert delivery.urgent
                    break
                assert (delivery.sender, delivery.message_id, delivery.urgent) == (SENDER, first, False)
                assert decode(delivery.body) == delivery.document
        (arrived,) = await stage.submitted(Step.STATUS_TRACKER, 1)
    status = decode(arrived.body)
    assert isinstance(status, Status)
    assert (status.status_code, status.sender.organ_id) == ("01", AGENCY)
    assert status.response_for == ResponseFor(SENDER, "d1", "7816/UBND-VP", date(2019, 1, 15))
    # The loop was left with the second document in hand: it is still there for the next run.
    assert await stage.left(delivery_queue(AGENCY)) == 1


async def test_a_loop_left_early_goes_on_where_it_was(stage: Stage) -> None:
    """Leaving the loop neither loses a document nor says that it is in safe hands; done() does."""
    await stage.deliver(paper("d1"))
    await stage.deliver(paper("d2"))
    async with AgencyClient(stage.url, signer=None) as client:
        async with asyncio.timeout(SECONDS):
            async for delivery in client.deliveries():
                assert delivery.document.document_id == "d1"
                break
            async for again in client.deliveries():
                assert again is delivery
                await again.done()
                await again.done()
                break
            async for following in client.deliveries():
                assert following.document.document_id == "d2"
                await following.done()
                break
        arrived = await stage.submitted(Step.STATUS_TRACKER, 2)
    assert len({message.message_id for message in arrived}) == 2
    assert await stage.left(delivery_queue(AGENCY)) == 0


async def test_a_repeated_delivery_is_handed_out_once(stage: Stage) -> None:
    """The exchange delivers at least once; a repeat is acknowledged and its 01 is the same message as before."""
    await stage.deliver(paper("d1"))
    await stage.deliver(paper("d1"))
    await stage.deliver(paper("d2"))
    seen = []
    async with AgencyClient(stage.url, signer=None) as client:
        async with asyncio.timeout(SECONDS):
            async for delivery in client.deliveries():
                seen.append(delivery.document.document_id)
                if len(seen) == 2:
                    await delivery.done()
                    break
        assert client.duplicates == 1
        arrived = await stage.submitted(Step.STATUS_TRACKER, 3)
    assert seen == ["d1", "d2"]
    assert arrived[0].message_id == arrived[1].message_id
    assert arrived[0].body == arrived[1].body
    assert await stage.left(delivery_queue(AGENCY)) == 0


async def test_a_restarted_agency_does_not_handle_twice(stage: Stage, tmp_path: Path) -> None:
    """With a state file, what was handled is known after a restart, even if it had not been acknowledged."""
    state = tmp_path / "seen.sqlite"
    await stage.deliver(paper("d1"))
    async with AgencyClient(stage.url, signer=None, state=state) as client:
        await (await one(client)).done()
    await stage.deliver(paper("d1"))
    await stage.deliver(paper("d2"))
    async with AgencyClient(stage.url, signer=None, state=state) as client:
        delivery = await one(client)
        assert delivery.document.document_id == "d2"
        assert client.duplicates == 1
    first, again = await stage.submitted(Step.STATUS_TRACKER, 2)
    assert (first.message_id, first.body) == (again.message_id, again.body)


@pytest.mark.parametrize(("report_arrival", "business"), [(False, BusinessType.NEW), (True, BusinessType.WITHDRAW)])
async def test_arrival_is_not_always_reported(stage: Stage, report_arrival: bool, business: BusinessType) -> None:
    """A withdrawal is answered with 15 or 16, and an agency may keep 01 to itself."""
    await stage.deliver(paper("d1", business=business))
    async with AgencyClient(stage.url, signer=None, report_arrival=report_arrival) as client:
        delivery = await one(client)
        await client.report_status(delivery, "15", description="Đồng ý")
    (only,) = await stage.submitted(Step.STATUS_TRACKER, 1)
    status = decode(only.body)
    assert isinstance(status, Status)
    assert (status.status_code, status.description) == ("15", "Đồng ý")
    assert await stage.left(delivery_queue(AGENCY)) == 0


async def test_reporting_on_a_delivery_reports_its_arrival_first(stage: Stage) -> None:
    """The life cycle does not lead from 03 back to 01, so 01 goes before whatever the agency reports."""
    await stage.deliver(paper("d1"))
    async with AgencyClient(stage.url, signer=None) as client:
        delivery = await one(client)
        await client.report_status(delivery, "03")
        reference = DocumentReference(SENDER, "d1", "7816/UBND-VP", date(2019, 1, 15))
        assert delivery.reference == reference
        await client.report_status(reference, "04")
    codes = [decode(message.body) for message in await stage.submitted(Step.STATUS_TRACKER, 3)]
    assert [status.status_code for status in codes if isinstance(status, Status)] == ["01", "03", "04"]


async def test_many_sends_and_reports_at_once(stage: Stage) -> None:
    """An agency may use its connection from several tasks."""
    about = DocumentReference(SENDER, "d1")
    async with AgencyClient(stage.url, signer=None) as client:
        await asyncio.gather(
            *(client.send(paper(f"d{number}")) for number in range(30)),
            *(client.report_status(about, "06", description=str(number)) for number in range(30)),
        )
    assert len({message.message_id for message in await stage.submitted(Step.INGEST, 30)}) == 30
    assert len({message.message_id for message in await stage.submitted(Step.STATUS_TRACKER, 30)}) == 30


@pytest.mark.parametrize("damage", ["not a document", "a status", "other bytes"])
async def test_an_unreadable_delivery_is_refused_and_kept(stage: Stage, tmp_path: Path, damage: str) -> None:
    """It neither blocks the queue nor vanishes: the sender is told (02), the bytes are kept, the next one comes."""
    status = encode(Status(Organization(SENDER), ResponseFor(AGENCY, "d1"), "03"))
    body = {"not a document": b"<broken", "a status": status, "other bytes": encode(paper("unreadable"))}[damage]
    headers: dict[str, str | int] = {
        Header.DOCUMENT: str(uuid4()),
        Header.DOCUMENT_ID: "unreadable",
        Header.SENDER: SENDER,
        Header.SHA256: sha256(b"" if damage == "other bytes" else body).hexdigest(),
    }
    await stage.deliver(body, headers=headers)
    await stage.deliver(paper("d2"))
    state = tmp_path / "seen.sqlite"
    async with AgencyClient(stage.url, signer=None, state=state) as client:
        assert (await one(client)).document.document_id == "d2"
    (refusal,) = await stage.submitted(Step.STATUS_TRACKER, 1)
    told = decode(refusal.body)
    assert isinstance(told, Status)
    assert (told.status_code, told.response_for.document_id, told.response_for.organ_id) == ("02", "unreadable", SENDER)
    assert told.description
    connection = sqlite3.connect(state)
    assert [row[0] for row in connection.execute("select body from unreadable")] == [body]
    connection.close()


async def test_a_stranger_in_the_queue_does_not_block_it(stage: Stage, tmp_path: Path) -> None:
    """A message without what the exchange adds has nobody to answer: it is kept, and the next one comes."""
    await stage.deliver(paper("d1"), headers={}, message_id="stranger")
    await stage.deliver(paper("d2"))
    state = tmp_path / "seen.sqlite"
    async with AgencyClient(stage.url, signer=None, state=state) as client:
        assert (await one(client)).document.document_id == "d2"
    connection = sqlite3.connect(state)
    assert connection.execute("select count(*) from unreadable").fetchone() == (1,)
    connection.close()
    assert await stage.left(work_queue(Step.STATUS_TRACKER)) == 0


async def test_statuses_come_typed_and_once(stage: Stage) -> None:
    """Notices of the exchange and reports of receivers come as values; repeats and unknown notices are dropped."""
    receipt = Receipt(
        submission_message_id="m", document=uuid4(), document_id="d1", sha256="0" * 64, received_at=datetime.now(UTC)
    )
    notice = Outgoing(STATUS, status_key(AGENCY, "lienthong", "receipt"), "n1", receipt.encode(), type="receipt")
    body = encode(Status(Organization(SENDER), ResponseFor(AGENCY, "d1"), "03", description="Đã vào sổ"))
    document = uuid4()
    report = Outgoing(
        STATUS,
        status_key(AGENCY, SENDER, "03"),
        "s1",
        body,
        content_type="application/edxml+xml",
        type="status",
        headers={
            Header.DOCUMENT: str(document),
            Header.DOCUMENT_ID: "d1",
            Header.SENDER: SENDER,
            Header.RECEIVER: SENDER,
            Header.STATUS_CODE: "03",
            Header.VERDICT: "indeterminate",
            Header.FOUND_VI: "chưa rõ",
            Header.FOUND_EN: "not known",
        },
    )
    unknown = replace(notice, message_id="n2", body=b'{"kind": "of the future"}')
    for message in (notice, unknown, notice, report, report):
        await stage.publish(message)
    told = []
    async with AgencyClient(stage.url, signer=None) as client, asyncio.timeout(SECONDS):
        async for item in client.statuses():
            told.append(item)
            if len(told) == 2:
                await client.settle()
                break
        # The repeat of the last one is still to be dropped by whoever reads on.
        assert client.duplicates == 1
    first, second = told
    assert first == receipt
    assert isinstance(second, StatusReport)
    assert (second.code, second.reporter, second.document_uuid, second.document_id) == ("03", SENDER, document, "d1")
    assert (second.verdict, second.found_vi, second.found_en) == (Verdict.INDETERMINATE, "chưa rõ", "not known")
    assert second.body == body
    assert second.status.description == "Đã vào sổ"
    assert await stage.left(status_queue(AGENCY)) == 1


async def test_a_cut_connection_is_taken_up_again(stage: Stage) -> None:
    """Reading, reporting and sending go on after the broker closed every connection of the agency."""
    async with AgencyClient(stage.url, signer=None) as client:
        await stage.deliver(paper("d1"))
        delivery = await one(client)
        await stage.admin.close_user_connections(AGENCY)
        await stage.deliver(paper("d2"))
        async with asyncio.timeout(60):
            await delivery.done()
            async for following in client.deliveries():
                assert following.document.document_id == "d2"
                await following.done()
                break
            await client.send(paper("d3"))
    codes = {message.message_id for message in await stage.submitted(Step.STATUS_TRACKER, 2)}
    assert len(codes) == 2
    assert len(await stage.submitted(Step.INGEST, 1)) == 1


async def test_leaving_ends_the_loops(stage: Stage) -> None:
    """Closing the client ends loops that wait in other tasks, without an error and without acknowledging."""
    seen: list[str] = []

    async def read(client: AgencyClient) -> None:
        seen.extend([delivery.document.document_id async for delivery in client.deliveries()])

    async def hear(client: AgencyClient) -> None:
        async for told in client.statuses():
            raise AssertionError(told)

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks, AgencyClient(stage.url, signer=None) as client:
        loops = [tasks.create_task(read(client)), tasks.create_task(hear(client))]
        await stage.deliver(paper("d1"))
        await stage.submitted(Step.STATUS_TRACKER, 1)
        assert not any(loop.done() for loop in loops)
    assert seen == ["d1"]


async def test_an_outage_ends_in_unavailable(vhost: str) -> None:
    """When no broker answers the agency learns it in the time it set, by an error that says try again."""
    nowhere = str(URL(vhost).with_port(1).with_user(AGENCY).with_password("secret"))
    with pytest.raises(Unavailable):
        async with asyncio.timeout(SECONDS), AgencyClient(nowhere, signer=None, send_seconds=1):
            raise AssertionError("nobody listens there")


@pytest.mark.parametrize("url", ["amqp://127.0.0.1/lienthong", "amqp://no-code@127.0.0.1/lienthong"])
def test_the_user_name_is_the_agency(url: str) -> None:
    """The wire contract knows an agency by its user name; a client without one is a wrong setting."""
    with pytest.raises(MisconfiguredError, match="agency code"):
        AgencyClient(url, signer=None)


async def test_an_agency_reaches_nothing_but_its_own(stage: Stage) -> None:
    """The broker itself keeps an agency from publishing to queues and from configuring anything."""
    async with Bus(stage.url, name="intruder") as bus:
        (refused,) = await bus.publish_many([Outgoing(DELIVERY, AGENCY, "m1", b"forged")])
        assert refused is not None
        with pytest.raises(MisconfiguredError):
            await bus.declare(Plan(queues=agency_plan("H99").queues))
