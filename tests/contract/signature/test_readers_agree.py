"""The verifier and the reader of messages look at the same things."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong.edxml import Business, Document, decode
from lienthong.errors import Refusal
from lienthong.signature import Layout, examine_message
from lienthong.testing.message_forge import Draft

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SIGNED = {layout: Draft(layout).sign() for layout in LAYOUTS}
TOKENS = {layout: re.findall(rb"<[^>]*>|[^<]+", data) for layout, data in SIGNED.items()}
PIECES = (
    b"<!-- -->",
    b"<![CDATA[x]]>",
    b"&#10;",
    b" ",
    b"<AttachmentName>z.exe</AttachmentName>",
    b"<ContentType>a/b</ContentType>",
    b"<Description>d</Description>",
    b"<FieldName/>",
    b"<edXML:To><edXML:OrganId>X99</edXML:OrganId></edXML:To>",
    b"<edXML:MessageHeader/>",
    b"<edXML:Status/>",
    b"<edXML:Signature/>",
    b"<AttachmentEncoded/>",
    b"<ContentTransferEncoded>QUJD</ContentTransferEncoded>",
    b"cid:",
)
ATTRIBUTES = (b' Id="h"', b' xml:id="h"', b' a="b"', b' xmlns="urn:x"', b' xmlns:edXML="urn:x"')
EDITS = st.lists(
    st.tuples(st.sampled_from(["swap", "copy", "delete", "put", "attribute", "move"]), st.integers(0), st.integers(0)),
    min_size=1,
    max_size=3,
)


def edited(tokens: list[bytes], edits: list[tuple[str, int, int]]) -> bytes:
    """Return a message whose tags and texts were moved about."""
    tokens = list(tokens)
    for kind, one, other in edits:
        at, to = one % len(tokens), other % len(tokens)
        if kind == "swap":
            tokens[at], tokens[to] = tokens[to], tokens[at]
        elif kind == "copy":
            tokens.insert(to, tokens[at])
        elif kind == "delete":
            del tokens[at]
        elif kind == "put":
            tokens.insert(at, PIECES[other % len(PIECES)])
        elif kind == "attribute":
            tokens[at] = re.sub(rb"(/?>)$", ATTRIBUTES[other % len(ATTRIBUTES)] + rb"\1", tokens[at])
        else:
            moved = tokens[at : at + 1 + other % 12]
            del tokens[at : at + len(moved)]
            tokens[to:to] = moved
    return b"".join(tokens)


def signed_values(data: bytes) -> Document | None:
    """Return what a message says apart from its trace, which nobody signs; None when it cannot be read."""
    try:
        message = decode(data)
    except Refusal:
        return None
    assert isinstance(message, Document)
    return replace(message, trace=(), business=Business(), legacy_signature=None)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(LAYOUTS), EDITS)
def test_a_message_examined_as_intact_is_read_as_it_was_signed(
    layout: Layout, edits: list[tuple[str, int, int]]
) -> None:
    """However its tags are moved about, what the codec reads out of an intact message is what was signed."""
    data = edited(TOKENS[layout], edits)
    found = examine_message(data)
    assert "processed" not in found.reason.en, "an unforeseen error is no reason"
    if found.state == "intact" and (read := signed_values(data)) is not None:
        assert read == signed_values(SIGNED[layout])
        assert found.header is not None
        assert found.header.differences(read) == ()
