"""Child processes that leave nothing behind, however this process ends."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lienthong.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

__all__ = ["Family", "Process", "Switch", "free_ports", "private_folder", "run"]

STOP_SECONDS = 10.0
OPEN_FILES = 65_536
LOG_TAIL_CHARACTERS = 2000

# Waits for the end of its standard input, which comes with the end of whoever holds the other side, even by kill -9;
# then ends its process group, itself included. SIGQUIT first: PostgreSQL then frees its shared memory.
GUARD = """trap '' QUIT INT TERM HUP; read -r _; kill -QUIT 0; sleep 1; rm -rf -- "$1"; kill -KILL 0"""

# A server that runs out of file descriptors refuses agencies; as many as this user may have, up to `OPEN_FILES`.
WITH_OPEN_FILES = f'ulimit -n {OPEN_FILES} 2>/dev/null || ulimit -n "$(ulimit -Hn)" 2>/dev/null || :; exec "$@"'

_random = random.SystemRandom()


class Process:
    """One child process whose output goes to a log file."""

    def __init__(self, name: str, launch: Callable[[], subprocess.Popen[bytes]], log: Path) -> None:
        self.name = name
        self._launch = launch
        self._child = launch()
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def failure(self) -> str | None:
        """Return None while it runs, else how it ended and the end of its log."""
        status = self._child.poll()
        if status is None:
            return None
        return f"{self.name} ended with status {status}:\n{self.log_tail()}"

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        return self.log()[-LOG_TAIL_CHARACTERS:].strip()

    def log(self) -> str:
        """Return all of its log."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self, with_signal: signal.Signals) -> None:
        """Send it a signal and wait until it has ended; kill it when that takes longer than `STOP_SECONDS`."""
        if self._child.poll() is None:
            self._child.send_signal(with_signal)
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and to every process below it, itself first: it starts no more when that stops it."""
        pids = [self._child.pid]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            pids += _children(pid)

    def start_again(self) -> None:
        """Start it as it was started first, once it has ended."""
        assert self.failure() is not None, "it still runs"
        self._child = self._launch()


@dataclass(frozen=True, slots=True)
class Switch:
    """Ends a server that is a process, and starts it again on the files it left.

    Attributes:
        process: the server.
        orderly: what it is sent to end in order.
    """

    process: Process
    orderly: signal.Signals

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.stop(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self.process.stop(self.orderly)

    def start(self) -> None:
        """Start it again; it is not ready yet."""
        self.process.start_again()

    def freeze(self) -> None:
        """Let it and all it started stand still."""
        self.process.signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self.process.signal_all(signal.SIGCONT)


class Family:
    """Child processes in one process group, which ends with this block or with this process, whichever is first.

    Args:
        folder: removed by the guard when this process was killed; else left to whoever made it.
        stop_signal: what each process is sent first, the last started in front.
    """

    def __init__(self, folder: Path, *, stop_signal: signal.Signals) -> None:
        self._folder = folder
        self._stop_signal = stop_signal
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        self._guard = subprocess.Popen(  # noqa: S603 - our own script
            ["/bin/sh", "-c", GUARD, "guard", str(self._folder)],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        return self

    def start(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        user: int | None = None,
        group: int | None = None,
    ) -> Process:
        """Start a program as a member of the family.

        Args:
            arguments: the program and its arguments.
            log: file its output goes to.
            environment: all of its environment.
            user: user id to run as, only when this process is root.
            group: group id to run as, likewise.
        """

        def launch() -> subprocess.Popen[bytes]:
            with log.open("ab") as output:
                return subprocess.Popen(  # noqa: S603 - arguments are our own
                    ["/bin/sh", "-c", WITH_OPEN_FILES, "sh", *arguments],
                    cwd=log.parent,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=self._guard.pid,
                    user=user,
                    group=group,
                    extra_groups=None if user is None else [],
                )

        process = Process(Path(arguments[0]).name, launch, log)
        self._processes.append(process)
        return process

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            for process in reversed(self._processes):
                process.stop(self._stop_signal)
        finally:
            # What the processes themselves started, and the guard.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._guard.pid, signal.SIGKILL)
            if self._guard.stdin:
                self._guard.stdin.close()
            self._guard.wait()


def run(arguments: Sequence[str], *, folder: Path, user: int | None = None, group: int | None = None) -> None:
    """Run a program to its end.

    Raises:
        Unavailable: it ended with another status than 0; the text has its output.
    """
    ended = subprocess.run(  # noqa: S603 - arguments are our own
        arguments,
        cwd=folder,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        user=user,
        group=group,
        extra_groups=None if user is None else [],
    )
    if ended.returncode:
        output = ended.stdout.decode(errors="replace")[-LOG_TAIL_CHARACTERS:].strip()
        raise Unavailable(f"{Path(arguments[0]).name} ended with status {ended.returncode}:\n{output}")


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on, on the loopback interface.

    They lie below the range from which Linux takes the local ports of outgoing connections, so that none of those
    takes one between this call and the start of the server.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = _random.randrange(20_000, 32_000)
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


@contextlib.contextmanager
def private_folder(name: str, within: Path, *, user: int | None = None, group: int | None = None) -> Iterator[Path]:
    """Make a folder for one server, owned by the user it runs as, and remove it afterwards.

    Args:
        name: what its name begins with.
        within: the folder it lies in, made when missing. When `user` may not pass through it (a folder below
            ``/root``, say), a folder for temporary files that the user can reach takes its place.
        user: user id of the owner; None for the user of this process.
        group: group id of the owner.
    """
    within.mkdir(parents=True, exist_ok=True)
    if user is not None:
        within = next(
            (
                folder
                for folder in (within.resolve(), Path(tempfile.gettempdir()), Path("/var/tmp"))  # noqa: S108 - mkdtemp
                if _can_enter(folder, user, group)
            ),
            within,
        )
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=within))
    try:
        if user is not None:
            os.chown(folder, user, -1 if group is None else group)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started, as Linux lists them."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, thread.read_text().split())
    return found


def _can_enter(folder: Path, user: int, group: int | None) -> bool:
    entered = subprocess.run(  # noqa: S603 - our own arguments
        ["/usr/bin/test", "-x", str(folder)], check=False, cwd="/", user=user, group=group, extra_groups=[]
    )
    return entered.returncode == 0
