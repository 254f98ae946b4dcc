"""Tests of L{hybridconn.operation.notify}, with a real socket of this machine."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hybridconn.operation.notify import (
    Manager,
    reloading,
    under_manager,
    unmanaged,
)
from hybridconn.startup import HangupService, PortService, ports_open
from hybridconn.testing.network import MemoryNetwork


class NotifyTestCase(SynchronousTestCase):
    """A service manager's socket."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="hc-")
        self.addCleanup(folder.cleanup)
        self.address = str(Path(folder.name) / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.address)
        self.socket.setblocking(False)
        self.environ = {"NOTIFY_SOCKET": self.address}
        self.clock = Clock()

    def told(self) -> list[str]:
        """What came since the last look."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@implementer(IStreamServerEndpoint)
class LateEndpoint:
    """Listens when C{listening} fires."""

    def __init__(self) -> None:
        self.listening: Deferred[Any] = Deferred()

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        return self.listening


class ServiceTests(NotifyTestCase):
    """A program's life."""

    def setUp(self) -> None:
        super().setUp()
        self.program = MultiService()
        self.endpoint = LateEndpoint()
        self.port = PortService(self.endpoint, Factory())
        self.port.setServiceParent(self.program)

    def open(self) -> None:
        """The port is open."""
        port = MemoryNetwork(self.clock).listen("", 443, Factory())
        self.endpoint.listening.callback(port)

    def start(self) -> Any:
        whole: Any = under_manager(
            self.program, lambda: ports_open(self.program), self.clock, self.environ
        )
        whole.startService()
        return whole

    def test_life(self) -> None:
        """READY in the reactor's first turn, STOPPING before anything is stopped."""
        self.open()
        whole = self.start()
        self.assertEqual(self.told(), [])
        self.clock.advance(0)
        self.assertEqual(self.told(), ["READY=1"])
        before: list[str] = []
        self.patch(self.port, "stopService", lambda: before.extend(self.told()))
        whole.stopService()
        self.assertEqual(before, ["STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_ready(self) -> None:
        """Not while a port is not open."""
        self.start()
        self.clock.advance(5)
        self.assertEqual(self.told(), [])
        self.open()
        self.clock.advance(0.1)
        self.assertEqual(self.told(), ["READY=1"])

    def test_stopped_before(self) -> None:
        """A program that ends before it was ready never says so."""
        whole = self.start()
        self.clock.advance(0)
        whole.stopService()
        self.clock.advance(5)
        self.assertEqual(self.told(), ["STOPPING=1"])

    def test_watchdog(self) -> None:
        """From READY on it is told three times in the time that it waits."""
        self.environ["WATCHDOG_USEC"] = "3000000"
        self.environ["WATCHDOG_PID"] = str(os.getpid())
        self.open()
        whole = self.start()
        self.clock.advance(0)
        self.assertEqual(self.told(), ["READY=1", "WATCHDOG=1"])
        self.clock.pump([0.5] * 6)
        self.assertEqual(self.told(), ["WATCHDOG=1"] * 3)
        whole.stopService()
        self.clock.advance(5)
        self.assertEqual(self.told(), ["STOPPING=1"])

    def test_no_manager(self) -> None:
        """Without a manager the program is what is started."""
        for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}):
            whole = under_manager(self.program, lambda: True, self.clock, environ)
            self.assertIs(whole, self.program)

    def test_manager_gone(self) -> None:
        """A manager that is not there does no harm."""
        os.unlink(self.address)
        self.open()
        whole = self.start()
        self.clock.advance(0)
        whole.stopService()


class ManagerTests(NotifyTestCase):
    """What the environment says, and single words."""

    def test_watchdog(self) -> None:
        """A watchdog for another process, or one that is no number, is none."""
        for more, expected in (
            ({"WATCHDOG_USEC": "500000"}, 0.5),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, 0.5),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, None),
            ({"WATCHDOG_USEC": "-1"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({}, None),
        ):
            manager = Manager.from_environment({**self.environ, **more}, 7)
            assert manager is not None
            self.assertEqual(manager.watchdog, expected)

    def test_abstract(self) -> None:
        """A socket without a file will do."""
        name = f"hybridconn-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(f"\0{name}")
            heard.settimeout(5)
            Manager(f"@{name}").tell("A=1", "B=2")
            self.assertEqual(heard.recv(100), b"A=1\nB=2")

    def test_reloading(self) -> None:
        """Before and after the work; the second also if it failed."""
        heard: list[str] = []
        reloading(lambda: heard.extend(self.told()), self.environ)
        self.assertRegex(heard[0], r"^RELOADING=1\nMONOTONIC_USEC=[0-9]+$")
        self.assertEqual(self.told(), ["READY=1"])
        self.assertRaises(ZeroDivisionError, reloading, lambda: 1 // 0, self.environ)
        self.assertEqual(self.told()[1:], ["READY=1"])
        reloading(lambda: heard.append("done"), {})
        self.assertEqual(heard[1:], ["done"])

    def test_hangup(self) -> None:
        """At the signal of a service manager the work is done between the two."""
        done: list[str] = []

        class Reactor:
            def callFromThread(self, call: Any, *arguments: Any) -> None:
                call(*arguments)

        hangup = HangupService(Reactor(), lambda: done.extend(self.told()))
        hangup.startService()
        self.addCleanup(hangup.stopService)
        with patch.dict(os.environ, self.environ):
            os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual([one.split("\n")[0] for one in done], ["RELOADING=1"])
        self.assertEqual(self.told(), ["READY=1"])

    def test_unmanaged(self) -> None:
        """Other processes are not told of the manager."""
        environ = {**self.environ, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "A": "b"}
        self.assertEqual(unmanaged(environ), {"A": "b"})
