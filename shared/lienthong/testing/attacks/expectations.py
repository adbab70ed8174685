"""What the attacks have in common: the reasons they have to be refused for, and changing a message that is signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lienthong.signature.reasons import Code

if TYPE_CHECKING:
    from lienthong.testing.message_forge import Draft

__all__ = [
    "CONSTRAINTS",
    "CRYPTO",
    "FORMAT",
    "HASH",
    "NOT_FOUND",
    "NO_CERTIFICATE",
    "ONE",
    "TWO",
    "WEAK",
    "Found",
    "changed",
]

FORMAT: Final = Code.FORMAT_FAILURE
HASH: Final = Code.HASH_FAILURE
CRYPTO: Final = Code.SIG_CRYPTO_FAILURE
CONSTRAINTS: Final = Code.SIG_CONSTRAINTS_FAILURE
WEAK: Final = Code.CRYPTO_CONSTRAINTS_FAILURE
NO_CERTIFICATE: Final = Code.NO_SIGNING_CERTIFICATE_FOUND
NOT_FOUND: Final = Code.SIGNED_DATA_NOT_FOUND

ONE: Final = b"%PDF-1.7 first"
TWO: Final = b"%PDF-1.7 second"
"""What the two attachments of a `Draft` hold."""

Found = tuple[str, Code, Callable[[], bytes]]
"""The name of an attack, the reason it has to be refused for, and what makes the message."""


def changed(draft: Draft, *changes: tuple[str | bytes, str | bytes]) -> Callable[[], bytes]:
    """Return a maker of a signed message that is changed afterwards; each text has to be there."""

    def make() -> bytes:
        data = draft.sign()
        for before, after in changes:
            old, new = (part.encode() if isinstance(part, str) else part for part in (before, after))
            if old not in data:
                raise ValueError(f"nothing to change: {old[:80]!r}")
            data = data.replace(old, new, 1)
        return data

    return make
