"""The examiners: a message can end the process that examines it, and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import os
import select
import signal
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Attachment, Document, Organization, encode
from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.payload import FolderStore
from lienthong.signature import FileSigner, sign_message
from lienthong.signature.policy import Policy
from lienthong.trust import DevelopmentAuthority
from lienthong.worker.examiners import Examiners

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


async def test_a_message_that_uses_every_limit_is_refused_in_time(
    authority: DevelopmentAuthority, signer: FileSigner, tmp_path: Path
) -> None:
    """Files that are each within the limits and together unpack to gigabytes end the process, and that is a refusal.

    Messages before, beside and after it are judged by what is in them.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.txt", b"".join(os.urandom(1000) + bytes(60_000) for _ in range(1500)))
    flood = message(None, *(Attachment(f"{number}.zip", packed.getvalue()) for number in range(15)))
    good = message(signer)
    async with Examiners(tmp_path, authority.trust_folder, processes=2, seconds=1) as examiners:
        every = [good, flood, good, good, flood, good]
        found = await asyncio.gather(*(examiners.examine_bytes(data, received_at=NOW) for data in every))
    appraised = [one.appraise(Policy()).appraisal for one in found]
    assert [one.value for one in appraised] == [Value.REFUSED if data is flood else Value.PAPER for data in every]
    (reason,) = appraised[1].reasons
    assert "within the limits (time)" in reason.en
    assert "thời gian cho phép" in reason.vi


async def test_a_message_that_needs_too_much_memory_is_refused(
    authority: DevelopmentAuthority, signer: FileSigner, tmp_path: Path
) -> None:
    """More memory than there is for a message ends the process; a large one within the limits is judged right."""
    large = message(signer, Attachment("a.txt", b"Kinh gui " * 4_000_000))
    async with Examiners(tmp_path, authority.trust_folder, processes=1, megabytes=8) as examiners:
        small = await examiners.examine_bytes(message(signer), received_at=NOW)
        found = await examiners.examine_bytes(large, received_at=NOW)
        after = await examiners.examine_bytes(message(signer), received_at=NOW)
    assert small == after
    assert [one.verdict for one in small.findings] == [Verdict.VALID]
    (finding,) = found.findings
    assert finding.verdict is Verdict.INVALID
    assert "within the limits (memory)" in finding.reason.en
    async with Examiners(tmp_path, authority.trust_folder, processes=1) as examiners:
        (finding,) = (await examiners.examine_bytes(large, received_at=NOW)).findings
    assert finding.verdict is Verdict.VALID


@pytest.mark.parametrize("killed", [True, False])
def test_nobody_is_left_when_the_worker_is_gone(
    authority: DevelopmentAuthority, signer: FileSigner, tmp_path: Path, killed: bool
) -> None:
    """Killed or closed, a worker leaves neither examiners behind nor the processes that examine PDFs for them."""
    (tmp_path / "message").write_bytes(message(signer, Attachment("a.pdf", b"%PDF-1.7 nothing more")))
    worker = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, Path(__file__).with_name("examining_worker.py"), tmp_path, authority.trust_folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        below = descendants(worker.pid)
        assert len(below) == 4  # two examiners, with one process for PDFs each
        watched = [os.pidfd_open(pid) for pid in below]
        if killed:
            worker.kill()
        else:
            worker.stdin.close()
        for pidfd in watched:
            assert select.select([pidfd], [], [], 30)[0], "a process lives on"
            os.close(pidfd)


def descendants(pid: int) -> set[int]:
    """Return the processes below one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, size = {pid}, 0
    while len(found) > size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}
