"""The published Node listener hyco-https and curl at our relay, unchanged."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.case import IntegrationTestCase, need
from tests.integration.nodejs import Peer
from tests.integration.programs import output_of
from tests.integration.stage import HOST, LISTEN, SEND, Stage
from tests.integration.targets import blob

MIB = 1024 * 1024


def sha256(data: bytes) -> str:
    """The sum as the listener tells it."""
    return hashlib.sha256(data).hexdigest()


def numbers(size: int) -> bytes:
    """What C{/large} answers: each four bytes are their own place."""
    return b"".join(at.to_bytes(4, "big") for at in range(0, size, 4))[:size]


class HycoHttpsCase(IntegrationTestCase):
    """A relay with a hyco-https listener."""

    limits: dict[str, object] = {}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["web"], limits=self.limits))
        self.stage.start_relay()
        self.listen()
        self.connection = self.connect()
        self.connection.connect()
        # http.client would make another one without a word.
        self.socket = self.connection.sock

    def listen(self) -> None:
        """Start the listener."""
        self.peer(self.stage.url("web", "listen"))

    def peer(self, address: str) -> dict[str, Any]:
        """Start the Node program; what it tells when it is there."""
        made = Peer(self.stage, "https", address, LISTEN)
        self.addCleanup(made.end)
        return made.expect("listening")

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
        response = self.answer(connection)
        self.assertIn("1.1 ", response.headers["Via"] or "")
        return response

    def answer(
        self, connection: http.client.HTTPSConnection
    ) -> http.client.HTTPResponse:
        """The answer; the one connection must still be the one of the beginning."""
        response = connection.getresponse()
        if connection is self.connection:
            self.assertIs(connection.sock, self.socket)
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
        told = json.loads(self.answer(self.connection).read())
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
                self.assertEqual(told["sha256"], sha256(body))

    def test_large(self) -> None:
        """Small answers by the control channel, others by the rendezvous."""
        for size in (0, 1, 60_000, 65_536, 70_000, 5 * MIB):
            got = self.ask("GET", f"/large?{size}").read()
            self.assertEqual((len(got), sha256(got)), (size, sha256(numbers(size))))

    def test_stream(self) -> None:
        """Each event is here before the listener is asked to write the next one."""
        response = self.ask("GET", "/stream")
        other = self.connect()
        for event in (b"data: 0 " + b"x" * 70_000, b"data: 1", b"data: 2"):
            self.assertEqual(response.readline(), event + b"\n")
            self.assertEqual(response.readline(), b"\n")
            self.assertEqual(self.ask("GET", "/next", None, other).read(), b"")
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
            right = sha256(body)
            return told["url"] == f"/web/{number}" and told["sha256"] == right

        with ThreadPoolExecutor(50) as pool:
            self.assertTrue(all(pool.map(ask, range(200))))


class CurlTests(HycoHttpsCase):
    """curl as the sender."""

    def curl(self, *arguments: str) -> str:
        """Run curl with a token and the authority; what it printed."""
        curl = shutil.which("curl")
        need(curl, "no curl here (Debian: apt install curl)")
        token = self.stage.token("web", SEND)
        status, said = output_of(
            [
                str(curl),
                *("--silent", "--show-error", "--max-time", "30", "--noproxy", "*"),
                *("--cacert", str(self.stage.ca_file)),
                *("--header", f"ServiceBusAuthorization: {token}"),
                *arguments,
            ],
            seconds=60,
        )
        self.assertEqual(status, 0, said)
        return said

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.stage.port}/web"

    def test_keep_alive(self) -> None:
        """One connection for all, whatever way the answers take."""
        large = self.stage.folder / "large"
        said = self.curl(
            *("--write-out", "%{http_code} %{num_connects} %{local_port}\n"),
            *("--output", "/dev/null", self.url + "/get"),
            *("--output", str(large), self.url + f"/large?{2 * MIB}"),
            *("--output", "/dev/null", self.url + "/get"),
        )
        codes, connects, ports = zip(*map(str.split, said.splitlines()), strict=True)
        self.assertEqual(codes, ("200", "200", "200"))
        self.assertEqual(connects, ("1", "0", "0"))
        self.assertEqual(len(set(ports)), 1)
        self.assertEqual(sha256(large.read_bytes()), sha256(numbers(2 * MIB)))

    def test_upload(self) -> None:
        """The body is sent only after 100 Continue, and arrives whole."""
        upload, heads = self.stage.folder / "upload", self.stage.folder / "heads"
        upload.write_bytes(blob(MIB + 1))
        said = self.curl(
            # It would send the body after a second without an answer.
            *("--header", "Expect: 100-continue", "--expect100-timeout", "60"),
            *("--data-binary", f"@{upload}", "--dump-header", str(heads)),
            self.url + "/post",
        )
        told = json.loads(said)
        self.assertEqual((told["method"], told["size"]), ("POST", MIB + 1))
        self.assertEqual(told["sha256"], sha256(blob(MIB + 1)))
        self.assertEqual(self.codes(heads.read_text()), ["100", "200"])

    def codes(self, heads: str) -> list[str]:
        """The status of each head."""
        return re.findall(r"(?m)^HTTP/1\.1 (\d+) ", heads)

    def test_head(self) -> None:
        """HEAD has a head only, and the connection goes on."""
        form = ("--write-out", "%{num_connects} %{size_download}\n")
        said = self.curl("--head", *form, self.url + "/get", self.url + "/large?70000")
        self.assertEqual(self.codes(said), ["200", "200"])
        self.assertEqual(re.findall(r"(?m)^\d.*$", said), ["1 0", "0 0"])
        self.assertEqual(len(re.findall("(?mi)^Via: 1.1 ", said)), 2)

    def test_no_content(self) -> None:
        """204 has neither a body nor a length, and the connection goes on."""
        form = ("--write-out", "%{num_connects} %{size_download}\n")
        said = self.curl(
            *("--include", *form, self.url + "/empty?204", self.url + "/empty?204")
        )
        self.assertEqual(self.codes(said), ["204", "204"])
        self.assertEqual(re.findall(r"(?m)^\d.*$", said), ["1 0", "0 0"])
        self.assertEqual(re.findall("(?mi)^ETag: (.*?)\r?$", said), ['"e"', '"e"'])
        self.assertNotIn("content-length", said.lower())
        self.assertNotIn("transfer-encoding", said.lower())


class CurlToServiceTests(CurlTests):
    """The same with C{twistd hclistener} and a web service behind it."""

    def listen(self) -> None:
        """Start the service and our listener."""
        port = self.peer("local")["port"]
        self.stage.start_listener({"web": f"http://127.0.0.1:{port}"})


class SilentTests(HycoHttpsCase):
    """A listener that never answers."""

    limits = {"response_timeout": 2.0}  # noqa: RUF012

    def test_never(self) -> None:
        """504 as JSON and without Via; other requests are served."""
        fields = {"ServiceBusAuthorization": self.stage.token("web", SEND)}
        self.connection.request("GET", "/web/never", headers=fields)
        response = self.answer(self.connection)
        self.assertEqual((response.status, response.headers["Via"]), (504, None))
        told = json.loads(response.read())
        self.assertEqual(told["code"], 504)
        self.assertIn("did not respond in the required time", told["message"])
        self.assertEqual(self.ask("GET", "/get").status, 200)
