"""Listeners share the load."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

from tests.integration.case import IntegrationTestCase
from tests.integration.stage import PLAIN, Stage
from tests.integration.targets import Target, sink

CONNECTS = 400
# The chi-squared value that one degree of freedom exceeds once in 1000 times.
BOUND = 10.83


class BalancingTests(IntegrationTestCase):
    """Which of two listeners serves is decided per connection."""

    def counts(self, balancer: str) -> list[int]:
        """How 400 connections spread over two listener processes."""
        stage = self.use(Stage(["shared"], relay_settings={"load_balancer": balancer}))
        stage.start_relay()
        targets: list[Target] = []
        for name in ("one", "two"):
            targets.append(self.target(sink))
            stage.start_listener({"shared": targets[-1].port}, name)

        # Through our own sender: a blocking client with a reading thread shares
        # one TLS object between two threads, which loses a request now and then.
        port = stage.start_sender("shared", spares=PLAIN)["shared"]

        def connect(_: int) -> None:
            with stage.dial(port, 30) as connection:
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(connect, range(CONNECTS)))
        self.wait_until(
            "all to arrive", lambda: sum(t.seen for t in targets) == CONNECTS
        )
        return [target.seen for target in targets]

    def test_random(self) -> None:
        """Random assignment is even: chi-squared within the p = 0.001 bound."""
        expected = CONNECTS / 2
        # A fair coin fails this once in 1000 runs; a second throw makes that
        # once in a million, and a biased one fails it still.
        for _ in range(2):
            seen = self.counts("random")
            chi = sum((count - expected) ** 2 / expected for count in seen)
            if chi < BOUND:
                break
        print(
            f"\nfigure: random assignment of {CONNECTS}: {seen}, chi-squared {chi:.2f}"
        )
        self.assertLess(chi, BOUND)
        # Not in turns, which would be suspiciously even every time.
        self.assertGreater(min(seen), 0)

    def test_round_robin(self) -> None:
        """Round robin takes turns exactly."""
        self.assertEqual(self.counts("round-robin"), [CONNECTS // 2] * 2)
