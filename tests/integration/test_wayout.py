"""Through real proxies, which see all connections and the relay sees theirs."""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import threading
import urllib.request
from collections.abc import Mapping

import psutil

from tests.integration.case import IntegrationTestCase
from tests.integration.programs import Program, twistd
from tests.integration.proxies import (
    PASSWORD,
    PROXY_ADDRESS,
    USER,
    Microsocks,
    Proxy,
    Squid,
    Tinyproxy,
)
from tests.integration.stage import HOST, Stage, table
from tests.integration.targets import Target, blob, echo, pieces
from tests.integration.waiting import free_port

SENT = blob(300_000)


class WayOutTestCase(IntegrationTestCase):
    """A relay, and programs whose way out is told."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage())
        self.echo = self.target(echo)
        self.local = free_port()

    def program(
        self,
        role: str,
        way_out: Mapping[str, object],
        env: Mapping[str, str] | None = None,
    ) -> Program:
        """Start a listener or a sender."""
        if role == "hclistener":
            path = self.stage.listener_config({"echo": self.echo.port}, role)
        else:
            path = self.stage.sender_config({"echo": self.local}, role)
        with path.open("a") as file:
            file.write(table("[way_out]", way_out))
        program = self.stage.program(role, twistd(role, "--config", str(path)), env=env)
        return program.start()

    def both(
        self, way_out: Mapping[str, object], env: Mapping[str, str] | None = None
    ) -> tuple[Program, Program]:
        """Start both, and wait for the listener."""
        listener = self.program("hclistener", way_out, env)
        self.stage.wait_online(listener)
        sender = self.program("hcsender", way_out, env)
        sender.wait_port(self.local)
        return listener, sender

    def go_through(self) -> None:
        """Something goes there and back."""
        with self.stage.dial(self.local) as connection:
            connection.sendall(SENT)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(b"".join(pieces(connection)), SENT)

    def callers(self) -> set[str]:
        """The addresses from which the relay is reached."""
        connections = psutil.Process(self.stage.relay.pid).net_connections("tcp")
        return {
            at.raddr.ip
            for at in connections
            if at.status == psutil.CONN_ESTABLISHED and at.laddr.port == self.stage.port
        }

    def password_file(self, text: str) -> dict[str, object]:
        """What a configuration says of user and password."""
        path = self.stage.write("proxy.password", text + "\n")
        return {"proxy_user": USER, "proxy_password_file": path.name}

    def only_by(self, proxy: Proxy) -> None:
        """All go by C{proxy}, control channel and tunnels."""
        listener, sender = self.both({"proxy": proxy.url})
        with self.stage.dial(self.local) as connection:
            connection.sendall(b"x")
            self.assertEqual(connection.recv(1), b"x")
            self.assertEqual(self.callers(), {PROXY_ADDRESS})
            for program in (listener, sender):
                self.assertNotIn(self.stage.port, remote_ports(program))
                self.assertIn(proxy.port, remote_ports(program))
        self.go_through()
        # Without the proxy there is no way.
        proxy.program.kill()
        listener.wait_log(
            rf"proxy 127\.0\.0\.1:{proxy.port} cannot be reached: the connection was "
            "refused"
        )
        mark = listener.mark()
        proxy.program.start().wait_port(proxy.port)
        self.stage.wait_online(listener, since=mark, seconds=30)
        self.go_through()

    def mended(self, proxy: Proxy) -> None:
        """A wrong password is said; the right one is found without a restart."""
        wrong = "wr0ng-for-the-proxy"
        way_out = {"proxy": proxy.url, **self.password_file(wrong)}
        listener = self.program("hclistener", way_out)
        listener.wait_log("does not accept the user or password")
        sender = self.program("hcsender", way_out)
        sender.wait_port(self.local)
        with self.stage.dial(self.local) as connection:
            self.assertReset(connection)
        sender.wait_log("does not accept the user or password")
        self.password_file(PASSWORD)
        self.stage.wait_online(listener, seconds=30)
        self.go_through()
        self.assertEqual(self.callers(), {PROXY_ADDRESS})
        for program in (listener, sender):
            for secret in (wrong, PASSWORD):
                self.assertNotIn(secret, program.log())


class HttpProxyTests(WayOutTestCase):
    """tinyproxy."""

    def test_all_connections(self) -> None:
        """Control channel and tunnels go by the proxy only."""
        self.stage.start_relay()
        proxy = Tinyproxy(self.stage)
        self.only_by(proxy)
        self.assertIn(f"CONNECT {HOST}:{self.stage.port}", proxy.program.log())

    def test_password(self) -> None:
        """A wrong password is said, and mended without a restart."""
        self.stage.start_relay()
        self.mended(Tinyproxy(self.stage, login=True))

    def test_no_password(self) -> None:
        """Without a password it is said what to set."""
        self.stage.start_relay()
        proxy = Tinyproxy(self.stage, login=True)
        listener = self.program("hclistener", {"proxy": proxy.url})
        listener.wait_log(
            rf"offline: proxy 127\.0\.0\.1:{proxy.port} asks for a password \(407, "
            r"Basic\); set proxy_user and proxy_password_file in \[way_out\]"
        )

    def test_forbidden(self) -> None:
        """A proxy that forbids the relay's port is told so."""
        self.stage.start_relay()
        proxy = Tinyproxy(self.stage, ports=(443,))
        listener = self.program("hclistener", {"proxy": proxy.url})
        listener.wait_log(
            rf"refused CONNECT {HOST}:{self.stage.port}: 403 .*"
            r"\(its rules forbid this host or port\)"
        )

    def test_exception(self) -> None:
        """A relay that needs no proxy is dialled itself."""
        self.stage.start_relay()
        proxy = Tinyproxy(self.stage, ports=(443,))
        no_proxy = [f"{HOST}:{self.stage.port}"]
        self.both({"proxy": proxy.url, "no_proxy": no_proxy})
        self.go_through()


