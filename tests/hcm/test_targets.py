"""A managed hybrid connection with many targets."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory

from hybridconn.endpoints import HybridConnectionClientEndpoint
from tests.hcm.case import Client, Echo, HcmTestCase


class TargetsTests(HcmTestCase):
    """What the manager shows of it."""

    top = 'allow_targets = ["*.corp:*"]\n'

    def setUp(self) -> None:
        super().setUp()
        self.network.listen("web.corp", 443, Factory.forProtocol(Echo))
        self.add("one", targets=["*.corp:1-1024", "far.example:1"])

    def want(self, target: str) -> Any:
        """Dial as a sender that wants this."""
        endpoint = self.relay.client_endpoint("one", target=target)
        assert isinstance(endpoint, HybridConnectionClientEndpoint)
        dialled = endpoint.connect(Factory.forProtocol(Client))
        self.network.flush()
        return dialled

    def tunnels(self) -> Any:
        return self.good("GET", "/v1/connections/one/tunnels")["tunnels"]

    def test_shown(self) -> None:
        """Its targets are the list; each tunnel has the one that it really has."""
        view = self.view("one")
        self.assertEqual(view["endpoint"], "*.corp:1-1024, far.example:1")
        self.assertEqual(view["endpointFrom"], "configuration")
        self.assertEqual(view["status"], "Connected")
        for target in ("db.corp:5", "web.corp:443"):
            self.successResultOf(self.want(target))
        self.assertEqual(
            {line["target"] for line in self.tunnels()},
            {"db.corp:5", "web.corp:443"},
        )

    def test_refused(self) -> None:
        """Why one was refused is told to the sender, and noted."""
        for target, words in (
            ("db.corp:1433", "db.corp:1433 is not in targets of the listener"),
            ("other.test:5", "other.test:5 is not in targets of the listener"),
            ("far.example:1", "far.example:1 is not in allow_targets"),
        ):
            failure = self.failureResultOf(self.want(target))
            self.assertEqual(failure.value.status_code, 403)
            self.assertIn(words, str(failure.value))
            self.assertIn(words, str(self.tunnels()[0]))
        self.assertIn("400 This listener serves many", self.refusal("one"))
        self.assertEqual(self.status("one"), "Connected")

    def test_one_is_down(self) -> None:
        """That one target is down says nothing of the others."""
        failure = self.failureResultOf(self.want("gone.corp:5"))
        self.assertIn("502 target gone.corp:5", str(failure.value))
        self.assertEqual(self.status("one"), "Connected")
        self.successResultOf(self.want("db.corp:5"))

    def test_examined(self) -> None:
        """A look at its target says that senders choose."""
        report = self.good("POST", "/v1/connections/one/test")
        (check,) = (one for one in report["checks"] if one["name"] == "target")
        self.assertTrue(check["ok"])
        self.assertIn("senders say which they want, among *.corp", check["detail"])


class ForbiddenTests(HcmTestCase):
    """A target of the metadata that the allow-list does not have."""

    top = 'allow_targets = ["other.corp:1"]\n'

    def test_shown(self) -> None:
        """Nobody has to try it: it is said at once, with what to do."""
        self.add("meta")
        view = self.view("meta")
        self.assertEqual(view["status"], "Degraded")
        self.assertEqual(view["reason"], "The target db.corp:5 is not in allow_targets")
        self.assertIn("add it to allow_targets", view["nextStep"])
        self.assertEqual(view["target"]["error"], view["reason"])
