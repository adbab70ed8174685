"""Mails and calls of webhooks, sent to real servers."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from tests.integration.notifier.conftest import PASSWORD, Hook, MailServer, settings

from lienthong.document.webhooks import checked, key_of
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.ledger.letters import Announcement, Channel, Letter
from lienthong_notifier import webhook
from lienthong_notifier.mail import MailSender, RefusedError
from lienthong_notifier.webhook import WebhookSender

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
FACTS: dict[str, Any] = {"vi": "Chứng thư số hết hạn", "en": "The certificate ends"}


def letter(channel: Channel, target: str) -> Letter:
    """Return a letter to G22 with one fact."""
    one = Announcement("entry 1", "certificates", "AlarmRaised", "G22", None, None, None, None, FACTS, NOW)
    return Letter(uuid4(), "G22", channel, target, "both", 1, NOW, (one,))


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit TLS"])
async def test_a_mail_arrives_by_tls(mail_server: MailServer, *, implicit: bool) -> None:
    """A mail goes out after TLS and login only, and says in both languages what it has to, Vietnamese intact."""
    mail = letter("mail", "vt@g22.vn")
    async with mail_server.running(implicit=implicit):
        tls = "implicit" if implicit else "starttls"
        await MailSender(settings(mail_server, mail_tls=tls)).send(mail, NOW)
    (arrived,) = mail_server.mails
    assert arrived["To"] == "vt@g22.vn"
    assert arrived["Message-ID"] == f"<{mail.letter}@lienthong.example.vn>"
    assert "Chứng thư số sắp hết hạn" in arrived["Subject"]
    body = arrived.get_body(("plain",))
    assert body is not None
    assert "Chứng thư số hết hạn" in body.get_content()
    assert "The certificate ends" in body.get_content()


async def test_no_mail_goes_to_a_server_that_is_not_believed(mail_server: MailServer, tmp_path: Path) -> None:
    """Wrong name, wrong authority, wrong password, no server: tried again later; no reason has a secret in it."""
    other = MailServer(type(mail_server.authority)(tmp_path / "other"))
    async with mail_server.running(host="localhost"):
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            await MailSender(settings(mail_server)).send(letter("mail", "a@b.vn"), NOW)
    async with mail_server.running():
        for wrong in ({"authorities": other.authority.certificate_file}, {"mail_password": "wrong-" + PASSWORD}):
            with pytest.raises(Unavailable) as failed:
                await MailSender(settings(mail_server, **wrong)).send(letter("mail", "a@b.vn"), NOW)
            assert PASSWORD not in str(failed.value)
    with pytest.raises(Unavailable):
        await MailSender(settings(mail_server)).send(letter("mail", "a@b.vn"), NOW)
    assert mail_server.mails == []


async def test_a_mail_that_is_not_taken_is_told_from_a_server_that_is_away(mail_server: MailServer) -> None:
    """Refused for ever, refused for now, or the server's own trouble: only the last is a reason to leave it alone."""
    mail_server.refused = {"no@b.vn": "550 no such user", "later@b.vn": "450 greylisted"}
    async with mail_server.running():
        sender = MailSender(settings(mail_server))
        for address, lasting in (("no@b.vn", True), ("later@b.vn", False)):
            with pytest.raises(RefusedError) as refused:
                await sender.send(letter("mail", address), NOW)
            assert refused.value.lasting is lasting
        mail_server.answer = "421 going down"
        with pytest.raises(Unavailable, match="421"):
            await sender.send(letter("mail", "a@b.vn"), NOW)
    assert mail_server.mails == []


async def test_a_webhook_is_called_with_proof(mail_server: MailServer) -> None:
    """By HTTPS, with the fact as JSON; the receiver knows by its key that it is the exchange and now."""
    hook, call = Hook(), letter("webhook", "")
    path = mail_server.authority.broker("127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path.with_name(f"{path.name}.pem"), path.with_name(f"{path.name}.key"))
    async with hook.running(tls):
        url = hook.url(scheme="https")
        call = letter("webhook", url)
        believed = settings(authorities=mail_server.authority.certificate_file, webhook_http=False)
        async with WebhookSender(believed) as sender:
            await sender.send(call, NOW)
        async with WebhookSender(settings()) as sender:
            with pytest.raises(Unavailable, match=r"(?i)certificate"):
                await sender.send(letter("webhook", url), NOW)
    (arrived,) = hook.calls
    told = checked(key_of("s" * 32, "G22", url), arrived.headers, arrived.body, now=NOW)
    assert (told.id, told.agency) == (call.letter, "G22")
    assert [(one.cause, one.vi) for one in told.notices] == [("entry 1", "Chứng thư số hết hạn")]


async def test_only_success_is_success_and_no_redirect_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that refuses, fails, redirects or does not answer is tried again; nobody sends us somewhere else."""
    hook, elsewhere = Hook(), Hook()
    async with elsewhere.running(), hook.running(), WebhookSender(settings()) as sender:
        hook.headers = {"Location": elsewhere.url()}
        for status in (302, 307, 400, 410, 500, 503):
            hook.status = status
            with pytest.raises(Unavailable, match=str(status)):
                await sender.send(letter("webhook", hook.url()), NOW)
    assert elsewhere.tries == 0
    monkeypatch.setattr(webhook, "ANSWER_SECONDS", 0.2)
    left: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: left.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with WebhookSender(settings()) as sender:
        with pytest.raises(Unavailable, match="no answer"):
            await sender.send(letter("webhook", f"http://127.0.0.1:{port}/"), NOW)
    silent.close()
    for writer in left:
        writer.close()
        await writer.wait_closed()


async def test_the_network_of_the_exchange_is_not_called() -> None:
    """A URL of an agency leads to no private address, by number or by name, and to nothing without TLS."""
    hook = Hook()
    async with hook.running():
        closed = settings(webhook_private=False)
        async with WebhookSender(closed) as sender:
            for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"):
                with pytest.raises(Unavailable, match="LIENTHONG_NOTIFIER_WEBHOOK_PRIVATE"):
                    await sender.send(letter("webhook", f"http://{host}:{hook.port}/"), NOW)
        async with WebhookSender(settings(webhook_http=False)) as sender:
            with pytest.raises(Unavailable, match="https"):
                await sender.send(letter("webhook", hook.url()), NOW)
    assert hook.tries == 0
    with pytest.raises(MisconfiguredError, match="32"):
        WebhookSender(settings(webhook_secret="short"))
