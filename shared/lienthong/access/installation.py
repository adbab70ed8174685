"""What every process of an installation logs in with, made where it is missing: for development and trial.

A folder for each process, so that each can be given its own and no other's::

    authority/             the two development authorities, whose keys only the operator may have
    broker/                broker.pem, broker.key, authority.pem, crls/, admin-password, erlang-cookie
    ledger/                ledger-password, which is its owner's, and replication-password
    ingest/ … notifier/    broker-url, ledger-url, authority.pem, connection.pem, connection.key
    operator/              the same, management-url, and the ledger-url of every role

What is there is kept, but for certificates that end soon: they are made anew.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cryptography import x509
from yarl import URL

from lienthong.document.codes import is_agency_code
from lienthong.document.zone import VIETNAM
from lienthong.edxml import Document, DocumentCode, DocumentType, Organization, Promulgation, Signer, encode
from lienthong.errors import MisconfiguredError
from lienthong.ledger.logins import ROLES
from lienthong.topology.rights import OWN_USERS
from lienthong.trust import DevelopmentAuthority
from lienthong.trust.development_connections import ConnectionAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Installation", "Places"]

ADMINISTRATOR, OWNER = "lienthong-admin", "postgres"
OURS, THEIRS = 0o600, 0o640
"""Modes of files: for us alone; for a server that runs as another user and is given our group."""
RENEWED_BEFORE = dt.timedelta(days=60)
PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are for those who use the files.

    Attributes:
        broker: hosts of the broker, from inside; workers try them in turn.
        ledger: hosts of the ledger, likewise.
        names: further names and addresses at which agencies reach the broker; its certificate has them all.
        given: the folder in which a process finds the files made for it.
        agencies: the folder in which an agency finds its own, under its code.
    """

    broker: tuple[str, ...] = ("broker",)
    ledger: tuple[str, ...] = ("ledger",)
    names: tuple[str, ...] = ()
    given: str = "/run/lienthong"
    agencies: str = "/agencies"


class Installation:
    """The files of an installation.

    Args:
        folder: where they are; the folders in it are made when they are not there.
        places: where things are for those who use the files.
    """

    def __init__(self, folder: Path, places: Places) -> None:
        self._folder = folder
        self._places = places
        authority = self._made("authority")
        self._connections = ConnectionAuthority(authority / "connections")
        signing = authority / "signing"
        known = (signing / "authority.json").exists()
        self._signatures = DevelopmentAuthority.load(signing) if known else DevelopmentAuthority.create(signing)

    def complete(self) -> None:
        """Make what is missing, and fresh revocation lists."""
        self._signatures.publish()
        operator = self._made("operator")
        names = ("ledger-password", "replication-password", "admin-password", "erlang-cookie")
        words = {name: _kept(operator / name, _new_password) for name in names}
        owner, administrator = words["ledger-password"], words["admin-password"]
        for name in names[:2]:
            _write(self._made("ledger", THEIRS) / name, words[name], THEIRS)
        for name in names[2:]:
            _write(self._made("broker", THEIRS) / name, words[name], THEIRS)
        self._broker()
        ledgers = {role: _kept(operator / _ledger_file(role), partial(self._ledger_url, role)) for role in ROLES}
        for user in OWN_USERS:
            home = self._made(user.partition("-")[2])
            self._connection(user, home, self._places.given)
            _write(home / "ledger-url", ledgers[user.replace("-", "_")], OURS)
        # The operator's commands are its owner's.
        _write(operator / "ledger-url", self._ledger_url(OWNER, owner), OURS)
        management = ",".join(f"http://{ADMINISTRATOR}:{administrator}@{host}:15672" for host in self._places.broker)
        _write(operator / "management-url", management, OURS)

    def agency(self, code: str, folder: Path, addressees: Sequence[str]) -> Path:
        """Give an agency what it needs, in a folder named after it, and return that one.

        In it are `connection` and `signing` as ``.pem`` and ``.key``, ``authority.pem``, ``broker-url``, and
        ``first.edxml``, a document for others.

        Args:
            code: the agency's code.
            folder: the folder of all agencies.
            addressees: for whom its first document is.

        Raises:
            MisconfiguredError: one of them is no agency code.
        """
        for one in (code, *addressees):
            if not is_agency_code(one):
                raise MisconfiguredError(f"{one!r} không phải mã cơ quan / is not an agency code")
        home = folder / code
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection(code, home, f"{self._places.agencies}/{code}")
        if _ends_soon(home / "signing.pem"):
            self._signatures.issue(code, code).save(home / "signing")
        _kept(home / "first.edxml", lambda: encode(_first(code, addressees)).decode())
        return home

    def _made(self, name: str, mode: int = OURS) -> Path:
        home = self._folder / name
        home.mkdir(parents=True, exist_ok=True)
        # Whoever may read the files in it may enter.
        home.chmod(mode | (mode & 0o444) >> 2)
        return home

    def _ledger_url(self, user: str, password: str = "") -> str:
        hosts = ",".join(f"{host}:5432" for host in self._places.ledger)
        return f"postgresql://{user}:{password or _new_password()}@{hosts}/lienthong"

    def _broker(self) -> None:
        """Give the broker its certificate and the authority it trusts."""
        home = self._made("broker", THEIRS)
        # Whatever its nodes are called, as compose calls the first of them, and from this machine.
        hosts = tuple(dict.fromkeys((*self._places.broker, "broker", "localhost", "127.0.0.1", *self._places.names)))
        if _ends_soon(home / "broker.pem") or _names(home / "broker.pem") != set(hosts):
            _move(self._connections.broker(*hosts), home / "broker", THEIRS)
        _write(home / "authority.pem", self._connections.certificate_file.read_bytes(), THEIRS)
        crls = self._made("broker/crls", THEIRS)
        for file in self._connections.crls.iterdir():
            _write(crls / file.name, file.read_bytes(), THEIRS)

    def _connection(self, user: str, home: Path, seen_at: str) -> None:
        """Give a user of the broker its certificate and its address, whose files it sees at a place of its own."""
        if _ends_soon(home / "connection.pem"):
            _move(self._connections.client(user), home / "connection", OURS)
        _write(home / "authority.pem", self._connections.certificate_file.read_bytes(), OURS)
        files = {"cafile": "authority.pem", "certfile": "connection.pem", "keyfile": "connection.key"}
        query = {"auth": "EXTERNAL"} | {key: f"{seen_at}/{name}" for key, name in files.items()}
        urls = (
            URL.build(scheme="amqps", user=user, host=host, port=5671, path="/lienthong", query=query)
            for host in self._places.broker
        )
        _write(home / "broker-url", ",".join(map(str, urls)), OURS)


