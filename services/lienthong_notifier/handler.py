"""From something an agency should know to a message in its status queue, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.document.messages import NoticeToSend, Receipt
from lienthong.ledger.rows import Mark, NoticeRow
from lienthong.topology.names import OWN, STATUS, Header, Step, status_key
from lienthong.worker.handler import Milestone, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.document.messages import WireModel
    from lienthong.ledger.directory import Directory
    from lienthong.ledger.unit import Unit

__all__ = ["SendNotice"]


class SendNotice:
    """Record a notice and publish it to the status queue of the agency, or of the one it was merged into."""

    step = Step.NOTIFIER

    async def decide(self, message: Incoming) -> NoticeToSend:
        """Read what is to be told, and to whom."""
        return NoticeToSend.model_validate_json(message.body)

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, NoticeToSend]]) -> Sequence[Outcome]:
        """Record each notice; one that has been sent before is not sent again."""
        rows = [
            NoticeRow(task.notice_id, task.agency, task.notice.kind, task.document, task.caused_at, _words(task.notice))
            for _, task in batch
        ]
        sent = await unit.record_notices(rows)
        return [
            Outcome(document=task.document) if sent[task.notice_id] else _publish(task, unit.directory)
            for _, task in batch
        ]


def _words(notice: WireModel) -> dict[str, str] | None:
    """Return what a notice says to people, for those who are told by mail; None when it has no such words."""
    words = notice.model_dump(include={"vi", "en"})
    return words or None


def _publish(task: NoticeToSend, directory: Directory) -> Outcome:
    headers: dict[str, str | int] = {Header.DOCUMENT: str(task.document)} if task.document else {}
    outputs = tuple(
        Outgoing(
            exchange=STATUS,
            routing_key=status_key(agency, OWN, task.notice.kind),
            message_id=str(task.notice_id),
            body=task.notice.encode(),
            type=task.notice.kind,
            headers=headers,
        )
        for agency in _told(task, directory)
    )
    milestone = None
    if isinstance(task.notice, Receipt) and not task.notice.repeated:
        milestone = Milestone("receipt", task.lane, task.notice.received_at)
    return Outcome(outputs, Mark("notice", task.notice_id), document=task.document, milestone=milestone)


def _told(task: NoticeToSend, directory: Directory) -> list[str]:
    told = directory.told(task.agency)
    own = directory.agency(task.agency)
    if task.notice.kind == "refusal" and own is not None and own.connected:
        # As long as a merged agency is let in it has to learn that what it sent itself is refused.
        return list(dict.fromkeys((told, task.agency)))
    return [told]
