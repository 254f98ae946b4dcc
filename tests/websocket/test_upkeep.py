"""The one slow timer, and what it finds out."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn import memory
from hybridconn.websocket.upkeep import Liveness, Upkeep


class Socket:
    """What liveness looks at."""

    def __init__(self) -> None:
        self.bytes_received = 0
        self.paused = False
        self.close_received = False
        self.close_sent = False
        self.calls: list[str] = []
        self.flow = self
        self.blocked = False
        self.looks = 0
        self.frees = False

    def send_ping(self) -> None:
        self.calls.append("ping")

    def release_if_idle(self) -> bool:
        self.looks += 1
        return self.frees

    def abort(self) -> None:
        self.calls.append("abort")


class LivenessTests(SynchronousTestCase):
    """Ping after 30 s of silence, gone 15 s later."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.socket: Any = Socket()
        self.upkeep = Upkeep(self.clock, 1.0)
        self.upkeep.startService()
        self.addCleanup(self.upkeep.stopService)
        self.upkeep.add(Liveness(cast(Any, self.socket), 30.0, 15.0, "peer"))

    def wait(self, seconds: int) -> list[str]:
        for _ in range(seconds):
            self.clock.advance(1.0)
        calls, self.socket.calls = self.socket.calls, []
        return list(calls)

    def test_dead(self) -> None:
        """A silent peer is pinged once, and dropped when it stays silent."""
        self.assertEqual(self.wait(30), [])
        self.assertEqual(self.wait(2), ["ping"])
        self.assertEqual(self.wait(13), [])
        self.assertEqual(self.wait(3)[:1], ["abort"])

    def test_alive(self) -> None:
        """Any byte is a sign of life."""
        self.wait(32)
        self.socket.bytes_received += 1
        self.assertEqual(self.wait(28), [])

    def test_memory(self) -> None:
        """What an idle connection holds is freed, and given back if there is any."""
        given: list[int] = []
        self.patch(memory, "_trim", given.append)
        self.wait(3)
        self.assertEqual((self.socket.looks, given), (3, []))
        self.socket.frees = True
        self.wait(1)
        self.assertEqual(given, [0])
        self.patch(memory, "_trim", None)
        self.assertFalse(memory.give_back())

    def test_excused(self) -> None:
        """No verdict while its sign of life could not come."""
        for fact in ("paused", "blocked", "close_received", "close_sent"):
            setattr(self.socket, fact, True)
            self.assertEqual(self.wait(100), [], fact)
            setattr(self.socket, fact, False)

    def test_never(self) -> None:
        """With an interval of 0 nobody is pinged."""
        self.upkeep.add(Liveness(self.socket, 0.0, 15.0, "other"))
        self.assertEqual(self.wait(31), ["ping"])

    def test_one_bug(self) -> None:
        """What fails in one look does not end the watch over the others."""

        class Broken:
            def look(self, now: float) -> None:
                raise RuntimeError("broken")

        self.upkeep.add(Broken())
        self.assertEqual(self.wait(32), ["ping"])
        self.assertTrue(self.flushLoggedErrors(RuntimeError))

    def test_turns(self) -> None:
        """A turn is a quarter of the shortest time-out, within bounds."""
        self.assertEqual(Upkeep.turn_for(30.0, 15.0, 0.0), 3.75)
        self.assertEqual(Upkeep.turn_for(0.1), 0.25)
        self.assertEqual(Upkeep.turn_for(600.0), 5.0)
        self.assertEqual(Upkeep.turn_for(0.0), 5.0)
