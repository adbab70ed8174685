"""Run the notifier worker: `python -m lienthong_notifier`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lienthong.settings import DeadlineSettings, NotifierSettings, TrustSettings
from lienthong.worker.service import Connections, main
from lienthong_notifier.alarms import Alarms
from lienthong_notifier.deadlines import DeadlineWatch
from lienthong_notifier.handler import SendNotice
from lienthong_notifier.mail import MailSender
from lienthong_notifier.post import PostOffice
from lienthong_notifier.webhook import WebhookSender

if TYPE_CHECKING:
    from lienthong.ledger.letters import Channel
    from lienthong_notifier.post import Sender


async def build(connections: Connections) -> SendNotice:
    """Return the handler with what the settings name, and begin what goes on beside it."""
    settings, closing = NotifierSettings(), connections.closing
    senders: dict[Channel, Sender] = {}
    if settings.mail_host:
        senders["mail"] = MailSender(settings)
    if settings.webhook_secret:
        senders["webhook"] = await closing.enter_async_context(WebhookSender(settings))
    kept = timedelta(days=settings.keep_days)
    await closing.enter_async_context(PostOffice(connections.ledger, senders, kept=kept))
    await closing.enter_async_context(Alarms(connections.ledger, connections.bus, TrustSettings().folder))
    at_once = timedelta(minutes=DeadlineSettings().at_once_minutes)
    await closing.enter_async_context(DeadlineWatch(connections.ledger, connections.bus, at_once))
    return SendNotice()


if __name__ == "__main__":
    main(SendNotice.step, build, role="lienthong_notifier")
