"""Servers for the tests that need them: one RabbitMQ and one PostgreSQL a process, a fresh corner of them a test.

Programs of Debian's too, and with one of them a PKCS#11 token.

``LIENTHONG_TEST_SERVERS`` chooses how they are had (``auto``, ``urls``, ``docker``, ``native``; see
`lienthong.testing.servers.running_servers`). Where none can be had a test is skipped with every reason, but fails
when ``CI=true``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from yarl import URL

from lienthong.access.broker import grant
from lienthong.bus.admin import BrokerAdmin
from lienthong.errors import MisconfiguredError
from lienthong.ledger.migrations import migrate
from lienthong.testing import debian
from lienthong.testing.servers import Kind, Servers, running_servers
from lienthong.topology.rights import own_rights

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from xdist.workermanage import WorkerController

DESCRIPTIONS = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note which servers the tests run on, and let Ctrl-C reach all that tests start.

    A shell has what it runs in the background ignore it, and who starts up so leaves that to everybody it starts.
    """
    config.stash[DESCRIPTIONS] = set()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Servers]:
    """Provide the session's RabbitMQ and PostgreSQL, by an administrator's URLs."""
    kind = os.environ.get("LIENTHONG_TEST_SERVERS", "auto")
    if kind not in get_args(Kind):
        pytest.fail(f"LIENTHONG_TEST_SERVERS={kind}: has to be one of {', '.join(get_args(Kind))}", pytrace=False)
    running = running_servers(tmp_path_factory.mktemp("servers"), kind=cast("Kind", kind))
    try:
        found = running.__enter__()
    except MisconfiguredError as error:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    try:
        pytestconfig.stash[DESCRIPTIONS].add(found.description)
        yield found
    finally:
        running.__exit__(None, None, None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell them to the process that started this one, where the tests run in several."""
    descriptions = session.config.stash[DESCRIPTIONS]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["servers"] = sorted(descriptions)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Take them from such a process; one that broke down tells nothing."""
    node.config.stash[DESCRIPTIONS].update(getattr(node, "workeroutput", {}).get("servers", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end on which servers the tests ran."""
    descriptions = config.stash[DESCRIPTIONS]
    for description in sorted(descriptions):
        terminalreporter.write_line(f"servers: {description}")


@pytest_asyncio.fixture
async def broker_admin(servers: Servers) -> AsyncIterator[BrokerAdmin]:
    """Provide the management API of the session's RabbitMQ."""
    async with BrokerAdmin(servers.management_url) as admin:
        yield admin


@pytest_asyncio.fixture
async def vhost(servers: Servers, broker_admin: BrokerAdmin) -> AsyncIterator[str]:
    """Provide the administrator's AMQP URL of a fresh virtual host."""
    name = f"test-{uuid.uuid4().hex}"
    await broker_admin.create_vhost(name)
    yield f"{servers.broker_url}/{name}"
    await broker_admin.delete_vhost(name)


@pytest_asyncio.fixture
async def own_url(vhost: str, broker_admin: BrokerAdmin) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Return what makes one of the exchange's own users with its rights in the fresh virtual host; its AMQP URL."""
    made: list[str] = []

    async def make(user: str) -> str:
        made.append(user)
        await broker_admin.put_user(user, "secret")
        await grant(broker_admin, URL(vhost).name, user, own_rights()[user])
        return str(URL(vhost).with_user(user).with_password("secret"))

    yield make
    for user in made:
        await broker_admin.delete_user(user)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_template(servers: Servers) -> AsyncIterator[str]:
    """Provide the name of a database that has the ledger's schema and that nobody connects to."""
    name = f"template_{uuid.uuid4().hex}"
    await execute(servers.ledger_url, f"create database {name} template template0 encoding 'UTF8'")
    await migrate(database_url(servers, name))
    yield name
    await execute(servers.ledger_url, f"drop database {name} with (force)")


@pytest_asyncio.fixture
async def database(servers: Servers, migrated_template: str) -> AsyncIterator[str]:
    """Provide the superuser's URL of a fresh ledger, migrated and empty."""
    name = f"test_{uuid.uuid4().hex}"
    await execute(servers.ledger_url, f"create database {name} template {migrated_template}")
    yield database_url(servers, name)
    await execute(servers.ledger_url, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def program() -> Callable[[str, str], Path]:
    """Return what finds a program, and installs the Debian package it is in when there is a way to."""

    def find(name: str, package: str) -> Path:
        if shutil.which(name) is None:
            try:
                debian.install(package)
            except MisconfiguredError as error:
                if os.environ.get("CI", "").lower() in {"true", "1"}:
                    pytest.fail(str(error), pytrace=False)
                pytest.skip(str(error))
        found = shutil.which(name)
        assert found is not None, f"{package} has no {name}"
        return Path(found)

    return find


@pytest.fixture(scope="session")
def node_modules(program: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder with the packages of Node's that tests/data/node names, by the lock beside them."""
    program("node", "nodejs")
    npm = program("npm", "npm")
    folder = tmp_path_factory.mktemp("node")
    for file in (Path(__file__).parent / "data" / "node").iterdir():
        shutil.copy(file, folder)
    quietly = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
    done = subprocess.run(  # noqa: S603 - a program of Debian's
        [npm, "ci", *quietly], cwd=folder, check=False, capture_output=True, text=True, timeout=240
    )
    if done.returncode:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(done.stderr, pytrace=False)
        pytest.skip(f"npm: {done.stderr}")
    return folder / "node_modules"


@dataclass
class Token:
    """A PKCS#11 token of SoftHSM's, which behaves as an HSM does.

    Attributes:
        folder: where it is kept.
        module: its library.
        label: what it is called.
        pin: of its user.
    """

    folder: Path
    module: Path
    label: str = "lienthong-test"
    pin: str = "1234"

    def run(self, *arguments: str) -> None:
        """Run SoftHSM's program on it."""
        login = ("--pin", self.pin, "--so-pin", self.pin)
        subprocess.run(["softhsm2-util", *arguments, *login], check=True, capture_output=True, timeout=60)  # noqa: S603, S607 - a program of Debian's

    def put(self, name: str, key: PrivateKeyTypes) -> None:
        """Put a key on it."""
        pem = self.folder / f"{name}.pem"
        pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        number = f"{len(list(self.folder.glob('*.pem'))):02}"
        self.run("--import", str(pem), "--token", self.label, "--label", name, "--id", number)


@pytest.fixture(scope="session")
def token(program: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    """Provide a token without keys; a process can have its library set up but once."""
    program("softhsm2-util", "softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    found = [path for path in map(Path, ("/usr/lib/softhsm", "/usr/lib64/softhsm")) if path.is_dir()]
    found += Path("/usr/lib").glob("*/softhsm")
    library = next(path / "libsofthsm2.so" for path in found if (path / "libsofthsm2.so").exists())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", f"{folder}/softhsm2.conf")
        token = Token(folder, library)
        token.run("--init-token", "--free", "--label", token.label)
        yield token


def database_url(servers: Servers, name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(servers.ledger_url)._replace(path=f"/{name}"))


async def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
