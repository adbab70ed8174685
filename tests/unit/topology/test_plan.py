"""The topology as data."""

from __future__ import annotations

import re

from lienthong.topology.names import (
    DEAD,
    QUARANTINE,
    RETRY_SECONDS,
    STATUS,
    SUBMISSION,
    SUBMISSION_SHARED,
    WORK,
    Step,
    SubmissionKey,
    dead_queue,
    delivery_queue,
    returned_key,
    returned_queue,
    status_queue,
    submission_key,
    work_key,
    work_queue,
)
from lienthong.topology.plan import (
    Plan,
    agency_permissions,
    agency_plan,
    agency_topic_permissions,
    diverting,
    exchange_plan,
    lanes,
)


def test_every_binding_joins_what_is_planned() -> None:
    """No binding names an exchange or queue that is not in the plan, and no queue is without one.

    That of what is diverted is there only as long as an agency is.
    """
    plan = exchange_plan() + agency_plan("G22")
    plan += Plan(bindings=(diverting("G22", SubmissionKey.DOCUMENT),))
    exchanges, queues = {one.name for one in plan.exchanges}, {one.name for one in plan.queues}
    assert {one.exchange for one in plan.bindings} <= exchanges
    assert {one.queue for one in plan.bindings} == queues


def test_every_queue_is_a_quorum_queue() -> None:
    """From RabbitMQ 4 on only a quorum queue's confirm means that a message is on disk."""
    plan = exchange_plan() + agency_plan("G22")
    assert all(queue.arguments["x-queue-type"] == "quorum" for queue in plan.queues)


def test_a_delivery_limit_never_loses_a_message() -> None:
    """A queue with a delivery limit or a TTL dead-letters, at least once, to a place that is bound, or is the end."""
    plan = exchange_plan() + agency_plan("G22")
    bound = {(one.exchange, one.key) for one in plan.bindings}
    work_keys = {work_key(step, lane) for step in Step for lane in lanes(step)}
    for queue in plan.queues:
        if queue.name.startswith("dead.") or queue.name == QUARANTINE:
            assert queue.arguments == {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
        elif "x-delivery-limit" in queue.arguments or "x-message-ttl" in queue.arguments:
            assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
            exchange = str(queue.arguments["x-dead-letter-exchange"])
            if exchange == DEAD:
                assert (exchange, queue.arguments["x-dead-letter-routing-key"]) in bound
            else:
                assert {(WORK, key) for key in work_keys} <= bound


def test_what_an_agency_publishes_goes_one_way() -> None:
    """Each of its keys is one for itself, with whatever code stands in front, and matches one binding of the lanes."""
    shared = [one.key for one in exchange_plan().bindings if one.exchange == SUBMISSION_SHARED]
    ends = [key.removeprefix("#.") for key in shared]
    assert sorted(ends) == sorted(SubmissionKey)
    for agency in ("H23", "000.00.00.G22", "document", "status", "H23.document"):
        for key in SubmissionKey:
            words = submission_key(agency, key).split(".")
            assert [end for end in ends if words[-len(end.split(".")) :] == end.split(".")] == [key]


def test_an_agency_publishes_with_its_own_keys_only() -> None:
    """With its own code in front, or with none, as the version before did; on status with none at all."""
    submission, status = agency_topic_permissions("000.00.00.G22")
    assert (submission.exchange, status.exchange) == (SUBMISSION, STATUS)
    for key in SubmissionKey:
        assert re.search(submission.write, submission_key("000.00.00.G22", key))
        assert re.search(submission.write, key)
        for other in ("000.00.00.G23", "1000.00.00.G22", "000.00.00.G22.H23", "000x00.00.G22", "#", "*"):
            assert not re.search(submission.write, submission_key(other, key))
    for pattern in (submission.read, status.write, status.read):
        assert not re.search(pattern, "000.00.00.G22.document")


def test_a_rung_has_one_constant_ttl() -> None:
    """Expiry is head-first, so each delay has a queue of its own."""
    ttls = [queue.arguments["x-message-ttl"] for queue in exchange_plan().queues if "x-message-ttl" in queue.arguments]
    assert ttls == [round(seconds * 1000) for seconds in RETRY_SECONDS]


def test_an_agency_may_touch_its_own_queues_only() -> None:
    """The permissions match an agency's two queues and one exchange, and nothing of an agency with a longer code."""
    permissions = agency_permissions("H23")
    assert not re.search(permissions.configure, "anything")
    assert re.search(permissions.write, "submission")
    for name in ("work", "status", "delivery", "amq.default", "", "submission2"):
        assert not re.search(permissions.write, name)
    for queue in (delivery_queue("H23"), status_queue("H23")):
        assert re.search(permissions.read, queue)
    for name in (delivery_queue("H23.1"), delivery_queue("H233"), "work.ingest", "agencyxH23xdelivery"):
        assert not re.search(permissions.read, name)


def test_what_the_broker_takes_out_of_a_lane_comes_back_to_its_step() -> None:
    """Expired or too often back is no dead letter yet: the same step consumes it once more, its lane in the key."""
    plan = exchange_plan()
    queues = {queue.name: queue.arguments for queue in plan.queues}
    bound = {(one.exchange, one.key): one.queue for one in plan.bindings}
    for step in Step:
        for lane in lanes(step):
            key = str(queues[work_queue(step, lane)]["x-dead-letter-routing-key"])
            assert key == returned_key(step, lane)
            assert bound[DEAD, key] == returned_queue(step)
        last = str(queues[returned_queue(step)]["x-dead-letter-routing-key"])
        assert bound[DEAD, last] == dead_queue(step)
