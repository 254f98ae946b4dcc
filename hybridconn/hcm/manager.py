"""
All hybrid connections of a service, which come and go while it runs.

A new configuration is compared with the one in force: what is the same is left alone,
tunnels and all; what is new is started; what has changed gets a new listener, while
the tunnels of the old one run on; what is gone is stopped as at the service's end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from hybridconn.config.hcm import AdminSettings
from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.config.listener import ListenerConfig
from hybridconn.core.names import fold
from hybridconn.hcm.connection import ManagedConnection
from hybridconn.hcm.errors import Ambiguous, Unknown
from hybridconn.hcm.events import EventHub
from hybridconn.hcm.loading import Loaded, Placed, need_restart
from hybridconn.hcm.managed import ManagedListener
from hybridconn.hcm.timeline import Timeline
from hybridconn.interfaces import IDialer
from hybridconn.listener.guarded import EndpointMaker
from hybridconn.listener.service import shared_listeners
from hybridconn.operation.updates import UpdateSettings

#: How often states that nobody reports are looked at, seconds.
TURN: Final = 1.0
#: Seconds by which the clock of the day and the other one may drift apart in a turn.
JUMP: Final = 5.0
#: Seconds after which a listener leaves though the next one is not there yet.
_HAND_OVER: Final = 5.0
#: Seconds for which changes are gathered before watchers hear of them.
_GATHER: Final = 0.1


class Manager(Service):
    """
    @param loaded: what to begin with.
    @param dialer: makes the way to the relays of a configuration.
    @param wall: seconds since 1970-01-01 UTC.
    @param target_endpoint: makes the endpoints of targets.
    @ivar loaded: the configuration in force.
    @ivar events: tells of every change.
    @ivar started_at: seconds since 1970-01-01 UTC.
    """

    log = Logger()
    listener_class = ManagedListener

    def __init__(
        self,
        loaded: Loaded,
        dialer: Callable[[ListenerConfig], IDialer],
        reactor: Any,
        wall: Callable[[], float] = time.time,
        target_endpoint: EndpointMaker | None = None,
    ) -> None:
        self.events = EventHub()
        self.loaded = loaded
        self._began_with = loaded.config
        self.started_at = wall()
        self._make_dialer = dialer
        self._clock = reactor
        self._wall = wall
        self._target_endpoint = target_endpoint
        self._by_key: dict[tuple[str, int, str], ManagedConnection] = {}
        #: Those that another has taken the place of, and whose they were.
        self._leaving: dict[ManagedListener, ManagedConnection] = {}
        self._ending: set[Deferred[Any]] = set()
        self._dirty: set[str] = set()
        self._shown: dict[str, dict[str, Any]] = {}
        self._turns = LoopingCall(self._turn)
        self._turns.clock = reactor
        self._drift = 0.0
        self.dialer = dialer(loaded.config)
        self._build = self._builder(loaded)
        for placed in loaded.connections:
            self._by_key[placed.one.key] = self._new(placed)

    # --- what is there ---

    def __iter__(self) -> Iterator[ManagedConnection]:
        return iter(self._by_key.values())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._by_key)

    @property
    def needs_restart(self) -> tuple[str, ...]:
        """Tables of the configuration that count from the next start, and changed."""
        return need_restart(self._began_with, self.loaded.config)

    def find(self, name: str, namespace: str = "") -> ManagedConnection:
        """
        @param name: or entity path.
        @param namespace: the relay's host name, or its first word; empty: any.
        @raise ManagerError: there is none, or there are several.
        """
        wanted = fold(name)
        exact = [one for one in self if one.name == name]
        found = exact or [
            one
            for one in self
            if wanted in (fold(one.name), fold(one.one.connection.entity_path or ""))
        ]
        if namespace:
            host = fold(namespace)
            found = [
                one
                for one in found
                if host in (fold(one.namespace), one.one.connection.host)
            ]
        if len(found) > 1:
            names = ", ".join(one.name for one in found)
            raise Ambiguous(f"Several are called {name[:80]!r}; use one of {names}.")
        if not found:
            raise Unknown(
                f"There is no hybrid connection {name[:80]!r} here; see: "
                "hybridconn hcm list."
            )
        return found[0]

    def holder(self, one: HybridConnectionTarget) -> ManagedConnection | None:
        """The one that is the same hybrid connection."""
        return self._by_key.get(one.key)

    # --- changing it ---

    def take(self, loaded: Loaded) -> None:
        """
        Put another configuration in force.

        @raise TLSConfigError: its authorities are not usable; nothing is changed.
        """
        anew = _shared(self.loaded) != _shared(loaded)
        if anew:
            # This may fail; until then nothing has changed.
            self.dialer = self._make_dialer(loaded.config)
            self._build = self._builder(loaded)
        before = {placed.one.key: placed for placed in self.loaded.connections}
        waited, self.loaded = self.needs_restart, loaded
        if self.needs_restart and self.needs_restart != waited:
            self.log.warn(
                "{tables} changed: that counts from the next start of the service",
                tables=" and ".join(self.needs_restart),
            )
        known = self._by_key
        self._by_key = {
            placed.one.key: self._new(placed, known) for placed in loaded.connections
        }
        for key, connection in known.items():
            if key not in self._by_key:
                self._end(connection)
        for placed in loaded.connections:
            connection = self._by_key[placed.one.key]
            was = before.get(placed.one.key)
            connection.one = placed.one
            if anew or was is None or _served(was) != _served(placed):
                self._serve(connection)
                if was is not None:
                    connection.touch()
            self._mark(connection)

    def restart(self, connection: ManagedConnection) -> None:
        """Leave the relay and come back; tunnels that run go on."""
        self.log.info("{name}: restarted by a command", name=connection.name)
        self._serve(connection)

    def drain(self, connection: ManagedConnection) -> None:
        """Leave the relay, until it is told to come back; tunnels that run go on."""
        if connection.drained:
            return
        self.log.info("{name}: drained by a command", name=connection.name)
        connection.drained = True
        if connection.listener is not None:
            connection.listener.drain()
        self._mark(connection)

    def resume(self, connection: ManagedConnection) -> None:
        """Come back to the relay, if it was told to stay away."""
        if not connection.drained:
            return
        self.log.info("{name}: resumed by a command", name=connection.name)
        connection.drained = False
        self._serve(connection)
        self._mark(connection)

    def _new(
        self,
        placed: Placed,
        known: dict[tuple[str, int, str], ManagedConnection] | None = None,
    ) -> ManagedConnection:
        connection = (known or {}).get(placed.one.key)
        if connection is None:
            connection = ManagedConnection(
                placed.name,
                placed.one,
                self._clock,
                self._wall,
                placed.created or self._wall(),
            )
            self._watch(connection)
        elif connection.name != placed.name:
            self._gone(connection.name)
        connection.name = placed.name
        connection.place, connection.removable = placed.place, placed.removable
        return connection

    def _watch(self, connection: ManagedConnection) -> None:
        def over(line: Timeline) -> None:
            if self.events.watched:
                value = {"connection": connection.name, **line.view()}
                self.events.publish("tunnel", value)

        connection.watch_tunnels(over)

    def _serve(self, connection: ManagedConnection) -> None:
        """Give it a new listener, if that is of use."""
        old, connection.listener = connection.listener, None
        new = None
        if self.running and not connection.one.discontinued:
            new = connection.listener = self._build(
                connection.one,
                book=connection.book,
                requests=connection.requests,
                changed=lambda: self._mark(connection),
            )
            new.drained = connection.drained
            new.startService()
        if old is not None:
            self._leaving[old] = connection
            self._hand_over(old, new)

    def _hand_over(self, old: ManagedListener, new: ManagedListener | None) -> None:
        """Have C{old} leave when C{new} is there, so that no sender finds nobody."""
        if new is None or new.drained:
            old.retire()
            return

        def leave(_: object = None) -> None:
            if timer.active():
                timer.cancel()
            old.retire()

        waiting = new.when_online()
        timer = self._clock.callLater(_HAND_OVER, waiting.cancel)
        waiting.addBoth(leave)

    def _end(self, connection: ManagedConnection) -> None:
        listener, connection.listener = connection.listener, None
        self._gone(connection.name)
        # What it was restarted or changed from may still be at the relay, with tunnels.
        leaving = self._leaving_of(connection)
        for one in leaving:
            del self._leaving[one]
        for one in leaving if listener is None else (listener, *leaving):
            ending = one.stopService()
            self._ending.add(ending)
            ending.addBoth(partial(self._ended, ending))

    def _ended(self, ending: Deferred[Any], _: object) -> None:
        self._ending.discard(ending)

    def _leaving_of(self, connection: ManagedConnection) -> list[ManagedListener]:
        return [old for old, whose in self._leaving.items() if whose is connection]

    def _builder(self, loaded: Loaded) -> Callable[..., ManagedListener]:
        build = shared_listeners(
            self.listener_class,
            loaded.config,
            self.dialer,
            self._clock,
            self._wall,
        )

        def make(one: HybridConnectionTarget, **more: Any) -> ManagedListener:
            return build(
                one,
                allowed=loaded.config.allowed,
                target_endpoint=self._target_endpoint,
                **more,
            )

        return make

    # --- its life ---

    def startService(self) -> None:
        """Go to the relays (Twisted)."""
        super().startService()
        self._drift = self._wall() - self._clock.seconds()
        self._turns.start(TURN, now=False)
        for connection in self:
            self._serve(connection)

    def stopService(self) -> Deferred[Any]:
        """
        Leave the relays (Twisted).

        @return: fires when the tunnels are over, for which they have
            C{drain_timeout}.
        """
        super().stopService()
        if self._turns.running:
            self._turns.stop()
        listeners = [one.listener for one in self if one.listener is not None]
        for connection in self:
            connection.listener = None
        ending = [one.stopService() for one in (*listeners, *self._leaving)]
        self._leaving.clear()
        return gatherResults([*ending, *map(_copy, self._ending)])

    def _turn(self) -> None:
        self._look_at_clock()
        for listener in tuple(self._leaving):
            if listener.retired and not listener.tunnels:
                del self._leaving[listener]
                listener.stopService()
        for connection in self:
            connection.verdict()
        if self.events.watched:
            self._dirty.update(one.name for one in self)
            self._show()

    def _look_at_clock(self) -> None:
        drift = self._wall() - self._clock.seconds()
        jump, self._drift = drift - self._drift, drift
        if abs(jump) < JUMP:
            return
        self.log.warn(
            "the clock of this machine jumped by {jump:+.0f} s: tokens are made anew",
            jump=jump,
        )
        for connection in self:
            if connection.listener is not None:
                connection.listener.channel.hurry()

    # --- telling of it ---

    def _mark(self, connection: ManagedConnection) -> None:
        connection.verdict()
        if self.events.watched:
            if not self._dirty:
                self._clock.callLater(_GATHER, self._show)
            self._dirty.add(connection.name)

    def _show(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for connection in self:
            if connection.name in dirty:
                view = connection.view()
                if self._shown.get(connection.name) != view:
                    self._shown[connection.name] = view
                    self.events.publish("connection", view)

    def _gone(self, name: str) -> None:
        self._shown.pop(name, None)
        self.events.publish("removed", {"name": name})


def _shared(loaded: Loaded) -> tuple[ListenerConfig, str]:
    """What concerns every listener."""
    bare = evolve(
        loaded.config,
        hybrid_connections=(),
        admin=AdminSettings(),
        connections=type(loaded.config.connections)(),
        update_notice=UpdateSettings(),
    )
    return bare, loaded.stamp


def _served(placed: Placed) -> tuple[HybridConnectionTarget, str]:
    """What concerns its own listener."""
    return evolve(placed.one, name="", file=""), placed.stamp


def _copy(deferred: Deferred[Any]) -> Deferred[None]:
    copied: Deferred[None] = Deferred()

    def fire(result: Any) -> Any:
        copied.callback(None)
        return result

    deferred.addBoth(fire)
    return copied
