"""Tokens that end, are renewed, or are no good (F18)."""

from __future__ import annotations

import contextlib
import json
import time

from websockets.exceptions import ConnectionClosed

from tests.integration.case import IntegrationTestCase
from tests.integration.peers import Listener, Refused, dial, echo, send_to
from tests.integration.stage import LISTEN, SEND, Stage
from tests.integration.targets import echo as echo_target
from tests.integration.targets import read_exactly


class ExpiryTests(IntegrationTestCase):
    """The token of a control channel runs out; tunnels do not care."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage())
        self.stage.start_relay()

    def test_control_channel_ends(self) -> None:
        """A token of 4 s: 1008 at most 5 s after its end; a tunnel stays up."""
        began = time.time()
        token = self.stage.token("echo", LISTEN, 4.0)
        listener = Listener(self.stage, "echo", echo, token)
        with send_to(self.stage, "echo") as tunnel:
            tunnel.send("before")
            self.assertEqual(tunnel.recv(10), "before")
            self.assertTrue(listener.ended.wait(10))
            self.assertBetween(3.0, time.time() - began, 9.0)
            self.assertEqual(listener.control.close_code, 1008)
            self.assertIn("expired", listener.control.close_reason or "")
            tunnel.send("after")
            self.assertEqual(tunnel.recv(10), "after")
        with self.assertRaises(Refused) as caught:
            send_to(self.stage, "echo")
        self.assertEqual(caught.exception.status, 404)

    def assertBetween(self, least: float, value: float, most: float) -> None:
        self.assertTrue(least <= value <= most, f"{value} not in {least}..{most}")

    def renew(self, listener: Listener, token: str) -> None:
        listener.control.send(json.dumps({"renewToken": {"token": token}}))

    def test_renewal(self) -> None:
        """A token renewed in time keeps the channel; there is no reply."""
        token = self.stage.token("echo", LISTEN, 3.0)
        listener = Listener(self.stage, "echo", echo, token)
        self.addCleanup(listener.close)
        self.renew(listener, self.stage.token("echo", LISTEN, 60.0))
        self.assertFalse(listener.ended.wait(5))
        with send_to(self.stage, "echo") as tunnel:
            tunnel.send("still here")
            self.assertEqual(tunnel.recv(10), "still here")
        self.assertEqual([list(c) for c in listener.commands], [["accept"]])

    def test_bad_renewal(self) -> None:
        """A bad token in a renewal closes the channel with 1008."""
        for bad in (
            self.stage.token("echo", LISTEN, -10.0),
            self.stage.token("echo", LISTEN, key="no-such-key"),
            self.stage.token("echo", SEND),
            "nonsense",
        ):
            listener = Listener(self.stage, "echo")
            self.renew(listener, bad)
            self.assertTrue(listener.ended.wait(10))
            self.assertEqual(listener.control.close_code, 1008)

    def test_our_listener_renews(self) -> None:
        """hclistener renews at 80 % of a short life: its channel never ends."""
        target = self.target(echo_target)
        listener = self.stage.start_listener(
            {"echo": target.port}, timings={"token_lifetime": 5.0}
        )
        port = self.stage.start_sender("echo")["echo"]
        since = self.stage.relay.mark()
        with self.stage.dial(port) as connection:
            # Longer than two lives, with a byte through every half second.
            connection.settimeout(0.5)
            until = time.monotonic() + 11
            while time.monotonic() < until:
                connection.sendall(b"x")
                self.assertEqual(read_exactly(connection, 1), b"x")
                with contextlib.suppress(TimeoutError):
                    self.assertEqual(connection.recv(1), "nothing more")
        self.assertEqual(len(listener.log().lower().split("online")), 2)
        self.assertNotIn("expired", self.stage.relay.log(since))


class RefusalTests(IntegrationTestCase):
    """The answers of relay-protocol section 4, by a client that is not ours."""

    def test_answers(self) -> None:
        """Each way to be wrong has its status and its words."""
        stage = self.use(Stage(["echo", "other"]))
        stage.start_relay()
        listener = Listener(stage, "echo", echo)
        self.addCleanup(listener.close)
        good = stage.token("echo", SEND)
        cases: list[tuple[str, str, str | None, int, str]] = [
            ("echo", "connect", None, 401, "token"),
            ("echo", "connect", "Bearer something", 401, "token"),
            ("echo", "connect", good.replace("sig=", "sig=x"), 401, "signature"),
            ("echo", "connect", good.replace("skn=send", "skn=sent"), 401, "signature"),
            ("echo", "connect", stage.token("echo", SEND, -60), 401, "expired"),
            ("echo", "connect", stage.token("other", SEND), 403, ""),
            ("echo", "connect", stage.token("echo", LISTEN), 403, "Send"),
            ("echo", "listen", good, 403, "Listen"),
            ("nowhere", "connect", stage.token("nowhere", SEND), 404, "does not exist"),
            ("nowhere", "connect", None, 401, "token"),
            ("other", "connect", stage.token("other", SEND), 404, "no listeners"),
            ("echo/suffix", "listen", stage.token("echo", LISTEN), 404, ""),
            ("echo", "dance", good, 400, "dance|action"),
        ]
        for path, action, token, status, words in cases:
            with self.assertRaises(Refused) as caught:
                dial(stage, stage.url(path, action), token)
            no = caught.exception
            self.assertEqual(no.status, status, f"{path} {action}: {no}")
            self.assertRegex(no.reason, f"(?i){words}", f"{path} {action}")
            self.assertIn("TrackingId:", no.reason)
            # The same text in the body, for clients that show only that.
            self.assertIn(no.reason[:40], no.body)
        # After all that the relay serves as before.
        with dial(stage, stage.url("echo"), good) as tunnel:
            tunnel.send("well")
            self.assertEqual(tunnel.recv(10), "well")

    def test_listener_leaves(self) -> None:
        """Close on the control channel is echoed at once with its code."""
        stage = self.use(Stage())
        stage.start_relay()
        listener = Listener(stage, "echo")
        listener.control.close(1000, "done")
        self.assertTrue(listener.ended.wait(5))
        self.assertEqual(listener.control.close_code, 1000)
        with self.assertRaises(ConnectionClosed):
            listener.control.send("more")
