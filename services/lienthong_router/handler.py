"""From a verified document to one delivery for each addressee."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lienthong.document import reasons
from lienthong.document.life_cycle import State
from lienthong.document.messages import DocumentToRoute, Lane
from lienthong.ledger.parking import ParkedRow
from lienthong.ledger.rows import DeliveryRow, Mark, RecordedDocument, RecordedRouting, RefusalRow, RoutingRow
from lienthong.topology.names import Step
from lienthong.topology.plan import agency_plan
from lienthong.worker.answers import refusal_row, refuse, to_notifier, to_receivers
from lienthong.worker.handler import Milestone, Outcome
from lienthong.worker.notices import delivered, waiting
from lienthong_router.earlier import Earlier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from lienthong.bus.messages import Incoming
    from lienthong.errors import Problem, Unavailable
    from lienthong.ledger.directory import Directory
    from lienthong.ledger.unit import Unit
    from lienthong.payload import PayloadStore
    from lienthong.topology.plan import Plan

__all__ = ["RouteDocument", "resolve"]

MOST_CARRIERS = 2000
"""Most queues one publish names: all headers must fit into one AMQP frame (128 KiB), a code takes up to 40 bytes."""


@dataclass(frozen=True, slots=True)
class Routable:
    """A document to route, with its payload as the sender submitted it."""

    task: DocumentToRoute
    body: bytes


class RouteDocument:
    """Resolve the addressees, record the deliveries, fan out with one publish.

    Args:
        store: where payloads are.
        declare: makes an agency's queues.
        note: is told into whose queues something is put; see `lienthong_router.parking`.
    """

    step = Step.ROUTER

    def __init__(
        self,
        store: PayloadStore,
        declare: Callable[[Plan], Awaitable[None]],
        note: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._declare = declare
        self._note = note
        self._declared: set[str] = set()

    async def decide(self, message: Incoming) -> Routable:
        """Fetch the payload; `Unavailable` when it is not to be had."""
        task = DocumentToRoute.model_validate_json(message.body)
        return Routable(task, await self._store.get(task.sha256))

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, Routable]]) -> Sequence[Outcome | Unavailable]:
        """Record who gets each document and what it does to those before it, or why nobody gets it."""
        keys = {item.task.document for _, item in batch}
        documents = await unit.documents(keys)
        before = await unit.routings(keys)
        routings, problems, early = await self._route(unit, batch, documents, before)
        refusals = {
            key: _refusal(documents[key], problems.get(key, ()))
            for key, routing in routings.items()
            if routing.outcome == "refused"
        }
        answers = await refuse(unit, list(refusals.values()))
        carriers = {one.carrier for routing in routings.values() for one in routing.deliveries if not one.parked}
        await self._declare_queues(carriers)
        outcomes: list[Outcome | Unavailable] = []
        leaving: set[UUID] = set()
        for _, item in batch:
            key = item.task.document
            if key in early:
                outcomes.append(early[key])
            elif key in refusals:
                outcomes.append(replace(answers[refusals[key].refusal], document=key))
            elif routings[key].forwarded_at is not None or key in leaving:
                outcomes.append(Outcome(document=key))
            else:
                leaving.add(key)
                outcomes.append(self._deliver(documents[key], routings[key], item))
        return outcomes

    async def _route(
        self,
        unit: Unit,
        batch: Sequence[tuple[Incoming, Routable]],
        documents: dict[UUID, RecordedDocument],
        before: dict[UUID, RecordedRouting],
    ) -> tuple[dict[UUID, RecordedRouting], dict[UUID, list[Problem]], dict[UUID, Unavailable]]:
        """Route what was not routed before, in the order of the batch.

        Returns:
            By document: its routing, what is wrong with it, and what it waits for.
        """
        new = [one for key, one in documents.items() if key not in before]
        earlier = await Earlier.look_up(unit, new)
        # Once more, now that what they act on is locked: another worker may have had the same document in hand.
        before = before | await unit.routings({one.document for one in new if one.business})
        fresh: dict[UUID, RoutingRow] = {}
        problems: dict[UUID, list[Problem]] = {}
        early: dict[UUID, Unavailable] = {}
        for message, item in batch:
            key = item.task.document
            if key in before or key in fresh or key in early:
                continue
            wait = earlier.waits_for(documents[key], message.attempts)
            if wait is not None:
                early[key] = wait
                continue
            deliveries, problems[key] = resolve(documents[key], unit.directory)
            acted = earlier.act(documents[key], deliveries) if not problems[key] else None
            problems[key] += acted.problems if acted else ()
            if acted is None or problems[key]:
                fresh[key] = RoutingRow(key, "refused")
            else:
                fresh[key] = RoutingRow(key, "routed", acted.deliveries, acted.actions)
        rows = list(fresh.values())
        routings = before | await unit.record_routings(rows, await _parked(unit, rows, documents))
        await unit.update_deliveries(earlier.changed)
        await unit.settle_actions(earlier.settled)
        return routings, problems, early

    async def _declare_queues(self, carriers: set[str]) -> None:
        # The broker reports a publish that reached no queue, but not one of several queues that is missing: so this
        # worker addresses only queues that it has declared itself.
        for code in sorted(carriers - self._declared):
            await self._declare(agency_plan(code))
            self._declared.add(code)

    def _deliver(self, document: RecordedDocument, routing: RecordedRouting, item: Routable) -> Outcome:
        there = [delivery for delivery in routing.deliveries if not delivery.parked]
        # What was withdrawn meanwhile is not handed out any more.
        carriers = sorted({delivery.carrier for delivery in there if delivery.state != State.WITHDRAWN})
        self._note(carriers)
        parts = [carriers[start : start + MOST_CARRIERS] for start in range(0, len(carriers), MOST_CARRIERS)]
        # One id for all parts: each queue is in one of them only.
        deliveries = tuple(to_receivers(document, part, item.task.found, item.body) for part in parts)
        is_parked = any(delivery.parked for delivery in routing.deliveries)
        notice = (waiting if is_parked else delivered)(document, routing.deliveries, datetime.now(UTC))
        # The sender is told only what is so: the notice leaves when the broker has confirmed the delivery.
        return Outcome(
            deliveries,
            Mark("routing", document.document),
            then=(to_notifier(notice),),
            document=document.document,
            milestone=None if is_parked else Milestone("delivered", document.lane, document.received_at),
        )


def resolve(document: RecordedDocument, directory: Directory) -> tuple[tuple[DeliveryRow, ...], list[Problem]]:
    """Return a delivery for each addressee, and everything that is wrong with the addressees; pure."""
    deliveries: dict[str, DeliveryRow] = {}
    problems: list[Problem] = []
    for position, written in enumerate(document.addressees, 1):
        agency = directory.resolve(written)
        if agency is None:
            problems.append(reasons.addressee_unknown(written, position))
            continue
        carrier = directory.carrier(agency)
        if agency.code in deliveries:
            problems.append(reasons.addressee_twice(written, deliveries[agency.code].written, position))
        elif agency.stage == "suspended":
            problems.append(reasons.addressee_suspended(written, agency.name, position))
        elif carrier is None:
            problems.append(reasons.addressee_not_connected(written, agency.name, position))
        elif carrier.stage == "trial" and not document.test:
            problems.append(reasons.addressee_on_trial(written, agency.name, position))
        elif carrier.stage != "trial" and document.test and not document.flagged:
            problems.append(reasons.addressee_official(written, agency.name, position))
        else:
            deliveries[agency.code] = DeliveryRow(document.document, agency.code, written, carrier.code)
    return tuple(deliveries.values()), problems


def _refusal(document: RecordedDocument, problems: Iterable[Problem]) -> RefusalRow:
    submission = (document.user_name, document.message_id)
    return refusal_row(Step.ROUTER, "document", submission, document.sha256, problems, document.document_id)


async def _parked(
    unit: Unit, rows: Sequence[RoutingRow], documents: Mapping[UUID, RecordedDocument]
) -> list[ParkedRow]:
    """Return what has to wait, because its carrier does not collect."""
    parked = await unit.parking.among({one.carrier for row in rows for one in row.deliveries})
    wanted = {(row.document, one.carrier): None for row in rows for one in row.deliveries if one.carrier in parked}
    return [
        ParkedRow(document, carrier, documents[document].lane == Lane.URGENT, ordinal)
        for ordinal, (document, carrier) in enumerate(wanted)
    ]
