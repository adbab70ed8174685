"""`lienthong edxml check` and `show`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lienthong.edxml import Document, inspect
from lienthong_cli.edxml import app

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run the command, return its exit code and what it printed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def verdicts(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """Run check --json, return exit code and one object per line."""
    code, printed = run("check", "--json", *arguments)
    return code, [json.loads(line) for line in printed.splitlines()]


@pytest.fixture
def broken(data_folder: Path, tmp_path: Path) -> Path:
    """Return a document with two problems and a warning."""
    text = (data_folder / "document.edxml").read_bytes()
    text = text.replace(b">2026/12/01<", b">1/12/2026<").replace(b">G14.05<", b">null<", 1).replace(b">18<", b">1<")
    path = tmp_path / "broken.edxml"
    path.write_bytes(text)
    return path


def test_sound_files_pass_with_exit_0(data_folder: Path) -> None:
    """One JSON object for each file, in the order given."""
    files = [data_folder / "document.edxml", data_folder / "status.edxml"]
    code, found = verdicts("--profile", "strict", *files)
    assert code == 0
    assert [(verdict["file"], verdict["ok"], verdict["kind"]) for verdict in found] == [
        (str(files[0]), True, "document"),
        (str(files[1]), True, "status"),
    ]
    assert all(verdict["errors"] == verdict["warnings"] == [] for verdict in found)


def test_one_refused_file_among_others_gives_exit_1(data_folder: Path, broken: Path) -> None:
    """Every file gets its verdict; each error has code, path and a message in both languages."""
    code, (good, bad) = verdicts(data_folder / "status.edxml", broken)
    assert code == 1
    assert good["ok"]
    assert not bad["ok"]
    assert [(error["code"], error["path"]) for error in bad["errors"]] == [
        ("N.MessageHeader.To.OrganId", "MessageHeader/To[2]/OrganId"),
        ("T.MessageHeader.DueDate", "MessageHeader/DueDate"),
    ]
    for error in bad["errors"]:
        assert error["message"] == f"{error['message_vi']} / {error['message_en']}"
    assert [warning["code"] for warning in bad["warnings"]] == ["M.MessageHeader.DocumentType"]


def test_a_file_that_cannot_be_read_is_refused_and_says_why(data_folder: Path, tmp_path: Path) -> None:
    """A missing file or a folder stops neither the command nor the other files."""
    code, found = verdicts(tmp_path / "missing.edxml", tmp_path, data_folder / "status.edxml")
    assert code == 1
    assert [verdict["ok"] for verdict in found] == [False, False, True]
    assert "missing.edxml" in found[0]["errors"][0]["message"]
    assert "No such file" in found[0]["errors"][0]["message_en"]
    assert "directory" in found[1]["errors"][0]["message_en"]


def test_a_name_that_is_no_text_is_printed_all_the_same(data_folder: Path, tmp_path: Path) -> None:
    """File names are bytes."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.edxml"))
    odd.write_bytes((data_folder / "status.edxml").read_bytes())
    code, (verdict,) = verdicts(odd)
    assert code == 0
    assert verdict["file"].endswith("\ufffd.edxml")


def test_people_get_lines_in_both_languages(data_folder: Path, broken: Path) -> None:
    """Verdict first, then each problem and warning."""
    code, printed = run("check", data_folder / "document.edxml", broken)
    assert code == 1
    lines = printed.splitlines()
    assert lines[0].endswith("đạt / ok (document)")
    assert lines[1].endswith("bị từ chối / refused (document)")
    assert [line.strip()[0] for line in lines[2:]] == ["✗", "✗", "!"]


def test_show_says_what_a_document_says(data_folder: Path) -> None:
    """Sender, addressees, subject, files with their digests."""
    code, printed = run("show", data_folder / "document.edxml")
    assert code == 0
    for shown in (
        "H23.1 Sở Thử nghiệm",
        "G14.05 Cục Mẫu",
        "101/STN-VP",
        "khẩn / urgent",
        "cong-van.pdf",
        "2026-11-20 08:09:10",
    ):
        assert shown in printed


def test_show_says_what_a_status_says(data_folder: Path) -> None:
    """Which code, in words, and about which document."""
    code, printed = run("show", data_folder / "status.edxml")
    assert code == 0
    for shown in ("03 Đã tiếp nhận", "Accepted and registered", "101/STN-VP", "Lê Thị Kiểm"):
        assert shown in printed


def test_show_of_a_refused_file_says_why(broken: Path) -> None:
    """There is nothing to show but the problems."""
    code, printed = run("show", broken)
    assert code == 1
    assert "MessageHeader/DueDate" in printed


def test_a_message_cannot_play_tricks_with_the_terminal(data_folder: Path, tmp_path: Path) -> None:
    """Neither markup of our table library nor control or direction characters of a stranger's text take effect."""
    text = (data_folder / "document.edxml").read_bytes().decode()
    path = tmp_path / "tricks.edxml"
    path.write_text(text.replace("Nội dung kiểm thử", "[red]x[/] \u009b31m \u202egnp.exe"), encoding="utf-8")
    code, printed = run("show", path)
    assert code == 0
    assert "[red]x[/] �31m �gnp.exe" in printed


@pytest.mark.skipif(not SAMPLES.exists(), reason="the folder with real messages is not beside the repository")
def test_the_samples_get_their_verdicts() -> None:
    """All well-formed real messages pass in the lenient profile; the two broken ones are refused."""
    files = sorted([*SAMPLES.glob("*.edxml*"), *SAMPLES.glob("vxp/*.edxml")])
    code, found = verdicts(*files)
    assert code == 1
    assert [Path(verdict["file"]).name for verdict in found if not verdict["ok"]] == ["edoc.edxml", "edoc_new.edxml"]
    assert len(found) == len(files)


def test_on_a_terminal_no_word_is_cut(broken: Path) -> None:
    """At 80 columns a finding is a short paragraph, one language after the other; in a pipe it is one line."""
    terminal = {"COLUMNS": "80", "FORCE_COLOR": "1", "NO_COLOR": "1"}
    printed = CliRunner().invoke(app, ["check", str(broken)], env=terminal).stdout
    shown = [line.rstrip() for line in printed.splitlines()[1:]]
    assert max(map(len, shown)) <= 80
    assert "  ✗ N.MessageHeader.To.OrganId [MessageHeader/To[2]/OrganId]" in shown
    _, piped = run("check", broken)
    said = [line.strip() for line in piped.splitlines()[1:]]
    assert " ".join(" ".join(shown).split()) == " ".join(
        line.replace(": ", " ", 1).replace(" / ", " ") for line in said
    )


def test_show_keeps_a_digest_on_one_line(data_folder: Path) -> None:
    """Each attachment's SHA-256 can be copied, however narrow the terminal."""
    document = data_folder / "document.edxml"
    shown = CliRunner().invoke(app, ["show", str(document)], env={"COLUMNS": "60"}).stdout
    decoded = inspect(document.read_bytes()).message
    assert isinstance(decoded, Document)
    assert decoded.attachments
    for attachment in decoded.attachments:
        assert f"SHA-256 {attachment.sha256}\n" in shown
