"""What a report says in few signs: shares, and the names beside bars."""

from __future__ import annotations

import pytest

from lienthong.document.deadline_words import CLOCK_WORDS
from lienthong.reporting.charts import LONGEST
from lienthong.reporting.model import Column, Kind, Words, cell_text

SHARE = Column("share", Words("Tỷ lệ", "Share"), Kind.SHARE)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0"), (0.29, "29"), (0.57, "57"), (333 / 334, "99"), (2 / 3, "66"), (1.0, "100")]
)
def test_a_share_is_never_said_to_be_more_than_it_is(share: float, text: str) -> None:
    """One of many that was late is not "100 %" in time; 0.29 is 29 % all the same."""
    assert cell_text(SHARE, share, "both") == f"{text}\u00a0%"


def test_what_a_deadline_is_called_is_not_cut_off() -> None:
    """The names beside the bars stand whole, in both languages."""
    assert max(len(Words(*words).shown("both")) for words in CLOCK_WORDS.values()) <= LONGEST
