"""What operators see by: alarms, dashboards and compose file, as Prometheus, Grafana and Docker read them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOY = Path(__file__).parents[2] / "deploy"
OBSERVE = DEPLOY / "observe"
ALERTS = (OBSERVE / "alerts.yml").read_text(encoding="utf-8")
NAMES = re.findall(r"- alert: (\w+)", ALERTS)


@pytest.fixture(scope="module")
def promtool(program: Callable[[str, str], Path]) -> Callable[..., str]:
    """Return what runs promtool in the folder of the files and returns what it says."""
    path = program("promtool", "prometheus")

    def run(*words: str) -> str:
        done = subprocess.run(  # noqa: S603 - a program of Debian's, our own arguments
            [path, *words], cwd=OBSERVE, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_prometheus_takes_its_files(promtool: Callable[..., str]) -> None:
    """Settings and rules are such as Prometheus takes."""
    assert f"{len(NAMES)} rules found" in promtool("check", "config", "prometheus.yml")


def test_alarms_are_raised_when_they_should(promtool: Callable[..., str]) -> None:
    """Each alarm is raised by what it is about, with its words, and none of them by an exchange in health."""
    promtool("test", "rules", "alerts_test.yml")
    tested = (OBSERVE / "alerts_test.yml").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"{{alertname: {name}, eval_time: 80m, exp_alerts: []}}" in tested, name
        assert re.search(rf"- alertname: {name}\n +eval_time: \w+\n +exp_alerts:\n +- exp_labels", tested), name


def test_every_alarm_says_what_to_do() -> None:
    """Each one has a severity, says in both languages what is wrong, and has its chapter in the runbook; no others."""
    chapters = re.findall(r"^### (LienThong\w+)$", (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert chapters == NAMES
    for name, rule in zip(NAMES, ALERTS.split("- alert: ")[1:], strict=True):
        assert re.search(r"severity: (critical|warning)\b", rule), name
        for key in ("summary_vi", "summary_en"):
            assert re.search(rf'{key}: ".{{10,}}"', rule), name
        assert f"runbook_url: deploy/RUNBOOK.md#{name.lower()}\n" in rule, name


def dashboards() -> dict[str, dict[str, Any]]:
    """Return every dashboard by the name of its file."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in OBSERVE.glob("dashboards/*.json")}


def test_dashboards_fit_on_a_screen() -> None:
    """Panels have ids, names and words of their own, overlap nowhere, and ask only sources that are provisioned."""
    provisioned = set(re.findall(r"^ +uid: (\S+)$", (OBSERVE / "datasources.yml").read_text(), re.MULTILINE))
    boards = dashboards()
    assert boards.keys() == {"overview", "agency", "worker", "deadlines", "capacity"}
    assert len({board["uid"] for board in boards.values()}) == len(boards)
    for name, board in boards.items():
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]), name
        places = [
            (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["h"])
        ]
        assert len(places) == len(set(places)), name
        assert max(x for x, _ in places) < 24, name
        for panel in board["panels"]:
            assert panel["title"], name
            if panel["type"] != "row":
                assert panel["description"], panel["title"]
                assert {target["datasource"]["uid"] for target in panel["targets"]} <= provisioned, panel["title"]


def test_docker_accepts_the_observers() -> None:
    """Beside the exchange's own compose file the one of the observers is valid, and listens on this machine only."""
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], check=False).returncode:  # noqa: S607
        pytest.skip("docker compose is not installed")
    files = ["compose.yaml", "compose.observe.yaml"]
    read = subprocess.run(  # noqa: S603 - our own arguments
        ["docker", "compose", *(word for name in files for word in ("-f", name)), "config", "--format", "json"],  # noqa: S607
        cwd=DEPLOY,
        env={name: value for name, value in os.environ.items() if not name.startswith("LIENTHONG_")},
        check=True,
        capture_output=True,
    )
    services = json.loads(read.stdout)["services"]
    assert {"prometheus", "grafana", "collector", "tempo"} <= services.keys()
    for name in ("prometheus", "grafana", "collector", "tempo", "reader"):
        assert services[name]["read_only"], name
        assert {port["host_ip"] for port in services[name].get("ports", ())} <= {"127.0.0.1"}, name
