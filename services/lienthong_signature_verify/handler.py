"""From a recorded document to a recorded verdict about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lienthong.document.ids import derive
from lienthong.document.messages import DocumentToRoute, DocumentToVerify, Found
from lienthong.document.verdicts import Value, Verdict
from lienthong.ledger.rows import Mark, VerificationRow
from lienthong.topology.names import Step
from lienthong.worker.answers import to_router
from lienthong.worker.handler import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.bus.messages import Incoming
    from lienthong.ledger.unit import Unit
    from lienthong.payload import PayloadStore

__all__ = ["VerifySignature"]

NO_PROFILE = "NO_SIGNATURE_PROFILE"
NOT_JUDGED = Found(
    verdict=Verdict.INDETERMINATE,
    value=Value.INFORMATION,
    vi="Chưa xét chữ ký số",
    en="The signatures have not been judged",
)


class VerifySignature:
    """Check that the payload is intact and whose it is; record the verdict and what it rests on."""

    step = Step.SIGNATURE_VERIFY

    def __init__(self, store: PayloadStore) -> None:
        self._store = store

    async def decide(self, message: Incoming) -> DocumentToVerify:
        """Read the payload, which checks it against its digest; `Unavailable` when it is not to be had intact."""
        task = DocumentToVerify.model_validate_json(message.body)
        await self._store.get(task.sha256)
        return task

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, DocumentToVerify]]) -> Sequence[Outcome]:
        """Record a verdict for each document and pass it on to the router."""
        documents = await unit.documents({task.document for _, task in batch})
        rows = {}
        for _, task in batch:
            document = documents[task.document]
            if document.user_name != task.user or document.sha256 != task.sha256:
                raise ValueError(f"document {task.document} was recorded for other content or another user")
            grounds = {
                "profile": "no signature profile yet",
                "authenticated_user": document.user_name,
                "sender": document.sender,
                "payload_sha256": task.sha256,
            }
            rows[task.document] = VerificationRow(
                verification=derive("verification", task.document, 1),
                document=task.document,
                judgement=1,
                verdict="indeterminate",
                value="information",
                reason=NO_PROFILE,
                vi=NOT_JUDGED.vi,
                en=NOT_JUDGED.en,
                grounds=grounds,
                judged_at=datetime.now(UTC),
            )
        recorded = await unit.record_verifications(list(rows.values()))
        return [
            Outcome()
            if recorded[task.document][0].forwarded_at is not None
            else _forward(task, documents[task.document].size)
            for _, task in batch
        ]


def _forward(task: DocumentToVerify, size: int) -> Outcome:
    route = DocumentToRoute(document=task.document, sha256=task.sha256, found=NOT_JUDGED)
    return Outcome((to_router(route, task.lane, size),), Mark("verification", derive("verification", task.document, 1)))
