"""Which statuses are examined: none that holds a signature may be taken for an unsigned one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from lienthong import edxml
from lienthong.edxml import Organization, ResponseFor, Status, encode
from lienthong.edxml.names import XMLDSIG
from lienthong.signature import sign_message
from lienthong.testing.attacks import attacks
from lienthong.testing.message_forge import signer
from lienthong_status_tracker.signature import may_be_signed

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS = encode(Status(Organization("H23"), ResponseFor("G22", "d1"), "01", description="lý do"))
SIGNED = sign_message(STATUS, signer("rsa"), signing_time=datetime(2026, 11, 10, tzinfo=UTC))


def holds_a_signature(data: bytes) -> bool:
    """Tell whether another parser finds a signature in it; it resolves what ours refuses."""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=True, load_dtd=False, huge_tree=True))
    return any(etree.QName(one).localname == "Signature" for one in root.iter("{*}Signature"))


def readable(data: bytes) -> bool:
    """Tell whether a message gets as far as the question."""
    return edxml.inspect(data, warnings=False).message is not None


REWRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "as signed": lambda data: data,
    "another prefix": lambda data: data.replace(b"ds:", b"x-1:").replace(b"xmlns:ds", b"xmlns:x-1"),
    "namespace by character reference": lambda data: data.replace(
        XMLDSIG.encode(), b"&#104;ttp" + XMLDSIG[4:].encode()
    ),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
}


@pytest.mark.parametrize("how", REWRITTEN)
def test_a_signature_is_seen_however_it_is_written(how: str) -> None:
    """Prefixes and character references do not hide a signature."""
    data = REWRITTEN[how](SIGNED)
    assert readable(data)
    assert holds_a_signature(data)
    assert may_be_signed(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7", "cp037"])
def test_other_encodings_never_get_as_far(encoding: str) -> None:
    """Where the letters of a name are other bytes, the message cannot be read and is refused for that."""
    data = SIGNED.decode().replace('"UTF-8"', f'"{encoding.upper()}"', 1).encode(encoding)
    assert not readable(data)


def test_an_element_hidden_in_an_entity_never_gets_as_far() -> None:
    """An entity could spell the name in pieces; a document type that would declare it is refused."""
    declared = b'<!DOCTYPE x [<!ENTITY s "<ds:Sign&#97;ture/>">]><edXML:edXML'
    data = STATUS.replace(b"<edXML:edXML", declared, 1)
    assert b"DOCTYPE" in data
    assert not readable(data)


def test_no_attack_passes_as_unsigned() -> None:
    """Of the whole corpus nothing that we read, and in which a parser finds a signature, is taken for unsigned."""
    seen = 0
    for attack in attacks():
        data = attack.make()
        if readable(data) and holds_a_signature(data):
            seen += 1
            assert may_be_signed(data), attack.name
    assert seen > 100


def test_an_unsigned_status_is_not_examined() -> None:
    """The most frequent message of all takes no turn in an examiner."""
    assert not may_be_signed(STATUS)
