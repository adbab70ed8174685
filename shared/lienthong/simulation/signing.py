"""How a simulated document is signed, and what that makes it worth."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lienthong.document.verdicts import Value

if TYPE_CHECKING:
    from lienthong.simulation.credentials import Holder

__all__ = ["Signing"]


class Signing(StrEnum):
    """How a document is signed, which decides what it is worth (Decision 28/2018/QĐ-TTg, Art. 4)."""

    COMPLETE = "complete"
    AGENCY_ONLY = "agency-only"
    UNSIGNED = "unsigned"
    REVOKED = "revoked"

    @property
    def worth(self) -> Value:
        """What a document so signed is worth where person and agency have to sign."""
        return _WORTH[self]

    @property
    def on_pdf(self) -> tuple[Holder, ...]:
        """Whose keys sign the PDF, in order: the competent person, then the agency (Decree 30/2020/NĐ-CP, Art. 5)."""
        return _ON_PDF[self]

    @property
    def on_message(self) -> Holder | None:
        """Whose key signs the message around it."""
        return _ON_MESSAGE[self]


_WORTH = {
    Signing.COMPLETE: Value.PAPER,
    Signing.AGENCY_ONLY: Value.INFORMATION,
    Signing.UNSIGNED: Value.INFORMATION,
    Signing.REVOKED: Value.REFUSED,
}
_ON_PDF: dict[Signing, tuple[Holder, ...]] = {
    Signing.COMPLETE: ("person", "agency"),
    Signing.AGENCY_ONLY: ("agency",),
    Signing.UNSIGNED: (),
    Signing.REVOKED: ("person", "revoked"),
}
_ON_MESSAGE: dict[Signing, Holder | None] = {
    Signing.COMPLETE: "agency",
    Signing.AGENCY_ONLY: "agency",
    Signing.UNSIGNED: None,
    Signing.REVOKED: "revoked",
}
