"""A thread for calls that block, when their order matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool


class CallThread:
    """
    Makes calls one after the other.  The thread begins with the first one.

    @param name: of the thread.
    """

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, 1, name)

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        """Make a call there."""
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, call)

    def end(self) -> None:
        """End the thread; all its calls are done, or this would block."""
        if self._pool.started:
            self._pool.stop()
