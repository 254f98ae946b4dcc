"""Starting, stopping and stopping short of real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

import hybridconn
from hybridconn.redirect.listening import listening
from tests.integration.waiting import wait_for

_SOURCE = str(Path(next(iter(hybridconn.__path__))).resolve().parent)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: it finds the same hybridconn as we do."""
    env = dict(os.environ)
    env.pop("HYBRIDCONN_CONNECTION_STRING", None)
    env["PYTHONPATH"] = _SOURCE
    env["PYTHONUNBUFFERED"] = "1"
    env.update(extra or {})
    return env


def twistd(*arguments: str) -> list[str]:
    """The command line of one of our services, in the foreground."""
    start = "from twisted.scripts.twistd import run; run()"
    return [sys.executable, "-c", start, "--nodaemon", "--pidfile=", *arguments]


def command(*arguments: str) -> list[str]:
    """The command line of C{hybridconn}."""
    start = "from hybridconn.cli import main; main()"
    return [sys.executable, "-c", start, *arguments]


class Program:
    """
    A child process with its log.

    @ivar name: for people, and the log's file name.
    @ivar ours: whether it is one of our three services, whose log must hold
        neither secrets nor tracebacks.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        folder: Path,
        ours: bool = True,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.folder = folder
        self.ours = ours
        self.path = folder / f"{name}.log"
        self._env = env
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> Program:
        """Start it, or start it again after it ended; the log goes on."""
        with self.path.open("ab") as log:
            self._child = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(self._env),
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )
        return self

    @property
    def child(self) -> subprocess.Popen[bytes]:
        """The process; it was started."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._child is not None and self._child.poll() is None

    # --- its log -------------------------------------------------------------

    def log(self, since: int = 0) -> str:
        """What it has printed after the first C{since} bytes."""
        with self.path.open("rb") as log:
            log.seek(since)
            return log.read().decode("utf-8", "replace")

    def mark(self) -> int:
        """The place in the log where we are now, for C{since}."""
        return self.path.stat().st_size if self.path.exists() else 0

    def wait_log(
        self, pattern: str, seconds: float = 15.0, since: int = 0
    ) -> re.Match[str]:
        """Wait until it prints something that C{pattern} finds."""

        def ask() -> re.Match[str] | None:
            found = re.search(pattern, self.log(since))
            if found is None:
                assert self.running, f"{self.name} ended: {self.log(since)[-2000:]}"
            return found

        return wait_for(f"{self.name} to log {pattern!r}", ask, seconds)

    def wait_port(self, port: int, seconds: float = 15.0) -> None:
        """Wait until it listens on C{port}, without connecting to it."""

        def ask() -> bool:
            assert self.running, f"{self.name} ended: {self.log()[-2000:]}"
            return port in self.ports()

        wait_for(f"{self.name} to listen on {port}", ask, seconds)

    def ports(self) -> set[int]:
        """The TCP ports it listens on; on a host of its own, all that are used."""
        there, here = (os.readlink(f"/proc/{p}/ns/net") for p in (self.pid, "self"))
        if there != here:
            return {at.port for at in listening(Path(f"/proc/{self.pid}"))}
        return {
            at.laddr.port
            for at in psutil.Process(self.pid).net_connections("tcp")
            if at.status == psutil.CONN_LISTEN
        }

    def sockets(self) -> int:
        """How many TCP connections it has that are established."""
        return sum(
            at.status == psutil.CONN_ESTABLISHED
            for at in psutil.Process(self.pid).net_connections("tcp")
        )

    def memory(self) -> int:
        """Resident memory in bytes."""
        return int(psutil.Process(self.pid).memory_info().rss)

    # --- its end -------------------------------------------------------------

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.child.kill()
        self.child.wait(10)

    def pause(self) -> None:
        """Stop it without ending it; its connections stay open."""
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after L{pause}."""
        self.child.send_signal(signal.SIGCONT)

    def stop(self, seconds: float = 15.0) -> int:
        """Ask it to end and wait for that; killed if it does not."""
        if not self.running:
            return self.child.returncode
        self.resume()
        self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end on SIGTERM") from None

    def discard(self) -> None:
        """End it, whatever state it is in."""
        if self.running:
            self.kill()


def output_of(
    argv: Sequence[str],
    seconds: float = 60.0,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    given: bytes | None = None,
    user: str | None = None,
) -> tuple[int, str]:
    """Run a program to its end: its exit status and all that it printed."""
    done = subprocess.run(
        list(argv),
        cwd=folder,
        input=given if given is not None else b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(env),
        timeout=seconds,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")
