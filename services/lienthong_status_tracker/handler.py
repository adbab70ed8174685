"""From a reported status to the state of a delivery, and to the sender."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Protocol

from lienthong.bus.messages import Outgoing
from lienthong.document import reasons
from lienthong.document.ids import derive
from lienthong.document.life_cycle import STATE_NAMES, State, StepOutcome, is_ahead, step
from lienthong.edxml import BusinessType
from lienthong.errors import Problem, Unavailable
from lienthong.ledger.rows import (
    Mark,
    RecordedStatus,
    RefusalRow,
    ReportedDelivery,
    StatusRow,
)
from lienthong.telemetry import metrics
from lienthong.topology.names import STATUS, Header, Step, status_key
from lienthong.worker.answers import quarantine, refusal_row, refuse
from lienthong.worker.handler import Outcome
from lienthong.worker.submissions import (
    Examined,
    examine,
    quarantined_row,
    submission_key,
    submission_row,
    submitted_at,
)
from lienthong_status_tracker.report import Examination, Report, key_of, recalled, report_of
from lienthong_status_tracker.signature import may_be_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from cryptography import x509

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.unit import Unit
    from lienthong.payload import PayloadStore
    from lienthong.signature.policy import Policy
    from lienthong.signature.verification import Examined as Signatures

__all__ = ["Examination", "Examines", "TrackStatus"]

REQUESTS = frozenset({BusinessType.WITHDRAW, BusinessType.UPDATE})
"""Business types that the receiver answers with 15 or 16."""
ANSWERS = frozenset({"15", "16"})


class Examines(Protocol):
    """Examines messages at hand; see `lienthong.worker.examiners.Examiners`."""

    async def examine_bytes(self, data: bytes, *, received_at: datetime) -> Signatures:
        """Return everything found about a message; `Unavailable` when that cannot be done now."""
        ...


class TrackStatus:
    """Check who reports and by whose signature, apply the life-cycle table, tell the sender.

    Args:
        store: where payloads are kept.
        examiners: find out everything about a signature.
        policy: whether unsigned statuses are applied.
        remember: is told of every signer's certificate, whose revocation is to be known from now on.
    """

    step = Step.STATUS_TRACKER

    def __init__(
        self,
        store: PayloadStore,
        examiners: Examines,
        policy: Policy,
        *,
        remember: Callable[[x509.Certificate], None] | None = None,
    ) -> None:
        self._store = store
        self._examiners = examiners
        self._policy = policy
        self._remember = remember

    async def decide(self, message: Incoming) -> Examination:
        """Decode a status, keep its payload durably, and examine its signature; `Unavailable` when that fails now."""
        submission = examine(message, "status")
        if submission.problems or submission.unanswerable:
            return Examination(submission)
        await self._store.put(message.body)
        if not may_be_signed(message.body):
            return Examination(submission)
        signatures = await self._examiners.examine_bytes(message.body, received_at=message.received_at)
        if self._remember is not None:
            for certificate in signatures.signers:
                self._remember(certificate)
        return Examination(submission, signatures)

    async def record(
        self, unit: Unit, batch: Sequence[tuple[Incoming, Examination]]
    ) -> Sequence[Outcome | Unavailable]:
        """Record each status once and change the deliveries it is about.

        Redelivery and replicas do not keep order. A status that overtook its document (13 may: the sender need not
        wait for anything) is tried again later, and so is, once, a step that is ahead of the delivery's state: the
        steps between may still come. A step that comes after the one it was reported before is applied all the same.
        """
        submissions = [(message, examination.submission) for message, examination in batch]
        await unit.record_quarantined([quarantined_row(*item) for item in submissions if item[1].unanswerable])
        reports, refusals = await self._sort(unit, batch)
        about = {(one.sender, one.document_id) for one in reports.values()}
        # Looked up before the deliveries: what is routed in between is then found there.
        under_way = await unit.documents_under_way(about)
        locked = await unit.lock_reported_deliveries(about)
        under_way -= {(one.sender, one.document_id) for one in locked}
        early = {index for index, one in reports.items() if (one.sender, one.document_id) in under_way}
        timely = {index: report for index, report in reports.items() if index not in early}
        applied, refused, ahead = await self._apply(unit, timely, locked)
        refusals |= refused
        answers = await refuse(unit, list(refusals.values()))
        users = {(one.document, one.addressee): one for one in locked}
        outcomes: list[Outcome | Unavailable] = []
        for index, (message, examined) in enumerate(submissions):
            if examined.unanswerable:
                outcomes.append(Outcome((quarantine(message, examined.sha256, examined.unanswerable),)))
            elif index in early:
                outcomes.append(Unavailable(f"document {reports[index].document_id} is not routed yet"))
            elif index in ahead:
                outcomes.append(Unavailable(f"a status of {reports[index].document_id} came before the one before it"))
            elif index in refusals:
                outcomes.append(answers[refusals[index].refusal])
            else:
                outcomes.append(_tell(reports[index], applied[reports[index].key], users))
        return outcomes

    async def _sort(
        self, unit: Unit, batch: Sequence[tuple[Incoming, Examination]]
    ) -> tuple[dict[int, Report], dict[int, RefusalRow]]:
        answerable = {
            index: (message, examination.submission)
            for index, (message, examination) in enumerate(batch)
            if not examination.submission.unanswerable
        }
        first_content = await unit.record_submissions(
            [submission_row(*item) for item in answerable.values() if item[0].message_id]
        )
        refused_before = await unit.refusals({_refusal(*item).refusal for item in answerable.values()})
        recorded = {row.status: row for row in await unit.statuses({key_of(item[0]) for item in answerable.values()})}
        reports: dict[int, Report] = {}
        refusals: dict[int, RefusalRow] = {}
        for index, (message, examined) in answerable.items():
            if first_content.get(submission_key(message), examined.sha256) != examined.sha256:
                refusals[index] = _refusal(message, examined, reasons.message_id_reused(submission_key(message)[1]))
            elif examined.problems or _refusal(message, examined).refusal in refused_before:
                refusals[index] = _refusal(message, examined)
            elif (before := recorded.get(key_of(message))) is not None:
                # What was decided stays so, whatever the directory says now.
                reports[index] = recalled(message, examined, before)
            else:
                report = report_of(message, batch[index][1], unit.directory, self._policy)
                if isinstance(report, Report):
                    reports[index] = report
                else:
                    refusals[index] = _refusal(message, examined, report)
        return reports, refusals

    async def _apply(
        self, unit: Unit, reports: dict[int, Report], locked: Sequence[ReportedDelivery]
    ) -> tuple[dict[UUID, list[RecordedStatus]], dict[int, RefusalRow], set[int]]:
        """Walk the batch in order through the life-cycle table.

        Returns:
            The recorded statuses by their id, and by position in the batch the refusals, and what to try again.
        """
        recorded: dict[UUID, list[RecordedStatus]] = defaultdict(list)
        for row in await unit.statuses({one.key for one in reports.values()}):
            recorded[row.status].append(row)
        now = {(one.document, one.addressee): one for one in locked}
        changed: dict[tuple[UUID, str], ReportedDelivery] = {}
        fresh: list[StatusRow] = []
        refusals: dict[int, RefusalRow] = {}
        ahead: set[int] = set()
        for index, report in reports.items():
            if report.key not in recorded:
                found = _deliveries(report, now.values())
                if isinstance(found, Problem):
                    refusals[index] = _report_refusal(report, found)
                    continue
                steps = [(delivery, *_walk(report, delivery)) for delivery in found]
                if not report.message.attempts and _is_ahead([row for _, row, _ in steps]):
                    ahead.add(index)
                    continue
                for delivery, walked, after in steps:
                    fresh.append(walked)
                    now[delivery.document, delivery.addressee] = after
                    if after != delivery:
                        changed[delivery.document, delivery.addressee] = after
                    recorded[report.key].append(
                        RecordedStatus(
                            walked.status,
                            walked.document,
                            walked.addressee,
                            walked.reporter,
                            delivery.sender,
                            walked.outcome,
                            None,
                            walked.verdict,
                            walked.vi,
                            walked.en,
                        )
                    )
            if all(row.outcome == "illegal" for row in recorded[report.key]):
                first = recorded[report.key][0]
                refusals[index] = _report_refusal(report, _illegal(report, now[first.document, first.addressee]))
        for new in fresh:
            metrics.STATUSES_JUDGED.labels(new.verdict).inc()
        await unit.record_statuses(fresh)
        await unit.update_deliveries(list(changed.values()))
        return recorded, refusals, ahead


def _deliveries(report: Report, locked: Iterable[ReportedDelivery]) -> list[ReportedDelivery] | Problem:
    """Return the deliveries a report is about, or why there are none."""
    of_document = [one for one in locked if (one.sender, one.document_id) == (report.sender, report.document_id)]
    if not of_document:
        return reasons.status_document_unknown(report.document_id, report.sender)
    if report.receiver:
        mine = [one for one in of_document if one.addressee == report.receiver]
    else:
        mine = [one for one in of_document if one.addressee == report.reporter]
        # An agency that carries for others may report in its own name for all of them.
        mine = mine or [one for one in of_document if one.carrier == report.reporter]
    if not mine:
        return reasons.document_not_received(report.document_id, report.receiver or report.reporter)
    # A withdrawal carries the DocumentId of what it withdraws: 15 and 16 speak of the request, all else of the
    # document itself.
    requests = [one for one in mine if one.business == BusinessType.WITHDRAW]
    documents = [one for one in mine if one.business != BusinessType.WITHDRAW]
    if report.status.status_code in ANSWERS and not any(one.take_back for one in documents):
        return requests or documents
    return documents or requests


def _is_ahead(rows: Sequence[StatusRow]) -> bool:
    return all(row.outcome == "illegal" for row in rows) and any(
        is_ahead(State(row.state_before), row.code) for row in rows
    )


def _walk(report: Report, delivery: ReportedDelivery) -> tuple[StatusRow, ReportedDelivery]:
    reported_at = submitted_at(report.message)
    result = step(
        State(delivery.state),
        report.status.status_code,
        take_back=delivery.take_back,
        answers_request=delivery.business in REQUESTS,
        overtaken=delivery.reported_at is not None and reported_at < delivery.reported_at,
    )
    user, message_id = submission_key(report.message)
    judged = report.judged
    assert judged is not None, "only what was recorded before has not been judged"
    row = StatusRow(
        status=report.key,
        document=delivery.document,
        addressee=delivery.addressee,
        reporter=report.reporter,
        user_name=user,
        message_id=message_id,
        sha256=report.sha256,
        code=report.status.status_code,
        description=report.status.description,
        outcome=result.outcome.value,
        state_before=delivery.state,
        state_after=result.state,
        reported_at=reported_at,
        received_at=report.message.received_at,
        verdict=judged.verdict,
        signer=judged.signer,
        reason=judged.reason,
        vi=judged.vi,
        en=judged.en,
        evidence=[asdict(one) for one in judged.evidence],
    )
    last = delivery.reported_at
    if result.outcome is StepOutcome.APPLIED and report.receiver is None:
        last = reported_at if last is None else max(last, reported_at)
    after = replace(delivery, state=result.state.value, take_back=result.take_back, reported_at=last)
    return row, after


def _illegal(report: Report, delivery: ReportedDelivery) -> Problem:
    return reasons.status_step_not_allowed(
        report.status.status_code, STATE_NAMES[State(delivery.state)], delivery.state
    )


def _tell(
    report: Report, rows: Sequence[RecordedStatus], deliveries: dict[tuple[UUID, str], ReportedDelivery]
) -> Outcome:
    applied = [row for row in rows if row.outcome == "applied" and row.forwarded_at is None]
    if not applied:
        return Outcome()
    outputs = tuple(_outgoing(report, row, deliveries[row.document, row.addressee]) for row in applied)
    return Outcome(outputs, Mark("status", report.key))


def _outgoing(report: Report, row: RecordedStatus, delivery: ReportedDelivery) -> Outgoing:
    code = report.status.status_code
    if report.receiver:
        told, about = delivery.carrier, delivery.sender
    else:
        told, about = delivery.user_name, delivery.addressee
    return Outgoing(
        exchange=STATUS,
        routing_key=status_key(told, about, code),
        message_id=str(derive("status", report.key, delivery.document, delivery.addressee)),
        body=report.message.body,
        content_type="application/edxml+xml",
        type="status",
        headers=_found(row)
        | {
            Header.DOCUMENT: str(delivery.document),
            Header.DOCUMENT_ID: delivery.document_id,
            Header.SENDER: report.reporter,
            Header.RECEIVER: delivery.addressee,
            Header.STATUS_CODE: code,
            Header.SHA256: report.sha256,
        },
    )


def _found(row: RecordedStatus) -> dict[str, str]:
    found = {Header.VERDICT: row.verdict, Header.FOUND_VI: row.vi, Header.FOUND_EN: row.en}
    return {header: text for header, text in found.items() if text is not None}


def _refusal(message: Incoming, examined: Examined, *problems: Problem) -> RefusalRow:
    return refusal_row(
        Step.STATUS_TRACKER,
        "status",
        submission_key(message),
        examined.sha256,
        problems or examined.problems,
        examined.document_id,
    )


def _report_refusal(report: Report, problem: Problem) -> RefusalRow:
    return refusal_row(
        Step.STATUS_TRACKER, "status", submission_key(report.message), report.sha256, (problem,), report.document_id
    )
