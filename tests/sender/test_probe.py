"""Tests of L{hybridconn.sender.probe}, with listeners made of bytes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from hybridconn.core.probe import (
    MAX_MESSAGES,
    PROBE,
    TLS_NAME_HEADER,
    Found,
    ListenerIs,
    Reached,
    TargetIs,
    encode,
)
from hybridconn.core.reuse import STREAM
from hybridconn.sender.probe import GRACE, Probed, Prober, next_step
from hybridconn.testing.ws_peer import WsPeer
from tests.sender.scene import SenderTestCase

PATIENCE = 10.0


class ProberTests(SenderTestCase):
    """One probe."""

    def probe(self, tls_name: str = "", **headers: str) -> Deferred[Probed]:
        prober = Prober(self.connector, headers, tls_name, PATIENCE)
        probing = Deferred.fromCoroutine(prober.probe())
        self.network.flush()
        return probing

    def answer(self, subprotocol: str) -> WsPeer:
        return self.accept(headers={"Sec-WebSocket-Protocol": subprotocol})

    def told(self, probing: Deferred[Probed]) -> Probed:
        self.network.flush()
        return self.successResultOf(probing)

    def test_told(self) -> None:
        """All that the listener says is there, and both ends close in order."""
        self.listen()
        probing = self.probe()
        listener = self.answer(PROBE)
        said = (ListenerIs("alpha", "1.2", "x"), Reached("10.0.0.5:1", 0.5))
        for one in said:
            listener.text(encode(one).decode())
        listener.close(1000)
        probed = self.told(probing)
        self.assertTrue(probed.knows)
        self.assertEqual((probed.told, probed.broken), (said, ""))
        self.assertEqual(probed.listener, "L1")

    def test_asks(self) -> None:
        """It offers a plain stream first: other listeners take it for no more."""
        self.listen()
        self.probe("db.corp", **{"X-App": "shop"})
        headers = self.accepts[0]["connectHeaders"]
        offered = headers["Sec-WebSocket-Protocol"].replace(" ", "")
        self.assertEqual(offered, f"{STREAM},{PROBE}")
        self.assertEqual(headers[TLS_NAME_HEADER], "db.corp")
        self.assertEqual(headers["X-App"], "shop")
        self.answer(STREAM)
        self.network.flush()

    def test_other_make(self) -> None:
        """A listener that knows no probes has a tunnel, on which nothing is said."""
        self.listen()
        probing = self.probe()
        listener = self.answer(STREAM)
        probed = self.told(probing)
        self.assertEqual((probed.knows, probed.refused), (False, None))
        self.assertEqual(listener.messages, [])
        assert listener.close_frame is not None
        self.assertEqual(listener.close_frame[0], 1000)

    def test_refused(self) -> None:
        """Its words are there if it says no."""
        self.listen()
        probing = self.probe()
        self.accept("&sb-hc-statusCode=502&sb-hc-statusDescription=target+down")
        probed = self.told(probing)
        assert probed.refused is not None
        self.assertEqual(probed.refused.status_code, 502)
        self.assertEqual(probed.refused.reason, "target down")
        self.assertEqual(probed.listener, "L1")

    def test_nobody(self) -> None:
        """So are the relay's."""
        probed = self.told(self.probe())
        assert probed.refused is not None
        self.assertIn("no listeners", probed.refused.reason)

    def test_no_answer(self) -> None:
        """A listener that does not come is not waited for for ever."""
        self.listen()
        probing = self.probe()
        self.network.advance(PATIENCE + 1)
        probed = self.told(probing)
        assert probed.refused is not None
        self.assertEqual(probed.refused.status_code, 0)
        self.assertIn("10 s", probed.refused.reason)

    def test_falls_silent(self) -> None:
        """Nor is one that says nothing more."""
        self.listen()
        probing = self.probe()
        listener = self.answer(PROBE)
        listener.text(encode(Reached("a", 1)).decode())
        self.network.flush()
        self.network.advance(PATIENCE + GRACE + 0.1)
        probed = self.told(probing)
        self.assertIn("nothing more for 11 s", probed.broken)
        self.assertEqual(len(probed.told), 1)

    def test_each_step_has_its_time(self) -> None:
        """A listener that takes long for each of its steps is heard to the end."""
        self.listen()
        probing = self.probe()
        listener = self.answer(PROBE)
        said = (ListenerIs("a", "1", "x"), TargetIs("a:1", 1), Reached("1.2.3.4:1", 1))
        for one in said:
            self.network.advance(PATIENCE)
            listener.text(encode(one).decode())
            self.network.flush()
        listener.close(1000)
        probed = self.told(probing)
        self.assertEqual((probed.told, probed.broken), (said, ""))

    def test_ends_early(self) -> None:
        """An end in order is none if the target was not reached, nor refused."""
        self.listen()
        probing = self.probe()
        listener = self.answer(PROBE)
        listener.text(encode(ListenerIs("a", "1", "x")).decode())
        listener.close(1000)
        probed = self.told(probing)
        self.assertIn("before it had told all", probed.broken)
        self.assertIsNone(probed.awaited)

    def test_what_it_is_silent_about(self) -> None:
        """It is known which step it was at."""
        who, found = ListenerIs("a", "1", "x"), Found(("10.0.0.5",), 1)
        reached = Reached("10.0.0.5:1", 1)
        for said, tls, step in (
            ((), False, None),
            ((who,), False, "target"),
            ((who, TargetIs("db.corp:1", 1)), False, "found"),
            ((who, TargetIs("http://db.corp/x", 1)), False, "found"),
            ((who, TargetIs("10.0.0.5:1", 1)), False, "reached"),
            ((who, TargetIs("[::1]:1", 1)), False, "reached"),
            ((who, TargetIs("unix:/run/app.sock", 1)), False, "reached"),
            ((who, TargetIs("https://10.0.0.5", 1), reached), False, "tls"),
            ((who, found), False, "reached"),
            ((who, TargetIs("udp:ns.corp:53", 1)), False, "found"),
            ((who, TargetIs("udp:ns.corp:53", 1), found), False, None),
            ((who, TargetIs("udp:10.0.0.5:53", 1)), True, None),
            ((who, reached), True, "tls"),
            ((who, reached), False, None),
        ):
            self.assertEqual(next_step(said, tls), step, said)

    def test_nonsense(self) -> None:
        """What is no message of a probe, or one too many, ends it."""
        good = encode(Reached("a", 1)).decode()
        for said in (["nonsense"], [good] * (MAX_MESSAGES + 1), ["x" * 5000]):
            self.listen()
            probing = self.probe()
            listener: Any = self.answer(PROBE)
            for one in said:
                listener.text(one)
            probed = self.told(probing)
            self.assertTrue(probed.broken)
            self.assertLessEqual(len(probed.told), MAX_MESSAGES)
            self.listener.abort()
            listener.abort()
            self.network.flush()

    def test_broken_off(self) -> None:
        """It says so if the tunnel breaks off."""
        self.listen()
        probing = self.probe()
        self.answer(PROBE).abort()
        self.assertEqual(self.told(probing).broken, "the tunnel broke off")
