"""What the exchange's own users must not do on the broker: every attempt, logged in as themselves, is refused.

The tables say again, by a second hand, who reads and publishes what: what is not here must be refused. That what is
here suffices the exchanges of the end-to-end tests show, whose workers log in as these users.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import aiormq
import pytest
from pamqp.commands import Basic
from rich.console import Console
from rich.table import Table

from lienthong.bus.connection import Bus
from lienthong.topology.names import (
    DEAD,
    DELIVERY,
    QUARANTINE,
    RETRY_SECONDS,
    STATUS,
    SUBMISSION,
    SUBMISSION_SHARED,
    WORK,
    Step,
    SubmissionKey,
    delivery_queue,
    diverted_queue,
    retry_exchange,
    status_queue,
    submission_key,
    work_key,
    work_queue,
)
from lienthong.topology.plan import agency_plan, exchange_plan, lanes
from lienthong.topology.rights import OPERATOR_USER, OWN_USERS, worker_user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pamqp.common import FieldValue

    from lienthong.testing.servers import Servers

    Attempt = Callable[[aiormq.abc.AbstractChannel], Awaitable[object]]

REFUSED = (aiormq.ChannelAccessRefused, aiormq.ChannelPreconditionFailed)
ONE, OTHER = "H01", "H02.1"
RUNG = retry_exchange(RETRY_SECONDS[0])
RECEIPT, REPORTED = f"from.{ONE}.to.lienthong.receipt", f"from.{ONE}.to.{OTHER}.03"
KEYS = {step: {work_key(step, lane) for lane in lanes(step)} for step in Step}
QUEUES = [queue.name for queue in (exchange_plan() + agency_plan(ONE) + agency_plan(OTHER)).queues]
AGENCIES = {name for name in QUEUES if name.startswith("agency.")}

SENDS_TO: dict[Step, set[Step]] = {
    Step.INGEST: {Step.SIGNATURE_VERIFY, Step.NOTIFIER},
    Step.SIGNATURE_VERIFY: {Step.SIGNATURE_VERIFY, Step.ROUTER, Step.NOTIFIER},
    Step.ROUTER: {Step.NOTIFIER},
    Step.STATUS_TRACKER: {Step.NOTIFIER},
    Step.NOTIFIER: {Step.NOTIFIER},
}
PUBLISHES: dict[Step, set[tuple[str, str]]] = {
    Step.INGEST: {(QUARANTINE, QUARANTINE)},
    Step.SIGNATURE_VERIFY: set(),
    Step.ROUTER: {(DELIVERY, ONE)},
    Step.STATUS_TRACKER: {(STATUS, REPORTED), (QUARANTINE, QUARANTINE)},
    Step.NOTIFIER: {(STATUS, RECEIPT)},
}
PLACES = [
    (SUBMISSION, "document"),
    (SUBMISSION, submission_key(ONE, SubmissionKey.DOCUMENT)),
    (SUBMISSION_SHARED, submission_key(ONE, SubmissionKey.DOCUMENT)),
    ("", diverted_queue(Step.INGEST)),
    (STATUS, RECEIPT),
    (STATUS, REPORTED),
    (DELIVERY, ONE),
    (QUARANTINE, QUARANTINE),
    ("", work_queue(Step.ROUTER)),
    *((exchange, key) for exchange in (WORK, RUNG) for keys in KEYS.values() for key in sorted(keys)),
    *((DEAD, str(step)) for step in Step),
]


def publishable(user: str) -> set[tuple[str, str]]:
    """Return where a user may publish."""
    for step in Step:
        if worker_user(step) == user:
            own = {*PUBLISHES[step], (DEAD, str(step)), *((RUNG, key) for key in KEYS[step])}
            return own | {(WORK, key) for other in SENDS_TO[step] for key in KEYS[other]}
    # The queue of quarantine is called like its exchange, and who binds a queue has to be allowed to write to it.
    default = {("", work_queue(Step.ROUTER)), ("", diverted_queue(Step.INGEST))}
    return {(DELIVERY, ONE), *default, (QUARANTINE, QUARANTINE)} | {
        (WORK, key) for keys in KEYS.values() for key in keys
    }


def readable(user: str) -> set[str]:
    """Return what a user may read."""
    if user == OPERATOR_USER:
        return set(QUEUES)
    own = rf"work\.{user.removeprefix('lienthong-')}(\.urgent|\.returned|\.diverted)?"
    found = {name for name in QUEUES if re.fullmatch(own, name)}
    # RabbitMQ lets nobody declare a queue that dead-letters who may not read it.
    return found | AGENCIES if user == worker_user(Step.ROUTER) else found


def getting(queue: str) -> Attempt:
    """Return an attempt to read."""
    return lambda channel: channel.basic_get(queue)


def publishing(exchange: str, key: str, properties: Basic.Properties | None = None) -> Attempt:
    """Return an attempt to publish."""
    return lambda channel: channel.basic_publish(b"x", exchange=exchange, routing_key=key, properties=properties)


def changing(user: str) -> list[Attempt]:
    """Return attempts to declare, bind, purge and delete."""
    quorum: dict[str, FieldValue] = {"x-queue-type": "quorum"}
    attempts: list[Attempt] = [
        lambda channel: channel.exchange_declare("mine", exchange_type="topic", durable=True),
        lambda channel: channel.queue_declare("mine", durable=True, arguments=quorum),
        lambda channel: channel.queue_declare("", exclusive=True),
        lambda channel: channel.queue_declare("agency", durable=True, arguments=quorum),
    ]
    if user == OPERATOR_USER:
        return attempts
    attempts += [
        lambda channel: channel.exchange_delete(WORK),
        lambda channel: channel.exchange_bind(destination=WORK, source=SUBMISSION, routing_key="document"),
        lambda channel: channel.queue_bind(work_queue(Step.INGEST), STATUS, "#"),
        lambda channel: channel.queue_delete(work_queue(Step.INGEST)),
        lambda channel: channel.queue_delete(f"work.{user.removeprefix('lienthong-')}"),
        lambda channel: channel.queue_purge(f"dead.{user.removeprefix('lienthong-')}"),
    ]
    if user == worker_user(Step.INGEST):
        # It diverts documents, and nothing else.
        diverted, key = diverted_queue(Step.INGEST), submission_key(ONE, SubmissionKey.STATUS)
        attempts.append(lambda channel: channel.queue_bind(diverted, SUBMISSION, key))
        attempts.append(lambda channel: channel.queue_bind(diverted, SUBMISSION, "#"))
        attempts.append(lambda channel: channel.queue_bind(diverted, SUBMISSION_SHARED, "#.document"))
        attempts.append(lambda channel: channel.queue_unbind(work_queue(Step.INGEST), SUBMISSION_SHARED, "#.document"))
    if user == worker_user(Step.ROUTER):
        # It declares agencies' queues, and binds each to what is its own.
        attempts.append(lambda channel: channel.queue_bind(status_queue(OTHER), STATUS, "#"))
        attempts.append(lambda channel: channel.queue_bind(delivery_queue(OTHER), WORK, "router"))
    else:
        queue = agency_plan("H03").queues[0]
        arguments: dict[str, FieldValue] = dict(queue.arguments)
        attempts.append(lambda channel: channel.queue_declare(queue.name, durable=True, arguments=arguments))
        attempts.append(lambda channel: channel.queue_delete(delivery_queue(ONE)))
    return attempts


@pytest.mark.parametrize("user", OWN_USERS)
async def test_a_user_may_do_what_its_step_needs_and_no_more(
    vhost: str,
    own_url: Callable[[str], Awaitable[str]],
    servers: Servers,
    user: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It reads, publishes, declares and manages nothing else, by whatever way; RabbitMQ itself refuses it."""
    async with Bus(vhost, name="test") as bus:
        await bus.declare(exchange_plan() + agency_plan(ONE) + agency_plan(OTHER))
    url = await own_url(user)
    places = [publishing(*place) for place in PLACES if place not in publishable(user)]
    as_another = [publishing(*place, Basic.Properties(user_id="H01")) for place in sorted(publishable(user))[:1]]
    if "RabbitMQ 3" not in servers.description:
        # Keys in headers: RabbitMQ 3 compares only the routing key.
        free = [place for place in publishable(user) if place[0] == WORK and user != OPERATOR_USER]
        as_another += [
            publishing(*place, Basic.Properties(headers={name: ["ingest"]}))
            for place in sorted(free)[:1]
            for name in ("CC", "BCC")
        ]
    attempts = {
        "read": [getting(queue) for queue in QUEUES if queue not in readable(user)],
        "publish": places,
        "in another's name, under hidden keys": as_another,
        "declare, bind, purge, delete": changing(user),
    }
    connection = await aiormq.connect(url)
    counts = [await all_refused(connection, some) for some in attempts.values()]
    await connection.close()
    assert await asks_management(servers, url) == 401
    table = Table(*attempts, "ask the management API", title=f"Refused to {user}")
    table.add_row(*map(str, counts), "1")
    with capsys.disabled():
        Console().print(table)


async def all_refused(connection: aiormq.abc.AbstractConnection, attempts: Sequence[Attempt]) -> int:
    """See each attempt end with its channel, closed by the broker; return how many there were."""
    for number, attempt in enumerate(attempts):
        channel = await connection.channel()
        try:
            await attempt(channel)
        except REFUSED:
            continue
        pytest.fail(f"attempt {number} was allowed")
    return len(attempts)


async def asks_management(servers: Servers, url: str) -> int:
    """Return how the management API answers to a user with its right password."""
    place, login = urlsplit(servers.management_url), urlsplit(url)
    headers = {"Authorization": aiohttp.encode_basic_auth(str(login.username), str(login.password))}
    address = f"http://{place.hostname}:{place.port}/api/whoami"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(address) as answer:
        return answer.status
