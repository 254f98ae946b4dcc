"""What the relay's page asks for and does, without a browser."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from hybridconn.audit import AuditEvent
from hybridconn.config.relay_admin import RelayAdmin
from hybridconn.core.entities import HybridConnection, endpoint_metadata
from hybridconn.core.http import RequestHead
from hybridconn.interfaces import IAudit
from hybridconn.management.errors import unavailable
from hybridconn.page.doors import Doors
from hybridconn.page.handler import AdminApi
from hybridconn.page.sessions import KEY_HEADER, Sessions
from hybridconn.relay.desk import EntityKey
from hybridconn.relay.page.actions import ActionRoutes
from hybridconn.relay.page.catalog import Catalog
from hybridconn.relay.page.routes import KEEP, PIECE, LookRoutes
from hybridconn.testing.fakes import Answer, FakeHeldRequest
from tests.hcm import test_page
from tests.relay.scene import RelayTestCase

HOST = "127.0.0.1:7421"
GUID = UUID(int=1)


@implementer(IAudit)
class PageCase(RelayTestCase):
    """
    A relay with a page.

    @ivar events: of the audit.
    @ivar switched: what was enabled and disabled.
    """

    entities = (
        HybridConnection("hyco", user_metadata=endpoint_metadata("db.corp:5432")),
        HybridConnection("plant/db", False, "<b>no JSON</b>"),
    )

    def setUp(self) -> None:
        super().setUp()
        self.events: list[AuditEvent] = []
        self.switched: list[tuple[EntityKey, bool]] = []
        self.switch_fails = False
        self.clock = self.relay.clock
        self.make(self.switch)

    def make(self, switch: Any) -> None:
        """The page."""
        live, clock = self.relay.service.live, self.clock
        self.sessions = Sessions(7421, clock.seconds, name="relay")
        where = RelayAdmin(port=7421, socket="/run/x.sock")
        doors = Doors(
            "hybridconn.relay.page", self.sessions, where, 7421, "hybridconn relay ui"
        )
        catalog = Catalog(self.relay.store)
        looks = LookRoutes(live, catalog, switch is not None, clock, self.relay.wall)
        actions = ActionRoutes(live, catalog, switch, self, lambda: GUID)
        routes = [*doors.routes(), *looks.routes(), *actions.routes()]
        self.local = AdminApi(routes, (), [lambda _: "local"], local=True)
        self.api = AdminApi(
            routes, doors.open_routes(), [self.sessions.who], local=False
        )

    def note(self, event: AuditEvent) -> None:
        """An L{IAudit}'s."""
        self.events.append(event)

    def switch(self, key: EntityKey, on: bool) -> Deferred[None]:
        """Enable or disable."""
        self.switched.append((key, on))
        return fail(unavailable("no store")) if self.switch_fails else succeed(None)

    def ask(
        self, api: AdminApi, method: str, path: str, body: object, *fields: Any
    ) -> Answer:
        """An answer."""
        data = b"" if body is None else json.dumps(body).encode()
        head = RequestHead(method, path, "1.1", (("Host", HOST), *fields))
        request = FakeHeldRequest(head, body_length=len(data), body=data)
        api.handle(request)
        self.flush()
        for _ in range(9):
            self.network.advance(0)
        assert isinstance(request.outcome, Answer), request.outcome
        return request.outcome

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """By the socket: status and JSON."""
        answer = self.ask(self.local, method, path, body)
        return answer.status, json.loads(answer.body) if answer.body else None

    def good(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of a success."""
        status, value = self.call(method, path, body)
        self.assertLess(status, 300, value)
        return value

    def refused(self, status: int, code: str, *call: Any) -> str:
        """It must be refused so; the message."""
        found, value = self.call(*call)
        self.assertEqual((found, value["error"]["code"]), (status, code))
        return str(value["error"]["message"])


class LookTests(PageCase):
    """What is seen."""

    def test_list(self) -> None:
        """Every hybrid connection as it is; another revision when one changes."""
        found = self.good("GET", "/v1/connections")
        self.assertEqual(
            found["namespaces"], [{"name": "testing", "hosts": ["relay.test"]}]
        )
        self.assertEqual(
            found["connections"],
            [
                {
                    "namespace": "testing",
                    "path": "hyco",
                    "endpoint": "db.corp:5432",
                    "metadata": endpoint_metadata("db.corp:5432"),
                    "enabled": True,
                    "senderToken": True,
                },
                {
                    "namespace": "testing",
                    "path": "plant/db",
                    "endpoint": "",
                    "metadata": "<b>no JSON</b>",
                    "enabled": True,
                    "senderToken": False,
                },
            ],
        )
        self.relay.add("third")
        look = self.good("POST", "/v1/look", {"rows": []})
        self.assertNotEqual(look["revision"], found["revision"])
        again = self.good("GET", "/v1/connections")
        self.assertEqual(again["revision"], look["revision"])
        self.assertEqual(len(again["connections"]), 3)

    def test_look(self) -> None:
        """The rows that are asked for, and what goes on in all, each as numbers."""
        sender, _ = self.tunnel()
        sender.binary(b"x" * 10)
        self.flush()
        rows = [["Testing", "HYCO"], ["testing", "plant/db"], ["testing", "gone"]]
        look = self.good("POST", "/v1/look", {"rows": rows})
        numbers = [1, 0, 1, 0, 0, 10, 0, 1, 0]
        self.assertEqual(look["rows"], [numbers, [0] * 9, [0] * 9])
        self.assertEqual(look["all"]["relay"], numbers)
        self.assertEqual(look["all"]["namespaces"], {"testing": numbers})
        self.assertEqual(self.good("GET", "/v1/counts")["rows"], [numbers, [0] * 9])

    def test_counted_once(self) -> None:
        """However many browsers look, all is counted once in a while."""
        live: Any = self.relay.service.live
        asked: list[object] = []
        sums = live.sums

        def count() -> Any:
            asked.append(None)
            return sums()

        live.sums = count
        for _ in range(5):
            self.good("POST", "/v1/look", {"rows": []})
        self.assertEqual(len(asked), 1)
        self.network.advance(KEEP)
        self.good("POST", "/v1/look", {"rows": []})
        self.assertEqual(len(asked), 2)

    def test_many(self) -> None:
        """Thousands are counted in pieces; what else there is to do comes between."""
        for number in range(2 * PIECE):
            self.relay.add(f"more{number}")
        head = RequestHead("GET", "/v1/counts", "1.1", (("Host", HOST),))
        request = FakeHeldRequest(head)
        self.local.handle(request)
        self.assertIsNone(request.outcome)
        for _ in range(3):
            self.network.advance(0)
        assert isinstance(request.outcome, Answer)
        self.assertEqual(len(json.loads(request.outcome.body)["rows"]), 2 * PIECE + 2)

    def test_traffic(self) -> None:
        """What moved of late, in all and row by row."""
        sender, _ = self.tunnel()
        ask = {"rows": [["testing", "hyco"]], "samples": 60}
        self.good("POST", "/v1/traffic", ask)
        sender.binary(b"x" * 10)
        self.network.advance(5.0)
        found = self.good("POST", "/v1/traffic", ask)
        self.assertEqual(found["rows"], [[[found["number"], 10, 0]]])
        self.assertEqual(found["all"], found["rows"][0])

    def test_open(self) -> None:
        """Who listens, and what runs."""
        self.tunnel()
        found = self.good("GET", "/v1/connections/testing/hyco/open")
        (listener,), (tunnel,) = found["listeners"], found["tunnels"]
        self.assertEqual((listener["id"], listener["connections"]), ("L1", 1))
        self.assertEqual((tunnel["id"], tunnel["listener"]), ("T1", "L1"))
        self.assertFalse(found["more"])
        found = self.good("GET", "/v1/connections/testing/hyco/open?limit=0")
        self.assertEqual((found["tunnels"], found["more"]), ([], True))

    def test_bad_questions(self) -> None:
        """What is no list of pairs, too long, or of nothing here is said to be."""
        wrong: tuple[Any, ...] = (
            None,
            {},
            [["a"]],
            [["a", 1]],
            ["ab"],
            [["a", "b"]] * 501,
        )
        for rows in wrong:
            said = self.refused(400, "BadRequest", "POST", "/v1/look", {"rows": rows})
            self.assertIn("'rows' is wrong", said)
        self.refused(
            404, "ResourceNotFound", "GET", "/v1/connections/testing/none/open"
        )


class ActionTests(PageCase):
    """What is done, and that it is written down."""

    def place(self, more: str, path: str = "hyco") -> str:
        """Below a hybrid connection."""
        return f"/v1/connections/testing/{path}{more}"

    def test_kick(self) -> None:
        """A listener and a tunnel, each once."""
        sender, _ = self.tunnel()
        self.good("DELETE", self.place("/tunnels/T1"))
        self.network.advance(1)
        self.assertEqual(sender.close_frame and sender.close_frame[0], 1001)
        self.good("DELETE", self.place("/listeners/L1"))
        self.flush()
        closed = self.control.close_frame
        self.assertEqual(closed, (1001, "closed by an operator of the relay"))
        for what in ("tunnels/T9", "listeners/L1"):
            self.refused(404, "ResourceNotFound", "DELETE", self.place(f"/{what}"))

    def test_drain(self) -> None:
        """Begun and ended."""
        control = self.listen()
        self.good("POST", self.place("/listeners/L1/drain"))
        self.assertEqual(self.connect().status, 404)
        self.good("POST", self.place("/listeners/L1/undrain"))
        self.connect()
        self.assertEqual(len(self.accepts(control)), 1)

    def test_switch(self) -> None:
        """Enabled and disabled by the store; what that says is passed on."""
        self.good("POST", self.place("/disable"))
        self.good("POST", self.place("/enable", "plant%2FDB"))
        key, other = ("testing", "hyco"), ("testing", "plant/db")
        self.assertEqual(self.switched, [(key, False), (other, True)])
        self.switch_fails = True
        self.refused(503, "ServiceUnavailable", "POST", self.place("/enable"))
        self.assertTrue(self.good("GET", "/v1/relay")["canSwitch"])
        self.make(None)
        self.assertFalse(self.good("GET", "/v1/relay")["canSwitch"])
        said = self.refused(409, "Conflict", "POST", self.place("/enable"))
        self.assertIn("[store]", said)

    def test_audit(self) -> None:
        """Who did what, and how it ended."""
        self.listen()
        self.good("DELETE", self.place("/listeners/L1"))
        self.call("DELETE", self.place("/listeners/L1"))
        first, second = self.events
        self.assertEqual(
            first,
            AuditEvent(
                event="page",
                who="local",
                by="socket",
                source=first.source,
                action="DELETE",
                operation="ListenersDelete",
                target=self.place("/listeners/L1"),
                outcome="allowed",
                status=204,
                id=str(GUID),
            ),
        )
        self.assertEqual(
            (second.outcome, second.status, second.code),
            ("failed", 404, "ResourceNotFound"),
        )


class DoorTests(PageCase):
    """Who gets in."""

    def sign_in(self) -> tuple[tuple[str, str], ...]:
        """What a browser sends once it is in."""
        url = self.good("POST", "/v1/page-links")["url"]
        self.assertTrue(url.startswith(f"http://{HOST}/#login="))
        answer = self.ask(
            *(self.api, "POST", "/v1/session", {"code": url.partition("=")[2]}),
            *((KEY_HEADER, "none"), ("Origin", f"http://{HOST}")),
        )
        self.assertEqual(answer.status, 201)
        cookie = dict(answer.headers)["Set-Cookie"]
        self.assertTrue(cookie.startswith("relay_session_7421="))
        key = json.loads(answer.body)["key"]
        return (("Cookie", cookie.partition(";")[0]), (KEY_HEADER, key))

    def test_session(self) -> None:
        """A link gives a session; what it does is written down as that."""
        mine = self.sign_in()
        self.listen()
        drain = "/v1/connections/testing/hyco/listeners/L1/drain"
        self.assertEqual(self.ask(self.api, "POST", drain, None, *mine).status, 204)
        (event,) = self.events
        self.assertRegex(event.who, "^page [0-9a-f]{8}$")
        self.assertEqual(event.by, "link")

    def test_strangers(self) -> None:
        """Without cookie and key, or from another page, nothing is seen or done."""
        cookie, key = self.sign_in()
        self.listen()
        drain = ("POST", "/v1/connections/testing/hyco/listeners/L1/drain", None)
        look: tuple[str, str, Any] = ("POST", "/v1/look", {"rows": []})
        for fields in (
            (),
            (cookie,),
            (key,),
            (cookie, key, ("Origin", "http://evil.example")),
            (cookie, key, ("Sec-Fetch-Site", "cross-site")),
        ):
            for asked in (drain, look, ("GET", "/v1/connections", None)):
                self.assertEqual(self.ask(self.api, *asked, *fields).status, 401)
        self.assertEqual(self.events, [])

    def test_rebinding(self) -> None:
        """A name of somebody else's that leads here gets not even the page."""
        for path in ("/", "/page/main.js", "/v1/relay"):
            head = RequestHead("GET", path, "1.1", (("Host", "evil.example:7421"),))
            request = FakeHeldRequest(head)
            self.api.handle(request)
            assert isinstance(request.outcome, Answer)
            self.assertEqual(request.outcome.status, 403)


class SourceTests(test_page.SourceTests):
    """The files of the relay's page, as those of the manager's."""

    package = "hybridconn.relay.page"
