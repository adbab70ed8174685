"""Every attack is refused, for the right reason, within limits, and harms nobody beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lienthong.testing.attacks import Attack, attacks

SECONDS = 5
MEGABYTES = 300
ATTACKS = tuple(attacks())


@pytest.fixture(scope="module")
def findings() -> dict[str, dict[str, Any]]:
    """Return what was found about each attack, in a process that must not crash."""
    script = Path(__file__).with_name("examine_corpus.py")
    ran = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, script, str(MEGABYTES)], capture_output=True, text=True, check=False, timeout=150
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return {found["name"]: found for found in map(json.loads, ran.stdout.splitlines())}


def test_every_class_of_the_profile_has_its_attacks() -> None:
    """Each class of attack in profile 1 is tried in several ways, under names that tell them apart."""
    groups = Counter(attack.group for attack in ATTACKS)
    assert len(ATTACKS) >= 350
    assert min(groups.values()) >= 10, groups
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name[:70])
def test_an_attack_is_broken_for_the_right_reason(attack: Attack, findings: dict[str, dict[str, Any]]) -> None:
    """No attack is intact or absent; its reason is right, in both languages; it costs little and harms nobody else."""
    found = findings[attack.name]
    assert (found["state"], found["code"]) == ("broken", attack.code.value), found
    assert found["vi"]
    assert found["en"]
    assert "processed" not in found["en"], "an unforeseen error is no reason"
    assert found["seconds"] < SECONDS
    assert found["megabytes"] < MEGABYTES
    assert found["neighbour"] == "intact"
