"""The examiners: a message can end the process that examines it, and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from lienthong.document.verdicts import Verdict
from lienthong.edxml import Attachment, Document, Organization, encode
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.payload import FolderStore
from lienthong.signature import FileSigner, sign_message
from lienthong.trust import DevelopmentAuthority
from lienthong.worker.examiners import Examiners

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    """Provide the authorities everybody here believes, with a certificate for G22."""
    made = DevelopmentAuthority.create(tmp_path_factory.mktemp("authority"), since=NOW - dt.timedelta(days=30))
    made.issue("G22", "Bộ Nội vụ")
    return made


@pytest.fixture(scope="module")
def signer(authority: DevelopmentAuthority) -> FileSigner:
    """Provide the signer of G22."""
    path = authority.folder / "agencies" / "G22"
    return FileSigner.load(path.with_name("G22.key"), path.with_name("G22.pem"))


def message(signer: FileSigner | None, *attachments: Attachment, number: int = 0) -> bytes:
    """Return a message from G22."""
    document = Document(
        Organization("G22", "Bộ Nội vụ"), (Organization("H23", "Tỉnh"),), f"d-{number}", attachments=attachments
    )
    return encode(document) if signer is None else sign_message(encode(document), signer, signing_time=NOW)


async def test_a_message_in_the_store_is_examined(
    authority: DevelopmentAuthority, signer: FileSigner, tmp_path: Path
) -> None:
    """A digest is enough; what the judgement rests on stands in the store, under its digest, when the answer comes."""
    store = FolderStore(tmp_path)
    data = message(signer, Attachment("virus.exe", b"MZ" + bytes(100)))
    digest = await store.put(data)
    async with Examiners(tmp_path, authority.trust_folder, processes=1) as examiners:
        found = await examiners.examine(sha256=digest, received_at=NOW)
        at_hand = await examiners.examine_bytes(data, received_at=NOW)
        with pytest.raises(Unavailable):
            await examiners.examine(sha256=sha256(b"never seen").hexdigest(), received_at=NOW)
    assert found == at_hand
    assert [one.verdict for one in found.findings] == [Verdict.VALID]
    assert found.sender == "G22"
    assert [file.flaw.value for file in found.files] == ["executable"]
    assert found.signers == signer.certificate_chain[:1]
    assert {one.kind for one in found.evidence} == {"certificate", "crl"}
    for one in found.evidence:
        assert len(await store.get(one.sha256)) == one.size


async def test_what_is_published_counts_at_once(tmp_path: Path) -> None:
    """A certificate revoked while the examiners run is found revoked by the next judgement but a second later."""
    authority = DevelopmentAuthority.create(tmp_path / "authority", since=NOW - dt.timedelta(days=30))
    credential = authority.issue("G22", "Bộ Nội vụ")
    folder = authority.folder / "agencies"
    data = message(FileSigner.load(folder / "G22.key", folder / "G22.pem"))
    async with Examiners(tmp_path / "payload", authority.trust_folder, processes=1) as examiners:

        async def verdict() -> Verdict:
            (finding,) = (await examiners.examine_bytes(data, received_at=dt.datetime.now(dt.UTC))).findings
            return finding.verdict

        assert await verdict() is Verdict.VALID
        authority.revoke(credential.certificate, at=NOW - dt.timedelta(days=1))
        async with asyncio.timeout(30):
            while await verdict() is Verdict.VALID:
                pass


@pytest.mark.parametrize("made", ["", "trust", "trust/roots"])
async def test_without_anybody_to_believe_nothing_starts(made: str, tmp_path: Path) -> None:
    """No trust folder, or no root in it, is the operator's to mend, and the setting is named in both languages."""
    (tmp_path / made).mkdir(parents=True, exist_ok=True)
    with pytest.raises(MisconfiguredError, match=r"LIENTHONG_TRUST_FOLDER=.*chứng thư gốc.*root certificate"):
        async with Examiners(tmp_path, tmp_path / "trust"):
            pass


async def test_a_wrong_address_of_a_scanner_is_the_operator_s(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    """What is neither a socket's path nor host:port stops the start."""
    with pytest.raises(MisconfiguredError, match="LIENTHONG_SIGNATURE_CLAMD"):
        async with Examiners(tmp_path, authority.trust_folder, clamd="nowhere"):
            pass


async def test_who_ends_a_process_does_not_decide_about_the_message(
    authority: DevelopmentAuthority, signer: FileSigner, tmp_path: Path
) -> None:
    """A process ended from outside while it examines is replaced, and the message judged by what is in it."""
    data = message(signer)
    async with Examiners(tmp_path, authority.trust_folder, processes=1) as examiners:
        await examiners.examine_bytes(data, received_at=NOW)
        (child,) = examiners._pool._children
        assert child.process is not None
        asked = asyncio.create_task(examiners.examine_bytes(data, received_at=NOW))
        os.kill(child.process.pid, signal.SIGKILL)
        assert [one.verdict for one in (await asked).findings] == [Verdict.VALID]