def _first(code: str, addressees: Sequence[str]) -> Document:
    today = dt.datetime.now(VIETNAM).date()
    number = DocumentCode("1", f"{code}-VP")
    return Document(
        sender=Organization(code, code),
        addressees=tuple(Organization(one, one) for one in addressees),
        document_id=f"{code},{today:%Y/%m/%d},{number}",
        code=number,
        promulgation=Promulgation("Hà Nội", today),
        document_type=DocumentType(type=18, type_name="Công văn", type_detail=0),
        subject="V/v kết nối thử Trục liên thông văn bản",
        content="Văn bản đầu tiên, để thử kết nối",
        signer=Signer("Văn thư", "Văn thư"),
    )


def _new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _ledger_file(role: str) -> str:
    return f"{role.removeprefix('lienthong_').replace('_', '-')}-ledger-url"


def _kept(file: Path, made: Callable[[], str]) -> str:
    """Return what is in a file of ours, written when it is not there."""
    if not file.exists():
        _write(file, made(), OURS)
    return file.read_text(encoding="utf-8")


def _write(file: Path, content: str | bytes, mode: int) -> None:
    """Write a file whole or not at all, readable for nobody else meanwhile."""
    unfinished = file.with_name(f".{file.name}")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=OURS)
    unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
    unfinished.chmod(mode)
    unfinished.replace(file)


def _move(issued: Path, place: Path, mode: int) -> None:
    """Move a certificate and its key to where they are used, on whichever file system."""
    for suffix in (".key", ".pem"):
        made = issued.with_name(f"{issued.name}{suffix}")
        _write(place.with_name(f"{place.name}{suffix}"), made.read_bytes(), mode)
        made.unlink()


def _certificate(file: Path) -> x509.Certificate | None:
    return x509.load_pem_x509_certificate(file.read_bytes()) if file.exists() else None


def _ends_soon(file: Path) -> bool:
    """Tell whether a certificate is not there or has to be renewed."""
    found = _certificate(file)
    return found is None or found.not_valid_after_utc - dt.datetime.now(dt.UTC) < RENEWED_BEFORE


def _names(file: Path) -> set[str]:
    """Return the names and addresses a certificate is good for."""
    found = _certificate(file)
    if found is None:
        return set()
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}
