"""Tests of L{hybridconn.cluster.shared_bus}, with a database in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.cluster.shared_bus import BEAT, RETRY, BothBuses, SharedBus
from hybridconn.interfaces import IClusterBus
from hybridconn.stores.errors import StoreError
from hybridconn.stores.nodes import EVERYBODY, LONGEST, channel_of
from hybridconn.testing import MemoryCluster
from tests.cluster.test_bus import Member


class FakeReactor(Clock):
    """Hears nothing by itself."""

    def addReader(self, bell: FakeBell) -> None:
        """Watch it (Twisted)."""
        bell.watched = True

    def removeReader(self, bell: FakeBell) -> None:
        """No more (Twisted)."""
        bell.watched = False


class FakeThread:
    """Makes calls at once."""

    ended = False

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        """Make one."""
        return maybeDeferred(call)

    def hurry(self) -> None:
        """All are quick already."""

    def end(self) -> None:
        """It is over."""
        self.ended = True


class FakeBell:
    """Hears what is said on some channels."""

    watched = False

    def __init__(self, board: Board, channels: set[str], heard: Any, lost: Any) -> None:
        self.board = board
        self.channels = channels
        self.heard = heard
        self.lost = lost
        board.bells.append(self)

    def close(self) -> None:
        """Hear nothing more."""
        if self in self.board.bells:
            self.board.bells.remove(self)


class Board:
    """
    The database that all of them have.

    @ivar down: nobody reaches it.
    """

    def __init__(self) -> None:
        self.alive: list[str] = []
        self.bells: list[FakeBell] = []
        self.said: list[tuple[str, str]] = []
        self.down = False

    def check(self) -> None:
        """It is there."""
        if self.down:
            raise StoreError("gone")

    def say(self, channel: str, notice: str) -> None:
        """All who listen hear it, when they look."""
        assert len(notice) <= LONGEST and notice.isascii()
        self.said.append((channel, notice))

    def flush(self) -> None:
        """Have all that was said heard."""
        while self.said:
            channel, notice = self.said.pop(0)
            for bell in tuple(self.bells):
                if channel in bell.channels and bell.watched:
                    bell.heard(notice)

    def cut(self, node: str) -> None:
        """A node hears nothing more, and is told so."""
        for bell in tuple(self.bells):
            if channel_of(node) in bell.channels:
                bell.close()
                bell.lost()


class FakeNodes:
    """One node's way to it."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.closed = False

    def listen(self, node: str, heard: Any, lost: Any) -> FakeBell:
        self.board.check()
        return FakeBell(self.board, {EVERYBODY, channel_of(node)}, heard, lost)

    def register(self, node: str, hello: str) -> list[str]:
        self.board.check()
        self.board.alive.append(node)
        self.board.say(EVERYBODY, hello)
        return self.others(node)

    def beat(self, node: str) -> list[str]:
        self.board.check()
        if node not in self.board.alive:
            raise StoreError("counts as gone")
        return self.others(node)

    def leave(self, node: str, goodbye: str) -> None:
        self.board.check()
        if node in self.board.alive:
            self.board.alive.remove(node)
        self.board.say(EVERYBODY, goodbye)

    def send(self, notices: Iterable[tuple[str, str]]) -> None:
        self.board.check()
        # PostgreSQL does so too.
        for channel, notice in dict.fromkeys(notices):
            self.board.say(channel, notice)

    def others(self, node: str) -> list[str]:
        return [other for other in self.board.alive if other != node]

    def close(self) -> None:
        self.closed = True


