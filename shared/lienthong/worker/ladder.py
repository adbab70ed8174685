"""The retry ladder: where a message goes that could not be settled now, and how it comes back.

Each rung is a queue with one constant time to live, from which the message expires back into the lane it came from.
The broker lets nobody publish in another's name, so a message on the ladder carries our own ``user_id``, and its
sender's in a header. An agency can write any header it likes, but not our ``user_id``: only where the broker vouches
that this step's worker, or the operator, published the message is what the headers say of its origin believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from lienthong.bus.messages import Incoming, Outgoing
from lienthong.document.ids import derive
from lienthong.document.messages import Lane
from lienthong.errors import LienThongError, Unavailable
from lienthong.topology.names import (
    DEAD,
    RETRY_SECONDS,
    Header,
    Step,
    SubmissionKey,
    diverted_queue,
    retry_exchange,
    returned_key,
    work_key,
    work_queue,
)
from lienthong.topology.rights import believed_about_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BUG_RETRIES", "Climb", "Input", "Ladder", "LadderHeader", "LethalError", "kept_headers", "reason"]

BUG_RETRIES = 3
"""How often a message is tried again, on the first rung, after an error that was not foreseen."""
REASON_CHARACTERS = 500
HEADER_CHARACTERS = 1000

_URGENT = f".{SubmissionKey.DOCUMENT_URGENT}"
# All headers must fit into one frame, which a sender may have filled to the brim: only these travel on.
_KEPT_HEADERS = {*map(str, Header), "traceparent", "tracestate"}


class LethalError(LienThongError):
    """A message did not raise, but killed the process that had nothing else in hand, again and again."""


class LadderHeader(StrEnum):
    """Where a message on the ladder, or a dead letter, came from."""

    QUEUE = "original-queue"
    KEY = "original-routing-key"
    USER = "original-user-id"
    MESSAGE_ID = "original-message-id"


@dataclass(frozen=True, slots=True)
class Input:
    """A message as it was first published, and how often it was tried before."""

    message: Incoming
    attempts: int


@dataclass(frozen=True, slots=True)
class Climb:
    """What is published for a message that could not be settled; `seconds` until it comes back, None when never."""

    output: Outgoing
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The ladder as one step's worker uses it.

    Attributes:
        step: whose lanes messages come back to.
        user: our own user on the broker.
    """

    step: Step
    user: str

    def restore(self, message: Incoming) -> Input:
        """Return a message as its sender published it; tag, queue and body stay."""
        headers = message.headers
        attempts = headers.get(Header.ATTEMPT)
        if message.user_id not in {self.user, *believed_about_origin(self.step)} or not isinstance(attempts, int):
            return Input(message, 0)
        key, user = headers.get(LadderHeader.KEY), headers.get(LadderHeader.USER)
        message_id = headers.get(LadderHeader.MESSAGE_ID, message.message_id)
        ours = {Header.ATTEMPT, Header.REASON, *LadderHeader}
        restored = replace(
            message,
            routing_key=key if isinstance(key, str) else message.routing_key,
            user_id=_identity(user),
            message_id=_identity(message_id),
            headers={name: value for name, value in headers.items() if name not in ours},
            attempts=attempts,
        )
        return Input(restored, attempts)

    def climb(self, tried: Input, error: Exception) -> Climb:
        """Return what to publish for an input that failed: a retry on the next rung, or a dead letter with the reason.

        `Unavailable` climbs rung by rung; what is lethal was tried often enough; any other error is a bug, and tried on
        the first rung a few times only.
        """
        seconds = self._rung(tried.attempts, error)
        message = tried.message
        headers = kept_headers(message.headers) | self._origin(message)
        headers |= {Header.ATTEMPT: tried.attempts + 1, Header.REASON: reason(error)}
        exchange = DEAD if seconds is None else retry_exchange(seconds)
        key = str(self.step) if seconds is None else work_key(self.step, self._lane(message))
        output = Outgoing(
            exchange=exchange,
            routing_key=key,
            message_id=message.message_id or str(derive("nameless", message.queue, message.tag, message.received_at)),
            body=message.body,
            content_type=message.content_type or "",
            type=message.type or "",
            headers=headers,
            user_id=self.user,
        )
        return Climb(output, seconds)

    def _origin(self, message: Incoming) -> dict[str, str | int]:
        return {
            LadderHeader.QUEUE: work_queue(self.step, self._lane(message)),
            LadderHeader.KEY: message.routing_key,
            LadderHeader.USER: message.user_id or "",
            LadderHeader.MESSAGE_ID: message.message_id or "",
        }

    @staticmethod
    def _rung(attempts: int, error: Exception) -> float | None:
        if isinstance(error, Unavailable):
            return RETRY_SECONDS[attempts] if 0 <= attempts < len(RETRY_SECONDS) else None
        if isinstance(error, LethalError):
            return None
        return RETRY_SECONDS[0] if attempts < BUG_RETRIES else None

    def _lane(self, message: Incoming) -> Lane:
        urgent = message.queue == work_queue(self.step, Lane.URGENT)
        # What the broker took out of a lane has its lane in the key.
        urgent = urgent or message.routing_key == returned_key(self.step, Lane.URGENT)
        # What was diverted has it in its sender's.
        urgent = urgent or (message.queue == diverted_queue(self.step) and message.routing_key.endswith(_URGENT))
        return Lane.URGENT if urgent else Lane.ORDINARY


def kept_headers(headers: Mapping[str, object]) -> dict[str, str | int]:
    """Return the headers of a message that travel on with it when it is published again."""
    return {
        name: value
        for name, value in headers.items()
        if name in _KEPT_HEADERS and isinstance(value, str | int) and len(str(value)) <= HEADER_CHARACTERS
    }


def _identity(header: object) -> str | None:
    # As the bus reads the properties themselves: the ledger has no place for NUL.
    return header if isinstance(header, str) and header and "\0" not in header else None


def reason(error: Exception) -> str:
    """Return the kind of error and its text, on one line of bounded length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:REASON_CHARACTERS]
