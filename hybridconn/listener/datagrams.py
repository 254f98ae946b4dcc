"""A UDP service as the target of a tunnel."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import DNSLookupError, MessageLengthError
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import ConnectedDatagramProtocol
from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.config.addresses import HostPort
from hybridconn.core.preamble import MAX_DATAGRAM, MAX_UDP
from hybridconn.interfaces import ITunnelEnd
from hybridconn.websocket.datagrams import DatagramTunnel
from hybridconn.websocket.joint import JointNames


@implementer(IResolutionReceiver)
class _First:
    """The first address of a name."""

    def __init__(self) -> None:
        self.found: Deferred[str] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """It began (Twisted)."""

    def addressResolved(self, address: IAddress) -> None:
        """One of them (Twisted)."""
        if not self.found.called:
            self.found.callback(str(getattr(address, "host", "")))

    def resolutionComplete(self) -> None:
        """That was all (Twisted)."""
        if not self.found.called:
            self.found.errback(DNSLookupError())


def resolve(reactor: Any, host: str, port: int) -> Deferred[str]:
    """
    Find an address for datagrams.

    @return: fails with C{DNSLookupError} if there is none.
    """
    try:
        return succeed(str(ipaddress.ip_address(host)))
    except ValueError:
        pass
    first = _First()
    reactor.nameResolver.resolveHostName(first, host, port, transportSemantics="UDP")
    return first.found


def open_datagrams(
    reactor: Any, target: HostPort, names: JointNames, idle_time: float
) -> Deferred[DatagramEnd]:
    """
    Have a UDP port that speaks with C{target} and nobody else.

    @param reactor: the one by whose names the target is found.
    @param idle_time: seconds without a datagram until the tunnel is closed.
    @return: fails with C{DNSLookupError}, with C{CannotListenError}, or with
        C{OSError} if there is no route.
    """

    def found(address: str) -> DatagramEnd:
        end = DatagramEnd(names, idle_time)
        # Twisted would cut off what is longer than its default.
        interface = "::" if ":" in address else ""
        reactor.listenUDP(0, end, interface=interface, maxPacketSize=MAX_DATAGRAM)
        try:
            end.transport.connect(address, target.port)
        except OSError:
            end.abandon()
            raise
        return end

    return resolve(reactor, target.host, target.port).addCallback(found)


@implementer(ITunnelEnd)
class DatagramEnd(ConnectedDatagramProtocol):
    """
    One sender's UDP port at the listener.

    @ivar bytes_in: from the sender.
    @ivar bytes_out: from the target.
    @ivar destination: the target.
    @ivar ended_by: C{sender} or C{us}.
    @ivar why: in what way.
    @ivar done: fires when it is over.
    """

    log = Logger()
    noisy = False
    transport: Any
    ended_by = why = ""

    def __init__(self, names: JointNames, idle_time: float) -> None:
        self.destination = f"udp:{names.destination}"
        self.done: Deferred[None] = Deferred()
        self._names = names
        self._idle_time = idle_time
        self._tunnel: DatagramTunnel | None = None

    @property
    def bytes_in(self) -> int:
        """From the sender."""
        return 0 if self._tunnel is None else self._tunnel.bytes_received

    @property
    def bytes_out(self) -> int:
        """From the target."""
        return 0 if self._tunnel is None else self._tunnel.bytes_sent

    # --- ITunnelEnd ---

    def join(self, tunnel: Any) -> Deferred[None]:
        """See L{ITunnelEnd.join}."""
        self._tunnel = made = DatagramTunnel(tunnel, self._deliver, self._idle_time)
        made.done.addCallback(self._over)
        return self.done

    def abandon(self) -> None:
        """There will be no tunnel."""
        self.transport.stopListening()

    def end(self, code: int, reason: bytes) -> None:
        """See L{ITunnelEnd.end}."""
        if self._tunnel is not None:
            self.ended_by = "us"
            self._tunnel.close(code, reason, reason.decode("utf-8", "replace"))

    # --- called by Twisted ---

    def datagramReceived(self, datagram: bytes, *ignored: Any) -> None:
        """The target says something (Twisted)."""
        if self._tunnel is not None:
            self._tunnel.send(datagram)

    def connectionRefused(self) -> None:
        """Nobody has the port, for now; the sender's next datagram may find one."""

    # --- ours ---

    def _deliver(self, datagram: bytes) -> None:
        # UDP promises nothing, and a datagram that the system does not take is lost.
        if len(datagram) <= MAX_UDP:
            with suppress(OSError, MessageLengthError):
                self.transport.write(datagram)

    def _over(self, _: None) -> None:
        made = self._tunnel
        assert made is not None
        idle = made.why.startswith("idle")
        self.ended_by = self.ended_by or ("us" if idle else self._names.far)
        self.why = made.why
        self.transport.stopListening()
        self.log.info(
            "{entity}: datagrams from {source} to {destination} ended by {ended_by}"
            " ({why}); {sent} from the target, {received} from the sender, {dropped}"
            " dropped, tracking id {tracking_id}",
            entity=self._names.entity,
            source=self._names.source,
            destination=self.destination,
            ended_by=self.ended_by,
            why=made.why,
            sent=made.sent,
            received=made.received,
            dropped=made.dropped,
            tracking_id=self._names.tracking_id,
        )
        self.done.callback(None)
