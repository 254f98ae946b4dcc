"""A local UDP port whose datagrams go through a hybrid connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.error import CannotListenError, ConnectError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.core.preamble import MAX_DATAGRAM
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.preamble import PreambleTunnels
from hybridconn.websocket.closing import GOING_AWAY
from hybridconn.websocket.datagrams import DatagramTunnel

#: How many local addresses have a tunnel at the same time.
MOST_PEERS: Final = 1024
#: Datagrams that wait while a tunnel opens; UDP loses what is too much.
MOST_WAITING: Final = 32
#: And so many bytes of all local addresses.
MOST_WAITING_BYTES: Final = 4 * 1024 * 1024
#: Seconds without another attempt after a tunnel could not be opened.
REST: Final = 1.0
#: Seconds between two lines on what was dropped.
_TELL_AGAIN: Final = 60.0

Address = tuple[Any, ...]


class _Peer:
    """A local address and its tunnel."""

    def __init__(self, forward: UdpForward, address: Address) -> None:
        self._forward = forward
        self._address = address
        self._waiting: deque[bytes] = deque()
        self._tunnel: DatagramTunnel | None = None
        self._tracking = forward.connector.new_tracking()
        self._dial: Deferred[Any] | None = None
        self.over: Deferred[None] = Deferred()

    def open(self) -> None:
        """Ask for the tunnel."""
        self._dial = dial = self._forward.tunnels.connect(self._tracking)
        dial.addCallbacks(self._opened, self._failed)

    def received(self, data: bytes) -> None:
        """A datagram of its."""
        if self.over.called:  # there was no tunnel, and it was known at once
            self._forward.drop(1)
        elif self._tunnel is not None:
            self._tunnel.send(data)
        elif len(self._waiting) < MOST_WAITING and self._forward.keep(len(data)):
            self._waiting.append(data)
        else:
            self._forward.drop(1)

    def close(self) -> None:
        """The sender stops."""
        if self._tunnel is not None:
            reason = b"the sender stops"
            self._tunnel.close(GOING_AWAY, reason, reason.decode())
        elif self._dial is not None:
            self._dial.cancel()

    def _opened(self, socket: Any) -> None:
        self._dial = None
        forward = self._forward
        self._tunnel = made = DatagramTunnel(socket, self._deliver, forward.idle_time)
        made.done.addCallback(self._ended, socket)
        for data in self._take_waiting():
            made.send(data)

    def _deliver(self, data: bytes) -> None:
        self._forward.send(data, self._address)

    def _failed(self, failure: Failure) -> None:
        self._dial = None
        forward = self._forward
        if failure.check(ConnectError) and not forward.resting:
            forward.log.warn(
                "{entity}: no tunnel for datagrams of {source}: {reason}",
                entity=forward.connector.entity,
                source=_text(self._address),
                reason=str(failure.value),
            )
        elif forward.running and not failure.check(ConnectError):
            forward.log.failure(
                "{entity}: no tunnel", failure, entity=forward.connector.entity
            )
        forward.rest()
        forward.drop(len(self._take_waiting()))
        self._leave()

    def _take_waiting(self) -> deque[bytes]:
        waiting, self._waiting = self._waiting, deque()
        self._forward.keep(-sum(map(len, waiting)))
        return waiting

    def _ended(self, _: None, socket: Any) -> None:
        made, forward = self._tunnel, self._forward
        assert made is not None
        forward.connector.forget(socket)
        forward.drop(made.dropped)
        forward.log.info(
            "{entity}: datagrams of {source} to {relay} ended ({why}); {sent} from the"
            " app, {received} from the listener, {dropped} dropped,"
            " tracking id {tracking_id}",
            entity=forward.connector.entity,
            source=_text(self._address),
            relay=forward.connector.authority,
            why=made.why,
            sent=made.sent,
            received=made.received,
            dropped=made.dropped,
            tracking_id=str(self._tracking),
        )
        self._leave()

    def _leave(self) -> None:
        self._forward.gone(self._address)
        self.over.callback(None)


class UdpForward(DatagramProtocol):
    """
    The protocol of one local UDP port: each local address has a tunnel of its own.

    @ivar connector: opens the tunnels.
    @ivar tunnels: the same, with the preamble.
    @ivar idle_time: seconds without a datagram until a tunnel is closed.
    @ivar dropped: datagrams that were lost here.
    @ivar running: it was not told to stop.
    """

    log = Logger()
    noisy = False
    transport: Any

    def __init__(
        self, connector: TunnelConnector, tunnels: PreambleTunnels, idle_time: float
    ) -> None:
        self.connector = connector
        self.tunnels = tunnels
        self.idle_time = idle_time
        self.dropped = 0
        self.running = True
        self._told_at: float | None = None
        self._kept = 0
        self._rest_until = 0.0
        self._peers: dict[Address, _Peer] = {}

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        """An app says something (Twisted)."""
        peer = self._peers.get(addr)
        if peer is None:
            full = len(self._peers) >= MOST_PEERS
            if full or self.resting or not self.running:
                self.drop(1)
                return
            peer = self._peers[addr] = _Peer(self, addr)
            peer.open()
        peer.received(datagram)

    def send(self, data: bytes, address: Address) -> None:
        """Pass on what the listener sent; what the system does not take is lost."""
        if not self.running:
            return
        try:
            self.transport.write(data, address)
        except (OSError, MessageLengthError):
            self.drop(1)

    def keep(self, size: int) -> bool:
        """
        Keep so many bytes until there is a tunnel; fewer than 0: keep them no more.

        @return: whether there is room.
        """
        if self._kept + size > MOST_WAITING_BYTES:
            return False
        self._kept += size
        return True

    @property
    def resting(self) -> bool:
        """A tunnel could not be opened just now, and no other would be."""
        now: float = self.connector.clock.seconds()
        return now < self._rest_until

    def rest(self) -> None:
        """Ask for no tunnel for a moment: each datagram would be an attempt."""
        self._rest_until = self.connector.clock.seconds() + REST

    def drop(self, datagrams: int) -> None:
        """So many were lost; say so, but not too often."""
        if not datagrams:
            return
        self.dropped += datagrams
        now = self.connector.clock.seconds()
        if self._told_at is None or now - self._told_at >= _TELL_AGAIN:
            self._told_at = now
            self.log.warn(
                "{entity}: {dropped} datagrams were dropped up to now: the way through"
                " the relay takes no more, or there is none",
                entity=self.connector.entity,
                dropped=self.dropped,
            )

    def gone(self, address: Address) -> None:
        """A tunnel is over, or there was none (called by it)."""
        del self._peers[address]

    def drain(self, seconds: float) -> Deferred[Any]:
        """
        End all tunnels; a datagram that is under way now may be lost at any time.

        @return: fires when they are over.
        """
        self.running = False
        peers = [*self._peers.values()]
        for peer in peers:
            peer.close()
        return gatherResults([peer.over for peer in peers])


class UdpPort(Service):
    """
    Has a local UDP port open while it runs.

    @param failed: called if it cannot be opened; raises.
    """

    def __init__(
        self,
        reactor: Any,
        bind: HostPort,
        protocol: DatagramProtocol,
        failed: Callable[[Failure], NoReturn],
    ) -> None:
        self._reactor = reactor
        self._bind = bind
        self._protocol = protocol
        self._failed = failed
        self._port: Any = None

    def privilegedStartService(self) -> None:
        """Open it while it may be below 1024 (Twisted)."""
        super().privilegedStartService()
        try:
            self._port = self._reactor.listenUDP(
                self._bind.port,
                self._protocol,
                interface=self._bind.host,
                # Twisted would cut off what is longer than its default.
                maxPacketSize=MAX_DATAGRAM,
            )
        except CannotListenError:
            self._failed(Failure())

    def startService(self) -> None:
        """Open it (Twisted)."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        """Close it (Twisted)."""
        super().stopService()
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
