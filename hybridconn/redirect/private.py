"""
Files that one command and its children see in place of the system's: a mount
namespace of their own (mount_namespaces(7)), and where that needs it a user namespace
in which they stay who they are.  Nothing is left of it when they end.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from hybridconn.redirect.errors import RedirectError

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_BIND, _PRIVATE = 4096, (1 << 18) | (1 << 14)
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

    def __init__(self, argv: Sequence[str], files: Mapping[Path, bytes]) -> None:
        """
        Start it.

        @param files: each must be there already.
        @raise NotAllowed: there can be no such files.
        @raise NotRun: the command cannot be run.
        """
        if sys.platform != "linux":
            raise NotAllowed("files of one's own are to be had on Linux only")
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            _become(list(argv), files, writer)
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
    _libc().prctl(_DIES_WITH_PARENT, signal.SIGTERM, 0, 0, 0)


def _become(argv: list[str], files: Mapping[Path, bytes], writer: int) -> NoReturn:
    """In the child: become the command, or say why not."""
    code = _NOT_RUN
    try:
        try:
            _enter(files)
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


def _enter(files: Mapping[Path, bytes]) -> None:
    """
    @raise OSError: it is not allowed.
    """
    if not files:
        return
    libc = _libc()
    user, group = os.geteuid(), os.getegid()
    if user != 0 or libc.unshare(_NEW_MOUNTS) != 0:
        _check(libc.unshare(_NEW_USERS | _NEW_MOUNTS), "unshare")
        # We stay who we are, and lose all power with the command.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _check(libc.mount(b"none", b"/", None, _PRIVATE, None), "/")
    for path, content in files.items():
        # Once it is mounted, the file needs no name, so none is left behind.
        with tempfile.NamedTemporaryFile() as made:
            made.write(content)
            made.flush()
            os.fchmod(made.fileno(), 0o644)
            source, target = os.fsencode(made.name), os.fsencode(path)
            _check(libc.mount(source, target, None, _BIND, None), str(path))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
