"""
azbridge's preamble between real processes: our listener and sender, and each of them
with a Node client that says what azbridge says (relay-protocol section 10.1).
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable

from tests.integration import nameserver
from tests.integration.case import IntegrationTestCase, need
from tests.integration.nodejs import Peer
from tests.integration.programs import command, twistd
from tests.integration.stage import LISTEN, SEND, Stage, table
from tests.integration.targets import blob, echo, read_all
from tests.integration.waiting import free_port

MIB = 1024 * 1024


class UdpService:
    """
    A UDP service.

    @param answer: makes an answer of a datagram; without it, that is sent back.
    """

    def __init__(self, answer: Callable[[bytes], bytes] = lambda data: data) -> None:
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                data, address = self._socket.recvfrom(65536)
            except OSError:
                return
            if data == b"stop":
                return
            self._socket.sendto(self._answer(data), address)

    def close(self) -> None:
        """End it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"stop", ("127.0.0.1", self.port))
        self._socket.close()


class BridgeTests(IntegrationTestCase):
    """Streams and datagrams."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["hyco"]))
        self.stage.start_relay()

    def start_listener(self, *ports: str) -> None:
        """One of ours that offers named ports."""
        self.stage.start_listener({"hyco": None}, mode="bridge", ports=[*ports])

    def start_sender(self, **forward: object) -> int:
        """One of ours; its local port."""
        port = free_port()
        name = self.stage.connection_string_file("hyco", SEND).name
        text = table("", {"ca_file": "ca.pem"}) + table(
            "[[forward]]",
            {
                "connection_string_file": name,
                "bind": f"127.0.0.1:{port}",
                "mode": "bridge",
                **forward,
            },
        )
        path = self.stage.write("sender.toml", text)
        sender = self.stage.program("sender", twistd("hcsender", "--config", str(path)))
        sender.start()
        if forward.get("protocol") == "udp":
            sender.wait_log(f"starting on {port}")
        else:
            sender.wait_port(port)
        return port

    def peer(self, role: str, right: str, action: str) -> Peer:
        """A Node client."""
        made = Peer(self.stage, role, self.stage.url("hyco", action), right)
        self.addCleanup(made.end)
        return made

    def test_stream(self) -> None:
        """1 MiB through a named port, and an end on one side only."""
        target = self.target(echo)
        self.start_listener(f"sql=127.0.0.1:{target.port}", "other=127.0.0.1:1")
        port = self.start_sender(port_name="sql")
        data = blob(MIB)
        with self.stage.dial(port) as app:
            threading.Thread(target=_send_and_end, args=(app, data)).start()
            self.assertEqual(read_all(app), data)

    def test_node_sender(self) -> None:
        """azbridge's two messages and three bytes, as its documents have them."""
        target = self.target(echo)
        self.start_listener(f"sql=127.0.0.1:{target.port}")
        sender = self.peer("connect", SEND, "connect")
        sender.expect("open")
        for data in (b"\x01\x00\x00\x03", b"sql"):
            sender.binary(data)
        self.assertMessage(sender, b"\x01\x00\x00")
        sender.binary(b"question")
        self.assertMessage(sender, b"question")
        sender.close_with(1000, "Shutdown")
        self.assertEqual(sender.expect("close")["code"], 1000)

    def test_node_listener(self) -> None:
        """Our sender's preamble at a listener of another make."""
        listener = self.peer("listen", LISTEN, "listen")
        listener.expect("listening")
        port = self.start_sender(port_name="sql")
        with self.stage.dial(port) as app:
            listener.expect("connection")
            listener.expect("open")
            self.assertMessage(listener, b"\x01\x00\x00\x03")
            self.assertMessage(listener, b"sql")
            listener.binary(b"\x01\x00\x00")
            listener.binary(b"welcome")
            self.assertEqual(app.recv(100), b"welcome")
            app.sendall(b"thanks")
            self.assertMessage(listener, b"thanks")
            listener.close_with(1000, "Shutdown")
            self.assertEqual(app.recv(100), b"")

    def test_raw_listener(self) -> None:
        """A listener in raw mode: both ends say which mode is missing."""
        target = self.target(_banner)
        listener = self.stage.start_listener({"hyco": target.port})
        port = self.start_sender(port_name="sql")
        with self.stage.dial(port) as app:
            self.assertReset(app)
        self.stage["sender"].wait_log('use mode = "raw"')
        listener.wait_log('say mode = "bridge" here')

    def test_datagrams(self) -> None:
        """Datagrams of several apps, each with its own, and large ones."""
        service = UdpService()
        self.addCleanup(service.close)
        self.start_listener(f"echo=udp:127.0.0.1:{service.port}")
        port = self.start_sender(port_name="echo", protocol="udp")
        apps = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
        for number, app in enumerate(apps):
            self.addCleanup(app.close)
            app.settimeout(20)
            app.connect(("127.0.0.1", port))
            app.send(b"first of %d" % number)
        for number, app in enumerate(apps):
            self.assertEqual(app.recv(65536), b"first of %d" % number)
            for data in (b"", blob(1400), blob(60000)):
                app.send(data)
                self.assertEqual(app.recv(65536), data)

    def test_dns(self) -> None:
        """A resolver's questions, by UDP, several at the same time."""
        need(shutil.which("dig"), "there is no dig")
        service = UdpService(lambda query: nameserver.answer(query, 1232))
        self.addCleanup(service.close)
        self.start_listener(f"dns=udp:127.0.0.1:{service.port}")
        port = self.start_sender(port_name="dns", protocol="udp")
        asked = {
            ("other.test", "A"): "192.0.2.1",
            ("other.test", "AAAA"): "2001:db8::1",
            ("text.test", "TXT"): '"as it is"',
            ("gone.test", "A"): "",
        }
        dig = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=20"]
        running = {
            what: subprocess.Popen([*dig, *what], stdout=subprocess.PIPE, text=True)
            for what in asked
        }
        for what, one in running.items():
            said, _ = one.communicate(timeout=60)
            self.assertEqual((said.strip(), one.returncode), (asked[what], 0), what)

    def test_connect(self) -> None:
        """Standard streams through a forward, and through a redirect, by its name."""
        target = self.target(echo)
        self.start_listener("other=127.0.0.1:1", f"1433=127.0.0.1:{target.port}")
        string = self.stage.connection_string_file("hyco", SEND).name
        mode = {"connection_string_file": string, "mode": "bridge"}
        forward = {**mode, "bind": "127.0.0.1:15432", "port_name": "1433"}
        redirect = {**mode, "endpoint": "db.corp:1433"}
        text = table("", {"ca_file": "ca.pem"})
        for key, values, where in (
            ("[[forward]]", forward, "hyco"),
            ("[[redirect]]", redirect, "db.corp:1433"),
        ):
            path = self.stage.write("connect.toml", text + table(key, values))
            done = subprocess.run(
                command("connect", "--config", str(path), where),
                input=b"there and back",
                capture_output=True,
                timeout=60,
                check=False,
            )
            self.assertEqual((done.stdout, done.returncode), (b"there and back", 0))

    def assertMessage(self, peer: Peer, data: bytes) -> None:
        got = peer.expect("message")
        self.assertEqual(
            (got["size"], got["sha256"], got["binary"]),
            (len(data), hashlib.sha256(data).hexdigest(), True),
        )


def _banner(connection: socket.socket) -> None:
    connection.sendall(b"220 ready\r\n")
    read_all(connection)


def _send_and_end(app: socket.socket, data: bytes) -> None:
    app.sendall(data)
    app.shutdown(socket.SHUT_WR)
