"""One outage of revocation services, played on a running exchange, and what every agency heard of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import asyncpg
import pytest
from tests.end_to_end.revocation_services import FAILURES, KEYS, Authority

from lienthong.agency import AgencyClient, Delivery, Receipt, Refused, Verified
from lienthong.document.verdicts import Verdict
from lienthong.edxml import Document, DocumentType, Organization
from lienthong.ledger.reports import Reports
from lienthong.topology.names import Step
from lienthong.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from tests.end_to_end.conftest import Running
    from tests.end_to_end.revocation_services import Failure, Key

    from lienthong.agency.reading import Told
    from lienthong.ledger.rows import VerificationRow
    from lienthong.signature import FileSigner

AGENCIES: dict[Failure, str] = {failure: f"H{number}" for number, failure in enumerate(FAILURES, 11)}
RECEIVER, HEALTHY, HOPELESS = "H31", "H32", "H33"
HELD, PROVISIONAL, THEN_DELIVERED, THEN_REFUSED = "Công văn", "Công điện", "Thông báo", "Báo cáo"
POLICY = f"""
[kind."{PROVISIONAL}"]
indeterminate = "provisional"
[kind."{THEN_DELIVERED}"]
hold_minutes = 1
[kind."{THEN_REFUSED}"]
hold_minutes = 1
after_hold = "refused"
"""
HELD_OF_IT = """
with held as (
    select v.*, r.outcome, r.forwarded_at as routed_at
    from document d join verification v using (document) left join routing r using (document)
    where d.document_id = $1
)
select judgement, verdict, value, reason, extract(epoch from judged_at - now()) as judged_s,
       extract(epoch from forwarded_at - now()) as forwarded_s, extract(epoch from judge_again_at - now()) as again_s,
       extract(epoch from asked_at - now()) as asked_s, outcome, extract(epoch from routed_at - now()) as routed_s
from held order by judgement
"""
UNDER_WAY_SECONDS = 10.0
"""What a document takes at most, with or without an outage; it takes a fraction of a second."""
BACK_SECONDS = 30.0
"""How soon after the services' return everything is judged again."""
HOLD_SECONDS = 60.0
PATIENCE_SECONDS = 90.0

Heard = TypeVar("Heard")


@dataclass
class Agency:
    """An agency that sends, receives and listens, and remembers when it heard what."""

    client: AgencyClient
    changed: asyncio.Condition
    told: list[tuple[float, Told]] = field(default_factory=list)
    delivered: list[tuple[float, Delivery]] = field(default_factory=list)

    async def listen(self) -> None:
        """Listen for ever."""
        await asyncio.gather(
            self._hear(self.client.statuses(), self.told), self._hear(self.client.deliveries(), self.delivered)
        )

    async def _hear(self, stream: AsyncIterator[Heard], heard: list[tuple[float, Heard]]) -> None:
        async for one in stream:
            heard.append((time.monotonic(), one))
            async with self.changed:
                self.changed.notify_all()

    def judgements(self, document_id: str) -> list[tuple[float, Verified]]:
        """Return what it was told about a document's worth, in order of the judgements."""
        found = [(at, one) for at, one in self.told if isinstance(one, Verified) and one.document_id == document_id]
        return sorted(found, key=lambda item: item[1].judgement)

    def refusals(self, document_id: str) -> list[tuple[float, Refused]]:
        """Return what it was refused about a document."""
        return [(at, one) for at, one in self.told if isinstance(one, Refused) and one.document_id == document_id]

    def received(self, document_id: str) -> list[tuple[float, Delivery]]:
        """Return how a document was delivered to it."""
        return [(at, one) for at, one in self.delivered if one.document.document_id == document_id]


