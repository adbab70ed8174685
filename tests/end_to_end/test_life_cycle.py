"""Every event in every state of the life cycle, against a running exchange."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
from tests.end_to_end.life_cycle_walk import (
    AWAY,
    MEMBERS,
    RECEIVER,
    REQUESTS,
    SECONDS,
    SENDER,
    Caused,
    Walk,
    cases,
    only_strict,
    ways,
)

from lienthong.agency import AgencyClient
from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.document.life_cycle import RECORDED_STATES, STATUS_CODES, Role, State, states_of
from lienthong.topology.names import DELIVERY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tests.end_to_end.conftest import Running, RunningExchange
    from tests.end_to_end.life_cycle_walk import Case

LIMIT = 1000
"""More than wait at any time for those who collect."""
SETTINGS = {"LIENTHONG_PARKING_LIMIT": str(LIMIT)}
STRICT = {"LIENTHONG_LIFE_CYCLE_PROFILE": "strict"}


async def test_every_event_in_every_state(running_exchange: RunningExchange) -> None:
    """The exchange answers as the published table says: applied and told, said before, or refused, changing nothing."""
    assert {state for state, _ in ways()} == set(RECORDED_STATES) - {State.PARKED, *_only_of_requests()}
    assert all(set(states_of(Role(asks))) == set(REQUESTS) for asks in ("update", "withdraw"))
    async with _walking(running_exchange, SETTINGS) as (_, walk):
        await _walk_all(walk, cases())


async def test_the_strict_profile_where_it_differs(running_exchange: RunningExchange) -> None:
    """A status that leaves steps out is refused, in every state where real traffic leaves some out."""
    every = only_strict()
    assert {case.event for case in every} == {"03", "05", "06"}
    async with _walking(running_exchange, SETTINGS | STRICT) as (_, walk):
        await _walk_all(walk, every)


def _only_of_requests() -> set[State]:
    return set(states_of(Role.UPDATE)) - set(states_of(Role.DOCUMENT))


@asynccontextmanager
async def _walking(
    running_exchange: RunningExchange, settings: Mapping[str, str]
) -> AsyncIterator[tuple[Running, Walk]]:
    """Run an exchange in which `AWAY` is parked."""
    async with running_exchange(MEMBERS, settings) as running, AsyncExitStack() as open_, asyncio.TaskGroup() as tasks:
        clients = {
            code: await open_.enter_async_context(
                AgencyClient(running.exchange.agency_url(code), signer=None, report_arrival=False)
            )
            for code in (SENDER, RECEIVER, AWAY)
        }
        ledger = await asyncpg.connect(running.exchange.ledger_url)
        open_.push_async_callback(ledger.close)
        walk = Walk(clients, ledger)
        loops = [tasks.create_task(one) for one in (*(walk.hear(code) for code in clients), walk.receive())]
        await _park(running, walk)
        yield running, walk
        for loop in loops:
            loop.cancel()


async def _park(running: Running, walk: Walk) -> None:
    """Have the exchange find that an agency does not collect."""
    async with Bus(running.admin_url, name="fill a queue") as bus:
        uncollected = [Outgoing(DELIVERY, AWAY, f"uncollected {number}", b"") for number in range(LIMIT)]
        assert set(await bus.publish_many(uncollected)) == {None}
    await walk.send("first", AWAY)
    async with asyncio.timeout(SECONDS):
        while await walk.ledger.fetchval("select count(*) from parked_agency") == 0:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


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
    assert {one.case.name for one in last if walk.is_refused(one)} == {case.name for case in every if case.refused}
    assert [one for one in reported if walk.times_told(one) != one.times] == []
    after, requests = await walk.stands(), await walk.requests()
    assert [case for case in every if after[case.name] != case.after] == []
    of_requests = [case for case in every if case.role is not Role.DOCUMENT]
    assert [case for case in of_requests if requests[f"{case.name}/0"] is not case.request_after] == []
