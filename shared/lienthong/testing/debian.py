"""Installing Debian packages of servers, without letting the package start a service of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lienthong.errors import MisconfiguredError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["install"]

POLICY = Path("/usr/sbin/policy-rc.d")
FORBIDDEN = 101
"""What Debian's policy-rc.d answers for "this action must not be done"."""


def install(*packages: str) -> None:
    """Install Debian packages when this process is root, and say so on standard error.

    Raises:
        MisconfiguredError: this is not Debian, not root, or the installation failed; the text says what to do.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise MisconfiguredError(f"not installed, and this is not a Debian machine: {names}")
    command = f"apt-get install --no-install-recommends {names}"
    if os.geteuid() != 0:
        raise MisconfiguredError(f"not installed: {names}; run as root: {command}")
    _say(f"cài đặt / installing {names}")
    with _one_at_a_time(), _no_services():
        _apt("update")
        _apt("install", "--no-install-recommends", *packages)


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    ended = subprocess.run(  # noqa: S603 - our own arguments
        ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=300", *arguments],  # noqa: S607 - wherever Debian has it
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if ended.returncode:
        output = ended.stdout.decode(errors="replace")[-2000:].strip()
        raise MisconfiguredError(f"apt-get {' '.join(arguments)} ended with status {ended.returncode}:\n{output}")


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait for another process that is here: `apt-get update` would not, and only one can set the rule below."""
    folder = os.open(POLICY.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Forbid package scripts to start services, unless the machine has its own rule about that."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(f"#!/bin/sh\nexit {FORBIDDEN}\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _say(text: str) -> None:
    sys.stderr.write(f"lienthong: {text}\n")
    sys.stderr.flush()