class Recorder:
    """A log whose lines are C{said}."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def error(self, text: str, trouble: str) -> None:
        self.said.append(trouble)

    def info(self, text: str) -> None:
        self.said.append(text)

    def debug(self, text: str, error: Exception) -> None:
        """Of no interest."""


class SharedBusTests(SynchronousTestCase):
    """Three relays, the third with two workers."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.board = Board()
        self.names = iter(range(1, 1000))
        self.members: dict[str, Member] = {}
        self.buses: dict[str, SharedBus] = {}
        for name, group in (("a", "a"), ("b", "b"), ("c", "c"), ("d", "c")):
            bus: Any = SharedBus(
                FakeNodes(self.board),  # type: ignore[arg-type]  # stands in for it
                FakeThread(),  # type: ignore[arg-type]  # the same
                self.reactor,
                group,
                lambda: str(next(self.names)),
            )
            self.members[name] = Member()
            bus.join(self.members[name])
            bus.startService()
            self.buses[name] = bus
            self.board.flush()

    def heard(self, name: str) -> list[tuple[Any, ...]]:
        """What a node heard since it was asked last."""
        self.board.flush()
        heard, self.members[name].heard = self.members[name].heard, []
        return heard

    def forget(self) -> None:
        for name in self.members:
            self.heard(name)

    def test_interface(self) -> None:
        """It is a bus."""
        self.assertTrue(verifyObject(IClusterBus, self.buses["a"]))

    def test_joined(self) -> None:
        """Everybody hears of everybody else, but not of those of the same relay."""
        one, two, three, four = "a_1", "b_2", "c_3", "c_4"
        for name, others in (
            ("a", [two, three, four]),
            ("b", [one, three, four]),
            ("c", [one, two]),
            ("d", [one, two]),
        ):
            heard = self.heard(name)
            self.assertEqual(sorted(heard), [("joined", node) for node in others])

    def test_said(self) -> None:
        """To one or to all, short or long, in order; the same twice is heard twice."""
        self.forget()
        long = {"command": "\x01\u00e9" * 20_000}
        for message in (long, {"x": 1}, {"x": 1}):
            self.buses["a"].tell("b_2", message)
        self.buses["c"].tell(None, {"y": "\n"})
        self.buses["a"].tell("nobody", {"x": 1})
        self.assertEqual(
            self.heard("b"),
            [("a_1", long), ("a_1", {"x": 1}), ("a_1", {"x": 1}), ("c_3", {"y": "\n"})],
        )
        self.assertEqual(self.heard("a"), [("c_3", {"y": "\n"})])
        self.assertEqual(self.heard("c") + self.heard("d"), [])

    def test_left(self) -> None:
        """Who stops says so, and lets go of the database and the thread."""
        self.forget()
        bus: Any = self.buses["a"]
        self.successResultOf(bus.stopService())
        self.assertEqual(self.heard("b"), [("lost", "a_1")])
        self.assertNotIn("a_1", self.board.alive)
        self.assertTrue(bus._thread.ended and bus._nodes.closed)
        for name in "bcd":
            self.successResultOf(self.buses[name].stopService())
        self.assertEqual((self.reactor.getDelayedCalls(), self.board.bells), ([], []))

    def test_died(self) -> None:
        """Who renews its lease no more is gone at the next beat; who missed it too."""
        self.forget()
        self.board.alive.remove("b_2")
        self.reactor.advance(BEAT)
        self.assertIn(("lost", "b_2"), self.heard("a"))
        # It was only slow, and comes back as another one.
        self.reactor.advance(RETRY)
        self.board.flush()
        self.assertEqual(self.buses["b"].node, "b_5")
        self.assertEqual(self.heard("a"), [("joined", "b_5")])
        joined = [node for what, node in self.heard("b") if what == "joined"]
        self.assertEqual(sorted(joined), ["a_1", "c_3", "c_4"])

    def test_cut_off(self) -> None:
        """Who may have missed something begins anew, on both sides."""
        self.forget()
        self.board.cut("b_2")
        self.assertEqual(len(self.heard("b")), 3)
        self.assertEqual(self.heard("a"), [("lost", "b_2")])
        self.reactor.advance(RETRY)
        self.assertEqual(self.heard("a"), [("joined", "b_5")])
        self.buses["a"].tell("b_5", {"x": 1})
        self.assertEqual(self.heard("b")[-1], ("a_1", {"x": 1}))

    def test_down(self) -> None:
        """Without the database each is alone, says so once, and all come back."""
        self.forget()
        bus: Any = self.buses["a"]
        bus.log = log = Recorder()
        said = log.said
        self.board.down = True
        bus.tell("b_2", {"x": 1})
        self.assertEqual(
            sorted(self.heard("a")), [("lost", n) for n in ("b_2", "c_3", "c_4")]
        )
        bus.tell("b_2", {"x": 2})
        self.reactor.pump([BEAT] * 3)
        self.assertEqual(said, ["gone"])
        self.board.down = False
        self.board.alive.clear()
        self.reactor.pump([BEAT] * 3)
        self.board.flush()
        self.assertEqual(said, ["gone", "with the other relays again"])
        self.assertEqual(len(bus.peers), 3)
        self.assertEqual(len(self.buses["c"].peers), 2)

    def test_noise(self) -> None:
        """What is no message is not heard, or logged; the next one is heard."""
        self.forget()
        for notice in ("", "x", "a b c d\n", "c_3 1 .\n{", "b_9 1 .\n{}"):
            self.board.say(channel_of("a_1"), notice)
        self.buses["b"].tell("a_1", {"x": 1})
        self.assertEqual(self.heard("a"), [("b_2", {"x": 1})])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def slow(self, name: str) -> Callable[[], None]:
        """Have a node's calls answered when the test says so, with what was then."""
        waiting: list[tuple[Deferred[Any], Any]] = []
        bus: Any = self.buses[name]

        def run(call: Callable[[], Any]) -> Deferred[Any]:
            waiting.append((Deferred(), call()))
            return waiting[-1][0]

        def answer() -> None:
            now = waiting[:]
            waiting.clear()
            for one, value in now:
                one.callback(value)

        bus._run = run
        return answer

    def test_old_answer(self) -> None:
        """Who comes or leaves while the database is asked knows it better."""
        self.forget()
        answer = self.slow("a")
        self.reactor.advance(BEAT)
        self.successResultOf(self.buses["b"].stopService())
        self.buses["b"].startService()
        self.board.flush()
        answer()
        self.assertEqual(self.heard("a"), [("lost", "b_2"), ("joined", "b_5")])
        self.assertEqual(self.buses["a"].peers, {"b_5", "c_3", "c_4"})

    def test_early_message(self) -> None:
        """Others may have heard of a node and answered it before it knows that."""
        answer = self.slow("a")
        self.board.cut("a_1")
        while "a_5" not in self.board.alive:
            # It leaves, listens under another name, and registers that.
            answer()
            self.reactor.advance(RETRY)
        self.forget()
        self.buses["b"].tell("a_5", {"x": 1})
        self.assertIn(("b_2", {"x": 1}), self.heard("a"))
        answer()
        self.assertNotIn(("lost", "b_2"), self.heard("a"))
        self.assertEqual(self.buses["a"].peers, {"b_2", "c_3", "c_4"})

    def test_both(self) -> None:
        """With the workers' own bus: each message takes the way to its node."""
        workers = MemoryCluster(self.reactor)
        here, there = Member(), Member()
        both = BothBuses(workers.bus("1.1"), self.buses["c"])
        both.join(here)
        workers.bus("2.1").join(there)
        self.reactor.advance(0)
        self.forget()
        self.assertEqual(both.node, "1.1")
        both.tell("2.1", {"x": 1})
        both.tell("b_2", {"x": 2})
        both.tell(None, {"x": 3})
        self.reactor.advance(0)
        self.assertEqual(there.heard[-2:], [("1.1", {"x": 1}), ("1.1", {"x": 3})])
        self.assertEqual(self.heard("b"), [("c_3", {"x": 2}), ("c_3", {"x": 3})])
        self.buses["b"].tell("c_3", {"y": 1})
        self.board.flush()
        self.assertIn(("b_2", {"y": 1}), here.heard)
