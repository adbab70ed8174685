"""Every event in every state of the life cycle, against a running exchange."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from tests.end_to_end.life_cycle_before import walk_before_delivery
from tests.end_to_end.life_cycle_of_exchange import HOLDING, LIMIT, OfExchange, lose_trust
from tests.end_to_end.life_cycle_walk import (
    AWAY,
    MEMBERS,
    RECEIVER,
    SENDER,
    Caused,
    Walk,
    cases,
    only_strict,
)

from lienthong.agency import AgencyClient
from lienthong.bus.connection import Bus
from lienthong.document.life_cycle import STATUS_CODES, Event, Pending, Role, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from tests.end_to_end.conftest import RunningExchange
    from tests.end_to_end.life_cycle_of_exchange import Pair
    from tests.end_to_end.life_cycle_walk import Case

    from lienthong.simulation.credentials import Holder
    from lienthong.simulation.exchange import Exchange

PUBLISHED = Path(__file__).parents[2] / "deploy" / "life-cycle.json"
SETTINGS = {"LIENTHONG_PARKING_LIMIT": str(LIMIT)}
STRICT = {"LIENTHONG_LIFE_CYCLE_PROFILE": "strict"}


async def test_every_event_in_every_state(running_exchange: RunningExchange) -> None:
    """The exchange answers as the published table says: applied and told, said before, or refused, changing nothing."""
    every = cases()
    async with _walking(running_exchange, SETTINGS, lose_trust) as (own, collecting):
        async with _signing(own, every) as signers:
            await _walk_all(own.walk, every)
            await own.restart(HOLDING)
            await own.hold()
            before = await walk_before_delivery(own, signers)
        await collecting.aclose()
        await own.route_again()
        # The others' requests are left as they are, to be delivered.
        await own.replace_all(
            case for case in every if case.role is not Role.DOCUMENT and case.event is not Event.FINISH
        )
        await own.let_collect()
    by_agencies = {_pair(case) for case in (*every, *before)}
    assert _pairs() == by_agencies | own.tried


async def test_the_strict_profile_where_it_differs(running_exchange: RunningExchange) -> None:
    """A status that leaves steps out is refused, in every state where real traffic leaves some out."""
    every = only_strict()
    assert {case.event for case in every} == {"03", "05", "06"}
    async with _walking(running_exchange, SETTINGS | STRICT) as (own, _):
        await _walk_all(own.walk, every)


def _pairs() -> set[Pair]:
    """Return every event in every state, with whatever may be asked for there, of the published table."""
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    stands = {
        (row["role"], row[f"{side}state"], row[f"{side}pending"])
        for row in published["transitions"]
        for side in ("", "to_")
    }
    assert {stand[:2] for stand in stands} == {
        (role, one) for role, states in published["roles"].items() for one in states
    }
    return {
        (Role(role), State(state), Pending(pending), Event(event["event"]))
        for role, state, pending in stands
        for event in published["events"]
    }


def _pair(case: Case) -> Pair:
    return case.role, case.state, case.asked, case.event


@asynccontextmanager
async def _walking(
    running_exchange: RunningExchange,
    settings: Mapping[str, str],
    prepare: Callable[[Exchange], None] = lambda _: None,
) -> AsyncIterator[tuple[OfExchange, AsyncExitStack]]:
    """Run an exchange in which `AWAY` is parked; by what is returned beside it `RECEIVER` ceases to collect."""
    async with (
        running_exchange(MEMBERS, settings, prepare) as running,
        AsyncExitStack() as open_,
        asyncio.TaskGroup() as tasks,
    ):
        collecting = await open_.enter_async_context(AsyncExitStack())
        clients = {
            code: await (collecting if code == RECEIVER else open_).enter_async_context(
                AgencyClient(running.exchange.agency_url(code), signer=None, report_arrival=False)
            )
            for code in (SENDER, RECEIVER, AWAY)
        }
        ledger = await asyncpg.connect(running.exchange.ledger_url)
        open_.push_async_callback(ledger.close)
        bus = await open_.enter_async_context(Bus(running.admin_url, name="administrator"))
        walk = Walk(clients, ledger)
        own = OfExchange(running, walk, bus)
        loops = [tasks.create_task(one) for one in (*(walk.hear(code) for code in clients), walk.receive())]
        await own.park(AWAY)
        await walk.send("first", AWAY)
        await own.until("select exists (select from parked_agency)")
        yield own, collecting
        for loop in loops:
            loop.cancel()


@asynccontextmanager
async def _signing(own: OfExchange, every: Sequence[Case]) -> AsyncIterator[dict[Holder, AgencyClient]]:
    """Have a document of each last state signed by a good key, and one by a revoked one, which nobody can know yet."""
    exchange = own.running.exchange
    holders: tuple[Holder, Holder] = ("agency", "revoked")
    async with AsyncExitStack() as open_:
        signers = {
            holder: await open_.enter_async_context(
                AgencyClient(
                    exchange.agency_url(SENDER), signer=exchange.credentials.key_files(SENDER, holder).signer()
                )
            )
            for holder in holders
        }
        chosen: dict[object, list[str]] = {}
        for case in every:
            chosen.setdefault(case.after, []).append(case.name)
            if case.role is not Role.DOCUMENT:
                chosen.setdefault((case.role, case.request_after), []).append(f"{case.name}/0")
        for names in chosen.values():
            own.walk.signers |= dict(zip(names, signers.values(), strict=False))
        yield signers


async def _walk_all(walk: Walk, every: Sequence[Case]) -> None:
    async with asyncio.TaskGroup() as sending:
        for case in every:
            sending.create_task(walk.send(case.name, case.receiver))
    await walk.hears({case.name: lambda case=case: walk.has(case) for case in every})  # type: ignore[misc]
    for number in range(max(len(case.way) for case in every)):
        await walk.lead([Caused(case, case.way[number], number) for case in every if len(case.way) > number])
    stands = await walk.stands()
    assert {case.name: stands[case.name] for case in every} == {case.name: case.stand for case in every}

    last = [Caused(case, case.event, len(case.way)) for case in every]
    await walk.cause(last)
    await walk.hears(
        {
            one.case.name: lambda one=one: (walk.is_refused if one.case.refused else walk.is_applied)(one)  # type: ignore[misc]
            for one in last
            if not one.case.waits
        }
    )
    reported = [one for one in last if one.event in STATUS_CODES]
    assert await walk.outcomes(reported) == {one.case.name: one.case.outcome.value for one in reported}
    # Whatever else an agency is told of what happened before, it is told before this.
    await walk.send("last")
    await walk.hears({"last": lambda: "last" in walk.delivered})
    assert {one.case.name for one in last if not one.case.waits and walk.is_refused(one)} == {
        case.name for case in every if case.refused
    }
    assert [one for one in reported if walk.times_told(one) != one.times] == []
    after, requests = await walk.stands(), await walk.requests()
    assert [case for case in every if after[case.name] != case.after] == []
    of_requests = [case for case in every if case.role is not Role.DOCUMENT]
    assert [case for case in of_requests if requests[f"{case.name}/0"] is not case.request_after] == []
