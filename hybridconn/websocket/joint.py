"""
Where a TCP connection and a tunnel become one: in a listener the connection to
the target, in a sender the connection from the app.

    TCP bytes  --one read, one binary message-->  tunnel
    TCP FIN    --Close 1000 "Shutdown"--------->
    TCP reset  --connection ends, no Close----->
               <--the same, the other way-------

Each read goes out as it comes, and neither side is read while the other does
not take what is written, so a tunnel holds one read and one write buffer each
way.  Close and reset follow relay-protocol sections 6.4 and 10.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPullProducer,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import Piece
from hybridconn.eager import write_now
from hybridconn.interfaces import IBatchSink, ITunnelEnd
from hybridconn.socket_options import tcp_below, tune
from hybridconn.websocket.base import ProtocolViolation, StreamingWebSocket
from hybridconn.websocket.closing import NORMAL, reason_text
from hybridconn.websocket.reading import BULK

#: Bytes that are read from TCP, at least, before the tunnel is there.
EARLY_BYTES = 65536

_SHUTDOWN = b"Shutdown"


@frozen
class JointNames:
    """
    What the closing line of a tunnel says about it.

    @ivar entity: the hybrid connection's path.
    @ivar near: what the TCP connection is: C{target} or C{app}.
    @ivar far: who is at the tunnel's other end: C{sender} or C{listener}.
    @ivar source: where the tunnel's data comes from first: the sender's or the
        app's address.
    @ivar destination: where it goes: the target, or the relay.
    @ivar tracking_id: names the tunnel in the relay's log.
    """

    entity: str
    near: str
    far: str
    source: str
    destination: str
    tracking_id: str = ""


@implementer(IHalfCloseableProtocol, ITunnelEnd, IBatchSink)
class Joint(Protocol):
    """
    The protocol of a TCP connection that waits for its tunnel and is then
    joined to it.

    Until L{join} it reads a little ahead, so that it sees an app that goes
    away; what it read is kept.

    @ivar bytes_out: from TCP into the tunnel.
    @ivar bytes_in: from the tunnel into TCP.
    @ivar over: both connections are gone; the closing line is written.
    @ivar ended_by: who ended it first: the near or the far end, or C{us}.
    @ivar why: in what way.
    @ivar close_code: of the first Close of the tunnel, whoever sent it.
    """

    log = Logger()

    bytes_out = 0
    bytes_in = 0
    over = False
    ended_by = why = ""
    close_code: int | None = None

    def __init__(self, names: JointNames) -> None:
        self.names = names
        self._tunnel: StreamingWebSocket | None = None
        self._tcp: Any = None
        self._early: list[bytes] = []
        self._since = 0.0
        self._near_ended = self._near_lost = False
        self._far_ended = self._far_lost = False
        self._write_ended = self._resetting = False
        self._patience: IDelayedCall | None = None
        self._done: Deferred[None] = Deferred()

    # --- to be extended ---

    def left_early(self, reason: Failure) -> None:
        """TCP is gone and there is no tunnel yet.  To be extended."""

    def ended(self, seconds: float) -> None:
        """
        Both connections are gone.  To be extended.

        @param seconds: how long they were joined.
        """
        names = self.names
        self.log.info(
            "{entity}: tunnel from {source} to {destination} ended by"
            " {ended_by} in {ended_in} ({why}); {bytes_out} bytes from the {near},"
            " {bytes_in} bytes from the {far}, {seconds:.3f} s,"
            " tracking id {tracking_id}",
            entity=names.entity,
            source=names.source,
            destination=names.destination,
            near=names.near,
            far=names.far,
            ended_by=self.ended_by,
            ended_in="close" if self._orderly else "data",
            why=self.why,
            bytes_out=self.bytes_out,
            bytes_in=self.bytes_in,
            seconds=seconds,
            tracking_id=names.tracking_id,
        )

    # --- the life of a joint ---

    def join(self, tunnel: Any) -> Deferred[None]:
        """See L{ITunnelEnd.join}."""
        self._tunnel = tunnel
        self._since = tunnel.clock.seconds()
        if self._near_lost:
            self._blame(self.names.near, "connection broken")
            tunnel.attach(self)
            tunnel.drop()
            return self._done
        near: Any = self.transport
        near.resumeProducing()
        tunnel.register_producer(
            _Reading(near.pauseProducing, near.resumeProducing), True
        )
        near.registerProducer(_Reading(tunnel.pause, tunnel.resume), True)
        early, self._early = self._early, []
        for data in early:
            tunnel.send_piece(data, True, True)
        if self._near_ended:
            self._end_far()
        tunnel.attach(self)
        return self._done

    @property
    def alive(self) -> bool:
        """Whether TCP can still go both ways."""
        return not (self._near_ended or self._near_lost)

    def abandon(self) -> None:
        """There will be no tunnel: break the TCP connection."""
        if not self._near_lost:
            transport: Any = self.transport
            transport.abortConnection()

    def end(self, code: int, reason: bytes) -> None:
        """Close to the far end, reset to the near one (L{ITunnelEnd.end})."""
        if self._tunnel is None:
            self.abandon()
            return
        self._blame("us", f"{code} {reason.decode('utf-8', 'replace')}")
        self._note_code(code)
        self._tunnel.finish(code, reason)
        self._reset_near(self._tunnel.limits.control_close_timeout)

    # --- called by Twisted: the near side ---

    def connectionMade(self) -> None:
        """TCP is there; the tunnel is still to come."""
        tune(self.transport, control=False)
        self._tcp = tcp_below(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """One read becomes one message."""
        self.bytes_out += len(data)
        if self._tunnel is not None:
            sizes = self._tunnel.read_sizes
            if len(data) >= BULK:
                if self._tcp is not None:
                    sizes.busy(self._tcp, self._tunnel.tunnel or self._tunnel)
            elif sizes.bulk:
                sizes.small(self._tunnel.tunnel or self._tunnel)
            self._tunnel.send_piece(data, True, True)
            return
        self._early.append(data)
        if self.bytes_out >= EARLY_BYTES:
            transport: Any = self.transport
            transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """FIN: TCP sends nothing more, but still takes data."""
        self._near_ended = True
        if self._tunnel is not None:
            self._end_far()

    def writeConnectionLost(self) -> None:
        """Our FIN is out."""
        self._write_ended = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """TCP is gone."""
        self._near_lost = True
        patience, self._patience = self._patience, None
        if patience is not None:
            patience.cancel()
        tunnel = self._tunnel
        if tunnel is None:
            self.left_early(reason)
            return
        if not self._orderly and not self._far_lost and not self._resetting:
            tunnel.unregister_producer()
            if reason.check(ConnectionDone):
                # TLS has no half-close: its end is the end of both directions.
                self._blame(self.names.near, "closed")
                self._note_code(NORMAL)
                tunnel.finish(NORMAL, _SHUTDOWN)
            else:
                self._blame(self.names.near, "connection broken")
                tunnel.drop()
        self._end_if_both_lost()

    # --- IBatchSink: the far side ---

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self.pieces_received(((data, binary, final),))

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        data = pieces[0][0] if len(pieces) == 1 else b"".join([p[0] for p in pieces])
        # An empty message is no end of stream (section 6.4).
        if data and not self._near_lost:
            self.bytes_in += len(data)
            write_now(self.transport, data)

    def close_received(self, code: int | None, reason: bytes) -> None:
        assert self._tunnel is not None
        self._note_code(code)
        if code is not None and code != NORMAL:
            words = reason_text(reason)
            self._blame(self.names.far, f"closed with {code} {words}".rstrip())
            self._tunnel.finish(code, reason)
            self._reset_near(self._tunnel.limits.half_close_timeout)
            return
        self._blame(self.names.far, "closed")
        self._far_ended = True
        # Nothing comes any more that would have to be held back.
        self._tunnel.resume()
        if self._near_lost or self._resetting:
            return
        near: Any = self.transport
        near.unregisterProducer()
        if self._near_ended or ISSLTransport.providedBy(near):
            near.loseConnection()
        else:
            near.loseWriteConnection()

    def tunnel_lost(self, reason: Failure) -> None:
        assert self._tunnel is not None
        self._far_lost = True
        self._tunnel.unregister_producer()
        if not self._orderly:
            broke_rules = reason.check(ProtocolViolation)
            why = reason.getErrorMessage() if broke_rules else "connection broken"
            self._blame(self.names.far, why)
            self._reset_near(self._tunnel.limits.half_close_timeout)
        self._end_if_both_lost()

    # --- ours ---

    @property
    def _orderly(self) -> bool:
        return self._near_ended and self._far_ended

    def _end_far(self) -> None:
        assert self._tunnel is not None
        self._blame(self.names.near, "closed")
        self._note_code(NORMAL)
        self._tunnel.unregister_producer()
        self._tunnel.send_close(NORMAL, _SHUTDOWN)
        if self._far_ended and not self._resetting:
            transport: Any = self.transport
            transport.loseConnection()

    def _reset_near(self, patience: float) -> None:
        """
        Break the TCP connection, but not before it has what came for it.

        @param patience: seconds that it has for taking that.
        """
        if self._near_lost or self._resetting:
            return
        assert self._tunnel is not None
        self._resetting = True
        near: Any = self.transport
        near.unregisterProducer()
        if self._write_ended or ISSLTransport.providedBy(near):
            near.abortConnection()
            return
        # With a producer that has not finished, loseConnection sends what is
        # left and then waits for that producer, which breaks the connection.
        near.registerProducer(_LastWord(near.abortConnection), False)
        near.loseConnection()
        self._patience = self._tunnel.clock.callLater(patience, self._out_of_patience)

    def _out_of_patience(self) -> None:
        self._patience = None
        transport: Any = self.transport
        transport.abortConnection()

    def _blame(self, name: str, why: str) -> None:
        if not self.ended_by:
            self.ended_by, self.why = name, why

    def _note_code(self, code: int | None) -> None:
        if self.close_code is None:
            self.close_code = code

    def _end_if_both_lost(self) -> None:
        if self._near_lost and self._far_lost and not self.over:
            assert self._tunnel is not None
            self.over = True
            self.ended(self._tunnel.clock.seconds() - self._since)
            self._done.callback(None)


@implementer(IPushProducer)
class _Reading:
    """
    The reading of one side, paused by the other side's transport.

    A transport tells its producer to stop when it is lost; that is left to the
    joint, which knows whether a FIN or a reset has to follow.
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.pauseProducing = pause
        self.resumeProducing = resume

    def stopProducing(self) -> None:
        """The joint hears of it by itself."""


@implementer(IPullProducer)
class _LastWord:
    """Has C{then} called when a transport's buffer is empty."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then
        self._registered = False

    def resumeProducing(self) -> None:
        """Registration calls this once, an empty buffer from then on."""
        if self._registered:
            self._then()
        self._registered = True

    def stopProducing(self) -> None:
        """The connection is gone: nothing is left to be done."""
