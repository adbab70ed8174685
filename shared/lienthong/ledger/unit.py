"""One transaction of one batch: marks first, then facts in key order, then the recall of what was there already.

The recall is always a statement of its own after the insert: within one statement the snapshot would hide a row that
another worker committed in between.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from lienthong.ledger.actions import EarlierDocument, SettledAction
from lienthong.ledger.deadlines import Deadlines
from lienthong.ledger.letters import Letters
from lienthong.ledger.parking import Parking
from lienthong.ledger.quotas import QuotaUse
from lienthong.ledger.repairs import RepairRow, StatusInput, UnreportedDelivery
from lienthong.ledger.rows import (
    AttachmentRow,
    DeadLetterRow,
    DocumentRow,
    DueJudgement,
    NoticeRow,
    QuarantinedRow,
    RecordedDeadLetter,
    RecordedDelivery,
    RecordedDocument,
    RecordedRefusal,
    RecordedRouting,
    RecordedStatus,
    RefusalRow,
    ReportedDelivery,
    RoutingRow,
    StatusRow,
    SubmissionRow,
    VerificationRow,
    as_json,
)
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from lienthong.ledger.directory import Directory
    from lienthong.ledger.parking import ParkedRow
    from lienthong.ledger.rows import Mark

__all__ = ["ASKED_FOR", "Unit", "recorded_dead_letter"]

JSON_COLUMNS = ("problems", "grounds", "headers", "acts")
MARKED_TABLES = ("document", "refusal", "verification", "routing", "status", "notice")

Row = TypeVar("Row")


ASKED_FOR = timedelta(minutes=5)
"""After that long a judgement that was asked for is taken for lost, such as in a dead letter."""


class Unit:
    """What a worker may do within one transaction; made by `Ledger.transaction`."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], directory: Directory) -> None:
        self._connection = connection
        self.directory = directory
        """The agencies, as of the begin of this transaction."""
        self.quotas = QuotaUse(connection)
        """How much agencies have sent of what they may."""
        self.deadlines = Deadlines(connection)
        """By when deliveries have to be answered."""
        self.parking = Parking(connection)
        """Who does not collect, and what waits for them."""
        self.letters = Letters(connection)
        """What is told outside the exchange."""

    async def mark_forwarded(self, marks: Iterable[tuple[Mark, datetime]]) -> None:
        """Mark facts forwarded.

        Args:
            marks: the facts, each with the time at which the broker had confirmed everything it caused.
        """
        by_table: dict[str, dict[UUID, datetime]] = defaultdict(dict)
        for mark, at in marks:
            by_table[mark.table].setdefault(mark.key, at)
        for table in MARKED_TABLES:
            if keys := sorted(by_table[table].items()):
                await self._connection.execute(
                    statement(f"mark_{table}"), [key for key, _ in keys], [at for _, at in keys]
                )

    async def record_submissions(
        self, rows: Sequence[SubmissionRow]
    ) -> tuple[dict[tuple[str, str], str], set[tuple[str, str]]]:
        """Record submissions, each by (user, message id).

        Returns:
            The SHA-256 each was first seen with, and which of them were seen for the first time now.
        """
        if not rows:
            return {}, set()
        inserted = await self._connection.fetch(statement("insert_submissions"), as_json(rows))
        users, messages = [row.user_name for row in rows], [row.message_id for row in rows]
        found = await self._connection.fetch(statement("recall_submissions"), users, messages)
        first = {(row["user_name"], row["message_id"]): row["sha256"] for row in found}
        return first, {(row["user_name"], row["message_id"]) for row in inserted}

    async def record_documents(
        self, rows: Sequence[DocumentRow], attachments: Sequence[AttachmentRow]
    ) -> dict[UUID, RecordedDocument]:
        """Record documents with their attachments; return what the ledger holds of each, new or not."""
        await self._insert("insert_documents", rows)
        recalled = await self.documents({row.document for row in rows})
        first = {row.document for row in rows if recalled[row.document].sha256 == row.sha256}
        await self._insert("insert_attachments", [row for row in attachments if row.document in first])
        return recalled

    async def documents(self, keys: Collection[UUID]) -> dict[UUID, RecordedDocument]:
        """Return what the ledger holds of these documents."""
        return {row.document: row for row in await self._recall("recall_documents", keys, RecordedDocument)}

    async def documents_of(self, messages: Collection[tuple[str, str]]) -> dict[tuple[str, str], RecordedDocument]:
        """Return the documents that these (user, message id) were the first to submit."""
        if not messages:
            return {}
        ordered = sorted(messages)
        users, message_ids = [user for user, _ in ordered], [message_id for _, message_id in ordered]
        found = await self._connection.fetch(statement("recall_documents_of"), users, message_ids)
        return {
            (row["user_name"], row["message_id"]): RecordedDocument(**{k: _value(k, v) for k, v in row.items()})
            for row in found
        }

    async def record_refusals(self, rows: Sequence[RefusalRow]) -> dict[UUID, RecordedRefusal]:
        """Record refusals; return each as it was first recorded. A row without problems is only recalled."""
        await self._insert("insert_refusals", [row for row in rows if row.problems])
        return await self.refusals({row.refusal for row in rows})

    async def refusals(self, keys: Collection[UUID]) -> dict[UUID, RecordedRefusal]:
        """Return those of these refusals that are recorded."""
        return {row.refusal: row for row in await self._recall("recall_refusals", keys, RecordedRefusal)}

    async def record_quarantined(self, rows: Sequence[QuarantinedRow]) -> None:
        """Record messages that nobody can be answered for; a redelivered one is recorded again."""
        await self._insert("insert_quarantined", rows)

    async def verifications(self, documents: Collection[UUID]) -> dict[UUID, list[VerificationRow]]:
        """Return every judgement of these documents, in order; an empty list for one that was not judged yet."""
        found: dict[UUID, list[VerificationRow]] = {document: [] for document in documents}
        for row in await self._recall("recall_verifications", documents, VerificationRow):
            found[row.document].append(row)
        return found

    async def record_verifications(self, rows: Sequence[VerificationRow]) -> dict[UUID, list[VerificationRow]]:
        """Record judgements; return every judgement of their documents, each as it was first recorded."""
        if not rows:
            return {}
        documents = sorted({row.document for row in rows})
        await self._insert("insert_verifications", rows)
        await self._connection.execute(statement("settle_verifications"), documents)
        return await self.verifications(documents)

    async def due_judgements(self, now: datetime, limit: int) -> list[DueJudgement]:
        """Return judgements to be made again by now, longest due first, locked; not those another worker has locked.

        They are so few that with them no more than `limit` are asked for and not made yet.
        """
        found = await self._connection.fetch(statement("due_judgements"), now, limit, now - ASKED_FOR)
        return [DueJudgement(**row) for row in found]

    async def ask_judgements(self, times: Mapping[UUID, datetime], now: datetime) -> None:
        """Record that judgements, by their ids, are asked to be made again, and when to ask after that."""
        if times:
            await self._connection.execute(statement("ask_judgements"), list(times), list(times.values()), now)

    async def answer_judgements(self, documents: Collection[UUID]) -> None:
        """Record that documents have been judged again as asked, whatever came of it."""
        if documents:
            await self._connection.execute(statement("answer_judgements"), sorted(documents))

    async def postpone_judgements(self, times: Mapping[UUID, datetime | None]) -> None:
        """Set when judgements, by their ids, are to be made again; None for never."""
        if not times:
            return
        ordered = sorted(times.items(), key=lambda item: item[0])
        keys, at = [key for key, _ in ordered], [at for _, at in ordered]
        await self._connection.execute(statement("postpone_judgements"), keys, at)

    async def hasten_judgements(self, at: datetime) -> int:
        """Have everything that is to be judged again judged no later than this.

        Returns how many were left as they were, being locked by another transaction: hasten once more.
        """
        left: int = await self._connection.fetchval(statement("hasten_judgements"), at)
        return left

    async def count_held(self) -> int:
        """Return how many documents are held now."""
        held: int = await self._connection.fetchval(statement("count_held"))
        return held

    async def record_routings(
        self, rows: Sequence[RoutingRow], parked: Sequence[ParkedRow] = ()
    ) -> dict[UUID, RecordedRouting]:
        """Record routings with deliveries and actions, and what waits; return each as it was first recorded."""
        deliveries = [delivery for row in rows for delivery in row.deliveries]
        actions = [action for row in rows for action in row.actions]
        await self._insert("insert_routings", rows, as_json(deliveries), as_json(actions), as_json(parked))
        return await self.routings({row.document for row in rows})

    async def routings(self, keys: Collection[UUID]) -> dict[UUID, RecordedRouting]:
        """Return those of these routings that are recorded, with their deliveries."""
        found = {row.document: row for row in await self._recall("recall_routings", keys, RecordedRouting)}
        for delivery in await self._recall("recall_deliveries", keys, RecordedDelivery):
            found[delivery.document].deliveries.append(delivery)
        return found

    async def documents_under_way(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        """Return those of these (sender, DocumentId) that nobody got yet, and whether they are still to come."""
        found = await self._fetch_named("documents_under_way", keys)
        return {(row["sender"], row["document_id"]): row["still_to_come"] for row in found}

    async def chains_named(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], set[UUID]]:
        """Return which chains these (sender, DocumentId) name: the document's own, or of what it acts on."""
        found = await self._fetch_named("chains_named", keys)
        chains: dict[tuple[str, str], set[UUID]] = defaultdict(set)
        for row in found:
            chains[row["sender"], row["document_id"]].add(row["chain"])
        return chains

    async def earlier_documents(self, keys: Collection[tuple[str, str]]) -> list[EarlierDocument]:
        """Return the documents of these (sender, DocumentId) that others may act on: all but withdrawals."""
        return [EarlierDocument(**row) for row in await self._fetch_named("earlier_documents", keys)]

    async def lock_chains(self, chains: Collection[UUID], *, reports: bool) -> list[ReportedDelivery]:
        """Return every delivery of these chains, locked.

        Args:
            chains: which.
            reports: whether to say when each was reported last; only who may read statuses can ask for that.
        """
        if not chains:
            return []
        found = await self._connection.fetch(statement("lock_chains"), sorted(chains))
        documents = sorted({row["document"] for row in found}) if reports else []
        last = {
            (row["document"], row["addressee"]): row["reported_at"]
            for row in (await self._connection.fetch(statement("last_reports"), documents) if documents else ())
        }
        return [ReportedDelivery(**row, reported_at=last.get((row["document"], row["addressee"]))) for row in found]

    async def settle_actions(self, rows: Sequence[SettledAction]) -> None:
        """Record how pending actions ended; the deliveries they are about must be locked."""
        ordered: list[SettledAction] = sorted(rows, key=lambda row: (row.document, row.addressee))
        await self._insert("settle_actions", ordered)

    async def statuses(self, keys: Collection[UUID]) -> list[RecordedStatus]:
        """Return those of these statuses that are recorded, a row for each delivery they were about."""
        return await self._recall("recall_statuses", keys, RecordedStatus)

    async def record_statuses(self, rows: Sequence[StatusRow]) -> None:
        """Record statuses that `statuses` did not return; the deliveries must be locked."""
        await self._insert("insert_statuses", rows)

    async def update_deliveries(self, rows: Sequence[ReportedDelivery]) -> None:
        """Write the state of locked deliveries, what is asked for there, and which version is in force."""
        await self._insert("update_deliveries", rows)

    async def record_notices(self, rows: Sequence[NoticeRow]) -> dict[UUID, bool]:
        """Record notices; return for each whether it has been sent."""
        await self._insert("insert_notices", rows)
        found = await self._connection.fetch(statement("recall_notices"), [row.notice for row in rows])
        return {row["notice"]: row["forwarded_at"] is not None for row in found}

    async def record_dead_letters(self, rows: Sequence[DeadLetterRow]) -> None:
        """Record dead letters, each id once; one that was settled before waits again."""
        await self._insert("insert_dead_letters", rows)

    async def order_replay(self, keys: Collection[UUID], by: str) -> set[UUID]:
        """Order those of these dead letters to be replayed that wait and have a queue to go to; return which."""
        found = await self._connection.fetch(statement("order_replay"), sorted(keys), by)
        return {row["dead_letter"] for row in found}

    async def lock_waiting_dead_letter(self, key: UUID) -> RecordedDeadLetter | None:
        """Return a dead letter, locked; None unless it waits."""
        found = await self._connection.fetch(statement("lock_waiting_dead_letter"), key)
        return recorded_dead_letter(found[0]) if found else None

    async def order_discard(self, key: UUID, by: str, reason: str, refusal: UUID | None) -> None:
        """Order a locked dead letter to be discarded, with the refusal that its sender is told."""
        await self._connection.execute(statement("order_discard"), key, by, reason, refusal)

    async def ordered_dead_letters(self) -> list[RecordedDeadLetter]:
        """Return what was ordered and is not yet known to have left, the oldest order first."""
        return [recorded_dead_letter(row) for row in await self._connection.fetch(statement("ordered_dead_letters"))]

    async def finish_dead_letters(self, keys: Collection[UUID]) -> None:
        """Note that what was ordered for these dead letters has left."""
        await self._connection.execute(statement("finish_dead_letters"), sorted(keys))

    async def refuse_routing(self, document: UUID) -> RecordedRouting:
        """Record that a document is not routed, unless it is recorded otherwise; return what is recorded."""
        await self._connection.execute(statement("refuse_routing"), document)
        return (await self.routings([document]))[document]

    async def note_handled_alone(self, message: UUID, step: str) -> int:
        """Note that a worker takes a redelivered message alone; return how often it did since it was last settled."""
        times = await self._connection.fetchval(statement("note_handled_alone"), message, step)
        return int(times)

    async def forget_handled_alone(self, message: UUID) -> None:
        """Note that a message taken alone was settled."""
        await self._connection.execute(statement("forget_handled_alone"), message)

    async def unfinished(self, before: datetime) -> set[tuple[str, UUID, int]]:
        """Return what was recorded before then and has not gone on: step, document or status, judgement."""
        found = await self._connection.fetch(statement("unfinished"), before)
        return {(row["step"], row["key"], row["judgement"]) for row in found}

    async def untold(self, before: datetime) -> set[tuple[str, UUID, int]]:
        """Return what agencies were to be told by then and were not: kind of notice, document or refusal, judgement."""
        found = await self._connection.fetch(statement("untold"), before)
        return {(row["kind"], row["key"], row["judgement"]) for row in found}

    async def unreported(self, before: datetime) -> list[UnreportedDelivery]:
        """Return what was delivered before then and of which no receiver has said anything, by carrier."""
        return [UnreportedDelivery(**row) for row in await self._connection.fetch(statement("unreported"), before)]

    async def reporting_carriers(self) -> set[str]:
        """Return the carriers that have reported something of what was delivered to them."""
        return {row["carrier"] for row in await self._connection.fetch(statement("reporting_carriers"))}

    async def open_dead_letters(self) -> set[tuple[str, str]]:
        """Return (user, message id) of the dead letters that an operator has still to decide about."""
        found = await self._connection.fetch(statement("open_dead_letters"))
        return {(row["user_name"] or "", row["message_id"] or "") for row in found}

    async def status_inputs(self, keys: Collection[UUID]) -> dict[UUID, StatusInput]:
        """Return the messages that reported these statuses."""
        return {row.status: row for row in await self._recall("recall_status_inputs", keys, StatusInput)}

    async def record_repairs(self, rows: Sequence[RepairRow]) -> None:
        """Record what was mended."""
        await self._insert("insert_repairs", rows)

    async def _fetch_named(self, name: str, keys: Collection[tuple[str, str]]) -> list[asyncpg.Record]:
        ordered = sorted(keys)
        senders, document_ids = [sender for sender, _ in ordered], [document_id for _, document_id in ordered]
        return await self._connection.fetch(statement(name), senders, document_ids)

    async def _insert(self, name: str, rows: Sequence[object], *more: str) -> None:
        if rows:
            await self._connection.execute(statement(name), as_json(rows), *more)

    async def _recall(self, name: str, keys: Collection[UUID], row_type: type[Row]) -> list[Row]:
        if not keys:
            return []
        names = {field.name for field in fields(row_type)}  # type: ignore[arg-type]
        found = await self._connection.fetch(statement(name), sorted(keys))
        return [row_type(**{key: _value(key, value) for key, value in row.items() if key in names}) for row in found]


def recorded_dead_letter(row: asyncpg.Record) -> RecordedDeadLetter:
    """Return a row of the table as the dead letter it is."""
    return RecordedDeadLetter(**{key: _value(key, value) for key, value in row.items()})


def _value(column: str, value: Any) -> Any:
    return json.loads(value) if column in JSON_COLUMNS and value is not None else value
