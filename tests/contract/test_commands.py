"""Every command of ours that the documents show can be called so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from lienthong_cli.__main__ import assembled

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "deploy/RUNBOOK.md", "deploy/kubernetes/README.md")
SERVICES = {"operator": [], "agency": ["agency"]}
"""Services of compose.yaml that are commands: the words in front."""
OURS = re.compile(r"^(?:\S*/)?lienthong\s+(?=[a-z])(.*)")
IN_KUBERNETES = re.compile(r"kubectl .*? -- lienthong\s+(?=[a-z])(.*)")
IN_DOCKER = re.compile(r"docker compose .*?run .*?\b(operator|agency)\s+(?=[a-z])(.*)")


def shown(document: str) -> set[str]:
    """Return every command line in a document, in a block or in a sentence."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    sentences = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return {*lines, *(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", sentences))}


def called(line: str) -> list[str] | None:
    """Return the arguments with which a line calls `lienthong`; None when it does not."""
    if found := IN_DOCKER.search(line):
        return SERVICES[found[1]] + shlex.split(found[2], comments=True)
    if found := OURS.search(line.strip()) or IN_KUBERNETES.search(line):
        return shlex.split(found[1], comments=True)
    return None


def test_every_command_shown_is_one() -> None:
    """Group, command and every option exist; an operator who copies a line is not told that it is wrong."""
    line_of_commands = typer.main.get_command(assembled())
    wrong, seen = [], 0
    for document in DOCUMENTS:
        for line in shown(document):
            words = called(line)
            if words is None or "…" in words[0]:
                continue
            seen += 1
            if fault := fault_of(words, line_of_commands):
                wrong.append(f"{document}: {line}: {fault}")
    assert wrong == []
    assert seen > 50


def fault_of(words: list[str], command: Any) -> str | None:
    """Return what is wrong with a call: there is no such command, or it has no such option."""
    while words and isinstance(command, TyperGroup):
        known = command.commands
        if words[0] == "…" or "|" in words[0]:
            return None
        if words[0] not in known:
            return f"no {words[0]} among {sorted(known)}"
        command, words = known[words[0]], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in {*options, "--help", "--…"}:
            return f"no {word} among {sorted(options)}"
    return None
