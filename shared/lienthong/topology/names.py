"""The names on the broker. Public ones (what an agency touches) are a contract; the rest is ours.

An agency writes to exchange ``submission``, with its own code in front of the key, and reads ``agency.<code>.delivery``
and ``agency.<code>.status``.
"""

from __future__ import annotations

from enum import StrEnum

from lienthong.document.messages import Lane

__all__ = [
    "DEAD",
    "DELIVERY",
    "QUARANTINE",
    "RETRY_SECONDS",
    "STATUS",
    "SUBMISSION",
    "SUBMISSION_SHARED",
    "WORK",
    "Header",
    "Step",
    "SubmissionKey",
    "dead_queue",
    "delivery_queue",
    "diverted_queue",
    "retry_exchange",
    "returned_key",
    "returned_queue",
    "status_binding",
    "status_key",
    "status_queue",
    "submission_key",
    "work_key",
    "work_queue",
]

SUBMISSION = "submission"
"""Topic exchange that agencies publish to, with a `submission_key`; only keys of agencies that are diverted are bound.

What comes with any other goes on to `SUBMISSION_SHARED`.
"""
SUBMISSION_SHARED = "submission.shared"
"""Topic exchange of what comes in from agencies that are not diverted."""
STATUS = "status"
"""Topic exchange of everything a sender is told; see `status_key`."""
DELIVERY = "delivery"
"""Direct exchange from which the router reaches delivery queues; the key is the agency's code."""
WORK = "work"
"""Topic exchange between workers; see `work_key`."""
DEAD = "dead"
"""Topic exchange of dead letters; the key is the step, or a `returned_key` for what is driven again by itself."""
QUARANTINE = "quarantine"
"""Direct exchange and queue of messages nobody can be answered for."""

OWN = "lienthong"
"""Stands where an agency's code would, in routing keys of what the exchange itself says."""

RETRY_SECONDS = (0.5, 10.0, 60.0, 600.0)
"""The rungs of the retry ladder: a queue each, with one constant TTL (expiry in RabbitMQ is head-first)."""


class Step(StrEnum):
    """The five workers, by the step they do."""

    INGEST = "ingest"
    SIGNATURE_VERIFY = "signature-verify"
    ROUTER = "router"
    STATUS_TRACKER = "status-tracker"
    NOTIFIER = "notifier"


class SubmissionKey(StrEnum):
    """What an agency submits: how routing keys of exchange ``submission`` end; see `submission_key`."""

    DOCUMENT = "document"
    DOCUMENT_URGENT = "document.urgent"
    STATUS = "status"


class Header(StrEnum):
    """AMQP headers of the wire contract."""

    SHA256 = "content-sha256"
    SUBMITTED_AT = "submitted-at"
    DOCUMENT = "document"
    DOCUMENT_ID = "document-id"
    SENDER = "sender"
    RECEIVER = "receiver"
    BUSINESS = "business"
    TEST = "test"
    STATUS_CODE = "status-code"
    VERDICT = "verdict"
    VALUE = "value"
    FOUND_VI = "found-vi"
    FOUND_EN = "found-en"
    PAYLOAD_BYTES = "payload-bytes"
    ATTEMPT = "attempt"
    REASON = "reason"


def submission_key(agency: str, key: SubmissionKey) -> str:
    """Return the routing key of exchange ``submission`` with which an agency publishes.

    Args:
        agency: its code: its user name on the broker, which lets it publish with no other.
        key: what it submits.
    """
    return f"{agency}.{key}"


def work_key(step: Step, lane: Lane = Lane.ORDINARY) -> str:
    """Return the routing key of a step's lane on exchange ``work``."""
    return str(step) if lane is Lane.ORDINARY else f"{step}.{lane}"


def work_queue(step: Step, lane: Lane = Lane.ORDINARY) -> str:
    """Return the name of a step's work queue."""
    return f"work.{work_key(step, lane)}"


def dead_queue(step: Step) -> str:
    """Return the name of a step's dead-letter queue."""
    return f"dead.{step}"


def returned_key(step: Step, lane: Lane) -> str:
    """Return the key on exchange ``dead`` of what the broker itself took out of a step's lane."""
    return f"{work_key(step, lane)}.returned"


def returned_queue(step: Step) -> str:
    """Return the queue in which a step gets again what the broker took out of its lanes: expired, or too often back."""
    return f"work.{step}.returned"


def diverted_queue(step: Step) -> str:
    """Return the queue that takes in, instead of a step's lanes, what agencies publish that send more than they may."""
    return f"work.{step}.diverted"


def retry_exchange(seconds: float) -> str:
    """Return the name of a rung of the retry ladder: its exchange and its queue are called alike."""
    return f"retry.{seconds:g}s"


def delivery_queue(agency: str) -> str:
    """Return the queue a connected agency reads its documents from."""
    return f"agency.{agency}.delivery"


def status_queue(agency: str) -> str:
    """Return the queue a connected agency reads receipts, refusals and statuses from."""
    return f"agency.{agency}.status"


def status_key(agency: str, about: str, what: str) -> str:
    """Return the routing key on exchange ``status``.

    Args:
        agency: whom it is told to: the sender of the document, canonical code.
        about: which receiver it is about, canonical code; `OWN` for what the exchange itself says.
        what: ``receipt``, ``verified``, ``refusal``, ``waiting``, ``delivered``, ``deadline`` or a status code.
    """
    return f"from.{agency}.to.{about}.{what}"


def status_binding(agency: str) -> str:
    """Return the binding of an agency's status queue: all that is told to itself, and to nobody below it."""
    return f"from.{agency}.to.#"
