"""Where the broker differs from what the ledger and the plan say, and what of it can be mended without loss.

Users with one of RabbitMQ's tags are the broker's own operators, and not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lienthong.access.broker import limits
from lienthong.bus.admin import has_password
from lienthong.topology.names import SUBMISSION
from lienthong.topology.plan import (
    DIVERTED_KEYS,
    Binding,
    Plan,
    Queue,
    agency_permissions,
    agency_plan,
    agency_topic_permissions,
    diverting,
    exchange_plan,
)
from lienthong.topology.rights import OWN_USERS, Rights, own_rights, widened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lienthong.bus.admin import BrokerAdmin, FoundBinding, FoundExchange, FoundQueue, FoundUser
    from lienthong.ledger.access import Participant
    from lienthong.settings import AccessSettings
    from lienthong.topology.plan import Permissions, TopicPermissions

__all__ = ["Difference", "Found", "Wanted", "differences", "find"]

DEFAULT_EXCHANGE = ""
RABBITMQS_OWN = "amq."
MEMBERS = 3
"""So many nodes have to have a quorum queue, where there are so many: RabbitMQ's initial group size."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on the broker that is not as it should be.

    Attributes:
        kind: missing, extra (nobody planned it) or wrong.
        thing: what it is.
        name: which one.
        detail: in what it differs, in field's terms; empty when the kind says everything.
        replace: whether it is an exchange that has to be deleted before.
        declare: what declaring would mend it.
        unbind: the binding whose deletion would mend it.
        user: whose rights have to be set anew, or taken away, to mend it.
        remedy: what an operator has to do, in Vietnamese and English, where no command of ours mends it.
    """

    kind: Literal["missing", "extra", "wrong"]
    thing: Literal["exchange", "queue", "binding", "user", "password", "tags", "permissions", "topic", "limits"]
    name: str
    detail: str = ""
    replace: bool = False
    declare: Plan = Plan()  # noqa: RUF009 - frozen
    unbind: FoundBinding | None = None
    user: str | None = None
    remedy: str = ""

    def __str__(self) -> str:
        """Say it on one line."""
        kind = {"missing": "thiếu / missing", "extra": "thừa / extra", "wrong": "sai / wrong"}[self.kind]
        return f"{kind} {self.thing} {self.name}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be.

    Attributes:
        participants: the directory, by canonical code.
        logins: the passwords of the exchange's own users, None for one that logs in by certificate only; of one that is
            not among them the password is not known here, and left as it is.
        administrator: the user of the management API.
        settings: how agencies get in.
        rights: what the exchange's own users may do.
        diverted: the agencies whose keys may be bound to what is diverted.
    """

    participants: Mapping[str, Participant]
    logins: Mapping[str, str | None]
    administrator: str
    settings: AccessSettings
    rights: Mapping[str, Rights] = field(default_factory=own_rights)
    diverted: frozenset[str] = frozenset()

    def beside(self, found: Found) -> Wanted:
        """Return the same for as long as workers of the version before are at work: they keep the rights they have."""
        kept = {
            user: widened(rights, found.permissions[user], found.topic_permissions.get(user, ()))
            for user, rights in self.rights.items()
            if user in found.permissions
        }
        return replace(self, rights={**self.rights, **kept})

    @property
    def connected(self) -> tuple[Participant, ...]:
        """The agencies that may be on the broker."""
        return tuple(one for one in self.participants.values() if one.connected)

    @property
    def plan(self) -> Plan:
        """Exchanges, queues and bindings that have to be there."""
        return sum((agency_plan(one.code) for one in self.connected), start=exchange_plan())

    @property
    def tolerated(self) -> Plan:
        """What may be there as well: an agency that was let in once keeps its queues when it is not connected now."""
        let_in = (one for one in self.participants.values() if one.connected or one.login or one.suspended_from)
        return sum((agency_plan(one.code) for one in let_in), start=Plan())


@dataclass(frozen=True, slots=True)
class Found:
    """What is on the broker, in one virtual host; users are the whole broker's."""

    exchanges: tuple[FoundExchange, ...]
    queues: tuple[FoundQueue, ...]
    nodes: frozenset[str]
    bindings: tuple[FoundBinding, ...]
    users: Mapping[str, FoundUser]
    permissions: Mapping[str, Permissions]
    topic_permissions: Mapping[str, frozenset[TopicPermissions]]
    limits: Mapping[str, Mapping[str, int]]


