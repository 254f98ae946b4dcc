"""Bodies that are none, and what is no HTTP at all: 4xx, and never a 5xx."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from hybridconn.core.http import RequestHead
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import RequestTimedOut
from hybridconn.management.api import MOST_BODY
from hybridconn.testing.fakes import FakeHeldRequest
from hybridconn.testing.network import MemoryNetwork
from hybridconn.web.admission import Admission
from hybridconn.web.frontdoor import FrontDoor
from tests.management.case import GUID, NS, ApiCase, error_of
from tests.management.test_web import WEB

HEADERS = (("Host", "api.test"), ("Authorization", "Bearer admin"))
VERSION = "?api-version=2021-11-01"


class BodyTests(ApiCase):
    """Bodies."""

    def send(self, body: bytes, path: str = NS, length: int | None = -1) -> Any:
        size = len(body) if length == -1 else length
        head = RequestHead("PUT", path + VERSION, headers=HEADERS)
        request = FakeHeldRequest(head, body_length=size, body=body)
        self.api.handle(request)
        return request.outcome

    def test_not_json(self) -> None:
        """What two readers could read in two ways is refused."""
        for body in (
            b"{",
            b"[]",
            b"null",
            b'"x"',
            b"\xff\xfe{\x00}\x00",
            b'{"location": "\xff"}',
            b'{"location": NaN}',
            b'{"a": Infinity, "location": "x"}',
            b'{"a": -Infinity, "location": "x"}',
            b'{"location": "x", "location": "y"}',
            b'{"location": "x", "Location": "y"}',
            b'{"location": "x", "tags": {"a": "1", "a": "2"}}',
            b'{"location": "x", "properties": {"a": 1, "A": 1}}',
            b'{"location": ' + b"1" * 5000 + b"}",
            b'{"a": ' + b"[" * 100_000,
            b'{"a": ' * 100_000,
            b"{'location': 'x'}",
            b'{"location": "x"} {}',
            b"location=x",
        ):
            found = error_of(self.send(body))
            self.assertEqual(found, (400, "InvalidRequestContent"), body[:40])
        self.assertEqual(self.store.saved, [])

    def test_byte_order_mark(self) -> None:
        """It is passed over, as what PowerShell writes has one."""
        answer = self.send(b'\xef\xbb\xbf{"location": "x"}')
        self.assertEqual(answer.status, 200)

    def test_too_long(self) -> None:
        """A body is refused before it is read, if it says how long it is."""
        answer = self.send(b"", length=MOST_BODY + 1)
        self.assertEqual(error_of(answer), (400, "BadRequest"))
        answer = self.send(b" " * (MOST_BODY + 1), length=None)
        self.assertEqual(error_of(answer), (400, "BadRequest"))
        answer = self.send(b'{"location": "x"}' + b" " * (MOST_BODY - 17))
        self.assertEqual(answer.status, 200)

    def test_breaks_off(self) -> None:
        """A body that never comes is no 408, which clients would repeat."""
        head = RequestHead("PUT", NS + VERSION, headers=HEADERS)
        request = FakeHeldRequest(head, body_length=10)
        self.api.handle(request)
        assert request.sink is not None
        request.sink.body_failed(RequestTimedOut())
        self.assertEqual(error_of(request.outcome), (400, "BadRequest"))

    def test_values(self) -> None:
        """Of the wrong type, too long, or with what cannot be kept."""
        wrong: tuple[Any, ...] = (
            *({"location": one} for one in (5, True, 1.5)),
            {"location": []},
            {"location": {}},
            *({"location": one} for one in ("x\0", "\ud800", "x" * 2049)),
            *(
                {"location": "x", "tags": one}
                for one in ([1], "x", {"a": 1}, {"a": None})
            ),
            {"location": "x", "tags": {"a": "\udfff"}},
            {"location": "x", "tags": {"\0": "a"}},
            {"location": "x", "tags": {"a" * 513: "a"}},
            {"location": "x", "tags": {"a": "a" * 257}},
            {"location": "x", "tags": {str(n): "" for n in range(51)}},
            {"location": "x", "sku": []},
            {"location": "x", "sku": {"name": "Premium"}},
            {"location": "x", "sku": {"tier": "Premium"}},
            {"location": "x", "sku": {"name": 1}},
            {"location": "x", "properties": "x"},
            {"location": "x", "properties": {"publicNetworkAccess": 1}},
            {"location": "x", "properties": {"minimumTlsVersion": "1.1"}},
            {"location": "x", "properties": {"minimumTlsVersion": 1.2}},
        )
        for value in wrong:
            message = self.refused(400, "BadRequest", "PUT", NS, value)
            self.assertRegex(message, r"^'(location|tags|sku|properties)")
        for missing in ({}, {"location": None}, {"location": ""}, {"location": "  "}):
            self.refused(400, "LocationRequired", "PUT", NS, missing)
        self.assertEqual(self.store.saved, [])

    def test_ignored(self) -> None:
        """What is not known, null, or said by the path."""
        made = self.good(
            "PUT",
            NS,
            {
                "LOCATION": "x",
                "name": "other",
                "id": 7,
                "systemData": {"a": [None]},
                "tags": None,
                "sku": None,
                "properties": {
                    "provisioningState": "Failed",
                    "minimumTlsVersion": None,
                },
            },
        )
        self.assertEqual(made["name"], "contoso-relay")
        self.assertEqual(made["properties"]["provisioningState"], "Succeeded")

    @given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
    def test_anything(self, body: bytes) -> None:
        """Whatever comes, it is an answer of 4xx or a namespace."""
        answer = self.send(body)
        if answer.status != 200:
            self.assertIn(error_of(answer)[0], (400, 409))

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        (
                            "properties",
                            "userMetadata",
                            "rights",
                            "keyType",
                            "key",
                            "tags",
                        )
                    )
                    | st.text(max_size=5),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=8,
        ).map(lambda value: {"properties": value, "keyType": value, "location": "x"})
    )
    def test_any_json(self, value: object) -> None:
        """The same, of good JSON that means nothing."""
        self.namespace()
        root = f"{NS}/authorizationRules/RootManageSharedAccessKey"
        for method, path in (
            ("PUT", NS),
            ("PATCH", NS),
            ("PUT", f"{NS}/hybridConnections/a"),
            ("PUT", f"{NS}/authorizationRules/a"),
            ("POST", root + "/regenerateKeys"),
            ("PUT", f"{NS}/networkRuleSets/default"),
            ("PUT", f"{WEB}/serverfarms/a"),
            ("PUT", f"{WEB}/sites/aa"),
        ):
            status, found = self.call(method, path, value)
            if status != 200:
                self.assertLess(status, 500, found)


class FrontDoorTests(ApiCase):
    """What is no HTTP at all, over a connection."""

    def speak(self, data: bytes, wait: float = 0.0) -> tuple[int, dict[str, str], Any]:
        network, limits = MemoryNetwork(Clock()), Limits()
        clock = network.clock
        door = FrontDoor(
            *(self.api, limits, clock, Admission(limits, clock, lambda: 0.5)),
            *(lambda: self.now, lambda: GUID, self.api.refusal_answer),
        )
        network.listen("api.test", 443, door)
        got = bytearray()

        class Client:
            """Keeps what comes (Twisted)."""

            def makeConnection(self, transport: Any) -> None:
                transport.write(data)

            def dataReceived(self, more: bytes) -> None:
                got.extend(more)

            def connectionLost(self, reason: Failure) -> None:
                assert reason.check(ConnectionDone)

        class Factory:
            noisy = False

            def doStart(self) -> None:
                """Twisted's."""

            def doStop(self) -> None:
                """Twisted's."""

            def buildProtocol(self, address: object) -> Any:
                return Client()

        factory: Any = Factory()
        network.client_endpoint("api.test", 443).connect(factory)
        network.flush()
        network.advance(wait)
        head, _, body = bytes(got).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        return int(first.split()[1]), fields, json.loads(body) if body else None

    def test_malformed(self) -> None:
        """Errors in the form of this API, with an id."""
        long = b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n"
        many = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 2000 + b"\r\n"
        get = b"GET / HTTP/1.1\r\n"
        for data, status, code in (
            (b"\x16\x03\x01\x00", 400, "BadRequest"),
            (b"nonsense\r\n\r\n", 400, "BadRequest"),
            (get + b"\r\n", 400, "BadRequest"),
            (get + b"Host: a\r\nHost: b\r\n\r\n", 400, "BadRequest"),
            (get + b"Host: a\r\nContent-Length: x\r\n\r\n", 400, "BadRequest"),
            (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "MethodNotAllowed"),
            (long, 414, "RequestUriTooLong"),
            (many, 431, "RequestHeaderFieldsTooLarge"),
            (get + b"Host: a", 400, "BadRequest"),
        ):
            found, fields, value = self.speak(data, wait=70.0)
            self.assertEqual((found, value["error"]["code"]), (status, code), data[:40])
            self.assertTrue(value["error"]["message"])
            self.assertEqual(fields["x-ms-request-id"], GUID)
            self.assertTrue(fields["Content-Type"].startswith("application/json"))

    def test_slow_body(self) -> None:
        """A body that stops coming is 400, and the connection ends."""
        head = (
            f"PUT {NS}{VERSION} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n"
        )
        data = (head + "Content-Length: 20\r\n\r\n{").encode()
        status, fields, value = self.speak(data, wait=600.0)
        self.assertEqual((status, value["error"]["code"]), (400, "BadRequest"))
        self.assertEqual(fields["Connection"], "close")

    def test_broken_chunks(self) -> None:
        """The same for one that is no body."""
        head = (
            f"PUT {NS}{VERSION} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n"
        )
        data = (head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n").encode()
        status, _, value = self.speak(data)
        self.assertEqual((status, value["error"]["code"]), (400, "BadRequest"))
