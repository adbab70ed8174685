"""Which deliveries a status speaks of, and what it does to them.

A withdrawal or an update may carry the DocumentId of the document it is about, and one receiver then has several
deliveries under one id. 15 and 16 answer what the sender has asked for; 01 is of what has not arrived yet; everything
else is of the document.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from lienthong.document import reasons
from lienthong.document.life_cycle import Event, Pending, Role, State, Step, StepOutcome, step
from lienthong.ledger.actions import SettledAction
from lienthong.ledger.rows import ReportedDelivery, StatusRow
from lienthong.worker.submissions import submission_key, submitted_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from lienthong.errors import Problem
    from lienthong_status_tracker.report import Report

__all__ = ["Deliveries", "Walk", "walk"]

ANSWERS: dict[str, Literal["agreed", "declined"]] = {"15": "agreed", "16": "declined"}
UNANSWERED = (State.PARKED, State.DELIVERED, State.ARRIVED)
ENDED = (State.WITHDRAWN, State.REPLACED)


@dataclass(frozen=True, slots=True)
class Walk:
    """What a status does: the row of it, the deliveries as they are afterwards, and what it settles."""

    row: StatusRow
    after: tuple[ReportedDelivery, ...]
    settled: tuple[SettledAction, ...] = ()


class Deliveries:
    """The deliveries that a batch of statuses may speak of, locked, as the batch leaves them.

    Args:
        chains: which chains a (sender, DocumentId) names.
        locked: every delivery of these chains.
    """

    def __init__(self, chains: dict[tuple[str, str], set[UUID]], locked: Sequence[ReportedDelivery]) -> None:
        self._chains = chains
        self.now = {(one.document, one.addressee): one for one in locked}
        self._before = dict(self.now)
        self.settled: list[SettledAction] = []

    @property
    def changed(self) -> list[ReportedDelivery]:
        """The deliveries that are not as they were."""
        return [one for key, one in self.now.items() if one != self._before[key]]

    def take(self, one: Walk) -> None:
        """Apply what a status does."""
        for after in one.after:
            self.now[after.document, after.addressee] = after
        self.settled += one.settled

    def beside(self, delivery: ReportedDelivery) -> list[ReportedDelivery]:
        """Return everything of a delivery's chain at its addressee, itself as well."""
        return [one for one in self.now.values() if (one.chain, one.addressee) == (delivery.chain, delivery.addressee)]

    def about(self, report: Report) -> list[ReportedDelivery] | Problem:
        """Return the deliveries a report is about, one for each addressee it speaks for; or why there are none."""
        # Two agencies that are one by now may have used the same DocumentId; the one that is named is meant.
        of_document = self._of_document({(report.sender, report.document_id)}) or self._of_document(report.about)
        if not of_document:
            return reasons.status_document_unknown(report.document_id, report.sender)
        if report.receiver:
            mine = [one for one in of_document if one.addressee == report.receiver]
            mine = mine or [one for one in of_document if one.addressee in report.receivers]
        else:
            mine = [one for one in of_document if one.addressee == report.spoken_for]
            mine = mine or [one for one in of_document if one.addressee in report.reporters]
            # An agency that carries for others may report in its own name for all of them.
            mine = mine or [one for one in of_document if one.carrier in report.reporters]
        if not mine:
            return reasons.document_not_received(report.document_id, report.receiver or report.reporter)
        addressees = sorted({one.addressee for one in mine})
        return [_meant(report, [one for one in mine if one.addressee == addressee]) for addressee in addressees]

    def _of_document(self, about: set[tuple[str, str]]) -> list[ReportedDelivery]:
        # All of a chain: what acts on a document may be of the agency that its sender was merged into.
        chains = {chain for key in about for chain in self._chains.get(key, ())}
        return [one for one in self.now.values() if one.chain in chains]


def _meant(report: Report, here: Sequence[ReportedDelivery]) -> ReportedDelivery:
    """Return which of the deliveries at one addressee a status speaks of."""
    code = report.status.status_code
    heads = [one for one in here if one.role == Role.DOCUMENT]
    # What the document is now, rather than what has ended.
    heads.sort(key=lambda one: one.state in ENDED)
    requests = [one for one in here if one.role != Role.DOCUMENT]
    # Under an id of its own, not that of the document.
    own = [one for one in requests if one.document_id == report.document_id]
    if any(one.document_id == report.document_id for one in heads):
        own = []
    if code in ANSWERS:
        return _answered(code, heads, own or requests)
    if own:
        request = min(own, key=lambda one: one.state not in UNANSWERED)
        in_force = request.role == Role.UPDATE and request.state == State.AGREED
        return heads[0] if in_force and heads and code != Event.ARRIVE else request
    new = [one for one in requests if one.state == State.DELIVERED]
    if code == Event.ARRIVE and new and not any(one.state == State.DELIVERED for one in heads):
        return new[0]
    return heads[0] if heads else requests[0]


