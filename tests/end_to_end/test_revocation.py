"""Revocation services fail, each authority's in a way of its own, all at once; documents go on, and are judged again.

One outage is played on a running exchange, and each test looks at one side of what came of it. Lists and answers are
good for seconds here, and the shortest hold that a policy can say is a minute: no clock is turned.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding
from tests.end_to_end.outage import (
    AGENCIES,
    BACK_SECONDS,
    HEALTHY,
    HELD,
    HOLD_SECONDS,
    HOPELESS,
    POLICY,
    PROVISIONAL,
    RECEIVER,
    THEN_DELIVERED,
    THEN_REFUSED,
    UNDER_WAY_SECONDS,
    Agency,
    Story,
    play,
)
from tests.end_to_end.revocation_services import FAILURES, Authority, now

from lienthong.agency import AgencyClient
from lienthong.document.verdicts import Value, Verdict
from lienthong.signature import FileSigner
from lienthong.simulation.units import Member, Role, Unit
from lienthong.testing.hierarchy import Hierarchy
from lienthong.trust.development_certificates import end_entity_extensions, issue, named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.end_to_end.conftest import RunningExchange
    from tests.end_to_end.revocation_services import Failure, Key


# The whole story counts as the first test's time: what it waits for in vain is said before that is over.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


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
    """An authority that stays away does not hold documents for ever: one is delivered and judged on, one refused.

    On a slow machine a hold may end before the worker that was killed has a successor at work: that says so then.
    """
    sender = story.agencies[HOPELESS]
    (delivered,), (refused,) = (story.all_of(f"hopeless/{kind} ") for kind in (THEN_DELIVERED, THEN_REFUSED))
    ((at, delivery),) = story.receiver.received(delivered)
    end = story.sent[delivered] + HOLD_SECONDS
    assert end - 1 < at < max(end, story.back_at) + UNDER_WAY_SECONDS
    assert (delivery.verdict, delivery.value) == (Verdict.INDETERMINATE, Value.INFORMATION)
    assert [(one.held, one.final) for _, one in sender.judgements(delivered)] == [(True, False), (False, False)]
    ((at, refusal),) = sender.refusals(refused)
    end = story.sent[refused] + HOLD_SECONDS
    assert end - 1 < at < max(end, story.back_at) + UNDER_WAY_SECONDS
    assert "ask who issued the certificate" in refusal.problems[0].en
    assert not story.receiver.received(refused)


async def test_no_worker_died_but_the_one_that_was_killed(story: Story) -> None:
    """An outage is nothing that ends a worker; and one started in its midst knows by itself what to ask for."""
    assert story.deaths == 1
