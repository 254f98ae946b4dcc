"""Peers that break the rules: the relay answers by the book and serves on."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from tests.integration.hostile import HostileCase
from tests.integration.peers import Listener
from tests.integration.rawsocket import (
    TEXT,
    RawWebSocket,
    head_of,
    request_for,
)
from tests.integration.stage import SEND

WELL = "GET {target} HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


class HandshakeTests(HostileCase):
    """Malformed requests."""

    def test_malformed(self) -> None:
        """Each broken request has a 4xx answer, or is cut off; none is served."""
        send = self.stage.token("echo", SEND)
        url = "/$hc/echo?sb-hc-action=connect"
        token = f"ServiceBusAuthorization: {send}\r\n"
        good = WELL.format(target=url) + token + UPGRADE
        cases: dict[str, tuple[str, tuple[int, ...]]] = {
            "not HTTP at all": ("\x16\x03 hello\r\n\r\n", (400,)),
            "no version": (f"GET {url}\r\n\r\n", (400,)),
            "HTTP/0.9": (good.replace("HTTP/1.1", "HTTP/0.9"), (400, 505)),
            "version 8": (good.replace("Version: 13", "Version: 8"), (426,)),
            "no version header": (
                good.replace("Sec-WebSocket-Version: 13\r\n", ""),
                (400, 426),
            ),
            "no key": (
                good.replace("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", ""),
                (400,),
            ),
            "short key": (good.replace("AAAAAAAAAAAAAAAAAAAAAA==", "AAAA"), (400,)),
            "POST": (good.replace("GET", "POST", 1), (400, 405)),
            "CONNECT": (good.replace("GET", "CONNECT", 1), (400, 405)),
            "no host": (good.replace("Host: localhost\r\n", ""), (400,)),
            "two hosts": (good + "Host: evil\r\n", (400,)),
            "space before colon": (good + "X-A : b\r\n", (400,)),
            "folded header": (good + "X-A: b\r\n c\r\n", (400,)),
            "no colon": (good + "nonsense\r\n", (400,)),
            "null": (good + "X-A: \0\r\n", (400,)),
            "two lengths": (
                good + "Content-Length: 1\r\nContent-Length: 2\r\n",
                (400,),
            ),
            "plain GET on $hc": (WELL.format(target=url) + token, (400,)),
            "long target": (good.replace("?", "?" + "x=1&" * 5000), (414,)),
            "long header": (good + f"X-A: {'b' * 9000}\r\n", (431,)),
            "much header": (
                good + "".join(f"X-{n}: {'b' * 1000}\r\n" for n in range(40)),
                (431,),
            ),
            "many headers": (
                good + "".join(f"X-{n}: b\r\n" for n in range(120)),
                (431,),
            ),
            "escaped slash": (good.replace("/echo", "/echo%2f..%2fx"), (400, 403, 404)),
            "dot segments": (good.replace("/echo", "/x/../echo"), (400, 403, 404)),
            "null in path": (good.replace("/echo", "/echo%00"), (400, 403, 404)),
            "bad UTF-8 in path": (good.replace("/echo", "/%ff%fe"), (400, 403, 404)),
            "unknown rendezvous": (
                WELL.format(
                    target="/$hc/echo?sb-hc-action=accept&sb-hc-rendezvous=guess"
                )
                + UPGRADE,
                (403,),
            ),
            "no rendezvous": (
                WELL.format(target="/$hc/echo?sb-hc-action=accept") + UPGRADE,
                (400, 403),
            ),
        }
        for name, (request, allowed) in cases.items():
            text = request if request.endswith("\r\n\r\n") else request + "\r\n"
            answer = self.ask(text.encode("latin-1"))
            if answer is None:
                # Cut off is as good where there is no sensible answer.
                self.assertIn(name, ("not HTTP at all", "no version", "HTTP/0.9"))
                continue
            self.assertIn(answer.status, allowed, f"{name}: {answer}")
            self.assertNotIn("Traceback", str(answer))
        self.assertServes()

    def test_version_answer(self) -> None:
        """426 names the version that is spoken."""
        request = request_for(self.stage.url("echo"), {"Sec-WebSocket-Version": "7"})
        answer = self.ask(request)
        assert answer is not None
        self.assertEqual(answer.status, 426)
        self.assertEqual(answer.headers["sec-websocket-version"], "13")

    def test_answers_are_clean(self) -> None:
        """Nothing that a request says can add a line to the answer."""
        action = "x%0d%0aSet-Cookie:%20a=b"
        token = self.stage.token("echo", SEND)
        fields = {"ServiceBusAuthorization": token}
        answer = self.ask(request_for(self.stage.url("echo", action), fields))
        assert answer is not None
        self.assertEqual(answer.status, 400)
        self.assertNotIn("set-cookie", answer.headers)
        self.assertTrue(answer.reason.isprintable())

    def test_extensions_declined(self) -> None:
        """No extension is negotiated, and odd header names are let through."""
        fields = {
            "ServiceBusAuthorization": self.stage.token("echo", SEND),
            "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
            "0": "Sec-WebSocket-Extensions: permessage-deflate",
        }
        answer = self.ask(request_for(self.stage.url("echo"), fields))
        assert answer is not None
        self.assertEqual(answer.status, 101)
        self.assertNotIn("sec-websocket-extensions", answer.headers)
        offered = self.listener.commands[-1]["accept"]["connectHeaders"]
        self.assertIn("Sec-WebSocket-Extensions", offered)
        self.assertIn("Sec-WebSocket-Key", offered)
        self.assertNotIn("ServiceBusAuthorization", offered)


class SlowTests(HostileCase):
    """Peers that take their time before they are known."""

    limits: ClassVar[Mapping[str, object]] = {
        "request_head_timeout": 2.0,
        "tls_handshake_timeout": 2.0,
    }

    def test_silent_and_dripping(self) -> None:
        """Peers that never finish their handshake are closed; others are served."""
        silent = [self.stage.dial(self.stage.port, 15) for _ in range(20)]
        dripping = [self.stage.dial_relay(15) for _ in range(20)]
        for connection in dripping:
            connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        self.assertServes()
        for connection in silent:
            with connection, contextlib.suppress(ConnectionResetError):
                self.assertEqual(connection.recv(1), b"")
        for connection in dripping:
            with connection:
                try:
                    answer, _ = head_of(connection)
                except (EOFError, ConnectionError):
                    continue
                self.assertEqual(answer.status, 408)
        self.assertServes()


class RendezvousTests(HostileCase):
    """reliability-security T8: the accept address is the only credential."""

    def setUp(self) -> None:
        super().setUp()
        # A listener that hands out the address instead of dialling it.
        self.listener.close()
        self.assertTrue(self.listener.ended.wait(10))
        self.listener = Listener(self.stage, "echo")

    def sender(self) -> tuple[RawWebSocket, str]:
        """A sender that waits, and the address that would accept it."""
        url, token = self.stage.url("echo"), self.stage.token("echo", SEND)
        return RawWebSocket(self.stage, url, token), self.listener.next()["address"]

    def dial_all(self, address: str, times: int) -> list[int]:
        """Dial an address many times at once; the statuses, sorted."""

        def dial(_: int) -> int:
            tunnel = RawWebSocket(self.stage, address).handshake()
            tunnels.append(tunnel)
            return tunnel.answer.status

        tunnels: list[RawWebSocket] = []
        with ThreadPoolExecutor(times) as pool:
            statuses = sorted(pool.map(dial, range(times)))
        for tunnel in tunnels:
            self.addCleanup(tunnel.close)
        return statuses

    def assertServes(self) -> None:
        sender, address = self.sender()
        self.assertEqual(self.dial_all(address, 1), [101])
        self.assertEqual(sender.handshake().answer.status, 101)
        sender.close()

    def test_once(self) -> None:
        """Of 8 that dial an address at once one wins; it is used up then."""
        sender, address = self.sender()
        self.assertEqual(self.dial_all(address, 8), [101] + [403] * 7)
        self.assertEqual(sender.handshake().answer.status, 101)
        self.assertEqual(self.dial_all(address, 1), [403])
        sender.close()

    def test_changed(self) -> None:
        """One character changed, another action or path: 403, the sender waits on."""
        sender, address = self.sender()
        for other in (
            address[:-1] + ("A" if address[-1] != "A" else "B"),
            address.replace("sb-hc-action=accept", "sb-hc-action=request"),
            address.replace("/echo", "/other"),
        ):
            self.assertNotEqual(other, address)
            status = self.dial_all(other, 1)[0]
            self.assertIn(status, (400, 403, 404), other)
        self.assertEqual(self.dial_all(address, 1), [101])
        self.assertEqual(sender.handshake().answer.status, 101)
        sender.close()

    def test_sender_left(self) -> None:
        """The address of a sender that has left is worth nothing."""
        sender, address = self.sender()
        before = self.stage.relay.sockets()
        sender.close()
        self.stage.wait_sockets_back(self.stage.relay, before - 1)
        self.assertIn(self.dial_all(address, 1)[0], (403, 410))
        self.assertServes()

    def test_rejections(self) -> None:
        """T11: a bad status is the listener's mistake; texts are made harmless."""
        named = "&sb-hc-statusCode={}&sb-hc-statusDescription={}"
        for code, text, status in (
            ("403", "a%0d%0aSet-Cookie:+b", 403),
            ("101", "Switching", 502),
            ("200", "OK", 502),
            ("500", "x" * 6000, 500),
            ("404", "", 404),
        ):
            sender, address = self.sender()
            self.assertEqual(
                self.dial_all(address + named.format(code, text), 1), [410]
            )
            answer = sender.handshake().answer
            self.assertEqual(answer.status, status)
            self.assertNotIn("set-cookie", answer.headers)
            self.assertLessEqual(len(answer.reason), 512)
            sender.close()
        for code in ("abc", "99", "1000", "-1", "4e2"):
            sender, address = self.sender()
            bad = address + named.format(code, "no")
            self.assertEqual(self.dial_all(bad, 1), [400], code)
            # That was no rejection: the sender still waits for a good one.
            self.assertEqual(self.dial_all(address, 1), [101])
            sender.close()
        self.assertServes()

    def test_early_data(self) -> None:
        """What a sender says before its answer came is kept (section 6.1)."""
        url, token = self.stage.url("echo"), self.stage.token("echo", SEND)
        sender = RawWebSocket(self.stage, url, token)
        sender.send(TEXT, b"early")
        tunnel = RawWebSocket(self.stage, self.listener.next()["address"])
        tunnel.send(TEXT, b"also early")
        self.assertEqual(sender.handshake().receive().payload, b"also early")
        self.assertEqual(tunnel.handshake().receive().payload, b"early")
        sender.close()
        tunnel.close()
