"""A web service through listener and relay, with real processes and clients."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.integration.case import IntegrationTestCase, need
from tests.integration.peers import Refused
from tests.integration.peers import dial as dial_websocket
from tests.integration.programs import output_of, twistd
from tests.integration.stage import HOST, SEND, STOCK, Stage
from tests.integration.targets import blob
from tests.integration.waiting import free_port
from tests.integration.webapp import WebApp

MIB = 1024 * 1024


class HttpCase(IntegrationTestCase):
    """A relay, a listener with an HTTP target, and the target."""

    settings: dict[str, Any] = {}  # noqa: RUF012
    limits: dict[str, object] = {}  # noqa: RUF012
    paths: Mapping[str, object] = {}

    def setUp(self) -> None:
        super().setUp()
        self.app = WebApp()
        self.addCleanup(self.app.close)
        self.stage = self.use(Stage(["web"], limits=self.limits, paths=self.paths))
        self.stage.start_relay()
        target = f"http://127.0.0.1:{self.app.port}"
        self.stage.start_listener({"web": target}, **self.settings)

    def connect(self) -> http.client.HTTPConnection:
        """A client's connection to the relay."""
        made = http.client.HTTPSConnection(
            HOST, self.stage.port, timeout=30, context=self.stage.trust()
        )
        self.addCleanup(made.close)
        return made

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        connection: http.client.HTTPConnection | None = None,
        **headers: str,
    ) -> http.client.HTTPResponse:
        """One request with a token."""
        connection = connection or self.connect()
        fields = {"ServiceBusAuthorization": self.stage.token("web", SEND)} | headers
        connection.request(method, path, body, fields)
        return connection.getresponse()

    def curl(self, *arguments: str) -> tuple[int, str]:
        """Run curl with a token and the authority."""
        curl = shutil.which("curl")
        need(curl, "no curl here (Debian: apt install curl)")
        token = self.stage.token("web", SEND)
        return output_of(
            [
                str(curl),
                *("--silent", "--show-error", "--cacert", str(self.stage.ca_file)),
                *("--header", f"ServiceBusAuthorization: {token}"),
                *arguments,
            ],
            seconds=60,
        )

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.stage.port}/web"


