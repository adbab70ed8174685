"""Run the notifier worker: `python -m lienthong_notifier`."""

from __future__ import annotations

from datetime import timedelta

from lienthong.settings import DeadlineSettings
from lienthong.worker.service import Connections, main
from lienthong_notifier.deadlines import DeadlineWatch
from lienthong_notifier.handler import SendNotice


async def build(connections: Connections) -> SendNotice:
    """Return the handler, and begin what goes on beside it."""
    at_once = timedelta(minutes=DeadlineSettings().at_once_minutes)
    await connections.closing.enter_async_context(DeadlineWatch(connections.ledger, connections.bus, at_once))
    return SendNotice()


if __name__ == "__main__":
    main(SendNotice.step, build, role="lienthong_notifier")
