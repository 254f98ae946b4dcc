"""The published Node listener hyco-https behind our relay, unchanged."""

from __future__ import annotations

import hashlib
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.case import IntegrationTestCase
from tests.integration.nodejs import Peer
from tests.integration.stage import HOST, LISTEN, SEND, Stage
from tests.integration.targets import blob

MIB = 1024 * 1024


class HycoHttpsCase(IntegrationTestCase):
    """A relay with a hyco-https listener."""

    limits: dict[str, object] = {}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["web"], limits=self.limits))
        self.stage.start_relay()
        url = self.stage.url("web", "listen")
        self.listener = Peer(self.stage, "https", url, LISTEN)
        self.addCleanup(self.listener.end)
        self.listener.expect("listening")
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPSConnection:
        made = http.client.HTTPSConnection(
            HOST, self.stage.port, timeout=40, context=self.stage.trust()
        )
        self.addCleanup(made.close)
        return made

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        connection: http.client.HTTPSConnection | None = None,
        **headers: str,
    ) -> http.client.HTTPResponse:
        """A request on the one connection, which stays open, or on another."""
        connection = connection or self.connection
        fields = {"ServiceBusAuthorization": self.stage.token("web", SEND)} | headers
        connection.request(method, "/web" + path, body, fields)
        response = connection.getresponse()
        self.assertIn("1.1 ", response.headers["Via"] or "")
        return response


class HycoHttpsTests(HycoHttpsCase):
    """What it answers arrives, whatever way it takes."""

    def test_get(self) -> None:
        """Path and query undecoded, without what is the relay's; repeated fields."""
        self.connection.putrequest("GET", "/web/a%2Fb?x=%2B&sb-hc-id=me&&y")
        self.connection.putheader(
            "ServiceBusAuthorization", self.stage.token("web", SEND)
        )
        for value in ("1", "2"):
            self.connection.putheader("X-Twice", value)
        self.connection.endheaders()
        told = json.loads(self.connection.getresponse().read())
        self.assertEqual(told["method"], "GET")
        self.assertEqual(told["url"], "/web/a%2Fb?x=%2B&&y")
        self.assertEqual(told["headers"]["x-twice"], "1, 2")
        self.assertNotIn("sharedaccess", str(told).lower())

    def test_bodies(self) -> None:
        """POST of any size and of unknown size; one connection for all."""
        for size in (0, 1, 65536, 65537, 5 * MIB):
            body = blob(size)
            for sent in (body, iter([body])):
                told = json.loads(self.ask("POST", "/post", sent).read())
                self.assertEqual(told["size"], size)
                self.assertEqual(told["sha256"], hashlib.sha256(body).hexdigest())

    def test_large(self) -> None:
        """Small answers by the control channel, others by the rendezvous."""
        for size in (0, 1, 60_000, 65_536, 70_000, 5 * MIB):
            response = self.ask("GET", f"/large?{size}")
            self.assertEqual(len(response.read()), size)

    def test_stream(self) -> None:
        """The first event is here before the last one is written."""
        response = self.ask("GET", "/stream")
        for number in range(3):
            self.assertTrue(response.readline().startswith(b"data: %d x" % number))
            response.readline()
        self.assertEqual(response.read(), b"")

    def test_no_body(self) -> None:
        """HEAD, 204 and 304, and the connection goes on."""
        response = self.ask("HEAD", "/get")
        self.assertEqual((response.status, response.read()), (200, b""))
        for status in (204, 304):
            response = self.ask("GET", f"/empty?{status}")
            self.assertEqual((response.status, response.read()), (status, b""))
            self.assertEqual(response.headers["ETag"], '"e"')
        self.assertEqual(json.loads(self.ask("GET", "/get").read())["size"], 0)

    def test_statuses(self) -> None:
        """Any status, with a reason of the listener's own."""
        for status, reason in (
            (418, "short and stout"),
            (450, "Custom"),
            (500, "broken"),
            (502, "from behind"),
        ):
            response = self.ask("GET", f"/status?{status}&{reason.replace(' ', '%20')}")
            self.assertEqual((response.status, response.reason), (status, reason))
            self.assertEqual(response.read(), b"said")

    def test_headers(self) -> None:
        """Its fields arrive; of several cookies it sends only the first."""
        response = self.ask("GET", "/headers")
        self.assertEqual(response.read(), b"headers")
        self.assertEqual(response.headers["X-One"], "first")
        self.assertEqual(response.headers["X-Two"], "a, b")
        self.assertEqual(response.headers.get_all("Set-Cookie"), ["a=1"])

    def test_many(self) -> None:
        """200 requests, 50 at a time, each with its own answer."""

        def ask(number: int) -> bool:
            body = b"%d" % number
            connection = self.connect()
            response = self.ask("POST", f"/{number}", body, connection)
            told: dict[str, str] = json.loads(response.read())
            connection.close()
            right = hashlib.sha256(body).hexdigest()
            return told["url"] == f"/web/{number}" and told["sha256"] == right

        with ThreadPoolExecutor(50) as pool:
            self.assertTrue(all(pool.map(ask, range(200))))


class SilentTests(HycoHttpsCase):
    """A listener that never answers."""

    limits = {"response_timeout": 2.0}  # noqa: RUF012

    def test_never(self) -> None:
        """504 as JSON and without Via; other requests are served."""
        fields = {"ServiceBusAuthorization": self.stage.token("web", SEND)}
        self.connection.request("GET", "/web/never", headers=fields)
        response = self.connection.getresponse()
        self.assertEqual((response.status, response.headers["Via"]), (504, None))
        told = json.loads(response.read())
        self.assertEqual(told["code"], 504)
        self.assertIn("did not respond in the required time", told["message"])
        self.assertEqual(self.ask("GET", "/get").status, 200)
