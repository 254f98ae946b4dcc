"""
The published Node client, hyco-ws: as sender, as listener, and as both.

Its helpers hard-code port 443, so the addresses here are hand-made
(relay-protocol 13.7); tokens are made by its own code.
"""

from __future__ import annotations

import hashlib
import queue
import socket
import threading
import time
from collections.abc import Mapping

from tests.integration.case import IntegrationTestCase
from tests.integration.nodejs import Peer
from tests.integration.stage import LISTEN, SEND, Stage
from tests.integration.targets import (
    Target,
    blob,
    make_reset,
    pieces,
    read_all,
    read_exactly,
)
from tests.integration.targets import echo as echo_target
from tests.integration.waiting import free_port, wait_for

MIB = 1024 * 1024


def sha(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class NodeCase(IntegrationTestCase):
    """A relay, and a way to start peers."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["echo"]))
        self.stage.start_relay()

    def peer(
        self,
        role: str,
        url: str,
        right: str,
        *protocols: str,
        echo: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> Peer:
        made = Peer(self.stage, role, url, right, *protocols, echo=echo, env=env)
        self.addCleanup(made.end)
        return made

    def listener(self, echo: bool = False) -> Peer:
        """A hyco-ws listener that is online."""
        made = self.peer("listen", self.stage.url("echo", "listen"), LISTEN, echo=echo)
        made.expect("listening")
        return made

    def sender(
        self, *protocols: str, path: str = "echo", query: str = "", **env: str
    ) -> Peer:
        """A hyco-ws sender."""
        url = self.stage.url(path, "connect", query)
        return self.peer("connect", url, SEND, *protocols, env=env)


class BothTests(NodeCase):
    """hyco-ws on both sides of our relay."""

    def open(
        self, *protocols: str, path: str = "echo", query: str = "", echo: bool = False
    ) -> tuple[Peer, Peer, str]:
        """A listener and a sender that are joined; the address it dialled."""
        listener = self.listener(echo)
        sender = self.sender(*protocols, path=path, query=query)
        url = listener.expect("connection")["url"]
        protocol = listener.expect("open")["protocol"]
        self.assertEqual(sender.expect("open")["protocol"], protocol)
        self.assertEqual(protocol, protocols[0] if protocols else None)
        return listener, sender, url

    def assertMessage(self, peer: Peer, data: bytes, binary: bool) -> None:
        got = peer.expect("message")
        self.assertEqual(
            (got["size"], got["sha256"], got["binary"]), (len(data), sha(data), binary)
        )

    def test_messages(self) -> None:
        """Text, binary, 1 MiB and nothing at all: there and back as they were."""
        listener, sender, _ = self.open(echo=True)
        for text in ("hello", "Grüße, 世界", "x" * MIB, ""):
            sender.text(text)
            for peer in (listener, sender):
                self.assertMessage(peer, text.encode(), binary=False)
        for data in (b"\0\xff", blob(MIB), b""):
            sender.binary(data)
            for peer in (listener, sender):
                self.assertMessage(peer, data, binary=True)

    def test_listener_speaks_first(self) -> None:
        """What the listener sends as soon as it is open is not lost."""
        listener, sender, _ = self.open()
        listener.text("welcome")
        self.assertMessage(sender, b"welcome", binary=False)

    def test_close_codes(self) -> None:
        """Codes and reasons pass both ways; a peer that is gone is 1006."""
        for code, reason in ((1000, "bye"), (4001, "x")):
            for sender_closes in (True, False):
                listener, sender, _ = self.open()
                one, other = (sender, listener) if sender_closes else (listener, sender)
                one.close_with(code, reason)
                for peer in (other, one):
                    got = peer.expect("close")
                    self.assertEqual((got["code"], got["reason"]), (code, reason))
                listener.end()
        for sender_goes in (True, False):
            listener, sender, _ = self.open()
            one, other = (sender, listener) if sender_goes else (listener, sender)
            one.terminate()
            self.assertEqual(other.expect("close")["code"], 1006)
            listener.end()

    def test_close_without_code(self) -> None:
        """An empty Close arrives as an empty Close."""
        _, sender, _ = self.open()
        sender.close_with()
        self.assertIn(sender.expect("close")["code"], (1000, 1005))

    def test_subprotocols(self) -> None:
        """The first sub-protocol that the sender offers is agreed on."""
        listener, _, _ = self.open("chat")
        listener.end()
        self.open("first", "second")

    def test_path_and_query(self) -> None:
        """Suffix and query reach the listener byte for byte, in the address."""
        _, _, url = self.open(path="echo/a%20b/C", query="x=%2B&&y")
        self.assertIn("/$hc/echo/a%20b/C?x=%2B&&y&sb-hc-", url)

    def test_refusals(self) -> None:
        """Missing, wrong and expired tokens, no listener, no entity."""
        for env, path, status, words in (
            ({"NO_TOKEN": "1"}, "echo", 401, "token"),
            ({"KEY": "wrong"}, "echo", 401, "invalid signature"),
            ({"RULE": "unknown"}, "echo", 401, "invalid signature"),
            ({"LIFE": "-60"}, "echo", 401, "expired"),
            ({"RULE": "listen", "KEY": self.stage.keys[LISTEN]}, "echo", 403, "Send"),
            ({}, "echo", 404, "no listeners connected"),
            ({}, "nowhere", 404, "does not exist"),
        ):
            got = self.sender(path=path, **env).expect("refused")
            self.assertEqual(got["status"], status, got)
            self.assertRegex(got["reason"], f"(?i){words}")

    def test_listener_storm(self) -> None:
        """A listener with a bad token redials at once, for ever: it is slowed."""
        self.stage.close()
        self.stage = self.use(Stage(["echo"], limits={"exempt_networks": []}))
        self.stage.start_relay()
        url = self.stage.url("echo", "listen")
        peer = self.peer("listen", url, LISTEN, env={"KEY": "wrong"})
        self.assertIn("401", peer.expect("error")["text"])
        count, until = 0, time.monotonic() + 4
        while time.monotonic() < until:
            try:
                count += peer.events.get(timeout=until - time.monotonic()) is not None
            except (queue.Empty, ValueError):
                break
        # Unhindered it made 200 attempts in 0.7 s.
        self.assertLess(count, 100)
        peer.end()


class SenderTests(NodeCase):
    """hyco-ws as sender, hclistener on the other side."""

    def open(self, serve: Target | int) -> Peer:
        port = serve if isinstance(serve, int) else serve.port
        self.stage.start_listener({"echo": port})
        return self.sender()

    def collect(self, sender: Peer, size: int) -> str:
        """Take messages until C{size} bytes came; all must be binary."""
        sizes = 0
        while sizes < size:
            got = sender.expect("message")
            self.assertTrue(got["binary"])
            sizes += got["size"]
        self.assertEqual(sizes, size)
        return str(got["sha256"])

    def test_messages(self) -> None:
        """Whatever is sent arrives at the target as bytes, and comes back."""
        sender = self.open(self.target(echo_target))
        sender.expect("open")
        sender.text("hello")
        self.assertEqual(self.collect(sender, 5), sha(b"hello"))
        sender.binary(b"")
        sender.binary(b"\0\xff")
        self.assertEqual(self.collect(sender, 2), sha(b"\0\xff"))
        sender.binary(blob(MIB))
        self.collect(sender, MIB)

    def test_sender_closes(self) -> None:
        """Close from hyco-ws is the end of the stream at the target."""
        ends: queue.Queue[bytes] = queue.Queue()
        target = self.target(lambda c: ends.put(read_all(c)))
        sender = self.open(target)
        sender.expect("open")
        sender.binary(b"all of it")
        sender.close_with(1000, "bye")
        self.assertEqual(ends.get(timeout=10), b"all of it")
        self.assertEqual(sender.expect("close")["code"], 1000)

    def test_target_closes(self) -> None:
        """The target's end reaches hyco-ws as Close 1000, behind all its bytes."""
        sender = self.open(self.target(lambda c: c.sendall(blob(MIB))))
        sender.expect("open")
        self.collect(sender, MIB)
        self.assertEqual(sender.expect("close")["code"], 1000)

    def test_target_resets(self) -> None:
        """The target's RST reaches hyco-ws as 1006, a connection that broke."""

        def serve(connection: socket.socket) -> None:
            connection.recv(1)
            make_reset(connection)

        sender = self.open(self.target(serve))
        sender.expect("open")
        sender.text("x")
        self.assertEqual(sender.expect("close")["code"], 1006)

    def test_sender_destroyed(self) -> None:
        """hyco-ws that drops its socket is a broken connection at the target."""
        target = self.target(echo_target)
        sender = self.open(target)
        sender.expect("open")
        sender.terminate()
        self.wait_until("the target to see it", lambda: not target.open)
        self.assertEqual([type(m) for m in target.mistakes], [ConnectionResetError])

    def test_target_refuses(self) -> None:
        """A closed port is told as 502, with the reason."""
        got = self.open(free_port()).expect("refused")
        self.assertEqual(got["status"], 502)
        self.assertIn("refused", got["reason"].lower())


class ListenerTests(NodeCase):
    """hyco-ws as listener, hcsender on the other side."""

    def test_bytes(self) -> None:
        """What a TCP client sends comes back from hyco-ws's echo."""
        listener = self.listener(echo=True)
        port = self.stage.start_sender("echo")["echo"]
        with self.stage.dial(port) as connection:
            listener.expect("connection")
            listener.expect("open")
            sent = blob(2 * MIB)
            writer = threading.Thread(target=connection.sendall, args=(sent,))
            writer.start()
            self.assertEqual(sha(read_exactly(connection, len(sent))), sha(sent))
            writer.join()
            self.assertTrue(listener.expect("message")["binary"])

    def test_client_ends(self) -> None:
        """A TCP client's FIN is Close 1000 for hyco-ws, whose answer ends ours."""
        listener = self.listener()
        port = self.stage.start_sender("echo")["echo"]
        with self.stage.dial(port) as connection:
            connection.sendall(b"hello")
            connection.shutdown(socket.SHUT_WR)
            listener.expect("connection")
            listener.expect("open")
            self.assertEqual(listener.expect("message")["sha256"], sha(b"hello"))
            self.assertEqual(listener.expect("close")["code"], 1000)
            self.assertEqual(read_all(connection), b"")

    def test_listener_closes(self) -> None:
        """Close 1000 from hyco-ws is an orderly end for the TCP client."""
        listener = self.listener()
        port = self.stage.start_sender("echo")["echo"]
        with self.stage.dial(port) as connection:
            listener.expect("connection")
            listener.expect("open")
            listener.text("greetings")
            listener.close_with(1000, "bye")
            self.assertEqual(b"".join(pieces(connection)), b"greetings")

    def test_listener_destroyed(self) -> None:
        """A hyco-ws that drops its socket is a reset for the TCP client."""
        listener = self.listener()
        port = self.stage.start_sender("echo")["echo"]
        with self.stage.dial(port) as connection:
            listener.expect("connection")
            listener.expect("open")
            listener.terminate()
            with self.assertRaises(ConnectionResetError):
                connection.recv(1)

    def test_listener_killed(self) -> None:
        """When hyco-ws's process dies, its tunnels break and senders get 404."""
        listener = self.listener()
        port = self.stage.start_sender("echo")["echo"]
        with self.stage.dial(port) as connection:
            listener.expect("connection")
            listener.expect("open")
            listener.end()
            with self.assertRaises(ConnectionResetError):
                connection.recv(1)
        wait_for(
            "the relay to have no listener",
            lambda: self.sender().expect("refused")["status"] == 404,
        )
