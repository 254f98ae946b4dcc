"""
One query at one name server, by UDP or TCP, under an id and from a port that nobody can
guess (RFC 5452).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config.addresses import HostPort
from hybridconn.names.packet import (
    MOST_BYTES,
    NOERROR,
    NXDOMAIN,
    PacketError,
    asked_bytes,
    id_of,
    is_response,
    status,
    with_id,
)

#: Datagrams that are read before others have their turn.
_READS_AT_ONCE = 8


class Asking(Protocol):
    """
    Whoever waits for the answer.

    @ivar open_socket: for UDP.
    """

    open_socket: Callable[..., socket.socket]

    def answer(self, packet: bytes, server: HostPort) -> bool:
        """A server answered.  @return: whether that is of use."""

    def failed(self) -> None:
        """A server cannot be asked at all."""


class Attempt:
    """One query at one server, under an id of its own."""

    def __init__(
        self,
        asking: Asking,
        server: HostPort,
        query: bytes,
        chance: Random,
        reactor: Any,
    ) -> None:
        self._asking = asking
        self._server = server
        self._id = chance.getrandbits(16)
        self._packet = with_id(query, self._id)
        self._asked = asked_bytes(query)
        self._reactor = reactor
        self._open = asking.open_socket
        self._over = False

    def take(self, packet: bytes) -> None:
        """Take it if it is the answer."""
        try:
            good = is_response(packet) and id_of(packet) == self._id
            asked = asked_bytes(packet) if good else b""
        except PacketError:
            return
        if not good or self._over:
            return
        # A server that understood nothing may leave the question out.
        helpless = not asked and status(packet) not in (NOERROR, NXDOMAIN)
        if (asked == self._asked or helpless) and not self._asking.answer(
            packet, self._server
        ):
            self.fail()

    def fail(self) -> None:
        """The server cannot be asked."""
        if not self._over:
            self.stop()
            self._asking.failed()

    def stop(self) -> None:
        """Nothing of it is wanted any more."""
        self._over = True


@implementer(IReadDescriptor)
class DatagramAttempt(Attempt):
    """
    By UDP, from a socket of its own.  Twisted's UDP ports write two lines into the log
    for each, which would be two for each name that is looked up.
    """

    _socket: socket.socket | None = None

    def start(self) -> None:
        """Ask."""
        family = socket.AF_INET6 if ":" in self._server.host else socket.AF_INET
        try:
            # The system chooses the port by chance.
            self._socket = made = self._open(family, socket.SOCK_DGRAM)
            made.setblocking(False)
            # A connected socket takes answers of that server only, and hears of a
            # refusal.
            made.connect((self._server.host, self._server.port))
            made.send(self._packet)
        except OSError:
            self.fail()
            return
        self._reactor.addReader(self)

    def doRead(self) -> None:
        """Perhaps the answer (Twisted)."""
        for _ in range(_READS_AT_ONCE):
            if self._socket is None:
                return
            try:
                packet = self._socket.recv(MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:  # nobody listens there
                self.fail()
                return
            self.take(packet)

    def fileno(self) -> int:
        """See L{IReadDescriptor} (Twisted)."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """See L{IReadDescriptor} (Twisted)."""
        return "name server"

    def connectionLost(self, reason: Failure) -> None:
        """The socket is broken (Twisted)."""
        self.fail()

    def stop(self) -> None:
        """Close the socket."""
        super().stop()
        known, self._socket = self._socket, None
        if known is not None:
            self._reactor.removeReader(self)
            known.close()


class StreamAttempt(Attempt):
    """By TCP."""

    _dial: Deferred[Any] | None = None
    _protocol: _StreamProtocol | None = None

    def start(self) -> None:
        """Connect, then ask."""
        kind = TCP6ClientEndpoint if ":" in self._server.host else TCP4ClientEndpoint
        endpoint = kind(self._reactor, self._server.host, self._server.port)
        factory = Factory.forProtocol(lambda: _StreamProtocol(self))
        factory.noisy = False
        self._dial = dial = endpoint.connect(factory)
        dial.addCallbacks(self._connected, self._not_connected)

    def _connected(self, protocol: _StreamProtocol) -> None:
        self._dial = None
        self._protocol = protocol
        if self._over:
            protocol.leave()
        else:
            protocol.sendString(self._packet)

    def _not_connected(self, failure: Failure) -> None:
        self._dial = None
        if not self._over:
            failure.trap(ConnectError, OSError)
            self.fail()

    def stop(self) -> None:
        """Close the connection."""
        super().stop()
        dial, self._dial = self._dial, None
        if dial is not None:
            dial.addErrback(lambda _: None)
            dial.cancel()
        if self._protocol is not None:
            self._protocol.leave()


class _StreamProtocol(Int16StringReceiver):
    """Messages with their length in front (RFC 1035 section 4.2.2)."""

    def __init__(self, attempt: StreamAttempt) -> None:
        self._attempt = attempt

    def stringReceived(self, string: bytes) -> None:
        """Perhaps the answer (Twisted)."""
        self._attempt.take(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The server closed (Twisted)."""
        self._attempt.fail()

    def leave(self) -> None:
        """Close."""
        transport: Any = self.transport
        transport.abortConnection()