@dataclass
class Story:
    """One outage from beginning to end.

    Attributes:
        running: the exchange.
        agencies: by code.
        changed: notified whenever an agency hears something.
        authorities: those that fail.
        sent: when each document was sent, by its id.
        failed_at: when the services failed and nothing at hand was fresh any more.
        back_at: when they came back; the worker that was killed before that has a successor at work.
        ended_at: when everything was known.
        deaths: how many workers died.
    """

    running: Running
    agencies: dict[str, Agency]
    changed: asyncio.Condition
    authorities: dict[Failure, Authority]
    sent: dict[str, float] = field(default_factory=dict)
    failed_at: float = 0
    back_at: float = 0
    ended_at: float = 0
    deaths: int = -1

    @property
    def receiver(self) -> Agency:
        """The one that gets every document."""
        return self.agencies[RECEIVER]

    async def send(self, code: str, kind: str, name: str, signer: FileSigner) -> str:
        """Send a document and return its id."""
        document = Document(
            Organization(code, f"UBND tỉnh {code}"),
            (Organization(RECEIVER),),
            f"{name} {uuid4()}",
            subject=name,
            document_type=DocumentType(type_name=kind),
        )
        # A client of its own for each key: an agency changes its key more seldom than this test.
        async with AgencyClient(self.running.exchange.agency_url(code), signer=signer) as client:
            await client.send(document)
        self.sent[document.document_id] = time.monotonic()
        return document.document_id

    async def until(self, reached: Callable[[Story, str], bool], documents: Iterable[str]) -> None:
        """Wait until agencies have heard enough of these documents; when they do not, say what is known of the rest."""
        expected = list(documents)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
                await self.changed.wait_for(lambda: all(reached(self, one) for one in expected))
        except TimeoutError:
            late = [one for one in expected if not reached(self, one)]
            known = [line for one in late for line in await self._known(one)]
            pytest.fail("\n".join([f"{len(late)} of {len(expected)} not {reached.__name__}:", *known]), pytrace=False)

    def of(self, failure: Failure, kind: str, key: Key) -> str:
        """Return the id of the document an agency sent during the outage."""
        (found,) = [one for one in self.sent if one.startswith(f"{failure}/{kind}/{key} ")]
        return found

    def sender(self, failure: Failure) -> Agency:
        """Return the agency whose authority fails like that."""
        return self.agencies[AGENCIES[failure]]

    def all_of(self, start: str) -> list[str]:
        """Return the ids of documents whose name begins like that."""
        return [one for one in self.sent if one.startswith(start)]

    async def _known(self, document_id: str) -> list[str]:
        """Say when what was heard of a document, and what the ledger holds of it; seconds from now."""
        present = time.monotonic()
        heard = [
            f"    {at - present:+.1f} s {code} hears {_short(one)}"
            for code, agency in self.agencies.items()
            for at, one in (*agency.told, *agency.delivered)
            if document_id == (one.document.document_id if isinstance(one, Delivery) else one.document_id)
        ]
        ledger = await asyncpg.connect(self.running.exchange.ledger_url)
        try:
            rows = await ledger.fetch(HELD_OF_IT, document_id)
        finally:
            await ledger.close()
        return [f"  {document_id}, sent {self.sent[document_id] - present:+.1f} s", *heard] + [
            "    ledger: " + ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
            for row in rows
        ]

    async def history(self, document_id: str) -> list[VerificationRow]:
        """Return every judgement of a document that the ledger holds."""
        (document,) = {
            one.document
            for agency in self.agencies.values()
            for _, one in agency.told
            if isinstance(one, Receipt) and one.document_id == document_id
        }
        reports = await Reports.connect(self.running.exchange.ledger_url)
        try:
            return await reports.verifications(document)
        finally:
            await reports.close()


