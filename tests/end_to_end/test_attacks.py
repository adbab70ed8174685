"""Every attack there is, handed in by a registered agency: each is refused, every good document beside it delivered."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import pytest_asyncio
import tests.unit.signature_pdf.bombs
import tests.unit.signature_pdf.fields  # noqa: F401 - fills the corpus
from tests.unit.signature_pdf.attacks import CASES
from tests.unit.signature_pdf.files import letter

from lienthong.agency import AgencyClient, Receipt, Refused
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Attachment, Document, Organization, encode
from lienthong.ledger.reports import Reports
from lienthong.signature import sign_message
from lienthong.signature.pdf_signing import sign_pdf
from lienthong.simulation.units import Member, Role, Unit
from lienthong.testing.attacks import attacks
from lienthong.testing.message_forge import AGENCY, document_called
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from tests.end_to_end.conftest import Running, RunningExchange

    from lienthong.agency import Delivery
    from lienthong.ledger.rows import VerificationRow
    from lienthong.signature import FileSigner

RECEIVER = "000.00.02.H02"
AT_ONCE = 24
GOOD_EVERY = 4
SECONDS = 30.0
"""How long the slowest of a batch may take; each may take 5 s of processor time, most take none to speak of."""
MEGABYTES = 1500
"""What a worker and everything below it may take at any moment: two messages are examined at once, one of 60 MB."""

FORM = ("T.", "R.", "N.", "M.")
"""How ingest's problems with the form of a message begin."""
NOT_EVEN_READ = {
    "M.Reference.ContentId",
    "M.MessageHeader.From.OrganId",
    "T.MessageHeader.From.OrganId",
    "T.MessageHeader.To.OrganId",
    "N.MessageHeader.To.OrganId",
}
"""What ingest says of a message of good form that names nobody, or lacks a file, because of what was changed in it."""
NO_PDFS = {"no PDF at all": "R.Attachment-Encoding", "empty": "M.Attachment-Type"}
"""Files of the corpus that are something else by their content, and are refused for what they are."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Bad:
    """An attack: what it is called, the code of the reason it has to be refused for, and the message."""

    name: str
    code: str
    message: bytes


@dataclass
class Ground:
    """An exchange, an agency that attacks it, and one that must get nothing of that."""

    running: Running
    attacker: AgencyClient
    receiver: AgencyClient
    reports: Reports
    refused: dict[str, tuple[float, Refused]] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    delivered: dict[str, tuple[float, Delivery]] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    peak: dict[Step, int] = field(default_factory=dict)
    good: set[str] = field(default_factory=set)

    @property
    def signer(self) -> FileSigner:
        """The attacker's own key, which is good."""
        return self.running.exchange.credentials.key_files(AGENCY).signer()

    async def hear(self) -> None:
        """Listen for the attacker."""
        async for told in self.attacker.statuses():
            if isinstance(told, Refused):
                self.refused[told.submission_message_id] = time.monotonic(), told
            elif isinstance(told, Receipt):
                self.receipts[told.submission_message_id] = told
            await self._notify()

    async def receive(self) -> None:
        """Take what is delivered."""
        async for delivery in self.receiver.deliveries():
            self.delivered[delivery.document.document_id] = time.monotonic(), delivery
            await self._notify()

    async def weigh(self) -> None:
        """Measure the memory of the workers again and again."""
        while True:
            for step in (Step.INGEST, Step.SIGNATURE_VERIFY):
                now = await asyncio.to_thread(resident_megabytes, self.running.supervisor.pid(step))
                self.peak[step] = max(self.peak.get(step, 0), now)
            await asyncio.sleep(0.1)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until enough was heard."""
        async with asyncio.timeout(3 * SECONDS), self.changed:
            await self.changed.wait_for(condition)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def send_good(self, pdf: bytes) -> str:
        """Submit a good document with a signed letter, and return its id."""
        document_id = str(uuid4())
        await self.attacker.send(signed(document_id, self.signer, pdf))
        self.good.add(document_id)
        return document_id

    async def judgement(self, message_id: str) -> VerificationRow | None:
        """Return what the ledger says of a submission; None when it did not get past ingest."""
        if message_id not in self.receipts:
            return None
        return (await self.reports.verifications(self.receipts[message_id].document))[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(running_exchange: RunningExchange) -> AsyncIterator[Ground]:
    """Provide the exchange."""
    members = [Member(Unit(code, f"Cơ quan {code}", "province"), Role.FULLY) for code in (AGENCY, RECEIVER)]
    async with running_exchange(members) as running:
        clients = [AgencyClient(running.exchange.agency_url(member.unit.code), signer=None) for member in members]
        reports = await Reports.connect(running.exchange.ledger_url)
        async with clients[0] as attacker, clients[1] as receiver:
            made = Ground(running, attacker, receiver, reports)
            tasks = [asyncio.create_task(one) for one in (made.hear(), made.receive(), made.weigh())]
            try:
                yield made
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await reports.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def signed_letter(ground: Ground) -> bytes:
    """Provide a letter that the attacker's competent person has signed."""
    person = ground.running.exchange.credentials.key_files(AGENCY, "person").signer()
    return await sign_pdf(letter(), person, signing_time=datetime.now(UTC))


