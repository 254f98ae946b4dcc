"""The admin port: who may, what it answers, what it tells as it happens."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface.verify import verifyObject

from hybridconn.config.hcm import AdminSettings
from hybridconn.config.mistakes import ConfigError
from hybridconn.core.http import RequestHead
from hybridconn.hcm.port import token_path
from hybridconn.hcm.streams import SIGN_OF_LIFE
from hybridconn.interfaces import IRequestHandler
from hybridconn.management.routing import route
from hybridconn.page.handler import AdminApi, Answer, Call
from hybridconn.page.port import TokenGate, load_token
from hybridconn.testing.fakes import FakeAnswer, FakeHeldRequest
from tests.hcm.case import TOKEN, Echo, HcmTestCase


class AccessTests(HcmTestCase):
    """Who may."""

    def test_interface(self) -> None:
        """It is what stands behind a front door."""
        self.assertTrue(verifyObject(IRequestHandler, self.api))

    def status_of(self, request: FakeHeldRequest) -> int:
        outcome: Any = request.outcome
        return int(outcome.status)

    def test_token(self) -> None:
        """Without the token nothing is told, not even which paths there are."""
        for path in ("/v1/connections", "/v1/nothing", "/v1/events"):
            request = self.request("GET", path, token="wrong")
            self.assertEqual(self.status_of(request), 401)
            self.assertFalse(request.is_authenticated)
        self.assertTrue(self.request("GET", "/v1/connections").is_authenticated)

    def test_host(self) -> None:
        """A page of somebody else's name gets nothing, token or not."""
        for host, status in (
            ("127.0.0.1:7420", 200),
            ("localhost", 200),
            ("[::1]:7420", 200),
            ("evil.example:7420", 403),
            ("127.0.0.1.evil.example", 403),
            ("", 403),
        ):
            head = RequestHead(
                "GET",
                "/v1/connections",
                "1.1",
                (("Host", host), ("Authorization", f"Bearer {TOKEN}")),
            )
            request = FakeHeldRequest(head)
            self.api.handle(request)
            self.assertEqual(self.status_of(request), status, host)

    def test_local(self) -> None:
        """A UNIX socket needs no name; what it is asked by is authenticated too."""
        asked: list[object] = []

        def nobody(request: object) -> None:
            asked.append(request)

        api = AdminApi(self.routes.routes(), (), [nobody, lambda _: "us"], local=True)
        request = FakeHeldRequest(RequestHead("GET", "/v1/version", "1.1", ()))
        api.handle(request)
        self.assertEqual((self.status_of(request), len(asked)), (200, 1))

    def test_more_routes(self) -> None:
        """Paths of others stand beside ours; open ones need nobody."""

        def page(call: Call) -> Answer:
            return Answer(body=b"<p>", kind="text/html")

        def secret(call: Call) -> Answer:
            return Answer({"who": call.who})

        api = AdminApi(
            [route("GET", "/v1/mine", secret)],
            [route("GET", "/", page), route("POST", "/v1/mine", page)],
            [TokenGate(TOKEN)],
            local=False,
        )
        host = ("Host", "localhost")
        request = FakeHeldRequest(RequestHead("GET", "/", "1.1", (host,)))
        api.handle(request)
        answer: Any = request.outcome
        self.assertEqual((answer.status, answer.body), (200, b"<p>"))
        self.assertIn(("Content-Type", "text/html"), answer.headers)
        fields = (host, ("Authorization", f"bearer {TOKEN}"))
        request = FakeHeldRequest(RequestHead("GET", "/v1/mine", "1.1", fields))
        api.handle(request)
        answer = request.outcome
        self.assertEqual(json.loads(answer.body), {"who": "token"})

    def test_audit(self) -> None:
        """Each change is a line in the log, without what was sent."""
        self.add("one", target="db.corp:5")
        self.assertLogged("audit: token: POST /v1/connections: 201")
        self.good("GET", "/v1/connections")
        self.assertFalse([line for line in self.lines if "audit: token: GET" in line])
        self.assertNothingSecret()

    def test_nothing_secret(self) -> None:
        """No answer holds a key."""
        self.add("one", target="db.corp:5")
        key = self.string("one").partition("SharedAccessKey=")[2].partition(";")[0]
        for path in (
            "/v1/connections",
            "/v1/connections/one",
            "/v1/logs",
            "/v1/version",
            "/v1/doctor",
        ):
            self.assertNotIn(key, json.dumps(self.good("GET", path)))

    def test_mistakes(self) -> None:
        """Bad requests have their answer, with a reason."""
        self.refused(404, "ResourceNotFound", "GET", "/v1/nothing")
        self.refused(405, "MethodNotAllowed", "PUT", "/v1/connections")
        self.refused(400, "BadRequest", "GET", "/v1/logs?limit=x")
        self.refused(400, "BadRequest", "GET", "/v1/logs?limit=99999")
        self.refused(400, "BadRequest", "POST", "/v1/test", {"address": "a b"})
        self.refused(400, "BadRequest", "POST", "/v1/test")
        self.refused(
            400, "InvalidRequestContent", "POST", "/v1/connections", ["no object"]
        )
        self.refused(
            400,
            "BadRequest",
            "POST",
            "/v1/connections",
            {"connectionString": "x" * 70000},
        )


