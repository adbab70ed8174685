"""Signing what an agency sends, once: the same call made again sends the same bytes again.

Two signatures over one content differ (signing time, ECDSA's and PSS's random numbers), but a call repeated after an
outage has to be the same message, or the exchange would see another document under the same id. So what was signed is
remembered by the SHA-256 of what it was made of.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lienthong.agency.reading import LARGE_BYTES
from lienthong.agency.seen import Amendment
from lienthong.edxml import Limits, names
from lienthong.edxml.parser import parse
from lienthong.signature import FileSigner, sign_message

if TYPE_CHECKING:
    from lienthong.agency.seen import Seen
    from lienthong.signature import Signer

__all__ = ["MessageSigning", "is_signed"]


class MessageSigning:
    """Signs messages by profile 1 with one key.

    Args:
        signer: the key.
        memory: remembers what was signed.
    """

    def __init__(self, signer: Signer, memory: Seen) -> None:
        self._signer = signer
        self._memory = memory

    async def sign(self, message: bytes, digest: str) -> bytes:
        """Return a message with a signature: the one it was given before, when that is remembered.

        Args:
            message: unsigned edXML.
            digest: hexadecimal SHA-256 of it.

        Raises:
            Refusal: it is so made that no signature of it would be accepted.
            Unavailable: the key cannot be reached now.
        """
        amendment = await self._memory.amendment(digest)
        if amendment is None:
            amendment = await self._memory.keep_amendment(digest, await self._amended(message))
        return amendment.applied_to(message)

    async def _amended(self, message: bytes) -> Amendment:
        # A key in memory signs a small message in a millisecond; a token may take seconds.
        if isinstance(self._signer, FileSigner) and len(message) <= LARGE_BYTES:
            return self._amend(message)
        return await asyncio.to_thread(self._amend, message)

    def _amend(self, message: bytes) -> Amendment:
        signed = sign_message(message, self._signer, signing_time=datetime.now(UTC))
        return Amendment.between(message, signed)


async def is_signed(message: bytes) -> bool:
    """Tell whether edXML carries a signature where profile 1 has it; what it is worth is another question.

    Raises:
        Refusal: it cannot be read.
    """
    large = len(message) > LARGE_BYTES
    root, _ = await asyncio.to_thread(parse, message, Limits()) if large else parse(message, Limits())
    envelopes = root.children.get(names.ENVELOPE, [])
    headers = [header for envelope in envelopes for header in envelope.children.get(names.HEADER, [])]
    return any(names.DIGITAL_SIGNATURE in header.children for header in headers)
