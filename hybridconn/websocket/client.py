"""The listener's and sender's end of a WebSocket: dialling one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from attrs import frozen
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.types import ConnectingRequest, ConnectionResponse
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from hybridconn.core.limits import Limits
from hybridconn.core.text import printable
from hybridconn.interfaces import IDialer, ITunnelSink
from hybridconn.websocket.autobahn_frames import COMMON_OPTIONS, DataPath
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.reading import ReadSizes

#: An answer's head longer than this is no relay's.
_MAX_HEAD_BYTES = 65536
#: Autobahn writes it with a port in any case.
_HOST_FIELD = re.compile(rb"\r\nHost: [^\r\n]*")


class HandshakeRefused(ConnectError):
    """
    The relay answered the upgrade with something else than 101.

    @ivar status: the HTTP status; 0 if the answer was no HTTP.
    @ivar reason: the status text; the relay's own words.
    @ivar tracking_id: to be quoted to the relay's operator; may be empty.
    """

    def __init__(self, status: int, reason: str, tracking_id: str = "") -> None:
        self.status = status
        self.reason = reason
        self.tracking_id = tracking_id
        super().__init__(f"{status} {reason}")

    def __str__(self) -> str:
        return f"{self.status} {self.reason}" if self.status else self.reason


#: Gets the fields of an answer, their names in lower case.
Answered = Callable[[Mapping[str, str]], object]


@frozen
class WebSocketUrl:
    """
    A C{ws:} or C{wss:} address, its resource kept byte for byte.

    @ivar resource: path and query as written.
    """

    secure: bool
    host: str
    port: int
    resource: str

    @classmethod
    def parse(cls, url: str) -> WebSocketUrl:
        """
        @raise ValueError: it is no such address; the text does not repeat it,
            for it may carry a secret.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # whose text would repeat what is wrong
            raise ValueError("the address has no valid host and port") from None
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError("not a ws:// or wss:// address")
        start = len(parts.scheme) + 3 + len(parts.netloc)
        resource = url[start:]
        if not resource.startswith("/"):
            resource = "/" + resource
        if any(ord(c) <= 32 or ord(c) >= 127 for c in resource) or "#" in resource:
            raise ValueError("the address has a character that no URL may have")
        secure = parts.scheme == "wss"
        return cls(secure, parts.hostname, port or (443 if secure else 80), resource)

    @property
    def bracketed_host(self) -> str:
        """The host as it stands in C{Host:}."""
        return f"[{self.host}]" if ":" in self.host else self.host


