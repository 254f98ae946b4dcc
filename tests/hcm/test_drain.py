"""A hybrid connection that is told to take no more senders."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.hcm.words import Facts, judge
from tests.hcm.case import Client, HcmTestCase


class DrainTests(HcmTestCase):
    """C{drain} and C{resume}, by the admin port."""

    def setUp(self) -> None:
        super().setUp()
        self.add("one", target="db.corp:5")

    def drain(self) -> Any:
        status, view = self.call("POST", "/v1/connections/one/drain")
        self.assertEqual(status, 202)
        return view

    def resume(self) -> Any:
        status, view = self.call("POST", "/v1/connections/one/resume")
        self.assertEqual(status, 202)
        return view

    def listeners(self) -> int:
        return self.relay.service.desk.listeners(("testing", "one"))

    def echoed(self, client: Client, data: bytes) -> None:
        client.data = b""
        transport: Any = client.transport
        transport.write(data)
        self.network.flush()
        self.assertEqual(client.data, data)

    def test_drain(self) -> None:
        """It leaves the relay, its tunnels go on, and both are told."""
        client = self.dial("one")
        view = self.drain()
        self.assertEqual(view["status"], "Draining")
        self.assertIn("1 tunnel still runs", view["reason"])
        self.assertIn("hcm resume NAME", view["nextStep"])
        self.assertEqual(self.listeners(), 0)
        self.assertIn("no listeners", self.refusal("one"))
        self.network.advance(600)
        self.echoed(client, b"on")
        client.transport.loseConnection()  # type: ignore[union-attr]
        self.network.advance(2)
        view = self.view("one")
        self.assertEqual(view["status"], "Drained")
        self.assertEqual(view["endpoint"], "db.corp:5")
        self.assertIn("hcm resume NAME", view["nextStep"])
        self.assertEqual(self.listeners(), 0)

    def test_resume(self) -> None:
        """It comes back when it is told to; tunnels of before go on still."""
        client = self.dial("one")
        self.drain()
        self.resume()
        self.network.advance(10)
        self.assertEqual(self.status("one"), "Connected")
        self.assertEqual(self.listeners(), 1)
        self.dial("one")
        self.echoed(client, b"still")
        self.assertEqual(self.view("one")["tunnels"]["open"], 2)

    def test_twice(self) -> None:
        """Told again what it does already, it does nothing."""
        self.resume()
        self.assertEqual(self.status("one"), "Connected")
        before = self.view("one")["trackingId"]
        self.drain()
        self.assertEqual(self.drain()["status"], "Drained")
        self.resume()
        self.resume()
        self.assertNotEqual(self.view("one")["trackingId"], before)
        self.assertEqual(self.listeners(), 1)

    def test_stays(self) -> None:
        """Neither a restart, a changed file, a jump of the clock nor time end it."""
        self.drain()
        self.good("POST", "/v1/connections/one/restart")
        self.network.advance(10)
        self.assertEqual((self.status("one"), self.listeners()), ("Drained", 0))
        (path,) = self.conf.iterdir()
        path.write_text(path.read_text().replace("db.corp:5", "db.corp:6"))
        self.good("POST", "/v1/reload")
        self.drift = 7200.0
        self.network.advance(120)
        view = self.view("one")
        self.assertEqual((view["status"], view["endpoint"]), ("Drained", "db.corp:6"))
        self.assertEqual(self.listeners(), 0)

    def test_anew(self) -> None:
        """One that is removed and added again takes senders."""
        self.drain()
        self.good("DELETE", "/v1/connections/one")
        self.assertEqual(self.add("one", target="db.corp:5")["status"], "Connected")

    def test_last_error(self) -> None:
        """To be told so is no error."""
        self.drain()
        self.assertIsNone(self.view("one")["lastError"])

    def test_seen(self) -> None:
        """The relay's count is still asked for, so that one sees who else listens."""
        self.drain()
        self.network.advance(61)
        self.assertEqual(self.view("one")["numberOfListeners"], 0)

    def test_stop(self) -> None:
        """A drained one leaves nothing behind at the end of the service."""
        self.dial("one")
        self.drain()
        self.stop()
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WithdrawTests(HcmTestCase):
    """One that follows its target."""

    def test_target(self) -> None:
        """While it is drained the target is looked at, and does not have it return."""
        self.add(
            "one",
            target="db.corp:5",
            target_check_interval=5.0,
            target_down="withdraw",
        )
        self.good("POST", "/v1/connections/one/drain")
        self.network.faults.refuse("db.corp", 5)
        self.network.advance(6)
        self.assertFalse(self.view("one")["target"]["reachable"])
        self.network.faults.mend("db.corp", 5)
        self.network.advance(6)
        view = self.view("one")
        self.assertEqual(
            (view["status"], view["target"]["reachable"]), ("Drained", True)
        )
        self.good("POST", "/v1/connections/one/resume")
        self.network.advance(1)
        self.assertEqual(self.status("one"), "Connected")


class WordTests(SynchronousTestCase):
    """L{judge}."""

    def test_words(self) -> None:
        """What was told to go counts more than all that could be said otherwise."""
        verdict = judge(Facts(drained=True, error="401 expired", status=401))
        self.assertEqual(verdict.word, "Drained")
        verdict = judge(Facts(drained=True, tunnels=3, withdrawn=True))
        self.assertEqual(verdict.word, "Draining")
        self.assertIn("3 tunnels still run", verdict.reason)
