"""Publish everything a batch causes and wait until each of its inputs is settled by a confirmed publish.

An input is settled when all its outputs are confirmed, or when it stands on the retry ladder or among the dead
letters. Only a batch in which every input is settled may be acknowledged, for one acknowledgement covers it whole.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from lienthong.bus.backoff import Backoff
from lienthong.bus.errors import PublishForbidden, Unroutable
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.telemetry import metrics
from lienthong.telemetry.events import Event
from lienthong.worker.handler import Outcome
from lienthong.worker.ladder import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lienthong.bus.messages import Outgoing
    from lienthong.ledger.rows import Mark
    from lienthong.worker.ladder import Climb, Input, Ladder

__all__ = ["Publishes", "Settled", "Settler"]

log = structlog.stdlib.get_logger(__name__)


class Publishes(Protocol):
    """What is needed of the bus to settle a batch."""

    async def publish_many(self, messages: Sequence[Outgoing]) -> list[Exception | None]:
        """Publish messages and return each one's outcome, None for confirmed."""
        ...


@dataclass(slots=True)
class Settled:
    """A batch whose inputs are all settled: what is to be marked forwarded first, and acknowledged then.

    `endings` says of each input how it ended: forwarded, refused, known (nothing had to leave), retried, dead_lettered.
    """

    marks: list[tuple[Mark, datetime]] = field(default_factory=list)
    acks: dict[str, int] = field(default_factory=dict)
    forwarded: int = 0
    retried: int = 0
    dead_lettered: int = 0
    endings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles batches of one step.

    Attributes:
        bus: where to publish.
        ladder: where a failed input goes.
        beat: called while waiting for the broker, to say that this is no standstill.
    """

    bus: Publishes
    ladder: Ladder
    beat: Callable[[], None]

    async def settle(self, inputs: Sequence[Input], outcomes: Sequence[Outcome | Exception]) -> Settled:
        """Publish what the outcomes hold, put failed inputs on the ladder, and return when every publish is confirmed.

        A message the broker refuses fails its input only. When the broker is away, this waits for it.
        """
        failures = {place: outcome for place, outcome in enumerate(outcomes) if isinstance(outcome, Exception)}
        for first in (True, False):
            outputs = [
                (place, output)
                for place, outcome in enumerate(outcomes)
                if isinstance(outcome, Outcome) and place not in failures
                for output in (outcome.outputs if first else outcome.then)
            ]
            for place, error in await self._publish(outputs):
                failures.setdefault(place, error)
        confirmed_at = datetime.now(UTC)
        settled = Settled(forwarded=len(inputs) - len(failures))
        for place, outcome in enumerate(outcomes):
            settled.acks[inputs[place].message.queue] = inputs[place].message.tag
            if place in failures or not isinstance(outcome, Outcome):
                continue
            if outcome.mark is not None:
                settled.marks.append((outcome.mark, confirmed_at))
            if (reached := outcome.milestone) is not None:
                # Two machines' clocks may differ.
                seconds = max(0.0, (confirmed_at - reached.since).total_seconds())
                metrics.DOCUMENT_SECONDS.labels(reached.until, reached.lane).observe(seconds)
        climbs = {place: self.ladder.climb(inputs[place], error) for place, error in failures.items()}
        await self._climb(climbs)
        for place, climb in climbs.items():
            self._report(inputs[place], climb, failures[place])
        settled.endings = [_ending(outcome, climbs.get(place)) for place, outcome in enumerate(outcomes)]
        settled.dead_lettered = sum(climb.seconds is None for climb in climbs.values())
        settled.retried = len(climbs) - settled.dead_lettered
        return settled

    async def _publish(self, outputs: list[tuple[int, Outgoing]]) -> list[tuple[int, Exception]]:
        backoff = Backoff()
        failures: list[tuple[int, Exception]] = []
        while outputs:
            results = await self.bus.publish_many([output for _, output in outputs])
            metrics.PUBLISHED.labels(self.ladder.step).inc(results.count(None))
            again: list[tuple[int, Outgoing]] = []
            trouble = ""
            for (place, output), error in zip(outputs, results, strict=True):
                if error is None:
                    continue
                if _is_of_the_message(error):
                    failures.append((place, error))
                else:
                    again.append((place, output))
                    trouble = reason(error)
            outputs = again
            if outputs:
                await self._wait(backoff, len(outputs), trouble)
        return failures

    async def _climb(self, climbs: dict[int, Climb]) -> None:
        # There is nowhere else to go from here: whatever the broker says, the input stays until it is taken.
        backoff = Backoff()
        outputs = [climb.output for climb in climbs.values()]
        while outputs:
            results = await self.bus.publish_many(outputs)
            errors = [error for error in results if error is not None]
            outputs = [output for output, error in zip(outputs, results, strict=True) if error is not None]
            if errors:
                await self._wait(backoff, len(outputs), reason(errors[-1]))

    async def _wait(self, backoff: Backoff, messages: int, trouble: str) -> None:
        log.error(Event.BROKER_AWAY, step=self.ladder.step, messages=messages, reason=trouble)
        self.beat()
        await asyncio.sleep(backoff.next())

    def _report(self, failed: Input, climb: Climb, error: Exception) -> None:
        step, message = self.ladder.step, failed.message
        facts = {
            "step": step,
            "queue": message.queue,
            "message_id": message.message_id,
            "user_id": message.user_id,
            "attempt": failed.attempts + 1,
            "reason": reason(error),
        }
        trace = None if isinstance(error, Unavailable) else error
        if climb.seconds is None:
            metrics.DEAD_LETTERED.labels(step, type(error).__name__).inc()
            log.error(Event.MESSAGE_DEAD_LETTERED, **facts, exc_info=trace)
        else:
            metrics.RETRIED.labels(step, climb.seconds).inc()
            log.warning(Event.MESSAGE_RETRIED, **facts, seconds=climb.seconds, exc_info=trace)


def _ending(outcome: Outcome | Exception, climb: Climb | None) -> str:
    if climb is not None:
        return "dead_lettered" if climb.seconds is None else "retried"
    assert isinstance(outcome, Outcome), "what failed climbs"
    if outcome.mark is not None and outcome.mark.table == "refusal":
        return "refused"
    return "forwarded" if outcome.outputs or outcome.mark else "known"


def _is_of_the_message(error: Exception) -> bool:
    # A broker that let us in and refuses our login now has trouble of its own, or its operator is at work on it.
    return isinstance(error, Unroutable | PublishForbidden) or not isinstance(error, Unavailable | MisconfiguredError)
