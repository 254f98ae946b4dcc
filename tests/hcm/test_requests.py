"""What becomes of HTTP requests, and that nothing secret of them is kept."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.http_commands import Request
from hybridconn.core.refusals import ListenerFailed
from hybridconn.hcm.requests import RequestBook, RequestLine
from hybridconn.hcm.timeline import MOST_REMEMBERED, MOST_SHOWN
from hybridconn.listener.request import UPGRADE_AFTER, ListenerRequest
from hybridconn.listener.request_rendezvous import RequestRendezvous

ID = "0c6b2b0e-7f3e-4a4e-9a53-9c1d3f6b1a52_G0"


def came(
    clock: Clock,
    target: str,
    dial: Any = lambda address: Deferred(),
    reply: Any = lambda *_: True,
) -> ListenerRequest:
    """A request as it comes by a control channel."""
    request = Request(
        address="wss://relay.test/x",
        id=ID,
        method="GET",
        target=target,
        headers={},
        remote_address="192.0.2.1",
        remote_port=7,
        body=False,
    )
    return ListenerRequest(request, "wiki", clock, dial, b"", reply)


class RequestBookTests(SynchronousTestCase):
    """L{RequestBook} with requests as they come by a control channel."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.book = RequestBook(self.clock, lambda: 1_000_000.0)
        self.dialled: list[Deferred[RequestRendezvous]] = []
        self.taken = True
        self.over: list[RequestLine] = []

    def come(self, target: str = "/wiki/a?key=secret") -> ListenerRequest:
        """A request that is watched."""
        made = came(self.clock, target, self.dial, lambda *_: self.taken)
        self.book.watch(made, self.over.append)
        return made

    def dial(self, address: str) -> Deferred[RequestRendezvous]:
        self.dialled.append(Deferred())
        return self.dialled[-1]

    def only(self) -> Any:
        """The one request that there was."""
        (view,) = self.book.views()
        return view

    def test_answered(self) -> None:
        """Each step with its time; the query is nowhere."""
        request = self.come()
        self.assertEqual(
            self.only(),
            {
                "trackingId": ID,
                "peer": "192.0.2.1:7",
                "method": "GET",
                "path": "/wiki/a",
                "startedAt": "1970-01-12T13:46:40Z",
                "outcome": "open",
                "status": None,
                "responded": None,
                "ended": None,
                "why": "",
            },
        )
        self.clock.advance(0.25)
        answer = request.begin_answer(200, "OK")
        self.clock.advance(0.0625)
        answer.finish()
        self.clock.advance(9)
        answer.finish()
        view = self.only()
        self.assertEqual((view["outcome"], view["status"]), ("answered", 200))
        self.assertEqual((view["responded"], view["ended"]), (0.25, 0.3125))
        self.assertNotIn("secret", repr(self.book))

    def test_refused(self) -> None:
        """An answer that the target did not give is known as ours."""
        self.come().refuse(ListenerFailed("The target http://a refused the connection"))
        view = self.only()
        self.assertEqual((view["outcome"], view["status"]), ("refused", 502))
        self.assertIn("refused the connection", view["why"])
        self.assertTrue(self.over[0].target_failed)

    def test_sender_failed(self) -> None:
        """A request that broke off says nothing of the target."""
        self.come().refuse(ListenerFailed("The request broke off"))
        self.assertFalse(self.over[0].target_failed)

    def test_lost(self) -> None:
        """Nobody is there any more to whom the answer could go."""
        self.taken = False
        self.come().answer(200, "OK")
        self.dialled[0].errback(ConnectionRefusedError())
        view = self.only()
        self.assertEqual((view["outcome"], view["status"]), ("lost", 200))

    def test_broken_off(self) -> None:
        """What the sender gets is what is told: 502, for nothing was out yet."""
        answer = self.come().begin_answer(200, "OK")
        answer.break_off()
        self.assertEqual(self.only()["status"], 502)

    def test_broken_off_late(self) -> None:
        """A response that breaks off later is lost."""
        answer = self.come().begin_answer(200, "OK")
        self.clock.advance(UPGRADE_AFTER)
        answer.break_off()
        self.assertEqual(self.only()["outcome"], "lost")

    def test_answered_twice(self) -> None:
        """The first answer counts."""
        request = self.come()
        request.answer(200, "OK")
        request.refuse(ListenerFailed("too late"))
        view = self.only()
        self.assertEqual((view["outcome"], view["status"]), ("answered", 200))
        self.assertEqual(view["why"], "")

    def test_bounded(self) -> None:
        """Memory is bounded, whatever senders do; long and odd paths too."""
        for _ in range(MOST_REMEMBERED + 5):
            self.come("/wiki/" + "x\n" * 5000).answer(200, "OK")
        for _ in range(MOST_SHOWN + 5):
            self.come()
        views = self.book.views()
        self.assertEqual(len(views), MOST_REMEMBERED + MOST_SHOWN)
        self.assertLess(max(len(view["path"]) for view in views), 300)
        self.assertFalse([view for view in views if "\n" in view["path"]])
        self.assertEqual(self.book.total, MOST_REMEMBERED + MOST_SHOWN + 10)
