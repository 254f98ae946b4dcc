"""What an HTTP exchange needs of the relay around it, and a listener's way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

from hybridconn.core.entities import Namespace
from hybridconn.core.http_commands import Request
from hybridconn.core.live import LiveTunnel
from hybridconn.core.refusals import Refusal
from hybridconn.interfaces import IHeldRequest
from hybridconn.relay.rendezvous import Channel
from hybridconn.relay.response_reader import ResponseReader
from hybridconn.websocket.base import StreamingWebSocket

if TYPE_CHECKING:
    from hybridconn.relay.exchange import Exchange


@frozen(eq=False)
class Ticket:
    """
    A listener's way to one request.

    @ivar capability: the secret in the address; good once.
    @ivar segments: the path of the address, in the form in which paths are
        compared.
    """

    exchange: Exchange
    capability: str = field(repr=False)
    segments: tuple[str, ...]


class Host(Protocol):
    """What an exchange needs of the relay around it."""

    request: IHeldRequest
    namespace: Namespace
    via: str

    def choose(self) -> Channel | None:
        """
        A listener; L{None} if there is none.

        @raise ListenersExcluded: there are some, but not for this request.
        """

    def message(self, channel: Channel, ticket: Ticket) -> Request:
        """The command, as if a body followed."""

    def new_ticket(self, exchange: Exchange) -> Ticket:
        """A way to this exchange; void until L{issue}."""

    def issue(self, ticket: Ticket) -> None:
        """Let it be used."""

    def revoke(self, ticket: Ticket) -> None:
        """Make it void; harmless if it is."""

    def new_socket(self, reader: ResponseReader) -> StreamingWebSocket:
        """A rendezvous that waits for its connection."""

    def upgrade(self, listener: IHeldRequest, socket: StreamingWebSocket) -> None:
        """Give it that of a listener."""

    def refuse(self, refusal: Refusal) -> None:
        """Answer the sender."""

    def live(self, exchange: Exchange, wall: float) -> LiveTunnel:
        """The exchange as it is shown."""

    def note(self, what: str) -> None:
        """Write down what went wrong after the answer was begun."""

    def settled(self, exchange: Exchange, socket: StreamingWebSocket | None) -> None:
        """It is over; called once."""
