"""An app's connections, from the management API, in memory."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IAgent
from zope.interface import implementer

from hybridconn.config.addresses import HostPort
from hybridconn.config.app import AppSettings, Credential
from hybridconn.config.redirects import Redirect
from hybridconn.config.secrets import Source
from hybridconn.sender.app_reader import AppConnections, AppReader, AppUnknown
from hybridconn.sender.app_redirects import AppRedirects
from hybridconn.sender.app_watch import RETRIES, AppWatch
from hybridconn.testing.fakes import Answer
from tests.management.test_web import PLAN, WEB, WebCase
from tests.relay.scene import watch_log


class Response:
    """An answer whose body is there."""

    def __init__(self, answer: Answer) -> None:
        self.code = answer.status
        self._body = answer.body

    def deliverBody(self, protocol: Any) -> None:
        """All at once (Twisted)."""
        protocol.dataReceived(self._body)
        protocol.connectionLost(Failure(ResponseDone()))


@implementer(IAgent)
class Agent:
    """
    Leads to the management API of a case.

    @ivar asked: method and path of each request.
    @ivar down: nobody listens there.
    """

    def __init__(self, case: WebCase) -> None:
        self._case = case
        self.asked: list[tuple[str, str]] = []
        self.down = False

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        """Ask (Twisted)."""
        if self.down:
            return fail(ConnectionRefusedError())
        path, _, query = uri.decode().removeprefix("https://api.test").partition("?")
        role = headers.getRawHeaders("Authorization")[0].removeprefix("Bearer ")
        self.asked.append((method.decode(), path))
        held = self._case.request(method.decode(), path, role=role, query=f"?{query}")
        assert isinstance(held.outcome, Answer)
        return succeed(Response(held.outcome))


class AppCase(WebCase):
    """The app C{app1}, which uses C{db}."""

    def setUp(self) -> None:
        super().setUp()
        self.attach("db", hostname="db.corp", port=1433)
        self.clock = Clock()
        self.agent = Agent(self)
        self.environ = {"TOKEN": "sender"}
        source = Source("sender.toml", None, self.environ)  # type: ignore[arg-type]
        self.settings = AppSettings(
            "https://api.test", f"{WEB}/sites/app1", Credential(None, "TOKEN", source)
        )
        self.reader = AppReader(self.settings, self.agent, self.clock)

    def read(self) -> AppConnections:
        return self.successResultOf(self.reader.read())

    def why(self) -> str:
        return str(self.failureResultOf(self.reader.read(), AppUnknown).value)

    def more(self, *names: str) -> None:
        for number, name in enumerate(names):
            self.connection(name)
            self.attach(name, hostname=f"{name}.corp", port=2000 + number)

    def scale(self, sku: str) -> None:
        self.good("PUT", PLAN, {"location": "x", "sku": {"name": sku}})


class ReaderTests(AppCase):
    """One reading."""

    def test_connection(self) -> None:
        """The namespace's place, the send key, and the app's own host and port."""
        (one,) = self.read().served
        self.assertEqual(one.endpoint, HostPort("db.corp", 1433))
        found = one.connection
        self.assertEqual(found.authority, "contoso-relay.relay.test")
        self.assertEqual((found.entity_path, found.key_name), ("db", "defaultSender"))
        place = f"{PLAN}/hybridConnectionNamespaces/contoso-relay/relays/db/listKeys"
        shown = self.good("POST", place)["properties"]
        assert found.key is not None
        self.assertEqual(found.key.reveal(), shown["sendKeyValue"])
        self.assertNotIn(shown["sendKeyValue"], repr(self.reader._keys))
        self.assertEqual(self.read().warnings, ())

    def test_relay(self) -> None:
        """A relay that is named is used for all."""
        settings = evolve(self.settings, relay=HostPort("r.test", 8443))
        reader = AppReader(settings, self.agent, self.clock)
        (one,) = self.successResultOf(reader.read()).served
        self.assertEqual(one.connection.authority, "r.test:8443")

    def test_keys_once(self) -> None:
        """A key is asked for again only when it is another one."""
        first = self.read()
        self.agent.asked.clear()
        self.assertEqual(self.read(), first)
        self.assertNotIn("POST", [method for method, _ in self.agent.asked])
        self.now += 1
        self.attach("db", hostname="db.corp", port=1433, sendKeyValue="another")
        (one,) = self.read().served
        assert one.connection.key is not None
        self.assertEqual(one.connection.key.reveal(), "another")

    def test_roles(self) -> None:
        """The role sender suffices; the reader may not have keys, and learns why."""
        self.read()
        self.reader._keys.clear()
        self.environ["TOKEN"] = "reader"
        self.assertIn("answered 403", self.why())
        self.assertIn("needs the role sender", self.why())
        self.environ["TOKEN"] = "nobody"
        self.assertIn("answered 401", self.why())

    def test_sender_changes_nothing(self) -> None:
        """The role sender may not change anything, nor read other keys."""
        for method, path in (
            ("PUT", PLAN),
            ("DELETE", f"{WEB}/sites/app1"),
            (
                "POST",
                f"{WEB.replace('rg2', 'rg1').replace('Web', 'Relay')}/namespaces/"
                "contoso-relay/authorizationRules/RootManageSharedAccessKey/listKeys",
            ),
        ):
            status, _ = self.call(method, path, {}, role="sender")
            self.assertEqual(status, 403, path)

    def test_limit(self) -> None:
        """Past the limit the last by name are left out: plan, count and limit."""
        self.scale("S1")
        self.more("a", "b", "c", "d", "e", "f")
        self.assertEqual(len(self.read().served), 7)
        self.scale("B1")
        found = self.read()
        names = [one.connection.entity_path for one in found.served]
        self.assertEqual(names, ["a", "b", "c", "d", "db"])
        self.assertEqual(found.refused, ("contoso-relay/e", "contoso-relay/f"))
        self.assertEqual(
            found.warnings[0],
            "contoso-relay/e is not served: the plan plan1 (Basic) uses 7 hybrid "
            "connections, and its limit is 5",
        )
        self.scale("F1")
        self.assertEqual(self.read().served, ())

    def test_limit_of_plan(self) -> None:
        """It is the plan's: what its other apps use counts too."""
        self.scale("S1")
        self.app("app2")
        for name in ("a", "b", "c", "cc", "d"):
            self.connection(name)
            self.attach(name, site="app2")
        self.scale("B1")
        self.assertEqual(self.read().refused, ("contoso-relay/db",))

    def test_not_redirected(self) -> None:
        """An address is no name: the rest is served."""
        self.connection("ip")
        self.attach("ip", hostname="10.0.0.7", port=22)
        found = self.read()
        self.assertEqual(len(found.served), 1)
        self.assertIn("10.0.0.7:22 cannot be redirected", found.trouble[0])

    def test_strange(self) -> None:
        """A limit that is none, and a list without end, are words and no bug."""
        real = Agent.request

        def lie(part: bytes, answer: bytes) -> None:
            def request(agent: Agent, method: bytes, uri: bytes, *more: Any) -> Any:
                if part in uri:
                    return succeed(Response(Answer(200, "OK", (), answer)))
                return real(agent, method, uri, *more)

            self.patch(Agent, "request", request)

        for limit in (b"-1", b"1e999", b"true", b'"5"', b"null"):
            lie(b"PlanLimits", b'{"properties": {"maximum": %s}}' % limit)
            self.assertIn("not of the expected form", self.why(), limit)
        long = b",".join([b"0"] * 10_001)
        lie(b"/hybridConnectionRelays", b'{"value": [%s]}' % long)
        self.assertIn("list is too long", self.why())

    def test_unreachable(self) -> None:
        """In words, where it should be."""
        self.agent.down = True
        self.assertIn("https://api.test cannot be reached", self.why())

    def test_unknown_app(self) -> None:
        """What to look at."""
        self.good("DELETE", f"{WEB}/sites/app1")
        self.assertIn("look at the app's name", self.why())


