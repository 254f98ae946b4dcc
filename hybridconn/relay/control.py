"""The relay's end of one listener's control channel (relay-protocol section 5)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.command_json import CommandError
from hybridconn.core.commands import Accept, RenewToken, encode_accept
from hybridconn.core.commands import parse_listener_command as parse
from hybridconn.core.entities import HybridConnection, Namespace
from hybridconn.core.frames import Piece
from hybridconn.core.http import RequestHead
from hybridconn.core.http_commands import Response
from hybridconn.core.limits import Limits
from hybridconn.core.listeners import ListenerRef
from hybridconn.core.live import LiveListener
from hybridconn.core.refusals import Refusal, TokenExpired
from hybridconn.core.sas import Grant
from hybridconn.relay.exchange import Exchange
from hybridconn.relay.response_desk import ResponseDesk
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import (
    INTERNAL_ERROR,
    INVALID_PAYLOAD,
    POLICY_VIOLATION,
    close_reason,
)
from hybridconn.websocket.messages import MessageSink

#: Characters of a C{User-Agent} that are kept to be shown.
_MOST_AGENT = 200


class ControlChannel(MessageSink):
    """
    One listener that is online.

    Subclass it and set L{RelayHandler.channel_class
    <hybridconn.relay.handler.RelayHandler.channel_class>} to see or add
    commands: L{command_received} gets each one.

    @ivar id: names this channel in one process; not the listener's C{sb-hc-id}.
    @ivar connections: tunnels that now run through this listener.
    @ivar offered: senders that it was told of and that still wait for it.
    @ivar draining: an operator wants it to be offered nothing new.
    @param renew: checks a renewed token; returns its grant or raises L{Refusal}.
    @param gone: called once when the channel is no more.
    @param tracking: its handshake's tracking id.
    """

    log = Logger()
    tunnel: StreamingWebSocket

    def __init__(
        self,
        id: str,
        namespace: Namespace,
        entity: HybridConnection,
        head: RequestHead,
        address: tuple[str, int],
        grant: Grant,
        limits: Limits,
        now: float,
        *,
        sb_hc_id: str | None,
        secure: bool,
        renew: Callable[[str], Grant],
        gone: Callable[[ControlChannel], None],
        tracking: str = "",
    ) -> None:
        super().__init__(limits.max_command_bytes)
        self.id = id
        self.namespace = namespace
        self.entity = entity
        self.authority = head.authority
        self.secure = secure
        self.connections = 0
        self.offered = 0
        self.draining = False
        self._agent = (head.get("User-Agent") or "")[:_MOST_AGENT]
        self._address = address
        self.sb_hc_id = sb_hc_id
        self._grant = grant
        self._limits = limits
        self._since = now
        self._renew = renew
        self._gone = gone
        self._tracking = tracking
        self._online = True
        self._queued = 0
        self._stuck: tuple[int, float] | None = None
        self._complained = False
        self._responses = ResponseDesk(limits, self._complain)

    def __repr__(self) -> str:
        return f"<ControlChannel {self.id} of {self.entity.path}>"

    def opened(self) -> None:
        """The tunnel's handshake is done."""
        self.tunnel.max_fragments = self._limits.max_fragments
        if self._online:
            self.tunnel.register_producer(_Nobody(), True)

    @property
    def online(self) -> bool:
        """Whether it can be offered a sender now."""
        return self._online and self._backlog() < self._limits.control_queue_bytes

    @property
    def ref(self) -> ListenerRef:
        """What a load balancer gets to know of it."""
        return ListenerRef(
            id=self.id,
            address=self._address[0],
            port=self._address[1],
            connected_since=self._since,
            connections=self.connections,
            sb_hc_id=self.sb_hc_id,
            offered=self.offered,
        )

    @property
    def live(self) -> LiveListener:
        """As it is shown to people."""
        return evolve(
            LiveListener.of(self.ref),
            tracking=self._tracking,
            rule=self._grant.rule_name,
            expires=self._grant.expires_at,
            draining=self.draining,
            agent=self._agent,
        )

    def offer(self, accept: Accept) -> None:
        """
        Tell the listener of a sender (section 5.1).

        @raise HeadersTooLarge: the command would be too long.
        """
        most = self._limits.max_command_bytes
        self.send_command(encode_accept(accept, most))

    def send_command(self, text: str) -> None:
        """Write a command."""
        command = text.encode("utf-8")
        self._queued += len(command)
        self.tunnel.send_piece(command, False, True)

    def take_request(self, text: str, body: bytes, exchange: Exchange) -> bool:
        """
        Write an HTTP request, its body in one message right behind the command
        (section 7.2, delivery A).

        @return: L{False} if too many are unanswered or unread; then nothing is
            written.
        """
        # Bodies must not fill the queue that says whether a listener is online.
        room = self._limits.control_queue_bytes // 4
        if self._backlog() and self._backlog() + len(body) > room:
            return False
        if not self._responses.expect(exchange):
            return False
        command = text.encode("utf-8")
        pieces: list[Piece] = [(command, False, True)]
        if body:
            pieces.append((body, True, True))
        self._queued += len(command) + len(body)
        self.tunnel.send_pieces(pieces)
        return True

    def forget_request(self, exchange: Exchange) -> None:
        """Its response, if one comes, is nobody's."""
        self._responses.forget(exchange)

    def close(self, code: int, reason: str) -> None:
        """End the channel; it is offered nothing from now on."""
        if self._online:
            self.log.info(
                "listener {id} of {entity} is closed: {code} {reason}",
                id=self.id,
                entity=self.entity.path,
                code=code,
                reason=reason,
            )
        self._leave()
        self.tunnel.finish(code, close_reason(reason))

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        """A body is not gathered like a command: it may be longer."""
        if self._responses.awaits_body(binary):
            self._responses.body_received(data, final)
        elif not binary:
            super().piece_received(data, binary, final)

    def message_received(self, message: bytes, binary: bool) -> None:
        """Read a command; what is none is logged and ignored."""
        try:
            text = message.decode("utf-8")
        except UnicodeDecodeError:
            self.close(INVALID_PAYLOAD, "a command must be UTF-8")
            return
        try:
            command = parse(text)
        except CommandError as error:
            if error.closes:
                self.close(POLICY_VIOLATION, str(error))
            else:
                self._complain(str(error))
            return
        try:
            self.command_received(command)
        except Exception:  # a mistake of ours or of a subclass, not the listener's
            self.log.failure("a command of {channel} failed", channel=self)
            self.close(INTERNAL_ERROR, "internal error")

    def command_received(self, command: object) -> None:
        """A well-formed command came.  To be extended."""
        if isinstance(command, RenewToken):
            self._renew_token(command)
        elif isinstance(command, Response):
            self._responses.response_received(command)
        else:
            self._complain(f"unknown command {command}")

    def look(self, now: float, wall: float) -> None:
        """
        Close it when the token is expired or nothing can be written.

        @param now: seconds of the monotonic clock.
        @param wall: seconds since 1970-01-01 UTC.
        """
        expires_at = self._grant.expires_at
        if expires_at is not None and wall >= expires_at + self._limits.clock_skew:
            self.close(POLICY_VIOLATION, str(TokenExpired(expires_at)))
            return
        flow = self.tunnel.flow
        if not flow.blocked:
            self._stuck = None
        elif self._stuck is None or self._stuck[0] != flow.turns:
            self._stuck = (flow.turns, now)
        elif now - self._stuck[1] >= self._limits.control_queue_timeout:
            self.close(INTERNAL_ERROR, "the listener does not read its commands")

    def close_received(self, code: int | None, reason: bytes) -> None:
        """The listener goes: it is offered nothing from this moment on."""
        self._leave()
        super().close_received(code, reason)

    def tunnel_lost(self, reason: Failure) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._online:
            self._online = False
            self._gone(self)

    def _renew_token(self, command: RenewToken) -> None:
        try:
            self._grant = self._renew(command.token.reveal())
        except Refusal as refusal:
            self.close(POLICY_VIOLATION, str(refusal))

    def _backlog(self) -> int:
        # An empty transport tells by not being blocked; what it holds is then
        # less than its own buffer.
        if not self.tunnel.flow.blocked:
            self._queued = 0
        return self._queued

    def _complain(self, what: str) -> None:
        # Once for each channel: Java's every renewal is a malformed one.
        if not self._complained:
            self._complained = True
            self.log.info(
                "listener {id} of {entity}: {what}",
                id=self.id,
                entity=self.entity.path,
                what=what[:1024],
            )


class _Nobody:
    """A producer that has nothing to pause: it makes the flow visible."""

    def pauseProducing(self) -> None:
        """Nothing is produced."""

    resumeProducing = stopProducing = pauseProducing
