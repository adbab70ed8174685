"""What has to exist on the broker, as data: declared the same way by the operator's command, the workers and the tests.

Queues are quorum queues: from RabbitMQ 4 on only their publisher confirms mean "on disk". What versions default
differently (delivery limit, dead-lettering) is always set here.

The broker itself takes a message out of a lane in three cases: it came back too often, perhaps only because it stood
beside one that kills its worker; its publisher gave it a time to live (AMQP ``expiration``), which no queue can forbid;
or ingest puts it aside, because its sender sends very much at once. Either way the message is intact and nobody has
been answered. So it goes to a queue of the same step that is consumed like a lane, without its expiry (ingest's
slowly), and only what comes back too often from there as well is a dead letter.

An agency's code stands in the routing keys it publishes with. When it sends more than it may, its keys are bound for a
while to a short queue beside ingest's lanes, where it is refused, slowly: what does not fit the broker rejects, so that
a flood stands before nobody, piles up nowhere, and costs little more than the line it comes by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lienthong.document.messages import Lane
from lienthong.topology.names import (
    DEAD,
    DELIVERY,
    QUARANTINE,
    RETRY_SECONDS,
    STATUS,
    SUBMISSION,
    SUBMISSION_SHARED,
    WORK,
    Step,
    SubmissionKey,
    dead_queue,
    delivery_queue,
    diverted_queue,
    retry_exchange,
    returned_key,
    returned_queue,
    status_binding,
    status_queue,
    submission_key,
    work_key,
    work_queue,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AGENCY_DEAD_QUEUE",
    "DIVERTED_KEYS",
    "Binding",
    "Exchange",
    "Permissions",
    "Plan",
    "Queue",
    "TopicPermissions",
    "agency_permissions",
    "agency_plan",
    "agency_topic_permissions",
    "diverting",
    "exchange_plan",
    "lanes",
    "step_queues",
]

WORK_DELIVERY_LIMIT = 40
"""Far above what halving a redelivered batch of 100 down to singles takes (8), so that only real poison reaches it."""
AGENCY_DELIVERY_LIMIT = 1_000_000
"""An agency may fail for as long as it likes: its documents wait for it."""
KEPT_DELIVERY_LIMIT = 1_000_000
"""Looking at a dead letter counts as a delivery, and RabbitMQ 4 drops a message after 20 of them by default."""

DIVERTED_MESSAGES = 100
"""So many of whom sends more than it may wait to be refused in words; more the broker itself rejects."""
DIVERTED_BYTES = 256 * 1024 * 1024
DIVERTED_KEYS = (SubmissionKey.DOCUMENT, SubmissionKey.DOCUMENT_URGENT)
"""What of an agency that sends too many documents is diverted: its statuses are not."""

AGENCY_DEAD_KEY = "agency"
AGENCY_DEAD_QUEUE = f"dead.{AGENCY_DEAD_KEY}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange with its arguments."""

    name: str
    type: Literal["direct", "topic"]
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue with its arguments."""

    name: str
    arguments: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue's binding to an exchange."""

    exchange: str
    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Exchanges, queues and bindings, in the order they can be declared."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.exchanges + other.exchanges, self.queues + other.queues, self.bindings + other.bindings)


@dataclass(frozen=True, slots=True)
class Permissions:
    """RabbitMQ's three regular expressions for one user."""

    configure: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class TopicPermissions:
    """RabbitMQ's regular expressions for the routing keys of one user on one topic exchange."""

    exchange: str
    write: str
    read: str


def lanes(step: Step) -> tuple[Lane, ...]:
    """Return a step's lanes, the one served first in front; only the way of a document has an urgent one."""
    if step in (Step.INGEST, Step.SIGNATURE_VERIFY, Step.ROUTER):
        return (Lane.URGENT, Lane.ORDINARY)
    return (Lane.ORDINARY,)


def step_queues(step: Step) -> tuple[str, ...]:
    """Return every queue a step's worker takes from, the one served first in front."""
    diverted = (diverted_queue(step),) if step is Step.INGEST else ()
    return (*(work_queue(step, lane) for lane in lanes(step)), *diverted, returned_queue(step))