def signed(document_id: str, signer: FileSigner, pdf: bytes) -> bytes:
    """Return a message that is signed rightly, whatever is attached to it."""
    document = Document(
        Organization(AGENCY, "Bộ Thử nghiệm"),
        (Organization(RECEIVER),),
        document_id,
        attachments=(Attachment("1.pdf", pdf),),
    )
    return sign_message(encode(document), signer, signing_time=datetime.now(UTC))


def resident_megabytes(pid: int) -> int:
    """Return the memory of a process and of everything below it; what ended meanwhile counts for nothing."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return pages * 4096 // 1_000_000 + sum(resident_megabytes(int(child)) for child in children)


def on_messages() -> Iterator[Bad]:
    """Yield every attack on a message, each on a document with an id of its own."""
    for position in itertools.count():
        with document_called(f"attack {position}"):
            found = [Bad(one.name, one.code, one.make()) for one in itertools.islice(attacks(), position, position + 1)]
        if not found:
            return
        yield from found


def on_pdfs(signer: FileSigner) -> Iterator[Bad]:
    """Yield every attack on a PDF, in a message that is signed rightly."""
    for number, case in enumerate(CASES):
        if case.verdict is Verdict.INVALID:
            yield Bad(case.name, NO_PDFS.get(case.name, case.code), signed(f"pdf {number}", signer, case.make()))


async def hand_in(ground: Ground, corpus: Iterable[Bad], good_pdf: bytes) -> list[str]:
    """Submit attacks and good documents side by side, wait for each answer, and return what went wrong."""
    wrong = []
    rest = iter(corpus)
    while batch := list(itertools.islice(rest, AT_ONCE)):
        begun = time.monotonic()
        good: set[str] = set()
        bad: dict[str, Bad] = {}
        for number, one in enumerate(batch):
            if number % GOOD_EVERY == 0:
                good.add(await ground.send_good(good_pdf))
            bad[(await ground.attacker.send(one.message)).message_id] = one
        await ground.until(lambda: bad.keys() <= ground.refused.keys())  # noqa: B023 - waited for right here
        await ground.until(lambda: good <= ground.delivered.keys())  # noqa: B023 - likewise
        took = time.monotonic() - begun
        if took > SECONDS:
            wrong.append(f"{took:.0f} s: {', '.join(one.name for one in batch)}")
        wrong += [
            f"beside {batch[0].name}: {delivery}"
            for _, delivery in (ground.delivered[one] for one in good)
            if (delivery.verdict, delivery.value) != (Verdict.VALID, Value.PAPER)
        ]
        for message_id, one in bad.items():
            if said := await misjudged(ground, message_id, one):
                wrong.append(f"{one.name}: {said}")
    return wrong


async def misjudged(ground: Ground, message_id: str, bad: Bad) -> str:
    """Return what is wrong with the refusal of an attack: its sender is told the very reason, in both languages."""
    _, refusal = ground.refused[message_id]
    codes = {problem.code for problem in refusal.problems}
    row = await ground.judgement(message_id)
    if not all(problem.vi and problem.en for problem in refusal.problems):
        return f"no words: {refusal}"
    if row is None:
        form = bad.code == "FORMAT_FAILURE" and all(code.startswith(FORM) for code in codes)
        return "" if form or codes <= NOT_EVEN_READ else f"refused by ingest for {codes}"
    if row.verdict != Verdict.INVALID or row.value != Value.REFUSED:
        return f"recorded as {row.verdict} {row.value}"
    why = [reason for reason in row.grounds["reasons"] if reason["code"] == bad.code]
    if not why:
        return f"{bad.code} expected, found {row.grounds['reasons']}"
    if any("within the limits" in reason["en"] for reason in why):
        return "ended the process that examined it"
    told = " ".join(problem.vi + problem.en for problem in refusal.problems)
    if not any(reason["vi"] in told and reason["en"] in told for reason in why):
        return f"told {refusal.problems}, not {why}"
    return ""


async def test_every_attack_on_a_message_is_refused_and_harms_no_other(ground: Ground, signed_letter: bytes) -> None:
    """Its sender is told the reason within seconds; each good document of the same batch is delivered as paper."""
    assert await hand_in(ground, on_messages(), signed_letter) == []


async def test_every_attack_in_a_pdf_is_refused_and_harms_no_other(ground: Ground, signed_letter: bytes) -> None:
    """Likewise when the message is signed rightly and a file in it is not what it seems."""
    assert await hand_in(ground, on_pdfs(ground.signer), signed_letter) == []


async def test_nothing_of_it_was_delivered_and_no_worker_died(ground: Ground) -> None:
    """After all of them: receivers have good documents only, every worker is the first, none took too much memory."""
    assert len(ground.refused) > 400
    assert ground.delivered.keys() == ground.good
    assert all(delivery.value is Value.PAPER for _, delivery in ground.delivered.values())
    assert set(ground.running.supervisor.restarts.values()) == {0}
    assert max(ground.peak.values()) < MEGABYTES
