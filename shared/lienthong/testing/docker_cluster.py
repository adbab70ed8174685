"""The cluster of ``deploy/compose.servers.yaml``, as it is shipped, on free ports of the loopback interface."""

from __future__ import annotations

import os
import secrets
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testcontainers.core.docker_client import DockerClient

from lienthong.errors import Unavailable
from lienthong.testing import docker
from lienthong.testing.answers import BrokerAddress, LedgerAddress, Server
from lienthong.testing.processes import free_ports, private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COMPOSE_FILE", "docker_cluster"]

COMPOSE_FILE = Path(__file__).parents[3] / "deploy/compose.servers.yaml"
COMPOSE_SECONDS = 180
STOP_SECONDS = 20
LOG_TAIL_CHARACTERS = 2000
SECRETS = ("erlang-cookie", "broker-password", "ledger-password", "replication-password")
BROKERS = ("broker1", "broker2", "broker3")
LEDGERS = ("ledger1", "ledger2")


@dataclass(frozen=True, slots=True)
class ContainerSwitch:
    """Ends, freezes and starts again the server in a container of the engine's client."""

    container: Any

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        with _explained(self.container.name):
            self.container.kill()
            self.container.wait(timeout=docker.ENGINE_SECONDS)

    def stop(self) -> None:
        """End it in order."""
        with _explained(self.container.name):
            self.container.stop(timeout=STOP_SECONDS)

    def start(self) -> None:
        """Start it again; it is not ready yet."""
        with _explained(self.container.name):
            self.container.start()

    def freeze(self) -> None:
        """Let it take no step more; its sockets stay open."""
        with _explained(self.container.name):
            self.container.pause()

    def thaw(self) -> None:
        """Let it go on."""
        with _explained(self.container.name):
            self.container.unpause()

    def failure(self) -> str | None:
        """Return None while it runs, else how it ended and the end of its log."""
        with _explained(self.container.name):
            self.container.reload()
            if self.container.status in {"created", "running", "restarting", "paused"}:
                return None
            return f"{self.container.name} is {self.container.status}:\n{self.log()[-LOG_TAIL_CHARACTERS:]}"

    def log(self) -> str:
        """Return what it has logged."""
        text: bytes = self.container.logs()
        return text.decode(errors="replace")


@contextmanager
def docker_cluster(
    folder: Path,
) -> Iterator[tuple[dict[str, Server[BrokerAddress]], tuple[Server[LedgerAddress], Server[LedgerAddress]]]]:
    """Start the cluster; nothing of it is ready yet when the block begins, and nothing of it is left afterwards.

    Raises:
        Unavailable: it could not be started here; the text says why.
    """
    if not COMPOSE_FILE.exists():
        raise Unavailable(f"Docker: {COMPOSE_FILE} is part of the sources only")
    docker.prepare(docker.BROKER_IMAGE, docker.LEDGER_IMAGE)
    words = {name: secrets.token_hex(18) for name in SECRETS}
    with private_folder("cluster", folder) as home, ExitStack() as running:
        for name, word in words.items():
            (home / name).write_text(word, encoding="ascii")
        amqp, management, ledger = free_ports(3), free_ports(3), free_ports(2)
        numbers = {f"LIENTHONG_BROKER{number}": port for number, port in enumerate(amqp, 1)}
        numbers |= {f"LIENTHONG_MANAGEMENT{number}": port for number, port in enumerate(management, 1)}
        numbers |= {f"LIENTHONG_LEDGER{number}": port for number, port in enumerate(ledger, 1)}
        compose = _Compose(
            f"lienthong-{secrets.token_hex(4)}",
            {"LIENTHONG_SECRETS": str(home), "LIENTHONG_BIND": "127.0.0.1"}
            | {name: str(port) for name, port in numbers.items()},
        )
        running.callback(compose.run, "down", "--volumes", "--timeout", "0")
        compose.run("up", "--detach")
        engine = DockerClient(timeout=docker.ENGINE_SECONDS).client
        running.callback(engine.close)
        switches = {
            service: ContainerSwitch(engine.containers.get(f"{compose.project}-{service}-1"))
            for service in (*BROKERS, *LEDGERS)
        }
        login = f"lienthong-admin:{words['broker-password']}@127.0.0.1"
        brokers: dict[str, Server[BrokerAddress]] = {}
        for service, port, web in zip(BROKERS, amqp, management, strict=True):
            address = BrokerAddress(f"amqp://{login}:{port}", f"http://{login}:{web}")
            switch = switches[service]
            brokers[f"rabbit@{service}"] = Server(address, "in Docker", switch.failure, switch.log, switch)
        login = f"postgres:{words['ledger-password']}@127.0.0.1"
        primary, standby = (
            Server(
                LedgerAddress(f"postgresql://{login}:{port}/postgres"), "in Docker", switch.failure, switch.log, switch
            )
            for port, switch in zip(ledger, (switches[service] for service in LEDGERS), strict=True)
        )
        yield brokers, (primary, standby)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except docker.EngineError as error:
        raise Unavailable(f"Docker: {name}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Compose:
    project: str
    environment: dict[str, str]

    def run(self, *arguments: str) -> None:
        command = ["docker", "compose", "-p", self.project, "-f", str(COMPOSE_FILE), *arguments]
        try:
            ended = subprocess.run(  # noqa: S603 - our own arguments
                command,
                env=os.environ | self.environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=COMPOSE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"docker compose {arguments[0]}: {error}") from error
        if ended.returncode:
            raise Unavailable(f"docker compose {arguments[0]} ended with status {ended.returncode}: {ended.stderr}")
