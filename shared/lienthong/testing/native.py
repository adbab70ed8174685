"""RabbitMQ and PostgreSQL as private child processes on free loopback ports."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing import debian
from lienthong.testing.answers import BrokerAddress, LedgerAddress, Server
from lienthong.testing.processes import Family, Switch, free_ports, private_folder, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lienthong.testing.processes import Process
    from lienthong.trust.development_connections import ConnectionAuthority

__all__ = [
    "BROKER_ADVANCED_CONFIG",
    "BROKER_CONF",
    "BROKER_TLS_CONF",
    "BROKER_TLS_FOLDER",
    "ERLANG_ARGUMENTS",
    "LEDGER_CONF",
    "Package",
    "install_missing",
    "native_broker",
    "native_ledger",
]

BROKER_CONF = Path(__file__).with_name("rabbitmq.conf")
"""``deploy/rabbitmq/rabbitmq.conf``."""
BROKER_TLS_CONF = Path(__file__).with_name("rabbitmq-tls.conf")
"""``deploy/rabbitmq/tls.conf``."""
BROKER_ADVANCED_CONFIG = Path(__file__).with_name("rabbitmq-advanced.config")
"""``deploy/rabbitmq/advanced.config``."""
BROKER_TLS_FOLDER = "/etc/rabbitmq/tls"
"""Where that one looks for certificates, keys and CRLs."""
LEDGER_CONF = Path(__file__).with_name("postgresql.conf")
"""``deploy/postgres/postgresql.conf``."""

ERLANG_ARGUMENTS = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""Erlang's schedulers sleep instead of spinning: on a few cores the spinning is taken from everybody else."""

EPMD_SECONDS = 5.0
RABBITMQ_FOLDERS = Path("/usr/lib/rabbitmq/lib")
POSTGRESQL_FOLDERS = Path("/usr/lib/postgresql")


Package = Literal["rabbitmq-server", "postgresql"]
"""Debian's packages of the two servers."""


def install_missing(*packages: Package) -> None:
    """Install, all at once, those servers that are not installed.

    Raises:
        MisconfiguredError: that is not possible here; the text has the command for whoever can.
    """
    if missing := [package for package in packages if _found(package) is None]:
        debian.install(*missing)


@contextmanager
def native_broker(folder: Path, authority: ConnectionAuthority | None = None) -> Iterator[Server[BrokerAddress]]:
    """Start a RabbitMQ node with the management API under `folder`; it is not ready yet when the block begins.

    Args:
        folder: where it keeps its files.
        authority: whose certificates it takes; it then speaks AMQP over TLS only, and its address names no user.

    Raises:
        MisconfiguredError: RabbitMQ is neither installed nor can be installed.
        Unavailable: it could not be started.
    """
    install_missing("rabbitmq-server")
    programs = programs_of("rabbitmq-server")
    amqp, management, distribution, epmd = free_ports(4)
    user, password = "lienthong-admin", secrets.token_urlsafe(18)
    with (
        private_folder("rabbitmq", folder) as home,
        # Nothing in this node is worth an orderly stop, which takes six seconds with the management plugin of 3.10.
        Family(home, stop_signal=signal.SIGKILL) as family,
    ):
        environment = broker_environment(home, distribution, epmd)
        environment |= {"RABBITMQ_DEFAULT_USER": user, "RABBITMQ_DEFAULT_PASS": password}
        _write_broker_files(home, amqp, management, authority)
        # Without this one the node would start a shared one that outlives it.
        daemon = family.start(
            [epmd_program(programs), "-port", str(epmd), "-address", "127.0.0.1"],
            log=home / "epmd.log",
            environment=environment,
        )
        await_port(epmd, daemon)
        # The script itself, not Debian's /usr/sbin/rabbitmq-server, which insists on the user "rabbitmq".
        node = family.start([str(programs / "rabbitmq-server")], log=home / "node.log", environment=environment)
        address = BrokerAddress(
            f"amqp://{user}:{password}@127.0.0.1:{amqp}" if authority is None else f"amqps://127.0.0.1:{amqp}",
            f"http://{user}:{password}@127.0.0.1:{management}",
        )
        yield Server(address, "natively", node.failure, node.log, Switch(node, signal.SIGTERM))