async def find(admin: BrokerAdmin, vhost: str) -> Found:
    """Read what is on the broker.

    Raises:
        MisconfiguredError: there is no such virtual host, or we are no administrator.
        Unavailable: the management API does not answer.
    """
    return Found(
        exchanges=tuple(await admin.exchanges(vhost)),
        queues=tuple(await admin.queues(vhost)),
        nodes=frozenset(await admin.nodes()),
        bindings=tuple(await admin.bindings(vhost)),
        users=await admin.users(),
        permissions=await admin.all_permissions(vhost),
        topic_permissions=await admin.all_topic_permissions(vhost),
        limits=await admin.all_user_limits(),
    )


def differences(wanted: Wanted, found: Found) -> list[Difference]:
    """Return everything in which the broker differs, in the order in which it is mended; pure."""
    return [
        *(difference for user in OWN_USERS for difference in _own_user(user, wanted, found)),
        *_exchanges(wanted, found),
        *_queues(wanted, found),
        *_bindings(wanted, found),
        *(difference for agency in wanted.connected for difference in _rights(agency, wanted.settings, found)),
        *_strangers(wanted, found),
    ]


def _own_user(name: str, wanted: Wanted, found: Found) -> Iterator[Difference]:
    user = found.users.get(name)
    if user is None:
        mendable = name in wanted.logins
        remedy = "" if mendable else _by_hand("lienthong topology apply --workers DIR")
        yield Difference("missing", "user", name, user=name if mendable else None, remedy=remedy)
        if not mendable:
            return
    else:
        if name in wanted.logins and not has_password(user, wanted.logins[name]):
            planned = "certificate only" if wanted.logins[name] is None else "that of its address"
            yield Difference("wrong", "password", name, f"planned: {planned}", user=name)
        if user.tags:
            yield Difference("wrong", "tags", name, f"{', '.join(user.tags)}; planned: none", user=name)
    yield from _granted(name, wanted.rights[name], found)


def _granted(name: str, rights: Rights, found: Found) -> Iterator[Difference]:
    granted = found.permissions.get(name)
    if granted is None:
        yield Difference("missing", "permissions", name, user=name)
    elif granted != rights.permissions:
        yield Difference("wrong", "permissions", name, f"{granted}; planned: {rights.permissions}", user=name)
    topic = found.topic_permissions.get(name, frozenset())
    if topic != frozenset(rights.topics):
        shown = ", ".join(sorted(map(str, topic))) or "none"
        yield Difference("wrong", "topic", name, f"{shown}; planned: {rights.topics}", user=name)


def _exchanges(wanted: Wanted, found: Found) -> Iterator[Difference]:
    there = {one.name: one for one in found.exchanges}
    for exchange in wanted.plan.exchanges:
        other = there.pop(exchange.name, None)
        if other is None:
            yield Difference("missing", "exchange", exchange.name, exchange.type, declare=Plan(exchanges=(exchange,)))
        elif (other.type, other.durable, other.arguments) != (exchange.type, True, exchange.arguments):
            is_now = f"{other.type}, durable={other.durable}, {other.arguments}"
            detail = f"{is_now}; planned: {exchange.type}, durable=True, {dict(exchange.arguments)}"
            # What is bound to this one only ingest knows, and binds again.
            anew = exchange.name == SUBMISSION
            by_hand = _by_hand(f"rabbitmqadmin delete exchange name={exchange.name}", "lienthong topology apply")
            yield Difference(
                "wrong",
                "exchange",
                exchange.name,
                detail,
                replace=anew,
                declare=Plan(exchanges=(exchange,)) if anew else Plan(),
                remedy="" if anew else by_hand,
            )
    for name, other in there.items():
        if name != DEFAULT_EXCHANGE and not name.startswith(RABBITMQS_OWN):
            remedy = _by_hand(f"rabbitmqadmin delete exchange name={name}")
            yield Difference("extra", "exchange", name, other.type, remedy=remedy)


