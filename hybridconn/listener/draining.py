"""Giving tunnels a while for their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime

from hybridconn.websocket.closing import GOING_AWAY


def drain(
    tunnels: Mapping[Any, Deferred[None]],
    clock: IReactorTime,
    seconds: float | None,
    reason: bytes,
) -> Deferred[Any]:
    """
    Wait for the end of all tunnels.

    @param tunnels: our ends of them, and what fires with their end.
    @param seconds: after which they are ended; L{None} does not wait at all.
    @param reason: told to the peers then.
    """
    if seconds is None or not tunnels:
        return succeed(None)

    def end_all() -> None:
        for end in tuple(tunnels):
            end.end(GOING_AWAY, reason)

    done = DeferredList([_copy(tunnel) for tunnel in tunnels.values()])
    timer = clock.callLater(seconds, end_all)

    def drained(result: object) -> None:
        if timer.active():
            timer.cancel()

    return done.addCallback(drained)


def _copy(deferred: Deferred[None]) -> Deferred[None]:
    """A Deferred that fires with another one, which stays usable."""
    copied: Deferred[None] = Deferred()

    def fire(result: None) -> None:
        copied.callback(None)

    deferred.addCallback(fire)
    return copied
