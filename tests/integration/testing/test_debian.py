"""Installing servers' packages without disturbing the machine."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from lienthong.errors import MisconfiguredError, Unavailable
from lienthong.testing import debian, docker

if TYPE_CHECKING:
    from pathlib import Path


def test_packages_start_no_services_while_they_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failing apt-get is told with its output, and the machine's rule about services is as it was."""
    policy = tmp_path / "policy-rc.d"
    apt = tmp_path / "apt-get"
    apt.write_text(f"#!/bin/sh\n[ -x {policy} ] && echo forbidden && {policy}; echo status $?; exit 100\n")
    apt.chmod(0o755)
    monkeypatch.setattr(debian, "POLICY", policy)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(MisconfiguredError, match="status 100:\nforbidden\nstatus 101"):
        debian.install("no-such-package")
    assert "installing no-such-package" in capsys.readouterr().err
    assert not policy.exists()


def test_the_machine_keeps_its_own_rule_about_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is there already stays as it is."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("the machine's own")
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\nexit 0\n")
    apt.chmod(0o755)
    monkeypatch.setattr(debian, "POLICY", policy)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    debian.install("anything")
    assert policy.read_text() == "the machine's own"


def test_without_root_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cannot install is told exactly what root has to run."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(MisconfiguredError, match=r"as root: apt-get install --no-install-recommends a b$"):
        debian.install("a", "b")


def test_image_that_cannot_be_had_makes_docker_unusable() -> None:
    """An engine that answers is not enough: without the image Docker is refused in bounded time, with the reason."""
    with pytest.raises(Unavailable, match=r"^Docker: "):
        docker.prepare("lienthong.invalid/no-such-image:0")


def test_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an engine elsewhere publishes on its loopback interface cannot be reached from here."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example:2375")
    with pytest.raises(Unavailable, match=r"docker\.example:2375 is not on this machine"):
        docker.prepare(docker.BROKER_IMAGE)
