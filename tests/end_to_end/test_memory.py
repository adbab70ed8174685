"""How much memory the largest submission costs the processes that serve it."""

from __future__ import annotations

import asyncio
import base64
from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from lienthong.bus.connection import Bus
from lienthong.bus.messages import Outgoing
from lienthong.edxml import Attachment, Document, Limits, Organization, encode
from lienthong.simulation.units import Member, Role, Unit
from lienthong.topology.names import SUBMISSION, Step, SubmissionKey, delivery_queue, submission_key

if TYPE_CHECKING:
    from tests.end_to_end.conftest import RunningExchange

SECONDS = 120.0
SENDER, RECEIVER = "H01", "H02"
KEY = submission_key(SENDER, SubmissionKey.DOCUMENT)
MEMBERS = tuple(Member(Unit(code, f"UBND tỉnh {code}", "province"), Role.FULLY) for code in (SENDER, RECEIVER))
TIMES = 4
"""A process peaks below so many times the size of the submission, above what it holds when idle."""
LARGEST = Limits().total_bytes
FRAME = 8192
"""More than enough for everything but the attachment's base64."""


def paper(text: bytes) -> bytes:
    """Return a document with one attachment whose content is written so."""
    document = Document(
        Organization(SENDER), (Organization(RECEIVER),), str(uuid4()), attachments=(Attachment("a.bin", b"@"),)
    )
    before, content, after = encode(document).partition(base64.b64encode(b"@"))
    assert content, "its base64 stands there"
    return before + text + after


def in_lines(text: bytes) -> bytes:
    """Return base64 as many programs write it: 76 signs on a line."""
    return b"\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))


def wrapped(content: bytes) -> bytes:
    """Return a file in a zip as the national SDK wraps it."""
    output = BytesIO()
    with ZipFile(output, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(f"{uuid4()}.bin", content)
    return output.getvalue()


def largest() -> dict[str, bytes]:
    """Return submissions as large as they may be, of random bytes where size counts as received.

    One is in a zip, and unpacks to all that files may be.
    """
    room = LARGEST - FRAME
    noise = Random(1).randbytes(room // 4 * 3)
    twofold = b"".join(noise[start : start + 2048] + bytes(3072) for start in range(0, room // 4 * 3 - 1_500_000, 2048))
    return {
        "plain": paper(base64.b64encode(noise)),
        "in lines": paper(in_lines(base64.b64encode(noise[: room // 156 * 114]))),
        "wrapped": paper(base64.b64encode(wrapped(twofold[: Limits().unpacked_bytes]))),
    }


def memory(pid: int, kind: str) -> int:
    """Return a line of a process' status in bytes: ``VmRSS`` is what it holds, ``VmHWM`` the most it ever held."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return int(lines[kind].split()[0]) * 1024


@pytest.mark.timeout(400)
async def test_the_largest_submission_costs_less_than_four_times_its_size(running_exchange: RunningExchange) -> None:
    """No worker that a 50 MiB document passes takes more than four times that above what it holds when idle."""
    grown: dict[tuple[str, Step], float] = {}
    async with (
        running_exchange(MEMBERS) as running,
        Bus(running.exchange.agency_url(SENDER), name="sender") as sender,
        Bus(running.exchange.agency_url(RECEIVER), name="receiver") as receiver,
    ):
        queue = delivery_queue(RECEIVER)
        await receiver.consume([queue], prefetch=1)

        async def goes_through(body: bytes) -> None:
            message = Outgoing(
                *(
                    SUBMISSION,
                    submission_key(SENDER, SubmissionKey.DOCUMENT),
                    str(uuid4()),
                    body,
                    "application/edxml+xml",
                ),
                user_id=SENDER,
            )
            async with asyncio.timeout(SECONDS):
                assert await sender.publish_many([message]) == [None]
                (delivered,) = await receiver.take(1, timeout=None)
                assert delivered.body == body
                await receiver.ack_through(queue, delivered.tag)

        await goes_through(paper(b"QUJD"))
        pids = {step: running.supervisor.pid(step) for step in Step}
        idle = {step: memory(pid, "VmRSS") for step, pid in pids.items()}
        for shape, body in largest().items():
            assert len(body) <= LARGEST
            for pid in pids.values():
                Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
            await goes_through(body)
            grown |= {(shape, step): (memory(pid, "VmHWM") - idle[step]) / LARGEST for step, pid in pids.items()}
        assert not any(running.supervisor.restarts.values())
    assert {place: times for place, times in grown.items() if times >= TIMES} == {}, grown
