"""The exchange's own events, tried on everything that stands in a running exchange, whatever state it is in."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.end_to_end.life_cycle_walk import AWAY, RECEIVER, SECONDS, Case

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.document.life_cycle import RECORDED_STATES, Event, Pending, Role, State, StepOutcome, step
from lienthong.document.messages import DocumentToRoute, DocumentToVerify, Found, Lane
from lienthong.edxml import Business, BusinessType, Replacement
from lienthong.ledger.search import Search, Wanted
from lienthong.topology.names import DELIVERY, Step, delivery_queue
from lienthong.trust import DevelopmentAuthority
from lienthong.worker.answers import to_router, to_signature_verify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from tests.end_to_end.conftest import Running
    from tests.end_to_end.life_cycle_walk import Walk

    from lienthong.bus.messages import Incoming
    from lienthong.simulation.exchange import Exchange

LIMIT = 1000
"""From so many messages in a queue on its agency is parked: more than wait at any time for those who collect."""
PROVISIONAL = '[default]\nindeterminate = "provisional"\n'
HOLDING = '[default]\nindeterminate = "hold"\n'
NOWHERE = "Z99"
END = "the last message"
JUDGED = (Event.HOLD, Event.VERIFY, Event.STOP)
SENT = (Event.PARK, Event.DELIVER)
LOOK_SECONDS = 0.05
NUDGE_SECONDS = 0.5
MANY = 8
"""Of each state: together far more than are sent to an agency before the router looks at its queue."""
Pair = tuple[Role, State, Pending, Event]


@dataclass(frozen=True)
class Standing:
    """A document, or a request, and where it stands at one addressee, or before there is one."""

    document: UUID
    name: str
    addressee: str | None
    role: Role
    state: State
    pending: Pending

    def pair(self, event: Event) -> Pair:
        """Return what is tried when this happens to it."""
        return self.role, self.state, self.pending, event


class OfExchange:
    """Has the exchange do its own events again, as after a crash, or by the reasons it knows, and looks what changed.

    Args:
        running: the exchange.
        walk: whose documents stand in it.
        bus: the broker's administrator.
    """

    def __init__(self, running: Running, walk: Walk, bus: Bus) -> None:
        self.running, self.walk, self.bus, self.ledger = running, walk, bus, walk.ledger
        self.tried: set[Pair] = set()

    async def standing(self) -> dict[tuple[UUID, str | None], Standing]:
        """Return everything that stands in the exchange."""
        rows = await self.ledger.fetch(
            "select d.document, d.document_id, q.addressee, v.role, q.state, v.take_back, "
            "v.request is not null as asks from queued_delivery q join delivery v using (document, addressee) "
            "join document d using (document) "
            "union all select d.document, d.document_id, null, 'document', s.state, false, false from document d "
            "join document_state s using (document) "
            "where d.business = 0 and not exists (select from delivery v where v.document = d.document)"
        )
        found = {}
        for row in rows:
            pending = Pending.TAKE_BACK if row["take_back"] else Pending.UPDATE if row["asks"] else Pending.NOTHING
            role, state = Role(row["role"]), State(row["state"])
            one = Standing(row["document"], row["document_id"], row["addressee"], role, state, pending)
            found[one.document, one.addressee] = one
        return found

    async def named(self, prefix: str) -> list[Standing]:
        """Return what stands under DocumentIds that begin so."""
        return [one for one in (await self.standing()).values() if one.name.startswith(prefix)]

    async def until(self, query: str, *arguments: object) -> None:
        """Wait until the ledger says so."""
        async with asyncio.timeout(SECONDS):
            while not await self.ledger.fetchval(query, *arguments):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(LOOK_SECONDS)

    async def park(self, agency: str) -> None:
        """Fill an agency's queue, so that it is parked when the router looks at it next."""
        uncollected = [
            Outgoing(DELIVERY, agency, f"uncollected {number}", b"") for number in range(LIMIT + LIMIT // 10)
        ]
        assert set(await self.bus.publish_many(uncollected)) == {None}

    async def restart(self, policy: str) -> None:
        """Have the judges go by another policy."""
        self.running.exchange.credentials.policy.write_text(policy, encoding="utf-8")
        supervisor = self.running.supervisor
        before = supervisor.restarts[Step.SIGNATURE_VERIFY]
        os.kill(supervisor.pid(Step.SIGNATURE_VERIFY), signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            while supervisor.restarts[Step.SIGNATURE_VERIFY] == before:  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_SECONDS)
        await supervisor.ready()

    def signal(self, step: Step, number: signal.Signals) -> None:
        """Let a worker stand still, or go on."""
        os.kill(self.running.supervisor.pid(step), number)

    # A judgement again, which may hold, let go or stop.

    async def hold(self) -> None:
        """Have what is not known judged again by a policy that holds it: what was delivered meanwhile stays so."""
        before = await self.standing()
        now = await self.ledger.fetchval("select clock_timestamp()")
        rows = await self.ledger.fetch(
            # Locked in the order in which the judges do it.
            "update verification set judge_again_at = $1 where verification in (select verification from verification "
            "where judge_again_at is not null order by verification for update) returning document",
            now,
        )
        await self._judged_again({row["document"] for row in rows}, now)
        assert await self.standing() == before
        self._try((one for one in before.values() if one.document in {row["document"] for row in rows}), Event.HOLD)

    async def _judged_again(self, documents: Collection[UUID], since: object) -> None:
        await self.until(
            "select not exists (select from verification where document = any ($1::uuid[]) "
            "and (judge_again_at <= $2 or asked_at is not null))",
            documents,
            since,
        )
        assert (
            await self.ledger.fetchval(
                "select max(judgement) from verification where document = any ($1::uuid[])", documents
            )
            == 1
        )

    async def regain_trust(self) -> dict[UUID, Event]:
        """Have all be known; return what each judgement since says, by document."""
        rows = await self.ledger.fetch("select document from verification where judge_again_at is not null")
        await asyncio.to_thread(DevelopmentAuthority.load(self.running.exchange.credentials.folder).publish)
        documents = [row["document"] for row in rows]
        async with asyncio.timeout(SECONDS):
            while await self.ledger.fetchval(
                "select exists (select from verification where document = any ($1::uuid[]) "
                "and judge_again_at is not null)",
                documents,
            ):
                # On a slow machine some are judged before all judges know, and would wait for their next turn.
                await self.ledger.execute(
                    "update verification set judge_again_at = clock_timestamp() where verification in ("
                    "select verification from verification where asked_at is null "
                    "and judge_again_at > clock_timestamp() + interval '5 s' for update skip locked)"
                )
                await asyncio.sleep(NUDGE_SECONDS)
        judged = await self.ledger.fetch(
            "select document, value from verification where document = any ($1::uuid[]) and judgement = 2", documents
        )
        assert {row["document"] for row in judged} == set(documents)
        return {row["document"]: Event.STOP if row["value"] == "refused" else Event.VERIFY for row in judged}

    async def ask_judges(self, documents: Iterable[Standing], judgement: int) -> None:
        """Ask for a judgement once more."""
        rows = await self.ledger.fetch(
            "select document, sha256, user_name, received_at, lane from document where document = any ($1::uuid[])",
            [one.document for one in documents],
        )
        asked = [
            DocumentToVerify(
                document=row["document"],
                sha256=row["sha256"],
                user=row["user_name"],
                received_at=row["received_at"],
                lane=Lane(row["lane"]),
                judgement=judgement,
            )
            for row in rows
        ]
        assert set(await self.bus.publish_many([to_signature_verify(one) for one in asked])) == {None}

    # Routing again, which may park or deliver.

    async def route_again(self) -> None:
        """Have some be routed again as after a crash before the mark: no state changes, nothing withdrawn is sent."""
        before = await self.standing()
        waiting = "select count(*) from parked_delivery"
        parked = await self.ledger.fetchval(waiting)
        await self.collect(RECEIVER)
        await self.park(RECEIVER)
        some = _of_each(before.values(), MANY)
        for event, routed in ((Event.DELIVER, some), (Event.PARK, _of_each(some, 1))):
            await self._route({one.document for one in routed})
            self._try(routed, event)
            # By so many copies the router looks at the queue, so that the second time its agency is parked.
            await self.until("select exists (select from parked_agency where carrier = $1)", RECEIVER)
        assert await self.ledger.fetchval(waiting) == parked
        assert await self.standing() == before
        here = [one for one in some if one.addressee == RECEIVER]
        assert await self.collect(RECEIVER) == {str(one.document) for one in here if one.state is not State.WITHDRAWN}

    async def _route(self, documents: Collection[UUID]) -> None:
        await self.ledger.execute(
            "update routing set forwarded_at = null where outcome = 'routed' and document = any ($1::uuid[])", documents
        )
        # What is refused leaves no mark: it is over when those behind it are.
        rows = await self.ledger.fetch(
            "select document from routing where document = any ($1::uuid[]) order by outcome <> 'refused'", documents
        )
        assert set(await self.bus.publish_many(await self.tasks([row["document"] for row in rows]))) == {None}
        await self.until("select not exists (select from routing where forwarded_at is null)")

    async def tasks(self, documents: Sequence[UUID]) -> list[Outgoing]:
        """Return what asks the router to deliver these documents."""
        rows = await self.ledger.fetch(
            "select d.document, d.sha256, d.size, d.lane, v.verdict, v.value, v.vi, v.en "
            "from unnest($1::uuid[]) with ordinality as asked (document, place) join document d using (document) "
            "join verification v using (document) where v.judgement = 1 order by place",
            documents,
        )
        return [
            to_router(
                DocumentToRoute(
                    document=row["document"],
                    sha256=row["sha256"],
                    found=Found(verdict=row["verdict"], value=row["value"], vi=row["vi"], en=row["en"]),
                ),
                Lane(row["lane"]),
                row["size"],
            )
            for row in rows
        ]

    async def collect(self, agency: str, when: str = "select true", *arguments: object) -> set[str]:
        """Take everything out of an agency's queue until the ledger says so; return which documents were there."""
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
            taken = tasks.create_task(self._taken(agency))
            await self.until(when, *arguments)
            assert await self.bus.publish_many([Outgoing(DELIVERY, agency, END, b"")]) == [None]
        return {str(one.headers["document"]) for one in taken.result() if "document" in one.headers}

    async def _taken(self, agency: str) -> list[Incoming]:
        taken: list[Incoming] = []
        async with Bus(self.running.admin_url, name="collector") as bus:
            await bus.consume([delivery_queue(agency)], prefetch=LIMIT)
            while END not in {one.message_id for one in taken[-LIMIT:]}:
                taken += await bus.take(LIMIT, timeout=None)
                await bus.ack_through(taken[-1].queue, taken[-1].tag)
        return taken

    async def let_collect(self) -> None:
        """Empty the queue of who did not collect: what waited for it follows, but for what was withdrawn."""
        before = await self.standing()
        search = await Search.connect(self.running.exchange.ledger_url)
        found = {one.document for one in await search.find(Wanted(state=State.PARKED), limit=LIMIT)}
        await search.close()
        assert found == {one.document for one in before.values() if one.state is State.PARKED}
        is_over = "select not exists (select from parked_delivery where carrier = $1 and sent_at is null)"
        (first,) = await self.named("first")
        copies = await self.collect(AWAY, is_over, AWAY) - {str(first.document)}
        here = [one for one in before.values() if one.addressee == AWAY and one.name != "first"]
        assert copies == {str(one.document) for one in here if one.state is not State.WITHDRAWN}
        after = await self.standing()
        for one in here:
            done = step(one.state, Event.DELIVER, pending=one.pending, role=one.role)
            assert after[one.document, AWAY].state is done.state
        self._try((one for one in here if one.state is State.PARKED), Event.DELIVER)

    # Lapsing, of which only requests know.

    async def replace_all(self, cases: Iterable[Case]) -> None:
        """Replace documents: a request that was not answered has lapsed by that, and no other."""
        before = {one.name: one for one in (await self.standing()).values()}
        sent = {}
        for case in cases:
            business = Business(
                BusinessType.REPLACE, reason="sai", replacements=(Replacement(case.name, (case.receiver,)),)
            )
            sent[case.name] = await self.walk.send(f"{case.name}/replaces", case.receiver, business)
        await self.walk.hears(
            {
                name: lambda name=name, one=one: (
                    one.message_id in self.walk.refusals  # type: ignore[misc]
                    or f"{name}/replaces" in self.walk.waiting | self.walk.delivered
                )
                for name, one in sent.items()
            }
        )
        after = {one.name: one for one in (await self.standing()).values()}
        for name, one in sent.items():
            head, request = before[name], before[f"{name}/0"]
            done = step(head.state, Event.REPLACE, pending=head.pending)
            assert (one.message_id in self.walk.refusals) == (done.outcome is StepOutcome.ILLEGAL)
            lapsed = step(request.state, Event.LAPSE, role=request.role).state
            assert after[f"{name}/0"].state is lapsed
            self._try([request], Event.LAPSE)

    async def guarded(self) -> None:
        """No worker could write that a document has lapsed, nor that it is where it was before it was delivered."""
        examples = {(one.role, one.state, one.pending): one for one in (await self.standing()).values()}
        for one in examples.values():
            never = [state for state in State if state not in RECORDED_STATES]
            for state in (State.LAPSED, *never) if one.role is Role.DOCUMENT else never:
                for role in ("lienthong_router", "lienthong_status_tracker"):
                    await self._is_refused(one, state, role)
        self._try((one for one in examples.values() if one.role is Role.DOCUMENT), Event.LAPSE)

    async def _is_refused(self, one: Standing, state: State, role: str) -> None:
        write = self.ledger.transaction()
        await write.start()
        try:
            await self.ledger.execute(f"set local role {role}")
            query = "update delivery set state = $2 where document = $1"
            if one.addressee is None:
                assert await self.ledger.execute(query, one.document, state) == "UPDATE 0"
            else:
                with pytest.raises(asyncpg.CheckViolationError):
                    await self.ledger.execute(query, one.document, state)
        finally:
            await write.rollback()

    def _try(self, standing: Iterable[Standing], *events: Event) -> None:
        self.tried |= {one.pair(event) for one in standing for event in events}


def _of_each(standing: Iterable[Standing], count: int) -> list[Standing]:
    """Return so many of what stands in each state."""
    found: dict[object, list[Standing]] = {}
    for one in standing:
        found.setdefault((one.role, one.state, one.pending, one.addressee), []).append(one)
    return [one for some in found.values() for one in some[:count]]


def lose_trust(exchange: Exchange) -> None:
    """Have judges deliver what they cannot know, and nothing say whether a certificate was revoked."""
    exchange.credentials.policy.write_text(PROVISIONAL, encoding="utf-8")
    for file in (exchange.credentials.trust_folder / "crls").iterdir():
        file.unlink()
