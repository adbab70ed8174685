"""What the agency's kit signs, and what it is told about signatures, on a real broker."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lienthong.agency import AgencyClient, Verified
from lienthong.bus.messages import Outgoing
from lienthong.document.messages import Found, FoundSignature
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Document, Organization, OtherInfo, Status, decode, encode
from lienthong.errors import Refusal, Unavailable
from lienthong.signature import FileSigner, examine_message, sign_message
from lienthong.signature.pkcs11 import Pkcs11Signer
from lienthong.topology.names import STATUS, Header, Step, SubmissionKey, delivery_queue, status_key, submission_key
from lienthong.trust import DevelopmentAuthority, TrustStore, Usage, judge

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from tests.conftest import Token
    from tests.integration.conftest import Stage

    from lienthong.agency import Delivery
    from lienthong.signature import SignatureMethod

AGENCY, SENDER = "G22", "H23"
SECONDS = 15.0
PAPER = Document(Organization(AGENCY), (Organization(SENDER),), "sent-1")
LETTER = Document(Organization(SENDER), (Organization(AGENCY),), "got-1")

SEND_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from lienthong.agency import AgencyClient
from lienthong.signature import FileSigner

async def main(url, key, state, document):
    signer = FileSigner.load(Path(f"{key}.key"), Path(f"{key}.pem"))
    async with AgencyClient(url, signer=signer, state=Path(state)) as agency:
        await agency.send(Path(document).read_bytes())
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""
"""An agency whose machine fails right after the broker has its document."""


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide an authority that has issued the agency's certificate."""
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    authority.issue(AGENCY, "Bộ Thử nghiệm")
    return authority


@pytest.fixture
def signer(authority: DevelopmentAuthority) -> FileSigner:
    """Provide the agency's key."""
    credential = authority.credential(AGENCY)
    return FileSigner(credential.key, (credential.certificate,))


@dataclass
class Absent:
    """A key that is away at first, like a token that somebody has pulled out."""

    key: FileSigner
    back: threading.Event = field(default_factory=threading.Event)
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def certificate_chain(self) -> tuple[x509.Certificate, ...]:
        """Return the certificates."""
        return self.key.certificate_chain

    @property
    def method(self) -> SignatureMethod:
        """Return how it signs."""
        return self.key.method

    def sign(self, data: bytes) -> bytes:
        """Sign, when the key is there."""
        self.asked.release()
        if not self.back.is_set():
            raise Unavailable("the token does not answer")
        return self.key.sign(data)


async def one(client: AgencyClient) -> Delivery:
    """Return the next delivery, without saying that it is in safe hands."""
    async with asyncio.timeout(SECONDS):
        return await anext(client.deliveries())


async def test_everything_an_agency_sends_is_signed(
    stage: Stage, authority: DevelopmentAuthority, signer: FileSigner
) -> None:
    """A document, its bytes, an automatic 01 and a status all carry a whole signature of a trusted certificate."""
    await stage.deliver(LETTER)
    async with AgencyClient(stage.url, signer=signer) as client:
        as_value = await client.send(PAPER)
        as_bytes = await client.send(encode(PAPER))
        await client.report_status(await one(client), "03")
        statuses = await stage.submitted(Step.STATUS_TRACKER, 2)
        documents = await stage.submitted(Step.INGEST, 2)
    store, now = TrustStore.load(authority.trust_folder), datetime.now(UTC)
    for message in (*documents, *statuses):
        found = examine_message(message.body)
        assert (found.state, found.agency) == ("intact", AGENCY), found.reason.en
        verdict = judge(found.certificates[0], at=now, now=now, usage=Usage.SIGNATURE, store=store).verdict
        assert verdict is Verdict.VALID
    assert as_value == as_bytes
    assert as_value.sha256 == documents[0].headers[Header.SHA256]
    assert decode(documents[0].body) == PAPER
    reported = [decode(message.body) for message in statuses]
    assert [status.status_code for status in reported if isinstance(status, Status)] == ["01", "03"]


