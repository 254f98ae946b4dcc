"""
Files that one command and its children see in place of the system's, and the network
that they are in.  Nothing is left of it when they end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from hybridconn.redirect.errors import RedirectError
from hybridconn.redirect.namespaces import NEW_MOUNTS, cover, leave_for, libc

_DIES_WITH_PARENT = 1
_NOT_FOUND, _NOT_RUN = 127, 126
#: Signals that are meant for the command.
_PASSED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class NotAllowed(RedirectError):
    """This system lets nobody have files of their own."""


class NotRun(RedirectError):
    """
    The command cannot be run.

    @ivar code: the exit status by which shells tell it.
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class PrivateCommand:
    """
    A command that sees C{files} in place of the system's.

    @ivar pid: of the command.
    """

    def __init__(
        self,
        argv: Sequence[str],
        files: Mapping[Path, bytes],
        join: Callable[[], None] | None = None,
    ) -> None:
        """
        Start it.

        @param files: each must be there already.
        @param join: brings the process that calls it to the network that the command
            is to be in; by default that is the one of all.
        @raise NotAllowed: there can be no such files.
        @raise NotRun: the command cannot be run.
        """
        if sys.platform != "linux":
            raise NotAllowed("files of one's own are to be had on Linux only")
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            _become(list(argv), files, join, writer)
        os.close(writer)
        with open(reader, "rb") as opened:
            said = opened.read().decode("utf-8", "replace")
        if said:
            _, status = os.waitpid(self.pid, 0)
            kind, _, text = said.partition(" ")
            if kind == "files":
                raise NotAllowed(text)
            raise NotRun(text, os.waitstatus_to_exitcode(status))

    def wait(self) -> int:
        """
        Wait for its end, and pass signals on meanwhile.

        @return: its exit status, 128 and the signal if one ended it, as a shell says.
        """
        # A terminal tells the command by itself.
        before = {
            number: signal.signal(number, signal.SIG_IGN)
            for number in (signal.SIGINT, signal.SIGQUIT)
        }
        for number in _PASSED:
            before[number] = signal.signal(
                number, lambda sent, _: os.kill(self.pid, sent)
            )
        try:
            _, status = os.waitpid(self.pid, 0)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        code = os.waitstatus_to_exitcode(status)
        return 128 - code if code < 0 else code


def die_with_parent() -> None:
    """Have this process end when the one that started it does."""
    libc().prctl(_DIES_WITH_PARENT, signal.SIGTERM, 0, 0, 0)


def _become(
    argv: list[str],
    files: Mapping[Path, bytes],
    join: Callable[[], None] | None,
    writer: int,
) -> NoReturn:
    """In the child: become the command, or say why not."""
    code = _NOT_RUN
    try:
        try:
            if join is not None:
                join()
            if files:
                leave_for(NEW_MOUNTS)
                cover(files)
        except OSError as error:
            _tell(writer, "files", f"{error.filename or 'unshare'}: {error.strerror}")
        else:
            # Python ignores these; what is ignored would stay so in the command.
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(argv[0], argv)
    except FileNotFoundError:
        code = _NOT_FOUND
        _tell(writer, "command", f"{argv[0]}: there is no such command")
    except OSError as error:
        _tell(writer, "command", f"{argv[0]} cannot be run: {error.strerror}")
    finally:
        os._exit(code)


def _tell(writer: int, kind: str, text: str) -> None:
    os.write(writer, f"{kind} {text}".encode())
