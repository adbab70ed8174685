"""What a backup holds, as JSON beside it; without a manifest that proves itself nothing is a backup."""

from __future__ import annotations

import json
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MANIFEST", "PAYLOADS", "Manifest", "MigrationEntry", "TableEntry", "table_file"]

MANIFEST = "manifest.json"
PAYLOADS = "payloads.txt"
"""The digests of the payloads that belong to a backup, one on a line, in order."""


class MigrationEntry(BaseModel):
    """One migration that the ledger had."""

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str


class TableEntry(BaseModel):
    """One table: its rows in PostgreSQL's text format stand in a file of its name."""

    model_config = ConfigDict(frozen=True)

    name: str
    columns: tuple[str, ...]
    rows: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds.

    Attributes:
        version: of this form.
        made_at: the moment that the backup shows.
        program: the version of the program that made it.
        migrations: the schema of the ledger, in order.
        tables: every table, each after those it refers to.
        payloads: how many payloads belong to it.
        payloads_sha256: of the list of their digests.
        lacking: payloads that the ledger names and that could not be had: the backup is not whole.
        digest: SHA-256 of all of this, itself left out.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    made_at: AwareDatetime
    program: str
    migrations: tuple[MigrationEntry, ...]
    tables: tuple[TableEntry, ...]
    payloads: int
    payloads_sha256: str
    lacking: tuple[str, ...] = ()
    digest: str = ""

    def sealed(self) -> Self:
        """Return it with its digest."""
        return self.model_copy(update={"digest": self.compute_digest()})

    def encode(self) -> bytes:
        """Return it as UTF-8 JSON, for people and programs."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the manifest of a backup, after comparing it and every file it speaks of with their digests.

        Raises:
            MisconfiguredError: this is no backup, one of a newer program, or a damaged one.
        """
        try:
            manifest = cls.model_validate_json((folder / MANIFEST).read_bytes())
        except (OSError, ValidationError) as error:
            raise MisconfiguredError(
                f"{folder}: không phải bản sao lưu dùng được / no backup that can be used: {error}"
            ) from error
        wanted = {table_file(table.name): table.sha256 for table in manifest.tables}
        wanted[PAYLOADS] = manifest.payloads_sha256
        damaged = [name for name, digest in wanted.items() if _digest_of(folder / name) != digest]
        if manifest.digest != manifest.compute_digest():
            damaged.append(MANIFEST)
        if damaged:
            raise MisconfiguredError(
                f"{folder}: bản sao lưu hỏng, không dùng được / the backup is damaged and not used: "
                f"{', '.join(damaged)}"
            )
        return manifest

    def compute_digest(self) -> str:
        """Return the digest that it has to have."""
        facts = self.model_dump(mode="json", exclude={"digest"})
        return sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def table_file(table: str) -> str:
    """Return the name of the file with a table's rows."""
    return f"{table}.copy"


def _digest_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