async def test_what_is_signed_already_goes_as_it_is(stage: Stage, signer: FileSigner) -> None:
    """A document another program signed, and bytes nobody can read, reach the exchange unaltered, in their lane."""
    urgent = Document(Organization(AGENCY), (Organization(SENDER),), "sent-2", other=OtherInfo(priority=2))
    ready = sign_message(encode(urgent), signer, signing_time=datetime.now(UTC))
    async with AgencyClient(stage.url, signer=signer) as client:
        await client.send(ready)
        (first,) = await stage.submitted(Step.INGEST, 1)
        await client.send(b"<not-edxml/>")
        (second,) = await stage.submitted(Step.INGEST, 1)
    assert (first.body, first.routing_key) == (ready, submission_key(AGENCY, SubmissionKey.DOCUMENT_URGENT))
    assert second.body == b"<not-edxml/>"


async def test_what_cannot_be_signed_is_not_sent(stage: Stage, signer: FileSigner) -> None:
    """An agency that signs never sends something unsigned because it is written strangely; written anew it goes."""
    legacy = encode(PAPER).replace(b"</edXML:edXMLHeader>", b"<edXML:Signature/></edXML:edXMLHeader>")
    read = decode(legacy)
    assert isinstance(read, Document)
    async with AgencyClient(stage.url, signer=signer) as client:
        with pytest.raises(Refusal, match="CheckSignature"):
            await client.send(legacy)
        sent = await client.send(read)
    (only,) = await stage.submitted(Step.INGEST, 1)
    assert only.message_id == sent.message_id
    assert examine_message(only.body).state == "intact"


async def test_unsigned_on_purpose_is_another_message(stage: Stage, signer: FileSigner) -> None:
    """An agency that begins to sign does not seem to reuse the ids of what it sent unsigned."""
    async with AgencyClient(stage.url, signer=None) as client:
        unsigned = await client.send(PAPER)
    async with AgencyClient(stage.url, signer=signer) as client:
        signed = await client.send(PAPER)
    assert unsigned.message_id != signed.message_id
    (first, _) = await stage.submitted(Step.INGEST, 2)
    assert first.body == encode(PAPER)


async def test_an_agency_that_was_killed_sends_the_same_bytes_again(
    stage: Stage, authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    """Whatever it knew in memory is gone; the repeated call is the same message all the same."""
    (tmp_path / "document.edxml").write_bytes(encode(PAPER))
    key, state, document = (str(tmp_path / name) for name in ("key", "state.sqlite", "document.edxml"))
    authority.credential(AGENCY).save(tmp_path / "key")
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SEND_AND_DIE, stage.url, key, state, document
        )
        async with asyncio.timeout(SECONDS):
            assert await process.wait() == -signal.SIGKILL
    first, again = await stage.submitted(Step.INGEST, 2)
    assert examine_message(first.body).state == "intact"
    assert (first.message_id, first.body) == (again.message_id, again.body)


async def test_a_repeated_arrival_is_the_same_signed_message(stage: Stage, signer: FileSigner, tmp_path: Path) -> None:
    """A delivery that comes again after a restart is reported with the bytes of the first time."""
    state = tmp_path / "state.sqlite"
    await stage.deliver(LETTER)
    async with AgencyClient(stage.url, signer=signer, state=state) as client:
        await (await one(client)).done()
    await stage.deliver(LETTER)
    await stage.deliver(replace(LETTER, document_id="got-2"))
    async with AgencyClient(stage.url, signer=signer, state=state) as client:
        assert (await one(client)).document.document_id == "got-2"
    first, again = await stage.submitted(Step.STATUS_TRACKER, 2)
    assert examine_message(first.body).state == "intact"
    assert (first.message_id, first.body) == (again.message_id, again.body)