def _answered(code: str, heads: list[ReportedDelivery], requests: list[ReportedDelivery]) -> ReportedDelivery:
    """Return what 15 or 16 answers: what waits for it; else what was answered so before, that it is a repeat."""
    waiting = [one for one in requests if one.state in UNANSWERED]
    asked = [one for one in heads if one.pending is Pending.TAKE_BACK and one.request is None]
    said = [one for one in requests if one.state == ANSWERS[code]]
    return (waiting or asked or said or heads or requests)[0]


def walk(report: Report, delivery: ReportedDelivery, deliveries: Deliveries, *, strict: bool = False) -> Walk:
    """Return what a status does to a delivery, and to what stands beside it: an answer ends what was asked for.

    With `strict` it may leave no step of the natural order out.
    """
    reported_at = submitted_at(report.message)
    beside = deliveries.beside(delivery)
    last = delivery.reported_at
    if delivery.state == State.WITHDRAWN:
        # What led there may have been said of the withdrawal.
        last = max((one.reported_at for one in beside if one.reported_at is not None), default=None)
    done = step(
        State(delivery.state),
        report.status.status_code,
        pending=delivery.pending,
        role=Role(delivery.role),
        overtaken=last is not None and reported_at < last,
        strict=strict,
    )
    after = replace(delivery, state=done.state.value, take_back=done.pending is Pending.TAKE_BACK)
    if done.outcome is StepOutcome.APPLIED and report.receiver is None:
        moment = delivery.reported_at
        after = replace(after, reported_at=reported_at if moment is None else max(moment, reported_at))
    row = _row(report, delivery, done)
    if delivery.role != Role.DOCUMENT:
        return _request_walked(row, after, beside)
    request = next((one for one in beside if one.document == delivery.request), None)
    if request is None or done.pending is delivery.pending:
        return Walk(row, (after,))
    # The receiver sent the document itself back, or the sender wants all of it back: nobody waits for an answer.
    lapsed = step(State(request.state), Event.LAPSE, role=Role(request.role))
    return Walk(
        row,
        (replace(after, request=None), replace(request, state=lapsed.state.value)),
        (SettledAction(request.document, request.addressee, "lapsed"),),
    )


def _request_walked(row: StatusRow, after: ReportedDelivery, beside: list[ReportedDelivery]) -> Walk:
    """Return what a status of a withdrawal or an update does to the document it is about."""
    head = next((one for one in beside if one.request == after.document), None)
    if head is None or after.state in UNANSWERED:
        return Walk(row, (after,))
    agreed = after.state == State.AGREED
    done = step(State(head.state), Event.AGREE if agreed else Event.DECLINE, pending=head.pending)
    version = after.document if agreed and after.role == Role.UPDATE else head.version
    settled = SettledAction(after.document, after.addressee, "agreed" if agreed else "declined", row.status)
    ended = replace(head, state=done.state.value, take_back=False, request=None, version=version)
    return Walk(row, (after, ended), (settled,))


def _row(report: Report, delivery: ReportedDelivery, done: Step) -> StatusRow:
    user, message_id = submission_key(report.message)
    judged = report.judged
    assert judged is not None, "only what was recorded before has not been judged"
    return StatusRow(
        status=report.key,
        document=delivery.document,
        addressee=delivery.addressee,
        reporter=report.reporter,
        user_name=user,
        message_id=message_id,
        sha256=report.sha256,
        code=report.status.status_code,
        description=report.status.description,
        outcome=done.outcome.value,
        state_before=delivery.state,
        state_after=done.state,
        reported_at=submitted_at(report.message),
        received_at=report.message.received_at,
        verdict=judged.verdict,
        signer=judged.signer,
        reason=judged.reason,
        vi=judged.vi,
        en=judged.en,
        evidence=[asdict(one) for one in judged.evidence],
        skipped=done.skipped,
    )
