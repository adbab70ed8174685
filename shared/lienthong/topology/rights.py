"""What each of the exchange's own users may do on the broker: it follows from one table of who sends what where.

Nobody but the router declares anything; every other queue and exchange is made by `lienthong topology apply`. The
exchanges between workers are topic exchanges, because only there RabbitMQ limits a user's routing keys: a worker
reaches the steps it has something to say to and no other, also by way of the retry ladder, whose messages come back
under the key they were published with.

RabbitMQ before 4 compares only the routing key with what is allowed, not those in the headers ``CC`` and ``BCC``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lienthong.document.life_cycle import STATUS_CODES
from lienthong.document.messages import Deadline, Delivered, Receipt, Refused, Verified, Waiting
from lienthong.topology.names import (
    DEAD,
    DELIVERY,
    OWN,
    QUARANTINE,
    RETRY_SECONDS,
    STATUS,
    SUBMISSION,
    SUBMISSION_SHARED,
    WORK,
    Step,
    delivery_queue,
    diverted_queue,
    retry_exchange,
    status_binding,
    status_key,
    status_queue,
    submission_key,
    work_key,
)
from lienthong.topology.plan import DIVERTED_KEYS, Permissions, TopicPermissions, exchange_plan, lanes, step_queues

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["OPERATOR_USER", "OWN_USERS", "Rights", "believed_about_origin", "own_rights", "widened", "worker_user"]

OPERATOR_USER = "lienthong-operator"
"""The broker user of operators' commands."""

DEFAULT_EXCHANGE = "amq.default"
"""What RabbitMQ calls the exchange without a name where it compares permissions."""

_SENDS_TO: Mapping[Step, tuple[Step, ...]] = {
    Step.INGEST: (Step.SIGNATURE_VERIFY, Step.NOTIFIER),
    # It asks itself to judge again what could not be found out.
    Step.SIGNATURE_VERIFY: (Step.SIGNATURE_VERIFY, Step.ROUTER, Step.NOTIFIER),
    Step.ROUTER: (Step.NOTIFIER,),
    Step.STATUS_TRACKER: (Step.NOTIFIER,),
    # What its watch on deadlines finds it tells as everything else.
    Step.NOTIFIER: (Step.NOTIFIER,),
}
_PUBLISHES: Mapping[Step, tuple[str, ...]] = {
    Step.INGEST: (QUARANTINE,),
    Step.SIGNATURE_VERIFY: (),
    Step.ROUTER: (DELIVERY,),
    Step.STATUS_TRACKER: (STATUS, QUARANTINE),
    Step.NOTIFIER: (STATUS,),
}
"""Where each worker publishes beside the retry ladder, its dead letters, and the steps it sends to."""

_ANY = "\0"
"""Stands for an agency's code where a name or a key is turned into a pattern."""
_NOTHING = "^$"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do: RabbitMQ's permissions, and the routing keys on each topic exchange that is limited."""

    permissions: Permissions
    topics: tuple[TopicPermissions, ...]


def worker_user(step: Step) -> str:
    """Return the broker user of a step's worker; no agency's code looks like it."""
    return f"{OWN}-{step}"


OWN_USERS = (*map(worker_user, Step), OPERATOR_USER)
"""The users of the exchange itself."""


def believed_about_origin(step: Step) -> frozenset[str]:
    """Return who is believed when a message of a step says in its headers who published it first.

    That is the step's own worker, which put it on the retry ladder or among the dead letters, and the operator.
    """
    return frozenset({worker_user(step), OPERATOR_USER})


def own_rights() -> dict[str, Rights]:
    """Return what each of the exchange's own users may do."""
    return {worker_user(step): _worker_rights(step) for step in Step} | {OPERATOR_USER: _operator_rights()}


def widened(rights: Rights, granted: Permissions, topics: Iterable[TopicPermissions]) -> Rights:
    """Return rights together with those that are granted already, for as long as two versions work side by side.

    An exchange whose keys are not limited yet stays so: the version before may need more of them than this one knows.

    Args:
        rights: what this version gives a user.
        granted: what the user may do now.
        topics: on which keys, likewise.
    """
    limited = {one.exchange: one for one in topics}
    wanted = {one.exchange: one for one in rights.topics}
    permissions = Permissions(
        _either(granted.configure, rights.permissions.configure),
        _either(granted.write, rights.permissions.write),
        _either(granted.read, rights.permissions.read),
    )
    both = (
        TopicPermissions(name, _either(one.write, wanted[name].write), _either(one.read, wanted[name].read))
        for name, one in limited.items()
        if name in wanted
    )
    only_before = (one for name, one in limited.items() if name not in wanted)
    return Rights(permissions, (*both, *only_before))


