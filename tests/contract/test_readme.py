"""The README's tables and commands are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from lienthong import settings
from lienthong.document.life_cycle import STATUS_CODES, State, StepOutcome, step
from lienthong_cli.__main__ import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """Return the rows of the tables with this header."""
    found: list[list[str]] = []
    for after in README.split(f"\n{header}\n")[1:]:
        for line in after.splitlines()[1:]:
            if not line.startswith("|"):
                break
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def setting_rows() -> list[list[str]]:
    """Return the table of settings as the classes have it."""
    found = []
    for name in settings.__all__:
        group = getattr(settings, name)
        assert issubclass(group, BaseSettings)
        for field, info in group.model_fields.items():
            default = info.default.get_secret_value() if hasattr(info.default, "get_secret_value") else info.default
            variable = f"{group.model_config.get('env_prefix')}{field}".upper()
            found.append([f"`{variable}`", f"`{default}`", info.description or ""])
    return found


def commands() -> set[str]:
    """Return every command of `lienthong` that its help shows, with its group."""
    found = set()
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            if command.hidden:
                continue
            name = command.name or getattr(command.callback, "__name__", "")
            found.add(f"lienthong {group.name} {name}")
    return found


def test_the_settings_table_is_the_settings() -> None:
    """Every setting stands in the README with its default and meaning, and nothing else does."""
    assert rows("| Variable | Default | Meaning |") == setting_rows()


def test_the_command_table_is_the_command_line() -> None:
    """Every command of `lienthong` stands in the README, and every one that stands there exists."""
    named = {cells[0].strip("`") for cells in rows("| Command | What it does |")}
    assert {name for name in named if name.startswith("lienthong")} == commands()


def test_the_make_targets_exist() -> None:
    """Every make target the README names is one of the Makefile, explained there."""
    explained = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)(?:`|$)", README, re.MULTILINE)) <= explained


def test_the_layout_is_the_tree() -> None:
    """Every folder of the layout exists, and every package of the two source roots stands in it."""
    named = {cells[0].strip("`") for cells in rows("| Folder | What is in it |")}
    assert all((ROOT / name).exists() for name in named)
    packages = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("services/*/__init__.py")}
    packages |= {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("shared/lienthong/*/__init__.py")}
    assert packages <= named


def test_the_status_codes_are_the_codes() -> None:
    """The table of status codes is the one in the code."""
    expected = [[one.code, one.vi, one.en, one.office.value if one.office else ""] for one in STATUS_CODES.values()]
    assert rows("| Code | Tiếng Việt | English | Office |") == expected


def test_the_diagram_is_the_life_cycle() -> None:
    """The diagram shows exactly the steps the table allows when nobody takes anything back."""
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (\d\d)$", README, re.MULTILINE))
    allowed = set()
    for state in State:
        for code in STATUS_CODES:
            result = step(state, code, take_back=False)
            if result.outcome is StepOutcome.APPLIED and result.state is not state:
                allowed.add((state.value, result.state.value, code))
    assert drawn == allowed


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    """A relative link in the documents names a file that is there."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target
