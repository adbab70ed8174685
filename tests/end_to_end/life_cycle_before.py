"""Documents that nobody has got yet: what agencies cause waits for them, or is refused when nobody will get them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.end_to_end.life_cycle_of_exchange import JUDGED, NOWHERE, SENT
from tests.end_to_end.life_cycle_walk import AWAY, BEGIN, EVENTS, RECEIVER, Case, Caused

from lienthong.bus.connection import Bus
from lienthong.bus.errors import PublishForbidden
from lienthong.document.life_cycle import STATUS_CODES, Event, Pending, Role, State
from lienthong.topology.names import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.end_to_end.life_cycle_of_exchange import OfExchange
    from tests.end_to_end.life_cycle_walk import Walk

    from lienthong.agency import AgencyClient
    from lienthong.simulation.credentials import Holder

EARLY = (State.RECEIVED, State.HELD, State.VERIFIED, State.STOPPED)
PREFIX = "early."
Cases = dict[State, list[Case]]


async def walk_before_delivery(own: OfExchange, signers: Mapping[Holder, AgencyClient]) -> list[Case]:
    """Try every event on documents in each state before delivery; return what agencies tried.

    Args:
        own: the exchange, which holds what it cannot judge and cannot judge what is signed.
        signers: who sends what is signed by a good key, and by a revoked one.
    """
    every: Cases = {state: [_case(state, event) for event in EVENTS] for state in EARLY}
    by_revoked = f"{PREFIX}held.stop"
    own.walk.signers |= {case.name: signers["agency"] for case in every[State.HELD]} | {by_revoked: signers["revoked"]}
    await _stop(own, every[State.STOPPED])
    for name in (*(case.name for case in every[State.HELD]), by_revoked):
        await own.walk.send(name)
    await _stand(own, State.HELD, len(EVENTS) + 1)
    await _hold(own)
    own.signal(Step.ROUTER, signal.SIGSTOP)
    await _verify(own, every[State.VERIFIED])
    own.signal(Step.SIGNATURE_VERIFY, signal.SIGSTOP)
    for case in every[State.RECEIVED]:
        await own.walk.send(case.name)
    await _stand(own, State.RECEIVED, len(EVENTS))
    await _only_judges_reach_the_router(own)
    await own.guarded()
    last = await _cause(own, [case for state in EARLY for case in every[state]])

    before = await own.standing()
    own.signal(Step.ROUTER, signal.SIGCONT)
    own.signal(Step.SIGNATURE_VERIFY, signal.SIGCONT)
    judged = await own.regain_trust()
    await _hear(own.walk, last)
    await _stand(own, State.STOPPED, len(EVENTS) + 2)
    await own.until(
        "select exists (select from queued_delivery join document using (document) "
        "where document_id = $1 and state = 'parked')",
        f"{PREFIX}verified.park",
    )
    after = await own.standing()
    for key, one in before.items():
        if one.document in judged:
            own.tried.add(one.pair(judged[one.document]))
            assert one.name.startswith(PREFIX) or after[key] == one
    stands = await own.walk.stands()
    assert [case for state in EARLY[:3] for case in every[state] if stands[case.name] != case.after] == []
    own.tried |= {(Role.DOCUMENT, State.VERIFIED, Pending.NOTHING, event) for event in (Event.STOP, *SENT)}
    await _judge_at_once(own, signers)
    return [case for cases in every.values() for case in cases]


def _case(state: State, event: Event) -> Case:
    # Where it stands when it happens after all; nothing happens to what was stopped.
    return Case(f"{PREFIX}{state}.{event}", (), BEGIN, event, Role.DOCUMENT, state)


async def _stand(own: OfExchange, state: State, count: int) -> None:
    """Wait until so many of these documents are in a state."""
    await own.until(
        "select count(*) = $3 from document join document_state using (document) "
        "where document_id like $1 and business = 0 and state = $2",
        f"{PREFIX}%",
        state,
        count,
    )


async def _stop(own: OfExchange, cases: list[Case]) -> None:
    """Send what the router refuses, and ask for another judgement of it."""
    for case in cases:
        await own.walk.send(case.name, NOWHERE)
    await _stand(own, State.STOPPED, len(cases))
    stopped = await own.named(f"{PREFIX}stopped")
    await own.ask_judges(stopped, 1)
    await own.ask_judges(stopped, 2)


async def _hold(own: OfExchange) -> None:
    """Judge what is held once more, and repeat the judgement as after a crash: it goes no further."""
    await own.hold()
    held = await own.named(f"{PREFIX}held")
    documents = [one.document for one in held]
    await own.ledger.execute("update verification set forwarded_at = null where document = any ($1::uuid[])", documents)
    await own.ask_judges(held, 1)
    await own.until("select not exists (select from verification where forwarded_at is null)")
    assert await own.named(f"{PREFIX}held") == held
    own.tried |= {one.pair(event) for one in held for event in SENT}


async def _verify(own: OfExchange, cases: list[Case]) -> None:
    """Have documents judged that the router does not get to, and ask for another judgement of all that is judged."""
    names = [(case.name, RECEIVER) for case in cases]
    for name, to in (*names, (f"{PREFIX}verified.stop", NOWHERE), (f"{PREFIX}verified.park", AWAY)):
        await own.walk.send(name, to)
    await _stand(own, State.VERIFIED, len(cases) + 2)
    judged = await own.named(f"{PREFIX}verified") + await own.named(f"{PREFIX}stopped")
    await own.ask_judges(judged, 1)
    await own.ask_judges(judged, 2)
    # It is judged after those.
    await own.walk.send(f"{PREFIX}marker")
    await _stand(own, State.VERIFIED, len(cases) + 3)
    assert (
        await own.ledger.fetchval(
            "select max(judgement) from verification where document = any ($1::uuid[])",
            [one.document for one in judged],
        )
        == 1
    )
    assert {one.document: one for one in judged}.items() <= {
        one.document: one for one in (await own.standing()).values()
    }.items()
    own.tried |= {one.pair(event) for one in judged for event in JUDGED}


async def _only_judges_reach_the_router(own: OfExchange) -> None:
    """What was not judged is routed by nobody's mistake: no other worker can ask for that."""
    (example, *_) = await own.named(f"{PREFIX}held")
    for step in {*Step} - {Step.SIGNATURE_VERIFY}:
        async with Bus(own.running.exchange.worker_urls(step)[0], name=f"{step} asks the router") as bus:
            (refused,) = await bus.publish_many(await own.tasks([example.document]))
            assert isinstance(refused, PublishForbidden)
    own.tried |= {(Role.DOCUMENT, State.RECEIVED, Pending.NOTHING, event) for event in SENT}


