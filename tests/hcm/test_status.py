"""What a person is told, and how soon it is true again (docs/listener.md)."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import HybridConnection, endpoint_metadata
from hybridconn.hcm import words
from hybridconn.hcm.metrics import STATUSES
from hybridconn.hcm.words import Facts, judge
from tests.hcm.case import Echo, HcmTestCase


class WordTests(SynchronousTestCase):
    """L{judge}."""

    def test_each_has_a_step(self) -> None:
        """Whatever is wrong has a reason and a next step; what is good has none."""
        good = judge(Facts(registered=True))
        # A pong may take its way.
        self.assertEqual(judge(Facts(registered=True, unanswered=1.0)), good)
        self.assertEqual(
            (good.word, good.reason, good.next_step), ("Connected", "", "")
        )
        for facts, word, step in (
            (Facts(error="404 Endpoint", status=404), "NotFound", "make the hybrid"),
            (Facts(error="401 invalid", status=401), "Not Connected", "--replace"),
            (Facts(error="401 expired", status=401), "Not Connected", "clock"),
            (Facts(error="403 quota exceeded", status=403), "Not Connected", "25"),
            (Facts(error="403 action: Listen", status=403), "Not Connected", "default"),
            (Facts(error="no answer in time"), "Not Connected", "firewall"),
            (Facts(error="TLS failed: certificate"), "Not Connected", "ca_file"),
            (Facts(error="proxy p:1 refused CONNECT"), "Not Connected", "[way_out]"),
            (Facts(error="cannot dial from x"), "Not Connected", "bind_address"),
            (Facts(error="odd"), "Not Connected", "hcm test"),
            (Facts(registered=True, unanswered=7.0), "Not Connected", "wait"),
            (Facts(withdrawn=True, target_error="down"), "Not Connected", "target"),
            (Facts(registered=True, target_error="target x"), "Degraded", "firewall"),
            (Facts(registered=True, no_target="none"), "Degraded", "metadata"),
            (Facts(discontinued=True), "Discontinued", "remove"),
        ):
            verdict = judge(facts)
            self.assertEqual(verdict.word, word, facts)
            self.assertTrue(verdict.reason, facts)
            self.assertIn(step, verdict.next_step, facts)

    def test_everywhere(self) -> None:
        """The page, its help and the documentation know the same words."""
        here = Path(words.__file__).parent
        page = re.compile(r'(?m)^  "?(\w[\w ]*)"?: "')
        for name, begin in (("store.js", "TONES = {"), ("help.js", "MEANINGS = {")):
            text = (here / "page" / name).read_text("utf-8")
            listed = page.findall(text.partition(begin)[2].partition("};")[0])
            self.assertEqual(set(listed), set(STATUSES), name)
        told = (here.parents[1] / "docs" / "listener.md").read_text("utf-8")
        table = told.partition("| status | when |")[2].partition("\n\n")[0]
        listed = re.findall(r"(?m)^\| (\w[\w ]*?) \|", table)
        self.assertEqual(set(listed), set(STATUSES))


class RelayFaultTests(HcmTestCase):
    """What befalls the way to the relay."""

    def test_silence(self) -> None:
        """
        "Connected" only while pongs come back: a relay that falls silent is told 40
        seconds later, and dialled anew after C{dead_after}.
        """
        self.add("one", target="db.corp:5")
        (connection,) = self.network.connections
        connection.silence()
        self.network.advance(40)
        view = self.view("one")
        self.assertEqual(view["status"], "Not Connected")
        self.assertIn("has not answered a ping for", view["reason"])
        self.network.advance(25)
        view = self.view("one")
        self.assertEqual(view["status"], "Connected")
        self.assertEqual(view["lastError"]["text"], "the connection was lost")

    def test_quiet_is_no_silence(self) -> None:
        """A relay that has nothing to say but pongs is connected all the time."""
        self.add("one", target="db.corp:5")
        for _ in range(200):
            self.network.advance(1)
            self.assertEqual(self.status("one"), "Connected")

    def test_relay_away(self) -> None:
        """A relay that stops is told at once, and found again without a restart."""
        self.add("one", target="db.corp:5")
        since = self.view("one")["since"]
        self.network.advance(5)
        self.relay.stop()
        self.network.advance(2)
        view = self.view("one")
        self.assertEqual(view["status"], "Not Connected")
        self.assertIn("refused", view["reason"])
        self.assertIn("is the relay running", view["nextStep"])
        self.assertNotEqual(view["since"], since)
        self.network.advance(300)
        self.relay.start()
        self.network.advance(36)
        self.assertEqual(self.status("one"), "Connected")

    def test_not_found(self) -> None:
        """An entity that is gone is NotFound, and heals when it is made again."""
        self.add("one", target="db.corp:5")
        self.relay.remove("one")
        self.network.advance(2)
        view = self.view("one")
        self.assertEqual(view["status"], "NotFound")
        self.assertEqual(view["reason"], "404 Endpoint does not exist")
        self.assertTrue(view["lastError"]["trackingId"])
        self.relay.add("one")
        self.network.advance(36)
        self.assertEqual(self.status("one"), "Connected")

    def test_token_expiry(self) -> None:
        """Over the life of many tokens it stays connected, on one channel."""
        self.add("one", target="db.corp:5")
        before = self.view("one")["trackingId"]
        for _ in range(40):
            self.network.advance(300)
            self.assertEqual(self.status("one"), "Connected")
        self.assertEqual(self.view("one")["trackingId"], before)

    def test_discontinued(self) -> None:
        """A BizTalk string is shown as what it is, and never dialled."""
        old = (
            "Endpoint=https://old.biztalk.windows.net/hc1;SharedSecretIssuer=owner;"
            "SharedSecretValue=c2VjcmV0"
        )
        view = self.good("POST", "/v1/connections", {"connectionString": old})
        self.assertEqual((view["name"], view["status"]), ("hc1", "Discontinued"))
        self.assertIn("31 May 2018", view["reason"])
        self.network.advance(60)
        self.assertEqual(self.network.connections, ())
        self.assertFalse(self.good("GET", "/v1/doctor")["ok"])
        self.good("POST", "/v1/connections/hc1/restart")
        self.good("DELETE", "/v1/connections/hc1")


class TargetFaultTests(HcmTestCase):
    """What befalls the target."""

    def test_refused(self) -> None:
        """A target that is down: Degraded with the reason, until it is looked at."""
        self.network.faults.refuse("db.corp", 5)
        self.add("one", target="db.corp:5")
        self.assertEqual(self.status("one"), "Connected")
        self.assertIn("db.corp:5 refused", self.refusal("one"))
        view = self.view("one")
        self.assertEqual(view["status"], "Degraded")
        self.assertEqual(view["reason"], "target db.corp:5 refused the connection")
        self.assertEqual(view["target"]["reachable"], False)
        self.assertEqual(view["tunnels"]["refused"], 1)
        self.assertEqual(view["lastError"]["text"], view["reason"])
        self.network.faults.mend("db.corp", 5)
        self.network.advance(31)
        view = self.view("one")
        self.assertEqual(view["status"], "Connected")
        self.assertEqual(view["target"]["reachable"], True)

    def test_metadata_without_endpoint(self) -> None:
        """It is said that nobody knows where to."""
        self.add("one")
        view = self.view("one")
        self.assertEqual(view["status"], "Degraded")
        self.assertIn('no key "endpoint"', view["reason"])

    def test_check(self) -> None:
        """A target that is looked at is known to be down before anybody comes."""
        self.add("one", target="db.corp:5", target_check_interval=10.0)
        self.assertEqual(self.view("one")["target"]["reachable"], True)
        self.network.faults.refuse("db.corp", 5)
        self.network.advance(10)
        self.assertEqual(self.status("one"), "Degraded")
        self.assertIn("refused the connection", self.refusal("one"))
        self.network.faults.mend("db.corp", 5)
        self.network.advance(10)
        self.assertEqual(self.status("one"), "Connected")
        self.dial("one")

    def test_check_times_out(self) -> None:
        """A target that says nothing is down after the time-out."""
        self.network.faults.ignore("db.corp", 5)
        self.add(
            "one",
            target="db.corp:5",
            target_check_interval=10.0,
            target_check_timeout=3.0,
        )
        self.network.advance(3)
        self.assertIn("3 s", self.view("one")["target"]["error"])

    def test_withdraw(self) -> None:
        """While its target is down it leaves the relay; another listener gets all."""
        self.add(
            "one",
            target="db.corp:5",
            target_check_interval=10.0,
            target_down="withdraw",
        )
        client = self.dial("one")
        self.network.faults.refuse("db.corp", 5)
        self.network.advance(10)
        view = self.view("one")
        self.assertEqual(view["status"], "Not Connected")
        self.assertIn("withdrawn while its target is down", view["reason"])
        self.assertIn("no listeners", self.refusal("one"))
        self.assertFalse(client.lost)
        self.network.faults.mend("db.corp", 5)
        self.network.advance(10)
        self.assertEqual(self.status("one"), "Connected")
        self.dial("one")

    def test_withdrawn_from_the_start(self) -> None:
        """It does not even register before its target is there."""
        self.network.faults.refuse("new.corp", 6)
        self.network.listen("new.corp", 6, Factory.forProtocol(Echo))
        self.add(
            "one",
            target="new.corp:6",
            target_check_interval=10.0,
            target_down="withdraw",
        )
        self.assertIn("no listeners", self.refusal("one"))
        self.network.faults.mend("new.corp", 6)
        self.network.advance(10)
        self.dial("one")

    def test_withdrawn_by_metadata(self) -> None:
        """A new endpoint in the metadata is seen though it is away."""
        self.network.faults.refuse("db.corp", 5)
        self.add("meta", target_check_interval=10.0, target_down="withdraw")
        self.assertEqual(self.status("meta"), "Not Connected")
        self.network.listen("new.corp", 6, Factory.forProtocol(Echo))
        self.relay.add(
            HybridConnection("meta", user_metadata=endpoint_metadata("new.corp:6"))
        )
        self.network.advance(11)
        self.assertEqual(self.view("meta")["endpoint"], "new.corp:6")
        self.assertEqual(self.status("meta"), "Connected")