@contextmanager
def native_ledger(folder: Path) -> Iterator[Server[LedgerAddress]]:
    """Start a PostgreSQL server under `folder`; it is not ready yet when the block begins.

    Root may not run PostgreSQL: then it runs as user ``postgres``, or ``nobody`` where that does not exist.

    Raises:
        MisconfiguredError: PostgreSQL is neither installed nor can be installed.
        Unavailable: it could not be started.
    """
    install_missing("postgresql")
    programs = programs_of("postgresql")
    user, group = ledger_owner() if os.geteuid() == 0 else (None, None)
    (port,) = free_ports(1)
    password = secrets.token_urlsafe(18)
    with (
        private_folder("postgresql", folder, user=user, group=group) as home,
        Family(home, stop_signal=signal.SIGINT) as family,
    ):
        owned_file(home / "password", password, user)
        owned_file(home / "postgresql.conf", LEDGER_CONF.read_text(encoding="utf-8"), user)
        run(
            [
                str(programs / "initdb"),
                f"--pgdata={home / 'data'}",
                "--username=postgres",
                f"--pwfile={home / 'password'}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            folder=home,
            user=user,
            group=group,
        )
        settings = {
            "config_file": home / "postgresql.conf",
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
        }
        server = family.start(
            [
                str(programs / "postgres"),
                "-D",
                str(home / "data"),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            log=owned_file(home / "server.log", "", user),
            environment={"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C.UTF-8"},
            user=user,
            group=group,
        )
        address = LedgerAddress(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres")
        yield Server(address, "natively", server.failure, power=Switch(server, signal.SIGINT))


def programs_of(package: Package) -> Path:
    """Return the folder of a server's programs."""
    if found := _found(package):
        return found
    raise MisconfiguredError(f"package {package} is installed, but its programs are not where Debian has them")


def _found(package: Package) -> Path | None:
    return _rabbitmq_programs() if package == "rabbitmq-server" else _postgresql_programs()


def _rabbitmq_programs() -> Path | None:
    return _newest(RABBITMQ_FOLDERS.glob("rabbitmq_server-*/sbin"), "rabbitmq-server")


def _postgresql_programs() -> Path | None:
    if chosen := os.environ.get("PG_BIN"):
        if not (Path(chosen) / "initdb").exists():
            raise MisconfiguredError(f"PG_BIN={chosen}: there is no initdb in that folder")
        return Path(chosen)
    if found := _newest(POSTGRESQL_FOLDERS.glob("*/bin"), "initdb"):
        return found
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _newest(folders: Iterator[Path], program: str) -> Path | None:
    """Return the folder with the highest version in its name that has the program."""

    def version(folder: Path) -> tuple[int, ...]:
        return tuple(int(digits) for digits in "".join(c if c.isdigit() else " " for c in folder.parent.name).split())

    return max((folder for folder in folders if (folder / program).exists()), key=version, default=None)


def epmd_program(programs: Path) -> str:
    """Return Erlang's port mapper."""
    found = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), None)
    if not found:
        raise MisconfiguredError(f"RabbitMQ is in {programs}, but Erlang's epmd is not on the PATH")
    return found


def broker_environment(home: Path, distribution: int, epmd: int, *, node: str = "lienthong") -> dict[str, str]:
    """Return all of a node's environment: everything it reads and writes lies in its home."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RABBITMQ_", "ERL_", "NOTIFY_SOCKET")) and name != "HOME"
    }
    return inherited | {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"{node}@localhost",
        # An empty file, to be shielded from the one in /etc/rabbitmq.
        "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            f"-kernel inet_dist_use_interface {{127,0,0,1}} -start_epmd false {ERLANG_ARGUMENTS}"
        ),
        # The start script then becomes the node instead of waiting for it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def _write_broker_files(home: Path, amqp: int, management: int, authority: ConnectionAuthority | None) -> None:
    files = [BROKER_CONF.read_text(encoding="utf-8")]
    plugins = ["rabbitmq_management"]
    if authority is None:
        files.append(f"listeners.tcp.local = 127.0.0.1:{amqp}\n")
    else:
        authority.broker("127.0.0.1", "localhost")
        tls = BROKER_TLS_CONF.read_text(encoding="utf-8")
        files.append(tls.replace("listeners.ssl.default = ", f"listeners.ssl.default = 127.0.0.1:{amqp}\n# "))
        advanced = BROKER_ADVANCED_CONFIG.read_text(encoding="utf-8").replace(BROKER_TLS_FOLDER, str(authority.folder))
        (home / "advanced.config").write_text(advanced, encoding="utf-8")
        plugins.append("rabbitmq_auth_mechanism_ssl")
    files.append(f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n")
    (home / "rabbitmq.conf").write_text("\n".join(files), encoding="utf-8")
    (home / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n", encoding="ascii")
    (home / "env.conf").touch()
    owned_file(home / ".erlang.cookie", secrets.token_hex(16), None)


def await_port(port: int, process: Process) -> None:
    """Wait until a process listens on a port of loopback; raises `Unavailable` when it does not."""
    deadline = time.monotonic() + EPMD_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if process.failure() or time.monotonic() > deadline:
                raise Unavailable(process.failure() or f"{process.name} does not listen on port {port}") from error
            time.sleep(0.01)
        else:
            return


def ledger_owner() -> tuple[int, int]:
    """Return user and group that PostgreSQL runs as when this process is root."""
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise MisconfiguredError("PostgreSQL does not run as root, and there is no user postgres or nobody here")


def owned_file(path: Path, text: str, user: int | None) -> Path:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    if user is not None:
        os.chown(path, user, -1)
    return path
