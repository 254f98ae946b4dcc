"""Tests of L{hybridconn.core.entities}."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Match,
    Namespace,
    Secret,
    endpoint_metadata,
    find_rule,
    select_namespace,
)

SEGMENTS = st.lists(
    st.sampled_from(["a", "b", "ab", "A", "b%"]), min_size=1, max_size=4
)


class SecretTests(SynchronousTestCase):
    """What must not be seen is not seen."""

    def test_masked(self) -> None:
        """Neither str, repr nor a format shows the text; reveal does."""
        secret = Secret("hush")
        for shown in (
            str(secret),
            repr(secret),
            f"{secret}",
            f"{secret!r:>5}",
        ):
            self.assertNotIn("hush", shown)
            self.assertIn("…", shown)
        self.assertEqual(secret.reveal(), "hush")

    def test_in_a_rule(self) -> None:
        """The repr of a rule shows its name, not its keys."""
        rule = AuthorizationRule("app", {Claim.SEND}, Secret("one"), Secret("two"))
        self.assertIn("app", repr(rule))
        self.assertNotIn("one", repr(rule))
        self.assertNotIn("two", repr(rule))

    def test_value(self) -> None:
        """Secrets compare by their text, and only with secrets."""
        self.assertEqual(Secret("a"), Secret("a"))
        self.assertNotEqual(Secret("a"), Secret("b"))
        self.assertNotEqual(Secret("a"), "a")
        self.assertEqual(len({Secret("a"), Secret("a"), Secret("b")}), 2)
        self.assertFalse(Secret(""))
        self.assertTrue(Secret("\ud800") == Secret("\ud800"))

    def test_not_pickled(self) -> None:
        """A secret does not get into a pickle unnoticed."""
        self.assertRaises(TypeError, pickle.dumps, Secret("hush"))


class RuleTests(SynchronousTestCase):
    """Authorization rules."""

    def test_manage_implies_all(self) -> None:
        """Manage is Listen and Send too; the others imply nothing."""
        for right, expected in (
            (Claim.MANAGE, set(Claim)),
            (Claim.SEND, {Claim.SEND}),
            (Claim.LISTEN, {Claim.LISTEN}),
        ):
            rule = AuthorizationRule("r", [right], Secret("k"))
            self.assertEqual(rule.claims, expected)

    def test_found_in_any_case(self) -> None:
        """The name of a rule is compared without case."""
        rule = AuthorizationRule("RootKey", frozenset(), Secret("k"))
        self.assertIs(find_rule([rule], "rootkey"), rule)
        self.assertTrue(rule.named("ROOTKEY"))
        self.assertIsNone(find_rule([rule], "root"))


class EndpointTests(SynchronousTestCase):
    """The target in an entity's metadata (product-behaviour section 2)."""

    def endpoint(self, metadata: str) -> str | None:
        return HybridConnection("e", user_metadata=metadata).endpoint

    def test_found(self) -> None:
        """The first object whose key is endpoint gives host and port."""
        for value in ("db.corp:1433", "10.0.0.1:22", "[::1]:5432", "DB.corp:65535"):
            self.assertEqual(self.endpoint(endpoint_metadata(value)), value)
        self.assertEqual(
            self.endpoint(
                '[{"key":"other","value":"x"}, {"Key":"EndPoint","Value":" a:1 "},'
                ' {"key":"endpoint","value":"b:2"}]'
            ),
            "a:1",
        )

    def test_none(self) -> None:
        """Anything else stands for no target, and is no error."""
        for metadata in (
            "",
            "text",
            "{}",
            "[]",
            "[1]",
            '[{"key":"endpoint"}]',
            '[{"key":"endpoint","value":5}]',
            '[{"key":5,"value":"a:1"}]',
            "[" * 100_000,
        ):
            self.assertIsNone(self.endpoint(metadata))
        for value in (
            "a",
            "a:",
            ":1",
            "a:b",
            "a:0",
            "a:65536",
            "a:b:1",
            "[]:1",
            "a:\uff11",
        ):
            self.assertIsNone(self.endpoint(endpoint_metadata(value)), value)