class TunnelClientProtocol(StreamingWebSocket, WebSocketClientProtocol):  # type: ignore[misc]  # untyped
    """
    One WebSocket to a relay.

    @ivar handshake: fires with this protocol when it is open, fails with
        L{HandshakeRefused} or the connection's failure.
    """

    factory: TunnelClientFactory
    #: Autobahn's: the sub-protocol that was agreed on.
    websocket_protocol_in_use: str | None
    handshake: Deferred[TunnelClientProtocol] | None = None

    def onConnecting(self, transport_details: object) -> ConnectingRequest:
        """What to ask for (Autobahn)."""
        url = self.factory.target
        headers = self.factory.headers
        return ConnectingRequest(
            host=url.bracketed_host,
            port=url.port,
            resource=url.resource,
            headers={n: v for n, v in headers.items() if n.lower() != "host"},
            useragent=self.factory.useragent,
            protocols=list(self.factory.protocols),
        )

    def sendData(self, data: bytes, *how: Any, **named: Any) -> None:
        """Write (Autobahn); the first is the request, whose C{Host} may be another."""
        if self.state == self.STATE_CONNECTING and "Host" in self.factory.headers:
            field = b"\r\nHost: " + self.factory.headers["Host"].encode("latin-1")
            data = _HOST_FIELD.sub(lambda _: field, data, count=1)
        super().sendData(data, *how, **named)

    def onConnect(self, response: ConnectionResponse) -> None:
        """The relay answered 101 (Autobahn)."""
        self.factory.answered(response.headers)

    def onOpen(self) -> None:
        """The WebSocket is open (Autobahn)."""
        self.factory.forget_request()
        super().onOpen()
        handshake, self.handshake = self.handshake, None
        if handshake is not None:
            handshake.callback(self)

    def processHandshake(self) -> None:
        """Read the relay's answer (Autobahn)."""
        if len(self.data) > _MAX_HEAD_BYTES:
            self.failHandshake("the answer's head is longer than 64 KiB")
            return
        try:
            super().processHandshake()
        except Exception:  # Autobahn raises bare Exceptions on a malformed head
            self.failHandshake("the answer is not an HTTP response")

    def failHandshake(self, reason: str) -> None:
        """The answer was not 101, or not a proper one (Autobahn)."""
        words = getattr(self, "http_status_line", "").split(None, 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        if status not in (0, 101):
            reason = words[2] if len(words) > 2 else ""
        headers = getattr(self, "http_headers", {})
        self.factory.answered(headers)
        # The words of whoever answered: a terminal may obey the controls in them.
        said, tracking_id = printable(reason), printable(headers.get("trackingid", ""))
        self._refused(Failure(HandshakeRefused(status, said, tracking_id)))
        self.drop()

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone (Twisted)."""
        self._refused(reason)
        super().connectionLost(reason)

    def give_up(self) -> None:
        """Nobody waits for the handshake any more."""
        self.handshake = None
        self.abort()

    def _refused(self, why: Failure) -> None:
        handshake, self.handshake = self.handshake, None
        if handshake is not None:
            handshake.errback(why)


#: What a factory holds for the one request that its connection begins with.
_OF_THE_REQUEST: Final = frozenset(
    (
        *("url", "host", "port", "resource", "path", "params", "origin", "useragent"),
        *("protocols", "headers", "target", "_sink"),
        "answered",
    )
)


class TunnelClientFactory(WebSocketClientFactory):  # type: ignore[misc]  # untyped
    """
    Makes the protocol for one dialled address.

    @param sink: attached before the handshake, so that nothing is lost.
    @param data_path: who reads and writes the frames after the handshake.
    @param read_sizes: shared by all tunnels of a process.
    @param answered: called with the fields of the relay's answer, yes or no.
    """

    protocol = TunnelClientProtocol
    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits,
        target: WebSocketUrl,
        sink: ITunnelSink | None,
        headers: Mapping[str, str],
        subprotocols: Sequence[str],
        user_agent: str,
        data_path: DataPath = "slim",
        read_sizes: ReadSizes | None = None,
        answered: Answered | None = None,
    ) -> None:
        super().__init__(
            reactor=clock, protocols=list(subprotocols), useragent=user_agent
        )
        self.limits = limits
        self.target = target
        self.headers = dict(headers)
        self.answered: Answered = answered or _nobody_asks
        self._sink = sink
        self._data_path = data_path
        self.read_sizes = read_sizes or ReadSizes(clock, limits.read_bytes)
        self.setProtocolOptions(serverConnectionDropTimeout=0, **COMMON_OPTIONS)

    def forget_request(self) -> None:
        """
        The connection is open: let go of what only its request needed, with the
        token in it.
        """
        self.__dict__ = {
            name: value
            for name, value in self.__dict__.items()
            if name not in _OF_THE_REQUEST
        }

    def buildProtocol(self, addr: object) -> Any:
        """Make the protocol (Twisted)."""
        protocol = self.protocol()
        protocol.factory = self
        protocol.data_path = self._data_path
        if self._sink is not None:
            protocol.attach(self._sink)
        return protocol


def _nobody_asks(_: Mapping[str, str]) -> None:
    """Most want to know no more than that they are let in."""


_T = TypeVar("_T")


def connect_websocket(
    dialer: IDialer,
    clock: IReactorTime,
    limits: Limits,
    url: str,
    *,
    sink: ITunnelSink | None = None,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
    timeout: float = 20.0,
    user_agent: str = "hybridconn",
    data_path: DataPath = "slim",
    read_sizes: ReadSizes | None = None,
    answered: Answered | None = None,
) -> Deferred[TunnelClientProtocol]:
    """
    Open a WebSocket to a relay.

    @param url: C{wss://host[:port]/path?query}; path and query go out as they are.
    @param sink: gets what arrives from the first byte on.
    @param headers: beside those of the handshake; C{Host} is the URL's unless it is
        among them.
    @param timeout: seconds for the whole: name, TCP, TLS, upgrade.
    @param data_path: who reads and writes the frames after the handshake; for
        control channels it is C{autobahn}.
    @param read_sizes: shared by all tunnels of a process.
    @param answered: called with the fields of the relay's answer, yes or no.
    @return: fires with the open tunnel.  Fails with L{HandshakeRefused} for
        an answer other than 101, L{TimeoutError
        <twisted.internet.error.TimeoutError>}, or what the dialer failed with.
        Cancelling it closes what was half made.
    @raise ValueError: C{url} is no such address.
    """
    target = WebSocketUrl.parse(url)
    factory = TunnelClientFactory(
        clock,
        limits,
        target,
        sink,
        headers or {},
        subprotocols,
        user_agent,
        data_path,
        read_sizes,
        answered,
    )
    dialled: Deferred[Any] = dialer.endpoint(
        target.host, target.port, target.secure
    ).connect(factory)

    def connected(protocol: TunnelClientProtocol) -> Deferred[TunnelClientProtocol]:
        if protocol.state == protocol.STATE_OPEN:
            opened: Deferred[TunnelClientProtocol] = Deferred()
            opened.callback(protocol)
            return opened
        protocol.handshake = Deferred(lambda _: protocol.give_up())
        return protocol.handshake

    dialled.addCallback(connected)
    return with_timeout(dialled, clock, timeout)


def with_timeout(
    deferred: Deferred[_T], clock: IReactorTime, seconds: float
) -> Deferred[_T]:
    """
    Cancel C{deferred} after C{seconds}; it then fails with L{TimeoutError
    <twisted.internet.error.TimeoutError>}, a L{ConnectError}.
    """

    def too_late(result: _T | Failure, after: float) -> _T | Failure:
        if isinstance(result, Failure):
            return Failure(TimeoutError(string=f"no answer within {after:g} s"))
        return result

    return deferred.addTimeout(seconds, clock, too_late)