async def test_a_key_that_is_away_is_waited_for(stage: Stage, signer: FileSigner) -> None:
    """`send` says try again and sends nothing; 01 is insisted on until the key is back, and goes out signed."""
    token = Absent(signer)
    await stage.deliver(LETTER)
    async with AgencyClient(stage.url, signer=token) as client:
        with pytest.raises(Unavailable, match="token"):
            await client.send(PAPER)
        delivery = await one(client)
        done = asyncio.create_task(delivery.done())
        for _ in ("send", "01", "01 again"):
            assert await asyncio.to_thread(token.asked.acquire, timeout=SECONDS)
        assert not done.done()
        token.back.set()
        async with asyncio.timeout(SECONDS):
            await done
        await client.send(PAPER)
    (arrived,) = await stage.submitted(Step.STATUS_TRACKER, 1)
    (sent,) = await stage.submitted(Step.INGEST, 1)
    assert examine_message(arrived.body).state == examine_message(sent.body).state == "intact"
    assert await stage.left(delivery_queue(AGENCY)) == 0


async def test_a_token_signs_for_an_agency(stage: Stage, authority: DevelopmentAuthority, token: Token) -> None:
    """A key that never leaves its token signs whatever the agency sends, from many tasks at once."""
    credential = authority.credential(AGENCY)
    token.put("agency", credential.key)
    papers = [replace(PAPER, document_id=f"sent-{number}") for number in range(10)]
    chain = (credential.certificate,)
    with Pkcs11Signer(token.module, token=token.label, pin=token.pin, key="agency", certificate_chain=chain) as signer:
        async with AgencyClient(stage.url, signer=signer) as client:
            await asyncio.gather(*map(client.send, papers))
            again = await client.send(papers[0])
    messages = await stage.submitted(Step.INGEST, 11)
    assert {examine_message(message.body).state for message in messages} == {"intact"}
    assert [message.message_id for message in messages].count(again.message_id) == 2
    assert len({message.body for message in messages}) == 10


async def test_a_delivery_says_what_the_exchange_found(stage: Stage) -> None:
    """Verdict, value and words come with the document; where the exchange says nothing, or in new words, it is None."""
    said = {Header.VERDICT: "valid", Header.VALUE: "paper", Header.FOUND_VI: "Hợp lệ", Header.FOUND_EN: "Valid"}
    await stage.deliver(LETTER, found=said)
    await stage.deliver(LETTER, message_id="silent")
    await stage.deliver(LETTER, message_id="later", found={Header.VERDICT: "of the future", Header.VALUE: "paper"})
    deliveries = []
    async with AgencyClient(stage.url, signer=None, report_arrival=False) as client, asyncio.timeout(SECONDS):
        async for delivery in client.deliveries():
            deliveries.append(delivery)
            if len(deliveries) == 3:
                break
    first, silent, later = deliveries
    assert (first.verdict, first.value) == (Verdict.VALID, Value.PAPER)
    assert (first.found_vi, first.found_en) == ("Hợp lệ", "Valid")
    assert (silent.verdict, silent.value, silent.found_vi, silent.found_en) == (None, None, None, None)
    assert (later.verdict, later.value) == (None, Value.PAPER)


async def test_a_verdict_is_told_typed(stage: Stage) -> None:
    """What was found about an agency's own document comes among its statuses, signature by signature."""
    verified = Verified(
        document=uuid4(),
        document_id="sent-1",
        found=Found(verdict=Verdict.VALID, value=Value.PAPER, vi="Hợp lệ", en="Valid"),
        signatures=(FoundSignature(kind="message", verdict=Verdict.VALID, agency=AGENCY, vi="", en=""),),
        judged_at=datetime.now(UTC),
    )
    key = status_key(AGENCY, "lienthong", "verified")
    await stage.publish(Outgoing(STATUS, key, "v1", verified.encode(), type="verified"))
    async with AgencyClient(stage.url, signer=None) as client, asyncio.timeout(SECONDS):
        assert await anext(client.statuses()) == verified


def test_a_state_file_of_before_is_taken_over(tmp_path: Path, signer: FileSigner) -> None:
    """An agency that installs a version that signs keeps what its file remembered."""
    path = tmp_path / "state.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("create table handled (key text primary key, handled_at text not null) without rowid")
    connection.commit()
    connection.close()
    AgencyClient("amqp://G22@127.0.0.1/lienthong", signer=signer, state=path)
    connection = sqlite3.connect(path)
    assert connection.execute("select count(*) from signed").fetchone() == (0,)
    connection.close()
