"""
A network of its own for one command (network_namespaces(7)), with nothing in it but
what somebody outside listens to.

A process stays in it and opens sockets there for a sender outside, which has the way
to the relay: a socket belongs to the network in which it was made, whoever holds it.
So ports below 1024 need no right, and none is taken by a service of the machine.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import DatagramProtocol

from hybridconn.redirect.namespaces import NEW_NETWORK, join, leave_for
from hybridconn.redirect.private import NotAllowed, die_with_parent

_READY = b"ready"
_STREAM, _DATAGRAM = "stream", "datagram"
#: Of one message, either way.
_MOST_BYTES = 1024

_SET_FLAGS, _SET_ADDRESS, _UP = 0x8914, 0x8916, 1
_LOOPBACK = "lo"
_USERS, _NETWORK = "/proc/self/ns/user", "/proc/self/ns/net"


class OwnNetwork:
    """
    @ivar pid: of the process in it.
    @ivar descriptor: of the socket for L{PortsElsewhere}.
    """

    def __init__(self) -> None:
        """
        @raise NotAllowed: this system lets us have none.
        """
        if sys.platform != "linux":
            raise NotAllowed("networks of one's own are to be had on Linux only")
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._ours.close()
            _keep(theirs)
        theirs.close()
        said, self._namespaces = _received(self._ours)
        if said != _ready(self._namespaces):
            self.close()
            if said.startswith(_READY):
                said = b"too few files may be open"
            raise NotAllowed(said.decode("utf-8", "replace") or "it ended at once")

    @property
    def descriptor(self) -> int:
        return self._ours.fileno()

    def join(self) -> None:
        """
        Have this process in it.

        @raise OSError: it is not allowed.
        """
        for descriptor in self._namespaces:
            join(descriptor)

    def close(self) -> None:
        """End the process; what is in the network stays there."""
        self._ours.close()
        for descriptor in self._namespaces:
            os.close(descriptor)
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


class PortsElsewhere:
    """
    Opens ports in the network of L{OwnNetwork}, as a reactor does in that of its
    process (Twisted's C{IReactorTCP} and C{IReactorUDP}).

    @param descriptor: of the socket that L{OwnNetwork} tells; it is ours from now on.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._keeper = socket.socket(fileno=descriptor)
        self._keeper.set_inheritable(False)

    def listenTCP(
        self,
        port: int,
        factory: IProtocolFactory,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """
        See Twisted.

        @raise CannotListenError: as there.
        """
        with self._opened(_STREAM, interface, port, backlog) as opened:
            adopted: IListeningPort = self._reactor.adoptStreamPort(
                opened.fileno(), opened.family, factory
            )
        return adopted

    def listenUDP(
        self,
        port: int,
        protocol: DatagramProtocol,
        interface: str = "",
        maxPacketSize: int = 8192,
    ) -> IListeningPort:
        """
        See Twisted.

        @raise CannotListenError: as there.
        """
        with self._opened(_DATAGRAM, interface, port) as opened:
            adopted: IListeningPort = self._reactor.adoptDatagramPort(
                opened.fileno(), opened.family, protocol, maxPacketSize
            )
        return adopted

    @contextmanager
    def _opened(
        self, kind: str, interface: str, port: int, backlog: int = 0
    ) -> Iterator[socket.socket]:
        """A port that was opened there, for as long as it takes to copy it."""
        try:
            # It answers at once, as it does nothing else.
            self._keeper.send(f"{kind} {interface} {port} {backlog}".encode())
            said, descriptors = _received(self._keeper)
            if not descriptors:
                # Without a word it is gone, and so is whoever it was to serve.  If all
                # is well with it, it is here that there was no room.
                number = int(said or errno.ECONNRESET) or errno.EMFILE
                raise OSError(number, os.strerror(number))
            with socket.socket(fileno=descriptors[0]) as opened:
                opened.setblocking(False)
                yield opened
        except OSError as error:
            raise CannotListenError(interface, port, error) from None


def _ready(namespaces: list[int]) -> bytes:
    # With their number: those that find no room on the way are left out unseen, and
    # without all of them a command would be in the network of all.
    return _READY + bytes((len(namespaces),))


def _received(talk: socket.socket) -> tuple[bytes, list[int]]:
    """A message, and the descriptors that came with it; no program inherits them."""
    said, descriptors, _, _ = socket.recv_fds(talk, _MOST_BYTES, 2)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return said, descriptors


def _keep(talk: socket.socket) -> NoReturn:
    """In the child: open what is asked for, until nobody can ask any more."""
    try:
        # A terminal's Ctrl-C is for the command alone.
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_parent()
        try:
            namespaces = _enter()
        except OSError as error:
            talk.send(f"{error.filename or 'network'}: {error.strerror}".encode())
        else:
            socket.send_fds(talk, [_ready(namespaces)], namespaces)
            while request := talk.recv(_MOST_BYTES):
                _answer(talk, request.decode())
    finally:
        os._exit(0)


def _enter() -> list[int]:
    """
    @return: the namespaces of it that are not those of before, to be joined in turn.
    @raise OSError: it is not allowed.
    """
    before = os.stat(_USERS)
    leave_for(NEW_NETWORK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        wanted = struct.pack("16sh22x", _LOOPBACK.encode(), _UP)
        fcntl.ioctl(any_socket, _SET_FLAGS, wanted)
    others = not os.path.samestat(before, os.stat(_USERS))
    return [
        os.open(path, os.O_RDONLY)
        for path in ((_USERS, _NETWORK) if others else (_NETWORK,))
    ]


def _answer(talk: socket.socket, request: str) -> None:
    kind, host, port, backlog = request.split(" ")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    streams = kind == _STREAM
    try:
        with socket.socket(
            family, socket.SOCK_STREAM if streams else socket.SOCK_DGRAM
        ) as made:
            if family == socket.AF_INET6:
                _have_address(made, host)
            if streams:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, int(port)))
            if streams:
                made.listen(int(backlog))
            socket.send_fds(talk, [b"0"], [made.fileno()])
    except OSError as error:
        talk.send(str(error.errno or errno.EINVAL).encode())


def _have_address(any_socket: socket.socket, host: str) -> None:
    """Unlike IPv4 the loopback interface has one IPv6 address only by itself."""
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.is_unspecified or address.is_loopback:
        return
    number = socket.if_nametoindex(_LOOPBACK)
    wanted = struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, host), 128, number)
    try:
        fcntl.ioctl(any_socket, _SET_ADDRESS, wanted)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
