"""Where messages stand, and what puts a lost one back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lienthong.bus.messages import Outgoing
from lienthong.document.ids import derive
from lienthong.document.messages import Lane
from lienthong.topology.names import (
    RETRY_SECONDS,
    WORK,
    Header,
    Step,
    SubmissionKey,
    retry_exchange,
    work_key,
    work_queue,
)
from lienthong.topology.plan import exchange_plan
from lienthong.topology.rights import OWN_USERS
from lienthong.worker.ladder import LadderHeader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lienthong.bus.connection import Bus

__all__ = ["Origin", "dead_queues", "input_queues", "origins", "put_back", "work_origin"]

Origin = tuple[str, str]
"""Who published a message first, nobody in particular for one of ours, and under which id."""


def input_queues(steps: Iterable[Step]) -> list[str]:
    """Return every queue in which an input of these steps may stand."""
    names = [queue.name for queue in exchange_plan().queues]
    starts = tuple(work_queue(step) for step in steps)
    return [name for name in names if name.startswith(starts)] + [retry_exchange(rung) for rung in RETRY_SECONDS]


def dead_queues() -> list[str]:
    """Return the queues of dead letters."""
    return [queue.name for queue in exchange_plan().queues if queue.name.startswith("dead.")]


async def origins(bus: Bus, user: str, queues: Iterable[str]) -> set[Origin]:
    """Return the origins of everything that stands in queues; our workers and `user` are believed about them."""
    found: set[Origin] = set()
    believed = {user, *OWN_USERS}
    for queue in queues:
        for standing in await bus.look(queue) or ():
            origin = standing.user_id or "", standing.message_id or ""
            if standing.user_id in believed and LadderHeader.USER in standing.headers:
                written = standing.headers.get(LadderHeader.USER), standing.headers.get(LadderHeader.MESSAGE_ID)
                origin = str(written[0] or ""), str(written[1] or "")
            found.add(origin)
    return found


def work_origin(step: Step, subject: object) -> Origin:
    """Return the origin of the message by which one worker asks another to do a step."""
    return "", str(derive("work", step, subject))


def put_back(step: Step, lane: Lane, origin: Origin, body: bytes, digest: str, *, user: str) -> Outgoing:
    """Return a submission as the worker of its step takes it again: as its sender published it, vouched for by us.

    Args:
        step: ingest or status-tracker.
        lane: which of its lanes.
        origin: who published it, and under which id.
        body: what was published.
        digest: its SHA-256.
        user: our own user, which is believed about the origin.
    """
    key = SubmissionKey.STATUS
    if step is Step.INGEST:
        key = SubmissionKey.DOCUMENT_URGENT if lane is Lane.URGENT else SubmissionKey.DOCUMENT
    return Outgoing(
        exchange=WORK,
        routing_key=work_key(step, lane),
        message_id=origin[1],
        body=body,
        content_type="application/edxml+xml",
        headers={
            Header.SHA256: digest,
            Header.ATTEMPT: 0,
            LadderHeader.QUEUE: work_queue(step, lane),
            LadderHeader.KEY: key,
            LadderHeader.USER: origin[0],
            LadderHeader.MESSAGE_ID: origin[1],
        },
        user_id=user,
    )
