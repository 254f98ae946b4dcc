"""The parts of L{bench.load} as processes."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.processes import Child, Children

Figures = dict[str, Any]


class Part(Child):
    """
    One part that plays.

    @param part: its name in L{bench.load.__main__}.
    @param settings: what it is to do.
    """

    _count = 0

    def __init__(
        self, children: Children, folder: Path, part: str, **settings: Any
    ) -> None:
        Part._count += 1
        super().__init__(
            f"load-{part}-{Part._count}",
            [sys.executable, "-m", "bench.load", part],
            folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        children.add(self)
        self._children = children
        self._unread = b""
        self._say(json.dumps(settings))

    def expect(self, event: str, seconds: float = 120.0) -> Figures:
        """
        Wait until it says C{event}.

        @raise BenchError: if it says something else, ends, or takes too long.
        """
        stream = self.process.stdout
        assert stream is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise BenchError(f"{self.name} did not say {event} in {seconds} s")
                got = stream.read1(65536)  # type: ignore[attr-defined]  # buffered
                if not got:
                    self.process.wait(5)
                    self.check()
                    raise BenchError(f"{self.name} ended before {event}")
                self._unread += got
        line, _, self._unread = self._unread.partition(b"\n")
        said: Figures = json.loads(line)
        if said["event"] != event:
            raise BenchError(f"{self.name} said {said['event']}, not {event}")
        return said

    def go(self) -> None:
        """Let it go on."""
        self._say("go")

    def end(self) -> None:
        """End it now."""
        self._children.end(self)

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
