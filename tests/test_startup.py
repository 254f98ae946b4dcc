"""Tests of L{hybridconn.startup}."""

from __future__ import annotations

import errno
import os
from unittest.mock import patch

from twisted.application.service import IServiceCollection, MultiService, Service
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config import ConfigError
from hybridconn.operation.notify import NotifyService
from hybridconn.operation.updates import UpdateNotice, UpdateSettings
from hybridconn.startup import as_unit, exit_for_port, ports_open
from hybridconn.tls import CertificateFiles, TLSConfigError
from hybridconn.wayout.way import WayOut

SETTINGS = UpdateSettings("https://updates.example.net/")


class UnitTests(SynchronousTestCase):
    """A program, the notice of newer versions, and the service manager."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.program = Service()

    def kinds(self, whole: object) -> list[type]:
        """What is in a service, from the outside in."""
        below = list(IServiceCollection(whole))
        found: list[type] = []
        for one in below:
            if isinstance(one, MultiService):
                found.extend(self.kinds(one))
            else:
                found.append(type(one))
        return found

    def test_bare(self) -> None:
        """Nothing is put around a program where nothing is wanted."""
        with patch.dict(os.environ, {}, clear=True):
            whole = as_unit(self.program, self.reactor, UpdateSettings())
        self.assertIs(whole, self.program)

    def test_both(self) -> None:
        """The manager's service is the last, so it is the first that is stopped."""
        with patch.dict(os.environ, {"NOTIFY_SOCKET": "/run/x"}, clear=True):
            whole = as_unit(self.program, self.reactor, SETTINGS)
        self.assertEqual(self.kinds(whole), [Service, UpdateNotice, NotifyService])

    def test_bad_environment(self) -> None:
        """A proxy that is none is a mistake; with its own way it does not matter."""
        with patch.dict(os.environ, {"HTTPS_PROXY": "ftp://x"}, clear=True):
            error = self.assertRaises(
                ConfigError, as_unit, self.program, self.reactor, SETTINGS
            )
            self.assertEqual(len(error.mistakes), 1)
            self.assertIn("HTTPS_PROXY is no proxy", str(error))
            as_unit(self.program, self.reactor, SETTINGS, WayOut())

    def test_certificates(self) -> None:
        """Authorities are read at once; a certificate of our own is not shown there."""
        settings = UpdateSettings("https://updates.example.net/", 1.0, ("no.pem",))
        self.assertRaises(
            TLSConfigError, as_unit, self.program, self.reactor, settings, WayOut()
        )
        way = WayOut(client_certificate=CertificateFiles("no.pem", "no.key"))
        as_unit(self.program, self.reactor, SETTINGS, way)

    def test_ports_open(self) -> None:
        """A service that was stopped on purpose does not count."""
        whole = MultiService()
        self.program.setServiceParent(whole)
        self.assertFalse(ports_open(whole))
        whole.startService()
        self.assertTrue(ports_open(whole))
        self.program.stopService()
        self.assertTrue(ports_open(whole))


class PortTests(SynchronousTestCase):
    """A port that cannot be opened."""

    def test_mend(self) -> None:
        """What the program ends with says what to do."""
        for number, mend in (
            (errno.EADDRINUSE, "stop what uses it."),
            (errno.EACCES, "net.ipv4.ip_unprivileged_port_start with sysctl."),
            (errno.EADDRNOTAVAIL, "dev lo)."),
        ):
            why = os.strerror(number)
            error = CannotListenError("", 443, OSError(number, why))
            ended = self.assertRaises(
                SystemExit, exit_for_port("hcrelay", "0.0.0.0 port 443"), Failure(error)
            )
            said = str(ended.code)
            start = f"hcrelay: cannot listen on 0.0.0.0 port 443: {why}. "
            self.assertTrue(said.startswith(start), said)
            self.assertTrue(said.endswith(mend), said)
