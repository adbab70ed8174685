"""The JSON that travels."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import ValidationError

from lienthong.document import reasons
from lienthong.document.messages import NoticeToSend, ProblemModel, Receipt, Refused, decode_notice

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


def test_a_notice_survives_the_wire() -> None:
    """What the notifier reads is what a worker wrote, in both kinds of envelope."""
    refused = Refused(
        about="document",
        submission_message_id="m",
        problems=(ProblemModel.of(reasons.message_id_missing()),),
        refused_at=NOW,
    )
    task = NoticeToSend(notice_id=UUID(int=1), agency="G22", notice=refused, caused_at=NOW)
    assert NoticeToSend.model_validate_json(task.encode()) == task
    assert decode_notice(refused.encode()) == refused


def test_a_newer_field_is_ignored() -> None:
    """An agency's older SDK reads what a newer exchange says."""
    receipt = Receipt(
        submission_message_id="m", document=UUID(int=1), document_id="d", sha256="0" * 64, received_at=NOW
    )
    newer = receipt.encode().replace(b"{", b'{"later":1,', 1)
    assert decode_notice(newer) == receipt


def test_what_is_no_notice_is_refused() -> None:
    """A body that is no notice raises, it is not guessed at."""
    with pytest.raises(ValidationError):
        decode_notice(b'{"kind":"gossip"}')
