"""A thread for calls that block, when their order matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

#: Seconds that a call may take, and when everything is to be stopped.
LONGEST, LONGEST_AT_END = 20.0, 3.0


class CallThread:
    """
    Makes calls one after the other.  The thread begins with the first one.

    @param name: of the thread.
    @param abort: called, in the reactor's thread, when a call takes too long: it has
        that call fail.  A server that accepts everything and answers nothing would
        keep it for ever.
    """

    def __init__(self, reactor: Any, name: str, abort: Callable[[], None]) -> None:
        self._reactor = reactor
        self._abort = abort
        self._pool = ThreadPool(0, 1, name)
        self._longest = LONGEST
        self._timers: list[IDelayedCall] = []

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        """Make a call there."""
        if not self._pool.started:
            self._pool.start()
        timer = self._reactor.callLater(self._longest, self._abort)
        self._timers.append(timer)
        done = deferToThreadPool(self._reactor, self._pool, call)
        return done.addBoth(self._done, timer)

    def hurry(self) -> None:
        """Everything is to be stopped: no call may take long any more."""
        self._longest = LONGEST_AT_END
        for timer in self._timers:
            if timer.active():
                timer.reset(LONGEST_AT_END)

    def end(self) -> None:
        """End the thread; all its calls are done, or this would block."""
        if self._pool.started:
            self._pool.stop()

    def _done(self, result: Any, timer: IDelayedCall) -> Any:
        self._timers.remove(timer)
        if timer.active():
            timer.cancel()
        return result
