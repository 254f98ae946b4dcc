"""
No key and no token in any log or answer (reliability-security T7).

Every integration test checks the logs it made; this one goes where secrets are
most at risk.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.integration.case import IntegrationTestCase
from tests.integration.peers import Listener, Refused, dial, echo, send_to
from tests.integration.programs import twistd
from tests.integration.rawsocket import RawWebSocket
from tests.integration.stage import LISTEN, SEND, Stage
from tests.integration.targets import Target, pieces
from tests.integration.targets import echo as echo_target
from tests.integration.waiting import free_port


class SecretTests(IntegrationTestCase):
    """Wherever a secret goes in, it comes out nowhere."""

    def test_no_secret_anywhere(self) -> None:
        """Keys and tokens, good and bad, by header and query: 0 hits in the logs."""
        stage = self.use(Stage(["echo", "tcp", "open"]))
        stage.start_relay()
        heard: list[bytes] = []

        def serve(connection: object) -> None:
            for piece in pieces(connection):  # type: ignore[arg-type]
                heard.append(piece)

        target = Target(serve)
        self.addCleanup(target.close)
        stage.start_listener({"tcp": target.port, "open": free_port()})
        ports = stage.start_sender("tcp", "open")
        listener = Listener(stage, "echo", echo)
        send, listen = stage.token("echo", SEND), stage.token("echo", LISTEN)
        answers = []
        for action in ("connect", "listen", "accept", "nonsense"):
            for token in (send, listen, send[:-5], send + "x", "sig=" + send):
                escaped = quote(token, safe="")
                query = f"sb-hc-token={escaped}"
                attempts: list[tuple[str, str | None, dict[str, str]]] = [
                    (stage.url("echo", action, query), None, {}),
                    (stage.url("echo", action), token, {}),
                    (stage.url("echo", action), None, {"Authorization": token}),
                    # In a place where nobody looks for one.
                    (stage.url(f"echo/{escaped}", action), token, {}),
                    (stage.url(f"echo/x/{escaped}", action), None, {}),
                    (stage.url(escaped, action), send, {}),
                ]
                for url, header, others in attempts:
                    try:
                        dial(stage, url, header, others).close()
                    except Refused as no:
                        answers.append(f"{no.reason}\n{no.body}")
        listener.control.send(json.dumps({"unknown": {"token": "x"}}))
        listener.control.send("not JSON")
        # Last: the relay closes the channel for it.
        listener.control.send(json.dumps({"renewToken": {"token": send}}))
        listener.ended.wait(10)
        for entity in ("tcp", "open"):
            with stage.dial(ports[entity]) as connection:
                try:
                    connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    connection.shutdown(1)
                    connection.recv(1)
                except OSError:
                    pass
        # One whose key the relay does not know, and one whose relay is away.
        wrong = stage.connection_string("echo", LISTEN).replace("Key=", "Key=A", 1)
        stage.write("wrong", wrong)
        stage.program(
            "wrong",
            twistd(
                *["hclistener", "--connection-string-file", "wrong"],
                *["--target", "127.0.0.1:1", "--ca-file", "ca.pem"],
            ),
        ).start().wait_log(r"\b401\b")
        since = stage["listener"].mark()
        stage.relay.kill()
        stage["listener"].wait_log(r"(?i)refused", 15, since)
        self.assertGreater(len(answers), 20)
        for answer in answers:
            for secret in stage.secrets():
                self.assertNotIn(secret, answer)
        self.assertNotIn(b"Shared", b"".join(heard))
        self.assertEqual(stage.log_mistakes(), [])

    def test_listeners_see_no_token(self) -> None:
        """Tokens, and all of sb-hc-*, are taken out of what a listener is told."""
        stage = self.use(Stage())
        stage.start_relay()
        listener = Listener(stage, "echo")
        self.addCleanup(listener.close)
        token = quote(stage.token("echo", SEND), safe="")
        url = stage.url("echo/a%2Fb", "connect", f"x=%2B&SB-HC-Token={token}&&y")
        sender = RawWebSocket(stage, url + "&sb-hc-extra=1", headers={"X-Own": "mine"})
        told = listener.next()
        sender.close()
        text = json.dumps(told)
        for secret in stage.secrets():
            self.assertNotIn(secret, text)
        self.assertNotIn("sb-hc-extra", text)
        self.assertNotIn("sb-hc-token", text.lower())
        self.assertIn("/$hc/echo/a%2Fb?x=%2B&&y&sb-hc-", told["address"])
        self.assertEqual(told["connectHeaders"]["X-Own"], "mine")

    def test_process_list(self) -> None:
        """No secret is on any command line."""
        stage = self.use(Stage())
        stage.start_relay()
        stage.start_listener({"echo": self.target(echo_target).port})
        stage.start_sender("echo")
        with send_to(stage, "echo") as tunnel:
            tunnel.send(b"x")
            tunnel.recv(10)
        for program in stage.programs:
            with open(f"/proc/{program.pid}/cmdline") as cmdline:
                line = cmdline.read()
            for secret in stage.secrets():
                self.assertNotIn(secret, line)
