"""Revocation services fail, each authority's in a way of its own, all at once; documents go on, and are judged again.

One outage is played on a running exchange, and each test looks at one side of what came of it. Lists and answers are
good for seconds here, and the shortest hold that a policy can say is a minute: no clock is turned.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding
from tests.end_to_end.revocation_services import FAILURES, KEYS, Authority, now

from lienthong.agency import AgencyClient, Delivery, Receipt, Refused, Verified
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Document, DocumentType, Organization
from lienthong.ledger.reports import Reports
from lienthong.signature import FileSigner
from lienthong.simulation.units import Member, Role, Unit
from lienthong.testing.hierarchy import Hierarchy
from lienthong.trust import TrustStore
from lienthong.trust.development_certificates import end_entity_extensions, issue, named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from tests.end_to_end.conftest import Running, RunningExchange
    from tests.end_to_end.revocation_services import Failure, Key

    from lienthong.agency.reading import Told
    from lienthong.ledger.rows import VerificationRow

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
UNDER_WAY_SECONDS = 10.0
"""What a document takes at most, with or without an outage; it takes a fraction of a second."""
BACK_SECONDS = 30.0
"""How soon after the services' return everything is judged again."""
HOLD_SECONDS = 60.0
PATIENCE_SECONDS = 90.0

Heard = TypeVar("Heard")
pytestmark = pytest.mark.asyncio(loop_scope="module")


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
        back_at: when they came back.
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

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until agencies have heard enough."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.changed:
            await self.changed.wait_for(condition)

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(running_exchange: RunningExchange, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """Provide an outage that is over."""
    folder = tmp_path_factory.mktemp("outage")
    trust = folder / "trust"
    healthy = Hierarchy(now())
    healthy_signer = trusted(healthy, trust)
    authorities = {
        failure: Authority(folder / failure, code, failure, stranger=healthy) for failure, code in AGENCIES.items()
    }
    hopeless = Authority(folder / "hopeless", HOPELESS, "down", stranger=healthy)
    for authority in (*authorities.values(), hopeless):
        authority.trusted_in(trust)
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    settings = {
        "LIENTHONG_TRUST_FOLDER": str(trust),
        "LIENTHONG_TRUST_REFRESH": "true",
        "LIENTHONG_SIGNATURE_POLICY": str(folder / "policy.toml"),
    }
    codes = (*AGENCIES.values(), RECEIVER, HEALTHY, HOPELESS)
    members = [Member(Unit(code, f"UBND tỉnh {code}", "province"), Role.FULLY) for code in codes]
    async with AsyncExitStack() as stack:
        for authority in authorities.values():
            await stack.enter_async_context(authority)
        running = await stack.enter_async_context(running_exchange(members, settings))
        changed = asyncio.Condition()
        agencies = {}
        for code in codes:
            client = AgencyClient(running.exchange.agency_url(code), signer=None)
            agencies[code] = Agency(await stack.enter_async_context(client), changed)
        told = Story(running, agencies, changed, authorities)
        listening = [asyncio.create_task(agency.listen()) for agency in agencies.values()]
        try:
            await play(told, hopeless.signer("right"), healthy_signer, trust)
            told.deaths = sum(running.supervisor.restarts.values())
            yield told
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)


def trusted(healthy: Hierarchy, trust: Path) -> FileSigner:
    """Have an authority trusted that has nothing to do with the outage, and return the signer of its agency."""
    for place, data in (
        ("roots/healthy.crt", healthy.root.certificate.public_bytes(Encoding.DER)),
        ("intermediates/healthy.crt", healthy.sub.certificate.public_bytes(Encoding.DER)),
        ("crls/healthy-root.crl", healthy.crl(healthy.root).public_bytes(Encoding.DER)),
        ("crls/healthy-sub.crl", healthy.crl(healthy.sub).public_bytes(Encoding.DER)),
    ):
        (trust / place).parent.mkdir(parents=True, exist_ok=True)
        (trust / place).write_bytes(data)
    subject = named("Văn thư", HEALTHY)
    credential = issue(healthy.sub, subject, end_entity_extensions(), start=healthy.start, end=healthy.end)
    return FileSigner(credential.key, (credential.certificate,))


