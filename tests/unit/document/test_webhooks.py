"""How a webhook's receiver knows who calls it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from lienthong.document.webhooks import WebhookCall, WebhookError, _signature, checked, headers_of, key_of

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
CALL = UUID("5f1a0cf3-70f4-5b2f-8d53-0b9be1f3a5f4")
KEY = key_of("s" * 32, "G22", "https://g22.example/hook")
BODY = WebhookCall(id=CALL, agency="G22", notices=()).encode()


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """Whoever takes a ready verifier gets the same signature: the example its authors publish."""
    key, timestamp = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "1614265330"
    signature = _signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_call_is_believed_now_only_and_unaltered_only() -> None:
    """Body, id, time and key are all covered; a call that is played back later is refused."""
    headers = {name.title(): value for name, value in headers_of(KEY, CALL, NOW, BODY).items()}
    assert checked(KEY, headers, BODY, now=NOW + timedelta(minutes=4)).id == CALL
    other = key_of("s" * 32, "G22", "https://g22.example/other")
    for key, changed, body, now in (
        (KEY, headers, BODY + b" ", NOW),
        (KEY, headers | {"Webhook-Id": "5f1a0cf3"}, BODY, NOW),
        (KEY, headers | {"Webhook-Timestamp": str(int(NOW.timestamp()) + 400)}, BODY, NOW + timedelta(seconds=400)),
        (KEY, headers | {"Webhook-Timestamp": "now"}, BODY, NOW),
        (KEY, headers | {"Webhook-Signature": ""}, BODY, NOW),
        (KEY, {}, BODY, NOW),
        (other, headers, BODY, NOW),
        (KEY, headers, BODY, NOW + timedelta(minutes=6)),
        (KEY, headers, BODY, NOW - timedelta(minutes=6)),
    ):
        with pytest.raises(WebhookError):
            checked(key, changed, body, now=now)
    with pytest.raises(WebhookError, match="whsec_"):
        checked("whsec_not base64!", headers, BODY, now=NOW)


def test_each_target_has_a_key_of_its_own() -> None:
    """Who knows the key of one webhook cannot speak for the exchange to another."""
    keys = {
        key_of(secret, agency, url)
        for secret in ("s" * 32, "t" * 32)
        for agency in ("G22", None)
        for url in ("https://a/", "https://b/")
    }
    assert len(keys) == 8
