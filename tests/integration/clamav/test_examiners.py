"""Viruses in attached files, as the examiners find them with the real daemon, and what a document is worth then."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from tests.integration.clamav.daemon import EICAR

from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Attachment, Document, Organization, encode
from lienthong.signature import FileSigner, sign_message
from lienthong.signature.policy import Policy, Rule
from lienthong.trust import DevelopmentAuthority
from lienthong.worker.examiners import Examiners

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    """Provide the authorities everybody here believes, with a certificate for G22."""
    made = DevelopmentAuthority.create(tmp_path / "authority", since=NOW - dt.timedelta(days=30))
    made.issue("G22", "Bộ Nội vụ")
    return made


def message(authority: DevelopmentAuthority, *contents: bytes) -> bytes:
    """Return a message of G22, signed rightly, with these files."""
    folder = authority.folder / "agencies"
    attachments = tuple(Attachment(f"tệp {number}.txt", content) for number, content in enumerate(contents))
    document = Document(
        Organization("G22", "Bộ Nội vụ"), (Organization("H23", "Tỉnh"),), "d-1", attachments=attachments
    )
    return sign_message(encode(document), FileSigner.load(folder / "G22.key", folder / "G22.pem"), signing_time=NOW)


async def test_a_virus_refuses_the_document(authority: DevelopmentAuthority, clamd: Path, tmp_path: Path) -> None:
    """The infected file is named with its virus and refuses a document that is signed rightly; a clean one passes."""
    async with Examiners(tmp_path, authority.trust_folder, processes=1, clamd=str(clamd)) as examiners:
        infected, clean = await asyncio.gather(
            examiners.examine_bytes(message(authority, b"Kinh gui", EICAR), received_at=NOW),
            examiners.examine_bytes(message(authority, b"Kinh gui", b"Noi nhan"), received_at=NOW),
        )
    assert clean.files == ()
    assert clean.appraise(Policy()).appraisal.value is Value.PAPER
    (file,) = infected.files
    assert file.refuses
    for words in (file.problem.vi, file.problem.en):
        assert "tệp 1.txt" in words
        assert "EICAR" in words
    appraisal = infected.appraise(Policy(Rule(indeterminate="provisional"))).appraisal
    assert (appraisal.verdict, appraisal.value) == (Verdict.INVALID, Value.REFUSED)


async def test_without_the_daemon_nobody_knows(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    """A scanner that is configured and silent leaves every file unknown, and the document waits by its policy."""
    nobody = str(tmp_path / "nobody.sock")
    async with Examiners(tmp_path, authority.trust_folder, processes=1, clamd=nobody) as examiners:
        found = await examiners.examine_bytes(message(authority, b"Kinh gui", b"Noi nhan"), received_at=NOW)
    assert [file.unknown for file in found.files] == [True, True]
    held = found.appraise(Policy()).appraisal
    assert (held.verdict, held.held) == (Verdict.INDETERMINATE, True)
    provisional = found.appraise(Policy(Rule(indeterminate="provisional"))).appraisal
    assert (provisional.verdict, provisional.value) == (Verdict.INDETERMINATE, Value.INFORMATION)
