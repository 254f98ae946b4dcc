"""A local port that speaks plain HTTP for a hybrid connection."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed
from zope.interface import implementer

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.headers import end_to_end
from hybridconn.core.http import RequestHead, origin_form
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import (
    BadRequest,
    ListenerFailed,
    MisdirectedRequest,
    Refusal,
    Rejected,
    ResponseTimedOut,
)
from hybridconn.core.route import split_query
from hybridconn.interfaces import IDialer, IHeldRequest, IRequestHandler
from hybridconn.sender.agent import HybridConnectionAgent
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import HybridConnectionError
from hybridconn.web.admission import Admission
from hybridconn.web.frontdoor import FrontDoor
from hybridconn.web.proxy import Passage, cause_of, is_timeout
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.server import TunnelServerFactory
from hybridconn.websocket.splice import Ending, Splice
from hybridconn.websocket.words import explain, is_surprise

#: How often the end of the last connections is looked for at a stop, seconds.
_STOP_POLL = 0.05
#: The handshake is made anew; these belong to the app's.
_NOT_PASSED_ON = frozenset({"host", "connection", "upgrade"})

#: Who may use the port is for its address to say, not for rates; how slow a body may
#: be is for the relay.
_LIMITS = Limits(exempt_networks=("0.0.0.0/0", "::/0"), body_bytes_per_second=0)


@implementer(IRequestHandler)
class HttpForward:
    """
    Passes on what comes to one local port: requests as HTTP requests, WebSockets
    as tunnels.  The path of the hybrid connection is added to each, and taken off
    redirections.

    @ivar front_door: the protocol factory of the port.
    @ivar connector: opens tunnels to the same hybrid connection.
    @param host_names: the port's names, beside C{localhost} and IP addresses, in lower
        case; L{None} if it answers to any.
    @param response_timeout: seconds for a response to begin.
    """

    log = Logger()

    def __init__(
        self,
        connection: ConnectionString,
        connector: TunnelConnector,
        dialer: IDialer,
        reactor: Any,
        *,
        host_names: Collection[str] | None = None,
        response_timeout: float = 90.0,
        token_lifetime: float = 3600.0,
        wall: Callable[[], float] = time.time,
        new_guid: Callable[[], UUID] = uuid4,
    ) -> None:
        self.connector = connector
        self._host_names = host_names
        self._response_timeout = response_timeout
        self._clock = reactor
        self._agent = HybridConnectionAgent(
            connection,
            reactor,
            dialer=dialer,
            token_lifetime=token_lifetime,
            wall=wall,
        )
        self._prefix = urlsplit(self._agent.base).path
        self._websockets = TunnelServerFactory(reactor, _LIMITS)
        admission = Admission(_LIMITS, reactor, random.random)
        self.front_door = FrontDoor(self, _LIMITS, reactor, admission, wall, new_guid)

    def handle(self, request: IHeldRequest) -> None:
        """See L{IRequestHandler.handle <hybridconn.interfaces>}."""
        request.authenticated()
        self._check_name(request.head)
        target = _origin_form(request.head.target)
        if request.head.wants_websocket:
            self._open_websocket(request, target)
            return
        headers = end_to_end(request.head)
        host = next((headers.pop(n) for n in tuple(headers) if n.lower() == "host"), "")
        if host and not request.head.get("X-Forwarded-Host"):
            headers["X-Forwarded-Host"] = host
        passage = Passage(
            request,
            self._clock,
            self._response_timeout,
            lambda failure: self._refusal(request, failure),
            self._amend,
        )
        passage.begin(self._agent, self._agent.url(target), tuple(headers.items()))

    def drain(self, timeout: float) -> Deferred[None]:
        """
        Wait for the connections that are open, once the port is closed.

        @param timeout: seconds.
        """
        if timeout <= 0 or self.front_door.idle:
            return succeed(None)
        wait: Deferred[Any] = deferLater(self._clock, _STOP_POLL)
        return wait.addCallback(lambda _: self.drain(timeout - _STOP_POLL))

    # --- requests ---

    def _check_name(self, head: RequestHead) -> None:
        # Only a client that takes the port for its proxy, which no web page can make
        # a browser do, writes the host of a service into the target.
        if self._host_names is None or not head.target.startswith("/"):
            return
        host = head.host
        ours = host == "localhost" or host.endswith(".localhost")
        if not ours and not _is_ip_address(host) and host not in self._host_names:
            raise MisdirectedRequest(host)

    def _amend(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [
            (name, self._location(value) if name.lower() == "location" else value)
            for name, value in headers
        ]

    def _location(self, value: str) -> str:
        for front in (self._agent.base, self._prefix):
            rest = value.removeprefix(front)
            if rest != value and rest[:1] in ("", "/", "?"):
                return rest if rest.startswith("/") else "/" + rest
        return value

    def _refusal(self, request: IHeldRequest, failure: Failure) -> Refusal:
        refusal = self._explain(failure)
        self._say_why(request, refusal)
        return refusal

    def _say_why(self, request: IHeldRequest, refusal: Refusal) -> None:
        self.log.warn(
            "{entity}: no answer for {peer.host}:{peer.port}: {status} {reason},"
            " tracking id {tracking_id}",
            entity=self.connector.entity,
            peer=request.peer,
            status=refusal.status,
            reason=refusal.sentence,
            tracking_id=str(request.tracking),
        )

    def _explain(self, failure: Failure) -> Refusal:
        if is_timeout(failure):
            return ResponseTimedOut()
        if failure.check(RequestGenerationFailed):
            return BadRequest("The request broke off")
        failure = cause_of(failure)
        if is_surprise(failure):
            self.log.failure("a request failed", failure)
        return ListenerFailed(f"The relay cannot be reached: {explain(failure)}")

    # --- WebSockets ---

    def _open_websocket(self, request: IHeldRequest, target: str) -> None:
        path, _, query = target.partition("?")
        head = request.head
        offered = head.get("Sec-WebSocket-Protocol") or ""
        dial = self.connector.connect(
            request.tracking,
            suffix=path,
            query=query,
            headers={
                name: value
                for name, value in end_to_end(head).items()
                if name.lower() not in _NOT_PASSED_ON
                and not name.lower().startswith("sec-websocket-")
            },
            subprotocols=[one for one in map(str.strip, offered.split(",")) if one],
        )
        request.on_gone(dial.cancel)

        def opened(tunnel: TunnelClientProtocol) -> None:
            leg = self._websockets.build()

            def ended(ending: Ending) -> None:
                self.connector.forget(tunnel)

            splice = Splice(leg, tunnel, _LIMITS, ended)
            request.upgrade(leg, tunnel.websocket_protocol_in_use)
            splice.wire()

        def failed(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, HybridConnectionError):
                refusal: Refusal = Rejected(error.status_code or 502, error.reason)
            else:
                refusal = self._explain(failure)
            self._say_why(request, refusal)
            request.refuse(refusal)

        dial.addCallbacks(opened, failed)


def _is_ip_address(host: str) -> bool:
    return isIPAddress(host) or isIPv6Address(host)


def _origin_form(target: str) -> str:
    """
    Path and query of a request target, without the protocol's own parameters: what
    is asked of the relay is not for an app, or a web page in a browser, to choose.

    @raise BadRequest: it has none.
    """
    try:
        path, _, query = origin_form(target).partition("?")
    except ValueError:
        raise BadRequest("The request target is not a path") from None
    passed = split_query(query)[1]
    return f"{path}?{passed}" if passed else path
