"""A management API without a socket or a database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from unittest.mock import ANY

import jsonschema_rs
from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hybridconn.audit import AuditEvent
from hybridconn.core.http import RequestHead
from hybridconn.core.live import Counts, LiveListener, LiveTunnel, order
from hybridconn.core.resources import Resource
from hybridconn.interfaces import IAudit, ILiveRelay, IResourceStore
from hybridconn.management.api import ManagementApi
from hybridconn.management.book import ResourceBook
from hybridconn.management.openapi import describe
from hybridconn.management.registry import Changes, News
from hybridconn.management.routing import Route, Router
from hybridconn.management.server import Quotas, Server
from hybridconn.management.service import all_routes
from hybridconn.management.tokens import (
    Callers,
    Role,
    StaticToken,
    StaticTokens,
    digest,
)
from hybridconn.stores.errors import StoreError
from hybridconn.testing.fakes import Answer, FakeHeldRequest

SUB = "6f1a1a3e-6f1b-4b41-9c9c-0d3b8a2f5a11"
GUID = "11111111-1111-4111-8111-111111111111"
BASE = f"/subscriptions/{SUB}/resourceGroups/rg1/providers/Microsoft.Relay"
NS = f"{BASE}/namespaces/contoso-relay"
ENDPOINT = '[{"key":"endpoint","value":"db.corp:1433"}]'


def make_server(**more: Any) -> Server:
    """What operations run on."""
    values = dict(
        subscriptions=(SUB,),
        suffix=".relay.test",
        port=443,
        now=lambda: 0.0,
        random_bytes=bytes,
        listener_count=lambda name, path: 0,
        live=FakeLive(),
        quotas=Quotas(),
    )
    return Server(**{**values, **more})


def error_of(answer: Any) -> tuple[int, str]:
    """Status and code; the shape is that of section 3."""
    assert isinstance(answer, Answer), answer
    value = json.loads(answer.body)
    assert value == {"error": {"code": ANY, "message": ANY, "details": []}}, value
    assert value["error"]["code"] and value["error"]["message"]
    return answer.status, value["error"]["code"]


class FakeBell:
    """What a store gives to who listens; C{closed} by it afterwards."""

    def __init__(self, ring: Callable[[int], None], lost: Callable[[], None]) -> None:
        self.ring = ring
        self.lost = lost
        self.closed = False

    def close(self) -> None:
        """Hear nothing more."""
        self.closed = True


@implementer(IResourceStore)
class FakeStore:
    """
    Keeps what it is told in memory.

    @ivar saved: every change.
    @ivar slow: what is kept next waits for it.
    @ivar others: what another node changed since the last look.
    @ivar calls: what was called, in order.
    @ivar broken: what the calls fail with, by their names.
    @ivar bells: those that were asked for.
    """

    rings = False
    revision = 7

    def __init__(self, resources: tuple[Resource, ...] = ()) -> None:
        self.resources = resources
        self.saved: list[Changes] = []
        self.slow: Deferred[None] | None = None
        self.others = News()
        self.calls: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.bells: list[FakeBell] = []

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        """Make a call, at once unless it is slow."""
        slow = None
        kept = len(self.saved)
        done = maybeDeferred(call)
        if len(self.saved) > kept:
            slow, self.slow = self.slow, None
        return done if slow is None else slow

    def load(self) -> News:
        """What it was made with."""
        return News(self.resources, whole=True)

    def news(self) -> News:
        """What others changed."""
        self._call("news")
        told, self.others = self.others, News()
        return told

    def lock(self) -> News:
        """The same."""
        self._call("lock")
        told, self.others = self.others, News()
        return told

    def keep(self, changes: Changes) -> None:
        """Remember it."""
        self._call("keep")
        self.saved.append(changes)

    def release(self) -> None:
        """Nothing was locked."""
        self._call("release")

    def listen(self, ring: Callable[[int], None], lost: Callable[[], None]) -> FakeBell:
        """A bell for the test to ring."""
        self._call("listen")
        self.bells.append(FakeBell(ring, lost))
        return self.bells[-1]

    def abort(self) -> None:
        """What is slow fails."""
        if self.slow is not None:
            self.slow.errback(StoreError("aborted"))

    def close(self) -> None:
        """Nothing was open."""
        self._call("close")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.broken:
            raise self.broken[name]


@implementer(ILiveRelay)
class FakeLive:
    """
    A relay where goes on what a test says.

    @ivar at: what, by hybrid connection.
    @ivar closed: ids that were ended.
    @ivar drained: ids, and whether that was begun or ended.
    """

    since = 1_800_000_000.0

    def __init__(self) -> None:
        self.at: dict[tuple[str, ...], Counts] = {}
        self.who: dict[tuple[str, ...], list[LiveListener]] = {}
        self.open: dict[tuple[str, ...], list[LiveTunnel]] = {}
        self.moved: dict[tuple[str, ...], list[tuple[int, int, int]]] = {}
        self.closed: list[str] = []
        self.drained: list[tuple[str, bool]] = []
        self.refused: dict[str, int] = {}

    def counts(self, keys: Sequence[tuple[str, ...]]) -> Deferred[Sequence[Counts]]:
        """What the test says."""
        return succeed([self.at.get(key, Counts()) for key in keys])

    def sums(self) -> Deferred[Mapping[str, Counts]]:
        """The sums of that."""
        sums: dict[str, Counts] = {}
        for key, counts in self.at.items():
            sums[key[0]] = sums.get(key[0], Counts()) + counts
        return succeed(sums)

    def refusals(self) -> Deferred[Mapping[str, int]]:
        """What the test says."""
        return succeed(self.refused)

    def traffic(
        self, keys: Sequence[tuple[str, ...]], samples: int
    ) -> Deferred[Sequence[Sequence[tuple[int, int, int]]]]:
        """What the test says."""
        return succeed([self.moved.get(key, []) for key in keys])

    def listeners(self, key: tuple[str, ...]) -> Deferred[Sequence[LiveListener]]:
        """What the test says."""
        return succeed(self.who.get(key, []))

    def tunnels(
        self, key: tuple[str, ...], after: str, most: int
    ) -> Deferred[Sequence[LiveTunnel]]:
        """What the test says."""
        found = sorted(self.open.get(key, ()), key=lambda one: order(one.id))
        return succeed([one for one in found if order(one.id) > after][:most])

    def tunnel(self, key: tuple[str, ...], id: str) -> Deferred[LiveTunnel | None]:
        """What the test says."""
        found = [one for one in self.open.get(key, ()) if one.id == id]
        return succeed(found[0] if found else None)

    def close_listener(self, key: tuple[str, ...], id: str) -> Deferred[bool]:
        """Remember it."""
        return self._close([one.id for one in self.who.get(key, ())], id)

    def drain_listener(self, key: tuple[str, ...], id: str, on: bool) -> Deferred[bool]:
        """Remember it, and show it."""
        known = self.who.get(key, [])
        self.who[key] = [evolve(x, draining=on) if x.id == id else x for x in known]
        self.drained += [(id, on)] if any(x.id == id for x in known) else []
        return succeed(any(x.id == id for x in known))

    def close_tunnel(self, key: tuple[str, ...], id: str) -> Deferred[bool]:
        """Remember it."""
        return self._close([one.id for one in self.open.get(key, ())], id)

    def _close(self, known: Sequence[str], id: str) -> Deferred[bool]:
        self.closed += [id] if id in known else []
        return succeed(id in known)


@implementer(IAudit)
class FakeAudit:
    """
    @ivar events: what it was told.
    """

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def note(self, event: AuditEvent) -> None:
        """Remember it."""
        self.events.append(event)


_ROUTES = tuple(all_routes(make_server()))
_ROUTER = Router(_ROUTES)
_DOCUMENT = describe(_ROUTES)


class ApiCase(SynchronousTestCase):
    """
    @ivar now: the time.
    @ivar live: what goes on at the relay.
    @ivar quotas: how many there may be.
    @ivar listeners: how many listen, by namespace and path.
    """

    def setUp(self) -> None:
        self.now = 1_900_000_000.0
        self.listeners: dict[tuple[str, str], int] = {}
        self.live = FakeLive()
        self.quotas = Quotas()
        self.random = 0
        self.store = FakeStore()
        self.audit = FakeAudit()
        self.book = ResourceBook(self.store, self.store.run)
        self.server = make_server(
            now=lambda: self.now,
            random_bytes=self.random_bytes,
            listener_count=lambda name, path: self.listeners.get((name, path), 0),
            live=self.live,
            quotas=self.quotas,
        )
        self.make_api()

    def routes(self) -> Iterable[Route]:
        """What the API answers."""
        return all_routes(self.server)

    def make_api(self) -> None:
        """Have an API of the server and the book."""
        tokens = [StaticToken(role.value, role, digest(role.value)) for role in Role]
        self.api = ManagementApi(
            self.book,
            self.server,
            Callers(StaticTokens(tokens)),
            self.routes(),
            lambda: GUID,
            self.audit,
        )

    def random_bytes(self, count: int) -> bytes:
        self.random += 1
        return self.random.to_bytes(count, "big")

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        role: str = "admin",
        query: str = "?api-version=2021-11-01",
    ) -> FakeHeldRequest:
        """A request; its answer may be still to come."""
        headers = (("Host", "api.test"), ("Authorization", f"Bearer {role}"))
        data = b"" if body is None else json.dumps(body).encode()
        head = RequestHead(method, path + query, "1.1", headers)
        request = FakeHeldRequest(head, body_length=len(data), body=data)
        self.api.handle(request)
        return request

    def call(
        self, method: str, path: str, body: object = None, **more: Any
    ) -> tuple[int, Any]:
        """Its status and JSON."""
        answer = self.request(method, path, body, **more).outcome
        assert isinstance(answer, Answer), answer
        value = json.loads(answer.body) if answer.body else None
        self._check_described(method, path, answer.status, value)
        return answer.status, value

    def _check_described(
        self, method: str, path: str, status: int, value: object
    ) -> None:
        """The description of the API says that this can be answered."""
        route = _ROUTER.peek(method, path)
        if route is None:
            return
        answers = _DOCUMENT["paths"][route.path][method.lower()]["responses"]
        self.assertIn(str(status), answers, f"{method} {route.path}")
        answer = answers[str(status)]
        if "$ref" in answer:
            kind = answer["$ref"].rpartition("/")[2]
            answer = _DOCUMENT["components"]["responses"][kind]
        content = answer.get("content")
        if content is None:
            self.assertIsNone(value, f"{method} {route.path}")
            return
        schema = content["application/json"]["schema"]
        known = {"components": _DOCUMENT["components"]}
        jsonschema_rs.validate({**schema, **known}, value)

    def good(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Its JSON; it must be 200."""
        status, value = self.call(method, path, body, **more)
        self.assertEqual(status, 200, value)
        return value

    def refused(
        self, status: int, code: str, method: str, path: str, body: object = None
    ) -> str:
        """It must be refused so; the message."""
        found, value = self.call(method, path, body)
        self.assertEqual((found, value["error"]["code"]), (status, code), value)
        message: str = value["error"]["message"]
        self.assertTrue(message)
        return message

    def namespace(self) -> Any:
        """Make the namespace."""
        return self.good("PUT", NS, {"location": "westeurope"})
