"""HTTP requests through the relay, request and response whole (section 7)."""

from __future__ import annotations

import json

from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.core.limits import Limits
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.http_peer import HttpCase
from tests.relay.scene import LIMITS, watch_log

VIA = "relay.test"
GUID = r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}"


class ControlDeliveryTests(HttpCase):
    """Delivery A: what fits goes over the control channel."""

    def test_get(self) -> None:
        """The command has all that section 7.2 names; the answer comes back."""
        peer = self.ask(
            "GET",
            "/HYCO/a%2Fb?x=%2B&&sb-hc-id=me&y",
            {"X-App": "1", "Connection": "x-hop", "X-Hop": "2", "Via": "1.0 first"},
        )
        (request,) = self.requests()
        self.assertRegex(request["id"], GUID)
        self.assertEqual(request["method"], "GET")
        self.assertEqual(request["requestTarget"], "/HYCO/a%2Fb?x=%2B&&y")
        self.assertEqual(
            request["requestHeaders"],
            {
                "Host": self.relay.host,
                "X-App": "1",
                "Via": f"1.0 first, 1.1 {VIA}",
            },
        )
        self.assertIs(request["body"], False)
        self.assertRegex(request["remoteEndpoint"]["address"], r"^\d+\.\d+\.\d+\.\d+$")
        self.assertIsInstance(request["remoteEndpoint"]["port"], int)
        self.assertRegex(
            request["address"],
            r"^wss://[^/]+/\$hc/HYCO/a%2Fb\?x=%2B&&y&sb-hc-action=request&sb-hc-id="
            + GUID,
        )
        self.respond(
            self.control,
            request,
            "201",
            {"Content-Type": "text/plain", "X": 5, "Set-Cookie": ["a=1, b", "c=2"]},
            b"made",
            statusDescription="Made\r\nX: y",
        )
        answer = self.answer(peer)
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.reason, "Made X: y")
        self.assertEqual(answer.body, b"made")
        self.assertEqual(answer["content-length"], "4")
        self.assertEqual(answer["x"], "5")
        self.assertEqual(answer["via"], f"1.1 {VIA}")
        cookies = [value for name, value in answer.fields if name == "set-cookie"]
        self.assertEqual(cookies, ["a=1, b", "c=2"])
        self.assertIsNotNone(answer["date"])

    def test_body(self) -> None:
        """A body is one binary message right behind its command."""
        peer = self.ask("POST", body=b"x" * 65536)
        texts = [type(message) for message in self.control.messages]
        self.assertEqual(texts, [str, bytes])
        self.assertEqual(self.control.messages[1], b"x" * 65536)
        (request,) = self.requests()
        self.assertIs(request["body"], True)
        self.assertNotIn("content-length", str(request["requestHeaders"]).lower())
        self.respond(self.control, request)
        self.assertEqual(self.answer(peer).status, 200)

    def test_body_comes_before_its_command(self) -> None:
        """Nothing is written until the body is complete: others go first."""
        slow = self.client()
        self.send(slow, self.head("POST", headers={"Content-Length": "4"}) + b"ab")
        quick = self.ask("GET", "/hyco/quick")
        self.assertEqual(
            [request["requestTarget"] for request in self.requests()], ["/hyco/quick"]
        )
        self.respond(self.control, self.requests()[0])
        self.assertEqual(self.answer(quick).status, 200)
        self.send(slow, b"cd")
        self.assertEqual(self.control.messages[2], b"abcd")

    def test_expect(self) -> None:
        """100 is said when the body is wanted, and not to a refused request."""
        expect = {"Content-Length": "2", "Expect": "100-continue"}
        peer = self.client()
        self.send(peer, self.head("POST", headers=expect))
        self.assertEqual(peer.received, b"HTTP/1.1 100 \r\n\r\n")
        peer.received = b""
        self.send(peer, b"hi")
        self.assertNotIn("Expect", self.requests()[0]["requestHeaders"])
        self.respond(self.control, self.requests()[0])
        self.assertEqual(self.answer(peer).status, 200)
        self.control.hang_up()
        self.flush()
        refused = self.client()
        self.send(refused, self.head("POST", headers=expect))
        self.refused(refused, 502, "no listeners")

    def test_unread_bodies(self) -> None:
        """A listener that reads slowly is still there: more comes by rendezvous."""
        self.restart(ping_interval=1000.0, control_queue_bytes=1048576)
        self.control.pause()
        peers = [self.ask("POST", body=b"x" * 65536) for _ in range(40)]
        self.assertEqual([peer.received for peer in peers], [b""] * 40)
        self.control.resume()
        self.flush()
        kinds = ["method" in request for request in self.requests()]
        self.assertIn(True, kinds)
        self.assertFalse(kinds[-1])

    def test_next_comes_at_once(self) -> None:
        """A pipelined request finds the place of the one before free."""
        self.restart(connections_per_namespace=1)
        peer = self.client()
        self.send(peer, self.head(path="/hyco/1") + self.head(path="/hyco/2"))
        for number in range(2):
            self.respond(self.control, self.requests()[number])
            self.assertEqual(self.answer(peer).status, 200)

    def test_keep_alive_and_pipelining(self) -> None:
        """Requests of one connection are answered in their order."""
        peer = self.client()
        self.send(peer, self.head(path="/hyco/1") + self.head("HEAD", "/hyco/2"))
        self.assertEqual(len(self.requests()), 1)
        self.respond(self.control, self.requests()[0], body=b"one")
        self.respond(self.control, self.requests()[1], 404, {"Content-Length": "9"})
        self.assertEqual(self.answer(peer).body, b"one")
        second = self.answer(peer, head_only=True)
        self.assertEqual((second.status, second["content-length"]), (404, "9"))
        self.assertIsNone(peer.lost)

    def test_any_order(self) -> None:
        """Responses may come in any order (section 7.3)."""
        peers = [self.ask(path=f"/hyco/{n}") for n in range(3)]
        for request in reversed(self.requests()):
            target = request["requestTarget"].encode()
            self.respond(self.control, request, body=target)
        bodies = [self.answer(peer).body for peer in peers]
        self.assertEqual(bodies, [b"/hyco/0", b"/hyco/1", b"/hyco/2"])

    def test_no_body_allowed(self) -> None:
        """HEAD, 204 and 304 have none, whatever the listener sends."""
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            peer = self.ask(method)
            fields = {"Content-Length": "7", "ETag": "e"}
            request = self.requests()[-1]
            self.respond(self.control, request, status, fields, b"surplus")
            # hyco-https: an empty message where no body was announced.
            self.control.binary(b"")
            answer = self.answer(peer, head_only=True)
            self.assertEqual((answer.status, peer.received), (status, b""))
            length = None if status == 204 else "7"
            self.assertEqual(answer["content-length"], length)
            follow = self.ask(peer=peer)
            self.respond(self.control, self.requests()[-1], body=b"")
            self.assertEqual(self.answer(follow)["content-length"], "0")

    def test_bad_responses(self) -> None:
        """What can be no answer is 502, and splits nothing."""
        for status, fields in (
            (100, {}),
            (101, {}),
            (0, {}),
            (1000, {}),
            ("x", {}),
            (200, {"X": "a\r\nSet-Cookie: b"}),
            (200, {"X": "a\x00"}),
            (200, {"X Y": "a"}),
            (200, {"X\r\nY": "a"}),
            (200, {"": "a"}),
        ):
            peer = self.ask()
            self.respond(self.control, self.requests()[-1], status, fields, b"body")
            self.refused(peer, 502, "response has")

    def test_odd_responses(self) -> None:
        """What a sloppy listener means is understood; framing is ours alone."""
        peer = self.ask()
        response = {
            "requestId": self.requests()[0]["id"],
            "statusCode": 450,
            "responseHeaders": {
                "Content-Length": "999",
                "transfer-encoding": "chunked",
                "Connection": "X-Hop, close",
                "X-Hop": "1",
                "Name": "Grüße €",
                "List": [1, True, None, {}],
            },
        }
        self.control.text(json.dumps({"response": response}))
        self.flush()
        answer = self.answer(peer)
        self.assertEqual((answer.status, answer["content-length"]), (450, "0"))
        self.assertEqual(answer["name"], "Grüße €".encode().decode("latin-1"))
        names = [name for name, _ in answer.fields]
        self.assertEqual(names.count("list"), 2)
        for name in ("x-hop", "transfer-encoding", "connection"):
            self.assertNotIn(name, names)

    def test_unknown_ids(self) -> None:
        """A response to nobody, and one too many, go with their bodies."""
        peer = self.ask()
        request = self.requests()[0]
        self.respond(self.control, {"id": "nobody"}, body=b'{"response": 1}')
        self.respond(self.control, request, body=b"first")
        self.respond(self.control, request, body=b"second")
        self.assertEqual(self.answer(peer).body, b"first")
        again = self.ask(peer=peer)
        self.respond(self.control, self.requests()[1], body=b"third")
        self.assertEqual(self.answer(again).body, b"third")

    def test_body_announced_and_left_out(self) -> None:
        """The Rust bridge: a text after C{body: true} ends the request with 502."""
        peer, other = self.ask(), self.ask()
        first, second = self.requests()
        self.control.text(
            json.dumps({"response": {"requestId": first["id"], "body": True}})
        )
        self.respond(self.control, second, body=b"good")
        self.refused(peer, 502, "announced a body")
        self.assertEqual(self.answer(other).body, b"good")

    def test_long_response(self) -> None:
        """1 MiB may come over the control channel, more costs only that request."""
        peer = self.ask()
        self.respond(self.control, self.requests()[0], body=b"x" * 1048576)
        self.assertEqual(len(self.answer(peer).body), 1048576)
        self.ask(peer=peer)
        self.respond(self.control, self.requests()[1], body=b"x" * 1048577)
        self.refused(peer, 502, "too long")
        self.ask(peer=peer)
        self.respond(self.control, self.requests()[2])
        self.assertEqual(self.answer(peer).status, 200)

    def test_runs_full(self) -> None:
        """Beyond the limit a request comes by a rendezvous, however small."""
        self.restart(inline_requests_per_listener=2)
        peers = [self.ask("POST", body=b"%d" % n) for n in range(3)]
        third = self.requests()[2]
        self.assertEqual(list(third), ["address"])
        socket = self.rendezvous(third)
        full = json.loads(socket.messages[0])["request"]
        self.assertEqual((full["method"], socket.messages[1]), ("POST", b"2"))
        self.respond(socket, full, body=b"done")
        self.assertEqual(self.answer(peers[2]).body, b"done")
        self.respond(self.control, self.requests()[0])
        self.ask()
        self.assertIn("method", self.requests()[3])


