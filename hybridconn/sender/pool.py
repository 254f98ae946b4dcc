"""
Tunnels that are there before they are needed.

A new connection of an app costs two TLS and two WebSocket handshakes before its
first byte gets through.  Between our own sender and listener a tunnel is used
for one connection after the other instead (L{hybridconn.core.reuse}), and a few
are kept ready.  Then it costs one message there and one back.

A connection finds out whether the listener is one of ours.  Until one did, and
after a tunnel to a listener that is not, nothing is opened ahead: the target of
such a listener would see connections that no app made.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.sender import SpareTunnels
from hybridconn.core.backoff import Backoff
from hybridconn.core.reuse import (
    REUSE,
    SPARE,
    STREAM,
    TARGET_REUSE,
    TARGET_SPARE,
    Message,
    Open,
    Opened,
    Opening,
    Refused,
)
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import ITunnel
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import (
    HybridConnectionError,
    HybridConnectionRefused,
    HybridConnectionTimeout,
)
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.closing import GOING_AWAY, NORMAL
from hybridconn.websocket.reuse import Carrier, Stream

#: Seconds between two looks at tunnels that may be closed.
_LOOK: Final = 5.0
#: How many are opened ahead at the same time.
_AT_ONCE: Final = 4
#: A tunnel's life is shortened by up to this share, so that not all end at once.
_JITTER: Final = 0.2


class CarrierLost(ConnectionLost):
    """A tunnel that was ready turned out to be dead."""

    def __str__(self) -> str:
        return "the tunnel that was ready is dead"


class SenderCarrier(Carrier):
    """
    A tunnel to a listener of ours.

    @ivar born: when it was opened, on the clock.
    @ivar idle_since: when its last connection ended.
    @ivar uses: how many connections it had.
    """

    def __init__(self, socket: TunnelClientProtocol, pool: TunnelPool) -> None:
        super().__init__(socket, pool.carrier_gone)
        self._pool = pool
        self.born = self.idle_since = socket.clock.seconds()
        self.uses = 0
        self._id = ""
        self._opening: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._takes_longer = False

    def open(
        self, tracking_id: str, timeout: float, target: str = ""
    ) -> tuple[Stream, Deferred[None]]:
        """
        Begin a connection.

        @param timeout: seconds for the listener to react; one that says that its
            target takes longer has as many as a new tunnel has.
        @param target: what is wanted, if the pool is for many targets.
        @return: the connection, which may be written to at once, and what fires
            when its target is there.  It fails with L{HybridConnectionRefused},
            with L{HybridConnectionTimeout}, or with L{CarrierLost}: then the
            listener has seen nothing of it but what was written.
        """
        self._id = tracking_id
        opening: Deferred[None] = Deferred()
        self._opening = opening
        self._takes_longer = False
        stream = self.begin()
        self._timer = self.socket.clock.callLater(timeout, self._dead)
        self.send_soon(Open(tracking_id, target))
        return stream, opening

    def begin(self) -> Stream:
        """The next connection is on it from now on."""
        self.uses += 1
        return super().begin()

    def idle(self) -> None:
        """It may be used again."""
        self._pool.carrier_idle(self)

    def message_received(self, message: Message) -> None:
        """The listener's answer."""
        opening, stream = self._opening, self.stream
        if opening is None or stream is None:
            super().message_received(message)
        elif isinstance(message, Opening):
            self._wait_longer()
        elif isinstance(message, Opened):
            self._settle()
            opening.callback(None)
        elif isinstance(message, Refused):
            self._fail(
                HybridConnectionRefused(message.status, message.reason, self._id)
            )
        else:
            super().message_received(message)

    def tunnel_lost(self, reason: Failure) -> None:
        """The relay or the listener is gone."""
        opening = self._settle()
        if opening is not None:
            opening.errback(CarrierLost())
        super().tunnel_lost(reason)

    def _dead(self) -> None:
        self._timer = None
        self.socket.abort()

    def _wait_longer(self) -> None:
        """Once only: a listener cannot keep an app waiting by saying so again."""
        if not self._takes_longer:
            self._takes_longer = True
            self._stop_timer()
            patience = self._pool.patience
            self._timer = self.socket.clock.callLater(patience, self._too_late)

    def _too_late(self) -> None:
        self._timer = None
        words = f"the listener did not reach its target in {self._pool.patience:g} s"
        # What it may say yet is for nobody.
        self.retire(NORMAL, b"too late")
        self._fail(HybridConnectionTimeout(0, words, self._id))

    def _fail(self, why: HybridConnectionError) -> None:
        """There is no connection; the tunnel is free again, or ends."""
        opening, stream = self._settle(), self.stream
        assert opening is not None and stream is not None
        self.release(stream)
        opening.errback(why)
        stream.lost(Failure(why))

    def _settle(self) -> Deferred[None] | None:
        self._stop_timer()
        opening, self._opening = self._opening, None
        return opening

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class TunnelPool:
    """
    The tunnels of one forward.

    @ivar ready: those that wait for a connection; the first is used next, so
        that all listeners have their share.
    @ivar open_timeout: seconds for a listener to react to a new connection.
    @ivar patience: seconds for one that reacted to reach its target.
    @param random_number: from 0 to 1.
    @param targeted: each connection says which target it wants.
    """

    log = Logger()

    def __init__(
        self,
        connector: TunnelConnector,
        settings: SpareTunnels,
        clock: Any,
        random_number: Callable[[], float] = random.random,
        *,
        targeted: bool = False,
    ) -> None:
        self.ready: deque[SenderCarrier] = deque()
        self.open_timeout = settings.open_timeout
        self.patience = connector.timeout
        self._connector = connector
        self._settings = settings
        self._clock = clock
        self._random = random_number
        self._reuse = TARGET_REUSE if targeted else REUSE
        self._spare = TARGET_SPARE if targeted else SPARE
        self._first = () if targeted else (STREAM,)
        self._backoff = Backoff(random_number)
        self._carriers: set[SenderCarrier] = set()
        self._dials: set[Deferred[Any]] = set()
        self._ours = self._stopped = False
        self._pause: IDelayedCall | None = None
        self._look = LoopingCall(self._retire_some)
        self._look.clock = clock

    def begin_anew(self) -> None:
        """Let go what is ready: the key that opened it is used no more."""
        while self.ready:
            self.ready.popleft().retire(NORMAL, b"another key")
        self._refill()

    def take(self) -> SenderCarrier | None:
        """A tunnel that is ready, if there is one."""
        while self.ready:
            carrier = self.ready.popleft()
            if not self._worn(carrier):
                self._refill()
                return carrier
            carrier.retire(NORMAL, b"old")
        self._refill()
        return None

    def connect(self, tracking: TrackingId, target: str = "") -> Deferred[ITunnel]:
        """
        Open a tunnel for a connection, as L{TunnelConnector.connect} does; it
        may carry others later.
        """
        offers = (*self._first, self._reuse) if self._settings.most else ()
        dialled = self._connector.connect(tracking, subprotocols=offers, target=target)

        def opened(socket: TunnelClientProtocol) -> ITunnel:
            if socket.websocket_protocol_in_use != self._reuse:
                return socket
            if not self._ours:
                self._ours = True
                self._refill()
            carrier = self._adopt(socket)
            stream = carrier.begin()
            socket.attach(carrier)
            return stream

        return dialled.addCallback(opened)

    def stop(self) -> None:
        """Open nothing ahead any more; what is idle, or becomes so, is closed."""
        self._stopped = True
        for dial in tuple(self._dials):
            dial.cancel()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self.ready.clear()
        for carrier in tuple(self._carriers):
            carrier.retire(GOING_AWAY, b"the sender stops")

    # --- for the carriers ---

    def carrier_idle(self, carrier: SenderCarrier) -> None:
        """A connection ended in order."""
        carrier.idle_since = self._clock.seconds()
        self._keep(carrier)

    def carrier_gone(self, carrier: SenderCarrier) -> None:
        """A tunnel is lost."""
        self._carriers.discard(carrier)
        self._connector.forget(carrier.socket)
        if carrier in self.ready:
            self.ready.remove(carrier)
            self._refill()

    # --- ours ---

    def _adopt(self, socket: TunnelClientProtocol) -> SenderCarrier:
        carrier = SenderCarrier(socket, self)
        carrier.born -= self._random() * _JITTER * self._settings.max_age
        self._carriers.add(carrier)
        return carrier

    def _keep(self, carrier: SenderCarrier) -> None:
        if len(self.ready) >= self._settings.most or self._worn(carrier):
            carrier.retire(NORMAL, b"not needed")
            return
        self.ready.append(carrier)
        if not self._look.running:
            self._look.start(_LOOK, now=False)

    def _worn(self, carrier: SenderCarrier) -> bool:
        settings = self._settings
        return (
            carrier.socket.close_received
            or self._clock.seconds() - carrier.born >= settings.max_age
            or 0 < settings.max_uses <= carrier.uses
        )

    def _refill(self) -> None:
        wanted = min(self._settings.least, self._settings.most)
        if not self._ours or self._stopped or self._pause is not None:
            return
        while len(self.ready) + len(self._dials) < wanted:
            if len(self._dials) >= _AT_ONCE or self._pause is not None:
                return
            self._open_ahead()

    def _open_ahead(self) -> None:
        dial = self._connector.connect(
            self._connector.new_tracking(), subprotocols=(STREAM, self._spare)
        )
        self._dials.add(dial)

        def opened(socket: TunnelClientProtocol) -> None:
            if socket.websocket_protocol_in_use != self._spare:
                # A listener of another make has its share of the senders.
                socket.finish(NORMAL, b"")
                self._connector.forget(socket)
                self._ours = False
                return
            self._backoff.reset()
            carrier = self._adopt(socket)
            socket.attach(carrier)
            if self._stopped:
                carrier.retire(GOING_AWAY, b"the sender stops")
            else:
                self._keep(carrier)

        def done(result: object) -> None:
            self._dials.discard(dial)
            # A connection that needs a tunnel says what is wrong; this need not.
            if isinstance(result, Failure):
                self._rest()
            else:
                self._refill()

        dial.addCallback(opened).addBoth(done)

    def _rest(self) -> None:
        if self._pause is None and not self._stopped:
            # The first delay is none; a moment is always due.
            delay = max(1.0, self._backoff.next())
            self._pause = self._clock.callLater(delay, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._refill()

    def _retire_some(self) -> None:
        now = self._clock.seconds()
        surplus = len(self.ready) - self._settings.least
        for carrier in tuple(self.ready):
            idle = now - carrier.idle_since >= self._settings.idle_time
            if self._worn(carrier) or (surplus > 0 and idle):
                self.ready.remove(carrier)
                carrier.retire(NORMAL, b"not needed")
                surplus -= 1
        self._refill()
        if not self.ready:
            self._look.stop()