class NtlmProxyTests(WayOutTestCase):
    """squid, which wants NTLM."""

    def setUp(self) -> None:
        super().setUp()
        self.stage.start_relay()
        self.squid = Squid(self.stage)
        self.login = {
            **self.password_file(PASSWORD),
            "proxy_user": rf"CORP\{USER}",
            "proxy_authentication": "ntlm",
        }

    def test_all_connections(self) -> None:
        """Control channel and tunnels log in and get through."""
        self.both({"proxy": self.squid.url, **self.login})
        self.go_through()
        self.assertEqual(self.callers(), {PROXY_ADDRESS})

    def test_tls(self) -> None:
        """So they do inside TLS with the proxy."""
        url = f"https://{HOST}:{self.squid.tls_port}"
        listener, _ = self.both({"proxy": url, **self.login})
        self.go_through()
        self.assertEqual(self.callers(), {PROXY_ADDRESS})
        self.assertIn(self.squid.tls_port, remote_ports(listener))

    def test_basic(self) -> None:
        """Who has chosen Basic is told what the proxy takes."""
        login = {**self.login, "proxy_user": USER, "proxy_authentication": "basic"}
        listener = self.program("hclistener", {"proxy": self.squid.url, **login})
        listener.wait_log(
            r"does not take Basic \(407, NTLM\); choose another proxy_authentication"
        )


class HttpRequestTests(WayOutTestCase):
    """HTTP, and the metadata that a listener reads."""

    def test_requests(self) -> None:
        """What is read of the relay, and HTTP requests, go by the proxy too."""
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self.addCleanup(web.server_close)
        self.addCleanup(web.shutdown)
        endpoint = f"127.0.0.1:{self.echo.port}"
        stage = self.stage = self.use(
            Stage(["web", {"path": "echo", "endpoint": endpoint}])
        )
        stage.start_relay()
        proxy = Tinyproxy(stage)
        way_out = table("[way_out]", {"proxy": proxy.url})
        # The target of "echo" is in its metadata, so it must be read first.
        path = stage.listener_config(
            {"web": f"http://127.0.0.1:{web.server_port}", "echo": None}
        )
        path.write_text(path.read_text() + way_out)
        listener = stage.program("l", twistd("hclistener", "--config", str(path)))
        listener.start().wait_log(f"the target is {endpoint}, from its metadata")
        stage.wait_online(listener, 2)
        self.program("hcsender", {"proxy": proxy.url}).wait_port(self.local)
        self.go_through()
        port = free_port()
        path = stage.sender_config({"web": port}, "http", http=True)
        path.write_text(path.read_text() + way_out)
        sender = stage.program("s", twistd("hcsender", "--config", str(path))).start()
        sender.wait_port(port)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=20) as got:
            self.assertEqual(got.read(), b"a page")
            self.assertEqual(self.callers(), {PROXY_ADDRESS})


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"a page")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class SocksProxyTests(WayOutTestCase):
    """microsocks."""

    def test_all_connections(self) -> None:
        """Control channel and tunnels go by the proxy only."""
        self.stage.start_relay()
        self.only_by(Microsocks(self.stage))

    def test_password(self) -> None:
        """A wrong password is said, and mended without a restart."""
        self.stage.start_relay()
        self.mended(Microsocks(self.stage, login=True))


