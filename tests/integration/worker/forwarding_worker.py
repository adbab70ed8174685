"""A worker process for the tests: sends on to the router what the notifier is asked; a body makes it hang or die."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.topology.names import WORK, Step, work_key
from lienthong.worker.handler import Outcome
from lienthong.worker.service import Connections, main

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lienthong.ledger.unit import Unit


class Forward:
    """The smallest handler there is."""

    step = Step.NOTIFIER

    async def decide(self, message: Incoming) -> Incoming:
        """Decide nothing, or never, or not survive it."""
        if message.body == b"kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if message.body == b"hang":
            await asyncio.Event().wait()
        return message

    async def record(self, _unit: Unit, batch: Sequence[tuple[Incoming, Incoming]]) -> Sequence[Outcome]:
        """Record nothing."""
        return [
            Outcome((Outgoing(WORK, work_key(Step.ROUTER), str(message.message_id), message.body),))
            for message, _ in batch
        ]


async def build(_connections: Connections) -> Forward:
    """Return the handler."""
    return Forward()


if __name__ == "__main__":
    main(Step.NOTIFIER, build, role=None)
