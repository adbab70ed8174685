"""Wrong things an agency can do: each gets a clear refusal, nothing of it is delivered, neighbours are unharmed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio

from lienthong.agency import (
    AgencyClient,
    Deadline,
    Delivered,
    DocumentReference,
    Receipt,
    Refused,
    StatusReport,
    Verified,
    Waiting,
)
from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.document.deadlines import Clock, Level
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Document, Organization, OtherInfo, Promulgation, ResponseFor, Status, encode
from lienthong.signature import sign_message
from lienthong.signature.pdf_signing import sign_pdf
from lienthong.simulation.letter import render
from lienthong.simulation.papers import Papers
from lienthong.simulation.traffic import Traffic, plan_letter
from lienthong.simulation.units import Member, Role, Unit
from lienthong.topology.names import QUARANTINE, SUBMISSION, Step, SubmissionKey, submission_key
from lienthong.topology.rights import worker_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.end_to_end.conftest import Running, RunningExchange

    from lienthong.agency import Delivery
    from lienthong.agency.reading import Told
    from lienthong.simulation.credentials import Credentials, Holder
    from lienthong.simulation.supervisor import Supervisor

SECONDS = 30.0
PATIENCE_SECONDS = 5.0
"""A refusal is promised within a second, and takes 0.01 to 0.2 s; machines that run tests are slow at times."""
MEMBERS = tuple(
    Member(Unit(code, f"UBND tỉnh {code}", "province"), role)
    for code, role in (("H01", Role.FULLY), ("H02", Role.FULLY), ("H03", Role.IN_PROGRESS))
)
SENDER, RECEIVER, UNCONNECTED = "H01", "H02", "H03"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Pair:
    """A sender and a receiver on a running exchange."""

    running: Running
    sender: AgencyClient
    receiver: AgencyClient

    async def told_about(self, message_id: str) -> Receipt | Refused:
        """Return the exchange's answer to a submission of the sender; other things told are passed over."""
        async with asyncio.timeout(SECONDS):
            async for told in self.sender.statuses():
                if isinstance(told, (Receipt, Refused)) and told.submission_message_id == message_id:
                    await self.sender.settle()
                    return told
        raise AssertionError("the client was closed")

    async def refusal_of(self, message_id: str) -> Refused:
        """Return the refusal of a submission; the exchange may have said before that it has the document."""
        told = await self.told_about(message_id)
        while isinstance(told, Receipt):
            told = await self.told_about(message_id)
        return told

    async def verified(self, document_id: str) -> Verified:
        """Return what the sender is told was found about a document."""
        async with asyncio.timeout(SECONDS):
            async for told in self.sender.statuses():
                if isinstance(told, Verified) and told.document_id == document_id:
                    await self.sender.settle()
                    return told
        raise AssertionError("the client was closed")

    async def delivered(self) -> Delivery:
        """Return the next delivery to the receiver, handled."""
        async with asyncio.timeout(SECONDS):
            delivery = await anext(self.receiver.deliveries())
            await delivery.done()
            return delivery

    async def still_works(self) -> None:
        """See an ordinary document of the same sender delivered next: whatever went wrong before reached nobody."""
        document = paper()
        submission = await self.sender.send(document)
        assert isinstance(await self.told_about(submission.message_id), Receipt)
        assert (await self.delivered()).document.document_id == document.document_id


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(running_exchange: RunningExchange) -> AsyncIterator[Pair]:
    """Provide two agencies on one exchange for all tests of this module."""
    async with running_exchange(MEMBERS) as running:
        sender, receiver = (
            AgencyClient(
                running.exchange.agency_url(code), signer=running.exchange.credentials.key_files(code).signer()
            )
            for code in (SENDER, RECEIVER)
        )
        async with sender, receiver:
            yield Pair(running, sender, receiver)


def paper(addressee: str = RECEIVER) -> Document:
    """Make a good document with an id of its own."""
    draft = plan_letter(MEMBERS, SENDER, [RECEIVER], seed=1, issued_on=date(2019, 1, 15))
    return replace(
        draft.document(render(draft.letter)), document_id=str(uuid4()), addressees=(Organization(addressee),)
    )


