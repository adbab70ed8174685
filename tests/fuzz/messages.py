"""Messages: edXML as documents and as statuses, and the JSON between workers."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from tests.fuzz.promises import SMALL, demand, demand_problems, demand_publishable, demand_text

from lienthong import edxml
from lienthong.bus.messages import Incoming
from lienthong.document.life_cycle import (
    STATUS_CODES,
    Event,
    Pending,
    Role,
    State,
    StepOutcome,
    is_ahead,
    states_of,
    step,
)
from lienthong.document.messages import DocumentToRoute, DocumentToVerify, NoticeToSend, decode_notice
from lienthong.edxml.media import extension
from lienthong.errors import Refusal
from lienthong.topology.names import Step
from lienthong.worker.answers import quarantine, refusal_row
from lienthong.worker.submissions import examine, quarantined_row, submission_row, submitted_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

__all__ = ["check_edxml", "check_internal", "check_status", "check_submission"]

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
KINDS: tuple[Literal["document", "status"], ...] = ("document", "status")


def check_edxml(data: bytes) -> None:
    """Either read or refused, in both profiles; what was read can be written, and reads the same again."""
    if len(data) > SMALL:  # what reading costs is the question then, not what this comparison costs
        for profile in edxml.Profile:
            _check_inspection(edxml.inspect(data, profile=profile))
        return
    lenient = _inspected(data, edxml.Profile.LENIENT)
    strict = _inspected(data, edxml.Profile.STRICT)
    demand(strict is None or lenient == strict, "the lenient profile reads what the strict one reads")
    files = lenient.attachments if isinstance(lenient, edxml.Document) else ()
    if lenient is None or sum(len(one.content) for one in files) > SMALL:
        return
    edxml.check(lenient, edxml.Profile.STRICT)
    again = edxml.decode(edxml.encode(lenient))
    # A name without an extension gets one, which may tell its media type: see `lienthong.edxml.encode`.
    named = all(extension(one.name) for one in files)
    demand(again == lenient or not named, "what is written reads as the same message")
    demand(edxml.decode(edxml.encode(again)) == again, "what is written again reads as the same message")


def _inspected(data: bytes, profile: edxml.Profile) -> edxml.Document | edxml.Status | None:
    inspection = edxml.inspect(data, profile=profile)
    _check_inspection(inspection)
    try:
        message = edxml.decode(data, profile=profile)
    except Refusal as refusal:
        demand(refusal.problems == inspection.problems, "a refusal names what the inspection found")
        return None
    demand(message == inspection.message, "decode reads what inspect reads")
    return message


def _check_inspection(inspection: edxml.Inspection) -> None:
    demand((inspection.message is None) == bool(inspection.problems), "a message, or the reasons why there is none")
    demand_problems((*inspection.problems, *inspection.warnings))


def check_status(data: bytes) -> None:
    """A submitted status is examined, keyed and answered, whatever it is; its code moves a delivery by the table."""
    digest = sha256(data).digest()
    message = Incoming(
        *("work.status-tracker", 1, data, "m1", "H23", "status", {"content-sha256": digest.hex()}),
        *("application/edxml+xml", None, 0, NOW),
    )
    check_submission(message)
    status = examine(message, "status").status
    if status is not None:
        demand(status.status_code in STATUS_CODES, "a status that was read has a code of the table")
        demand_text(status.response_for.document_id, status.response_for.organ_id, status.description)
        _check_life_cycle(status.status_code, digest)


def check_submission(message: Incoming) -> None:
    """Whatever was submitted is examined as what it should be, and can be recorded and answered."""
    for expected in KINDS:
        examined = examine(message, expected)
        demand_text(message.user_id, message.message_id)
        submission_row(message, examined)
        demand(submitted_at(message).tzinfo is not None, "a submission's time is aware")
        if examined.unanswerable:
            row = quarantined_row(message, examined)
            demand_text(*(str(value) for value in row.facts.values() if value is not None))
            demand_publishable(quarantine(message, examined.sha256, examined.unanswerable))
            continue
        readable = (examined.document or examined.status) is not None
        demand(readable or bool(examined.problems), "what cannot be read is refused")
        demand_problems(examined.problems)
        demand_text(examined.document_id)
        for one in examined.attachments:
            demand_text(one.name, one.content_type)
        if examined.problems:
            about = (message.user_id or "", message.message_id or "")
            refusal_row(Step.INGEST, expected, about, examined.sha256, examined.problems, examined.document_id)


def _check_life_cycle(code: str, chance: bytes) -> None:
    for role, pending, overtaken in itertools.product(Role, Pending, (False, True)):
        for state in states_of(role):
            done = step(state, code, pending=pending, role=role, overtaken=overtaken)
            if done.outcome is not StepOutcome.APPLIED:
                demand((done.state, done.pending) == (state, pending), "only what is applied moves a delivery")
            is_ahead(state, code)
    state, pending = State.DELIVERED, Pending.NOTHING
    for byte in chance:
        done = step(state, sorted(Event)[byte % len(Event)], pending=pending)
        if state is State.WITHDRAWN:
            demand(done.state is state, "what was withdrawn stays so")
        if state is State.REFUSED:
            demand(done.state in (State.REFUSED, State.REPLACED), "what was refused is not accepted later")
        state, pending = done.state, done.pending


def check_internal(data: bytes) -> None:
    """A message between workers is read or is none; what is read, is written and read as the same again."""
    decoders: tuple[Callable[[bytes], Any], ...] = (
        DocumentToVerify.model_validate_json,
        DocumentToRoute.model_validate_json,
        NoticeToSend.model_validate_json,
        decode_notice,
    )
    for decode in decoders:
        try:
            message = decode(data)
        except ValidationError:
            continue
        demand(decode(message.encode()) == message, f"{type(message).__name__} reads as it was written")
