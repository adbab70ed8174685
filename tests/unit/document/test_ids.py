"""Derived identifiers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lienthong.document.ids import derive, document_uuid


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_only_equal_parts_share_an_id(one: list[str], other: list[str]) -> None:
    """The id is a function of the sequence of parts, and tells different sequences apart."""
    assert (derive(*one) == derive(*other)) == (one == other)


def test_a_withdrawal_is_another_document() -> None:
    """A withdrawal carries the DocumentId of what it withdraws, and still has an id of its own."""
    assert document_uuid("G22", "x", 0) != document_uuid("G22", "x", 1)


def test_the_id_never_changes() -> None:
    """A running exchange relies on ids derived by earlier versions."""
    assert (
        str(document_uuid("G22", "000.00.00.G22,2015/09/30,7816/VPCP-TTĐT", 0))
        == "f711bd0f-2f97-5f90-9c5a-f94b35f8d588"
    )