async def play(story: Story, hopeless: FileSigner, healthy: FileSigner, trust: Path) -> None:
    """Play the outage: before, during, after."""
    for kind in (THEN_DELIVERED, THEN_REFUSED):
        await story.send(HOPELESS, kind, f"hopeless/{kind}", hopeless)
    await every(
        story.send(AGENCIES[failure], HELD, f"before/{failure}/{key}", authority.signer(key))
        for failure, authority in story.authorities.items()
        for key in KEYS
    )
    await story.until(lambda: all(settled(story, one) for one in story.all_of("before/")))
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
    await story.until(lambda: all(answered(story, one) for one in (*during, *story.all_of("healthy/"))))
    await everyone_tried(story.authorities.values())
    story.back_at = time.monotonic()
    await every(authority.come_back() for authority in story.authorities.values())
    await story.until(lambda: all(settled(story, one) for one in during))
    await story.until(lambda: all(settled(story, one) for one in story.all_of(f"hopeless/{THEN_REFUSED}")))
    await story.until(lambda: all(story.receiver.received(one) for one in story.all_of("hopeless/" + THEN_DELIVERED)))
    last = await story.send(HEALTHY, HELD, "last", healthy)
    await story.until(lambda: bool(story.receiver.received(last)))
    story.ended_at = time.monotonic()


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


async def everyone_tried(authorities: Iterable[Authority]) -> None:
    """Wait until every failing service was asked in vain; a dead one cannot tell."""
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


def settled(story: Story, document_id: str) -> bool:
    """Tell whether a document is judged for good, and everybody knows whom it concerns."""
    if any(agency.refusals(document_id) for agency in story.agencies.values()):
        return True
    senders = [agency for code, agency in story.agencies.items() if code != RECEIVER]
    final = [one for agency in senders for _, one in agency.judgements(document_id) if one.final]
    got = story.receiver.received(document_id)
    provisional = got and got[0][1].verdict is Verdict.INDETERMINATE
    return bool(final and got and (not provisional or story.receiver.judgements(document_id)))


@pytest.mark.parametrize("failure", FAILURES)
async def test_before_the_outage_documents_have_their_value(story: Story, failure: Failure) -> None:
    """A signer seen for the first time is looked up at once: its document waits for that, and no longer."""
    for key in ("right", "lost"):
        (document_id,) = story.all_of(f"before/{failure}/{key} ")
        ((at, delivery),) = story.receiver.received(document_id)
        assert (delivery.verdict, delivery.value) == (Verdict.VALID, Value.PAPER)
        assert at - story.sent[document_id] < BACK_SECONDS
    (revoked,) = story.all_of(f"before/{failure}/revoked ")
    assert story.sender(failure).refusals(revoked)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("key", ["right", "lost"])
async def test_what_cannot_be_found_out_is_held_and_marked(story: Story, failure: Failure, key: Key) -> None:
    """Where the policy holds, the sender is told so at once, the ledger says indeterminate, and nobody gets it."""
    document_id = story.of(failure, HELD, key)
    at, first = story.sender(failure).judgements(document_id)[0]
    assert at - story.sent[document_id] < UNDER_WAY_SECONDS
    assert (first.held, first.final, first.found.verdict) == (True, False, Verdict.INDETERMINATE)
    assert all(arrived > story.back_at for arrived, _ in story.receiver.received(document_id))
    row = (await story.history(document_id))[0]
    assert (row.verdict, row.held, row.final, row.reason) == ("indeterminate", True, False, "TRY_LATER")


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("key", ["right", "lost"])
async def test_what_cannot_be_found_out_is_delivered_and_marked(story: Story, failure: Failure, key: Key) -> None:
    """Where the policy delivers provisionally, the delivery itself, the sender's notice and the ledger all say so."""
    document_id = story.of(failure, PROVISIONAL, key)
    ((at, delivery),) = story.receiver.received(document_id)
    assert at - story.sent[document_id] < UNDER_WAY_SECONDS
    assert (delivery.verdict, delivery.value) == (Verdict.INDETERMINATE, Value.INFORMATION)
    assert "chưa xác định" in (delivery.found_vi or "")
    _, first = story.sender(failure).judgements(document_id)[0]
    assert (first.held, first.final, first.found.verdict) == (False, False, Verdict.INDETERMINATE)
    row = (await story.history(document_id))[0]
    assert (row.verdict, row.value, row.held, row.final) == ("indeterminate", "information", False, False)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", [HELD, PROVISIONAL])
async def test_no_failure_makes_a_revoked_key_good(story: Story, failure: Failure, kind: str) -> None:
    """What was revoked before is refused throughout the outage, whatever the policy: also by a list that is stale."""
    document_id = story.of(failure, kind, "revoked")
    ((at, refusal),) = story.sender(failure).refusals(document_id)
    assert at - story.sent[document_id] < UNDER_WAY_SECONDS
    assert {problem.code for problem in refusal.problems} == {"CheckSignature"}
    assert not story.receiver.received(document_id)