class RefusalTests(HttpCase):
    """The relay's own answers (section 7.5)."""

    entities = ("hyco", HybridConnection("open", False))

    def plain(self, head: bytes) -> bytes:
        peer = self.client()
        self.send(peer, head)
        return peer.received

    def test_authorization(self) -> None:
        """401 without a good token, 403 without the right, 404 behind both."""
        peer = self.client()
        self.send(peer, self.head(token=False))
        self.refused(peer, 401, "token is missing")
        good = self.token(Claim.SEND)
        bad = {"ServiceBusAuthorization": good[:-4]}
        self.refused(self.ask(headers=bad), 401, "")
        wrong = {"ServiceBusAuthorization": self.token(Claim.LISTEN)}
        self.refused(self.ask(headers=wrong), 403, "Authorization failed")
        other = {"ServiceBusAuthorization": self.token(Claim.SEND, "open")}
        self.refused(self.ask(headers=other), 403, "not valid for this endpoint")
        nowhere = {"ServiceBusAuthorization": self.token(Claim.SEND, "no")}
        self.refused(self.ask(path="/no", headers=nowhere), 404, "does not exist")
        self.assertEqual(self.requests(), [])

    def test_stripping(self) -> None:
        """The token goes no further; an C{Authorization} of the app's own does."""
        token = self.token(Claim.SEND)
        self.ask(headers={"Authorization": "Bearer app"})
        self.assertEqual(
            self.requests()[0]["requestHeaders"]["Authorization"], "Bearer app"
        )
        peer = self.client()
        head = self.head(token=False, headers={"Authorization": token})
        self.send(peer, head)
        self.assertNotIn("Authorization", self.requests()[1]["requestHeaders"])
        escaped = token.replace("%", "%25").replace(" ", "%20").replace("&", "%26")
        peer = self.client()
        path = f"/hyco?sb-hc-token={escaped}"
        fields = {"Authorization": "Basic x", "ServiceBusAuthorization": "nonsense"}
        self.send(peer, self.head(path=path, headers=fields))
        request = self.requests()[2]
        self.assertEqual(request["requestTarget"], "/hyco")
        self.assertEqual(request["requestHeaders"]["Authorization"], "Basic x")
        self.assertNotIn("SharedAccessSignature", str(self.control.messages))

    def test_anonymous(self) -> None:
        """No token is asked for, and one that is there is nobody's business."""
        self.control = self.listen("open")
        fields = {
            "ServiceBusAuthorization": "SharedAccessSignature sr=x",
            "Authorization": "Bearer app",
        }
        peer = self.ask(path="/open/x", headers=fields)
        request = self.requests()[0]
        self.assertNotIn("ServiceBusAuthorization", request["requestHeaders"])
        self.assertEqual(request["requestHeaders"]["Authorization"], "Bearer app")
        self.respond(self.control, request)
        self.assertEqual(self.answer(peer).status, 200)

    def test_no_listener(self) -> None:
        """502, where a WebSocket gets 404."""
        self.control.hang_up()
        self.flush()
        self.refused(self.ask(), 502, "There are no listeners connected")

    def test_no_delay(self) -> None:
        """What fails behind the relay is answered at once, however often."""
        self.relay.stop()
        self.relay = MemoryRelay(self.entities, limits=Limits(exempt_networks=()))
        self.network = self.relay.network
        for _ in range(8):
            self.refused(self.ask(), 502, "There are no listeners")
        self.assertEqual(self.ask(path="/no").received, b"")

    def test_listener_is_lost(self) -> None:
        """502 at once, not after the time-out."""
        peer = self.ask()
        self.control.hang_up()
        self.flush()
        self.refused(peer, 502, "The listener was lost")

    def test_listener_is_silent(self) -> None:
        """504 after C{response_timeout}; what comes later is nobody's."""
        self.restart(ping_interval=1000.0)
        peer = self.ask()
        self.network.advance(59)
        self.assertEqual(peer.received, b"")
        self.network.advance(1.1)
        self.refused(peer, 504, "the listener did not respond in the required time")
        self.respond(self.control, self.requests()[0], body=b"late")
        again = self.ask(peer=peer)
        self.respond(self.control, self.requests()[1], body=b"in time")
        self.assertEqual(self.answer(again).body, b"in time")

    def test_no_rendezvous(self) -> None:
        """504 after C{accept_timeout}; the address is void then."""
        peer = self.ask("POST", body=b"x" * 65537)
        self.network.advance(30.1)
        self.refused(peer, 504, "did not open the rendezvous")
        self.assertEqual(self.rendezvous(self.requests()[0]).status, 403)

    def test_slow_body(self) -> None:
        """408 to a client that stops in the middle of its body."""
        self.restart(ping_interval=1000.0, body_bytes_per_second=0)
        peer = self.client()
        self.send(peer, self.head("POST", headers={"Content-Length": "4"}) + b"ab")
        self.network.advance(59)
        self.send(peer, b"c")
        self.network.advance(59)
        self.assertEqual(peer.received, b"")
        self.network.advance(2)
        self.refused(peer, 408, "did not arrive in time")
        self.assertIsNotNone(peer.lost)
        self.assertEqual(self.requests(), [])

    def test_dripping_body(self) -> None:
        """408 to one that sends less than C{body_bytes_per_second}, however it does."""
        self.restart(ping_interval=1000.0)
        coding = {"Transfer-Encoding": "chunked"}
        for fields, drip in (
            ({"Content-Length": "9999"}, b"x"),
            (coding, b"1\r\nx\r\n"),
            (coding, b"1;xxxxxxxxxxxxxx\r\nx\r\n"),
        ):
            peer = self.client()
            self.send(peer, self.head("POST", headers=fields))
            if fields is coding:
                self.rendezvous(self.requests()[-1])
            for _ in range(59):
                self.network.advance(1)
                self.send(peer, drip)
            self.assertEqual(peer.received, b"")
            self.network.advance(1.1)
            self.refused(peer, 408, "did not arrive in time")

    def test_stopping(self) -> None:
        """503 when the relay stops."""
        peer = self.ask()
        self.relay.stop()
        self.flush()
        self.refused(peer, 503, "shutting down")

    def test_deleted(self) -> None:
        """404 when the entity goes."""
        peer = self.ask()
        self.relay.remove("hyco")
        self.flush()
        self.refused(peer, 404, "does not exist")

    def test_quota(self) -> None:
        """503 beyond the namespace's connections, and free places are found."""
        self.restart(connections_per_namespace=1)
        peer = self.ask()
        self.refused(self.ask(), 503, "Connection quota")
        self.respond(self.control, self.requests()[0])
        self.assertEqual(self.answer(peer).status, 200)
        self.ask(peer=peer)
        self.assertEqual(len(self.requests()), 2)

    def test_too_large(self) -> None:
        """431 beyond 32 KiB of header fields, 405 for CONNECT, 414."""
        large = {f"X-{n}": "x" * 4000 for n in range(9)}
        self.refused(self.ask(headers=large), 431, "too large")
        peer = self.client()
        self.send(peer, b"CONNECT relay:443 HTTP/1.1\r\nHost: relay\r\n\r\n")
        self.refused(peer, 405, "not allowed")
        self.refused(self.ask(path="/hyco/" + "x" * 17000), 414, "too long")

    def test_internal(self) -> None:
        """500 for a mistake of ours, which is logged; the next request is served."""
        self.patch(self.relay.service.desk, "choose", lambda *_: 1 / 0)
        self.refused(self.ask(), 500, "InternalServerError")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.doCleanups()
        peer = self.ask()
        self.respond(self.control, self.requests()[0])
        self.assertEqual(self.answer(peer).status, 200)

    def test_log(self) -> None:
        """A line for each answered request if it is asked for, without its path."""
        lines = watch_log(self)
        for wanted in (False, True):
            self.relay.stop()
            self.relay = MemoryRelay(self.entities, limits=LIMITS, log_requests=wanted)
            self.network = self.relay.network
            self.control = self.listen()
            peer = self.ask("POST", "/hyco/secret?secret", body=b"hello")
            self.respond(self.control, self.requests()[0], 201, body=b"worlds")
            self.assertEqual(self.answer(peer).status, 201)
        (line,) = (line for line in lines if line.startswith("POST hyco"))
        self.assertIn("201 by listener L1, bytes 5/6 ", line)
        self.assertNotIn("secret", line)

    def test_any_method(self) -> None:
        """Every method but CONNECT, those that nobody knows too."""
        for method in ("PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "x-y!"):
            peer = self.ask(method)
            self.assertEqual(self.requests()[-1]["method"], method)
            self.respond(self.control, self.requests()[-1])
            self.assertEqual(self.answer(peer).status, 200)

    def test_root(self) -> None:
        """The root is nobody's; it tells only that a relay is here."""
        self.assertIn(b" 200 ", self.plain(b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n"))
        self.assertIn(b" 404 ", self.plain(b"DELETE / HTTP/1.1\r\nHost: relay\r\n\r\n"))

    def test_selected_listeners(self) -> None:
        """The headers of section 7.5 restrict the choice and are passed on."""
        first = "11111111-1111-4111-8111-111111111111"
        second = "22222222-2222-4222-8222-222222222222"
        self.control.hang_up()
        self.flush()
        channels = {
            one: self.listen(query=f"sb-hc-id={one}&") for one in (first, second)
        }
        for name, chosen in (("Allowed", second), ("Disallowed", first)):
            for _ in range(4):
                field = f"Microsoft-Relay-{name}Listeners"
                self.control = channels[second]
                before = len(self.requests())
                self.ask(headers={field: f"x, {chosen.upper()}"})
                self.assertEqual(len(self.requests()), before + 1)
                headers = self.requests()[-1]["requestHeaders"]
                self.assertEqual(headers[field], f"x, {chosen.upper()}")
        nobody = {"Microsoft-Relay-AllowedListeners": "x"}
        words = "None of the connected listeners meet the AllowedListeners"
        self.refused(self.ask(headers=nobody), 404, words)
        self.assertEqual(self.connect(headers=nobody).status, 404)
        self.assertEqual(self.connect(headers=nobody).reason[:42], words[:42])


class SmugglingTests(HttpCase):
    """What two parsers could read in two ways reaches no listener."""

    def test_refused(self) -> None:
        """Each is 400, and the connection ends."""
        for fields in (
            b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            b"Content-Length: 3\r\nContent-Length: 3\r\n",
            b"Content-Length: 3, 3\r\n",
            b"Content-Length: +3\r\n",
            b"Content-Length: 0x3\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length : 3\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Transfer-Encoding: xchunked\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            b"X: a\r\n b\r\n",
            b"X: a\nY: b\r\n",
            b"X: a\rY: b\r\n",
            b"X: a\x00b\r\n",
            b"X: a\x7fb\r\n",
            b"X Y: a\r\n",
            b": a\r\n",
            b"Host: again\r\n",
        ):
            peer = self.client()
            head = self.head("POST")[:-2]
            self.send(peer, head + fields + b"\r\nabc" + self.head())
            self.assertTrue(peer.received.startswith(b"HTTP/1.1 400 "), fields)
            self.assertEqual(peer.received.count(b"HTTP/1.1"), 1, fields)
            self.assertIsNotNone(peer.lost, fields)
        self.assertEqual(self.requests(), [])

    def test_broken_chunks(self) -> None:
        """A body whose chunks are malformed is 400, also when it is relayed."""
        for chunks in (b"3\r\nabcd\r\n", b"x\r\n", b"3;\nabc\r\n0\r\n\r\n", b"-1\r\n"):
            peer = self.client()
            coding = {"Transfer-Encoding": "chunked"}
            self.send(peer, self.head("POST", headers=coding))
            socket = self.rendezvous(self.requests()[-1])
            self.send(peer, chunks)
            self.assertTrue(peer.received.startswith(b"HTTP/1.1 400 "), chunks)
            self.assertIsNotNone(peer.lost, chunks)
            assert socket.close_frame is not None
            self.assertEqual(socket.close_frame[0], 1001)

    def test_second_request_in_a_body(self) -> None:
        """A body that looks like a request is a body."""
        peer = self.ask("POST", body=self.head(path="/hyco/inner"))
        self.assertEqual(len(self.requests()), 1)
        self.assertEqual(self.control.messages[1], self.head(path="/hyco/inner"))
        self.respond(self.control, self.requests()[0])
        self.assertEqual(self.answer(peer).status, 200)
        self.assertEqual(len(self.requests()), 1)

    def test_websocket_on_a_request_address(self) -> None:
        """An address is good for what it was made for, and once."""
        self.ask()
        request = self.requests()[0]
        wrong = request["address"].replace("action=request", "action=accept")
        self.assertEqual(self.rendezvous({"address": wrong}).status, 403)
        other = request["address"].replace("/hyco?", "/hyco/x?")
        self.assertEqual(self.rendezvous({"address": other}).status, 403)
        malformed = {"Sec-WebSocket-Protocol": "a b"}
        self.assertEqual(self.rendezvous(request, headers=malformed).status, 400)
        good: WsPeer = self.rendezvous(request)
        self.assertEqual(good.status, 101)
        self.assertEqual(self.rendezvous(request).status, 403)
