"""Run the notifier worker: `python -m lienthong_notifier`."""

from __future__ import annotations

from lienthong.worker.service import Connections, main
from lienthong_notifier.handler import SendNotice


async def build(_connections: Connections) -> SendNotice:
    """Return the handler with what the settings name."""
    return SendNotice()


if __name__ == "__main__":
    main(SendNotice.step, build, role="lienthong_notifier")
