"""Signing what an agency sends."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from lienthong.agency.reading import LARGE_BYTES
from lienthong.agency.seen import InMemory
from lienthong.agency.signing import MessageSigning, is_signed
from lienthong.edxml import Attachment, Document, Organization, ResponseFor, Status, encode
from lienthong.errors import Refusal
from lienthong.signature import FileSigner, Signer, examine_message
from lienthong.testing.message_forge import signer

if TYPE_CHECKING:
    from cryptography import x509

    from lienthong.signature import SignatureMethod

DOCUMENT = encode(Document(Organization("H23"), (Organization("G22"),), "d1"))
STATUS = encode(Status(Organization("H23"), ResponseFor("G22", "d1"), "01"))
LARGE = encode(
    Document(Organization("H23"), (Organization("G22"),), "d2", attachments=(Attachment("a.bin", b"\0" * LARGE_BYTES),))
)


@dataclass
class Slow:
    """A key that is not in memory, as on a token; notes which threads asked it."""

    key: FileSigner = field(default_factory=signer)
    threads: set[int] = field(default_factory=set)

    @property
    def certificate_chain(self) -> tuple[x509.Certificate, ...]:
        """Return the certificates."""
        return self.key.certificate_chain

    @property
    def method(self) -> SignatureMethod:
        """Return how it signs."""
        return self.key.method

    def sign(self, data: bytes) -> bytes:
        """Sign, and note the thread."""
        self.threads.add(threading.get_ident())
        return self.key.sign(data)


async def signed(key: Signer, message: bytes) -> bytes:
    """Sign a message with a memory of its own."""
    return await MessageSigning(key, InMemory()).sign(message, sha256(message).hexdigest())


@pytest.mark.parametrize("message", [DOCUMENT, STATUS, LARGE], ids=["document", "status", "large"])
@pytest.mark.parametrize("kind", ["p256", "rsa"])
async def test_what_is_signed_is_whole_and_signed_once(message: bytes, kind: str) -> None:
    """Whoever calls again, even at the same time, sends the same bytes; another memory would make others."""
    key = signer("p256" if kind == "p256" else "rsa")
    signing = MessageSigning(key, InMemory())
    digest = sha256(message).hexdigest()
    first, again = await asyncio.gather(signing.sign(message, digest), signing.sign(message, digest))
    assert first == again == await signing.sign(message, digest)
    assert examine_message(first).state == "intact"
    assert await is_signed(first)
    assert not await is_signed(message)
    if kind == "p256":  # its random number alone makes two signatures differ
        assert await signed(key, message) != first


async def test_a_token_never_holds_up_the_event_loop() -> None:
    """A key that may take seconds is asked in a thread of its own, so that heartbeats go on."""
    key = Slow()
    assert examine_message(await signed(key, DOCUMENT)).state == "intact"
    assert threading.get_ident() not in key.threads


async def test_what_cannot_be_signed_is_refused() -> None:
    """It is said, never sent unsigned instead."""
    damaged = DOCUMENT.replace(b"</edXML:MessageHeader>", b"</edXML:MessageHeader><edXML:Signature/>")
    assert damaged != DOCUMENT
    with pytest.raises(Refusal, match="CheckSignature"):
        await signed(signer(), damaged)


async def test_bytes_that_are_no_edxml_are_neither_signed_nor_unsigned() -> None:
    """Nobody can tell; judging them is the exchange's office."""
    with pytest.raises(Refusal):
        await is_signed(b"<broken")
