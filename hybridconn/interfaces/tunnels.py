"""One WebSocket as a tunnel, what is joined to it, and the way to a relay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IStreamClientEndpoint
    from twisted.python.failure import Failure

    from hybridconn.core.frames import Piece


class ITunnelSink(Interface):
    """Receives what arrives on one WebSocket, piece by piece."""

    def piece_received(data: bytes, binary: bool, final: bool) -> None:
        """
        A part of a message.

        @param data: payload, unmasked; may be empty only if C{final}.
        @param binary: L{False} for a text message.
        @param final: whether this piece ends its message.
        """

    def close_received(code: int | None, reason: bytes) -> None:
        """The peer sent a Close frame; it sends nothing more."""

    def tunnel_lost(reason: Failure) -> None:
        """The connection below is gone.  Called exactly once, last."""


class IBatchSink(ITunnelSink):
    """A sink that takes all that one read brought in one call; it is quicker."""

    def pieces_received(pieces: Sequence[Piece]) -> None:
        """
        Parts of messages, in their order; called in place of C{piece_received}.

        @param pieces: for each C{(data, binary, final)}.
        """


class ITunnel(Interface):
    """
    One WebSocket after its handshake, as L{hybridconn.websocket} gives it: the
    two halves of the closing handshake are apart (relay-protocol section 6.4).
    """

    def attach(sink: ITunnelSink) -> None:
        """Send what arrives from now on to C{sink}."""

    def send_piece(data: bytes, binary: bool, final: bool) -> None:
        """
        Send a part of a message, in frames of at most 64 kB.  Ignored after
        L{send_close} or when the connection is gone.
        """

    def send_pieces(pieces: Sequence[Piece]) -> None:
        """Send several parts of messages at once, in one write."""

    def send_close(code: int | None, reason: bytes) -> None:
        """Send Close; receiving goes on until the peer's Close."""

    def finish(code: int | None, reason: bytes) -> None:
        """
        Send Close, ignore whatever still comes, and drop the connection when
        the peer's Close is there or C{control_close_timeout} has passed.
        """

    def drop() -> None:
        """Write what is queued, then close the connection below."""

    def abort() -> None:
        """Close the connection below at once; queued data may be lost."""

    def pause() -> None:
        """Stop reading from the network."""

    def resume() -> None:
        """Read on."""

    def register_producer(producer: Any, streaming: bool) -> None:
        """
        Have C{producer} paused while the network does not take what is written
        here, and resumed when it does.  As L{IConsumer.registerProducer
        <twisted.internet.interfaces.IConsumer.registerProducer>}.
        """

    def unregister_producer() -> None:
        """Forget the producer; harmless when there is none."""


class ITunnelEnd(Interface):
    """What a tunnel is joined to in a listener or sender."""

    def join(tunnel: ITunnel) -> Deferred[None]:
        """
        Become one with C{tunnel}, which is open.

        @return: fires when both are gone.
        """

    def abandon() -> None:
        """Let go: there will be no tunnel."""

    def end(code: int, reason: bytes) -> None:
        """
        End both sides from here, soon.

        @param code: of the Close that the tunnel's other end gets.
        """


class IDialer(Interface):
    """Reaches a relay over the network: the way out of listeners and senders."""

    def endpoint(host: str, port: int, secure: bool) -> IStreamClientEndpoint:
        """
        @param secure: TLS with the name and the chain verified; otherwise
            plain TCP.
        """
