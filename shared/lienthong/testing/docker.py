"""RabbitMQ and PostgreSQL in containers, published on the loopback interface only."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests.exceptions
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host

from lienthong.errors import Unavailable
from lienthong.testing.answers import BrokerAddress, LedgerAddress, Server
from lienthong.testing.native import (
    BROKER_ADVANCED_CONFIG,
    BROKER_CONF,
    BROKER_TLS_CONF,
    BROKER_TLS_FOLDER,
    ERLANG_ARGUMENTS,
    LEDGER_CONF,
)
from lienthong.testing.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lienthong.trust.development_connections import ConnectionAuthority

__all__ = ["BROKER_IMAGE", "LEDGER_IMAGE", "docker_broker", "docker_ledger", "prepare"]

BROKER_IMAGE = "rabbitmq:4-management"
LEDGER_IMAGE = "postgres:17"
PULL_SECONDS = 120.0
"""For all images together; a machine where it takes longer is better served with servers of its own."""
REAPER_PULL_SECONDS = 20.0
ENGINE_SECONDS = 60
STOP_SECONDS = 20
BROKER_LOGS = "/var/log/rabbitmq/startup_log"
LOG_TAIL_LINES = 30

DEFAULT_ENGINE = "unix:///var/run/docker.sock"
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
EngineError = (DockerException, requests.exceptions.RequestException, OSError)


def prepare(*images: str) -> None:
    """Make sure that the engine answers, that it is this machine's, and that the images are local, pulling them if not.

    Raises:
        Unavailable: Docker cannot be used here; the text says why. An engine that answers is not yet a usable one:
            it may have no registry to pull from.
    """
    try:
        _require_local_engine()
        with _engine(ENGINE_SECONDS) as engine:
            deadline = time.monotonic() + PULL_SECONDS
            for image in images:
                _have(engine, image, deadline - time.monotonic())
            _settle_reaper(engine)
    except EngineError as error:
        raise Unavailable(f"Docker: {error}") from error


@contextlib.contextmanager
def docker_broker(authority: ConnectionAuthority | None = None) -> Iterator[Server[BrokerAddress]]:
    """Start RabbitMQ in a container; it is not ready yet when the block begins.

    Args:
        authority: whose certificates it takes; it then speaks AMQP over TLS only, and its address names no user.

    Raises:
        Unavailable: the engine could not start it.
    """
    user, password = "lienthong-admin", secrets.token_urlsafe(18)
    environment = {
        "RABBITMQ_DEFAULT_USER": user,
        "RABBITMQ_DEFAULT_PASS": password,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_ARGUMENTS,
        # Erlang reserves memory for every descriptor it might get, and an engine may allow a thousand million of them.
        "ERL_MAX_PORTS": "65536",
    }

    def described() -> DockerContainer:
        container = (
            DockerContainer(BROKER_IMAGE)
            .with_envs(**environment)
            .with_copy_into_container(BROKER_CONF.read_bytes(), "/etc/rabbitmq/conf.d/90-lienthong.conf")
        )
        return container if authority is None else _with_tls(container, authority)

    with _running(described, 5672 if authority is None else 5671, 15672) as (container, (amqp, management)):
        address = BrokerAddress(
            f"amqp://{user}:{password}@127.0.0.1:{amqp}" if authority is None else f"amqps://127.0.0.1:{amqp}",
            f"http://{user}:{password}@127.0.0.1:{management}",
        )
        yield Server(address, "in Docker", lambda: _failure(container), lambda: _log(container), _Switch(container))


def _with_tls(container: DockerContainer, authority: ConnectionAuthority) -> DockerContainer:
    broker = authority.broker("127.0.0.1", "localhost")
    plugins = "[rabbitmq_management,rabbitmq_prometheus,rabbitmq_auth_mechanism_ssl].\n"
    # The key is copied, because the container's user may not read ours; the CRLs stay where they change.
    return (
        container.with_copy_into_container(BROKER_TLS_CONF.read_bytes(), "/etc/rabbitmq/conf.d/91-tls.conf")
        .with_copy_into_container(BROKER_ADVANCED_CONFIG.read_bytes(), "/etc/rabbitmq/advanced.config")
        .with_copy_into_container(plugins.encode(), "/etc/rabbitmq/enabled_plugins")
        .with_copy_into_container(authority.certificate_file.read_bytes(), f"{BROKER_TLS_FOLDER}/authority.pem")
        .with_copy_into_container(broker.with_name("broker.pem").read_bytes(), f"{BROKER_TLS_FOLDER}/broker.pem")
        .with_copy_into_container(broker.with_name("broker.key").read_bytes(), f"{BROKER_TLS_FOLDER}/broker.key")
        .with_volume_mapping(str(authority.crls), f"{BROKER_TLS_FOLDER}/crls", "ro")
    )


@contextlib.contextmanager
def docker_ledger() -> Iterator[Server[LedgerAddress]]:
    """Start PostgreSQL in a container; it is not ready yet when the block begins.

    Raises:
        Unavailable: the engine could not start it.
    """
    password = secrets.token_urlsafe(18)
    settings = "/etc/lienthong-postgresql.conf"

    def described() -> DockerContainer:
        return (
            DockerContainer(LEDGER_IMAGE)
            .with_envs(POSTGRES_USER="postgres", POSTGRES_PASSWORD=password)
            .with_copy_into_container(LEDGER_CONF.read_bytes(), settings)
            .with_command(["postgres", "-c", f"config_file={settings}", "-c", "listen_addresses=*"])
            .with_kwargs(shm_size="256m")
        )

    with _running(described, 5432) as (container, (port,)):
        address = LedgerAddress(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres")
        yield Server(address, "in Docker", lambda: _failure(container), power=_Switch(container))


@contextlib.contextmanager
def _running(described: Callable[[], DockerContainer], *ports: int) -> Iterator[tuple[DockerContainer, list[int]]]:
    """Start a container with its ports on free ones of 127.0.0.1, and remove it with its volumes afterwards.

    The ports are chosen here: those the engine chooses are others when the container is started again.
    """
    numbers = free_ports(len(ports))
    with contextlib.ExitStack() as stack:
        try:
            container = described()
            # testcontainers' own type knows no host address here; the engine's client takes one.
            published: dict[str, Any] = container.ports
            published.update(
                {f"{port}/tcp": ("127.0.0.1", number) for port, number in zip(ports, numbers, strict=True)}
            )
            stack.enter_context(container)
        except EngineError as error:
            raise Unavailable(f"Docker could not start {container.image}: {error}") from error
        yield container, numbers


@dataclass(frozen=True, slots=True)
class _Switch:
    """Ends the server in a container, and starts it again on the files it left."""

    container: DockerContainer

    def kill(self) -> None:
        with _explained(self.container):
            self.container.get_wrapped_container().kill()
            self.container.get_wrapped_container().wait(timeout=ENGINE_SECONDS)

    def stop(self) -> None:
        with _explained(self.container):
            self.container.get_wrapped_container().stop(timeout=STOP_SECONDS)

    def start(self) -> None:
        with _explained(self.container):
            self.container.get_wrapped_container().start()

    def freeze(self) -> None:
        with _explained(self.container):
            self.container.get_wrapped_container().pause()

    def thaw(self) -> None:
        with _explained(self.container):
            self.container.get_wrapped_container().unpause()


@contextlib.contextmanager
def _explained(container: DockerContainer) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        raise Unavailable(f"Docker: {container.image}: {error}") from error


def _failure(container: DockerContainer) -> str | None:
    try:
        container.reload()
        if container.status in {"created", "running", "restarting"}:
            return None
        tail = container.get_wrapped_container().logs(tail=LOG_TAIL_LINES).decode(errors="replace")
    except EngineError as error:
        return f"Docker: {error}"
    return f"{container.image} is {container.status}:\n{tail}"


def _log(container: DockerContainer) -> str:
    # On standard output; an image made of Debian's package has it in a file instead.
    there = container.exec(["sh", "-c", f"cat {BROKER_LOGS} 2>/dev/null"])
    text: bytes = container.get_wrapped_container().logs() + there.output
    return text.decode(errors="replace")


@contextlib.contextmanager
def _engine(timeout: float) -> Iterator[DockerClient]:
    engine = DockerClient(timeout=timeout)
    try:
        yield engine
    finally:
        engine.client.close()


def _require_local_engine() -> None:
    """Refuse an engine on another machine, whose loopback interface cannot be reached from here, or none at all.

    Knocking first also spares us the engine's client, which leaves a socket behind when nobody answers.
    """
    place = urlsplit(get_docker_host() or DEFAULT_ENGINE)
    if place.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(ENGINE_SECONDS)
            engine.connect(place.path)
    elif place.hostname not in LOCAL_HOSTS:
        raise Unavailable(f"Docker: the engine at {place.netloc} is not on this machine")


def _have(engine: DockerClient, image: str, seconds: float) -> None:
    with contextlib.suppress(ImageNotFound):
        engine.client.images.get(image)
        return
    deadline = time.monotonic() + seconds
    # The time limit of the connection bounds a silent registry, the deadline a slow one.
    with _engine(max(1.0, seconds)) as puller:
        name, tag = image.rsplit(":", 1)
        for progress in puller.client.api.pull(name, tag=tag, stream=True, decode=True):
            if "error" in progress:
                raise Unavailable(f"Docker: image {image} is not here and cannot be pulled: {progress['error']}")
            if time.monotonic() > deadline:
                raise Unavailable(f"Docker: image {image} is not here and pulling it takes more than {PULL_SECONDS} s")


def _settle_reaper(engine: DockerClient) -> None:
    """Let testcontainers use its reaper only where its image can be had; our own clean-up does not depend on it."""
    if "TESTCONTAINERS_RYUK_DISABLED" in os.environ or testcontainers_config.ryuk_disabled:
        return
    # The engine is on this machine, whatever testcontainers makes of a /.dockerenv.
    if testcontainers_config.connection_mode_override is None:
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    if testcontainers_config.tc_host_override is None:
        testcontainers_config.tc_host_override = "127.0.0.1"
    try:
        _have(engine, testcontainers_config.ryuk_image, REAPER_PULL_SECONDS)
    except (Unavailable, *EngineError):
        testcontainers_config.ryuk_disabled = True
