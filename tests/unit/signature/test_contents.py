"""Taking the attachments' base64 out of a message."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lienthong.edxml.strict_base64 import CHUNK, decode_base64
from lienthong.signature.contents import Content, cut, digest_base64
from lienthong.signature.reasons import BrokenSignatureError

LARGE = base64.b64encode(bytes(range(256)) * 4096)


def spread(text: bytes) -> Content:
    """Return the text as a content in the middle of something larger."""
    return Content(b"<a>" + text + b"</a>", 3, 3 + len(text))


def test_a_content_is_cut_out_and_everything_else_kept() -> None:
    """Skeleton and contents together are the message, byte for byte."""
    data = b"<a><x:ContentTransferEncoded Id='1'>QUJD\n</x:ContentTransferEncoded><ContentTransferEncoded/></a>"
    skeleton = cut(data)
    assert skeleton.xml == data.replace(b"QUJD\n", b"")
    assert [content and b"".join(content.text()) for content in skeleton.contents] == [b"QUJD\n", None]


@pytest.mark.parametrize(
    "text",
    [b"QU&#74;D", b"QU<b/>JD", b"<![CDATA[QUJD]]>", b"QU<!-- -->JD"],
)
def test_what_is_not_just_characters_stays_in_the_skeleton(text: bytes) -> None:
    """Only plain characters are cut out, for only they mean the same whoever reads them."""
    data = b"<a><ContentTransferEncoded>" + text + b"</ContentTransferEncoded></a>"
    skeleton = cut(data)
    assert skeleton.xml == data
    assert skeleton.contents == (None,)


@pytest.mark.parametrize(
    "data",
    [
        b"<a>ContentTransferEncoded</a>",
        b"<a b='ContentTransferEncoded>x'/>",
        b"<aContentTransferEncoded>x</aContentTransferEncoded>",
        b"<ContentTransferEncodedX>x</ContentTransferEncodedX>",
        b"</ContentTransferEncoded>x",
    ],
)
def test_the_name_alone_is_no_content(data: bytes) -> None:
    """Only a start tag of exactly this name opens a content."""
    assert cut(data).xml == data
    assert cut(data).contents == ()


def test_a_name_repeated_without_end_is_refused() -> None:
    """No message makes the cut take long."""
    with pytest.raises(BrokenSignatureError):
        cut(b"ContentTransferEncoded" * 10_000)


@pytest.mark.parametrize("width", [0, 64, 76, 77])
def test_large_base64_is_digested_as_a_whole(width: int) -> None:
    """Decoding piece by piece gives what decoding at once gives, whatever the line length."""
    text = LARGE if not width else b"\r\n".join(LARGE[at : at + width] for at in range(0, len(LARGE), width))
    found = digest_base64(spread(text))
    plain = base64.b64decode(LARGE)
    assert found == (hashlib.sha256(plain).digest(), len(plain))


@pytest.mark.parametrize("at", [0, 1, CHUNK - 3, CHUNK - 1, CHUNK, CHUNK + 1, len(LARGE) - 5])
@pytest.mark.parametrize("what", [b"!", b"=", b"==", b"\x0b", b"\xc2\xa0", b"QQ==", b"Q"])
def test_large_base64_with_anything_wrong_in_it_is_refused(at: int, what: bytes) -> None:
    """Garbage, padding inside and half quanta are found in every piece and on every border."""
    assert digest_base64(spread(LARGE[:at] + what + LARGE[at:])) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([b"QUJD", b"QQ==", b"QR==", b" ", b"\n", b"=", b"Q", b"!", LARGE[:CHUNK]]), max_size=12),
)
def test_large_and_small_base64_are_judged_alike(pieces: list[bytes]) -> None:
    """What is strict base64 does not depend on the way it is decoded."""
    text = b"".join(pieces)
    whole = strict(text)
    assert decode_base64(text) == whole
    assert digest_base64(spread(text)) == (None if whole is None else (hashlib.sha256(whole).digest(), len(whole)))


def strict(text: bytes) -> bytes | None:
    """Return the bytes behind base64 by the standard library, or None where writing them gives another text."""
    bare = text.translate(None, b" \t\r\n")
    try:
        content = base64.b64decode(bare, validate=True)
    except ValueError:
        return None
    return content if base64.b64encode(content) == bare else None


def test_line_ends_of_a_content_are_those_an_xml_parser_hands_on() -> None:
    """A canonical form has line feeds only, also where a piece ends between the two signs of a line end."""
    text = b"A" * (CHUNK - 1) + b"\r\nB\rC\nD"
    assert b"".join(spread(text).text()) == b"A" * (CHUNK - 1) + b"\nB\nC\nD"