def exchange_plan() -> Plan:
    """Return everything that does not belong to one agency."""
    exchanges = (
        Exchange(SUBMISSION_SHARED, "topic"),
        Exchange(SUBMISSION, "topic", {"alternate-exchange": SUBMISSION_SHARED}),
        Exchange(STATUS, "topic"),
        Exchange(DELIVERY, "direct"),
        # Of topics, though no key has a wildcard: RabbitMQ limits a user's routing keys on no other kind.
        Exchange(WORK, "topic"),
        Exchange(DEAD, "topic"),
        Exchange(QUARANTINE, "direct"),
        *(Exchange(retry_exchange(seconds), "topic") for seconds in RETRY_SECONDS),
    )
    diverted = _work_arguments(returned_key(Step.INGEST, Lane.ORDINARY)) | {
        "x-max-length": DIVERTED_MESSAGES,
        "x-max-length-bytes": DIVERTED_BYTES,
    }
    queues = [
        Queue(QUARANTINE, _kept()),
        Queue(AGENCY_DEAD_QUEUE, _kept()),
        Queue(diverted_queue(Step.INGEST), diverted),
    ]
    bindings = [
        Binding(QUARANTINE, QUARANTINE, QUARANTINE),
        Binding(DEAD, AGENCY_DEAD_QUEUE, AGENCY_DEAD_KEY),
        # Whatever stands before it: also nothing, as the version before has it.
        Binding(SUBMISSION_SHARED, work_queue(Step.INGEST), f"#.{SubmissionKey.DOCUMENT}"),
        Binding(SUBMISSION_SHARED, work_queue(Step.INGEST, Lane.URGENT), f"#.{SubmissionKey.DOCUMENT_URGENT}"),
        Binding(SUBMISSION_SHARED, work_queue(Step.STATUS_TRACKER), f"#.{SubmissionKey.STATUS}"),
    ]
    for step in Step:
        queues += [Queue(dead_queue(step), _kept()), Queue(returned_queue(step), _work_arguments(step))]
        bindings.append(Binding(DEAD, dead_queue(step), step))
        for lane in lanes(step):
            queues.append(Queue(work_queue(step, lane), _work_arguments(returned_key(step, lane))))
            bindings.append(Binding(WORK, work_queue(step, lane), work_key(step, lane)))
            bindings.append(Binding(DEAD, returned_queue(step), returned_key(step, lane)))
    for seconds in RETRY_SECONDS:
        queues.append(Queue(retry_exchange(seconds), _rung_arguments(seconds)))
        bindings.append(Binding(retry_exchange(seconds), retry_exchange(seconds), "#"))
    return Plan(exchanges, tuple(queues), tuple(bindings))


def agency_plan(agency: str) -> Plan:
    """Return the two queues of a connected agency and their bindings."""
    arguments = _quorum() | _dead_letters(AGENCY_DEAD_KEY) | {"x-delivery-limit": AGENCY_DELIVERY_LIMIT}
    return Plan(
        queues=(Queue(delivery_queue(agency), arguments), Queue(status_queue(agency), arguments)),
        bindings=(
            Binding(DELIVERY, delivery_queue(agency), agency),
            Binding(STATUS, status_queue(agency), status_binding(agency)),
        ),
    )


def diverting(agency: str, key: SubmissionKey) -> Binding:
    """Return the binding that is there while what an agency publishes with a key does not come by ingest's lanes.

    Args:
        agency: its code.
        key: one for documents.
    """
    return Binding(SUBMISSION, diverted_queue(Step.INGEST), submission_key(agency, key))


def agency_permissions(agency: str) -> Permissions:
    """Return what an agency may do on the broker: write submissions, read its two queues, configure nothing."""
    return Permissions(
        configure="^$", write=f"^{SUBMISSION}$", read=rf"^agency\.{re.escape(agency)}\.(delivery|status)$"
    )


def agency_topic_permissions(agency: str) -> tuple[TopicPermissions, ...]:
    """Return with which keys an agency may publish: on ``submission`` its own, on ``status`` none.

    A key without a code is one of the version before, and still allowed. `agency_permissions` bars an agency from
    ``status`` anyway, as from every exchange but one. RabbitMQ allows every key where there is no entry, so this one is
    there for the day on which somebody widens the other.
    """
    keys = "|".join(map(re.escape, SubmissionKey))
    return (
        TopicPermissions(SUBMISSION, write=rf"^({re.escape(agency)}\.)?({keys})$", read="^$"),
        TopicPermissions(STATUS, write="^$", read="^$"),
    )


def _quorum() -> dict[str, str | int]:
    return {"x-queue-type": "quorum"}


def _kept() -> dict[str, str | int]:
    return _quorum() | {"x-delivery-limit": KEPT_DELIVERY_LIMIT}


def _dead_letters(key: str) -> dict[str, str | int]:
    # At-least-once needs reject-publish; without a length limit that never rejects.
    return {
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": key,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _work_arguments(dead_key: str) -> dict[str, str | int]:
    return _quorum() | _dead_letters(dead_key) | {"x-delivery-limit": WORK_DELIVERY_LIMIT}


def _rung_arguments(seconds: float) -> dict[str, str | int]:
    # No dead-letter routing key: an expired message keeps its own, which names the lane it came from.
    return _quorum() | {
        "x-message-ttl": round(seconds * 1000),
        "x-dead-letter-exchange": WORK,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
