"""What a webhook's receiver gets, and how it knows that it comes from the exchange and was not sent before.

The headers are those of Standard Webhooks 1.0 (symmetric signatures), for which there are ready verifiers in most
languages: ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``, which is ``v1,`` and
the base64 of HMAC-SHA256 over ``<id>.<timestamp>.<body>``. The receiver compares the signature, refuses a timestamp
farther than five minutes from its clock, and drops an id it has seen: the id of a call is the same at every attempt.

A target's key is derived from the exchange's one secret, so that the ledger holds none.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from lienthong.document.messages import WireModel
from lienthong.errors import LienThongError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["WebhookCall", "WebhookError", "WebhookNotice", "checked", "headers_of", "key_of"]

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
KEY_PREFIX = "whsec_"
TOLERANCE_SECONDS = 300
"""How far the timestamp may be from the receiver's clock."""


class WebhookError(LienThongError):
    """A call that the exchange did not make, or made long ago."""


class WebhookNotice(BaseModel):
    """One fact; `cause` is unique for it, `vi` and `en` say it for people.

    `document` is the exchange's id, `document_id`, `code` and `sender` are those of the document the fact is about.
    """

    model_config = ConfigDict(frozen=True)

    cause: str
    topic: str
    kind: str
    document: UUID | None = None
    document_id: str | None = None
    code: str | None = None
    sender: str | None = None
    vi: str
    en: str
    caused_at: AwareDatetime


class WebhookCall(WireModel):
    """The body of a call: what an agency, or with None the operators, are told."""

    kind: Literal["notices"] = "notices"
    id: UUID
    agency: str | None
    notices: tuple[WebhookNotice, ...]


def key_of(secret: str, agency: str | None, url: str) -> str:
    """Return the key of one target, as its receiver gets it: ``whsec_`` and base64.

    Args:
        secret: the exchange's; whoever has it has the keys of all targets.
        agency: whose webhook; None for the operators'.
        url: where.
    """
    derived = hmac.digest(secret.encode(), "\n".join(("webhook", agency or "", url)).encode(), "sha256")
    return KEY_PREFIX + base64.b64encode(derived).decode()


def headers_of(key: str, call: UUID, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a call, made at a moment, that prove where its body comes from."""
    timestamp = str(int(at.timestamp()))
    return {ID: str(call), TIMESTAMP: timestamp, SIGNATURE: _signature(key, str(call), timestamp, body)}


def checked(key: str, headers: Mapping[str, str], body: bytes, *, now: datetime) -> WebhookCall:
    """Return what a call says, once it is known that the exchange made it now. Whether its id was seen is yours to ask.

    Args:
        key: as the operators of the exchange gave it.
        headers: of the request; names in any case.
        body: of the request, its very bytes.
        now: the receiver's clock.

    Raises:
        WebhookError: a header is missing, the signature is not right, or the call was made long ago.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        call, timestamp, signatures = lower[ID], lower[TIMESTAMP], lower[SIGNATURE].split()
        made_at = int(timestamp)
    except (KeyError, ValueError) as error:
        raise WebhookError("thiếu hoặc sai tiêu đề của webhook / a webhook's header is missing or wrong") from error
    expected = _signature(key, call, timestamp, body)
    if not any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures):
        raise WebhookError("chữ ký của webhook sai / the webhook's signature is wrong")
    if abs(now.timestamp() - made_at) > TOLERANCE_SECONDS:
        raise WebhookError("webhook đã cũ, hoặc đồng hồ sai / the webhook is old, or a clock is wrong")
    return WebhookCall.model_validate_json(body)


def _signature(key: str, call: str, timestamp: str, body: bytes) -> str:
    try:
        secret = base64.b64decode(key.removeprefix(KEY_PREFIX), validate=True)
    except binascii.Error as error:
        raise WebhookError("khóa webhook không đúng dạng / the webhook's key is not of the form whsec_…") from error
    made = hmac.digest(secret, f"{call}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(made).decode()}"
