"""From a message of an agency's queue to what its code sees."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from lienthong.agency.messages import Delivery, StatusReport
from lienthong.agency.requests import asked
from lienthong.document.messages import Deadline, Delivered, Receipt, Refused, Verified, Waiting, decode_notice
from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Document, Status, decode
from lienthong.errors import Problem, Refusal
from lienthong.topology.names import Header

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from enum import StrEnum

    from lienthong.bus.messages import Incoming

__all__ = ["EDXML", "LARGE_BYTES", "Told", "read_delivery", "read_edxml", "read_told"]

EDXML = "application/edxml+xml"
LARGE_BYTES = 1_000_000
"""Messages above this are decoded and encoded beside the event loop, so that heartbeats go on."""

EnumT = TypeVar("EnumT", bound="StrEnum")

Told = Receipt | Refused | Waiting | Delivered | Verified | Deadline | StatusReport


async def read_delivery(message: Incoming, code: str, settle: Callable[[Delivery], Awaitable[None]]) -> Delivery:
    """Read a message of the delivery queue of the agency with this code.

    Raises:
        Refusal: it was damaged on the way, or is no document.
        ValueError: it does not come from the exchange: what the exchange adds is missing.
    """
    document_uuid, _, sender = _added(message)
    digest = sha256(message.body).hexdigest()
    if message.headers.get(Header.SHA256) != digest:
        raise Refusal(
            Problem(
                "M.Content-Sha256",
                "",
                "Nội dung nhận được không khớp mã băm SHA-256; đề nghị gửi lại văn bản",
                "what arrived does not match its SHA-256; please send the document again",
                21,
            )
        )
    decoded = await read_edxml(message.body)
    if not isinstance(decoded, Document):
        raise Refusal(Problem("M.Message", "", "Đây không phải là văn bản", "this is no document", 22))
    return Delivery(
        document=decoded,
        body=message.body,
        sender=sender,
        message_id=message.message_id or "",
        document_uuid=document_uuid,
        sha256=digest,
        urgent=decoded.urgent,
        received_at=message.received_at,
        verdict=_member(Verdict, message.headers.get(Header.VERDICT)),
        value=_member(Value, message.headers.get(Header.VALUE)),
        found_vi=_text(message.headers.get(Header.FOUND_VI)),
        found_en=_text(message.headers.get(Header.FOUND_EN)),
        asks=asked(decoded, code),
        test=bool(message.headers.get(Header.TEST)),
        _settle=settle,
    )


async def read_told(message: Incoming) -> Told:
    """Read a message of the status queue.

    Raises:
        Refusal: the status it holds cannot be read.
        ValueError: it is neither a notice this program knows nor a status from the exchange.
    """
    if message.content_type != EDXML:
        return decode_notice(message.body)
    document_uuid, document_id, reporter = _added(message)
    decoded = await read_edxml(message.body)
    if not isinstance(decoded, Status):
        raise Refusal(Problem("M.Message", "", "Đây không phải là trạng thái", "this is no status", 22))
    return StatusReport(
        status=decoded,
        body=message.body,
        reporter=reporter,
        code=decoded.status_code,
        message_id=message.message_id or "",
        document_uuid=document_uuid,
        document_id=document_id,
        verdict=_member(Verdict, message.headers.get(Header.VERDICT)),
        found_vi=_text(message.headers.get(Header.FOUND_VI)),
        found_en=_text(message.headers.get(Header.FOUND_EN)),
    )


async def read_edxml(body: bytes) -> Document | Status:
    """Decode a body, beside the event loop when it is large; raises `Refusal`."""
    if len(body) > LARGE_BYTES:
        return await asyncio.to_thread(decode, body)
    return decode(body)


def _added(message: Incoming) -> tuple[UUID, str, str]:
    """Return what the exchange adds: its id of the document, the document's id, who sent it; raises `ValueError`."""
    headers = message.headers
    document, document_id, sender = (headers.get(name) for name in (Header.DOCUMENT, Header.DOCUMENT_ID, Header.SENDER))
    if not (isinstance(document, str) and isinstance(document_id, str) and isinstance(sender, str)):
        raise ValueError("headers of the exchange are missing")  # noqa: TRY004 - a wrong value of a stranger
    return UUID(document), document_id, sender


def _member(kind: type[EnumT], said: object) -> EnumT | None:
    """Return which one the exchange said; None when it said nothing, or a word of a later version."""
    return next((member for member in kind if member.value == said), None)


def _text(said: object) -> str | None:
    return said if isinstance(said, str) else None
