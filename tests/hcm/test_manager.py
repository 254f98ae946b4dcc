"""Hybrid connections that come, change and go while the manager runs."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from hybridconn.core.commands import Accept
from hybridconn.interfaces import ITargetConnector
from tests.hcm.case import Client, HcmTestCase


@implementer(ITargetConnector)
class Nobody:
    """Of another listener, which is never asked."""

    def connect(self, accept: Accept) -> Deferred[Any]:
        """There is nothing (L{ITargetConnector})."""
        raise NotImplementedError


class ManagerTests(HcmTestCase):
    """L{Manager <hybridconn.hcm.manager.Manager>}, by its admin port."""

    def write_to(self, client: Client, data: bytes) -> None:
        transport: Any = client.transport
        transport.write(data)
        self.network.flush()

    def test_nothing(self) -> None:
        """A manager without a hybrid connection waits for one."""
        self.assertEqual(self.good("GET", "/v1/connections"), {"connections": []})
        self.assertEqual(self.network.connections, ())

    def test_add(self) -> None:
        """What is added serves at once, and says all there is to say."""
        view = self.add("meta")
        self.assertEqual(view["status"], "Connected")
        self.assertEqual((view["reason"], view["nextStep"]), ("", ""))
        self.assertEqual(
            (view["endpoint"], view["endpointFrom"]), ("db.corp:5", "metadata")
        )
        self.assertEqual(view["numberOfListeners"], 1)
        self.assertEqual(view["serviceBusEndpoint"], "sb://relay.test/")
        self.assertEqual(view["keyName"], "Listen")
        client = self.dial("meta")
        self.write_to(client, b"hello")
        self.assertEqual(client.data, b"hello")

    def test_described(self) -> None:
        """Who wants to see one sees how many listen, asked a minute ago at most."""
        self.add("one", target="db.corp:5")
        self.assertEqual(self.view("one")["numberOfListeners"], 1)
        connections = len(self.network.connections)
        other = self.relay.listener("one", Nobody())
        other.startService()
        self.network.flush()
        self.assertEqual(self.view("one")["numberOfListeners"], 1)
        self.network.advance(61)
        self.assertEqual(self.view("one")["numberOfListeners"], 2)
        other.stopService()
        self.network.advance(6)
        self.assertEqual(len(self.network.connections), connections)

    def test_others_untouched(self) -> None:
        """Adding, changing and removing one leaves the tunnels of others alone."""
        self.add("one", target="db.corp:5")
        client = self.dial("one")
        before = self.view("one")["trackingId"]
        self.add("two", target="db.corp:5")
        self.good("POST", "/v1/connections/two/restart")
        self.good("DELETE", "/v1/connections/two")
        self.network.advance(10)
        self.assertEqual(self.view("one")["trackingId"], before)
        self.write_to(client, b"still there")
        self.assertEqual(client.data, b"still there")

    def test_restart(self) -> None:
        """A restart registers anew; tunnels go on, and no sender finds nobody."""
        self.add("one", target="db.corp:5")
        client = self.dial("one")
        before = self.view("one")["trackingId"]
        self.assertEqual(self.call("POST", "/v1/connections/one/restart")[0], 202)
        self.assertNotEqual(self.view("one")["trackingId"], before)
        self.dial("one")
        self.network.advance(60)
        self.assertEqual(self.status("one"), "Connected")
        self.write_to(client, b"on")
        self.assertEqual(client.data, b"on")
        self.assertEqual(self.relay.service.desk.listeners(("testing", "one")), 1)
        self.assertEqual(self.view("one")["tunnels"]["total"], 2)

    def test_remove(self) -> None:
        """What is removed leaves the relay; its tunnels get time to end."""
        self.add("one", target="db.corp:5")
        client = self.dial("one")
        self.good("DELETE", "/v1/connections/one")
        self.assertIn("no listeners", self.refusal("one"))
        self.network.advance(4)
        self.assertFalse(client.lost)
        self.network.advance(2)
        self.assertTrue(client.lost)
        self.refused(404, "ConnectionNotFound", "GET", "/v1/connections/one")

    def test_remove_restarted(self) -> None:
        """So do tunnels from before it was restarted."""
        self.add("one", target="db.corp:5")
        client = self.dial("one")
        self.good("POST", "/v1/connections/one/restart")
        self.network.advance(10)
        self.good("DELETE", "/v1/connections/one")
        self.network.advance(4)
        self.assertFalse(client.lost)
        self.network.advance(2)
        self.assertTrue(client.lost)

    def test_find(self) -> None:
        """By name or path, in any case; by the relay too, if several have it."""
        self.add("one", name="orders", target="db.corp:5")
        for name in ("orders", "Orders", "ONE", "one?namespace=relay"):
            self.assertEqual(self.view(name)["name"], "orders")
        self.refused(
            404, "ConnectionNotFound", "GET", "/v1/connections/one?namespace=else"
        )

    def test_same_path_twice(self) -> None:
        """Of two relays' the second gets the relay into its name."""
        self.add("one", target="db.corp:5")
        other = self.string("one").replace("relay.test", "other.test")
        added = self.good("POST", "/v1/connections", {"connectionString": other})
        self.assertEqual(added["name"], "one@other.test")
        self.assertEqual(self.view("one@other.test")["namespace"], "other")
        said = self.refused(409, "ConnectionAmbiguous", "GET", "/v1/connections/ONE")
        self.assertIn("use one of one, one@other.test", said)
        self.view("ONE?namespace=other")

    def test_stop(self) -> None:
        """At its end the manager leaves nothing behind."""
        self.add("one", target="db.corp:5")
        self.add("meta")
        self.good("POST", "/v1/connections/one/restart")
        self.dial("one")
        self.stop()
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ClockTests(HcmTestCase):
    """The clock of the day and the relay."""

    def test_jump(self) -> None:
        """After a jump the next token is made at once, by the new time."""
        self.add("one", target="db.corp:5")
        self.drift = 7200.0
        self.network.advance(1.5)
        self.assertLogged("jumped by +7200 s")
        self.assertEqual(self.status("one"), "Connected")
        self.network.advance(60)
        self.assertEqual(self.status("one"), "Connected")

    def test_drift(self) -> None:
        """A clock that is corrected bit by bit is no jump."""
        self.add("one", target="db.corp:5")
        for _ in range(20):
            self.drift += 0.5
            self.network.advance(1)
        self.assertFalse([line for line in self.lines if "jumped" in line])

    def test_jump_while_away(self) -> None:
        """A wrong clock is the reason; once it is right, it connects in a second."""
        self.drift = -7200.0
        self.network.advance(1.5)
        self.add("one", target="db.corp:5")
        view = self.view("one")
        self.assertEqual(view["status"], "Not Connected")
        self.assertIn("expired", view["reason"])
        self.assertIn("set this machine's clock", view["nextStep"])
        self.network.advance(120)
        self.drift = 0.0
        self.network.advance(1.5)
        self.assertEqual(self.status("one"), "Connected")
