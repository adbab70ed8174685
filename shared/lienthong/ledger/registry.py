"""What operators write into the directory: lists of agencies, mergers, and what an agency has shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Literal, TypeVar

from lienthong.ledger.access import AccessUnit
from lienthong.ledger.rows import as_json
from lienthong.ledger.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CertificateRow", "CodeRow", "ContactRow", "ListedAgency", "RegistryUnit", "Standing", "SuccessorRow"]

ROWS_AT_ONCE = 5_000
IMPORT_SECONDS = 600

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class ListedAgency:
    """An agency as a list gives it; what is None the list does not say, and stays as it is."""

    code: str
    name: str
    kind: str | None = None
    parent: str | None = None
    supervised: bool | None = None
    software: str | None = None
    software_version: str | None = None
    security_level: int | None = None


@dataclass(frozen=True, slots=True)
class CodeRow:
    """That a code means an agency for `valid_from` ≤ day < `valid_to`; None leaves that side as it is, or open."""

    code: str
    agency: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class ContactRow:
    """Whom to ask at an agency; what is None stays as it is."""

    agency: str
    role: Literal["clerk", "technical"]
    name: str | None
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class SuccessorRow:
    """That an agency was merged into another, from a day on."""

    code: str
    successor: str
    succeeded_on: date


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate of an agency; see `lienthong.ledger.agencies.Certificate`."""

    agency: str
    fingerprint: str
    subject: str
    serial_number: str
    valid_from: datetime
    valid_to: datetime
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """What an agency has to show before it is official.

    Attributes:
        conformance_on: the day of its last conformance run; None when there was none.
        conformance_passed: whether it passed that.
        contacts: the roles of the contacts that have an address of mail.
        certificates: DER encodings of its certificates, the one that ends last first.
    """

    conformance_on: date | None
    conformance_passed: bool | None
    contacts: Sequence[str]
    certificates: Sequence[bytes]


class RegistryUnit(AccessUnit):
    """What an operator may do to the directory within one transaction; made by `Ledger.registry`."""

    async def import_agencies(
        self, rows: Sequence[ListedAgency], codes: Sequence[CodeRow]
    ) -> tuple[set[str], set[str]]:
        """Write agencies and their codes; returns the codes of the new ones, and of those that changed.

        Args:
            rows: the agencies, parents before their children.
            codes: every way to write their codes.
        """
        new: set[str] = set()
        changed: set[str] = set()
        for part in _parts(rows):
            changed |= await self._returned("import_known_agencies", part)
            new |= await self._returned("import_new_agencies", part)
        for some in _parts(codes):
            changed |= await self._returned("import_known_codes", some)
            changed |= await self._returned("import_new_codes", some)
        return new, changed - new

    async def write_contacts(self, rows: Sequence[ContactRow]) -> set[str]:
        """Write contacts; returns the agencies of those that are new or changed."""
        changed: set[str] = set()
        for part in _parts(rows):
            changed |= await self._returned("import_contacts", part)
        return changed

    async def write_successors(self, rows: Sequence[SuccessorRow]) -> set[str]:
        """Write who took over from whom; returns the agencies for which that is new."""
        changed: set[str] = set()
        for part in _parts(rows):
            changed |= await self._returned("set_successors", part)
        return changed

    async def write_conformance(
        self, agency: str, on: date, *, passed: bool, software: str | None, version: str | None
    ) -> None:
        """Write how an agency's last conformance run ended, and with which software where that is said."""
        await self._connection.execute(statement("set_conformance"), agency, on, passed, software, version)

    async def write_certificate(self, row: CertificateRow) -> bool:
        """Write a certificate; returns whether it is new."""
        found = await self._connection.fetch(
            statement("insert_certificate"),
            row.agency,
            row.fingerprint,
            row.subject,
            row.serial_number,
            row.valid_from,
            row.valid_to,
            row.certificate,
        )
        return bool(found)

    async def standing(self, agency: str) -> Standing:
        """Return what an agency of the directory, by its canonical code, has to show."""
        (row,) = await self._connection.fetch(statement("select_standing"), agency)
        return Standing(**row)

    async def _returned(self, name: str, rows: Sequence[object]) -> set[str]:
        # Much longer than what a worker may wait: a list is written in one transaction, whatever its length.
        found = await self._connection.fetch(statement(name), as_json(rows), timeout=IMPORT_SECONDS)
        return {row[0] for row in found}


def _parts(rows: Sequence[RowT]) -> list[Sequence[RowT]]:
    return [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