async def play(story: Story, hopeless: FileSigner, healthy: FileSigner, trust: Path) -> None:
    """Play the outage: before, during, after."""
    for kind in (THEN_DELIVERED, THEN_REFUSED):
        await story.send(HOPELESS, kind, f"hopeless/{kind}", hopeless)
    # By then the worker has started what it examines with: seconds that are no document's, where the machine is busy.
    await story.until(answered, story.all_of("hopeless/"))
    await every(
        story.send(AGENCIES[failure], HELD, f"before/{failure}/{key}", authority.signer(key))
        for failure, authority in story.authorities.items()
        for key in KEYS
    )
    await story.until(settled, story.all_of("before/"))
    await every(authority.fail() for authority in story.authorities.values())
    await nothing_fresh(story.authorities.values(), trust)
    story.failed_at = time.monotonic()
    for failure, authority in story.authorities.items():
        await story.send(HEALTHY, HELD, f"healthy/{failure}", healthy)
        await every(
            story.send(AGENCIES[failure], kind, f"{failure}/{kind}/{key}", authority.signer(key))
            for kind in (HELD, PROVISIONAL)
            for key in KEYS
        )
    during = [one for failure in FAILURES for one in story.all_of(f"{failure}/")]
    await story.until(answered, (*during, *story.all_of("healthy/")))
    await everyone_tried(story.authorities.values())
    await killed(story.running)
    await everyone_tried(story.authorities.values())
    story.back_at = time.monotonic()
    await every(authority.come_back() for authority in story.authorities.values())
    await story.until(settled, during)
    await story.until(settled, story.all_of(f"hopeless/{THEN_REFUSED}"))
    await story.until(delivered, story.all_of(f"hopeless/{THEN_DELIVERED}"))
    last = await story.send(HEALTHY, HELD, "last", healthy)
    await story.until(delivered, [last])
    story.ended_at = time.monotonic()


def _short(heard: Told | Delivery) -> str:
    match heard:
        case Delivery():
            return f"delivery, {heard.verdict}, {heard.value}"
        case Verified():
            how = "held" if heard.held else "final" if heard.final else "provisional"
            return f"judgement {heard.judgement}, {heard.found.verdict}, {heard.found.value}, {how}"
        case _:
            return type(heard).__name__


async def every(things: Iterable[Awaitable[object]]) -> None:
    """Wait for all."""
    await asyncio.gather(*things)


async def nothing_fresh(authorities: Iterable[Authority], trust: Path) -> None:
    """Wait until what was fetched before is no longer good."""

    def known() -> bool:
        store = TrustStore.load(trust)
        return any(one.verdict("right", store) is not Verdict.INDETERMINATE for one in authorities)

    async with asyncio.timeout(PATIENCE_SECONDS):
        while known():  # noqa: ASYNC110 - what is waited for is time itself
            await asyncio.sleep(0.2)


async def killed(running: Running) -> None:
    """Kill the worker that knows what to fetch, and wait for the one that is started in its place."""
    os.kill(running.supervisor.pid(Step.SIGNATURE_VERIFY), signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not running.supervisor.restarts[Step.SIGNATURE_VERIFY]:  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(0.1)
    await running.supervisor.ready()


async def everyone_tried(authorities: Iterable[Authority]) -> None:
    """Wait until every failing service was asked in vain since the last time; a dead one cannot tell."""
    for authority in authorities:
        authority.tried = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(one.tried or one.failure == "down" for one in authorities):  # noqa: ASYNC110 - servers tell nobody
            await asyncio.sleep(0.1)


def answered(story: Story, document_id: str) -> bool:
    """Tell whether a sender has heard of a document's worth for the first time, and a receiver got it where it may."""
    told = [
        one for agency in story.agencies.values() for _, one in agency.judgements(document_id) if one.judgement == 1
    ]
    if any(not one.held for one in told):
        return bool(story.receiver.received(document_id))
    return bool(told) or any(agency.refusals(document_id) for agency in story.agencies.values())


def delivered(story: Story, document_id: str) -> bool:
    """Tell whether the receiver has a document."""
    return bool(story.receiver.received(document_id))


def settled(story: Story, document_id: str) -> bool:
    """Tell whether a document is judged for good, and everybody knows whom it concerns."""
    if any(agency.refusals(document_id) for agency in story.agencies.values()):
        return True
    senders = [agency for code, agency in story.agencies.items() if code != RECEIVER]
    final = [one for agency in senders for _, one in agency.judgements(document_id) if one.final]
    got = story.receiver.received(document_id)
    provisional = got and got[0][1].verdict is Verdict.INDETERMINATE
    return bool(final and got and (not provisional or story.receiver.judgements(document_id)))