class ServiceTests(HttpCase):
    """C{target = "http://..."} of C{twistd hclistener}."""

    def test_get(self) -> None:
        """The service sees its own path, the sender's Host, and who asks."""
        response = self.ask("GET", "/web/a%2Fb?x=%2B", Cookie="a=b")
        self.assertEqual(response.status, 200)
        self.assertIn("1.1 ", response.headers["Via"])
        told = json.loads(response.read())
        self.assertEqual(told["path"], "/a%2Fb?x=%2B")
        fields = told["headers"]
        self.assertEqual(fields["Host"], f"{HOST}:{self.stage.port}")
        self.assertEqual(fields["Cookie"], "a=b")
        self.assertEqual(fields["X-Forwarded-For"], "127.0.0.1")
        self.assertEqual(fields["X-Forwarded-Proto"], "https")
        self.assertEqual(fields["X-Forwarded-Prefix"], "/web")
        self.assertNotIn("SharedAccess", str(told))

    def test_connections_are_used_again(self) -> None:
        """Neither the relay's clients nor the service see one for each request."""
        connection = self.connect()
        ports = set()
        for _ in range(5):
            told = json.loads(self.ask("GET", "/web", connection=connection).read())
            ports.add(told["connection"])
        self.assertEqual(len(ports), 1)

    def test_bodies(self) -> None:
        """Small, large and chunked, there and back."""
        for size in (5, 65536, 65537, 5 * MIB):
            body = blob(size)
            for sent in (body, iter([body[:1000], body[1000:]])):
                told = json.loads(self.ask("POST", "/web/x", sent).read())
                self.assertEqual(told["size"], size)
                self.assertEqual(told["sha256"], hashlib.sha256(body).hexdigest())
        for size in (0, 1, 65000, 66000, 20 * MIB):
            got = self.ask("GET", f"/web/download?{size}").read()
            self.assertEqual(len(got), size)

    def test_streaming(self) -> None:
        """Each event arrives before the next one is made."""
        response = self.ask("GET", "/web/sse")
        for number in range(3):
            self.assertEqual(response.readline(), b"data: %d\n" % number)
            self.assertEqual(response.readline(), b"\n")
            self.app.step.release()
        self.assertEqual(response.read(), b"")

    def test_head_and_redirection(self) -> None:
        """HEAD tells the length; a Location leads through the relay."""
        response = self.ask("HEAD", "/web/download?1000")
        self.assertEqual(response.headers["Content-Length"], "1000")
        self.assertEqual(response.read(), b"")
        response = self.ask("GET", "/web/away")
        self.assertEqual(
            (response.status, response.headers["Location"]), (302, "/web/there?x=1")
        )

    def test_breaks_off(self) -> None:
        """A service that breaks off leaves no complete answer."""
        response = self.ask("GET", "/web/broken")
        with self.assertRaises((http.client.IncompleteRead, ssl.SSLError)):
            response.read()
        status, said = self.curl(self.url + "/broken", "--output", "/dev/null")
        self.assertIn(status, (18, 56), said)

    def test_down(self) -> None:
        """502 with the target's name when nobody is there."""
        self.app.close()
        response = self.ask("GET", "/web")
        self.assertEqual(response.status, 502)
        message = json.loads(response.read())["message"]
        self.assertIn(f"http://127.0.0.1:{self.app.port} refused", message)

    def test_websocket(self) -> None:
        """A WebSocket goes on to the service as one, with path and sub-protocol."""
        for prefix in ("/$hc/web", "/web"):
            socket = dial_websocket(
                self.stage,
                f"wss://{HOST}:{self.stage.port}{prefix}/ws/a?x=1",
                self.stage.token("web", SEND),
                subprotocols=["chat"],
            )
            self.assertEqual(socket.subprotocol, "chat")
            socket.send("hello")
            self.assertEqual(socket.recv(timeout=10), "/ws/a?x=1 hello")
            socket.close()
        self.stage["listener"].wait_log(r"WebSocket to http://127\.0\.0\.1:\d+ ended")

    def test_refused_websocket(self) -> None:
        """The service's status is the sender's."""
        self.app.close()
        with self.assertRaises(Refused) as caught:
            dial_websocket(
                self.stage,
                f"wss://{HOST}:{self.stage.port}/web/ws",
                self.stage.token("web", SEND),
            )
        self.assertEqual(caught.exception.status, 502)

    def test_500_at_once(self) -> None:
        """All come back right, over one listener."""

        def ask(number: int) -> int:
            body = b"%d" % number * 100
            told = json.loads(self.ask("POST", f"/web/{number}", body).read())
            self.assertEqual(told["sha256"], hashlib.sha256(body).hexdigest())
            return 1

        with ThreadPoolExecutor(100) as pool:
            self.assertEqual(sum(pool.map(ask, range(500))), 500)

    def test_curl(self) -> None:
        """curl: an upload with Expect, a download, HTTP/1.0, all methods."""
        upload = self.stage.folder / "upload"
        upload.write_bytes(blob(3 * MIB))
        status, said = self.curl("--upload-file", str(upload), self.url + "/up")
        self.assertEqual((status, json.loads(said)["size"]), (0, 3 * MIB))
        status, said = self.curl(
            *("--header", "Expect: 100-continue", "--data-binary", "@" + str(upload)),
            self.url + "/up",
        )
        self.assertEqual((status, json.loads(said)["size"]), (0, 3 * MIB))
        got = self.stage.folder / "download"
        for version in ("--http1.1", "--http1.0"):
            status, said = self.curl(
                version, "--output", str(got), self.url + f"/download?{2 * MIB}"
            )
            self.assertEqual((status, got.stat().st_size), (0, 2 * MIB), said)
        form = "%{http_code} %{num_connects} "
        page, other = self.url + "/page", self.url + "/page?2"
        null = ("--output", "/dev/null", "--output", "/dev/null")
        status, said = self.curl("--write-out", form, *null, page, other)
        self.assertEqual((status, said.split()), (0, ["200", "1", "200", "0"]))


class StockTests(HttpCase):
    """The same by Autobahn's frames and Twisted's TLS."""

    paths = STOCK

    def test_both_ways(self) -> None:
        """Bodies that stream, events that come at once, a WebSocket."""
        body = blob(2 * MIB)
        told = json.loads(self.ask("POST", "/web/x", iter([body])).read())
        self.assertEqual(told["sha256"], hashlib.sha256(body).hexdigest())
        self.assertEqual(len(self.ask("GET", f"/web/download?{MIB}").read()), MIB)
        response = self.ask("GET", "/web/sse")
        for number in range(3):
            self.assertEqual(response.readline(), b"data: %d\n" % number)
            response.readline()
            self.app.step.release()
        url = f"wss://{HOST}:{self.stage.port}/web/ws"
        socket = dial_websocket(self.stage, url, self.stage.token("web", SEND))
        socket.send("hello")
        self.assertEqual(socket.recv(timeout=10), "/ws hello")
        socket.close()


