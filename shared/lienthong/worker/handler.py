"""What a worker's handler looks like to the runner: messages in, decisions out.

A handler knows nothing of acknowledging, retrying, batching or signals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from lienthong.bus.messages import Incoming, Outgoing
    from lienthong.errors import Unavailable
    from lienthong.ledger.rows import Mark
    from lienthong.ledger.unit import Unit
    from lienthong.topology.names import Step

__all__ = ["Handler", "Milestone", "Outcome", "PutsAside"]


@dataclass(frozen=True, slots=True)
class Milestone:
    """How far a document has come when everything that has to leave has left.

    Attributes:
        until: what is reached: its sender's receipt, or the queue of every addressee.
        lane: the document's.
        since: when ingest took it.
    """

    until: Literal["receipt", "delivered"]
    lane: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has to leave for one input.

    Attributes:
        outputs: what to publish; empty when the input needs no answer.
        mark: which fact to mark forwarded afterwards; None when there is nothing to mark.
        then: what to publish once every output is confirmed, because it says so; part of what is marked.
        document: which document it is about, where that is known; logs and traces name it.
        milestone: how far that has come by this; counted when all has left.
    """

    outputs: tuple[Outgoing, ...] = ()
    mark: Mark | None = None
    then: tuple[Outgoing, ...] = ()
    document: UUID | None = None
    milestone: Milestone | None = None


DecisionT = TypeVar("DecisionT")


class Handler(Protocol[DecisionT]):
    """One step of the exchange."""

    step: Step

    async def decide(self, message: Incoming) -> DecisionT:
        """Decode and compute; runs for all messages of a batch at once.

        A `Refusal` is a decision, not an error: handlers return it as such. What escapes is either `Unavailable`
        (the message goes up the retry ladder) or a bug (few retries, then dead letter), for this message alone.
        """
        ...

    async def record(self, unit: Unit, batch: Sequence[tuple[Incoming, DecisionT]]) -> Sequence[Outcome | Unavailable]:
        """Record a batch in one transaction and return an outcome for each input, in order.

        `Unavailable` in place of an outcome sends that one message up the retry ladder; nothing is recorded of it.
        Recording twice changes nothing: what was recorded before is recalled, and published again unless it is
        marked forwarded.
        """
        ...


@runtime_checkable
class PutsAside(Protocol):
    """A handler that lets some of its messages wait, so that those behind them need not."""

    def puts_aside(self, message: Incoming) -> bool:
        """Tell whether a message that arrives in a lane is to come again later, by the returned queue of the step."""
        ...
