"""The notifier as a process, with its settings, its role and its user."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.integration.notifier.conftest import PASSWORD, USER, refuse, subscribe

from lienthong.bus.connection import Bus
from lienthong.ledger.letters import Subscription
from lienthong.topology.names import Step
from lienthong.topology.plan import exchange_plan
from lienthong.topology.rights import worker_user

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.integration.notifier.conftest import MailServer

    from lienthong.ledger.ledger import Ledger

SECONDS = 120.0
MISCONFIGURED = 78


@asynccontextmanager
async def notifying(settings: dict[str, str]) -> AsyncIterator[Process]:
    """Run the worker as a process until the block ends."""
    environment = os.environ | {f"LIENTHONG_{name}": value for name, value in settings.items()}
    command = (sys.executable, "-m", "lienthong_notifier")
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def letters(owner: Ledger) -> tuple[int, int]:
    """Return how many letters of the one subscription wait, and are sent."""
    async with owner.access() as unit:
        (one,) = await unit.subscriptions.all()
    return one.waiting, one.sent


async def test_the_worker_sends_mail_as_its_settings_say(
    owner: Ledger,
    database: str,
    vhost: str,
    own_url: Callable[[str], Awaitable[str]],
    mail_server: MailServer,
    tmp_path: Path,
) -> None:
    """With its secrets in files it sends what the ledger says, and ends at a signal; with TLS off it does not start."""
    password = tmp_path / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    password.chmod(0o600)
    async with Bus(vhost, name="test") as bus:
        await bus.declare(exchange_plan())
    await subscribe(owner, Subscription("G22", "mail", "vt@g22.vn", ("refusals",)))
    await refuse(owner, "d1")
    async with mail_server.running():
        settings = {
            "BROKER_URL": await own_url(worker_user(Step.NOTIFIER)),
            "LEDGER_URL": database,
            "TRUST_FOLDER": str(tmp_path / "none"),
            "NOTIFIER_MAIL_HOST": "127.0.0.1",
            "NOTIFIER_MAIL_PORT": str(mail_server.port),
            "NOTIFIER_MAIL_USER": USER,
            "NOTIFIER_MAIL_PASSWORD_FILE": str(password),
            "NOTIFIER_MAIL_FROM": "truc@lienthong.example.vn",
            "NOTIFIER_AUTHORITIES": str(mail_server.authority.certificate_file),
        }
        async with notifying(settings) as worker:
            async with asyncio.timeout(SECONDS):
                await mail_server.news.wait()
                while await letters(owner) != (0, 1):  # noqa: ASYNC110 - the ledger tells nobody
                    await asyncio.sleep(0.1)
                worker.send_signal(signal.SIGTERM)
                assert await worker.wait() == 0
    (mail,) = mail_server.mails
    assert mail["To"] == "vt@g22.vn"
    wrong = {"NOTIFIER_MAIL_HOST": "mail.example.vn", "NOTIFIER_MAIL_TLS": "none"}
    async with notifying(settings | wrong) as worker, asyncio.timeout(SECONDS):
        assert await worker.wait() == MISCONFIGURED