async def _cause(own: OfExchange, cases: list[Case]) -> list[Caused]:
    """Let agencies cause everything: what happens to what nobody has got is not applied, and waits."""
    last = [Caused(case, case.event, 0) for case in cases]
    before = [one for state in EARLY for one in await own.named(f"{PREFIX}{state}")]
    await own.walk.cause(last)
    reported = [own.walk.submissions[one].message_id for one in last if one.event in STATUS_CODES]
    # In one transaction with that the status-tracker decides what to do with it.
    await own.until("select count(*) = $2 from submission where message_id = any ($1::text[])", reported, len(reported))
    assert await own.ledger.fetchval("select count(*) from status where message_id = any ($1::text[])", reported) == 0
    assert [one for state in EARLY for one in await own.named(f"{PREFIX}{state}") if one.name.count("/") == 0] == before
    return last


async def _hear(walk: Walk, last: list[Caused]) -> None:
    """Wait until everything has happened after all, or is refused."""

    def is_over(one: Caused) -> bool:
        is_refused = one.case.state is State.STOPPED or one.case.refused
        return walk.is_refused(one) if is_refused else walk.is_applied(one)

    await walk.hears({one.case.name: lambda one=one: is_over(one) for one in last})  # type: ignore[misc]


async def _judge_at_once(own: OfExchange, signers: Mapping[Holder, AgencyClient]) -> None:
    """Have the first judgement of a document stop it; that it lets go, and holds, was seen before."""
    name = f"{PREFIX}received.stop"
    own.walk.signers[name] = signers["revoked"]
    await own.walk.send(name)
    await _stand(own, State.STOPPED, len(EVENTS) + 3)
    own.tried |= {(Role.DOCUMENT, State.RECEIVED, Pending.NOTHING, event) for event in JUDGED}
