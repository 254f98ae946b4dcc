"""An HTTP service as the target of WebSockets: they go on as WebSockets."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.commands import Accept
from hybridconn.core.http_url import HttpUrl
from hybridconn.core.limits import Limits
from hybridconn.core.rendezvous_address import sender_target
from hybridconn.interfaces import IDialer, ITargetConnector
from hybridconn.listener.http_target import HttpSettings, forwarded, split_entity
from hybridconn.listener.reject import Reject
from hybridconn.listener.trouble import target_trouble
from hybridconn.websocket.bridge import WebSocketEnd
from hybridconn.websocket.client import (
    HandshakeRefused,
    TunnelClientProtocol,
    connect_websocket,
)
from hybridconn.websocket.splice import Ending
from hybridconn.websocket.words import is_surprise

#: The handshake is made anew; these belong to the sender's, or are always in it.
_NOT_PASSED_ON: Final = frozenset(
    {
        "cache-control",
        "connection",
        "content-length",
        "pragma",
        "upgrade",
        "user-agent",
    }
)
#: The relay's own words to the listener are none of the service's business: in an HTTP
#: request, where the relay says nothing, they would be the sender's.
_NOBODYS: Final = ("sec-websocket-", "hybridconn-")


@implementer(ITargetConnector)
class WebSocketConnector:
    """
    Opens a WebSocket at an HTTP service for each sender, with its path, query,
    sub-protocols and header fields.

    @param entity: the hybrid connection's path.
    """

    log = Logger()

    def __init__(
        self,
        url: HttpUrl,
        entity: str,
        dialer: IDialer,
        reactor: Any,
        settings: HttpSettings | None = None,
    ) -> None:
        self._url = url
        self._entity = entity
        self._dialer = dialer
        self._clock = reactor
        self._settings = settings or HttpSettings()
        self._limits = Limits()

    def connect(self, accept: Accept) -> Deferred[WebSocketEnd]:
        """See L{ITargetConnector.connect}."""
        target, prefix = sender_target(accept.address), ""
        if not self._settings.keep_path:
            prefix, target = split_entity(target, self._entity)
        offered = accept.header("Sec-WebSocket-Protocol") or ""
        scheme = "wss" if self._url.secure else "ws"
        dialled: Deferred[Any] = connect_websocket(
            self._dialer,
            self._clock,
            self._limits,
            f"{scheme}://{self._url.authority}{self._url.path}{target}",
            headers={
                name: value
                for name, value in forwarded(
                    accept.connect_headers.items(),
                    accept.remote_address,
                    prefix,
                    self._url,
                    self._settings,
                )
                if name.lower() not in _NOT_PASSED_ON
                and not name.lower().startswith(_NOBODYS)
            },
            subprotocols=[one for one in map(str.strip, offered.split(",")) if one],
            timeout=self._settings.timeout,
            user_agent=accept.header("User-Agent") or "",
        )

        def opened(socket: TunnelClientProtocol) -> WebSocketEnd:
            agreed = socket.websocket_protocol_in_use
            return WebSocketEnd(
                socket, agreed, self._limits, lambda ending: self._ended(accept, ending)
            )

        return dialled.addCallbacks(opened, self._refused)

    def _refused(self, failure: Failure) -> Failure:
        error = failure.value
        if isinstance(error, HandshakeRefused):
            if error.status >= 400:
                why = error.reason or "no WebSocket there"
                return Failure(Reject(error.status, why))
            # Most likely a web site, and a sender whose forward is for TCP.
            why = (
                f"target {self._url} opens no WebSocket: {error}; for HTTP requests"
                " the sender needs http = true"
            )
            return Failure(Reject(502, why))
        if is_surprise(failure):
            return failure
        what = target_trouble(failure, str(self._url), self._settings.timeout)
        return Failure(Reject(502, what))

    def _ended(self, accept: Accept, ending: Ending) -> None:
        by = "target" if ending.ended_by == "listener" else ending.ended_by
        self.log.info(
            "{entity}: WebSocket to {target} ended by {by} ({ending.why}), bytes"
            " {ending.sender_bytes}/{ending.listener_bytes}, tracking id {tracking_id}",
            entity=self._entity,
            target=str(self._url),
            by=by,
            ending=ending,
            tracking_id=accept.id,
        )
