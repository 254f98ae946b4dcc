"""Tests of L{hybridconn.redirect.network}: ports that are opened by another process."""

from __future__ import annotations

import errno
import os
import socket
from unittest.mock import patch

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.redirect import network
from hybridconn.redirect.network import PortsElsewhere
from hybridconn.redirect.private import NotAllowed


class FakeReactor:
    """Notes what it is to adopt."""

    def __init__(self) -> None:
        self.adopted: list[tuple[object, ...]] = []
        self.inherited = False

    def adoptStreamPort(self, descriptor: int, *others: object) -> str:
        self.inherited |= os.get_inheritable(descriptor)
        self.adopted.append((*os.fstat(descriptor)[:2], *others))
        return "stream port"

    def adoptDatagramPort(self, descriptor: int, *others: object) -> str:
        self.adopted.append((*os.fstat(descriptor)[:2], *others))
        return "datagram port"


class OwnNetworkTests(SynchronousTestCase):
    """The way to a network of one's own."""

    def test_too_few(self) -> None:
        """Unless all of its namespaces came there is none, rather than everybody's."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        half = (b"ready\x02", [reader])
        with patch.object(network, "_received", return_value=half):
            error = self.assertRaises(NotAllowed, network.OwnNetwork)
        self.assertIn("too few files", str(error))
        self.assertRaises(OSError, os.fstat, reader)  # nothing is left open


class PortsElsewhereTests(SynchronousTestCase):
    """The keeper's answers lie ready."""

    def setUp(self) -> None:
        self.keeper, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.keeper.close)
        self.reactor = FakeReactor()
        self.ports = PortsElsewhere(self.reactor, ours.detach())

    def hand_out(self, family: int, kind: int) -> tuple[int, int]:
        """Have a socket lie ready; what it is known by."""
        with socket.socket(family, kind) as made:
            socket.send_fds(self.keeper, [b"0"], [made.fileno()])
            return os.fstat(made.fileno())[:2]

    def asked(self) -> bytes:
        return self.keeper.recv(100)

    def test_streams(self) -> None:
        """The socket is adopted with its family, and no copy of it is left open."""
        known = self.hand_out(socket.AF_INET6, socket.SOCK_STREAM)
        factory = Factory()
        before = len(os.listdir("/proc/self/fd"))
        port = self.ports.listenTCP(443, factory, 7, interface="::1")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertFalse(self.reactor.inherited)
        self.assertEqual(port, "stream port")
        self.assertEqual(self.asked(), b"stream ::1 443 7")
        self.assertEqual(self.reactor.adopted, [(*known, socket.AF_INET6, factory)])

    def test_datagrams(self) -> None:
        """So is one for datagrams, with the size of the longest."""
        known = self.hand_out(socket.AF_INET, socket.SOCK_DGRAM)
        protocol = DatagramProtocol()
        port = self.ports.listenUDP(53, protocol, "127.0.0.77", 65536)
        self.assertEqual(port, "datagram port")
        self.assertEqual(self.asked(), b"datagram 127.0.0.77 53 0")
        wanted = (*known, socket.AF_INET, protocol, 65536)
        self.assertEqual(self.reactor.adopted, [wanted])

    def test_refused(self) -> None:
        """What is wrong there is told as if it were wrong here."""
        self.keeper.send(str(errno.EADDRINUSE).encode())
        with self.assertRaises(CannotListenError) as raised:
            self.ports.listenTCP(22, Factory(), interface="127.77.1.1")
        self.assertEqual(raised.exception.socketError.errno, errno.EADDRINUSE)
        self.assertEqual(raised.exception.port, 22)
        self.assertEqual(self.reactor.adopted, [])

    def test_no_room(self) -> None:
        """So is that this process may have no more files."""
        self.keeper.send(b"0")  # the descriptor was lost on the way
        with self.assertRaises(CannotListenError) as raised:
            self.ports.listenTCP(80, Factory(), interface="127.77.1.1")
        self.assertEqual(raised.exception.socketError.errno, errno.EMFILE)
        self.hand_out(socket.AF_INET, socket.SOCK_DGRAM)
        full = OSError(errno.EMFILE, "full")
        unable = patch.object(self.reactor, "adoptDatagramPort", side_effect=full)
        with unable, self.assertRaises(CannotListenError) as raised:
            self.ports.listenUDP(53, DatagramProtocol(), "127.77.1.1")
        self.assertIs(raised.exception.socketError, full)

    def test_gone(self) -> None:
        """So is that the keeper has ended."""
        self.keeper.close()
        with self.assertRaises(CannotListenError):
            self.ports.listenUDP(53, DatagramProtocol(), "127.77.1.1")
