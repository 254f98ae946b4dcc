"""Tests of L{hybridconn.management.book}: other nodes, and a store that fails."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from hybridconn.core.entities import Claim, Secret
from hybridconn.core.resources import (
    ConnectionResource,
    NamespaceResource,
    Resource,
    RuleResource,
)
from hybridconn.management.registry import News
from hybridconn.stores.errors import ChangeInDoubt, StoreError
from hybridconn.stores.vault import VaultError
from hybridconn.testing.fakes import Answer
from tests.management.case import NS, SUB, ApiCase

NAME = "contoso-relay"
OURS = NamespaceResource(name=NAME, subscription=SUB, group="rg1", created=1, updated=1)
DB = ConnectionResource(namespace=NAME, path="db", created=2, updated=2)
WEB = ConnectionResource(namespace=NAME, path="web", created=3, updated=3)
CONNECTIONS = f"{NS}/hybridConnections"


class OthersTests(ApiCase):
    """What another node does."""

    def setUp(self) -> None:
        super().setUp()
        self.heard: list[tuple[str, str]] = []
        self.others(OURS, DB, WEB)
        self.book.entities.watch(lambda *change: self.heard.append(change))

    def others(self, *puts: Resource) -> None:
        """Another node changed something, and we look."""
        self.store.others = News(puts)
        self.successResultOf(self.book.catch_up())

    def paths(self) -> list[str]:
        """The paths that the data plane knows."""
        return [
            entity.path
            for namespace in self.book.entities.namespaces()
            for entity in namespace.hybrid_connections
        ]

    def test_seen(self) -> None:
        """It can be seen in both planes, and only what is new is heard of."""
        self.assertEqual(self.paths(), ["db", "web"])
        self.good("GET", f"{CONNECTIONS}/db")
        self.others(OURS, DB, evolve(WEB, user_metadata="x"))
        self.assertEqual(self.heard, [(NAME, "web")])
        self.others()
        self.assertEqual(len(self.heard), 1)

    def test_gone(self) -> None:
        """What it removed is gone."""
        self.store.others = News((), ((DB.kind, DB.key),))
        self.successResultOf(self.book.catch_up())
        self.assertEqual((self.paths(), self.heard), (["web"], [(NAME, "db")]))
        self.store.others = News((WEB,), whole=True)
        self.successResultOf(self.book.catch_up())
        self.assertEqual(self.paths(), [])
        self.assertIn((NAME, ""), self.heard)

    def test_made_again(self) -> None:
        """What was removed and made again is another thing: the old one is closed."""
        seen: list[list[str]] = []
        self.book.entities.watch(lambda *_: seen.append(self.paths()))
        self.others(evolve(DB, created=9))
        self.assertEqual(seen, [["web"], ["web", "db"]])
        seen.clear()
        self.others(evolve(OURS, created=9))
        self.assertEqual(seen[0], [])
        self.assertEqual(self.paths(), ["db", "web"])

    def test_new_key(self) -> None:
        """A regenerated key is the data plane's at once."""
        rule = RuleResource(
            namespace=NAME,
            path="db",
            name="r",
            rights={Claim.SEND},
            primary_key=Secret("old"),
        )
        self.others(rule)
        self.others(evolve(rule, primary_key=Secret("new")))
        (namespace,) = self.book.entities.namespaces()
        found = namespace.find(["db"])
        assert found is not None
        self.assertEqual(found.entity.rules[0].primary_key.reveal(), "new")

    def test_before_a_change(self) -> None:
        """An operation sees all that others did before it, limits among it."""
        self.store.others = News(
            tuple(
                RuleResource(
                    namespace=NAME,
                    path="",
                    name=f"r{number}",
                    rights={Claim.SEND},
                    primary_key=Secret("k"),
                )
                for number in range(12)
            )
        )
        body = {"properties": {"rights": ["Send"]}}
        self.refused(
            403, "QuotaExceeded", "PUT", f"{NS}/authorizationRules/one-more", body
        )
        self.assertEqual(self.store.calls[-2:], ["lock", "release"])
        self.store.others = News((), ((OURS.kind, OURS.key),))
        self.refused(404, "ParentResourceNotFound", "PUT", f"{CONNECTIONS}/x", {})
        self.assertEqual(self.store.saved, [])

    def test_one_after_the_other(self) -> None:
        """Nobody looks while a change is being kept."""
        slow = self.store.slow = Deferred()
        request = self.request("PUT", f"{CONNECTIONS}/x", {})
        looked = self.book.catch_up()
        self.assertNoResult(looked)
        self.assertEqual(self.store.calls[-2:], ["lock", "keep"])
        slow.callback(None)
        self.successResultOf(looked)
        self.assertIsInstance(request.outcome, Answer)


