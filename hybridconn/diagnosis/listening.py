"""Looks at what a listener needs, its relays and its targets, without listening."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from hybridconn.config.addresses import Target, parse_target
from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.core.connection_string import Discontinued
from hybridconn.core.probe import Message
from hybridconn.diagnosis.answers import ENTITY, LISTENERS, TARGET, TOKEN, sentence
from hybridconn.diagnosis.check import Check, Result
from hybridconn.diagnosis.far import listener_checks
from hybridconn.diagnosis.steps import Steps
from hybridconn.diagnosis.way import RelayWay
from hybridconn.dialer import ReactorDialer
from hybridconn.hcm.connector import WatchedConnector
from hybridconn.hcm.loading import Loaded, Placed
from hybridconn.hcm.timeline import TunnelBook
from hybridconn.hcm.words import relay_step
from hybridconn.listener.reject import Reject
from hybridconn.listener.target_look import TargetLook
from hybridconn.sender.probe import Probed
from hybridconn.web.description import Description, DescriptionError
from hybridconn.web.description_reader import DescriptionReader
from hybridconn.websocket.words import explain, is_surprise

FILE = "listener.toml"


class ListenerExaminer:
    """
    @param told: called with each check as soon as it is done.
    @param timeout: seconds for each hop.
    @param wall: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        loaded: Loaded,
        dialer: ReactorDialer,
        reactor: Any,
        told: Callable[[Check], object],
        timeout: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._loaded = loaded
        self._dialer = dialer
        self._reactor = reactor
        self._told = told
        self._timeout = timeout
        self._wall = wall

    async def examine(self) -> None:
        """Look at each relay once, and at each hybrid connection."""
        relays: dict[tuple[str, int], str] = {}
        for placed in self._loaded.connections:
            steps = Steps(placed.name, self._reactor, self._told)
            if placed.one.discontinued:
                mend = "remove it: hybridconn hcm remove"
                steps.tell(ENTITY, Result.FAIL, Discontinued.note, mend)
                continue
            found = placed.one.connection
            relay = found.host, found.port
            if relay not in relays:
                relays[relay] = await self._way(placed.one)
            steps.failed = relays[relay]
            described = await self._look_at_relay(steps, placed)
            await self._look_at_target(placed, described)

    async def _way(self, one: HybridConnectionTarget) -> str:
        """Which hop to a relay failed; empty: none."""
        found = one.connection
        steps = Steps(f"{found.host}:{found.port}", self._reactor, self._told)
        way = RelayWay(
            found, self._dialer, self._reactor, self._timeout, self._wall, FILE
        )
        await way.look(steps)
        return steps.failed

    async def _look_at_relay(self, steps: Steps, placed: Placed) -> Description | None:
        if steps.failed:
            steps.skip(TOKEN, ENTITY, LISTENERS)
            return None
        reader = DescriptionReader(
            placed.one.connection,
            self._dialer,
            self._reactor,
            self._wall,
            self._timeout,
        )
        try:
            found = await reader.read()
        except Exception as error:
            known = isinstance(error, DescriptionError)
            if not known and is_surprise(Failure(error)):
                raise
            words = sentence(str(error)) if known else explain(Failure(error))
            status = error.status if isinstance(error, DescriptionError) else 0
            hop = TOKEN if status in (401, 403) else ENTITY
            if hop == ENTITY:
                steps.tell(TOKEN, Result.PASS, self._token_words(placed.one))
            steps.tell(hop, Result.FAIL, words, relay_step(status, words))
            steps.failed = hop
            steps.skip(*((ENTITY,) if hop == TOKEN else ()), LISTENERS)
            return None
        steps.tell(TOKEN, Result.PASS, self._token_words(placed.one))
        stands = f", stands for {found.endpoint}" if found.endpoint else ""
        seen = f"{placed.one.connection.entity_path} is there{stands}"
        steps.tell(ENTITY, Result.PASS, seen)
        if found.listeners == 0:
            mend = "start twistd hclistener; if it runs, its log says why it is offline"
            steps.tell(LISTENERS, Result.FAIL, "nobody listens", mend)
        elif found.listeners is not None:
            steps.tell(LISTENERS, Result.PASS, f"{found.listeners} listening")
        return found

    @staticmethod
    def _token_words(one: HybridConnectionTarget) -> str:
        # Whether it may listen is seen by listening only, and then senders come.
        name = one.connection.key_name
        return f"rule {name} is known" if name else "a ready token is taken"

    async def _look_at_target(
        self, placed: Placed, described: Description | None
    ) -> None:
        one = placed.one
        for port in one.ports:
            found = succeed(port.place)
            await self._look(placed, found, f"{placed.name}, port {port.name}")
        if one.targets:
            known = ", ".join(map(str, one.targets))
            seen = f"senders say which they want of {known}"
            self._told(Check(placed.name, TARGET, Result.SKIP, seen))
        elif one.target is None and not one.ports and described is None:
            seen = "its metadata were not read"
            self._told(Check(placed.name, TARGET, Result.SKIP, seen))
        elif not one.ports:
            await self._look(placed, self._target(one, described), placed.name)

    async def _look(
        self, placed: Placed, target: Deferred[Target], subject: str
    ) -> None:
        connector = WatchedConnector(
            lambda: Target(""),
            placed.name,
            self._reactor,
            self._timeout,
            self._loaded.config.allowed,
            TunnelBook(self._reactor, self._wall),
        )
        messages: list[Message] = []
        look = TargetLook(connector, self._reactor, messages.append, self._timeout)
        await look.look(lambda: target, "")
        probed = Probed("", 0.0, knows=True, told=tuple(messages))
        for check in listener_checks(subject, probed, self._wall()):
            self._told(check)

    @staticmethod
    def _target(
        one: HybridConnectionTarget, described: Description | None
    ) -> Deferred[Target]:
        if one.target is not None:
            return succeed(one.target)
        try:
            return succeed(parse_target((described and described.endpoint) or ""))
        except ValueError:
            return fail(Reject(502, "The target is not known: no endpoint in metadata"))
