"""`lienthong signature check` and `sign`: what an auditor and an integrator see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lienthong.edxml import Attachment, Document, DocumentCode, Organization, encode
from lienthong.signature.verification import same_agency
from lienthong_cli.__main__ import assembled

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
AT = "2026-11-15T00:00:00Z"

shared = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not beside this checkout")


def check(*words: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """Run the check; return its status and its JSON objects."""
    result = CliRunner().invoke(assembled(), ["signature", "check", *map(str, words), "--json"])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a development authority with a key for G22."""
    folder = tmp_path_factory.mktemp("authority")
    made = CliRunner().invoke(assembled(), ["trust", "dev-authority", str(folder), "--agency", "G22"])
    assert made.exit_code == 0, made.output
    return folder


def trust_of(authority: Path) -> Path:
    """Return the trust folder of a development authority."""
    (roots,) = authority.glob("**/roots")
    return roots.parent


@shared
def test_the_samples_are_valid() -> None:
    """Every signed sample is valid at its time, for its receiver, and has the value of paper."""
    files = sorted((SAMPLES / "signed").iterdir())
    code, found = check(*files, "--trust", SAMPLES / "pki", "--at", AT, "--receiver", "000.00.02.H02")
    assert code == 0
    assert [Path(one["file"]) for one in found] == files
    assert {(one["verdict"], one["value"]) for one in found} == {("valid", "paper")}
    for one in found:
        for signature in one["signatures"]:
            assert signature["verdict"] == "valid"
            assert signature["signer"]
            assert signature["agency"]


@shared
@pytest.mark.parametrize(
    ("words", "verdict", "code"),
    [
        (["--at", "2020-01-01T00:00:00Z"], "invalid", "NOT_YET_VALID"),
        (["--at", "2035-01-01T00:00:00Z"], "invalid", "EXPIRED"),
        (["--at", "2026-11-15T00:00:00Z", "--receiver", "H41"], "invalid", "SIG_CONSTRAINTS_FAILURE"),
    ],
)
def test_a_valid_message_in_the_wrong_place_or_time(words: list[str], verdict: str, code: str) -> None:
    """The same message is judged for a time and a receiver, and says which of them is wrong."""
    status, (found,) = check(SAMPLES / "signed" / "ok-manifest-p256.xml", "--trust", SAMPLES / "pki", *words)
    assert status == 1
    assert (found["verdict"], found["value"]) == (verdict, "refused")
    assert code in {reason["code"] for reason in found["reasons"]}


@shared
def test_a_changed_message_is_refused(tmp_path: Path) -> None:
    """One changed letter in what was signed refuses the message; one in what was not signed does not."""
    text = (SAMPLES / "signed" / "ok-manifest-p256.xml").read_text(encoding="utf-8")
    start = text.index("Subject>") + len("Subject>")
    changed = tmp_path / "changed.xml"
    changed.write_text(f"{text[:start]}X{text[start:]}", encoding="utf-8")
    status, (found,) = check(changed, "--trust", SAMPLES / "pki", "--at", AT)
    assert (status, found["value"]) == (1, "refused")
    assert found["signatures"][0]["reason"] == "HASH_FAILURE"


@shared
def test_an_unknown_authority_is_not_believed(authority: Path) -> None:
    """With another authority trusted the intact signature is worth nothing."""
    message = SAMPLES / "signed" / "ok-manifest-p256.xml"
    status, (found,) = check(message, "--trust", trust_of(authority), "--at", AT)
    assert (status, found["verdict"]) == (1, "invalid")
    assert found["signatures"][0]["reason"] == "NO_CERTIFICATE_CHAIN_FOUND"


@shared
def test_without_revocation_data_nothing_is_valid(tmp_path: Path) -> None:
    """What could not be found out is indeterminate, neither valid nor refused, and the policy says what it is worth."""
    for part in ("roots", "intermediates"):
        (tmp_path / part).mkdir()
        for file in (SAMPLES / "pki" / part).iterdir():
            (tmp_path / part / file.name).write_bytes(file.read_bytes())
    status, (found,) = check(SAMPLES / "signed" / "ok-manifest-p256.xml", "--trust", tmp_path, "--at", AT)
    assert (status, found["verdict"], found["value"]) == (1, "indeterminate", "information")
    assert {reason["code"] for reason in found["reasons"]} == {"TRY_LATER"}


def test_attached_files_are_told_about(tmp_path: Path, authority: Path) -> None:
    """A file that must not be passed on refuses the document, one worth mending is only told; so is a dead scanner."""
    files = (Attachment("lương.exe", b"MZ" + bytes(100)), Attachment("a?b.txt", b"Kinh gui"))
    message = tmp_path / "files.edxml"
    message.write_bytes(encode(replace(draft(), attachments=files)))
    status, (found,) = check(message, "--trust", trust_of(authority))
    assert (status, found["verdict"], found["value"]) == (1, "invalid", "refused")
    assert [(file["flaw"], file["refuses"]) for file in found["files"]] == [
        ("executable", True),
        ("forbidden-character", False),
    ]
    assert [reason["code"] for reason in found["reasons"]] == ["M.Attachment-Type"]
    told = CliRunner().invoke(assembled(), ["signature", "check", str(message), "--trust", str(trust_of(authority))])
    assert told.stdout.count("lương.exe” là chương trình") == 1
    message.write_bytes(encode(replace(draft(), attachments=files[1:])))
    _, (found,) = check(message, "--trust", trust_of(authority), "--clamd", tmp_path / "nobody.sock")
    assert found["verdict"] == "indeterminate"
    assert "not-scanned" in {file["flaw"] for file in found["files"]}


