"""Example messages changed by a test, and what was found in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lienthong.edxml import Document, decode

if TYPE_CHECKING:
    from lienthong.errors import Problem

__all__ = ["changed", "element", "places", "read_document"]


def changed(text: str, *changes: tuple[str, str]) -> bytes:
    """Return the message with every change made; a change that finds nothing is a mistake of the test."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def element(text: str, name: str) -> str:
    """Return the first element of this name as it stands in the text."""
    found = re.search(rf"<edXML:{name}>.*?</edXML:{name}>", text, re.DOTALL)
    assert found is not None
    return found[0]


def places(findings: tuple[Problem, ...]) -> list[tuple[str, str]]:
    """Return code and path of each finding."""
    return [(finding.code, finding.path) for finding in findings]


def read_document(data: bytes) -> Document:
    """Return the document in the bytes."""
    message = decode(data)
    assert isinstance(message, Document)
    return message
