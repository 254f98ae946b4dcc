"""Tests of L{hybridconn.names.cache}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.names.cache import AnswerCache
from hybridconn.names.packet import lifetimes
from tests.names.test_packet import answer_to, query


class CacheTests(SynchronousTestCase):
    """What is kept, and for how long."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.cache = AnswerCache(self.clock.seconds, 2)

    def test_life(self) -> None:
        """For the shortest of its times, which pass meanwhile, under the new id."""
        asked = query(number=1)
        self.cache.keep(asked, answer_to(asked, 60, 10))
        self.clock.advance(4)
        found = self.cache.find(query(number=2))
        assert found is not None
        self.assertEqual(found[:2], b"\0\2")
        self.assertEqual([ttl for _, ttl in lifetimes(found)], [56, 6])
        self.clock.advance(6)
        self.assertIsNone(self.cache.find(asked))

    def test_not_kept(self) -> None:
        """No error, nothing empty, nothing that may not be kept, nothing broken."""
        asked = query()
        for answer in (
            answer_to(asked, status=3),
            answer_to(asked, 60, status=2),
            answer_to(asked),
            answer_to(asked, 60, 0),
            answer_to(asked, 60) + b"more",
            answer_to(asked, 60)[:-1],
        ):
            self.cache.keep(asked, answer)
            self.assertEqual(len(self.cache), 0)
        update = asked[:2] + b"\x28" + asked[3:]
        for other in (asked + bytes(5000), update):
            self.cache.keep(other, answer_to(asked, 60))
            self.assertEqual(len(self.cache), 0)

    def test_exactly(self) -> None:
        """Only the same query gets it."""
        asked = query()
        self.cache.keep(asked, answer_to(asked, 60))
        self.assertIsNone(self.cache.find(query("db2.corp")))
        self.assertIsNone(self.cache.find(asked + b"\0"))

    def test_bounded(self) -> None:
        """The one that was not asked for longest makes room."""
        one, two, three = (query(name) for name in ("a", "b", "c"))
        self.cache.keep(one, answer_to(one, 60))
        self.cache.keep(two, answer_to(two, 60))
        self.cache.find(one)
        self.cache.keep(three, answer_to(three, 60))
        self.assertIsNone(self.cache.find(two))
        self.assertIsNotNone(self.cache.find(one))
