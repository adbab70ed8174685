"""The compose file of the cluster, as Docker reads it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from lienthong.testing import docker
from lienthong.testing.docker_cluster import BROKERS, COMPOSE_FILE, LEDGERS, SECRETS


def test_docker_accepts_the_cluster() -> None:
    """The file is valid by itself, of the versions that are tested, open to this machine only, secrets in files."""
    if shutil.which("docker") is None or subprocess.run(["docker", "compose", "version"], check=False).returncode:  # noqa: S607
        pytest.skip("docker compose is not installed")
    read = subprocess.run(  # noqa: S603 - our own arguments
        ["docker", "compose", "-f", str(COMPOSE_FILE), "config", "--format", "json"],  # noqa: S607
        env={name: value for name, value in os.environ.items() if not name.startswith("LIENTHONG_")},
        check=True,
        capture_output=True,
    )
    said = json.loads(read.stdout)
    assert {name: service["image"] for name, service in said["services"].items()} == dict.fromkeys(
        BROKERS, docker.BROKER_IMAGE
    ) | dict.fromkeys(LEDGERS, docker.LEDGER_IMAGE)
    assert {port["host_ip"] for service in said["services"].values() for port in service["ports"]} == {"127.0.0.1"}
    assert all("healthcheck" in service for service in said["services"].values())
    assert said["secrets"].keys() == set(SECRETS)
