"""What the workers that judge signatures share: who may sign for whom, and how a signer's own words are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lienthong.ledger.directory import Directory

__all__ = ["LONGEST", "LONGEST_NAME", "printable", "speaks_for"]

LONGEST = 500
"""Characters of a text; two of them, in up to three bytes a character, and 2000 agency codes fit into one frame."""
LONGEST_NAME = 120


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a stranger's text as the ledger and a clerk can have it: bounded, without what does not print."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(sign if sign.isprintable() else "�" for sign in shown)


def speaks_for(directory: Directory) -> Callable[[str, str], bool]:
    """Return whether a certificate's agency may speak for the agency in From, by the directory.

    It may when it is that agency, in whichever form the code is written and whether or not it is connected, or the
    one it was merged into, or the one that carries it. One that was merged speaks for itself only.
    """

    def speaks(certified: str, written: str) -> bool:
        signer, sender = directory.named(certified), directory.resolve(written)
        if signer is None or sender is None:
            return False
        return signer in (sender, directory.named(written)) or directory.speaks_for(signer.code, sender)

    return speaks
