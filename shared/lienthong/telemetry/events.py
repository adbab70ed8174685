"""Every event a log line can name, and what its fields are. A name, once published, is not given another meaning."""

from __future__ import annotations

import ast
import inspect
from enum import StrEnum

__all__ = ["Event", "event_rows"]


class Event(StrEnum):
    """The catalogue: search a log by these names, build alarms on them."""

    WORKER_STARTED = "worker_started"
    """A worker is connected and takes messages: step, queues, batch_limit."""
    WORKER_DRAINING = "worker_draining"
    """A signal came; the batch in hand is finished: signal, drain_seconds."""
    WORKER_STOPPED = "worker_stopped"
    """A worker ends: clean (whether the batch in hand was finished)."""
    WORKER_MISCONFIGURED = "worker_misconfigured"
    """A worker ends because an operator has to mend something: reason."""
    WORKER_CRASHED = "worker_crashed"
    """A worker ends because of an error nobody expected; what it held is delivered again: exception."""
    HEALTH_LISTENING = "health_listening"
    """Where /live, /ready and /metrics are: url."""

    MESSAGE_SETTLED = "message_settled"
    """The one line of every message that ended well or not: step, outcome (forwarded, refused, known, retried,
    dead_lettered), queue, message_id, document (where it is known), seconds since it was taken, attempts before, and
    trace where it is traced."""
    BATCH_SETTLED = "batch_settled"
    """A batch is recorded and all it caused is confirmed: size, forwarded, retried, dead_lettered, and the
    milliseconds of each phase."""
    BATCH_SPLIT = "batch_split"
    """Recording a batch failed on account of some message; its halves are recorded to find it: size, reason."""
    MESSAGE_RETRIED = "message_retried"
    """A message was put on the retry ladder: queue, message_id, user_id, attempt, seconds, reason."""
    MESSAGE_QUARANTINED = "message_quarantined"
    """A message that nobody can be answered for was put aside; an operator has to look: queue, reason, sha256."""
    MESSAGE_REFUSED = "message_refused"
    """A submission is refused and its sender told: user, message_id, codes."""
    MESSAGE_DEAD_LETTERED = "message_dead_lettered"
    """A message was given up; an operator has to look: queue, message_id, user_id, attempt, reason."""

    BROKER_LOST = "broker_lost"
    """The consuming connection is gone; everything unacknowledged will be delivered again: reason."""
    BROKER_AWAY = "broker_away"
    """The broker cannot be reached, or does not confirm; the worker keeps trying: reason, messages."""
    DEPENDENCY_AWAY = "dependency_away"
    """A worker cannot start yet, because the broker or the database does not answer: reason."""
    LEDGER_AWAY = "ledger_away"
    """The database cannot be reached; the worker keeps its batch and keeps trying: reason."""

    PAYLOAD_JOURNAL_REPLAYED = "payload_journal_replayed"
    """What a process that died had journaled of payloads is at its place, durably: journal, payloads."""
    PAYLOAD_JOURNAL_LEFT = "payload_journal_left"
    """Journaled payloads could not be made durable at their places; they stay in the journal and it is tried again:
    journal, reason."""

    DOCUMENT_JUDGED = "document_judged"
    """A document is held or refused, or was judged otherwise than before: document, judgement, verdict, value, held,
    reason."""
    JUDGEMENTS_ASKED = "judgements_asked"
    """Documents that could not be judged for good are judged again: documents."""
    RELAY_DELAYED = "relay_delayed"
    """What goes on beside a handler cannot be done now; it is tried again: what, or alarm, and reason."""
    RELAY_FAILED = "relay_failed"
    """An error nobody expected in what goes on beside a handler; it is tried again: what, reason, exception."""
    AGENCY_PARKED = "agency_parked"
    """An agency does not collect, so its further documents wait in the ledger; ask it: agency, queued, limit."""
    AGENCY_UNPARKED = "agency_unparked"
    """An agency collects again, and everything that waited for it is in its queue: agency."""
    AGENCY_THROTTLED = "agency_throttled"
    """An agency sends more than it may, and what is too much is refused; said once until it ends: agency, kind, quota,
    limit."""
    AGENCY_UNTHROTTLED = "agency_unthrottled"
    """An agency that sent more than it may is at less than half of it: agency, kind."""
    AGENCY_DIVERTED = "agency_diverted"
    """What an agency publishes is kept out of the lanes for a while, and refused: agency, seconds."""
    AGENCY_NOT_DIVERTED = "agency_not_diverted"
    """What an agency publishes comes by ingest's lanes again: agency."""
    LETTER_SENT = "letter_sent"
    """A mail was taken by the mail server, or a webhook answered: letter, channel, target, attempts."""
    LETTER_DELAYED = "letter_delayed"
    """A mail or a webhook's call could not be sent now, and is tried again: letter, channel, target, attempts,
    reason."""
    LETTER_GIVEN_UP = "letter_given_up"
    """A mail or a webhook's call will not be sent any more; look at its target: letter, channel, target, attempts,
    reason."""
    ALARM_RAISED = "alarm_raised"
    """Something that an operator has to see to was found by looking: alarm, subject, reason."""
    ALARM_CLEARED = "alarm_cleared"
    """What an alarm was about is gone: alarm, subject."""
    PARKED_SENT = "parked_sent"
    """Documents that waited for an agency went into its queue: agency, documents."""
    DEADLINES_NOTED = "deadlines_noted"
    """Warnings that something falls due, and what is late, were recorded and are told: deadlines."""
    TRUST_CHANGED = "trust_changed"
    """Something in the trust folder is new, so all that waits is judged again: folder."""

    TRUST_REFRESH_FAILED = "trust_refresh_failed"
    """A CRL or OCSP answer could not be fetched, or was not accepted; what is at hand stays in use: url, reason."""
    TRUST_ATTENTION = "trust_attention"
    """An authority's certificate or CRL expires or is missing, or a file cannot be used; an operator has to look:
    subject, reason."""
    TRUST_FOLDER_UNUSABLE = "trust_folder_unusable"
    """The trust folder lost its roots or is gone; nothing new can be fetched for it: folder, reason."""


def event_rows() -> list[tuple[str, str]]:
    """Return the table of events: name, and what it says and holds."""
    (catalogue,) = ast.parse(inspect.getsource(Event)).body
    assert isinstance(catalogue, ast.ClassDef)
    constants = [node.value for node in catalogue.body if isinstance(node, ast.Expr)]
    # The first is about the catalogue itself.
    told = [" ".join(str(one.value).split()) for one in constants[1:] if isinstance(one, ast.Constant)]
    return [(f"`{event}`", text) for event, text in zip(Event, told, strict=True)]
