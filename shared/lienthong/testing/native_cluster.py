"""Three RabbitMQ nodes and two PostgreSQL servers as private child processes, for when Docker is not to be had."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from lienthong.errors import Unavailable
from lienthong.testing.answers import BrokerAddress, LedgerAddress, Server, await_answer
from lienthong.testing.native import (
    BROKER_CONF,
    LEDGER_CONF,
    await_port,
    broker_environment,
    epmd_program,
    install_missing,
    ledger_owner,
    native_ledger,
    owned_file,
    programs_of,
)
from lienthong.testing.processes import Family, Switch, free_ports, private_folder, run

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["native_brokers", "native_ledgers"]

CLUSTER_CONF = Path(__file__).with_name("rabbitmq-cluster.conf")
"""``deploy/rabbitmq/cluster.conf``."""
NODES = ("broker1", "broker2", "broker3")
STANDBY_SECONDS = 60.0
LOOK_SECONDS = 0.1
FIRST_WITHOUT_DELAY = 4
"""Before this version nodes wait at random before they form a cluster, up to a minute."""


@contextmanager
def native_brokers(folder: Path) -> Iterator[dict[str, Server[BrokerAddress]]]:
    """Start three nodes that form a cluster; they are not ready yet when the block begins.

    Returns:
        Them by the names they give themselves.

    Raises:
        MisconfiguredError: RabbitMQ is neither installed nor can be installed.
        Unavailable: they could not be started.
    """
    install_missing("rabbitmq-server")
    found = programs_of("rabbitmq-server")
    epmd, *ports = free_ports(1 + 3 * len(NODES))
    user, password, cookie = "lienthong-admin", secrets.token_urlsafe(18), secrets.token_hex(16)
    with private_folder("rabbitmq", folder) as home, Family(home, stop_signal=signal.SIGKILL) as family:
        servers: dict[str, Server[BrokerAddress]] = {}
        daemon_environment = broker_environment(home, 0, epmd)
        daemon = family.start(
            [epmd_program(found), "-port", str(epmd), "-address", "127.0.0.1"],
            log=home / "epmd.log",
            environment=daemon_environment,
        )
        await_port(epmd, daemon)
        for number, name in enumerate(NODES):
            amqp, management, distribution = ports[3 * number : 3 * number + 3]
            own = home / name
            own.mkdir()
            _write_node_files(own, amqp, management, cookie, with_delay=_version(found) < FIRST_WITHOUT_DELAY)
            environment = broker_environment(own, distribution, epmd, node=name)
            environment |= {"RABBITMQ_DEFAULT_USER": user, "RABBITMQ_DEFAULT_PASS": password}
            node = family.start([str(found / "rabbitmq-server")], log=own / "node.log", environment=environment)
            address = BrokerAddress(
                f"amqp://{user}:{password}@127.0.0.1:{amqp}", f"http://{user}:{password}@127.0.0.1:{management}"
            )
            power = Switch(node, signal.SIGTERM)
            servers[f"{name}@localhost"] = Server(address, "natively", node.failure, node.log, power)
        yield servers


@contextmanager
def native_ledgers(folder: Path) -> Iterator[tuple[Server[LedgerAddress], Server[LedgerAddress]]]:
    """Start a primary and a standby that every commit waits for; both answer when the block begins.

    Raises:
        MisconfiguredError: PostgreSQL is neither installed nor can be installed.
        Unavailable: they could not be started.
    """
    with ExitStack() as running:
        primary = running.enter_context(native_ledger(folder))
        await_answer(primary, STANDBY_SECONDS)
        user, group = ledger_owner() if os.geteuid() == 0 else (None, None)
        home = running.enter_context(private_folder("postgresql-standby", folder, user=user, group=group))
        family = running.enter_context(Family(home, stop_signal=signal.SIGINT))
        found = programs_of("postgresql")
        run(
            [
                str(found / "pg_basebackup"),
                f"--dbname={primary.address.url}",
                f"--pgdata={home / 'data'}",
                "--create-slot",
                "--slot=standby",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
            ],
            folder=home,
            user=user,
            group=group,
        )
        (port,) = free_ports(1)
        settings = {
            "config_file": owned_file(home / "postgresql.conf", LEDGER_CONF.read_text(encoding="utf-8"), user),
            "cluster_name": "standby",
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
        }
        server = family.start(
            [
                str(found / "postgres"),
                "-D",
                str(home / "data"),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            log=owned_file(home / "server.log", "", user),
            environment={"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C.UTF-8"},
            user=user,
            group=group,
        )
        login, _, place = primary.address.url.rpartition("@")
        standby = Server(
            LedgerAddress(f"{login}@127.0.0.1:{port}/{place.partition('/')[2]}"),
            "natively",
            server.failure,
            power=Switch(server, signal.SIGINT),
        )
        await_answer(standby, STANDBY_SECONDS)
        asyncio.run(_wait_for_the_standby(primary.address.url))
        yield primary, standby


async def _wait_for_the_standby(url: str) -> None:
    """Let every commit on the primary wait for the standby, once it follows."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(STANDBY_SECONDS):
            while not await connection.fetchval("select 1 from pg_stat_replication where state = 'streaming'"):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
        await connection.execute("alter system set synchronous_standby_names = 'standby'")
        await connection.execute("select pg_reload_conf()")
    except TimeoutError:
        raise Unavailable("the standby does not follow") from None
    finally:
        await connection.close()


def _write_node_files(home: Path, amqp: int, management: int, cookie: str, *, with_delay: bool) -> None:
    lines = [
        f"listeners.tcp.local = 127.0.0.1:{amqp}",
        "management.tcp.ip = 127.0.0.1",
        f"management.tcp.port = {management}",
        *(
            f"cluster_formation.classic_config.nodes.{number} = {name}@localhost"
            for number, name in enumerate(NODES, 1)
        ),
    ]
    if with_delay:
        lines.append("cluster_formation.randomized_startup_delay_range.max = 1")
    shipped = [BROKER_CONF.read_text(encoding="utf-8"), CLUSTER_CONF.read_text(encoding="utf-8")]
    (home / "rabbitmq.conf").write_text("\n".join([*shipped, *lines, ""]), encoding="utf-8")
    (home / "enabled_plugins").write_text("[rabbitmq_management].\n", encoding="ascii")
    (home / "env.conf").touch()
    owned_file(home / ".erlang.cookie", cookie, None)


def _version(folder: Path) -> int:
    return int(folder.parent.name.rpartition("-")[2].partition(".")[0])
