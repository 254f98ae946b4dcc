"""What hybrid connections stand for, asked once, as commands need it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import Redirect
from hybridconn.config.sender import SenderConfig
from hybridconn.interfaces import IDialer
from hybridconn.sender.app_reader import AppReader, AppUnknown, reader_for
from hybridconn.sender.endpoint_watch import read_endpoint, why_unknown
from hybridconn.web.description_reader import DescriptionReader


@frozen
class Learned:
    """
    @ivar endpoints: what is redirected, and to where.
    @ivar trouble: what could not be learned, and why.
    @ivar unknown: the hybrid connections of which it is not known what they stand for.
    """

    endpoints: dict[HostPort, Redirect] = field(factory=dict)
    trouble: list[str] = field(factory=list)
    unknown: list[str] = field(factory=list)

    def add(self, endpoint: HostPort, redirect: Redirect) -> None:
        """An endpoint is known; the first one that has it keeps it."""
        first = self.endpoints.setdefault(endpoint, redirect)
        if first is not redirect:
            entity = redirect.connection.entity_path
            self.trouble.append(
                f"{entity}: stands for {endpoint}, as {first.connection.entity_path}"
                " does; it is left out"
            )


def known_endpoints(config: SenderConfig) -> Learned | None:
    """Those of the configuration; L{None} if it does not say all."""
    learned = Learned()
    if config.app:
        return None
    for one in config.redirects:
        if not one.known:
            return None
        for endpoint in one.known:
            learned.add(endpoint, one)
    return learned


def learn_endpoints(
    config: SenderConfig,
    dialer: IDialer,
    reactor: Any,
    wall: Callable[[], float] = time.time,
) -> Deferred[Learned]:
    """Those of the configuration, of the metadata, and of the app in this order."""
    learned = Learned()
    asked: list[Redirect] = []
    readings: list[Deferred[HostPort]] = []
    for one in config.redirects:
        for endpoint in one.known:
            learned.add(endpoint, one)
        if not one.known:
            reader = DescriptionReader(one.connection, dialer, reactor, wall)
            asked.append(one)
            readings.append(reader.read().addCallback(read_endpoint))

    def all_read(results: list[tuple[bool, Any]]) -> Learned:
        for redirect, (good, result) in zip(asked, results, strict=True):
            if good:
                learned.add(result, redirect)
                continue
            assert isinstance(result, Failure)
            why = why_unknown(result)
            if why is None:
                result.raiseException()
            entity = redirect.connection.require_entity_path()
            learned.trouble.append(f"{entity}: {why}")
            learned.unknown.append(entity)
        return learned

    read = DeferredList(readings, consumeErrors=True).addCallback(all_read)
    if config.app:
        app = reader_for(config, dialer, reactor)
        return read.addCallback(lambda _: _add_app(learned, config.app.name, app))
    return read


async def _read_app(learned: Learned, name: str, reader: AppReader) -> Learned:
    try:
        found = await reader.read()
    except AppUnknown as error:
        learned.trouble.append(f"app {name}: {error}")
        return learned
    learned.trouble.extend(f"app {name}: {line}" for line in found.warnings)
    for one in found.served:
        assert one.endpoint is not None
        learned.add(one.endpoint, one)
    return learned


def _add_app(learned: Learned, name: str, reader: AppReader) -> Deferred[Learned]:
    return Deferred.fromCoroutine(_read_app(learned, name, reader))
