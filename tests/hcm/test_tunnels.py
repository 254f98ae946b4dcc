"""The last tunnels of a hybrid connection, and what they cost."""

from __future__ import annotations

from typing import Any, ClassVar
from unittest.mock import Mock, patch

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.commands import Accept
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import ListenerFailed
from hybridconn.hcm.managed import ManagedListener
from hybridconn.hcm.timeline import MOST_REMEMBERED, TunnelBook
from hybridconn.websocket.bridge import WebSocketEnd
from hybridconn.websocket.splice import Ending
from tests.hcm.case import HcmTestCase
from tests.hcm.test_requests import came


class Server(Protocol):
    """A target that answers when it likes."""

    made: ClassVar[list[Server]] = []

    def connectionMade(self) -> None:
        """A tunnel (Twisted)."""
        Server.made.append(self)


class TimelineTests(HcmTestCase):
    """What is noted of each."""

    def setUp(self) -> None:
        super().setUp()
        Server.made = []
        self.network.listen("app.corp", 6, Factory.forProtocol(Server))
        self.add("one", target="app.corp:6")

    def line(self) -> Any:
        return self.good("GET", "/v1/connections/one/tunnels")["tunnels"][0]

    def test_life(self) -> None:
        """Each step has its time; bytes are counted both ways, while it runs too."""
        client: Any = self.dial("one")
        (server,) = Server.made
        transport: Any = server.transport
        client.transport.write(b"question")
        self.network.advance(2)
        line = self.line()
        self.assertEqual((line["outcome"], line["firstByte"]), ("open", None))
        self.assertEqual(line["bytesFromSender"], 8)
        self.assertEqual(self.view("one")["tunnels"]["open"], 1)
        self.assertEqual(self.view("one")["tunnels"]["bytesFromSender"], 8)
        transport.write(b"answer")
        self.network.advance(1)
        transport.write(b" and more")
        transport.loseConnection()
        client.transport.loseConnection()
        self.network.advance(1)
        line = self.line()
        self.assertEqual(line["outcome"], "closed")
        self.assertEqual((line["firstByte"], line["endedBy"]), (2.0, "target"))
        self.assertEqual((line["code"], line["why"]), (1000, "closed"))
        self.assertEqual((line["bytesFromTarget"], line["bytesFromSender"]), (15, 8))
        self.assertEqual(line["peer"].partition(":")[0], "192.0.2.1")
        self.assertEqual(line["target"], "app.corp:6")
        self.assertTrue(line["trackingId"])
        for step in ("dialled", "joined", "ended"):
            self.assertIsNotNone(line[step])
        tunnels = self.view("one")["tunnels"]
        self.assertEqual((tunnels["open"], tunnels["total"]), (0, 1))
        self.assertEqual(tunnels["bytesFromTarget"], 15)

    def test_refused(self) -> None:
        """One that never was is there too, with what its sender was told."""
        self.network.faults.refuse("app.corp", 6)
        said = self.refusal("one")
        line = self.line()
        self.assertEqual((line["outcome"], line["code"]), ("refused", 502))
        self.assertIn(line["why"], said)
        self.assertIn(line["trackingId"], said)
        self.assertIsNone(line["joined"])

    def test_broken(self) -> None:
        """A target that breaks off is blamed."""
        self.dial("one")
        transport: Any = Server.made[0].transport
        transport.abortConnection()
        self.network.advance(1)
        line = self.line()
        self.assertEqual(
            (line["endedBy"], line["why"]), ("target", "connection broken")
        )

    def test_survives_restart(self) -> None:
        """What was counted outlives the listener that counted it."""
        self.dial("one")
        self.good("POST", "/v1/connections/one/restart")
        self.assertEqual(self.view("one")["tunnels"]["total"], 1)
        self.assertEqual(self.view("one")["tunnels"]["open"], 1)


