"""What an agency is told, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from lienthong.agency import Delivered, Receipt, Refused, StatusReport, Verified
from lienthong.document.messages import Found, FoundSignature, ProblemModel
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Organization, ResponseFor, Status
from lienthong_cli.agency_told import Answers, describe

if TYPE_CHECKING:
    from lienthong.agency.reading import Told

NOW = datetime.now(UTC)
DOCUMENT = uuid4()
FILE = Path("document.edxml")


def verified(*, held: bool = False, final: bool = True, judgement: int = 1) -> Verified:
    """Make what the exchange found about a document."""
    return Verified(
        document=DOCUMENT,
        document_id="d1",
        found=Found(verdict=Verdict.VALID, value=Value.PAPER, vi="Mọi chữ ký hợp lệ", en="All signatures are valid"),
        signatures=(
            FoundSignature(
                kind="pdf", verdict=Verdict.VALID, signer="Nguyễn Văn A", agency="H23", subject="cv.pdf", vi="v", en="e"
            ),
        ),
        held=held,
        final=final,
        judgement=judgement,
        judged_at=NOW,
    )


def receipt(*, repeated: bool = False) -> Receipt:
    """Make the exchange's receipt."""
    return Receipt(
        submission_message_id="m", document=DOCUMENT, document_id="d1", sha256="0", received_at=NOW, repeated=repeated
    )


def test_the_exchanges_words_are_shown_and_what_is_not_valid_is_named() -> None:
    """A clerk reads what the document is worth in the exchange's words, then each signature that does not hold."""
    said = verified()
    assert describe(said) == "d1: Mọi chữ ký hợp lệ / All signatures are valid"
    (good,) = said.signatures
    bad = good.model_copy(update={"verdict": Verdict.INDETERMINATE})
    _, second = describe(said.model_copy(update={"signatures": (good, bad)})).splitlines()
    assert second == "  ? pdf [cv.pdf]: Nguyễn Văn A, H23: v / e"


@pytest.mark.parametrize("verdict", [*Verdict, None])
def test_a_status_of_which_it_is_not_known_who_says_it_is_told_so(verdict: Verdict | None) -> None:
    """What could not be found out about a status's signature stands behind it; what is as usual does not."""
    status = Status(Organization("H23"), ResponseFor("G22", "d1"), "03")
    report = StatusReport(status, b"", "H23", "03", "m", DOCUMENT, "d1", verdict, "chưa rõ", "not known")
    assert describe(report).endswith(" (chưa rõ / not known)") == (verdict is Verdict.INDETERMINATE)


def test_a_verdict_for_good_says_so() -> None:
    """Whoever was told a first verdict sees that this is the last word."""
    assert "for good" in describe(verified(judgement=2))
    assert "for good" not in describe(verified(judgement=2, final=False))
    assert "for good" not in describe(verified())


@pytest.mark.parametrize("receipt_first", [True, False])
def test_nobody_waits_for_what_is_held(receipt_first: bool) -> None:
    """Holding may take hours: the command says so and ends, in whatever order receipt and verdict come."""
    answers = Answers({"m": FILE})
    told: list[Told] = [receipt(), verified(held=True, final=False)]
    for each in told if receipt_first else reversed(told):
        answers.note(each)
    assert answers.missing == []
    assert answers.waiting == [FILE]
    answers.note(verified(judgement=2))
    assert answers.waiting == []


@pytest.mark.parametrize("verdict_first", [True, False])
def test_a_document_is_settled_when_it_is_judged_and_delivered(verdict_first: bool) -> None:
    """Neither what a document is worth nor that it was delivered is the whole answer, in whatever order they come."""
    answers = Answers({"m": FILE})
    assert answers.note(receipt()) == FILE
    delivered = Delivered(document=DOCUMENT, document_id="d1", addressees=(), delivered_at=NOW)
    first, second = (verified(), delivered) if verdict_first else (delivered, verified())
    assert answers.note(first) == FILE
    assert answers.missing == [FILE]
    assert answers.note(second) == FILE
    assert answers.missing == []


def test_another_document_under_the_same_id_is_noticed() -> None:
    """Signed anew a document is another one: whoever sends a file twice is told why it is refused."""
    answers = Answers({"m": FILE})
    problem = ProblemModel(code="ExistDoc", path="", vi="v", en="e", province_code=10)
    answers.note(Refused(about="document", submission_message_id="m", problems=(problem,), refused_at=NOW))
    assert answers.refused
    assert answers.exists
