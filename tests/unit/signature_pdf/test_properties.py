"""What holds for any change to any signed PDF."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.signature_pdf.files import contents, letter
from tests.unit.signature_pdf.people import RECEIVED, belief, person, signed, stamper

from lienthong.document.verdicts import Verdict
from lienthong.signature.pdf import report
from lienthong.signature.pdf_examination import examine


def verdict(pdf: bytes) -> Verdict:
    """Return the verdict on a PDF, examined here."""
    return report(examine(pdf), pdf, at=RECEIVED, belief=belief()).verdict


ONCE = signed(letter())
TWICE = signed(signed(letter(), stamped=stamper()), person("Sở", "H23"))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([ONCE, TWICE]), st.integers(min_value=0), st.integers(1, 255))
def test_no_change_of_a_byte_stays_valid(pdf: bytes, position: int, change: int) -> None:
    """With any byte outside the last signature changed, the PDF is not valid; and what is signed comes first."""
    gap = contents(pdf)
    position %= len(pdf)
    if gap.start(1) <= position < gap.end(1):
        position = gap.start() - 1
    assert verdict(pdf[:position] + bytes([pdf[position] ^ change]) + pdf[position + 1 :]) is not Verdict.VALID


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([ONCE, TWICE]), st.integers(min_value=0), st.binary(min_size=1, max_size=40), st.integers(0, 40))
def test_nothing_can_be_put_in_or_taken_out(pdf: bytes, position: int, new: bytes, length: int) -> None:
    """With any bytes replaced by any others outside the last signature, the PDF is not valid, and nothing raises."""
    gap = contents(pdf)
    position %= len(pdf) + 1
    changed = pdf[:position] + new + pdf[position + length :]
    inside = gap.start(1) <= position and position + max(length, len(new)) <= gap.end(1)
    assert inside or changed == pdf or verdict(changed) is not Verdict.VALID


@settings(deadline=None, max_examples=100)
@given(st.integers(min_value=0), st.binary(max_size=30))
def test_any_bytes_get_an_answer(position: int, new: bytes) -> None:
    """Whatever the bytes, `examine` answers and `report` has a reason."""
    position %= len(TWICE)
    changed = TWICE[:position] + new
    found = report(examine(changed), changed, at=RECEIVED, belief=belief())
    assert found.verdict is not Verdict.VALID
    assert found.reason.vi
