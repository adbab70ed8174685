"""How the broker's nodes are."""

from __future__ import annotations

import pytest

from lienthong.bus.admin import FoundNode
from lienthong.doctor.servers import nodes_in_trouble

LIMIT = 50_000_000


@pytest.mark.parametrize(
    ("changed", "severity", "text"),
    [
        ({"running": False}, "error", "not running"),
        ({"disk_free_alarm": True, "disk_free": 1}, "error", "out of disk"),
        ({"mem_alarm": True}, "error", "out of memory"),
        ({"disk_free": 2 * LIMIT - 1}, "warning", "nearly out of disk"),
    ],
)
def test_a_node_that_takes_nothing_is_found(changed: dict[str, int], severity: str, text: str) -> None:
    """Each alarm of a node is one finding with a remedy; a node without alarms is none, also where it tells little."""
    well = {"name": "rabbit@one", "running": True, "disk_free": 2 * LIMIT, "disk_free_limit": LIMIT}
    assert nodes_in_trouble([FoundNode.model_validate(well)]) == []
    assert nodes_in_trouble([FoundNode.model_validate(well | {"disk_free": "disk_free_monitoring_disabled"})]) == []
    (found,) = nodes_in_trouble([FoundNode.model_validate(well | changed)])
    assert (found.severity, found.subject) == (severity, "rabbit@one")
    assert text in found.what.en
    assert found.remedy.vi
