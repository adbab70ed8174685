"""A signed document that an agency sends again after a failure is one document for everybody."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING

from lienthong.agency import AgencyClient, Delivered, Receipt, Refused, StatusReport
from lienthong.edxml import encode
from lienthong.signature import examine_message
from lienthong.simulation.letter import render
from lienthong.simulation.traffic import plan_letter
from lienthong.simulation.units import Member, Role, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import RunningExchange

    from lienthong.agency import Delivery
    from lienthong.agency.reading import Told

SECONDS = 60.0
SENDER, RECEIVER = "H01", "H02"
MEMBERS = (
    Member(Unit(SENDER, "Tỉnh gửi", "province"), Role.SENDS_ONLY),
    Member(Unit(RECEIVER, "Tỉnh nhận", "province"), Role.FULLY),
)
SEND_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from lienthong.agency import AgencyClient
from lienthong.signature import FileSigner

async def main(url, key, certificates, state, document):
    signer = FileSigner.load(Path(key), Path(certificates))
    async with AgencyClient(url, signer=signer, state=Path(state)) as agency:
        await agency.send(Path(document).read_bytes())
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""
"""An agency whose machine fails right after the broker has its document."""


async def test_a_document_sent_again_after_a_failure_is_answered_once(
    running_exchange: RunningExchange, tmp_path: Path
) -> None:
    """Signed, sent, killed, sent again twice: one receipt, one delivery, one 01, and no refusal."""
    draft = plan_letter(MEMBERS, SENDER, [RECEIVER], seed=1, issued_on=date(2019, 1, 15))
    document = draft.document(render(draft.letter))
    last = replace(document, document_id="last")
    state, file = (str(tmp_path / name) for name in ("state.sqlite", "document.edxml"))
    (tmp_path / "document.edxml").write_bytes(encode(document))
    async with running_exchange(MEMBERS) as running:
        url = running.exchange.agency_url(SENDER)
        files = running.exchange.credentials.key_files(SENDER)
        signer, keys = files.signer(), (str(files.key), str(files.certificate))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", SEND_AND_DIE, url, *keys, state, file)
        async with asyncio.timeout(SECONDS):
            assert await process.wait() == -signal.SIGKILL
        async with (
            AgencyClient(url, signer=signer, state=tmp_path / "state.sqlite") as sender,
            AgencyClient(running.exchange.agency_url(RECEIVER), signer=None) as receiver,
            asyncio.timeout(SECONDS),
        ):
            again = [await sender.send(document), await sender.send(encode(document))]
            await sender.send(last)  # whatever the others cause was caused before
            got, told = await asyncio.gather(received(receiver), heard(sender))
    assert again[0] == again[1]
    assert [delivery.document.document_id for delivery in got] == [document.document_id, "last"]
    assert got[0].sha256 == again[0].sha256 == sha256(got[0].body).hexdigest()
    assert examine_message(got[0].body).agency == SENDER
    assert not [each for each in told if isinstance(each, Refused)]
    for kind in (Receipt, Delivered, StatusReport):
        about = [each for each in told if isinstance(each, kind)]
        assert sorted(each.document_id for each in about) == sorted([document.document_id, "last"])


async def received(agency: AgencyClient) -> list[Delivery]:
    """Return what comes until the last document is there."""
    got: list[Delivery] = []
    async for delivery in agency.deliveries():
        got.append(delivery)
        await delivery.done()
        if delivery.document.document_id == "last":
            break
    return got


async def heard(agency: AgencyClient) -> list[Told]:
    """Return what is told until everything about the last document is."""
    told: list[Told] = []
    async for each in agency.statuses():
        told.append(each)
        kinds = {type(one) for one in told if one.document_id == "last"}
        if {Receipt, Delivered, StatusReport} <= kinds:
            break
    await agency.settle()
    return told
