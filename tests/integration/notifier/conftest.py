"""A ledger with agencies, a real SMTP server and a real HTTP server that do as they are told, and a clock to turn."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, cast

import pytest
import pytest_asyncio
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from lienthong.document.ids import derive
from lienthong.ledger.ledger import Ledger
from lienthong.ledger.rows import AgencyRow, RefusalRow
from lienthong.settings import NotifierSettings
from lienthong.trust.development_connections import ConnectionAuthority
from lienthong_notifier.mail import MailSender
from lienthong_notifier.webhook import WebhookSender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from pathlib import Path

    from aiosmtpd.smtp import LoginPassword

    from lienthong.ledger.letters import Channel, Subscription
    from lienthong_notifier.post import Sender

PROBLEM = {"code": "ExistDoc", "path": "", "vi": "đã có", "en": "exists", "province_code": 22, "retry_at": None}
USER, PASSWORD = "truc", "mật-khẩu"


class Clock:
    """The present, which moves when it is told to; it begins with the ledger's."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(minutes=1)

    def __call__(self) -> datetime:
        """Return the present."""
        return self.now


@dataclass
class MailServer:
    """A real SMTP server with TLS, and the mails it has taken.

    Attributes:
        authority: whose certificate it has.
        answer: what it says to the data of a mail; everything it took before stays.
        refused: recipients it refuses, each with its answer.
        mails: what it has taken.
        news: set when it has taken one.
    """

    authority: ConnectionAuthority
    port: int = 0
    answer: str = "250 OK"
    refused: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or refuse it."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        """Take a mail, or say what is to be said."""
        assert session.authenticated
        if self.answer.startswith("2"):
            mail = message_from_bytes(cast("bytes", envelope.content), policy=policy.default)
            self.mails.append(mail)
            self.news.set()
        return self.answer

    @asynccontextmanager
    async def running(self, *, implicit: bool = False, host: str = "127.0.0.1") -> AsyncIterator[None]:
        """Listen, at the same port each time."""
        path = self.authority.broker(host)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(path.with_name(f"{path.name}.pem"), path.with_name(f"{path.name}.key"))

        def login(
            _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: LoginPassword
        ) -> AuthResult:
            right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
            return AuthResult(success=right, handled=False)

        def protocol() -> SMTP:
            # Of TLS from the first byte on the protocol knows nothing.
            starttls = {"tls_context": tls, "require_starttls": True, "auth_required": True}
            secure: dict[str, Any] = {"auth_require_tls": False} if implicit else starttls
            return SMTP(self, hostname="mail.test", authenticator=login, **secure)

        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocol, "127.0.0.1", self.port, ssl=tls if implicit else None)
        self.port = server.sockets[0].getsockname()[1]
        yield
        server.close()
        await server.wait_closed()


@dataclass
class Call:
    """One call of a webhook."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Hook:
    """A real HTTP server, what it answers with, and the calls it has answered so."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    tries: int = 0

    def url(self, path: str = "/hook", scheme: str = "http") -> str:
        """Return an address on it."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """Listen."""

        async def answer(request: web.Request) -> web.Response:
            self.tries += 1
            body = await request.read()
            if 200 <= self.status < 300:
                self.calls.append(Call(request.path, dict(request.headers), body))
            return web.Response(status=self.status, headers=self.headers)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=tls)
        await site.start()
        self.port = runner.addresses[0][1]
        yield
        await runner.cleanup()


@pytest_asyncio.fixture
async def owner(database: str) -> AsyncIterator[Ledger]:
    """Provide a ledger, as its owner, that knows G22, H23 and H41."""
    opened = await Ledger.connect(database)
    await opened.register([AgencyRow(code, f"Cơ quan {code}", stage="official") for code in ("G22", "H23", "H41")])
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def ledger(owner: Ledger, database: str) -> AsyncIterator[Ledger]:
    """Provide the same as the notifier sees it."""
    del owner  # has filled it
    opened = await Ledger.connect(database, role="lienthong_notifier")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    """Provide a clock."""
    return Clock()


@pytest.fixture
def mail_server(tmp_path: Path) -> MailServer:
    """Provide a mail server that is not listening."""
    return MailServer(ConnectionAuthority(tmp_path / "connections"))


def settings(server: MailServer | None = None, **more: Any) -> NotifierSettings:
    """Return settings by which that server is believed, and local webhooks are called."""
    mail: dict[str, Any] = {}
    if server is not None:
        mail = {
            "mail_host": "127.0.0.1",
            "mail_port": server.port,
            "mail_user": USER,
            "mail_password": PASSWORD,
            "mail_from": "truc@lienthong.example.vn",
            "authorities": server.authority.certificate_file,
        }
    hooks = {"webhook_secret": "s" * 32, "webhook_http": True, "webhook_private": True}
    return NotifierSettings(**(mail | hooks | more))


@asynccontextmanager
async def senders(configured: NotifierSettings) -> AsyncIterator[dict[Channel, Sender]]:
    """Provide what the worker sends with."""
    async with WebhookSender(configured) as webhook:
        ways: dict[Channel, Sender] = {"webhook": webhook}
        if configured.mail_host:
            ways["mail"] = MailSender(configured)
        yield ways


async def subscribe(owner: Ledger, *wanted: Subscription) -> None:
    """Have agencies or operators told."""
    async with owner.access() as unit:
        for one in wanted:
            assert await unit.subscriptions.set(one)


async def refuse(owner: Ledger, document_id: str, user: str = "G22") -> None:
    """Record that a document was refused, as a worker does."""
    key = derive("refusal", document_id)
    row = RefusalRow(key, "ingest", "document", user, f"m-{document_id}", document_id, "a" * 64, [PROBLEM])
    async with owner.transaction() as unit:
        await unit.record_refusals([row])