def _queues(wanted: Wanted, found: Found) -> Iterator[Difference]:
    there = {one.name: one for one in found.queues}
    tolerated = {queue.name: queue for queue in wanted.tolerated.queues}
    for queue in wanted.plan.queues:
        if queue.name not in there:
            yield Difference("missing", "queue", queue.name, declare=Plan(queues=(queue,)))
    planned: dict[str, Queue] = tolerated | {queue.name: queue for queue in wanted.plan.queues}
    for name, other in there.items():
        if name not in planned:
            # The broker cannot delete a quorum queue only if it is empty.
            remedy = _by_hand(f"rabbitmqctl delete_queue {name}", vi="xem còn tin không", en="see what is in it")
            yield Difference("extra", "queue", name, remedy=remedy)
            continue
        arguments = dict(planned[name].arguments)
        if other.arguments != arguments or not other.durable:
            keys = sorted(other.arguments.keys() | arguments.keys())
            differing = "; ".join(
                f"{key}={other.arguments.get(key)}, planned: {arguments.get(key)}"
                for key in keys
                if other.arguments.get(key) != arguments.get(key)
            )
            remedy = _by_hand(
                f"rabbitmqctl delete_queue {name}", "lienthong topology apply", vi="lấy hết tin ra", en="empty it"
            )
            yield Difference("wrong", "queue", name, differing or "not durable", remedy=remedy)
        if 0 < len(other.members) < min(MEMBERS, len(found.nodes)):
            missing = sorted(found.nodes - set(other.members))
            commands = [f"rabbitmq-queues grow {node} all --queue-pattern '^{re.escape(name)}$'" for node in missing]
            detail = f"members: {', '.join(other.members)}; planned: {MEMBERS}"
            yield Difference("wrong", "queue", name, detail, remedy=_by_hand(*commands))


def _bindings(wanted: Wanted, found: Found) -> Iterator[Difference]:
    planned, tolerated = dict.fromkeys(wanted.plan.bindings), set(wanted.tolerated.bindings)
    diverting_now = {diverting(agency, key) for agency in wanted.diverted for key in DIVERTED_KEYS}
    ours = {exchange.name for exchange in wanted.plan.exchanges}
    queues = {queue.name for queue in (*wanted.plan.queues, *wanted.tolerated.queues)}
    there = set()
    for one in found.bindings:
        binding = Binding(one.source, one.destination, one.routing_key)
        plain = one.destination_type == "queue" and not one.arguments
        if plain and binding in diverting_now:
            # Ingest takes it away when it is time.
            continue
        if plain and (binding in planned or binding in tolerated):
            there.add(binding)
        elif one.source != DEFAULT_EXCHANGE and (one.source in ours or one.destination in queues):
            yield Difference("extra", "binding", _named(binding), unbind=one)
    for binding in planned:
        if binding not in there:
            yield Difference("missing", "binding", _named(binding), declare=Plan(bindings=(binding,)))


def _rights(agency: Participant, settings: AccessSettings, found: Found) -> Iterator[Difference]:
    code, user = agency.code, found.users.get(agency.code)
    if agency.login == "password" and not settings.passwords:
        remedy = _by_hand(f"lienthong agency rotate-credential {code} --certificate-only")
        yield Difference("wrong", "password", code, "LIENTHONG_ACCESS_PASSWORDS=false", remedy=remedy)
    if user is None:
        if agency.login == "certificate":
            yield Difference("missing", "user", code, user=code)
        else:
            command = "add" if agency.login is None else "rotate-credential"
            yield Difference("missing", "user", code, remedy=_by_hand(f"lienthong agency {command} {code}"))
        return
    if agency.login == "certificate" and user.password_hash:
        yield Difference("wrong", "password", code, "has one; planned: certificate only", user=code)
    if user.tags:
        yield Difference("wrong", "tags", code, f"{', '.join(user.tags)}; planned: none", user=code)
    yield from _granted(code, Rights(agency_permissions(code), agency_topic_permissions(code)), found)
    if (limited := dict(found.limits.get(code, {}))) != dict(limits(settings)):
        yield Difference("wrong", "limits", code, f"{limited}; planned: {dict(limits(settings))}", user=code)


def _strangers(wanted: Wanted, found: Found) -> Iterator[Difference]:
    connected = {agency.code for agency in wanted.connected}
    for name in sorted(found.permissions.keys() - connected - {*OWN_USERS, wanted.administrator}):
        if agency := wanted.participants.get(name):
            yield Difference("extra", "permissions", name, agency.stage, user=name)
        elif not found.users[name].tags:
            remedy = _by_hand(f"rabbitmqctl clear_permissions {name}", vi="không phải cơ quan", en="no agency")
            yield Difference("extra", "user", name, remedy=remedy)


def _named(binding: Binding) -> str:
    return f"{binding.exchange} -> {binding.queue}: {binding.key}".rstrip(": ")


def _by_hand(*commands: str, vi: str = "làm bằng tay", en: str = "by hand") -> str:
    return f"{vi} / {en}: {' && '.join(commands)}"
