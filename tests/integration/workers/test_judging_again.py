"""signature-verify: what cannot be found out waits or is delivered provisionally, is judged again, and said once."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.integration.workers.conftest import NOW, document, handed_on, ids, signed

from lienthong.signature.policy import Policy, Rule
from lienthong.worker.answers import to_signature_verify

if TYPE_CHECKING:
    from lienthong.bus.messages import Incoming
    from lienthong.ledger.reports import Reports
    from lienthong.worker.handler import Outcome
from tests.integration.workers.judging import LATER, PROVISIONAL, Judging, history, read, refused, routed, told


async def test_what_cannot_be_found_out_is_held_and_released(judging: Judging, reports: Reports) -> None:
    """Nothing is routed and the sender told why; judged again nothing changes, until the answer is there."""
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    (held,) = await judging.judge(task)
    assert routed(held) is None
    notice = told(held)["G22"]
    assert (notice.held, notice.final, notice.found.verdict) == (True, False, "indeterminate")
    assert notice.found.vi.startswith("Đang giữ lại")
    assert "12:02 ngày 22/11/2026" in notice.found.vi
    (row,) = await history(reports, task)
    assert (row.held_until, row.judge_again_at) == (NOW + timedelta(hours=4), NOW + timedelta(seconds=10))
    assert (await judging.again(task)).outputs == ()
    assert len(await history(reports, task)) == 1
    judging.authority.publish()
    released = await judging.again(task)
    route = routed(released)
    assert route is not None
    assert (route.found.value, told(released)["G22"].judgement) == ("paper", 2)
    first, second = await history(reports, task)
    assert (first.judge_again_at, first.forwarded_at is not None, second.value) == (None, True, "paper")
    assert (await judging.again(task, 3)).outputs == ()
    assert await reports.values(NOW - timedelta(days=9999), NOW + timedelta(days=9999)) == {
        "paper": 1,
        "information": 0,
        "refused": 0,
        "held": 0,
    }


async def test_what_proves_revoked_while_it_is_held_is_refused(judging: Judging, reports: Reports) -> None:
    """The sender gets a refusal, nobody a delivery, and the ledger both judgements."""
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    await judging.judge(task)
    judging.authority.revoke(judging.authority.credential("G22").certificate, at=NOW - timedelta(days=1))
    first = await judging.again(task, mark=False)
    again = await judging.again(task)
    assert ids([first]) == ids([again])
    assert refused(again).problems[0].code == "CheckSignature"
    assert [row.value for row in await history(reports, task)] == ["information", "refused"]


@pytest.mark.parametrize(("after", "value"), [("information", "information"), ("refused", "refused")])
async def test_a_hold_ends(judging: Judging, reports: Reports, after: str, value: str) -> None:
    """When the time is over the document is delivered and judged on, or refused: as the policy says."""
    judging.policy = Policy(Rule.model_validate({"hold_minutes": 1, "after_hold": after}))
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    await judging.judge(task)
    assert (await judging.again(task)).outputs == ()
    ended = await judging.again(task)
    (*_, row) = await history(reports, task)
    assert (row.verdict, row.value) == ("indeterminate", value)
    if after == "refused":
        assert "ask who issued the certificate" in refused(ended).problems[0].en
        assert row.judge_again_at is None
    else:
        assert routed(ended) is not None
        assert not told(ended)["G22"].final
        assert row.judge_again_at is not None


@pytest.mark.parametrize(("revoked", "value"), [(False, "paper"), (True, "refused")])
async def test_receivers_learn_what_they_hold(judging: Judging, reports: Reports, revoked: bool, value: str) -> None:
    """Of a provisional delivery sender and every carrier are told when more is known, once, never before it left."""
    judging.policy = PROVISIONAL
    (task,) = await judging.received(signed(document(to=("H23.1", "H41")), judging.authority))
    judging.lose_revocation()
    (provisional,) = await judging.judge(task)
    if revoked:
        judging.authority.revoke(judging.authority.credential("G22").certificate, at=NOW - timedelta(days=1))
    else:
        judging.authority.publish()
    early = await judging.again(task)
    assert (early.outputs, len(await history(reports, task))) == ((), 1)
    await judging.route(provisional)
    first = await judging.again(task, mark=False)
    notices = told(await judging.again(task))
    assert notices == told(first)
    assert set(notices) == {"G22", "H23", "H41"}
    assert {(one.found.value, one.judgement, one.final) for one in notices.values()} == {(value, 2, True)}
    assert routed(first) is None
    assert (await judging.again(task)).outputs == ()
    assert (await judging.again(task, 3)).outputs == ()


async def test_a_stricter_policy_does_not_take_back_a_delivery(judging: Judging, reports: Reports) -> None:
    """What was delivered while it was not known is neither held nor refused for still not being known."""
    judging.policy = PROVISIONAL
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    (provisional,) = await judging.judge(task)
    await judging.route(provisional)
    for policy in (Policy(), Policy(Rule(hold_minutes=1, after_hold="refused"))):
        judging.policy = policy
        assert (await judging.again(task)).outputs == ()
        judging.now += timedelta(minutes=5)
    (row,) = await history(reports, task)
    assert (row.held, row.value) == (False, "information")


async def test_what_the_router_refused_is_judged_no_more(judging: Judging, reports: Reports) -> None:
    """Nobody holds it, so nobody is to be told."""
    judging.policy = PROVISIONAL
    (task,) = await judging.received(signed(document(to=("H55",)), judging.authority))
    judging.lose_revocation()
    (provisional,) = await judging.judge(task)
    await judging.route(provisional)
    judging.authority.publish()
    assert (await judging.again(task)).outputs == ()
    (row,) = await history(reports, task)
    assert row.judge_again_at is None


async def test_a_recorded_judgement_is_recalled_not_remade(judging: Judging) -> None:
    """A crash after the record publishes what was recorded, byte for byte, whatever would be found out by then."""
    (task,) = await judging.received(signed(document(), judging.authority))
    judging.lose_revocation()
    first = await judging.judge(task, mark=False)
    judging.authority.publish()
    judging.now += LATER
    again = await judging.judge(task, task)
    assert [one.outputs for one in again] == [first[0].outputs] * 2
    assert (await judging.judge(task))[0].outputs == ()


async def test_two_workers_agree(judging: Judging, reports: Reports) -> None:
    """Judging one number at once with different knowledge, they record one judgement and publish the same of it."""
    (task,) = await judging.received(signed(document(), judging.authority))
    knows = await judging.verify.decide(task)
    judging.lose_revocation()
    does_not = await judging.verify.decide(task)

    async def record(examination: object) -> Outcome:
        async with judging.ledger.transaction() as unit:
            (outcome,) = await judging.verify.record(unit, [(task, examination)])  # type: ignore[list-item]
        return outcome

    for _ in range(3):
        outcomes = await asyncio.gather(*(record(one) for one in (knows, does_not, knows, does_not)))
        assert all(one.outputs == outcomes[0].outputs for one in outcomes)
    assert len(await history(reports, task)) == 1


class Story:
    """One document, what was asked and published about it, and everything that may happen to it."""

    def __init__(self, judging: Judging, reports: Reports, first: Incoming, chance: random.Random) -> None:
        self.judging, self.reports, self.first, self.chance = judging, reports, first, chance
        self.wishes = {1: first}
        self.published: dict[str, bytes] = {}
        self.to_route: list[Outcome] = []

    async def judge(self, *tasks: Incoming, mark: bool) -> None:
        """Judge as asked, with or without a crash before the mark; what leaves again is what left before."""
        self.judging.now += LATER
        for outcome in await self.judging.judge(*tasks, mark=mark):
            for output in outcome.outputs:
                assert self.published.setdefault(output.message_id, output.body) == output.body
            if routed(outcome):
                self.to_route.append(outcome)
        rows = await history(self.reports, self.first)
        if rows[-1].judge_again_at is not None:
            asked = to_signature_verify(read(self.first).model_copy(update={"judgement": len(rows) + 1}))
            self.wishes[len(rows) + 1] = handed_on(asked)

    async def go_on(self) -> None:
        """Let something happen."""
        match self.chance.choice(["judge", "judge", "judge", "know", "forget", "revoke", "route"]):
            case "know":
                self.judging.authority.publish()
            case "forget":
                self.judging.lose_revocation()
            case "revoke" if self.chance.random() < 0.3:
                certificate = self.judging.authority.credential("G22").certificate
                self.judging.authority.revoke(certificate, at=NOW - timedelta(days=1))
            case "route" if self.to_route:
                await self.judging.route(self.chance.choice(self.to_route))
            case _:
                tasks = self.chance.choices(list(self.wishes.values()), k=self.chance.randint(1, 3))
                await self.judge(*tasks, mark=self.chance.random() < 0.5)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_again_says_the_same(judging: Judging, reports: Reports, seed: int) -> None:
    """Crashes between any two steps, duplicates, old wishes and new knowledge in any order: one story, told alike."""
    chance = random.Random(seed)
    judging.policy = chance.choice([Policy(), PROVISIONAL])
    (first,) = await judging.received(signed(document(), judging.authority))
    story = Story(judging, reports, first, chance)
    for _ in range(15):
        await story.go_on()
    await story.judge(*list(story.wishes.values()), mark=True)
    rows = await history(reports, first)
    assert [row.judgement for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.forwarded_at for row in rows)
    assert not any(row.held or row.final for row in rows[1:-1])
    known = [row for row in rows if not row.held]
    assert len({outcome.outputs[0].message_id for outcome in story.to_route}) == (
        bool(known) and known[0].value != "refused"
    )
    entries = [kind for _, kind, _ in await reports.story(rows[0].document)]
    assert entries.count("DocumentVerified") == len(rows)