async def test_others_are_not_concerned(story: Story) -> None:
    """Documents whose authority is well pass as ever while nine others' services fail, one of them by not answering."""
    healthy = story.all_of("healthy/")
    assert len(healthy) == len(FAILURES)
    for document_id in healthy:
        ((at, delivery),) = story.receiver.received(document_id)
        assert (delivery.verdict, delivery.value) == (Verdict.VALID, Value.PAPER)
        assert at - story.sent[document_id] < UNDER_WAY_SECONDS
        assert at < story.back_at


@pytest.mark.parametrize("failure", FAILURES)
async def test_held_documents_are_delivered_when_services_return(story: Story, failure: Failure) -> None:
    """Within half a minute of the return a held document is judged for good, delivered once, and its sender told."""
    document_id = story.of(failure, HELD, "right")
    ((arrived, delivery),) = story.receiver.received(document_id)
    assert 0 < arrived - story.back_at < BACK_SECONDS
    assert (delivery.verdict, delivery.value) == (Verdict.VALID, Value.PAPER)
    (_, (at, second)) = story.sender(failure).judgements(document_id)
    assert at - story.back_at < BACK_SECONDS
    assert (second.held, second.final, second.found.value) == (False, True, Value.PAPER)
    assert [row.value for row in await story.history(document_id)] == ["information", "paper"]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("key", "value"), [("right", Value.PAPER), ("lost", Value.REFUSED)])
async def test_both_sides_learn_what_a_provisional_delivery_is_worth(
    story: Story, failure: Failure, key: Key, value: Value
) -> None:
    """Within half a minute of the return sender and receiver are told for good: paper, or that it must not be used."""
    document_id = story.of(failure, PROVISIONAL, key)
    (_, to_sender) = story.sender(failure).judgements(document_id)
    (to_receiver,) = story.receiver.judgements(document_id)
    for at, notice in (to_sender, to_receiver):
        assert 0 < at - story.back_at < BACK_SECONDS
        assert (notice.judgement, notice.final, notice.found.value) == (2, True, value)
        assert notice.found.verdict is (Verdict.VALID if value is Value.PAPER else Verdict.INVALID)
    assert len(story.receiver.received(document_id)) == 1
    assert [row.value for row in await story.history(document_id)] == ["information", value]


@pytest.mark.parametrize("failure", FAILURES)
async def test_what_proves_revoked_is_refused_when_services_return(story: Story, failure: Failure) -> None:
    """A held document whose key turns out to be revoked is refused to its sender within half a minute, for good."""
    document_id = story.of(failure, HELD, "lost")
    ((at, refusal),) = story.sender(failure).refusals(document_id)
    assert 0 < at - story.back_at < BACK_SECONDS
    assert {problem.code for problem in refusal.problems} == {"CheckSignature"}
    assert not story.receiver.received(document_id)
    rows = await story.history(document_id)
    assert [(row.verdict, row.value) for row in rows] == [("indeterminate", "information"), ("invalid", "refused")]
    assert rows[-1].reason == "REVOKED"


async def test_a_hold_ends_as_the_policy_says(story: Story) -> None:
    """An authority that stays away does not hold documents for ever: one is delivered and judged on, one refused."""
    sender = story.agencies[HOPELESS]
    (delivered,), (refused,) = (story.all_of(f"hopeless/{kind} ") for kind in (THEN_DELIVERED, THEN_REFUSED))
    ((at, delivery),) = story.receiver.received(delivered)
    assert HOLD_SECONDS - 1 < at - story.sent[delivered] < HOLD_SECONDS + UNDER_WAY_SECONDS
    assert (delivery.verdict, delivery.value) == (Verdict.INDETERMINATE, Value.INFORMATION)
    assert [(one.held, one.final) for _, one in sender.judgements(delivered)] == [(True, False), (False, False)]
    ((at, refusal),) = sender.refusals(refused)
    assert HOLD_SECONDS - 1 < at - story.sent[refused] < HOLD_SECONDS + UNDER_WAY_SECONDS
    assert "ask who issued the certificate" in refusal.problems[0].en
    assert not story.receiver.received(refused)


async def test_no_worker_died(story: Story) -> None:
    """An outage is nothing that ends a worker."""
    assert story.deaths == 0
