"""Processes of ours: started, watched, measured, and ended by their own ids."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from bench import proc
from bench.errors import BenchError

LOOPBACK = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent


def environment() -> dict[str, str]:
    """
    That of this process, with what would change a measurement taken out and the
    checkout in front, so that C{twistd} finds our plugins.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HYBRIDCONN_", "AUTOBAHN_"))
        and name not in ("SSH_AUTH_SOCK", "PYTHONPROFILEIMPORTTIME")
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    """A TCP port that the system says is free on the loopback interface."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Child:
    """
    One process and its descendants.

    @ivar name: for messages.
    @ivar log: where what it prints goes.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        folder: Path,
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(argv),
                cwd=folder,
                stdin=stdin,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env={**environment(), **(env or {})},
                # Ctrl-C is for us: we end all of them.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    def check(self) -> None:
        """
        @raise BenchError: if it has ended.
        """
        if self.process.poll() is not None:
            said = self.log.read_text(errors="replace").strip().splitlines()
            last = said[-1] if said else "it said nothing"
            raise BenchError(
                f"{self.name} ended with status {self.process.returncode}: {last}"
            )

    def cpu(self) -> float:
        """Seconds of processor time so far, its descendants' among them."""
        return proc.cpu_seconds(proc.tree(self.pid))

    def memory(self) -> proc.Memory:
        """What it and its descendants hold now."""
        return proc.memory(proc.tree(self.pid))

    def stop(self, patience: float = 5.0) -> None:
        """End it and its descendants; harmless if they have ended."""
        family = proc.tree(self.pid)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        for one in family:
            # The start time tells it from a stranger that got the same id since.
            if one.pid != self.pid and proc.lives(one):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)


class Children:
    """All processes of a measurement; ended in reverse order when it is left."""

    def __init__(self) -> None:
        self._all: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def add(self, child: Child) -> None:
        """Have it ended at the end."""
        self._all.append(child)

    def start(self, name: str, argv: Sequence[str], folder: Path) -> Child:
        """Start a process."""
        child = Child(name, argv, folder)
        self.add(child)
        return child

    def check(self) -> None:
        """
        @raise BenchError: if one has ended.
        """
        for child in self._all:
            child.check()

    def end(self, child: Child) -> None:
        """End one of them now."""
        child.stop()
        self._all.remove(child)

    def stop(self) -> None:
        """End all of them."""
        while self._all:
            self._all.pop().stop()


def wait_for_port(port: int, children: Children, seconds: float = 20.0) -> None:
    """
    Until something accepts on a port.

    @raise BenchError: if nothing does in time, or a process ends meanwhile.
    """
    deadline = time.monotonic() + seconds
    while True:
        children.check()
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port)):
            return
        if time.monotonic() > deadline:
            raise BenchError(f"nothing listens on port {port} after {seconds:.0f} s")
        time.sleep(0.05)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """
    Take SIGTERM as Ctrl-C is taken, so that what was started is ended then too.
    """

    def interrupted(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
