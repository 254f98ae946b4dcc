"""Memory stays flat whatever passes, and whoever does not read."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable

from tests.integration.case import IntegrationTestCase
from tests.integration.peers import Listener
from tests.integration.programs import Program
from tests.integration.rawsocket import BINARY, RawWebSocket, frame_head
from tests.integration.stage import SEND, Stage
from tests.integration.targets import blob, digest, pieces, read_all
from tests.integration.waiting import wait_for

MIB = 1024 * 1024
# What a process may grow by while it carries any amount of data.
ALLOWANCE = 32 * MIB


class Meter(threading.Thread):
    """Watches the memory of processes; context manager."""

    def __init__(self, *programs: Program) -> None:
        super().__init__(daemon=True)
        self._programs = programs
        self.before = [program.memory() for program in programs]
        self._peak = list(self.before)
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.05):
            now = [program.memory() for program in self._programs]
            self._peak = [max(*pair) for pair in zip(self._peak, now, strict=True)]

    def __enter__(self) -> Meter:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def growth(self) -> dict[str, int]:
        """How much each grew at most, in bytes."""
        return {
            program.name: peak - before
            for program, peak, before in zip(
                self._programs, self._peak, self.before, strict=True
            )
        }


class Writer(threading.Thread):
    """
    Writes pieces in the background.

    @ivar written: how many bytes the system has taken so far.
    """

    def __init__(self, connection: socket.socket, piece: bytes, times: int) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._piece = piece
        self._times = times
        self.written = 0
        self.problem: OSError | None = None

    def run(self) -> None:
        try:
            for _ in range(self._times):
                self._connection.sendall(self._piece)
                self.written += len(self._piece)
        except OSError as problem:
            self.problem = problem

    def wait_stuck(self, seconds: float = 20.0) -> int:
        """Wait until it got nothing written for a second; how much it had then."""
        state = [self.written, time.monotonic()]

        def ask() -> bool:
            if self.written != state[0]:
                state[:] = [self.written, time.monotonic()]
            return time.monotonic() - state[1] > 1.0

        wait_for("the writer to be held back", ask, seconds)
        return self.written


class MemoryTests(IntegrationTestCase):
    """reliability-security T16: a reader that stalls costs nobody memory."""

    def assertFlat(self, meter: Meter) -> None:
        for name, grown in meter.growth().items():
            self.assertLess(grown, ALLOWANCE, f"{name} grew by {grown / MIB:.0f} MiB")

    def test_one_huge_message(self) -> None:
        """One message of 1 GiB, its reader stalled at first: the relay stays flat."""
        stage = self.use(Stage(["huge"]))
        relay = stage.start_relay()
        listener = Listener(stage, "huge")
        self.addCleanup(listener.close)
        sender = RawWebSocket(stage, stage.url("huge"), stage.token("huge", SEND))
        self.addCleanup(sender.close)
        reader = RawWebSocket(stage, listener.next()["address"]).handshake()
        self.addCleanup(reader.close)
        self.assertEqual(reader.answer.status, 101)
        self.assertEqual(sender.handshake().answer.status, 101)
        piece, times = blob(4 * MIB), 256
        with Meter(relay) as meter:
            sender.connection.sendall(frame_head(BINARY, len(piece) * times))
            writer = Writer(sender.connection, piece, times)
            writer.start()
            passed = writer.wait_stuck()
            stalled = meter.growth()["relay"]
            got, total, most = 0, hashlib.sha256(), 0
            began = time.monotonic()
            while True:
                frame = reader.receive()
                got += len(frame.payload)
                most = max(most, len(frame.payload))
                total.update(frame.payload)
                if frame.final:
                    break
            writer.join()
        seconds = time.monotonic() - began
        print(
            f"\nfigure: one message of 1 GiB in {seconds:.1f} s: the relay's memory is"
            f" {meter.before[0] / MIB:.0f} MiB before, +{stalled / MIB:.1f} with the"
            f" reader stalled ({passed / MIB:.0f} MiB were taken),"
            f" +{meter.growth()['relay'] / MIB:.1f} at most"
        )
        self.assertEqual(got, len(piece) * times)
        expected = hashlib.sha256()
        for _ in range(times):
            expected.update(piece)
        self.assertEqual(total.hexdigest(), expected.hexdigest())
        # Java's client drops larger frames (relay-protocol 13.1).
        self.assertLessEqual(most, 65_536)
        self.assertLess(passed, 64 * MIB)
        self.assertFlat(meter)

    def tunnel(self, serve: Callable[[socket.socket], None]) -> socket.socket:
        self.stage = stage = self.use(Stage(["stalled"]))
        stage.start_relay()
        stage.start_listener({"stalled": self.target(serve).port})
        connection = stage.dial(stage.start_sender("stalled")["stalled"], 120)
        self.addCleanup(connection.close)
        return connection

    def meter(self) -> Meter:
        return Meter(self.stage.relay, self.stage["listener"], self.stage["sender"])

    def test_stalled_target(self) -> None:
        """192 MiB for a target that does not read: the client is held back."""
        go = threading.Event()
        self.addCleanup(go.set)

        def serve(connection: socket.socket) -> None:
            go.wait(60)
            digest(connection)

        connection = self.tunnel(serve)
        piece = blob(MIB)
        with self.meter() as meter:
            writer = Writer(connection, piece, 192)
            writer.start()
            self.assertLess(writer.wait_stuck(), 100 * MIB)
            go.set()
            writer.join()
            connection.shutdown(socket.SHUT_WR)
            answer = read_all(connection)
        self.assertEqual(answer, hashlib.sha256(piece * 192).digest())
        self.assertFlat(meter)

    def test_stalled_client(self) -> None:
        """192 MiB for a client that does not read: the target is held back."""
        piece = blob(MIB)
        writers: list[Writer] = []
        began = threading.Event()

        def serve(connection: socket.socket) -> None:
            writer = Writer(connection, piece, 192)
            writers.append(writer)
            began.set()
            writer.run()

        connection = self.tunnel(serve)
        with self.meter() as meter:
            self.assertTrue(began.wait(15))
            self.assertLess(writers[0].wait_stuck(), 100 * MIB)
            total = hashlib.sha256()
            for got in pieces(connection):
                total.update(got)
        self.assertEqual(total.digest(), hashlib.sha256(piece * 192).digest())
        self.assertFlat(meter)

    def test_unread_pings(self) -> None:
        """100 000 pings whose pongs nobody reads do not fill the relay's memory."""
        stage = self.use(Stage(["pings"]))
        relay = stage.start_relay()
        listener = Listener(stage, "pings")
        self.addCleanup(listener.close)
        sender = RawWebSocket(stage, stage.url("pings"), stage.token("pings", SEND))
        self.addCleanup(sender.close)
        RawWebSocket(stage, listener.next()["address"]).handshake()
        sender.handshake()
        with Meter(relay) as meter:
            ping = frame_head(0x9, 125) + bytes(125)
            writer = Writer(sender.connection, ping * 100, 1000)
            writer.start()
            # The relay may cut it off; it may not hoard.
            writer.join(20)
        self.assertFlat(meter)
