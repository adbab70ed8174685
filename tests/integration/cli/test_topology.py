"""`lienthong topology` against a real broker."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lienthong.bus.admin import FULL_PERMISSIONS, BrokerAdmin
from lienthong.topology.plan import Permissions, exchange_plan

if TYPE_CHECKING:
    from lienthong.testing.servers import Servers


def lienthong(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with settings in its environment, wide enough for its tables."""
    return subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "lienthong_cli", *arguments],
        env=os.environ | settings | {"COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )


async def test_apply_makes_everything_and_repeats_harmlessly(servers: Servers, broker_admin: BrokerAdmin) -> None:
    """One command makes the virtual host with every queue of the plan; again, it changes nothing, nor permissions."""
    vhost, user = f"test-{uuid.uuid4().hex}", f"worker-{uuid.uuid4().hex}"
    await broker_admin.put_user(user, "secret")
    place = urlsplit(servers.broker_url)
    settings = {
        "LIENTHONG_BROKER_URL": f"amqp://{user}:secret@{place.hostname}:{place.port}/{vhost}",
        "LIENTHONG_BROKER_MANAGEMENT_URL": servers.management_url,
    }
    try:
        first = lienthong("topology", "apply", **settings)
        assert first.returncode == 0, first.stderr
        assert f"created: {vhost}" in first.stdout
        assert await broker_admin.permissions(vhost, user) == FULL_PERMISSIONS
        assert await broker_admin.queue_depths(vhost) == {queue.name: 0 for queue in exchange_plan().queues}
        fewer = Permissions(
            configure="^(submission|status|delivery|work|dead|quarantine|retry).*", write=".*", read=".*"
        )
        await broker_admin.set_permissions(vhost, user, fewer)
        again = lienthong("topology", "apply", **settings)
        assert again.returncode == 0, again.stderr
        assert f"was there: {vhost}" in again.stdout
        assert await broker_admin.permissions(vhost, user) == fewer
    finally:
        await broker_admin.delete_vhost(vhost)
        await broker_admin.delete_user(user)


def test_apply_says_what_to_mend() -> None:
    """A broker that is configured wrongly is one line and a status, not a traceback."""
    ended = lienthong(
        "topology",
        "apply",
        LIENTHONG_BROKER_URL="amqp://a@127.0.0.1/one,amqp://a@127.0.0.1/two",
        LIENTHONG_BROKER_MANAGEMENT_URL="http://127.0.0.1:1",
    )
    assert ended.returncode == 3
    assert ended.stderr.startswith("lỗi / error: LIENTHONG_BROKER_URL")
    assert "Traceback" not in ended.stderr


def test_show_lists_every_queue_with_its_bindings() -> None:
    """What is printed is the plan itself."""
    ended = lienthong("topology", "show")
    assert ended.returncode == 0, ended.stderr
    for queue in exchange_plan().queues:
        assert f" {queue.name} " in ended.stdout
    for binding in exchange_plan().bindings:
        assert f"{binding.exchange}: {binding.key}".rstrip() in ended.stdout
