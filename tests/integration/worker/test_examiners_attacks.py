"""Every attack there is, through the examiners and among good neighbours."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from typing import TYPE_CHECKING

import pytest
import tests.unit.signature_pdf.bombs
import tests.unit.signature_pdf.fields  # noqa: F401 - fills the corpus
from tests.unit.signature_pdf.attacks import CASES
from tests.unit.signature_pdf.files import letter

from lienthong.document.verdicts import Value, Verdict
from lienthong.edxml import Attachment, Document, Organization, encode
from lienthong.signature import FileSigner, sign_message
from lienthong.signature.pdf_signing import sign_pdf
from lienthong.signature.policy import Policy
from lienthong.testing.attacks import attacks
from lienthong.trust import DevelopmentAuthority
from lienthong.worker.examiners import Examiners

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lienthong.signature.verification import Examined

NOW = dt.datetime.now(dt.UTC)
AT_ONCE = 8
DAY = dt.timedelta(days=1)

NO_PDFS = {"no PDF at all": "R.Attachment-Encoding", "empty": "M.Attachment-Type"}
"""Files of the corpus that are something else by their content, and are refused for what they are."""

Attack = tuple[str, str, bytes]
"""Name, the code of the reason it has to be refused for, and the message."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    """Provide the authorities everybody here believes."""
    return DevelopmentAuthority.create(tmp_path_factory.mktemp("authority"), since=NOW - 30 * DAY)


@pytest.fixture(scope="module")
def signer(authority: DevelopmentAuthority) -> FileSigner:
    """Provide the signer of G22."""
    authority.issue("G22", "Bộ Nội vụ")
    folder = authority.folder / "agencies"
    return FileSigner.load(folder / "G22.key", folder / "G22.pem")


def message(signer: FileSigner, *pdfs: bytes) -> bytes:
    """Return a signed message with these PDFs."""
    attachments = tuple(Attachment(f"{number}.pdf", pdf) for number, pdf in enumerate(pdfs))
    document = Document(
        Organization("G22", "Bộ Nội vụ"), (Organization("H23", "Tỉnh"),), "d-1", attachments=attachments
    )
    return sign_message(encode(document), signer, signing_time=NOW)


async def among_neighbours(
    attacks: Iterable[Attack], good: bytes, authority: DevelopmentAuthority, folder: Path
) -> list[str]:
    """Examine attacks eight at once, each beside a good message, and return what went wrong."""
    wrong = []
    rest = iter(attacks)
    async with Examiners(folder, authority.trust_folder, processes=2) as examiners:
        while batch := list(itertools.islice(rest, AT_ONCE)):
            every = [data for _, _, bad in batch for data in (bad, good)]
            found = await asyncio.gather(*(examiners.examine_bytes(data, received_at=NOW) for data in every))
            wrong += [
                f"beside {name}: {beside}"
                for (name, _, _), beside in zip(batch, found[1::2], strict=True)
                if beside.appraise(Policy()).appraisal.value is not Value.PAPER
            ]
            wrong += [
                f"{name}: {one}"
                for (name, code, _), one in zip(batch, found[0::2], strict=True)
                if not refused_for(code, one)
            ]
    return wrong


def refused_for(code: str, examined: Examined) -> bool:
    """Tell whether a message is refused for this reason, and not because it ended the process that examined it."""
    appraisal = examined.appraise(Policy()).appraisal
    codes = {reason.code for reason in appraisal.reasons}
    ended = any("within the limits" in reason.en for reason in appraisal.reasons)
    return appraisal.value is Value.REFUSED and code in codes and not ended


async def test_every_attack_on_the_message_is_refused(
    authority: DevelopmentAuthority, signer: FileSigner, tmp_path: Path
) -> None:
    """Each is refused for its reason within the limits of time and memory; each good one beside it is judged right."""
    corpus = ((attack.name, attack.code.value, attack.make()) for attack in attacks())
    assert await among_neighbours(corpus, message(signer), authority, tmp_path) == []


async def test_every_attack_in_a_pdf_is_refused(
    authority: DevelopmentAuthority, signer: FileSigner, tmp_path: Path
) -> None:
    """A message signed rightly is refused for a bad PDF in it, for the PDF's reason; neighbours are judged right."""
    good = message(signer, await sign_pdf(letter(), signer, signing_time=NOW))
    bad = [case for case in CASES if case.verdict is Verdict.INVALID]
    assert len(bad) > 100
    corpus = ((case.name, NO_PDFS.get(case.name, case.code), message(signer, case.make())) for case in bad)
    assert await among_neighbours(corpus, good, authority, tmp_path) == []