class FailingTests(ApiCase):
    """A store that cannot be reached."""

    def setUp(self) -> None:
        super().setUp()
        self.namespace()
        self.good("PUT", f"{CONNECTIONS}/db", {})

    def test_down(self) -> None:
        """Reads go on; a write is a 503 that says so, and nothing has changed."""
        for broken in (StoreError("refused: db.example"), VaultError("other key")):
            for call in ("lock", "keep"):
                self.store.broken = {call: broken}
                answer = self.refused(
                    503, "ServiceUnavailable", "PUT", f"{CONNECTIONS}/x", {}
                )
                self.assertIn("nothing was done", answer)
                self.assertNotIn("db.example", answer)
                self.good("GET", f"{CONNECTIONS}/db")
                self.refused(404, "ResourceNotFound", "GET", f"{CONNECTIONS}/x")
        self.store.broken = {}
        self.good("PUT", f"{CONNECTIONS}/x", {})

    def test_in_doubt(self) -> None:
        """Lost at the commit: whoever asked for it must look."""
        self.store.broken = {"keep": ChangeInDoubt("lost")}
        answer = self.refused(503, "ServiceUnavailable", "PUT", f"{CONNECTIONS}/x", {})
        self.assertIn("may have been made, or not", answer)

    def test_lost_at_the_end(self) -> None:
        """If nothing was to be kept, a lost store is nobody's concern."""
        self.store.broken = {"release": StoreError("lost")}
        self.good("PUT", f"{CONNECTIONS}/db", {})
        self.refused(
            404, "ParentResourceNotFound", "PUT", f"{NS}x/hybridConnections/a", {}
        )

    def test_catch_up(self) -> None:
        """Who looks is told."""
        self.store.broken = {"news": StoreError("lost")}
        self.failureResultOf(self.book.catch_up(), StoreError)

    def test_waited(self) -> None:
        """What waited for a call that failed does not wait for another one."""
        slow: Deferred[None] = Deferred()
        self.store.slow = slow
        first = self.request("PUT", f"{CONNECTIONS}/x", {})
        second = self.request("PUT", f"{CONNECTIONS}/y", {})
        self.store.calls.clear()
        slow.errback(StoreError("aborted"))
        for request in (first, second):
            assert isinstance(request.outcome, Answer)
            self.assertEqual(request.outcome.status, 503)
        self.assertEqual(self.store.calls, [])
        self.good("PUT", f"{CONNECTIONS}/y", {})

    def test_closed(self) -> None:
        """What was begun is done; then nothing is changed any more."""
        slow = self.store.slow = Deferred()
        first = self.request("PUT", f"{CONNECTIONS}/x", {})
        closed = Deferred.fromCoroutine(self.book.close())
        self.assertNoResult(closed)
        slow.callback(None)
        self.successResultOf(closed)
        assert isinstance(first.outcome, Answer)
        self.assertEqual(first.outcome.status, 200)
        answer = self.refused(503, "ServiceUnavailable", "PUT", f"{CONNECTIONS}/y", {})
        self.assertIn("being stopped", answer)
