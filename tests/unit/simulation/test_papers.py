"""Letters signed beforehand, and the keys they are signed with."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lienthong.document.verdicts import Value
from lienthong.edxml import encode
from lienthong.signature import sign_message
from lienthong.signature.pdf import PdfJudge
from lienthong.signature.policy import Policy
from lienthong.signature.verification import Moment, Verification, verify_message
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.papers import Papers
from lienthong.simulation.signing import Signing
from lienthong.simulation.subjects import competent_person
from lienthong.simulation.traffic import Draft, Traffic, plan_letter
from lienthong.simulation.units import Role, cast
from lienthong.trust import TrustStore

SECONDS = 30.0
MEMBERS = cast({Role.FULLY: 2}, seed=1)
SENDER, RECEIVER = (member.unit.code for member in MEMBERS)
LETTER = plan_letter(MEMBERS, SENDER, [RECEIVER], seed=1, issued_on=date(2019, 1, 15))
DRAFTS = tuple(replace(LETTER, number=number, signing=signing) for number, signing in enumerate(Signing, 1))


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """Provide the keys of two agencies."""
    return Credentials.issue(tmp_path_factory.mktemp("authority"), MEMBERS)


async def test_every_way_of_signing_is_worth_what_it_says(credentials: Credentials) -> None:
    """What robots expect of a document is what a verifier with their trust folder and policy finds."""
    found = {}
    with Papers(Traffic(MEMBERS, DRAFTS), credentials) as papers:
        for draft in DRAFTS:
            found[draft.signing] = await verified(papers, draft)
    assert {signing: one.appraisal.value for signing, one in found.items()} == {
        Signing.COMPLETE: Value.PAPER,
        Signing.AGENCY_ONLY: Value.INFORMATION,
        Signing.UNSIGNED: Value.INFORMATION,
        Signing.REVOKED: Value.REFUSED,
    }
    assert {signing: signing.worth for signing in Signing} == {
        signing: one.appraisal.value for signing, one in found.items()
    }
    assert not any(one.appraisal.held for one in found.values())
    assert [(finding.kind, finding.signer) for finding in found[Signing.COMPLETE].findings] == [
        ("message", DRAFTS[0].sender.name),
        ("pdf", competent_person(SENDER)),
        ("pdf", DRAFTS[0].sender.name),
    ]


async def verified(papers: Papers, draft: Draft) -> Verification:
    """Send a document as a robot does, and judge it as the exchange does."""
    body = encode(await papers.document(draft))
    holder = draft.signing.on_message
    if holder is not None:
        signer = papers.credentials.key_files(SENDER, holder).signer()
        body = sign_message(body, signer, signing_time=datetime.now(UTC))
    now = datetime.now(UTC)
    moment = Moment(now, now, TrustStore.load(papers.credentials.trust_folder))
    async with PdfJudge(workers=1) as pdfs:
        return await verify_message(body, moment, pdfs, Policy.read(papers.credentials.policy))


async def test_revocation_lists_are_published_while_somebody_waits(tmp_path: Path) -> None:
    """An exchange that is left running for days finds fresh lists in its trust folder."""
    credentials = Credentials.issue(tmp_path, MEMBERS)
    (lists := credentials.trust_folder / "crls" / "issuing.crl").unlink()
    publishing = asyncio.create_task(credentials.keep_published())
    async with asyncio.timeout(SECONDS):
        while not lists.exists():  # noqa: ASYNC110 - a file; there is nothing to wait on
            await asyncio.sleep(0.01)
    publishing.cancel()
    assert TrustStore.load(credentials.trust_folder).problems == ()


def test_the_keys_of_an_exchange_can_be_issued_again(tmp_path: Path) -> None:
    """Founding an exchange anew in the same folder keeps its authority and changes the keys."""
    first = Credentials.issue(tmp_path, MEMBERS).key_files(SENDER).signer().certificate_chain[0]
    second = Credentials.issue(tmp_path, MEMBERS).key_files(SENDER).signer().certificate_chain[0]
    assert first.issuer == second.issuer
    assert first.serial_number != second.serial_number


PARENT = """
import sys
from datetime import date
from pathlib import Path
from lienthong.simulation.credentials import Credentials
from lienthong.simulation.papers import Papers
from lienthong.simulation.traffic import plan_traffic
from lienthong.simulation.units import cast

if __name__ == "__main__":
    members = cast(seed=1)
    traffic = plan_traffic(members, documents=300, seed=1, issued_on=date(2019, 1, 15))
    with Papers(traffic, Credentials.issue(Path(sys.argv[1]), members)):
        print("writing", flush=True)
        sys.stdin.read()
"""


async def test_writers_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    """A demo ended by kill -9 leaves no process behind that goes on signing letters."""
    (program := tmp_path / "parent.py").write_text(PARENT)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, program, tmp_path / "authority", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(SECONDS):
        assert await parent.stdout.readline() == b"writing\n"
        children = _children(parent.pid)
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()
        while any(_runs(child) for child in children):  # noqa: ASYNC110 - nobody's children now
            await asyncio.sleep(0.05)
    assert children


def _children(parent: int) -> list[int]:
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(word) for word in path.read_text(encoding="ascii").split()]


def _runs(process: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        return state != "Z"
    return False
