"""A hybrid connection with named ports in a manager."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import succeed

from hybridconn.listener import datagrams
from tests.hcm.case import HcmTestCase
from tests.listener.test_named_ports import FakeUdp

PORTS = ["sql=db.corp:5", "dns=udp:198.18.0.53:53", "no=gone.corp:1"]


class NamedPortTests(HcmTestCase):
    """What it shows, and what it lets through."""

    top = 'allow_targets = ["db.corp:5", "198.18.0.53:53", "gone.corp:1"]\n'

    def setUp(self) -> None:
        super().setUp()
        self.add("one", mode="bridge", ports=PORTS)

    def say(self, data: bytes) -> Any:
        """A sender with this preamble."""
        client: Any = self.dial("one")
        client.transport.write(data)
        self.network.flush()
        return client

    @property
    def line(self) -> Any:
        return self.good("GET", "/v1/connections/one/tunnels")["tunnels"][0]

    def test_endpoint(self) -> None:
        """All ports are its endpoint; nobody has tried one yet."""
        view = self.view("one")
        self.assertEqual(view["status"], "Connected")
        self.assertEqual(
            view["endpoint"],
            "sql=db.corp:5, dns=udp:198.18.0.53:53, no=gone.corp:1",
        )

    def test_stream(self) -> None:
        """A tunnel is counted when it is joined, with the target that it has."""
        client = self.say(b"\x01\x00\x00")
        self.assertEqual(self.view("one")["tunnels"]["open"], 0)
        client.transport.write(b"\x03sqlhello")
        self.network.flush()
        self.assertEqual(client.data, b"\x01\x00\x00hello")
        self.assertEqual(self.view("one")["tunnels"]["open"], 1)
        self.assertEqual(self.line["target"], "db.corp:5")
        client.transport.loseConnection()
        self.network.flush()
        line = self.line
        self.assertEqual((line["outcome"], line["endedBy"]), ("closed", "sender"))
        self.assertEqual(line["bytesFromSender"], 5)
        self.assertEqual(self.view("one")["tunnels"]["total"], 1)

    def test_refused(self) -> None:
        """Senders who get nothing are counted, and are in the list."""
        self.say(b"\x01\x00\x00\x05redis")
        self.assertEqual((self.line["outcome"], self.line["code"]), ("refused", 404))
        self.say(b"\x01\x00\x00\x02no")
        line = self.line
        self.assertEqual((line["outcome"], line["target"]), ("refused", "gone.corp:1"))
        view = self.view("one")
        self.assertEqual((view["tunnels"]["refused"], view["tunnels"]["open"]), (2, 0))

    def test_not_allowed(self) -> None:
        """The allow-list binds named ports as it binds targets, by UDP too."""
        ports = ["a=db.corp:6", "b=udp:198.18.0.54:53"]
        body = {
            "connectionString": self.string("two"),
            "settings": {"mode": "bridge", "ports": ports},
        }
        said = self.refused(400, "BadRequest", "POST", "/v1/connections", body)
        self.assertIn('ports: "db.corp:6" is not in allow_targets', said)
        with patch("hybridconn.hcm.loading.check_allowed"):
            self.add("two", mode="bridge", ports=ports)
        for preamble in (b"\x01\x00\x00\x01a", b"\x01\x00\x01\x01b"):
            client: Any = self.dial("two")
            client.transport.write(preamble)
            self.network.flush()
            self.assertEqual(client.data, b"")
            (line, *_) = self.good("GET", "/v1/connections/two/tunnels")["tunnels"]
            self.assertEqual(line["code"], 403)
            self.assertIn("is not in allow_targets", line["why"])

    def test_datagrams(self) -> None:
        """A way for datagrams is a tunnel, with its bytes."""
        made: list[Any] = []

        def opened(reactor: Any, target: Any, names: Any, idle_time: float) -> Any:
            end = datagrams.DatagramEnd(names, idle_time)
            end.transport = FakeUdp()
            made.append(end)
            return succeed(end)

        with patch("hybridconn.listener.forward.open_datagrams", opened):
            client = self.say(b"\x01\x00\x01\x03dns\x00\x02hi")
        made[0].datagramReceived(b"answer")
        self.network.flush()
        self.assertEqual(client.data, b"\x01\x00\x01\x00\x06answer")
        self.assertEqual(self.view("one")["tunnels"]["open"], 1)
        client.transport.loseConnection()
        self.network.flush()
        line = self.line
        self.assertEqual(line["target"], "udp:198.18.0.53:53")
        self.assertEqual((line["bytesFromTarget"], line["bytesFromSender"]), (6, 2))
        self.assertEqual((line["outcome"], line["endedBy"]), ("closed", "sender"))
        self.assertEqual(self.view("one")["tunnels"]["open"], 0)
