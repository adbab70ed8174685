"""What the ledger's tests have in common: a ledger with three agencies, and rows to put into it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from lienthong.document.ids import derive, document_uuid
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import AgencyRow, DocumentRow, VerificationRow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


@pytest_asyncio.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    """Provide a ledger, as its owner, that knows G22, H23 and H41."""
    opened = await Ledger.connect(database)
    await opened.register(
        [AgencyRow(code, f"Cơ quan {code}", stage="official", supervised=True) for code in ("G22", "H23", "H41")]
    )
    yield opened
    await opened.close()


def document_row(document_id: str = "d1", *, sender: str = "G22", sha256: str = "a" * 64) -> DocumentRow:
    """Return a document of G22 to H23 and H41."""
    return DocumentRow(
        document=document_uuid(sender, document_id, 0),
        sender=sender,
        document_id=document_id,
        business=0,
        user_name=sender,
        message_id=f"message-{document_id}",
        sha256=sha256,
        size=10,
        subject="V/v thử nghiệm",
        code="1/TN",
        promulgated_on=NOW.date(),
        type_name="Công văn",
        due_on=None,
        priority=0,
        lane="ordinary",
        addressees=("H23", "000.00.00.H41"),
        submitted_at=NOW,
        received_at=NOW,
    )


def verification_row(document: UUID, judgement: int = 1, **more: Any) -> VerificationRow:
    """Return a judgement: indeterminate, for information, to be made again, unless said otherwise."""
    said: dict[str, Any] = {
        "verdict": "indeterminate",
        "value": "information",
        "reason": "TRY_LATER",
        "vi": "chưa rõ",
        "en": "not known",
        "grounds": {"findings": [], "sender": "G22"},
        "judged_at": NOW,
        "judge_again_at": NOW,
    }
    return VerificationRow(derive("verification", document, judgement), document, judgement, **(said | more))
