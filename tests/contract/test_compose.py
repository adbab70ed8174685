"""The compose files, as Docker reads them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lienthong.testing import docker
from lienthong.testing.docker_cluster import BROKERS, COMPOSE_FILE, LEDGERS, SECRETS

ROOT = Path(__file__).parents[2]
STACK = ROOT / "deploy/compose.yaml"
DEMO = ROOT / "deploy/compose.demo.yaml"
CLUSTER = ROOT / "deploy/compose.cluster.yaml"
OUR_IMAGE = "lienthong:local"
ONCE = {"keys", "setup"}
COMMANDS = {"operator", "agency"}


def as_read(*files: Path, profile: str = "") -> dict[str, Any]:
    """Return compose files as Docker reads them, one over the other, with none of our variables; may skip."""
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], check=False).returncode:  # noqa: S607
        pytest.skip("docker compose is not installed")
    files_ = [word for file in files for word in ("-f", str(file))]
    read = subprocess.run(  # noqa: S603 - our own arguments
        ["docker", "compose", *files_, "--profile", profile, "config", "--format", "json"],  # noqa: S607
        env={name: value for name, value in os.environ.items() if not name.startswith(("LIENTHONG_", "COMPOSE_"))},
        check=True,
        capture_output=True,
    )
    said: dict[str, Any] = json.loads(read.stdout)
    return said


def test_docker_accepts_the_servers() -> None:
    """The file is valid by itself, of the versions that are tested, open to this machine only, secrets in files."""
    said = as_read(COMPOSE_FILE)
    assert {name: service["image"] for name, service in said["services"].items()} == dict.fromkeys(
        BROKERS, docker.BROKER_IMAGE
    ) | dict.fromkeys(LEDGERS, docker.LEDGER_IMAGE)
    assert {port["host_ip"] for service in said["services"].values() for port in service["ports"]} == {"127.0.0.1"}
    assert all("healthcheck" in service for service in said["services"].values())
    assert said["secrets"].keys() == set(SECRETS)


def test_docker_accepts_the_stack() -> None:
    """The files are valid over one another, of the versions that are tested; every service is confined and limited."""
    services = as_read(STACK, DEMO, CLUSTER, profile="commands")["services"]
    images = {name: service["image"] for name, service in services.items() if service["image"] != OUR_IMAGE}
    brokers, ledgers = ("broker", "broker2", "broker3"), ("ledger", "ledger2")
    assert images == dict.fromkeys(brokers, docker.BROKER_IMAGE) | dict.fromkeys(ledgers, docker.LEDGER_IMAGE)
    assert [name for name, service in services.items() if "build" in service] == ["keys"]
    for name, service in services.items():
        assert service["read_only"] is service["init"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "container_name" not in service, name
        # What has no name is left behind once a container was made anew.
        assert all(volume.get("source") for volume in service["volumes"]), name
        # Ours say in the image who they are.
        assert service["image"] == OUR_IMAGE or service["user"] not in {"", "0", "root"}, name
        secret = [key for key in service.get("environment", ()) if re.search("PASS|SECRET|_URL", key)]
        assert all(key.endswith("_FILE") for key in secret), name
    for name, service in services.items():
        if name not in ONCE | COMMANDS:
            assert service["restart"] == "unless-stopped", name
            assert not service.get("healthcheck", {}).get("disable"), name
        if name not in COMMANDS:
            assert {"memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name
    ports = [(name, port) for name, service in services.items() for port in service.get("ports", ())]
    assert [(name, port["host_ip"], port["target"]) for name, port in ports] == [
        (broker, "127.0.0.1", 5671) for broker in brokers
    ]


def test_no_worker_has_anothers_keys() -> None:
    """The keys of each process are in a volume that only it and those who make them have."""
    services = as_read(STACK, profile="commands")["services"]
    having: dict[str, set[str]] = {}
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            having.setdefault(volume.get("source", ""), set()).add(name)
    keys = {name: having[name] - {"keys"} for name in having if name.startswith("keys-")}
    assert keys.pop("keys-operator") == {"setup", "operator"}
    assert keys == {name: {name.removeprefix("keys-")} for name in keys}
    assert having["authority"] == {"keys", "operator"}
    assert len(keys) == 7


def test_the_readme_names_what_can_be_set() -> None:
    """Every variable of the compose file stands in the README with its default, and nothing else does."""
    used = dict(re.findall(r"\$\{(LIENTHONG_\w+):-([^}]*)\}", STACK.read_text(encoding="utf-8")))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("| For compose | Default | Meaning |\n", 1)[1].split("\n\n", 1)[0]
    told = dict(re.findall(r"^\| `(\w+)` \|\s*`?([^|`]*?)`?\s*\|", table, re.MULTILINE))
    assert told == used


@pytest.mark.parametrize(
    ("lock", "wanted"), [("requirements.lock", "pyproject.toml"), ("build.lock", "deploy/build.in")]
)
def test_the_lock_is_what_is_asked_for(lock: str, wanted: str) -> None:
    """Everything that is asked for is locked, to a version that will do, and with digests."""
    text = (ROOT / "deploy" / lock).read_text(encoding="utf-8")
    entries = re.findall(r"^([\w.-]+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", text, re.MULTILINE)
    assert len(entries) == len([line for line in text.splitlines() if line and line[0] not in " #"])
    locked = {canonicalize_name(name): version for name, version, _ in entries}
    asked = (ROOT / wanted).read_text(encoding="utf-8")
    if wanted.endswith(".toml"):
        project = tomllib.loads(asked)["project"]
        extras = project["optional-dependencies"]
        lines = [*project["dependencies"], *extras["reports"], *extras["traces"]]
    else:
        lines = [line.partition("#")[0] for line in asked.splitlines() if line.partition("#")[0].strip()]
    for requirement in map(Requirement, lines):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement
