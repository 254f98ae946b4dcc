"""Tests of L{hybridconn.listener.request}: which way an answer goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.core.http_commands import Request
from hybridconn.core.refusals import ListenerFailed
from hybridconn.interfaces import IAnswer, IServerRequest
from hybridconn.listener.request import MOST_INLINE, UPGRADE_AFTER, ListenerRequest
from hybridconn.listener.request_rendezvous import RequestRendezvous
from tests.web.test_streams import Sink, Source

ADDRESS = "wss://relay.test/$hc/hyco?sb-hc-action=request"


class Rendezvous:
    """Remembers what is written to it."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.watchers: list[Callable[[], None]] = []
        self.producer: Any = None
        self.tunnel = self

    def on_gone(self, callback: Callable[[], None]) -> None:
        self.watchers.append(callback)

    def begin(self, command: str, body: bool) -> None:
        response = json.loads(command)["response"]
        assert response["body"] is body
        self.said.append(response["statusCode"])

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def complete(self) -> None:
        self.said.append("complete")

    def break_off(self) -> None:
        self.said.append("broken off")

    def feed_from(self, producer: Any) -> None:
        self.producer = producer

    def read_body(self, sink: Any) -> None:
        sink.body_received(b"from the rendezvous")

    def pause(self) -> None:
        self.said.append("pause")

    def resume(self) -> None:
        self.said.append("resume")

    def leave(self) -> None:
        """Have the relay go."""
        for callback in self.watchers:
            callback()


class RequestCase(SynchronousTestCase):
    """One request."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.replies: list[tuple[dict[str, Any], bytes | None]] = []
        self.connected = True
        self.dials: list[Deferred[Any]] = []
        self.rendezvous = Rendezvous()

    def reply(self, text: str, body: bytes | None) -> bool:
        if self.connected:
            self.replies.append((json.loads(text)["response"], body))
        return self.connected

    def dial(self, address: str) -> Deferred[RequestRendezvous]:
        self.assertEqual(address, ADDRESS)
        self.dials.append(Deferred())
        return self.dials[-1]

    def inline(self, method: str = "GET", body: bytes = b"") -> ListenerRequest:
        """One that came over the control channel."""
        request = Request(
            ADDRESS, "the-id", method, "/hyco/a", {"X": "1"}, "192.0.2.1", 5, bool(body)
        )
        return ListenerRequest(request, "hyco", self.clock, self.dial, body, self.reply)

    def streamed(self) -> ListenerRequest:
        """One that was read from a rendezvous."""
        request = Request(ADDRESS, "the-id", "PUT", "/hyco", {}, "2001:db8::1", 5, True)
        rendezvous = cast(RequestRendezvous, self.rendezvous)
        return ListenerRequest(
            request, "hyco", self.clock, self.dial, rendezvous=rendezvous
        )

    def opened(self) -> None:
        """The dial succeeds."""
        self.dials[0].callback(self.rendezvous)


class WayTests(RequestCase):
    """Control channel or rendezvous."""

    def test_interfaces(self) -> None:
        """They are what their interfaces promise."""
        request = self.inline()
        verifyObject(IServerRequest, request)
        answer = request.begin_answer(200, "")
        verifyObject(IAnswer, answer)
        answer.finish()

    def test_small(self) -> None:
        """What is whole soon and fits goes over the control channel."""
        answer = self.inline().begin_answer(201, "Made", (("A", "b"),))
        answer.write(b"one")
        self.assertEqual(self.replies, [])
        answer.write(b"two")
        answer.finish()
        ((head, body),) = self.replies
        self.assertEqual(body, b"onetwo")
        self.assertEqual(
            head,
            {
                "requestId": "the-id",
                "statusCode": 201,
                "statusDescription": "Made",
                "responseHeaders": {"A": "b"},
                "body": True,
            },
        )
        self.assertEqual((self.dials, self.clock.getDelayedCalls()), ([], []))

    def test_no_body(self) -> None:
        """None for HEAD, 204 and 304; a known length is told."""
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            answer = self.inline(method).begin_answer(status, "", (), 7)
            answer.write(b"surplus")
            answer.finish()
            head, body = self.replies.pop()
            self.assertEqual((head["body"], body), (False, None))
            self.assertEqual(head["responseHeaders"], {"Content-Length": "7"})

    def test_large(self) -> None:
        """Beyond 64 KiB in all it is written to the rendezvous."""
        for body in (b"x" * MOST_INLINE, b"x" * (MOST_INLINE + 1)):
            self.dials.clear()
            self.rendezvous = Rendezvous()
            self.inline().answer(200, "", (), body)
            self.assertEqual(self.replies, [])
            self.opened()
            self.assertEqual(self.rendezvous.said, [200, body, "complete"])

    def test_slow(self) -> None:
        """What is not whole soon is written to the rendezvous as it comes."""
        answer = self.inline().begin_answer(200, "")
        answer.write(b"one")
        self.clock.advance(UPGRADE_AFTER)
        answer.write(b"two")
        self.opened()
        self.assertEqual(self.rendezvous.said, [200, b"onetwo"])
        answer.write(b"three")
        answer.finish()
        self.assertEqual(self.rendezvous.said[2:], [b"three", "complete"])
        answer.write(b"late")
        answer.finish()
        self.assertEqual(len(self.rendezvous.said), 4)

    def test_channel_is_gone(self) -> None:
        """Without the control channel the rendezvous may still be there."""
        self.connected = False
        self.inline().answer(200, "", (), b"small")
        self.opened()
        self.assertEqual(self.rendezvous.said, [200, b"small", "complete"])

    def test_no_rendezvous(self) -> None:
        """A relay that gave up gets nothing; whoever answers hears of it."""
        gone: list[str] = []
        request = self.inline()
        request.on_gone(lambda: gone.append("gone"))
        answer = request.begin_answer(200, "")
        self.clock.advance(UPGRADE_AFTER)
        self.dials[0].errback(ConnectionError())
        answer.write(b"x")
        answer.finish()
        self.assertEqual((gone, self.replies), (["gone"], []))

    def test_read_from_a_rendezvous(self) -> None:
        """A request that came so is answered there, however short."""
        request = self.streamed()
        request.answer(200, "", (), b"x")
        self.assertEqual(self.rendezvous.said, [200, b"x", "complete"])
        self.assertEqual(request.peer.host, "2001:db8::1")

    def test_break_off(self) -> None:
        """Before anything is out it is 502, behind that a broken rendezvous."""
        answer = self.inline().begin_answer(200, "")
        answer.write(b"x")
        answer.break_off()
        ((head, body),) = self.replies
        self.assertEqual((head["statusCode"], body), (502, None))
        answer = self.inline().begin_answer(200, "")
        self.clock.advance(UPGRADE_AFTER)
        answer.break_off()
        self.opened()
        self.assertEqual(self.rendezvous.said, ["broken off"])
        answer = self.streamed().begin_answer(200, "")
        answer.write(b"x")
        answer.break_off()
        self.assertEqual(self.rendezvous.said[1:], [200, b"x", "broken off"])

    def test_refusal(self) -> None:
        """JSON with code and message."""
        self.inline().refuse(ListenerFailed("why"))
        ((head, body),) = self.replies
        self.assertEqual(head["statusCode"], 502)
        assert body is not None
        self.assertEqual(json.loads(body), {"code": 502, "message": "why"})

    def test_one_answer(self) -> None:
        """A second one goes nowhere."""
        request = self.inline()
        request.answer(200, "")
        request.answer(500, "")
        self.assertEqual(len(self.replies), 1)


class FlowTests(RequestCase):
    """Bodies, their producers, and who leaves."""

    def test_inline_body(self) -> None:
        """It is here already."""
        sink = Sink()
        request = self.inline("POST", b"body")
        self.assertEqual(request.body_length, 4)
        request.read_body(sink)
        self.assertEqual((sink.body, sink.end), (b"body", "ended"))
        empty = Sink()
        self.inline().read_body(empty)
        self.assertEqual((empty.body, empty.end), (b"", "ended"))

    def test_streamed_body(self) -> None:
        """It comes from the rendezvous, which can be held back."""
        sink, request = Sink(), self.streamed()
        self.assertIsNone(request.body_length)
        request.read_body(sink)
        request.pause_body()
        request.resume_body()
        self.assertEqual(sink.body, b"from the rendezvous")
        self.assertEqual(self.rendezvous.said, ["pause", "resume"])

    def test_producer(self) -> None:
        """It is paused while the rendezvous is dialled, then fed from."""
        answer, source = self.inline().begin_answer(200, ""), Source()
        answer.register_producer(cast(Any, source))
        self.assertEqual(source.calls, [])
        self.clock.advance(UPGRADE_AFTER)
        self.assertEqual(source.calls, ["pause"])
        self.opened()
        self.assertEqual(source.calls, ["pause", "resume"])
        self.assertIs(self.rendezvous.producer, source)

    def test_relay_leaves(self) -> None:
        """Whoever answers hears of it, and writes into nothing."""
        gone: list[str] = []
        request = self.inline()
        request.on_gone(lambda: gone.append("gone"))
        answer = request.begin_answer(200, "")
        self.clock.advance(UPGRADE_AFTER)
        self.opened()
        self.rendezvous.leave()
        answer.write(b"x")
        answer.finish()
        self.assertEqual((gone, self.rendezvous.said), (["gone"], [200]))
        request.on_gone(lambda: gone.append("again"))
        self.assertEqual(gone, ["gone", "again"])
