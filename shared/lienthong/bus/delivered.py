"""A message as the client library hands it over, read as the exchange knows messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pamqp import commands

from lienthong.bus.messages import Incoming
from lienthong.topology.names import WORK, Header

if TYPE_CHECKING:
    from aiormq.abc import DeliveredMessage

__all__ = ["incoming"]


def incoming(queue: str, delivered: DeliveredMessage) -> Incoming:
    """Return what was delivered from a queue; raises `TypeError` when it is no delivery."""
    deliver = delivered.delivery
    if not isinstance(deliver, commands.Basic.Deliver) or deliver.delivery_tag is None:
        raise TypeError(f"{type(deliver).__name__} is no delivery")
    properties = delivered.header.properties
    headers = dict(properties.headers or {})
    return Incoming(
        queue=queue,
        tag=deliver.delivery_tag,
        body=delivered.body,
        message_id=_identity(properties.message_id),
        user_id=properties.user_id or None,
        routing_key=deliver.routing_key or "",
        headers=headers,
        content_type=properties.content_type or None,
        type=properties.message_type or None,
        delivery_count=_delivery_count(headers.get("x-delivery-count"), redelivered=bool(deliver.redelivered)),
        received_at=datetime.now(UTC),
        payload_bytes=_payload_bytes(headers.get(Header.PAYLOAD_BYTES)) if deliver.exchange == WORK else 0,
    )


def _identity(message_id: str | None) -> str | None:
    # PostgreSQL has no place for NUL in a text: such an id could be kept nowhere.
    return message_id if message_id and "\0" not in message_id else None


def _payload_bytes(header: object) -> int:
    return max(0, header) if isinstance(header, int) else 0


def _delivery_count(header: object, *, redelivered: bool) -> int:
    # A publisher can write the header; the flag is the broker's own.
    if not redelivered or not isinstance(header, int):
        return 0
    return max(0, header)
