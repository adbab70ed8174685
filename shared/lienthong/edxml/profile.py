"""How strictly a message is read, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Limits", "Profile"]

MIB = 1024 * 1024


class Profile(StrEnum):
    """`STRICT` is what we emit and certify; `LENIENT` reads what real traffic looks like."""

    STRICT = "strict"
    LENIENT = "lenient"


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a message may be before it is refused unread.

    Attributes:
        total_bytes: of the whole message.
        depth: elements inside one another.
        elements: and comments, in the whole message; some 2,000 addressees with all their fields.
        attributes: of one element.
        attribute_chars: of one attribute's name and value.
        text_chars: of one element's text, base64 apart.
        total_chars: of all texts and attributes together, base64 apart.
        attachments: attached files.
        unpacked_bytes: of all files together after the zip wrapping is taken off.
    """

    total_bytes: int = 50 * MIB
    depth: int = 32
    elements: int = 20_000
    attributes: int = 64
    attribute_chars: int = 4096
    text_chars: int = 65_536
    total_chars: int = 8 * MIB
    attachments: int = 100
    unpacked_bytes: int = 100 * MIB
