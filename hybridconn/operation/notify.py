"""
Telling the service manager how we are, by the protocol of C{sd_notify(3)}: a datagram
with lines of C{NAME=value} to the socket that C{NOTIFY_SOCKET} names.  Where there is
no such variable, nothing is told.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.application.service import (
    IService,
    IServiceCollection,
    MultiService,
    Service,
)
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

#: How often it is looked whether the program is ready, seconds.
_STEP = 0.1
#: The manager hears of us so often in the time that it waits.
_PINGS = 3

_log = Logger()


@frozen
class Manager:
    """
    The service manager.

    @ivar address: of its socket; with C{@} in front for an abstract one.
    @ivar watchdog: it takes us for hung after so many seconds without a word;
        L{None}: never.
    """

    address: str
    watchdog: float | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], pid: int) -> Manager | None:
        """
        @param pid: ours; a watchdog may be for another process.
        @return: L{None}: there is none.
        """
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return None
        watchdog = None
        meant = environ.get("WATCHDOG_PID", str(pid))
        microseconds = environ.get("WATCHDOG_USEC", "")
        if meant == str(pid) and microseconds.isascii() and microseconds.isdigit():
            watchdog = int(microseconds) / 1_000_000 or None
        return cls(address, watchdog)

    def tell(self, *lines: str) -> None:
        """Send C{lines}; what cannot be sent is said in the log."""
        address = self.address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            _log.warn(
                "the service manager could not be told {lines}: {why}",
                lines=" ".join(lines),
                why=error.strerror or type(error).__name__,
            )


class NotifyService(Service):
    """
    Tells the manager when all is ready, that the reactor turns, and when it ends.

    @param ready: whether the program does its work.
    """

    def __init__(
        self, manager: Manager, ready: Callable[[], bool], reactor: Any
    ) -> None:
        self._manager = manager
        self._is_ready = ready
        self._clock = reactor
        self._look: IDelayedCall | None = None
        self._pings = LoopingCall(manager.tell, "WATCHDOG=1")
        self._pings.clock = reactor

    def startService(self) -> None:
        """Look from now on whether all is ready (Twisted)."""
        super().startService()
        # In the reactor's turn: before that nothing is served.
        self._look = self._clock.callLater(0, self._looked)

    def stopService(self) -> None:
        """The program is about to end (Twisted)."""
        super().stopService()
        look, self._look = self._look, None
        if look is not None:
            look.cancel()
        if self._pings.running:
            self._pings.stop()
        self._manager.tell("STOPPING=1")

    def _looked(self) -> None:
        self._look = None
        if not self._is_ready():
            self._look = self._clock.callLater(_STEP, self._looked)
            return
        self._manager.tell("READY=1")
        if self._manager.watchdog is not None:
            self._pings.start(self._manager.watchdog / _PINGS)


def under_manager(
    service: IService,
    ready: Callable[[], bool],
    reactor: Any,
    environ: Mapping[str, str] = os.environ,
) -> IService:
    """
    Have the manager, if there is one, told of a program.

    @param service: all of the program.
    @param ready: whether it does its work.
    @return: what is to be started in its place.
    """
    manager = Manager.from_environment(environ, os.getpid())
    if manager is None:
        return service
    both = MultiService()
    service.setServiceParent(IServiceCollection(both))
    # The last one is the first that is stopped.
    NotifyService(manager, ready, reactor).setServiceParent(both)
    return both


def reloading(
    work: Callable[[], object], environ: Mapping[str, str] = os.environ
) -> None:
    """Do C{work}, which takes over a changed configuration, and tell the manager."""
    manager = Manager.from_environment(environ, os.getpid())
    if manager is not None:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        manager.tell("RELOADING=1", f"MONOTONIC_USEC={now}")
    try:
        work()
    finally:
        if manager is not None:
            manager.tell("READY=1")


def unmanaged(environ: Mapping[str, str]) -> dict[str, str]:
    """C{environ} for processes of ours that are not the manager's business."""
    ours = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
    return {name: value for name, value in environ.items() if name not in ours}
