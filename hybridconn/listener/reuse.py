"""The listener's side of tunnels that carry one connection after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from hybridconn.core.commands import Accept
from hybridconn.core.reuse import Message, Open, Opened, Opening, Refused
from hybridconn.core.targets import with_target
from hybridconn.interfaces import ITunnelEnd
from hybridconn.listener.reject import Reject
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.joint import Joint
from hybridconn.websocket.reuse import Carrier, Stream

#: Seconds after which a sender is told that its target takes its time.
SAY_OPENING: Final = 1.0


class ListenerCarrier(Carrier):
    """
    Reaches a target for each connection that the sender opens.

    @param accept: what the relay said of the sender.
    @param reach: dials the target; fails with L{Reject}.
    @param join: makes one of an end and a stream.
    @param gone: called when the WebSocket is lost.
    @param dial_ahead: reach the target for the next connection before there is
        one.
    @param targeted: each connection says which target it wants.
    """

    def __init__(
        self,
        socket: StreamingWebSocket,
        accept: Accept,
        reach: Callable[[Accept], Deferred[ITunnelEnd]],
        join: Callable[[ITunnelEnd, Stream, Accept], object],
        gone: Callable[[ListenerCarrier], None],
        dial_ahead: bool,
        targeted: bool = False,
    ) -> None:
        super().__init__(socket, gone)
        self._accept = accept
        self._reach = reach
        self._join = join
        self._dial_ahead = dial_ahead and not targeted
        self._targeted = targeted
        self._ahead: ITunnelEnd | None = None
        self._ahead_dial: Deferred[Any] | None = None
        self._dial: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        # After a refusal: what was sent before it was known still comes.
        self._refused = False

    def idle(self) -> None:
        """Reach the next connection's target, if that is wanted."""
        if not self._dial_ahead or self.socket.close_received:
            return

        def reached(end: ITunnelEnd) -> None:
            self._ahead_dial, self._ahead = None, end

        def failed(failure: Failure) -> None:
            # The next connection tries again, and says why it cannot be.
            self._ahead_dial = None
            failure.trap(Reject, CancelledError)

        self._ahead_dial = self._reach(self._accept)
        self._ahead_dial.addCallbacks(reached, failed)

    def message_received(self, message: Message) -> None:
        """The sender opens a connection."""
        if (
            not isinstance(message, Open)
            or self.stream is not None
            or bool(message.target) is not self._targeted
        ):
            super().message_received(message)
            return
        self._refused = False
        accept = evolve(self._accept, id=message.id)
        if message.target:
            accept = with_target(accept, message.target)
        stream = self.begin()
        end, self._ahead = self._ahead, None
        if isinstance(end, Joint) and end.alive:
            end.names = evolve(end.names, tracking_id=accept.id)
            self._opened(end, stream, accept)
            return
        ahead, self._ahead_dial = self._ahead_dial, None
        if ahead is not None:
            ahead.cancel()
        self._timer = self.socket.clock.callLater(SAY_OPENING, self._say_opening)
        self._dial = dial = self._reach(accept)
        dial.addCallbacks(
            self._opened,
            self._failed,
            callbackArgs=(stream, accept),
            errbackArgs=(stream,),
        )

    def stray_received(self) -> None:
        """Ignore what follows a refusal; the sender could not know of it."""
        if not self._refused:
            super().stray_received()

    def tunnel_lost(self, reason: Failure) -> None:
        """The sender is gone."""
        self._settled()
        for dial in (self._dial, self._ahead_dial):
            if dial is not None:
                dial.cancel()
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.abandon()
        super().tunnel_lost(reason)

    def _opened(self, end: ITunnelEnd, stream: Stream, accept: Accept) -> None:
        self._dial = None
        self._settled()
        if stream.over or self.stream is not stream:
            end.abandon()
            return
        self.send_soon(Opened())
        self._join(end, stream, accept)

    def _failed(self, failure: Failure, stream: Stream) -> None:
        self._dial = None
        self._settled()
        if stream.over or self.stream is not stream:
            return
        error = failure.value
        no = error if isinstance(error, Reject) else Reject(502, "The listener failed")
        self._refused = True
        self.send(Refused(no.status, no.description))
        self.release(stream)
        stream.lost(failure)

    def _say_opening(self) -> None:
        self._timer = None
        self.send(Opening())

    def _settled(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
