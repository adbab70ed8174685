"""`lienthong agency` signs what it sends and shows what was found, on a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import pytest

from lienthong.edxml import Document, Organization, encode
from lienthong.signature import examine_message
from lienthong.topology.names import Header, Step
from lienthong.trust import DevelopmentAuthority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Token
    from tests.integration.conftest import Stage

SECONDS = 30.0
PAPER = Document(Organization("G22"), (Organization("H23"),), "sent-1")
LETTER = Document(Organization("H23"), (Organization("G22"),), "got-1")


class Ended(NamedTuple):
    """How a command ended."""

    status: int | None
    output: str
    errors: str


async def agency(*arguments: str, **settings: str) -> Ended:
    """Run `lienthong agency` with settings in its environment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lienthong_cli",
        "agency",
        *arguments,
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        output, errors = await process.communicate()
    return Ended(process.returncode, output.decode(), errors.decode())


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Provide a document's file, not signed."""
    path = tmp_path / "document.edxml"
    path.write_bytes(encode(PAPER))
    return str(path)


@pytest.fixture
def key(tmp_path: Path) -> dict[str, str]:
    """Provide the settings that name the agency's key and certificate."""
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    authority.issue("G22", "Bộ Thử nghiệm").save(tmp_path / "key")
    return {
        "LIENTHONG_AGENCY_SIGNING_KEY": str(tmp_path / "key.key"),
        "LIENTHONG_AGENCY_SIGNING_CERTIFICATES": str(tmp_path / "key.pem"),
    }


async def test_nothing_is_sent_unsigned_by_oversight(stage: Stage, file: str) -> None:
    """Without a key a file that is not signed is not sent, and the remedy is named; on purpose it is."""
    broker = {"LIENTHONG_AGENCY_BROKER_URL": stage.url}
    ended = await agency("send", file, "--wait=0", **broker)
    assert ended.status == 2
    assert "--key" in ended.errors
    assert "--unsigned" in ended.errors
    ended = await agency("report", "got-1", "--to=H23", "--code=03", "--wait=0", **broker)
    assert ended.status == 2
    assert "--unsigned" in ended.errors
    ended = await agency("send", file, "--wait=0", "--unsigned", **broker)
    assert ended.status == 0, ended.errors
    (only,) = await stage.submitted(Step.INGEST, 1)
    assert only.body == encode(PAPER)


async def test_what_cannot_be_read_is_the_exchange_s_to_judge(stage: Stage, tmp_path: Path) -> None:
    """Nobody can say of such a file that it is not signed: it goes, and comes back refused with the reason."""
    (tmp_path / "wrong.xml").write_text("<wrong/>")
    ended = await agency("send", str(tmp_path / "wrong.xml"), "--wait=0", LIENTHONG_AGENCY_BROKER_URL=stage.url)
    assert ended.status == 0, ended.errors
    (only,) = await stage.submitted(Step.INGEST, 1)
    assert only.body == b"<wrong/>"


async def test_a_key_in_the_environment_signs(stage: Stage, file: str, key: dict[str, str], tmp_path: Path) -> None:
    """Documents and statuses go out signed; what is signed already needs no key."""
    broker = {"LIENTHONG_AGENCY_BROKER_URL": stage.url}
    for arguments in (("send", file), ("report", "got-1", "--to=H23", "--code=03")):
        ended = await agency(*arguments, "--wait=0", **broker, **key)
        assert ended.status == 0, ended.errors
    (document,) = await stage.submitted(Step.INGEST, 1)
    (status,) = await stage.submitted(Step.STATUS_TRACKER, 1)
    assert examine_message(document.body).agency == examine_message(status.body).agency == "G22"
    signed = tmp_path / "signed.edxml"
    signed.write_bytes(document.body)
    ended = await agency("send", str(signed), "--wait=0", **broker)
    assert ended.status == 0, ended.errors
    (again,) = await stage.submitted(Step.INGEST, 1)
    assert again.body == document.body


