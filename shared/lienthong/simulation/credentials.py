"""The keys of a simulated exchange: a development authority, and what it issued to every agency.

Each agency has three: its own, its competent person's, and an earlier one of its own that has been revoked.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

from lienthong.signature.signer import FileSigner
from lienthong.simulation.subjects import competent_person
from lienthong.trust import DevelopmentAuthority

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lienthong.simulation.units import Member

__all__ = ["Credentials", "Holder", "KeyFiles"]

log = logging.getLogger(__name__)

Holder = Literal["agency", "person", "revoked"]
"""Whose key it is: the agency's, its competent person's, or one the agency must not use any more."""

POLICY = """\
# A document has the value of paper when the competent person and the agency have signed it (Decree 30/2020, Art. 5).
[default]
required = ["person", "agency"]
"""
PUBLISH_SECONDS = 3600.0
"""Far less than a list lasts, so that also a machine that slept for days has a fresh one soon."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A private key and its certificate, as PEM files."""

    key: Path
    certificate: Path

    def signer(self) -> FileSigner:
        """Return what signs with it; raises `MisconfiguredError` when it cannot be read."""
        return FileSigner.load(self.key, self.certificate)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an exchange believes, and the keys of its agencies, in the folder of a development authority."""

    folder: Path

    @classmethod
    def issue(cls, folder: Path, members: Sequence[Member]) -> Credentials:
        """Issue new credentials to every connected member.

        Args:
            folder: of the authority; one is made when there is none.
            members: the cast.
        """
        known = (folder / "authority.json").exists()
        authority = DevelopmentAuthority.load(folder) if known else DevelopmentAuthority.create(folder)
        credentials = cls(folder)
        credentials.policy.write_text(POLICY, encoding="utf-8")
        for unit in (member.unit for member in members if member.role.connected):
            lost = authority.issue(unit.code, unit.name)
            lost.save(credentials.key_files(unit.code, "revoked").key.with_suffix(""))
            authority.revoke(lost.certificate)
            authority.issue(unit.code, unit.name)
            authority.issue(unit.code, competent_person(unit.code), person=True)
        return credentials

    @property
    def trust_folder(self) -> Path:
        """What a verifier needs of the authority."""
        return self.folder / "trust"

    @property
    def policy(self) -> Path:
        """The policy file: both signatures are demanded for the value of paper."""
        return self.folder / "policy.toml"

    def key_files(self, code: str, holder: Holder = "agency") -> KeyFiles:
        """Return where a key of an agency lies."""
        name = code if holder == "agency" else f"{code}-{holder}"
        agencies = self.folder / "agencies"
        return KeyFiles(agencies / f"{name}.key", agencies / f"{name}.pem")

    async def keep_published(self) -> NoReturn:
        """Publish fresh revocation lists for as long as this runs."""
        while True:
            try:
                await asyncio.to_thread(DevelopmentAuthority.load(self.folder).publish)
            except OSError as error:
                log.warning("the revocation lists cannot be written: %s", error)
            await asyncio.sleep(PUBLISH_SECONDS)
