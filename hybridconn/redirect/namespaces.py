"""
Namespaces of one's own (namespaces(7)): files, a network, and where that needs it
users.  Those who enter them stay who they are; others than root lose all power with
the program that they become.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

NEW_MOUNTS, NEW_USERS, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
_BIND, _PRIVATE = 4096, (1 << 18) | (1 << 14)


def libc() -> ctypes.CDLL:
    """The C library; its functions leave their error for L{check}."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """
    @param what: what was called, or the file.
    @raise OSError: the function whose result this is has failed.
    """
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def leave_for(kinds: int) -> None:
    """
    Have this process in new namespaces, and if that needs it in one of users, too.

    @param kinds: C{NEW_MOUNTS}, C{NEW_NETWORK}.
    @raise OSError: it is not allowed.
    """
    if libc().unshare(kinds) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    check(libc().unshare(NEW_USERS | kinds), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def join(descriptor: int) -> None:
    """
    Have this process in a namespace of others.

    @param descriptor: of a file of C{/proc/PID/ns}.
    @raise OSError: it is not allowed.
    """
    check(libc().setns(descriptor, 0), "setns")


def cover(files: Mapping[Path, bytes]) -> None:
    """
    Have this process, in a mount namespace of its own, see C{files}.

    @param files: each must be there already.
    @raise OSError: it is not allowed, or one is not there.
    """
    mount = libc().mount
    check(mount(b"none", b"/", None, _PRIVATE, None), "/")
    for path, content in files.items():
        # Once it is mounted, the file needs no name, so none is left behind.
        with tempfile.NamedTemporaryFile() as made:
            made.write(content)
            made.flush()
            os.fchmod(made.fileno(), 0o644)
            source, target = os.fsencode(made.name), os.fsencode(path)
            check(mount(source, target, None, _BIND, None), str(path))
