"""What sender and receivers are told about signatures, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lienthong.document.verdicts import Reason, SignatureFinding, Value, Verdict
from lienthong.signature.policy import Appraisal
from lienthong.signature.verification import Verification
from lienthong.worker.signers import LONGEST
from lienthong_signature_verify import words

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
WHY = Reason("TRY_LATER", "chưa rõ vì sao", "it is not known why")
FINDINGS = {
    Verdict.VALID: SignatureFinding(
        "message", Verdict.VALID, Reason("", "tốt", "good"), signer="Nguyễn Văn A", agency="G22", signed_at=NOW
    ),
    Verdict.INVALID: SignatureFinding("pdf", Verdict.INVALID, WHY, signer="X", subject="cong-van.pdf"),
    Verdict.INDETERMINATE: SignatureFinding("message", Verdict.INDETERMINATE, WHY),
}
CASES = [
    (Appraisal(Verdict.VALID, Value.PAPER), {}, "Có giá trị như bản giấy: ", "Has the value of paper: "),
    (Appraisal(Verdict.VALID, Value.INFORMATION, (WHY,)), {}, "Chỉ để biết, ", "For information only, without"),
    (Appraisal(Verdict.UNSIGNED, Value.INFORMATION, (WHY,)), {}, "Chỉ để biết, ", "For information only, without"),
    (
        Appraisal(Verdict.INDETERMINATE, Value.INFORMATION, (WHY,)),
        {},
        "Chỉ để biết, chưa xác định",
        "For information only, its value is not known yet",
    ),
    (
        Appraisal(Verdict.INDETERMINATE, Value.INFORMATION, (WHY,), held=True),
        {"held_until": NOW},
        "Đang giữ lại",
        "Held back",
    ),
    (Appraisal(Verdict.INVALID, Value.REFUSED, (WHY,)), {"delivered": True}, "Văn bản đã chuyển", "The document was"),
    (Appraisal(Verdict.INVALID, Value.REFUSED, (WHY,)), {}, "Bị từ chối", "Refused"),
]


def verification(appraisal: Appraisal, *findings: SignatureFinding) -> Verification:
    """Return what was found."""
    usual = (FINDINGS[appraisal.verdict],) if appraisal.verdict in FINDINGS else ()
    return Verification(findings or usual, appraisal)


@pytest.mark.parametrize(("appraisal", "more", "vi", "en"), CASES)
def test_every_outcome_has_its_words(appraisal: Appraisal, more: dict[str, object], vi: str, en: str) -> None:
    """A clerk reads first what the document is worth, then why, then what happens next."""
    found = words.found(verification(appraisal), agency_name=lambda _: "UBND tỉnh", **more)  # type: ignore[arg-type]
    assert (found.verdict, found.value) == (appraisal.verdict, appraisal.value)
    assert found.vi.startswith(vi)
    assert found.en.startswith(en)
    expected = "Nguyễn Văn A (UBND tỉnh)" if appraisal.value is Value.PAPER else WHY.vi
    assert expected in found.vi
    assert ("08:02 ngày 22/11/2026" in found.vi) is (appraisal.verdict is Verdict.VALID or "held_until" in more)


@pytest.mark.parametrize(("appraisal", "more"), [(appraisal, more) for appraisal, more, _, _ in CASES])
def test_no_text_outgrows_a_header(appraisal: Appraisal, more: dict[str, object]) -> None:
    """However many signatures, and however long and strange their names and reasons, 500 characters hold it."""
    long = "\x00\u202e" + "Ạ" * 5000
    reasons = tuple(Reason("X", f"{number}{long}", f"{number}{long}") for number in range(50))
    many = [
        SignatureFinding("pdf", Verdict.VALID, WHY, signer=f"{number}{long}", agency="G22", signed_at=NOW)
        for number in range(50)
    ]
    huge = Appraisal(appraisal.verdict, appraisal.value, reasons, appraisal.held)
    found = words.found(verification(huge, *many), agency_name=lambda _: long, **more)  # type: ignore[arg-type]
    for text in (found.vi, found.en):
        assert len(text) <= LONGEST
        assert text.isprintable()


def test_a_refusal_names_the_attachment() -> None:
    """What is wrong with a file is said of that file; the same thing twice is said once."""
    bad = FINDINGS[Verdict.INVALID]
    (problem,) = words.problems(verification(Appraisal(Verdict.INVALID, Value.REFUSED, (WHY, WHY)), bad, bad))
    assert (problem.code, problem.path, problem.province_code) == ("CheckSignature", "Attachment[cong-van.pdf]", 21)
    assert "chưa rõ vì sao" in problem.vi


def test_a_refusal_without_a_culprit_says_why() -> None:
    """Unsigned where a signature is demanded, or not known for too long: each asks for something else."""
    (unsigned,) = words.problems(verification(Appraisal(Verdict.UNSIGNED, Value.REFUSED, (WHY,))))
    (unknown,) = words.problems(verification(Appraisal(Verdict.INDETERMINATE, Value.REFUSED, (WHY,))))
    assert "sign it validly" in unsigned.en
    assert "ask who issued the certificate" in unknown.en