def test_an_unsigned_document_is_for_information_or_refused(tmp_path: Path, authority: Path) -> None:
    """Unsigned is a verdict of its own; what it is worth the policy says."""
    message = tmp_path / "unsigned.edxml"
    message.write_bytes(encode(draft()))
    policy = tmp_path / "policy.toml"
    policy.write_text('[default]\nunsigned = "refused"\n', encoding="utf-8")
    status, (found,) = check(message, "--trust", trust_of(authority))
    assert (status, found["verdict"], found["value"], found["signatures"]) == (1, "unsigned", "information", [])
    _, (found,) = check(message, "--trust", trust_of(authority), "--policy", policy)
    assert found["value"] == "refused"


@pytest.mark.parametrize(("sender", "verdict"), [("G22", "valid"), ("H41", "invalid")])
def test_what_sign_writes_check_believes(tmp_path: Path, authority: Path, sender: str, verdict: str) -> None:
    """A message is valid when it was signed with its own sender's certificate, and no other."""
    (key,) = authority.glob("**/G22*.key*")
    (certificate,) = (one for one in authority.glob("**/G22*") if "key" not in one.name)
    message, signed = tmp_path / "message.edxml", tmp_path / "signed.edxml"
    message.write_bytes(encode(draft(sender)))
    words = [message, "--key", key, "--certificates", certificate, "--out", signed]
    done = CliRunner().invoke(assembled(), ["signature", "sign", *map(str, words)])
    assert done.exit_code == 0, done.output
    _, (found,) = check(signed, "--trust", trust_of(authority))
    assert (found["verdict"], found["signatures"][0]["agency"]) == (verdict, "G22")


@shared
def test_one_broken_pdf_refuses_its_message(tmp_path: Path, authority: Path) -> None:
    """A message signed rightly is refused for a PDF in it whose own signature is broken, and names the file."""
    (key,) = authority.glob("**/G22*.key*")
    (certificate,) = (one for one in authority.glob("**/G22*") if "key" not in one.name)
    pdf = bytearray((SAMPLES / "signed" / "ok-bb.pdf").read_bytes())
    pdf[20] ^= 1
    message, signed = tmp_path / "message.edxml", tmp_path / "signed.edxml"
    message.write_bytes(encode(replace(draft(), attachments=(Attachment("a.pdf", bytes(pdf), "application/pdf"),))))
    words = [message, "--key", key, "--certificates", certificate, "--out", signed]
    assert CliRunner().invoke(assembled(), ["signature", "sign", *map(str, words)]).exit_code == 0
    status, (found,) = check(signed, "--trust", trust_of(authority))
    assert (status, found["verdict"], found["value"]) == (1, "invalid", "refused")
    by_kind = {one["kind"]: one for one in found["signatures"]}
    assert by_kind["message"]["verdict"] == "valid"
    assert (by_kind["pdf"]["verdict"], by_kind["pdf"]["subject"]) == ("invalid", "a.pdf")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--at", "yesterday"], "--at"),
        (["--at", "2026-11-15T00:00:00"], "--at"),
        (["--policy", "none.toml"], "none.toml"),
    ],
)
def test_a_wrong_question_is_named(tmp_path: Path, authority: Path, words: list[str], named: str) -> None:
    """A wrong option ends with one line that names it, and judges nothing."""
    message = tmp_path / "message.edxml"
    message.write_bytes(encode(draft()))
    result = CliRunner().invoke(
        assembled(), ["signature", "check", str(message), "--trust", str(trust_of(authority)), *words]
    )
    assert result.exit_code in {2, 3}
    assert named in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("certified", "written", "same"),
    [
        ("G22", "000.00.00.G22", True),
        ("000.00.00.G22", "G22", True),
        ("H53", "000.11.37.H53", True),
        ("000.00.37.H53", "000.11.37.H53", True),
        ("000.11.37.H53", "H53", False),
        ("H23", "H2", False),
        ("H23.1", "H23.2", False),
        ("000.00.01.G01", "000.00.01.G01", True),
    ],
)
def test_whom_a_certificate_may_speak_for(certified: str, written: str, same: bool) -> None:
    """A certificate speaks for its agency in both forms of the code and for those below it, never for one above."""
    assert same_agency(certified, written) is same


def draft(sender: str = "G22") -> Document:
    """Return a small document."""
    return Document(
        sender=Organization(sender),
        addressees=(Organization("H23"),),
        document_id="d1",
        code=DocumentCode("1", "TN"),
        attachments=(Attachment("a.txt", b"abc", "text/plain"),),
    )
