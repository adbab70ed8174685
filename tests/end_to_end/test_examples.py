"""What the README shows integrators, run against a whole exchange."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lienthong.edxml import Document, Organization, decode, encode
from lienthong.signature import examine_message
from lienthong.simulation.units import Member, Role, Unit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tests.end_to_end.conftest import RunningExchange

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECONDS = 120.0
LOOK_SECONDS = 0.05
NODE, PLAIN, KIT = CODES = ("A01", "H01", "H02")
MEMBERS = [Member(Unit(code, f"Cơ quan {code}", "province"), Role.FULLY) for code in CODES]
EXAMPLE_URL = "amqp://H01:password@broker/lienthong"


def example(language: str, containing: str) -> str:
    """Return the one code block of the README in this language that contains a text."""
    (found,) = (block for block in re.findall(rf"```{language}\n(.*?)\n```", README, re.DOTALL) if containing in block)
    return str(found)


def letter(sender: str) -> Document:
    """Return the README's document as an agency's own, to the two others."""
    document = decode(example("xml", "<edXML").encode())
    assert isinstance(document, Document)
    return replace(
        document,
        sender=replace(document.sender, organ_id=sender),
        addressees=tuple(Organization(code, f"Cơ quan {code}") for code in CODES if code != sender),
        document_id=f"{sender},2026/11/20,101/UBND-VP",
    )


@dataclass
class Program:
    """A program that runs in a folder of its own."""

    folder: Path
    process: asyncio.subprocess.Process

    @property
    def printed(self) -> str:
        """What it has said so far; it has to run still."""
        text = (self.folder / "log").read_text(encoding="utf-8")
        assert self.process.returncode is None, text
        return text

    @property
    def kept(self) -> list[bytes]:
        """The documents it has received; each is named by the exchange's id."""
        return [path.read_bytes() for path in self.folder.glob("*-*.edxml")]

    async def says(self, *wanted: str, documents: int) -> None:
        """Wait until it has printed all of this, and keeps so many documents."""
        try:
            async with asyncio.timeout(SECONDS):
                while len(self.kept) < documents or not all(text in self.printed for text in wanted):  # noqa: ASYNC110 - another process; there is nothing to wait on
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            missing = [text for text in wanted if text not in self.printed]
            raise AssertionError(f"{len(self.kept)} documents; {missing} is not in\n{self.printed}") from None

    @classmethod
    @asynccontextmanager
    async def running(
        cls, folder: Path, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[Program]:
        """Run one until the end of the block."""
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=folder, env=dict(environment or {}), stdout=log, stderr=asyncio.subprocess.STDOUT
            )
        try:
            yield cls(folder, process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_agencies_as_shown_exchange_documents(
    running_exchange: RunningExchange, node_modules: Path, tmp_path: Path
) -> None:
    """Node, plain Python and the kit, as the README has them, send each other a document and hear what became of it."""
    node = shutil.which("node")
    assert node is not None
    letters = {code: letter(code) for code in CODES}
    folders = {code: tmp_path / code for code in CODES}
    for code, folder in folders.items():
        folder.mkdir()
        (folder / "document.edxml").write_bytes(encode(letters[code]))
    (folders[NODE] / "node_modules").symlink_to(node_modules)
    (folders[NODE] / "agency.js").write_text(example("js", "amqplib"), encoding="utf-8")
    (folders[PLAIN] / "agency.py").write_text(example("python", "import pika"), encoding="utf-8")
    program = example("python", "import asyncio")
    assert EXAMPLE_URL in program
    async with running_exchange(MEMBERS) as running:
        (folders[KIT] / "agency.py").write_text(
            program.replace(EXAMPLE_URL, running.exchange.agency_url(KIT)), encoding="utf-8"
        )
        keys = running.exchange.credentials.key_files(KIT)
        shutil.copy(keys.key, folders[KIT] / "key.pem")
        shutil.copy(keys.certificate, folders[KIT] / "certificate.pem")
        url = {code: {"LIENTHONG_AGENCY_BROKER_URL": running.exchange.agency_url(code)} for code in (NODE, PLAIN)}
        async with (
            Program.running(folders[NODE], [node, "agency.js", "document.edxml"], url[NODE]) as in_node,
            Program.running(folders[PLAIN], [sys.executable, "agency.py", "document.edxml"], url[PLAIN]) as plain,
            Program.running(folders[KIT], [sys.executable, "-u", "agency.py"]) as kit,
        ):
            for code, agency in ((NODE, in_node), (PLAIN, plain)):
                others = [other for other in CODES if other != code]
                await agency.says(
                    "submitted ",
                    "receipt",
                    "delivered",
                    *(f"document {letters[other].document_id} of {other} " for other in others),
                    *(f"{letters[code].document_id} 03 of {other}" for other in others),
                    documents=2,
                )
            told = (f"reporter='{other}', code='03'" for other in (NODE, PLAIN))
            await kit.says("kind='receipt'", "kind='delivered'", *told, documents=2)
            for agency, unsigned in ((in_node, {PLAIN}), (plain, {NODE}), (kit, {NODE, PLAIN})):
                # What is not signed comes as it was sent.
                assert {encode(letters[other]) for other in unsigned} <= set(agency.kept)
            for agency in (in_node, plain):
                assert KIT in {examine_message(body).agency for body in agency.kept}