class WatchTests(AppCase):
    """Following changes."""

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[AppConnections] = []
        self.watch = AppWatch(
            self.reader, "app1", self.clock, self.seen.append, 10.0, lambda: 0.5
        )
        self.addCleanup(self.watch.stop)

    def test_changes(self) -> None:
        """Told once for each change."""
        self.watch.start()
        self.clock.advance(10)
        self.assertEqual(len(self.seen), 1)
        self.more("two")
        self.clock.advance(10)
        self.assertEqual([len(one.served) for one in self.seen], [1, 2])

    def test_away(self) -> None:
        """What is known stays; it is said once, and asked again sooner and later."""
        log = watch_log(self)
        self.watch.start()
        self.agent.down = True
        self.clock.advance(10)
        self.clock.advance(RETRIES[0])
        self.assertEqual(len(self.seen), 1)
        warnings = [line for line in log if "cannot be reached" in line]
        self.assertEqual(len(warnings), 1, log)
        self.assertIn("the 1 that are known stay", warnings[0])
        self.agent.down = False
        self.agent.asked.clear()
        self.clock.advance(RETRIES[1])
        self.assertTrue(self.agent.asked)
        self.assertEqual(len(self.seen), 1)


class Forward:
    """Remembers its keys."""

    def __init__(self, one: Redirect) -> None:
        self.keys = [one.connection.key]
        self.forward: Any = self

    def renew(self, connection: Any) -> None:
        """Another key."""
        self.keys.append(connection.key)


class FollowTests(AppCase):
    """Bringing the redirects in line."""

    def test_follow(self) -> None:
        """New ones are made, changed keys passed on, all else stays as it is."""
        redirects: AppRedirects[Any] = AppRedirects(Forward)
        self.more("two")
        self.assertEqual(redirects.follow(self.read().served), [])
        db, two = redirects.current
        self.now += 1
        self.attach("db", hostname="db.corp", port=1433, sendKeyValue="another")
        self.assertEqual(redirects.follow(self.read().served), [])
        self.assertEqual(redirects.current, [db, two])
        self.assertEqual((len(db.keys), len(two.keys)), (2, 1))
        self.good(
            "DELETE",
            f"{WEB}/sites/app1/hybridConnectionNamespaces/contoso-relay/relays/two",
        )
        self.assertEqual(redirects.follow(self.read().served), [two])
        self.assertEqual(redirects.current, [db])