def swapped(document: Document, old: bytes, new: bytes) -> bytes:
    """Return a document's edXML with something in it replaced."""
    body = encode(document)
    assert old in body
    return body.replace(old, new)


def huge() -> bytes:
    """Return 60 MB of text in an otherwise good document."""
    document = replace(paper(), content="@")
    return swapped(document, b">@<", b">" + b"x" * 60_000_000 + b"<")


def same_addressee_twice() -> bytes:
    """Return a document with one addressee in both forms of its code."""
    return encode(replace(paper(), addressees=(Organization(RECEIVER), Organization(f"000.00.00.{RECEIVER}"))))


@dataclass(frozen=True)
class Wrong:
    """A wrong document, and what its refusal must name: a problem's code, and a word of its text."""

    make: Callable[[], bytes]
    code: str | None = None
    word: str = ""


WRONG = {
    "not XML": Wrong(lambda: b"%PDF-1.7 this is no edXML"),
    "wrong namespace": Wrong(
        lambda: swapped(paper(), b"http://www.mic.gov.vn/TBT/QCVN_102_2016", b"http://www.e-doc.vn/Schema/"),
        word="QCVN_102_2016",
    ),
    "missing field": Wrong(
        lambda: swapped(replace(paper(), document_id="@"), b"<edXML:DocumentId>@</edXML:DocumentId>", b""),
        "N.MessageHeader.DocumentId",
    ),
    "unknown addressee": Wrong(lambda: encode(paper("H99")), "M.MessageHeader.To.OrganId", "H99"),
    "addressee without a connection": Wrong(
        lambda: encode(paper(UNCONNECTED)), "M.MessageHeader.To.OrganId", UNCONNECTED
    ),
    "same addressee in both forms": Wrong(same_addressee_twice, "M.MessageHeader.To.OrganId", RECEIVER),
    "From of someone else": Wrong(
        lambda: encode(replace(paper(), sender=Organization(RECEIVER))), "Permission", RECEIVER
    ),
    "From of nobody": Wrong(
        lambda: encode(replace(paper(), sender=Organization("H98"))), "M.MessageHeader.From.OrganId", "H98"
    ),
    "60 MB of text": Wrong(huge),
    "a status as a document": Wrong(
        lambda: encode(Status(Organization(SENDER), ResponseFor(RECEIVER, "d"), "01")), "M.routing_key"
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_document_is_refused_and_delivered_to_nobody(pair: Pair, wrong: str) -> None:
    """The sender is told what is wrong in both languages; the next good document is the next thing delivered."""
    submission = await pair.sender.send(WRONG[wrong].make())
    started = time.monotonic()
    told = await pair.refusal_of(submission.message_id)
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert told.about == "document"
    assert all(problem.vi and problem.en for problem in told.problems)
    codes = {problem.code for problem in told.problems}
    assert WRONG[wrong].code in {None, *codes}
    assert WRONG[wrong].word in " ".join(f"{problem.vi} {problem.path}" for problem in told.problems)
    await pair.still_works()


async def test_an_addressee_named_twice_is_refused(pair: Pair) -> None:
    """The very same OrganId twice in To is refused before anybody gets anything."""
    document = replace(paper(), addressees=(Organization(RECEIVER), Organization("H77")))
    submission = await pair.sender.send(swapped(document, b"H77", RECEIVER.encode()))
    told = await pair.refusal_of(submission.message_id)
    assert {problem.code for problem in told.problems} == {"M.MessageHeader.To.OrganId"}
    await pair.still_works()


async def test_broken_base64_is_refused(pair: Pair) -> None:
    """An attachment that cannot be decoded exactly is named, and nothing of the document is delivered."""
    document = paper()
    body = encode(document)
    position = body.index(b"JVBERi")  # "%PDF-" in base64
    submission = await pair.sender.send(body[:position] + b"!" + body[position + 1 :])
    told = await pair.refusal_of(submission.message_id)
    assert any(problem.code.startswith("T.") for problem in told.problems)
    await pair.still_works()


async def test_a_document_of_tomorrow_is_told_of_once(pair: Pair) -> None:
    """A sender whose date is ahead hears it once of each document, though the notifier is killed again and again."""
    ahead = Promulgation("Hà Nội", datetime.now(UTC).date() + timedelta(days=30))
    documents = [replace(paper(), promulgation=ahead) for _ in range(4)]
    left = {document.document_id for document in documents}
    heard: list[Deadline] = []
    for document in documents:
        await pair.sender.send(document)
        await pair.delivered()
        await _kill(pair.running.supervisor, Step.NOTIFIER)
    async with asyncio.timeout(4 * SECONDS):
        async for told in pair.sender.statuses():
            if isinstance(told, Deadline):
                heard.append(told)
                left.discard(told.document_id)
            if not left:
                await pair.sender.settle()
                break
    assert {(one.agency, one.clock, one.level) for one in heard} == {(SENDER, Clock.SENDING, Level.AHEAD)}
    assert len(heard) == len(documents)
    await pair.still_works()


async def test_the_same_id_with_other_content_is_refused(pair: Pair) -> None:
    """A DocumentId stands for one content: the first stays delivered, the second is told so."""
    document = paper()
    first = await pair.sender.send(document)
    assert isinstance(await pair.told_about(first.message_id), Receipt)
    assert (await pair.delivered()).document == document
    second = await pair.sender.send(replace(document, subject="Nội dung khác"))
    told = await pair.refusal_of(second.message_id)
    assert {problem.code for problem in told.problems} == {"ExistDoc"}
    assert told.document_id == document.document_id
    await pair.still_works()


async def test_the_same_document_again_gets_its_receipt_again(pair: Pair) -> None:
    """Sending the same content under another message id is answered, and delivers nothing twice."""
    document = paper()
    first = await pair.sender.send(document)
    receipt = await pair.told_about(first.message_id)
    assert (await pair.delivered()).document == document
    again = await pair.sender.send(document, message_id=str(uuid4()))
    repeated = await pair.told_about(again.message_id)
    assert isinstance(receipt, Receipt)
    assert isinstance(repeated, Receipt)
    assert repeated.repeated
    assert repeated.document == receipt.document
    await pair.still_works()


async def test_a_status_for_a_document_it_never_got_is_refused(pair: Pair) -> None:
    """Nobody reports on a document that was not delivered to it, whether the document exists or not."""
    document = paper()
    submission = await pair.sender.send(document)
    assert isinstance(await pair.told_about(submission.message_id), Receipt)
    await pair.delivered()
    for about in (DocumentReference(RECEIVER, "no such document"), DocumentReference(SENDER, document.document_id)):
        report = await pair.sender.report_status(about, "03")
        told = await pair.refusal_of(report.message_id)
        assert told.about == "status"
        assert told.document_id == about.document_id
    await pair.still_works()


async def test_a_step_that_is_not_allowed_is_answered_and_not_applied(pair: Pair) -> None:
    """After 06 there is no 04: the reporter is told so, and the sender hears nothing of it."""
    document = paper()
    await pair.sender.send(document)
    delivery = await pair.delivered()
    for code in ("03", "06"):
        await pair.receiver.report_status(delivery, code)
    illegal = await pair.receiver.report_status(delivery, "04")
    async with asyncio.timeout(SECONDS):
        told = await anext(pair.receiver.statuses())
        await pair.receiver.settle()
    assert isinstance(told, Refused)
    assert (told.about, told.submission_message_id) == ("status", illegal.message_id)
    assert {problem.code for problem in told.problems} == {"M.MessageHeader.StatusCode"}
    heard = await _heard_until(pair, document.document_id, "06")
    assert heard == ["receipt", "verified", "delivered", "01", "03", "06"]
    await pair.still_works()


async def changed_message(credentials: Credentials) -> bytes:
    """Return a message in which a word was changed after it was signed."""
    message = sign(encode(replace(paper(), subject="Duyet chi 100 trieu")), credentials)
    assert b"100 trieu" in message
    return message.replace(b"100 trieu", b"900 trieu")


async def changed_pdf(credentials: Credentials) -> bytes:
    """Return a well-signed message with a PDF that was changed after it was signed."""
    document = paper()
    (attachment,) = document.attachments
    pdf = await sign_pdf(
        attachment.content, credentials.key_files(SENDER, "person").signer(), signing_time=datetime.now(UTC)
    )
    changed = pdf.replace(b"/Producer", b"/Producrr", 1)
    assert changed != pdf
    return sign(encode(replace(document, attachments=(replace(attachment, content=changed),))), credentials)


async def revoked_certificate(credentials: Credentials) -> bytes:
    """Return a message signed with a certificate that the authority has revoked."""
    return sign(encode(paper()), credentials, holder="revoked")


async def certificate_of_another_agency(credentials: Credentials) -> bytes:
    """Return a message of one agency with the signature of the other."""
    return sign(encode(paper()), credentials, code=RECEIVER)


def sign(message: bytes, credentials: Credentials, *, code: str = SENDER, holder: Holder = "agency") -> bytes:
    """Sign a message with one of the keys of an agency."""
    return sign_message(message, credentials.key_files(code, holder).signer(), signing_time=datetime.now(UTC))


@pytest.mark.parametrize("make", [changed_message, changed_pdf, revoked_certificate, certificate_of_another_agency])
async def test_a_bad_signature_is_refused_and_delivered_to_nobody(
    pair: Pair, make: Callable[[Credentials], Awaitable[bytes]]
) -> None:
    """Unlike an unsigned document, one whose signature is broken or not believed reaches nobody, and says why."""
    submission = await pair.sender.send(await make(pair.running.exchange.credentials))
    told = await pair.refusal_of(submission.message_id)
    assert told.about == "document"
    assert {problem.code for problem in told.problems} == {"CheckSignature"}
    assert all(problem.vi and problem.en for problem in told.problems)
    await pair.still_works()


def status_of(document: Document) -> bytes:
    """Return the receiver's word that it accepted a document, unsigned."""
    return encode(Status(Organization(RECEIVER), ResponseFor(SENDER, document.document_id), "03"))


def changed_status(document: Document, credentials: Credentials) -> bytes:
    """Return a status that says something else than was signed."""
    message = sign(status_of(document), credentials, code=RECEIVER)
    assert b">03<" in message
    return message.replace(b">03<", b">02<")


def status_by_another_agency(document: Document, credentials: Credentials) -> bytes:
    """Return the receiver's status with the signature of the document's sender."""
    return sign(status_of(document), credentials, code=SENDER)


def status_by_a_revoked_certificate(document: Document, credentials: Credentials) -> bytes:
    """Return a status signed with a certificate that the authority has revoked."""
    return sign(status_of(document), credentials, code=RECEIVER, holder="revoked")


@pytest.mark.parametrize("make", [changed_status, status_by_another_agency, status_by_a_revoked_certificate])
async def test_a_status_with_a_bad_signature_is_refused_and_told_to_nobody(
    pair: Pair, make: Callable[[Document, Credentials], bytes]
) -> None:
    """Its reporter is told why and nothing of it is applied: the same step, well signed, is the first one heard."""
    document = paper()
    await pair.sender.send(document)
    delivery = await pair.delivered()
    body, message_id = make(document, pair.running.exchange.credentials), str(uuid4())
    async with Bus(pair.running.exchange.agency_url(RECEIVER), name="forger") as forger:
        message = Outgoing(
            *(SUBMISSION, submission_key(RECEIVER, SubmissionKey.STATUS), message_id, body),
            content_type="application/edxml+xml",
            user_id=RECEIVER,
        )
        assert await forger.publish_many([message]) == [None]
    async with asyncio.timeout(SECONDS):
        told = await anext(pair.receiver.statuses())
        await pair.receiver.settle()
    assert isinstance(told, Refused)
    assert (told.about, told.submission_message_id) == ("status", message_id)
    assert {problem.code for problem in told.problems} == {"CheckSignature"}
    assert all(problem.vi and problem.en for problem in told.problems)
    await pair.receiver.report_status(delivery, "03")
    verdicts = {}
    async with asyncio.timeout(SECONDS):
        async for heard in pair.sender.statuses():
            if isinstance(heard, StatusReport) and heard.document_id == document.document_id:
                verdicts[heard.code] = heard.verdict
            if {"01", "03"} <= verdicts.keys():
                await pair.sender.settle()
                break
    assert verdicts == {"01": Verdict.VALID, "03": Verdict.VALID}
    await pair.still_works()


async def test_receiver_and_sender_are_told_what_a_document_is_worth(pair: Pair) -> None:
    """A letter signed by person and agency has the value of paper, and both sides are told so in both languages."""
    draft = replace(plan_letter(MEMBERS, SENDER, [RECEIVER], seed=2, issued_on=date(2019, 1, 15)), written={})
    with Papers(Traffic(MEMBERS, (draft,)), pair.running.exchange.credentials) as papers:
        await pair.sender.send(await papers.document(draft))
    delivery = await pair.delivered()
    assert (delivery.verdict, delivery.value) == (Verdict.VALID, Value.PAPER)
    told = await pair.verified(draft.document_id)
    assert told.found.value is Value.PAPER
    assert (told.found.vi, told.found.en) == (delivery.found_vi, delivery.found_en)
    assert [signature.kind for signature in told.signatures] == ["message", "pdf", "pdf"]
    assert {signature.verdict for signature in told.signatures} == {Verdict.VALID}


async def test_an_urgent_document_is_delivered_as_such(pair: Pair) -> None:
    """A document marked khẩn arrives marked so, by the lane of its own."""
    document = replace(paper(), other=OtherInfo(priority=2))
    await pair.sender.send(document)
    delivery = await pair.delivered()
    assert delivery.urgent
    assert delivery.document == document


async def test_a_message_without_user_id_is_quarantined(pair: Pair) -> None:
    """Nobody can be answered for it: it is put aside for the operator, and delivered to nobody."""
    body = encode(paper())
    url = pair.running.exchange.agency_url(SENDER)
    async with Bus(url, name="anonymous") as anonymous, Bus(pair.running.admin_url, name="operator") as operator:
        key = submission_key(SENDER, SubmissionKey.DOCUMENT)
        message = Outgoing(SUBMISSION, key, str(uuid4()), body, content_type="application/edxml+xml")
        assert await anonymous.publish_many([message]) == [None]
        await operator.consume([QUARANTINE], prefetch=10)
        (quarantined,) = await operator.take(10, timeout=SECONDS)
        await operator.ack_through(quarantined.queue, quarantined.tag)
    assert quarantined.body == body
    assert quarantined.headers["reason"]
    assert quarantined.user_id in (None, worker_user(Step.INGEST))
    await pair.still_works()


async def _kill(workers: Supervisor, step: Step) -> None:
    """Kill a worker's process, and wait for the next one to be ready."""
    restarts = workers.restarts[step]
    os.kill(workers.pid(step), signal.SIGKILL)
    async with asyncio.timeout(2 * SECONDS):
        while workers.restarts[step] == restarts:  # noqa: ASYNC110 - another process; there is nothing to wait on
            await asyncio.sleep(0.05)
    await workers.ready()


async def _heard_until(pair: Pair, document_id: str, last: str) -> list[str]:
    """Return what the sender is told about a document, in order of the life cycle, up to a status."""
    heard: list[str] = []
    async with asyncio.timeout(SECONDS):
        async for told in pair.sender.statuses():
            if told.document_id == document_id:
                heard.append(_name(told))
            if {"receipt", "verified", "delivered", last} <= set(heard):
                await pair.sender.settle()
                break
    return sorted(heard, key=["receipt", "verified", "delivered", "01", "03", "04", "06"].index)


def _name(told: Told) -> str:
    match told:
        case StatusReport():
            return told.code
        case Receipt() | Waiting() | Delivered() | Verified() | Deadline():
            return told.kind
        case Refused():
            return "refusal"