class LookTests(HcmTestCase):
    """Looking closer."""

    def test_good(self) -> None:
        """Relay, clock and target of one that is well."""
        self.add("one", target="db.corp:5")
        report = self.good("POST", "/v1/connections/one/test")
        self.assertTrue(report["ok"], report)
        names = [check["name"] for check in report["checks"]]
        self.assertEqual(names, ["registration", "relay", "clock", "target"])

    def test_target_address(self) -> None:
        """The address that was reached is told, also if nobody had to look it up."""
        self.network.listen("10.1.2.3", 5, Factory.forProtocol(Echo))
        self.add("bare", target="10.1.2.3:5")
        self.good("POST", "/v1/connections/bare/test")
        self.assertEqual(self.view("bare")["target"]["address"], "10.1.2.3")

    def test_target_down(self) -> None:
        """A bad check has what to do; the status knows of it too."""
        self.network.faults.refuse("db.corp", 5)
        self.add("one", target="db.corp:5")
        report = self.good("POST", "/v1/connections/one/test")
        self.assertFalse(report["ok"])
        self.assertEqual(report["checks"][-1]["nextStep"][:16], "start the target")
        report = self.good("POST", "/v1/connections/one/test")
        self.assertEqual(report["checks"][0]["detail"], "Connected")
        self.assertEqual(self.status("one"), "Degraded")

    def test_clock(self) -> None:
        """A clock that is off is found by the relay's date."""
        self.add("one", target="db.corp:5")
        self.drift = -150.0
        report = self.good("POST", "/v1/connections/one/test")
        (clock,) = [check for check in report["checks"] if check["name"] == "clock"]
        self.assertEqual(clock["detail"], "+150 s from the relay's")

    def test_relay_gone(self) -> None:
        """A relay that is not there, and an entity that it does not know."""
        self.add("one", target="db.corp:5")
        self.relay.remove("one")
        report = self.good("POST", "/v1/connections/one/test")
        self.assertIn("does not know", report["checks"][1]["detail"])
        self.relay.stop()
        report = self.good("POST", "/v1/connections/one/test")
        self.assertIn("refused", report["checks"][1]["detail"])

    def test_address(self) -> None:
        """Any target, and any relay."""
        good = self.good("POST", "/v1/test", {"address": "relay.test"})
        self.assertIn("over TLS", good["checks"][0]["detail"])
        bad = self.good("POST", "/v1/test", {"address": "other.test"})
        self.assertFalse(bad["ok"])
        self.assertNotIn("Endpoint", bad["checks"][0]["nextStep"])

    def test_doctor(self) -> None:
        """Everything at once, the service first."""
        self.add("one", target="db.corp:5")
        self.add("meta")
        report = self.good("GET", "/v1/doctor")
        self.assertTrue(report["ok"], report)
        subjects = list(dict.fromkeys(c["subject"] for c in report["checks"]))
        self.assertEqual(subjects, ["service", "one", "meta"])

    def test_logs(self) -> None:
        """The last lines, of all or of one."""
        self.add("one", target="db.corp:5")
        self.add("meta")
        lines = self.good("GET", "/v1/logs?connection=meta")["lines"]
        self.assertTrue(lines)
        self.assertEqual({line["entity"] for line in lines}, {"meta"})
        self.assertEqual(len(self.good("GET", "/v1/logs?limit=2")["lines"]), 2)

    def test_version(self) -> None:
        """What runs, and since when."""
        found = self.good("GET", "/v1/version")
        self.assertEqual(found["startedAt"], "2030-01-01T00:00:00Z")
        self.assertEqual((found["connections"], found["pid"]), (0, os.getpid()))
        self.assertEqual(found["file"], os.path.abspath(self.file))


