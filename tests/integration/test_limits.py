"""Limits of one address, and requests changed at random (T15, T12, T14)."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from urllib.parse import quote

from tests.integration.case import IntegrationTestCase
from tests.integration.peers import Listener, Refused, dial, echo, send_to
from tests.integration.rawsocket import head_of, request_for
from tests.integration.stage import LISTEN, SEND, Stage

#: What is put into requests at random.
JUNK = (
    *(b"\0", b"\r", b"\n", b"\r\n", b"\x80", b"\xff", b" ", b"\t", b":", b",", b";"),
    *(b"%", b"%00", b"%2f", b"%25", b"&", b"=", b"?", b"#", b"..", b"//", b"A" * 300),
    *(b"%e2%80%ae", b"sb-hc-action=listen", b"sb-hc-id=\x01", b"HTTP/1.1\r\n\r\n"),
    b"Upgrade: websocket\r\n",
    b"Sec-WebSocket-Protocol: \x81,,a b\r\n",
    b"Content-Length: 0\r\n",
    b"Expect: 100-continue\r\n",
)
SEED = 20261124
ROUNDS = 400


class AddressTests(IntegrationTestCase):
    """One address that asks too much; loopback is not excused here."""

    def test_failing(self) -> None:
        """
        Wrong tokens are answered later and later, then 429 for a minute; tunnels
        and control channels that are open do not suffer.
        """
        limits = {
            "exempt_networks": [],
            "failed_authentications_per_minute": 5,
            "max_failure_delay": 0.4,
        }
        stage = self.use(Stage(limits=limits))
        stage.start_relay()
        listener = Listener(stage, "echo", echo)
        self.addCleanup(listener.close)
        with send_to(stage, "echo") as tunnel:
            answers = []
            for _ in range(7):
                began = time.monotonic()
                with self.assertRaises(Refused) as caught:
                    dial(stage, stage.url("echo"), "SharedAccessSignature x")
                answers.append((caught.exception.status, time.monotonic() - began))
            self.assertEqual([status for status, _ in answers], [401] * 5 + [429] * 2)
            waits = [wait for _, wait in answers]
            for wait, least in zip(waits, (0.05, 0.1, 0.2, 0.4, 0.4), strict=False):
                self.assertGreaterEqual(wait, least)
            with self.assertRaises(Refused) as caught:
                send_to(stage, "echo")
            self.assertEqual(caught.exception.status, 429)
            tunnel.send("still here")
            self.assertEqual(tunnel.recv(10), "still here")
        self.assertFalse(listener.ended.is_set())

    def test_silent(self) -> None:
        """Only so many unknown connections at once, and none for long."""
        limits = {
            "exempt_networks": [],
            "max_unauthenticated_per_address": 20,
            "request_head_timeout": 4,
            "tls_handshake_timeout": 4,
        }
        stage = self.use(Stage(limits=limits))
        stage.start_relay()
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(stage.dial(stage.port)) for _ in range(40)]
            self.wait_until("20 to be sent away", lambda: count_ended(silent) == 20, 3)
            self.wait_until("all to be gone", lambda: count_ended(silent) == 40, 15)
        listener = Listener(stage, "echo", echo)
        self.addCleanup(listener.close)
        with send_to(stage, "echo") as tunnel:
            tunnel.send("well")
            self.assertEqual(tunnel.recv(10), "well")


def count_ended(connections: list[socket.socket]) -> int:
    """How many of these connections the other end has closed."""
    ended = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            ended += connection.recv(1) == b""
        except BlockingIOError:
            continue
        except OSError:
            ended += 1
    return ended


class MutationTests(IntegrationTestCase):
    """Good requests with a few octets changed, left out, doubled or added."""

    def test_heads(self) -> None:
        """Each has an answer of HTTP or none; nothing of it is a traceback."""
        stage = self.use(
            Stage(
                ["echo", {"path": "open", "requires_client_authorization": False}],
                insecure=True,
                limits={"request_head_timeout": 2, "accept_timeout": 2},
            )
        )
        stage.start_relay()
        listener = Listener(stage, "echo", echo)
        self.addCleanup(listener.close)
        chance = random.Random(SEED)
        requests = self.requests(stage)
        for number in range(ROUNDS):
            request = mutated(chance.choice(requests), chance)
            with stage.dial_relay(0.1) as connection:
                try:
                    connection.sendall(
                        request + chance.randbytes(chance.choice((0, 9)))
                    )
                    answer, _ = head_of(connection)
                except (EOFError, OSError):
                    continue
                self.assertIn(answer.status, range(101, 502), (number, request))
        with send_to(stage, "echo") as tunnel:
            tunnel.send("well")
            self.assertEqual(tunnel.recv(10), "well")

    def requests(self, stage: Stage) -> list[bytes]:
        """Good ones of each kind."""
        send, listen = stage.token("echo", SEND), stage.token("echo", LISTEN)
        in_query = f"sb-hc-token={quote(send, safe='')}"
        return [
            request_for(stage.url("echo"), {"ServiceBusAuthorization": send}),
            request_for(stage.url("echo", "connect", in_query), {}),
            request_for(
                stage.url("echo", "listen"), {"ServiceBusAuthorization": listen}
            ),
            request_for(stage.url("open"), {"Sec-WebSocket-Protocol": "a, b"}),
            request_for(stage.url("echo", "accept", "sb-hc-rendezvous=abc"), {}),
            b"GET /echo?api-version=2016-07 HTTP/1.1\r\nHost: localhost\r\n"
            b"Authorization: " + listen.encode() + b"\r\n\r\n",
            b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n0\r\n\r\n",
        ]


def mutated(request: bytes, chance: random.Random) -> bytes:
    """C{request} with one to four changes."""
    changed = bytearray(request)
    for _ in range(chance.randint(1, 4)):
        at, kind = chance.randrange(len(changed)), chance.randrange(4)
        if kind == 0:
            changed[at:at] = chance.choice(JUNK)
        elif kind == 1 and len(changed) > 40:
            del changed[at : at + chance.randint(1, 20)]
        elif kind == 2:
            changed[at] = chance.randrange(256)
        else:
            begin = chance.randrange(len(changed))
            changed[at:at] = changed[begin : begin + chance.randint(1, 60)]
    return bytes(changed)
