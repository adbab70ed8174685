"""A message as it comes from the broker and as it goes to it, free of the client library's types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Incoming", "Outgoing"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message taken from a queue.

    Attributes:
        queue: the queue it was taken from; acknowledging names it, since delivery tags count per channel.
        tag: AMQP's delivery tag on that queue's channel.
        body: the bytes.
        message_id: the publisher's ``message_id``, None when absent, empty, no UTF-8 or with a NUL in it.
        user_id: who published it, validated by the broker when present; None when absent.
        routing_key: the key it was published with.
        headers: AMQP headers; values as the client library decodes them, without those it cannot decode.
        content_type: its ``content_type``, None when absent.
        type: its ``type``, None when absent.
        delivery_count: how often it was delivered before without being settled (``x-delivery-count``).
        received_at: when this process took it, UTC.
        attempts: how often a worker tried it before and sent it up the retry ladder.
        payload_bytes: how large the payload is that it stands for, where our own workers say so; else 0.
    """

    queue: str
    tag: int
    body: bytes
    message_id: str | None
    user_id: str | None
    routing_key: str
    headers: Mapping[str, object]
    content_type: str | None
    type: str | None
    delivery_count: int
    received_at: datetime
    attempts: int = 0
    payload_bytes: int = 0

    @property
    def weight(self) -> int:
        """How many bytes handling it takes: its own, or those of its payload."""
        return max(len(self.body), self.payload_bytes)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish: persistent, mandatory and confirmed, always.

    Attributes:
        exchange: where to.
        routing_key: with which key.
        message_id: derived (see `lienthong.document.ids`), so that a repeat has the same id.
        body: the bytes.
        content_type: MIME type of the body.
        type: what kind of message it is, for the receiver.
        headers: AMQP headers.
        bcc: further routing keys of the same publish (RabbitMQ's ``BCC`` header, which receivers do not see).
        priority: AMQP priority, 0 to 9.
        user_id: set where the broker shall vouch for the publisher.
    """

    exchange: str
    routing_key: str
    message_id: str
    body: bytes
    content_type: str = "application/json"
    type: str = ""
    headers: Mapping[str, str | int] = field(default_factory=dict)
    bcc: tuple[str, ...] = ()
    priority: int = 0
    user_id: str | None = None
