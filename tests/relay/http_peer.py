"""An HTTP client made of plain bytes, for a relay in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from hybridconn.core.entities import Claim
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from tests.relay.scene import RelayTestCase


@frozen
class Answer:
    """
    One answer as it came.

    @ivar fields: name in lower case and value, in order.
    @ivar complete: whether its framing says that all of it is here.
    """

    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes
    complete: bool

    def __getitem__(self, name: str) -> str | None:
        values = [value for key, value in self.fields if key == name]
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class HttpPeer(Protocol):
    """
    Sends what it is told, and keeps what comes.

    @ivar received: all bytes, until L{answer} takes those of one answer.
    @ivar lost: why the connection ended, if it did.
    """

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """Keep it (Twisted)."""
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Remember it (Twisted)."""
        self.lost = reason

    def answer(self, head_only: bool = False) -> Answer | None:
        """
        Take the next answer; L{None} if its head is not here.

        @param head_only: the request was a C{HEAD}.
        """
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        _, status, reason = first.split(" ", 2)
        pairs = [line.split(": ", 1) for line in lines]
        fields = [(name.lower(), value) for name, value in pairs]
        known = dict(fields)
        if head_only or status in ("204", "304"):
            body, complete, rest = b"", True, rest
        elif known.get("transfer-encoding") == "chunked":
            body, complete, rest = _dechunk(rest)
        elif "content-length" in known:
            size = int(known["content-length"])
            body, rest = rest[:size], rest[size:]
            complete = len(body) == size
        else:
            body, complete, rest = rest, self.lost is not None, b""
        self.received = rest
        return Answer(int(status), reason, fields, body, complete)


def _dechunk(data: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while True:
        size, end, rest = data.partition(b"\r\n")
        if not end:
            return body, False, b""
        length = int(size, 16)
        body += rest[:length]
        if len(rest) < length + 2:
            return body, False, b""
        data = rest[length + 2 :]
        if not length:
            return body, True, data


class HttpCase(RelayTestCase):
    """A relay with one listener online, C{control}."""

    def setUp(self) -> None:
        super().setUp()
        self.control = self.listen()

    def restart(self, **limits: Any) -> None:
        """Begin again with other limits."""
        super().restart(**limits)
        self.control = self.listen()

    def client(self) -> HttpPeer:
        """A connection without a request."""
        peer = HttpPeer()
        endpoint = self.network.client_endpoint(
            self.relay.host, self.relay.port, secure=True
        )
        endpoint.connect(one_protocol(peer))
        self.flush()
        return peer

    def head(
        self,
        method: str = "GET",
        path: str = "/hyco",
        headers: Mapping[str, str] | None = None,
        token: bool = True,
    ) -> bytes:
        """The bytes of a request's head."""
        fields = {"Host": self.relay.host}
        if token:
            fields["ServiceBusAuthorization"] = self.token(Claim.SEND)
        fields |= dict(headers or {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")

    def ask(
        self,
        method: str = "GET",
        path: str = "/hyco",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        peer: HttpPeer | None = None,
    ) -> HttpPeer:
        """Send a request; the answer may be still to come."""
        peer = peer or self.client()
        fields = dict(headers or {})
        if body and "Transfer-Encoding" not in fields:
            fields.setdefault("Content-Length", str(len(body)))
        self.send(peer, self.head(method, path, fields) + body)
        return peer

    def send(self, peer: HttpPeer, data: bytes) -> None:
        """Send bytes."""
        peer.transport.write(data)
        self.flush()

    def requests(self) -> list[dict[str, Any]]:
        """The request commands that the listener got so far."""
        texts = [json.loads(m) for m in self.control.messages if isinstance(m, str)]
        return [one["request"] for one in texts]

    def respond(
        self,
        socket: WsPeer,
        request: Mapping[str, Any],
        status: object = 200,
        headers: Mapping[str, object] | None = None,
        body: bytes | None = None,
        **more: object,
    ) -> None:
        """Write a response to C{socket}, with a body unless that is L{None}."""
        response = {
            "requestId": request.get("id"),
            "statusCode": status,
            "responseHeaders": dict(headers or {}),
            "body": body is not None,
            **more,
        }
        socket.text(json.dumps({"response": response}))
        if body is not None:
            socket.binary(body)
        self.flush()

    def answer(self, peer: HttpPeer, head_only: bool = False) -> Answer:
        """Its next answer, which must be there in full."""
        answer = peer.answer(head_only)
        assert answer is not None, "no answer"
        self.assertTrue(answer.complete, answer)
        return answer

    def refused(self, peer: HttpPeer, status: int, words: str) -> Answer:
        """Check that the relay itself said no (relay-protocol section 7.5)."""
        answer = self.answer(peer)
        self.assertEqual(answer.status, status)
        self.assertEqual(answer["content-type"], "application/json")
        self.assertIsNone(answer["via"])
        self.assertEqual(answer.json["code"], status)
        self.assertIn(words, answer.json["message"])
        self.assertIn("TrackingId:", answer.json["message"])
        return answer