class FindTests(SynchronousTestCase):
    """Finding the entity for a path (relay-protocol section 2.3)."""

    def setUp(self) -> None:
        self.hyco = HybridConnection("hyco")
        self.deep = HybridConnection("Hyco/Deep/er")
        self.namespace = Namespace("contoso", hybrid_connections=(self.hyco, self.deep))

    def test_longest(self) -> None:
        """The longest entity that is a prefix on a boundary wins."""
        for path, expected in (
            ("hyco", Match(self.hyco, 0)),
            ("HYCO", Match(self.hyco, 0)),
            ("hyco/x", Match(self.hyco, 1)),
            ("hyco/deep", Match(self.hyco, 1)),
            ("hyco/deep/ER", Match(self.deep, 0)),
            ("hyco/deep/er/x/y", Match(self.deep, 2)),
            ("hyco2", None),
            ("hyc", None),
            ("x/hyco", None),
        ):
            self.assertEqual(self.namespace.find(path.split("/")), expected, path)
        self.assertIsNone(self.namespace.find(()))
        self.assertIsNone(Namespace("empty").find(("hyco",)))

    @given(st.lists(SEGMENTS.map("/".join), max_size=6), SEGMENTS)
    def test_oracle(self, paths: list[str], wanted: list[str]) -> None:
        """The same entity is found as by trying each in turn."""
        entities = {path.lower(): HybridConnection(path) for path in paths}
        namespace = Namespace("n", hybrid_connections=tuple(entities.values()))
        best = None
        for path, entity in entities.items():
            if ("/".join(wanted) + "/").lower().startswith(path + "/") and (
                best is None or len(path) > len(best.path)
            ):
                best = entity
        found = namespace.find(wanted)
        self.assertIs(found and found.entity, best)


class SelectNamespaceTests(SynchronousTestCase):
    """Choosing the namespace by the host."""

    def setUp(self) -> None:
        self.one = Namespace("one", host_names=("One.example", "uno.example"))
        self.two = Namespace("two", host_names=("two.example", "[::1]"))

    def test_by_name(self) -> None:
        """Each of its names selects a namespace, in any case."""
        both = (self.one, self.two)
        for host, expected in (
            ("one.example", self.one),
            ("UNO.example", self.one),
            ("two.example.", self.two),
            ("::1", self.two),
            ("three.example", None),
            ("", None),
        ):
            self.assertIs(select_namespace(both, host), expected)

    def test_only_one(self) -> None:
        """A single namespace answers to every name; none to no namespace."""
        self.assertIs(select_namespace((self.one,), "127.0.0.1"), self.one)
        self.assertIsNone(select_namespace((), "one.example"))


class ChangedNamespaceTests(SynchronousTestCase):
    """A namespace with one more, or one less."""

    def test_same_as_made_anew(self) -> None:
        """It finds what one finds that is made of the same hybrid connections."""
        paths = ["a", "b/c", "b/c/d", "A/x"]
        grown = Namespace("contoso")
        for path in paths:
            before = grown
            grown = before.with_entity(HybridConnection(path))
            self.assertIsNone(before.entity(HybridConnection(path).segments))
        made = Namespace(
            "contoso", hybrid_connections=tuple(map(HybridConnection, paths))
        )
        self.assertEqual(grown, made)
        other = HybridConnection("B/C/D", user_metadata="x")
        changed = grown.with_entity(other)
        self.assertEqual(len(changed.hybrid_connections), 4)
        for wanted in (["b", "c", "d", "e"], ["b", "c"], ["a", "y"], ["c"]):
            self.assertEqual(grown.find(wanted), made.find(wanted))
        match = changed.find(["b", "c", "d", "e"])
        assert match is not None
        self.assertIs(match.entity, other)
        less = changed.without_entity(("b", "c", "d"))
        match = less.find(["b", "c", "d", "e"])
        assert match is not None
        self.assertEqual((match.entity.path, match.suffix_segments), ("b/c", 2))
        self.assertRaises(KeyError, less.without_entity, ("b", "c", "d"))