class SettingsTests(HttpCase):
    """What else there is to say of an HTTP target."""

    settings = {"host": "", "keep_path": True}  # noqa: RUF012

    def test_host_and_path(self) -> None:
        """Its own Host, and the whole path."""
        told = json.loads(self.ask("GET", "/web/x").read())
        self.assertEqual(told["path"], "/web/x")
        self.assertEqual(told["headers"]["Host"], f"127.0.0.1:{self.app.port}")
        self.assertEqual(
            told["headers"]["X-Forwarded-Host"], f"{HOST}:{self.stage.port}"
        )


class SecureTargetTests(IntegrationTestCase):
    """An C{https} target: own authority, or believed unseen."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["web", "blind", "wary"]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.stage.ca.issue_cert(HOST).configure_cert(context)
        self.app = WebApp(context)
        self.addCleanup(self.app.close)
        self.stage.start_relay()
        target = f"https://{HOST}:{self.app.port}"
        for entity, settings in (
            ("web", {"target_ca_file": str(self.stage.ca_file)}),
            ("blind", {"target_insecure": True}),
            ("wary", {}),
        ):
            self.stage.start_listener({entity: target}, entity, **settings)

    def test_trust(self) -> None:
        """Without the authority it is 502, and says why."""
        for entity, status in (("web", 200), ("blind", 200), ("wary", 502)):
            connection = http.client.HTTPSConnection(
                HOST, self.stage.port, timeout=30, context=self.stage.trust()
            )
            token = self.stage.token(entity, SEND)
            connection.request(
                "GET", f"/{entity}/x?y", headers={"ServiceBusAuthorization": token}
            )
            response = connection.getresponse()
            body = json.loads(response.read())
            connection.close()
            self.assertEqual(response.status, status, body)
            if status == 502:
                self.assertIn("certificate", body["message"])
            else:
                self.assertEqual(body["path"], "/x?y")


class TimeTests(HttpCase):
    """A service that never answers."""

    limits = {"response_timeout": 2.0}  # noqa: RUF012

    def test_never(self) -> None:
        """504 of the relay, JSON and no Via; the next request is served."""
        connection = self.connect()
        response = self.ask("GET", "/web/never", connection=connection)
        self.assertEqual((response.status, response.headers["Via"]), (504, None))
        self.assertIn("did not respond", json.loads(response.read())["message"])
        again = self.ask("GET", "/web", connection=connection)
        self.assertEqual(again.status, 200)
        again.read()


class LocalPortTests(HttpCase):
    """C{http = true} of C{twistd hcsender}: a plain HTTP port, and no token."""

    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        path = self.stage.sender_config({"web": self.port}, http=True)
        sender = self.stage.program("sender", twistd("hcsender", "--config", str(path)))
        sender.start().wait_port(self.port)

    def ask_local(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        return connection.getresponse()

    def test_requests(self) -> None:
        """The service's own paths, streaming and redirections included."""
        told = json.loads(self.ask_local("GET", "/a?b").read())
        self.assertEqual(told["path"], "/a?b")
        body = blob(3 * MIB)
        told = json.loads(self.ask_local("POST", "/up", body).read())
        self.assertEqual(told["sha256"], hashlib.sha256(body).hexdigest())
        response = self.ask_local("GET", f"/download?{3 * MIB}")
        self.assertEqual(len(response.read()), 3 * MIB)
        response = self.ask_local("GET", "/away")
        self.assertEqual(response.headers["Location"], "/there?x=1")
        response.read()
        response = self.ask_local("GET", "/sse")
        for number in range(3):
            self.assertEqual(response.readline(), b"data: %d\n" % number)
            response.readline()
            self.app.step.release()
        with self.assertRaises(http.client.IncompleteRead):
            self.ask_local("GET", "/broken").read()

    def test_websocket(self) -> None:
        """A WebSocket through the local port and all three programs."""
        with connect(
            f"ws://127.0.0.1:{self.port}/ws?z",
            subprotocols=[Subprotocol("chat")],
            proxy=None,
        ) as socket:
            self.assertEqual(socket.subprotocol, "chat")
            socket.send("hello")
            self.assertEqual(socket.recv(timeout=10), "/ws?z hello")

    def test_browser(self) -> None:
        """A browser shows a page from behind the relay."""
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        need(chromium, "no Chromium here (Debian: apt install chromium)")
        made = subprocess.run(
            [
                str(chromium),
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking"),
                *("--disable-component-update", "--disable-sync", "--dump-dom"),
                f"--user-data-dir={self.stage.folder / 'browser'}",
                f"http://127.0.0.1:{self.port}/page",
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        self.assertIn("hello from behind", made.stdout, made.stderr[-2000:])
