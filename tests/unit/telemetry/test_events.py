"""The catalogue of events is complete."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from lienthong.telemetry import events
from lienthong.telemetry.events import Event


def test_every_event_says_what_it_means() -> None:
    """Each name is followed by a sentence: the catalogue is the operators' documentation."""
    (catalogue,) = [node for node in ast.parse(inspect.getsource(events)).body if isinstance(node, ast.ClassDef)]
    members = [
        (node.targets[0].id, following)
        for node, following in zip(catalogue.body, [*catalogue.body[1:], None], strict=True)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    assert {name for name, _ in members} == set(Event.__members__)
    for name, following in members:
        assert isinstance(following, ast.Expr), name
        assert isinstance(following.value, ast.Constant), name


def test_every_event_is_used() -> None:
    """No name stands in the catalogue that nothing logs."""
    root = Path(events.__file__).parents[2]
    sources = [path.read_text() for folder in (root, root.parent / "services") for path in folder.rglob("*.py")]
    logging = "".join(source for source in sources if "from lienthong.telemetry" in source)
    used = set(re.findall(r"\bEvent\.([A-Z_]+)", logging))
    assert used == set(Event.__members__)
