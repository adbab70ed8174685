"""From a verified document to one delivery for each addressee."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from lienthong.document import reasons
from lienthong.document.messages import DocumentToRoute
from lienthong.ledger.rows import DeliveryRow, Mark, RecordedDocument, RecordedRouting, RefusalRow, RoutingRow
from lienthong.topology.names import Step
from lienthong.topology.plan import agency_plan
from lienthong.worker.answers import refusal_row, refuse, to_notifier, to_receivers
from lienthong.worker.handler import Outcome
from lienthong.worker.notices import delivered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from uuid import UUID

    from lienthong.bus.messages import Incoming
    from lienthong.errors import Problem
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
    """Resolve the addressees, record the deliveries, fan out with one publish."""

    step = Step.ROUTER

    def __init__(self, store: PayloadStore, declare: Callable[[Plan], Awaitable[None]]) -> None:
        self._store = store
        self._declare = declare
        self._declared: set[str] = set()

    async def decide(self, message: Incoming) -> Routable:
        """Fetch the payload; `Unavailable` when it is not to be had."""
        task = DocumentToRoute.model_validate_json(message.body)
        return Routable(task, await self._store.get(task.sha256))

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, Routable]]) -> Sequence[Outcome]:
        """Record who gets each document, or why nobody does."""
        keys = {item.task.document for _, item in batch}
        documents = await unit.documents(keys)
        before = await unit.routings(keys)
        problems: dict[UUID, list[Problem]] = {}
        fresh = []
        for key in keys - before.keys():
            deliveries, problems[key] = resolve(documents[key], unit.directory)
            outcome: Literal["routed", "refused"] = "refused" if problems[key] else "routed"
            fresh.append(RoutingRow(key, outcome, () if problems[key] else deliveries))
        routings = before | await unit.record_routings(fresh)
        refusals = {
            key: _refusal(documents[key], problems.get(key, ()))
            for key, routing in routings.items()
            if routing.outcome == "refused"
        }
        answers = await refuse(unit, list(refusals.values()))
        await self._declare_queues({one.carrier for routing in routings.values() for one in routing.deliveries})
        outcomes = []
        leaving: set[UUID] = set()
        for _, item in batch:
            key = item.task.document
            if key in refusals:
                outcomes.append(answers[refusals[key].refusal])
            elif routings[key].forwarded_at is not None or key in leaving:
                outcomes.append(Outcome())
            else:
                leaving.add(key)
                outcomes.append(_deliver(documents[key], routings[key], item))
        return outcomes

    async def _declare_queues(self, carriers: set[str]) -> None:
        # The broker reports a publish that reached no queue, but not one of several queues that is missing: so this
        # worker addresses only queues that it has declared itself.
        for code in sorted(carriers - self._declared):
            await self._declare(agency_plan(code))
            self._declared.add(code)


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
        else:
            deliveries[agency.code] = DeliveryRow(document.document, agency.code, written, carrier.code)
    return tuple(deliveries.values()), problems


def _refusal(document: RecordedDocument, problems: Iterable[Problem]) -> RefusalRow:
    submission = (document.user_name, document.message_id)
    return refusal_row(Step.ROUTER, "document", submission, document.sha256, problems, document.document_id)


def _deliver(document: RecordedDocument, routing: RecordedRouting, item: Routable) -> Outcome:
    carriers = sorted({delivery.carrier for delivery in routing.deliveries})
    parts = [carriers[start : start + MOST_CARRIERS] for start in range(0, len(carriers), MOST_CARRIERS)]
    # One id for all parts: each queue is in one of them only.
    deliveries = tuple(to_receivers(document, part, item.task.found, item.body) for part in parts)
    notice = delivered(document, routing.deliveries, datetime.now(UTC))
    # The sender is told only what is so: the notice leaves when the broker has confirmed the delivery.
    return Outcome(deliveries, Mark("routing", document.document), then=(to_notifier(notice),))