class EnvironmentTests(WayOutTestCase):
    """What the environment says."""

    RELAY = "relay.only-the-proxy-knows.example"

    def rename(self) -> None:
        """Give the relay a name that nobody can resolve."""
        self.stage.certify(self.stage.ca.issue_cert(self.RELAY))
        path = self.stage.folder / "relay.toml"
        path.write_text(path.read_text().replace(f'"{HOST}"', f'"{self.RELAY}"'))
        self.stage.start_relay()
        named = self.stage.connection_string

        def renamed(entity: str, right: str) -> str:
            return named(entity, right).replace(f"//{HOST}:", f"//{self.RELAY}:")

        self.patch(self.stage, "connection_string", renamed)

    def test_proxy(self) -> None:
        """The proxy of the environment resolves the relay's name; we need not."""
        self.rename()
        proxy = Target(self.connect)
        self.addCleanup(proxy.close)
        env = {
            "HTTPS_PROXY": f"http://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}",
            "NO_PROXY": "localhost,10.0.0.0/8,.example.org",
        }
        listener, sender = self.both({}, env)
        listener.wait_log(
            rf"hclistener: dialling through the http proxy 127\.0\.0\.1:{proxy.port}, "
            "which HTTPS_PROXY names"
        )
        self.go_through()
        for program in (listener, sender):
            self.assertNotIn(PASSWORD, program.log())

    def test_exception(self) -> None:
        """What C{NO_PROXY} names is dialled itself, and here not found."""
        self.rename()
        env = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": ".example"}
        listener = self.program("hclistener", {}, env)
        listener.wait_log("offline: the name cannot be resolved", 30)

    def connect(self, near: socket.socket) -> None:
        """An HTTP proxy that knows one name."""
        head = b""
        while b"\r\n\r\n" not in head and (piece := near.recv(4096)):
            head += piece
        asked = re.match(rb"CONNECT ([^ :]+):(\d+) ", head)
        if asked is None or asked[1].decode() != self.RELAY:
            near.sendall(b"HTTP/1.1 403 Not that\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", int(asked[2])), 10) as far:
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(far, near), daemon=True)
            back.start()
            pass_on(near, far)
            back.join()


class BindAddressTests(WayOutTestCase):
    """Dialling from one address of several."""

    def test_address(self) -> None:
        """The relay sees the address that was asked for."""
        self.stage.start_relay()
        self.both({"proxy": "none", "bind_address": "127.0.0.3"})
        self.go_through()
        self.assertEqual(self.callers(), {"127.0.0.3"})

    def test_not_ours(self) -> None:
        """An address that this machine does not have is said."""
        self.stage.start_relay()
        listener = self.program("hclistener", {"bind_address": "192.0.2.1"})
        listener.wait_log(
            r"offline: cannot dial from bind_address 192\.0\.2\.1: it is no address"
        )


def pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, and its end."""
    source.settimeout(120)
    with contextlib.suppress(OSError):
        for piece in pieces(source):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def remote_ports(program: Program) -> set[int]:
    """The ports of others to which a program is connected."""
    return {
        at.raddr.port
        for at in psutil.Process(program.pid).net_connections("tcp")
        if at.status == psutil.CONN_ESTABLISHED
    }