class StreamTests(HcmTestCase):
    """Server-sent events."""

    def open(self, path: str, *headers: tuple[str, str]) -> FakeHeldRequest:
        request = self.request("GET", path, None, *headers)
        self.assertIsInstance(request.outcome, FakeAnswer)
        return request

    def told(self, request: FakeHeldRequest) -> list[tuple[str, Any]]:
        outcome: Any = request.outcome
        found = []
        for block in bytes(outcome.body).decode().split("\n\n"):
            fields = dict(
                line.split(": ", 1) for line in block.splitlines() if ": " in line
            )
            if "event" in fields:
                found.append((fields["event"], json.loads(fields["data"])))
        return found

    def last_id(self, request: FakeHeldRequest) -> str:
        outcome: Any = request.outcome
        text = bytes(outcome.body).decode()
        return text.rpartition("id: ")[2].partition("\n")[0]

    def test_life(self) -> None:
        """First all there is, then each change, in order."""
        self.add("one", target="db.corp:5")
        request = self.open("/v1/events")
        client: Any = self.dial("one")
        client.transport.write(b"x")
        self.network.advance(2)
        client.transport.loseConnection()
        self.network.advance(2)
        self.good("DELETE", "/v1/connections/one")
        events = self.told(request)
        self.assertEqual(events[0][0], "snapshot")
        self.assertEqual(events[0][1]["connections"][0]["name"], "one")
        kinds = [kind for kind, _ in events]
        self.assertEqual(kinds[-1], "removed")
        (tunnel,) = [value for kind, value in events if kind == "tunnel"]
        self.assertEqual((tunnel["connection"], tunnel["bytesFromSender"]), ("one", 1))
        views = [value for kind, value in events if kind == "connection"]
        self.assertIn(1, [view["tunnels"]["open"] for view in views])
        self.assertIn(1, [view["tunnels"]["bytesFromTarget"] for view in views])

    def test_nothing_new(self) -> None:
        """What does not change is not told again; the client knows that we live."""
        self.add("one", target="db.corp:5")
        request = self.open("/v1/events")
        self.network.advance(3)
        count = len(self.told(request))
        self.network.advance(2 * SIGN_OF_LIFE)
        self.assertEqual(len(self.told(request)), count)
        outcome: Any = request.outcome
        self.assertIn(b": here", bytes(outcome.body))

    def test_status(self) -> None:
        """A status that changes is told at once."""
        self.add("one", target="db.corp:5")
        request = self.open("/v1/events")
        self.relay.stop()
        self.network.advance(1)
        words = [
            value["status"]
            for kind, value in self.told(request)
            if kind == "connection"
        ]
        self.assertIn("Not Connected", words)

    def test_comes_back(self) -> None:
        """Who comes back gets what it missed; who was away too long, everything."""
        first = self.open("/v1/events")
        self.add("one", target="db.corp:5")
        self.network.advance(2)
        last = self.last_id(first)
        first.leave()
        self.add("two", target="db.corp:5")
        self.good("DELETE", "/v1/connections/two")
        again = self.open("/v1/events", ("Last-Event-ID", last))
        self.assertEqual(self.told(again), [("removed", {"name": "two"})])
        for odd in ("99999", "x", "-1", ""):
            anew = self.open("/v1/events", ("Last-Event-ID", odd))
            self.assertEqual(self.told(anew)[0][0], "snapshot")

    def test_slow(self) -> None:
        """For a client that does not read nothing is heaped up."""
        request = self.open("/v1/events")
        request.producer.pauseProducing()
        size = len(self.told(request))
        for _ in range(50):
            self.add("one", target="db.corp:5")
            self.good("DELETE", "/v1/connections/one")
        self.assertEqual(len(self.told(request)), size)
        self.add("two", target="db.corp:5")
        request.producer.resumeProducing()
        kind, value = self.told(request)[-1]
        self.assertEqual(kind, "snapshot")
        self.assertEqual([one["name"] for one in value["connections"]], ["two"])

    def test_gone(self) -> None:
        """Nobody is told any more when the client is gone."""
        request = self.open("/v1/events")
        self.assertTrue(self.manager.events.watched)
        request.leave()
        self.assertFalse(self.manager.events.watched)
        self.assertEqual(len(self.routes.streams), 0)

    def test_stop(self) -> None:
        """At a stop streams end in order."""
        request = self.open("/v1/events")
        self.routes.close()
        outcome: Any = request.outcome
        self.assertEqual(outcome.end, "finished")

    def test_logs(self) -> None:
        """The log, as it is written."""
        self.add("one", target="db.corp:5")
        request = self.open("/v1/logs?follow=1&limit=1&connection=one")
        Logger().info("{entity}: something new", entity="one")
        Logger().info("{entity}: of no concern", entity="two")
        texts = [value["text"] for _, value in self.told(request)]
        self.assertEqual(texts[-1], "one: something new")
        self.assertEqual(len(texts), 2)


class TokenTests(HcmTestCase):
    """The token's file."""

    def test_made(self) -> None:
        """It is made once, for its owner only."""
        path = self.folder / "run" / "hcm.token"
        token = load_token(path, {})
        self.assertGreater(len(token), 30)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(load_token(path, {}), token)

    def test_mistakes(self) -> None:
        """One that others can read, or that is none, is refused."""
        self.write("open.token", "x" * 40, 0o644)
        error = self.assertRaises(
            ConfigError, load_token, self.folder / "open.token", {}
        )
        self.assertIn("chmod 600", str(error))
        self.write("short.token", "x")
        error = self.assertRaises(
            ConfigError, load_token, self.folder / "short.token", {}
        )
        self.assertIn("holds no token", str(error))

    def test_place(self) -> None:
        """As it is said, beside the socket, or beside the configuration."""
        here = Path("/etc/hc")
        self.assertEqual(
            token_path(AdminSettings("/run/hcm.sock", None, token_file="/x"), here),
            Path("/x"),
        )
        self.assertEqual(
            token_path(AdminSettings("/run/hcm.sock"), here), Path("/run/hcm.token")
        )
        self.assertEqual(token_path(AdminSettings(port=1), here), here / "hcm.token")
