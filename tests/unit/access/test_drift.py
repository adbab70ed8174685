"""Where a broker of several nodes differs from the plan."""

from __future__ import annotations

import pytest

from lienthong.access.drift import Found, Wanted, differences
from lienthong.bus.admin import FoundQueue
from lienthong.settings import AccessSettings
from lienthong.topology.plan import exchange_plan


@pytest.mark.parametrize(
    ("nodes", "members", "missed"),
    [
        ("abc", "abc", False),
        ("abc", "ab", True),
        ("abcde", "bcd", False),
        ("a", "a", False),
        ("ab", "a", True),
    ],
)
def test_a_queue_with_too_few_members_is_named(nodes: str, members: str, missed: bool) -> None:
    """A quorum queue that was declared before its nodes were there is lost with the one node that has it."""
    queue = exchange_plan().queues[0]
    there = FoundQueue(name=queue.name, durable=True, arguments=dict(queue.arguments), members=tuple(members))
    found = Found((), (there,), frozenset(nodes), (), {}, {}, {}, {})
    wanted = Wanted({}, {}, "admin", AccessSettings())
    wrong = [one for one in differences(wanted, found) if (one.kind, one.thing) == ("wrong", "queue")]
    assert [one.name for one in wrong] == [queue.name] * missed
    assert all("rabbitmq-queues grow" in one.remedy for one in wrong)
