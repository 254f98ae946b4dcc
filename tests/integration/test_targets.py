"""Targets that cannot be reached: the sender's side learns why (F8)."""

from __future__ import annotations

import socket
import threading
import time

from tests.integration.case import IntegrationTestCase
from tests.integration.peers import Listener, Refused, dial, send_to
from tests.integration.stage import Stage
from tests.integration.targets import echo
from tests.integration.waiting import free_port


class TargetTests(IntegrationTestCase):
    """A tunnel that cannot be made is refused, soon and with the reason."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["service"]))
        self.stage.start_relay()

    def assertRefused(self, seconds: float, words: str) -> None:
        """
        A raw sender is told 502 and why; a client of hcsender sees its
        connection break; the log has the reason and the tracking id.
        """
        began = time.monotonic()
        with self.assertRaises(Refused) as caught:
            send_to(self.stage, "service")
        self.assertLess(time.monotonic() - began, seconds)
        self.assertEqual(caught.exception.status, 502)
        self.assertRegex(caught.exception.reason.lower(), words)
        port = self.stage.start_sender("service")["service"]
        began = time.monotonic()
        with self.stage.dial(port, seconds) as connection:
            self.assertReset(connection)
        self.assertLess(time.monotonic() - began, seconds)
        said = self.stage["sender"].wait_log(r"[^\n]*: 502 [^\n]*")
        self.assertRegex(said[0].lower(), words)
        self.assertRegex(said[0], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-")

    def test_refused(self) -> None:
        """A closed port: refused within 1 s, and the listener goes on listening."""
        port = free_port()
        self.stage.start_listener({"service": port})
        self.assertRefused(1.0, "refused")
        door = socket.create_server(("127.0.0.1", port))
        self.addCleanup(door.close)
        with send_to(self.stage, "service"):
            connection, _ = door.accept()
            connection.close()

    def test_unresolvable(self) -> None:
        """A name that does not exist is no hang."""
        self.stage.start_listener({"service": "no-such-host.invalid:80"})
        self.assertRefused(5.0, "resol|name|lookup|found")

    def test_black_hole(self) -> None:
        """A target that does not answer the SYN: given up after target_timeout."""
        # A backlog that is full: the system drops further SYNs.
        door = socket.socket()
        self.addCleanup(door.close)
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        port = door.getsockname()[1]
        for _ in range(4):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        self.stage.start_listener({"service": port}, target_timeout=1.0)
        self.assertRefused(3.0, "time")

    def test_rejected_by_listener(self) -> None:
        """A listener's own status and words reach the sender as they are."""
        listener = Listener(self.stage, "service")
        self.addCleanup(listener.close)
        caught: list[Refused] = []
        named = "&sb-hc-statusCode=451&sb-hc-statusDescription=Not+for%20you"
        self.reject(listener, named, caught)
        self.assertEqual((caught[0].status, caught[0].reason), (451, "Not for you"))
        # The old Node names, at the end, and a code that is no refusal.
        self.reject(listener, "&statusCode=200&statusDescription=fine", caught)
        self.assertEqual(caught[1].status, 502)

    def reject(self, listener: Listener, query: str, caught: list[Refused]) -> None:
        def send() -> None:
            try:
                send_to(self.stage, "service")
            except Refused as no:
                caught.append(no)

        sender = threading.Thread(target=send)
        sender.start()
        with self.assertRaises(Refused) as gone:
            dial(self.stage, listener.next()["address"] + query)
        self.assertEqual(gone.exception.status, 410)
        sender.join(10)

    def test_target_from_metadata(self) -> None:
        """Without a target of its own the listener takes the entity's endpoint."""
        target = self.target(echo)
        stage = self.use(
            Stage([{"path": "meta", "endpoint": f"127.0.0.1:{target.port}"}])
        )
        stage.start_relay()
        stage.start_listener({"meta": None})
        with send_to(stage, "meta") as tunnel:
            tunnel.send(b"through")
            self.assertEqual(tunnel.recv(10), b"through")
