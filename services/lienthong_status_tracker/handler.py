"""From a reported status to the state of a delivery, and to the sender."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from lienthong.bus.messages import Outgoing
from lienthong.document import reasons
from lienthong.document.ids import derive
from lienthong.document.life_cycle import STATE_NAMES, Role, State, is_ahead, step
from lienthong.errors import Problem, Unavailable
from lienthong.ledger.rows import (
    Mark,
    RecordedStatus,
    RefusalRow,
    ReportedDelivery,
    StatusRow,
)
from lienthong.telemetry import metrics
from lienthong.topology.names import RETRY_SECONDS, STATUS, Header, Step, status_key
from lienthong.worker.answers import quarantine, refusal_row, refuse
from lienthong.worker.handler import Outcome
from lienthong.worker.submissions import (
    Examined,
    examine,
    quarantined_row,
    submission_key,
    submission_row,
)
from lienthong_status_tracker.deliveries import Deliveries, walk
from lienthong_status_tracker.report import Examination, Report, key_of, recalled, report_of
from lienthong_status_tracker.signature import may_be_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from cryptography import x509

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.directory import Directory
    from lienthong.ledger.unit import Unit
    from lienthong.payload import PayloadStore
    from lienthong.signature.policy import Policy
    from lienthong.signature.verification import Examined as Signatures
    from lienthong.worker.quotas import Quotas

__all__ = ["Examination", "Examines", "TrackStatus"]


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
        quotas: how much agencies may report; None for no limit.
        strict: whether statuses that leave steps of the natural order out are refused.
    """

    step = Step.STATUS_TRACKER

    def __init__(
        self,
        store: PayloadStore,
        examiners: Examines,
        policy: Policy,
        *,
        remember: Callable[[x509.Certificate], None] | None = None,
        quotas: Quotas | None = None,
        strict: bool = False,
    ) -> None:
        self._store = store
        self._examiners = examiners
        self._policy = policy
        self._remember = remember
        self._quotas = quotas
        self._strict = strict

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
        wait for anything) is tried again later, as often as the ladder has rungs, and so is, once, a step that is ahead
        of the delivery's state: the steps between may still come. A step that comes after the one it was reported
        before is applied all the same.
        """
        submissions = [(message, examination.submission) for message, examination in batch]
        await unit.record_quarantined([quarantined_row(*item) for item in submissions if item[1].unanswerable])
        reports, refusals = await self._sort(unit, batch)
        about = {key for one in reports.values() for key in one.about}
        # Looked up before the deliveries: what is routed in between is then found there.
        under_way = await unit.documents_under_way(about)
        chains = await unit.chains_named(about)
        locked = await unit.lock_chains(set().union(*chains.values()), reports=True)
        routed = {(one.sender, one.document_id) for one in locked}
        nowhere = {index for index, one in reports.items() if one.about & under_way.keys() and not one.about & routed}
        early = {index for index in nowhere if _may_wait(reports[index], under_way)}
        refusals |= {index: _not_delivered(reports[index], under_way) for index in nowhere - early}
        timely = {index: report for index, report in reports.items() if index not in nowhere}
        applied, refused, ahead = await self._apply(unit, timely, Deliveries(chains, locked))
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
                outcomes.append(_tell(reports[index], applied[reports[index].key], users, unit.directory))
        return outcomes

    async def _sort(
        self, unit: Unit, batch: Sequence[tuple[Incoming, Examination]]
    ) -> tuple[dict[int, Report], dict[int, RefusalRow]]:
        answerable = {
            index: (message, examination.submission)
            for index, (message, examination) in enumerate(batch)
            if not examination.submission.unanswerable
        }
        first_content, fresh = await unit.record_submissions(
            [submission_row(*item) for item in answerable.values() if item[0].message_id]
        )
        excess = await self._excess(unit, [item[0] for item in answerable.values()], fresh)
        refused_before = await unit.refusals({_refusal(*item).refusal for item in answerable.values()})
        recorded = {row.status: row for row in await unit.statuses({key_of(item[0]) for item in answerable.values()})}
        reports: dict[int, Report] = {}
        refusals: dict[int, RefusalRow] = {}
        for index, (message, examined) in answerable.items():
            if first_content.get(submission_key(message), examined.sha256) != examined.sha256:
                refusals[index] = _refusal(message, examined, reasons.message_id_reused(submission_key(message)[1]))
            elif (too_much := excess.get(submission_key(message))) is not None:
                refusals[index] = _refusal(message, examined, too_much)
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

    async def _excess(
        self, unit: Unit, messages: Sequence[Incoming], fresh: set[tuple[str, str]]
    ) -> dict[tuple[str, str], Problem]:
        """Count statuses that are new, and return why some are too much."""
        new = list(dict.fromkeys(submission_key(one) for one in messages if submission_key(one) in fresh))
        if self._quotas is None or not new:
            return {}
        problems = await self._quotas.excess(unit, [(user, 0, False) for user, _ in new])
        return {key: problem for key, problem in zip(new, problems, strict=True) if problem is not None}

    async def _apply(
        self, unit: Unit, reports: dict[int, Report], deliveries: Deliveries
    ) -> tuple[dict[UUID, list[RecordedStatus]], dict[int, RefusalRow], set[int]]:
        """Walk the batch in order through the life-cycle table.

        Returns:
            The recorded statuses by their id, and by position in the batch the refusals, and what to try again.
        """
        recorded: dict[UUID, list[RecordedStatus]] = defaultdict(list)
        for row in await unit.statuses({one.key for one in reports.values()}):
            recorded[row.status].append(row)
        fresh: list[StatusRow] = []
        refusals: dict[int, RefusalRow] = {}
        ahead: set[int] = set()
        for index, report in reports.items():
            if report.key not in recorded:
                found = deliveries.about(report)
                if isinstance(found, Problem):
                    refusals[index] = _report_refusal(report, found)
                    continue
                walks = [walk(report, delivery, deliveries, strict=self._strict) for delivery in found]
                if not report.message.attempts and _is_ahead([one.row for one in walks], strict=self._strict):
                    ahead.add(index)
                    continue
                for one in walks:
                    deliveries.take(one)
                    fresh.append(one.row)
                    recorded[report.key].append(_recorded(one.row, one.after[0].sender))
            if all(row.outcome == "illegal" for row in recorded[report.key]):
                first = recorded[report.key][0]
                delivery = deliveries.now[first.document, first.addressee]
                refusals[index] = _report_refusal(report, _illegal(report, delivery, strict=self._strict))
        for new in fresh:
            metrics.STATUSES_JUDGED.labels(new.verdict).inc()
        await unit.record_statuses(fresh)
        await unit.update_deliveries(deliveries.changed)
        await unit.settle_actions(deliveries.settled)
        return recorded, refusals, ahead


def _may_wait(report: Report, under_way: Mapping[tuple[str, str], bool]) -> bool:
    """Tell whether a status may wait for its document, which nobody has got yet."""
    return report.message.attempts < len(RETRY_SECONDS) and any(under_way.get(key) for key in report.about)


def _not_delivered(report: Report, under_way: Mapping[tuple[str, str], bool]) -> RefusalRow:
    may_come = any(under_way.get(key) for key in report.about)
    problem = reasons.status_document_under_way if may_come else reasons.status_document_stopped
    return _report_refusal(report, problem(report.document_id))


def _recorded(row: StatusRow, sender: str) -> RecordedStatus:
    """Return a status that was just recorded as the ledger will return it."""
    return RecordedStatus(
        row.status,
        row.document,
        row.addressee,
        row.reporter,
        sender,
        row.outcome,
        None,
        row.verdict,
        row.vi,
        row.en,
    )


def _is_ahead(rows: Sequence[StatusRow], *, strict: bool) -> bool:
    return all(row.outcome == "illegal" for row in rows) and any(
        is_ahead(State(row.state_before), row.code, strict=strict) for row in rows
    )


def _illegal(report: Report, delivery: ReportedDelivery, *, strict: bool) -> Problem:
    state, code = State(delivery.state), report.status.status_code
    if strict and (skipped := step(state, code, pending=delivery.pending, role=Role(delivery.role)).skipped):
        return reasons.status_steps_left_out(code, STATE_NAMES[state], state, skipped)
    return reasons.status_step_not_allowed(code, STATE_NAMES[state], state)


def _tell(
    report: Report,
    rows: Sequence[RecordedStatus],
    deliveries: dict[tuple[UUID, str], ReportedDelivery],
    directory: Directory,
) -> Outcome:
    applied = [row for row in rows if row.outcome == "applied" and row.forwarded_at is None]
    # An update makes a status one of several documents in a row; the last of them is in force.
    document = rows[-1].document if rows else None
    if not applied:
        return Outcome(document=document)
    outputs = tuple(_outgoing(report, row, deliveries[row.document, row.addressee], directory) for row in applied)
    return Outcome(outputs, Mark("status", report.key), document=document)


def _outgoing(report: Report, row: RecordedStatus, delivery: ReportedDelivery, directory: Directory) -> Outgoing:
    code = report.status.status_code
    if report.receiver:
        told, about = delivery.carrier, delivery.sender
    else:
        told, about = delivery.user_name, delivery.addressee
    return Outgoing(
        exchange=STATUS,
        # Whoever was merged since has somebody who follows up its affairs.
        routing_key=status_key(directory.told(told), about, code),
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