async def test_a_key_on_a_token_signs(stage: Stage, file: str, tmp_path: Path, token: Token) -> None:
    """A PKCS #11 URI stands where a file could; what is missing in it is said."""
    authority = DevelopmentAuthority.create(tmp_path / "authority")
    credential = authority.issue("G22", "Bộ Thử nghiệm")
    credential.save(tmp_path / "key")
    token.put("command", credential.key)
    (tmp_path / "pin").write_text(f"{token.pin}\n")
    settings = {"LIENTHONG_AGENCY_BROKER_URL": stage.url}
    uri = f"pkcs11:token={quote(token.label)};object=command?module-path={token.module}&pin-source={tmp_path}/pin"
    ended = await agency("send", file, "--wait=0", f"--key={uri}", f"--certificates={tmp_path}/key.pem", **settings)
    assert ended.status == 0, ended.errors
    (only,) = await stage.submitted(Step.INGEST, 1)
    assert (examine_message(only.body).state, examine_message(only.body).agency) == ("intact", "G22")
    ended = await agency("send", file, f"--key={uri}", **settings)
    assert (ended.status, "--certificates" in ended.errors) == (2, True)
    ended = await agency("send", file, "--key=pkcs11:token=t", f"--certificates={tmp_path}/key.pem", **settings)
    assert (ended.status, "module-path" in ended.errors) == (3, True)


async def test_what_cannot_be_signed_is_named_and_the_others_go(
    stage: Stage, file: str, key: dict[str, str], tmp_path: Path
) -> None:
    """One strange file among many is refused by its name, with the remedy."""
    strange = tmp_path / "strange.edxml"
    strange.write_bytes(encode(PAPER).replace(b"</edXML:edXMLHeader>", b"<edXML:Signature/></edXML:edXMLHeader>"))
    ended = await agency("send", str(strange), file, "--wait=0", LIENTHONG_AGENCY_BROKER_URL=stage.url, **key)
    assert ended.status == 1
    assert str(strange) in ended.errors
    assert "--unsigned" in ended.errors
    (only,) = await stage.submitted(Step.INGEST, 1)
    assert examine_message(only.body).state == "intact"


async def test_a_key_that_is_not_there_is_a_setting_to_mend(file: str) -> None:
    """A wrong path is said in one line, before anything is sent."""
    ended = await agency("send", file, "--key=nowhere.pem", LIENTHONG_AGENCY_BROKER_URL="amqp://G22@127.0.0.1:1/x")
    assert ended.status == 3
    assert "nowhere.pem" in ended.errors


async def test_receiving_needs_no_key_and_keeps_what_was_found(stage: Stage, tmp_path: Path) -> None:
    """The value is shown and kept beside the document; without a key 01 goes out unsigned, and that is said."""
    said = {Header.VERDICT: "valid", Header.VALUE: "paper", Header.FOUND_VI: "Hợp lệ", Header.FOUND_EN: "Valid"}
    await stage.deliver(LETTER, found=said)
    folder = tmp_path / "in"
    ended = await agency("receive", f"--folder={folder}", "--count=1", LIENTHONG_AGENCY_BROKER_URL=stage.url)
    assert ended.status == 0, ended.errors
    assert "has the value of paper: Hợp lệ / Valid" in ended.output
    assert "--unsigned" in ended.errors
    (found,) = folder.glob("*/found.json")
    assert json.loads(found.read_text(encoding="utf-8")) == {
        "verdict": "valid",
        "value": "paper",
        "vi": "Hợp lệ",
        "en": "Valid",
    }
    assert (found.parent / "document.edxml").read_bytes() == encode(LETTER)
    (arrived,) = await stage.submitted(Step.STATUS_TRACKER, 1)
    assert examine_message(arrived.body).state == "absent"


async def test_receiving_with_a_key_signs_its_statuses(stage: Stage, key: dict[str, str], tmp_path: Path) -> None:
    """01 is signed when there is a key; a document the exchange said nothing about has nothing beside it."""
    await stage.deliver(LETTER)
    ended = await agency(
        "receive", f"--folder={tmp_path / 'in'}", "--count=1", LIENTHONG_AGENCY_BROKER_URL=stage.url, **key
    )
    assert (ended.status, ended.errors) == (0, "")
    (arrived,) = await stage.submitted(Step.STATUS_TRACKER, 1)
    assert examine_message(arrived.body).state == "intact"
    assert not list((tmp_path / "in").glob("*/found.json"))