def _either(before: str, now: str) -> str:
    """Return a pattern for what one of two matches, both being anchored; done twice, it is the same."""
    if before in {_NOTHING, now}:
        return now
    return before if now == _NOTHING or now in before else f"{before}|{now}"


def _worker_rights(step: Step) -> Rights:
    rungs = [retry_exchange(seconds) for seconds in RETRY_SECONDS]
    work = [WORK] if _SENDS_TO[step] else []
    writes = [*_PUBLISHES[step], *work, *rungs, DEAD]
    reads = [*step_queues(step)]
    configures: list[str] = []
    topics = [TopicPermissions(rung, _exactly(_work_keys(step)), _NOTHING) for rung in rungs]
    topics.append(TopicPermissions(DEAD, _exactly([step]), _NOTHING))
    if work:
        sent = [key for other in _SENDS_TO[step] for key in _work_keys(other)]
        topics.append(TopicPermissions(WORK, _exactly(sent), _NOTHING))
    if STATUS in writes:
        topics.append(TopicPermissions(STATUS, _exactly(_STATUS_KEYS[step]), _NOTHING))
    if step is Step.INGEST:
        # To bind a queue one must be allowed to write it, and to read the exchange.
        writes.append(diverted_queue(step))
        reads.append(SUBMISSION)
        keys = [submission_key(_ANY, key) for key in DIVERTED_KEYS]
        topics.append(TopicPermissions(SUBMISSION, _NOTHING, _exactly(keys)))
    if step is Step.ROUTER:
        # To declare a queue that dead-letters one must be allowed to read it; to bind it, to write it and read there.
        configures += _AGENCY_QUEUES
        writes += _AGENCY_QUEUES
        reads += [*_AGENCY_QUEUES, DELIVERY, STATUS]
        topics.append(TopicPermissions(STATUS, _NOTHING, _exactly([status_binding(_ANY)])))
    return Rights(Permissions(_exactly(configures), _exactly(writes), _exactly(reads)), tuple(topics))


def _operator_rights() -> Rights:
    plan = exchange_plan()
    exchanges = [exchange.name for exchange in plan.exchanges]
    queues = [*(queue.name for queue in plan.queues), *_AGENCY_QUEUES]
    permissions = Permissions(
        configure=_exactly([*exchanges, *queues]),
        # To an agency's queue a dead letter goes back through the default exchange; and who names an
        # exchange as another's alternate must be allowed to write it.
        write=_exactly([*queues, WORK, DELIVERY, DEAD, DEFAULT_EXCHANGE, SUBMISSION_SHARED]),
        read=_exactly([*exchanges, *queues]),
    )
    # It binds queues there, and publishes nothing.
    closed = (DEAD, SUBMISSION_SHARED, *map(retry_exchange, RETRY_SECONDS))
    return Rights(permissions, tuple(TopicPermissions(exchange, _NOTHING, ".*") for exchange in closed))


def _work_keys(step: Step) -> list[str]:
    return [work_key(step, lane) for lane in lanes(step)]


def _exactly(names: Iterable[str]) -> str:
    """Return a pattern of just these names, in each of which `_ANY` may be anything."""
    wanted = [re.escape(name).replace(re.escape(_ANY), ".+") for name in dict.fromkeys(names)]
    return f"^({'|'.join(wanted)})$" if wanted else _NOTHING


_AGENCY_QUEUES = [delivery_queue(_ANY), status_queue(_ANY)]
_STATUS_KEYS = {
    Step.STATUS_TRACKER: [status_key(_ANY, _ANY, code) for code in STATUS_CODES],
    Step.NOTIFIER: [
        status_key(_ANY, OWN, str(notice.model_fields["kind"].default))
        for notice in (Receipt, Verified, Refused, Waiting, Delivered, Deadline)
    ],
}
