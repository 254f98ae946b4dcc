"""
What comes over an open control channel: commands of the relay, the bodies of requests,
and the Close (relay-protocol section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.command_json import CommandError
from hybridconn.core.commands import Accept, Unknown, parse_relay_command
from hybridconn.core.http_commands import Request, RequestOffer
from hybridconn.websocket.base import ProtocolViolation
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.closing import reason_text
from hybridconn.websocket.messages import MessageSink

#: The body of a request, which may follow its command, has 64 KiB at most.
_MOST_BYTES: Final = 131072

#: Writes a response command and, unless that is L{None}, its body; whether it could.
Reply = Callable[[str, bytes | None], bool]


class ChannelUser(Protocol):
    """Who owns a control channel."""

    def online(self) -> None:
        """Registered at the relay; called each time."""

    def offline(self, reason: str) -> None:
        """A dial failed, or the channel is lost; it will be dialled again."""

    def accept_received(self, accept: Accept) -> None:
        """A sender waits."""

    def request_received(self, request: Request, body: bytes, reply: Reply) -> None:
        """
        An HTTP request came with its body.

        @param reply: writes a response to the same channel.
        """

    def request_offered(self, offer: RequestOffer) -> None:
        """An HTTP request waits at a rendezvous."""


class Channel(Protocol):
    """The control channel, as far as what comes over it is concerned."""

    entity: str

    def serves(self, tunnel: TunnelClientProtocol) -> bool:
        """Whether it is open, and C{tunnel} is what it has."""

    def command_received(self, name: str) -> None:
        """A command that this version does not know."""

    def lost(self, tunnel: TunnelClientProtocol, reason: str) -> None:
        """C{tunnel} is gone."""


class ChannelCommands(MessageSink):
    """
    Reads the commands of a relay; what is none is logged and ignored.

    @param user: told of senders and requests.
    @param tunnel: they come over it.
    """

    log = Logger()
    tunnel: TunnelClientProtocol

    def __init__(
        self, channel: Channel, user: ChannelUser, tunnel: TunnelClientProtocol
    ) -> None:
        super().__init__(_MOST_BYTES)
        self.tunnel = tunnel
        self._channel = channel
        self._user = user
        self._closed = ""
        self._request: Request | None = None

    def message_received(self, message: bytes, binary: bool) -> None:
        request, self._request = self._request, None
        if request is not None:
            if binary:
                self._requested(request, message)
                return
            self._complain("a request's body is missing")
        if not binary:
            self._request = self._command(message)

    def close_received(self, code: int | None, reason: bytes) -> None:
        words = reason_text(reason)
        self._closed = f"closed by the relay: {code or 'no code'} {words}".rstrip()
        super().close_received(code, reason)

    def tunnel_lost(self, reason: Failure) -> None:
        self._channel.lost(self.tunnel, self._closed or _loss(reason))

    def _command(self, message: bytes) -> Request | None:
        """
        @return: a request whose body is the next message.
        """
        try:
            command = parse_relay_command(message)
        except CommandError as error:
            self._complain(str(error))
            return None
        if not self._channel.serves(self.tunnel):
            return None
        if isinstance(command, Accept):
            self._user.accept_received(command)
        elif isinstance(command, RequestOffer):
            self._user.request_offered(command)
        elif isinstance(command, Unknown):
            self._channel.command_received(command.name)
        elif command.body:
            return command
        else:
            self._requested(command, b"")
        return None

    def _requested(self, request: Request, body: bytes) -> None:
        """A request is here with its body."""
        channel, tunnel = self._channel, self.tunnel

        def reply(text: str, body: bytes | None) -> bool:
            if not channel.serves(tunnel):
                return False
            pieces = [(text.encode("utf-8", "replace"), False, True)]
            if body is not None:
                pieces.append((body, True, True))
            tunnel.send_pieces(pieces)
            return True

        if channel.serves(tunnel):
            self._user.request_received(request, body, reply)

    def _complain(self, what: str) -> None:
        self.log.info(
            "{entity}: a command of the relay was ignored: {what}",
            entity=self._channel.entity,
            what=what,
        )


def _loss(reason: Failure) -> str:
    broke_rules = reason.check(ProtocolViolation)
    return str(reason.value) if broke_rules else "the connection was lost"