class WebTests(HcmTestCase):
    """A web service as the target."""

    def listener(self) -> ManagedListener:
        self.add("one", target="http://app.corp:80")
        (connection,) = self.manager
        assert connection.listener is not None
        return connection.listener

    def test_websocket(self) -> None:
        """WebSockets are tunnels too, with what became of them."""
        listener = self.listener()
        accept = Accept("wss://relay.test/x", "an-id", {}, "192.0.2.9", 7)
        end = WebSocketEnd(Mock(), None, Limits(), lambda _: None)
        listener.sender_joined(accept, end)
        self.assertEqual(self.view("one")["tunnels"]["open"], 1)
        end.ending = Ending("listener", "close", "1000", 5, 7)
        listener.sender_left(accept, end)
        (line,) = self.good("GET", "/v1/connections/one/tunnels")["tunnels"]
        self.assertEqual((line["endedBy"], line["why"]), ("target", "1000"))
        self.assertEqual((line["bytesFromSender"], line["bytesFromTarget"]), (5, 7))
        self.assertEqual((line["peer"], line["trackingId"]), ("192.0.2.9:7", "an-id"))

    def test_requests(self) -> None:
        """HTTP requests are counted and shown."""
        listener = self.listener()
        request = came(self.clock, "/one/")
        with patch("hybridconn.listener.http_target.HttpTarget.respond") as respond:
            listener.respond(request)
        respond.assert_called_once_with(request)
        view = self.view("one")
        self.assertEqual(view["tunnels"]["requests"], 1)
        found = self.good("GET", "/v1/connections/one/requests")["requests"]
        self.assertEqual(found, view["recentRequests"])
        self.assertEqual((found[0]["method"], found[0]["path"]), ("GET", "/one/"))

    def test_health(self) -> None:
        """Requests tell of the target, as tunnels do: down, and there again."""
        listener = self.listener()
        patched = patch("hybridconn.listener.http_target.HttpTarget.respond")
        with patched as respond:
            respond.side_effect = ListenerFailed("The target x refused the connection")
            request = came(self.clock, "/one/")
            self.assertRaises(ListenerFailed, listener.respond, request)
            request.refuse(respond.side_effect)
            view = self.view("one")
            self.assertEqual(view["status"], "Degraded")
            self.assertIn("start the target", view["nextStep"])
            respond.side_effect = None
            request = came(self.clock, "/one/")
            listener.respond(request)
            request.answer(404, "Not Found")
        view = self.view("one")
        self.assertEqual(view["status"], "Connected")
        self.assertTrue(view["target"]["reachable"])

    def test_dialled_ahead(self) -> None:
        """What was dialled before there was a sender begins with the sender."""
        book = TunnelBook(self.clock, self.wall)
        line = book.begin("first", "peer")
        line.dialled = 0.5
        self.network.advance(100)
        book.begin_anew(line, "second")
        book.joined(line)
        self.assertEqual((line.tracking_id, line.joined), ("second", 0.0))
        self.assertIsNone(line.dialled)


class BookTests(SynchronousTestCase):
    """L{TunnelBook}."""

    def test_bounded(self) -> None:
        """Only the last ones that are over are remembered; all are counted."""
        book = TunnelBook(Clock(), lambda: 0.0)
        for number in range(10 * MOST_REMEMBERED):
            line = book.begin(f"id-{number}", "peer")
            book.joined(line)
            line.bytes_from_target = 2
            book.left(line, "sender", "x" * 10_000, 1000)
        views = book.views()
        self.assertEqual(len(views), MOST_REMEMBERED)
        self.assertEqual(views[0]["trackingId"], f"id-{10 * MOST_REMEMBERED - 1}")
        self.assertLessEqual(len(views[0]["why"]), 200)
        self.assertEqual((book.total, book.open), (10 * MOST_REMEMBERED, 0))
        self.assertEqual(book.bytes(), (20 * MOST_REMEMBERED, 0))

    def test_once(self) -> None:
        """What has ended does not end again."""
        book = TunnelBook(Clock(), lambda: 0.0)
        line = book.begin("id", "peer")
        book.joined(line)
        book.left(line, "target", "closed")
        book.left(line, "sender", "closed")
        self.assertEqual([view["endedBy"] for view in book.views()], ["target"])
