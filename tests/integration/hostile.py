"""The test case of all that is done to the relay by peers that break the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tests.integration.case import IntegrationTestCase
from tests.integration.peers import Listener, echo, send_to
from tests.integration.rawsocket import Answer, head_of
from tests.integration.stage import Stage


class HostileCase(IntegrationTestCase):
    """A relay with one good listener; after each test a good tunnel must work."""

    limits: ClassVar[Mapping[str, object]] = {}

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(limits=self.limits))
        self.stage.start_relay()
        self.listener = Listener(self.stage, "echo", echo)
        self.addCleanup(self.listener.close)

    def assertServes(self) -> None:
        """The relay carries a byte."""
        with send_to(self.stage, "echo") as tunnel:
            tunnel.send(b"well")
            self.assertEqual(tunnel.recv(15), b"well")

    def ask(self, request: bytes) -> Answer | None:
        """Send bytes; the answer, or L{None} if the connection just ended."""
        with self.stage.dial_relay(15) as connection:
            try:
                connection.sendall(request)
                return head_of(connection)[0]
            except (EOFError, ConnectionError):
                return None
