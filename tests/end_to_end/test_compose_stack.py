"""The whole exchange as operators start it: `deploy/compose.yaml`, by the README's own commands."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from lienthong.errors import Unavailable
from lienthong.testing import docker
from lienthong.testing.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("### Run it with Docker", 1)[1]
START, ONBOARD = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)[:2]
BASE_IMAGE = "python:3.13-slim"
SERVICES = {"broker", "ledger", "ingest", "signature-verify", "router", "status-tracker", "notifier"}
COMMAND_SECONDS = 600
PATIENCE_SECONDS = 120.0

# The first build of the image fetches what is in it.
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True, slots=True)
class Stack:
    """The containers of one project.

    Attributes:
        project: its name.
        environment: with which its commands are run.
    """

    project: str
    environment: dict[str, str]

    def sh(self, script: str, **variables: str) -> str:
        """Run a script as a reader of the README does, in the repository; returns what it printed."""
        ended = subprocess.run(  # noqa: S603 - our own words and the README's
            ["bash", "-ec", script],  # noqa: S607
            cwd=ROOT,
            env=self.environment | variables,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert ended.returncode == 0, f"{script}\n{ended.stdout}"
        return ended.stdout

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what the engine says about each container that runs, by its service."""
        ids = self.sh("docker compose ps --quiet").split()
        said = json.loads(self.sh(f"docker inspect {' '.join(ids)}")) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in said}

    def left(self) -> dict[str, list[str]]:
        """Return what there is of the project, by kind."""
        label = f"--filter label=com.docker.compose.project={self.project}"
        return {
            kind: self.sh(f"docker {kind} ls {'--all ' if kind == 'container' else ''}--quiet {label}").split()
            for kind in ("container", "volume", "network")
        }


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Start the exchange by the README's command; nothing of it is left afterwards."""
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)  # noqa: S607
        docker.prepare(docker.BROKER_IMAGE, docker.LEDGER_IMAGE, BASE_IMAGE)
    except (OSError, subprocess.CalledProcessError, Unavailable) as reason:
        pytest.skip(f"no Docker engine with compose and these images: {reason}")
    project = f"lienthong-stack-{secrets.token_hex(4)}"
    mine = {
        "COMPOSE_FILE": "deploy/compose.yaml",
        "COMPOSE_PROJECT_NAME": project,
        "LIENTHONG_IMAGE": f"lienthong:{project}",
        "LIENTHONG_PORT": str(free_ports(1)[0]),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith(("LIENTHONG_", "COMPOSE_"))}
    stack = Stack(project, others | mine)
    try:
        stack.sh(START)
        yield stack
    finally:
        stack.sh("docker compose down --volumes --timeout 0; docker image rm --force $LIENTHONG_IMAGE")


@pytest.fixture(scope="module")
def onboarded(stack: Stack) -> str:
    """Let two agencies in by the README's commands, and return what these printed."""
    return stack.sh(ONBOARD)


def test_every_container_is_healthy_and_confined(stack: Stack) -> None:
    """Everything runs and is healthy, nobody as root, with privileges, or on what can be written; one door is open."""
    found = stack.containers()
    assert found.keys() == SERVICES
    assert {name: one["State"]["Health"]["Status"] for name, one in found.items()} == dict.fromkeys(found, "healthy")
    for name, one in found.items():
        processes = stack.sh(f"docker top {one['Id']} -eo pid,uid").splitlines()[1:]
        assert processes, name
        assert "0" not in {line.split()[1] for line in processes}, name
        host = one["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"]), name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Memory"] > 0, name
        assert host["PidsLimit"] > 0, name
    assert [one["HostConfig"]["PortBindings"] for one in found.values() if one["HostConfig"]["PortBindings"]] == [
        {"5671/tcp": [{"HostIp": "127.0.0.1", "HostPort": stack.environment["LIENTHONG_PORT"]}]}
    ]


def test_a_new_agency_receives_its_first_document(stack: Stack, onboarded: str) -> None:
    """Five commands of the README let an agency in and bring it a document; its sender learns that it arrived."""
    assert len([line for line in ONBOARD.splitlines() if "docker compose" in line]) == 5
    assert "delivered to H23" in onboarded
    assert "has the value of paper" in onboarded
    assert "received 1 documents" in onboarded
    told = stack.sh("docker compose run --rm agency watch --count 1 --wait 60", AGENCY="G22")
    assert "H23" in told
    assert "01" in told


def test_the_image_lists_what_is_in_it(stack: Stack) -> None:
    """The image has a CycloneDX list, in which every locked library stands with its version."""
    said = stack.sh("docker run --rm --network none $LIENTHONG_IMAGE cat /usr/share/doc/lienthong/sbom.cdx.json")
    bill = json.loads(said)
    assert bill["bomFormat"] == "CycloneDX"
    there = {(canonicalize_name(part["name"]), Version(part["version"])) for part in bill["components"]}
    lock = (ROOT / "deploy/requirements.lock").read_text(encoding="utf-8")
    locked = {(name, Version(version)) for name, version in re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE)}
    assert locked
    assert locked <= there


@pytest.mark.usefixtures("onboarded")
def test_what_is_killed_comes_back(stack: Stack) -> None:
    """All containers die at once: the engine starts each again, it becomes healthy, and an exchange completes."""
    before = stack.containers()
    for one in before.values():
        # From inside, everything but the first process: `docker kill` would tell the engine not to start it again.
        subprocess.run(["docker", "exec", one["Id"], "sh", "-c", "kill -9 -1"], check=False, capture_output=True)  # noqa: S603, S607
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        now = stack.containers()
        back = {
            name
            for name, one in now.items()
            if one["RestartCount"] > before[name]["RestartCount"] and one["State"]["Health"]["Status"] == "healthy"
        }
        if back == SERVICES:
            break
        assert time.monotonic() < deadline, f"not back: {SERVICES - back}"
        time.sleep(0.5)
    assert "delivered to G22" in stack.sh("docker compose run --rm agency send first.edxml", AGENCY="H23")
    assert "received 1 documents" in stack.sh("docker compose run --rm agency receive --count 1", AGENCY="G22")


@pytest.mark.usefixtures("onboarded")
def test_nothing_is_left(stack: Stack) -> None:
    """`docker compose down --volumes` leaves no container, no volume and no network."""
    assert all(stack.left().values())
    stack.sh("docker compose down --volumes")
    assert stack.left() == {"container": [], "volume": [], "network": []}
