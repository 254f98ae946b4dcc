"""What commands need to know of a sender's redirects."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.logger import globalLogBeginner as log_beginner
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config import ConfigError, load_sender
from hybridconn.config.addresses import HostPort
from hybridconn.config.listener import ListenerConfig
from hybridconn.config.sender import SenderConfig
from hybridconn.dialer import ReactorDialer
from hybridconn.names.plan import WILDCARD, HostAddresses, plan_addresses
from hybridconn.sender.learning import Learned, known_endpoints, learn_endpoints
from hybridconn.tls import TLSConfigError

_T = TypeVar("_T")


@frozen
class Plan:
    """
    @ivar hosts: the addresses of each host.
    @ivar trouble: what is not known, and why.
    """

    config: SenderConfig
    learned: Learned
    hosts: dict[str, HostAddresses]

    @property
    def places(self) -> dict[HostPort, HostPort]:
        """Where the sender listens for each endpoint, by IPv4."""
        return {
            endpoint: HostPort(self.hosts[endpoint.host].ipv4, endpoint.port)
            for endpoint in self.learned.endpoints
            if endpoint not in self.by_name
        }

    @property
    def by_name(self) -> list[HostPort]:
        """Wildcards whose names have places of their own, once they are asked for."""
        return [
            endpoint
            for endpoint, redirect in self.learned.endpoints.items()
            if redirect.endpoints and endpoint.host.startswith(WILDCARD)
        ]


def make_plan(file: str, former: Iterable[str] = ()) -> Plan:
    """
    Read a sender's configuration, and what its redirects stand for.

    @param former: hosts that were redirected before; they stay as long as it is not
        known of all redirects what they stand for, as when the relay is away.
    @raise click.ClickException: the configuration is wrong, or nothing can be
        redirected.
    """
    config = load_or_fail(file)
    if not config.redirects and not config.app:
        raise click.ClickException(f"{file} has no [[redirect]] and no [app]; add one.")
    learned = known_endpoints(config)
    if learned is None:
        learned = run_reactor(
            lambda reactor: learn_endpoints(config, dialer_of(config, reactor), reactor)
        )
    for line in learned.trouble:
        click.echo(f"warning: {line}", err=True)
    hosts = {endpoint.host for endpoint in learned.endpoints}
    kept = {*former} - hosts if learned.unknown else set()
    if kept:
        click.echo(f"warning: {', '.join(sorted(kept))}: kept from before", err=True)
    if not hosts | kept:
        raise click.ClickException(
            f"it is not known what the redirects of {file} stand for; write endpoint"
            " into each, or mend what is said above."
        )
    try:
        addresses = plan_addresses(hosts | kept, config.names)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    return Plan(config, learned, addresses)


def load_or_fail(file: str) -> SenderConfig:
    """
    @raise click.ClickException: the configuration is wrong.
    """
    try:
        return load_sender(file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def dialer_of(config: SenderConfig | ListenerConfig, reactor: Any) -> ReactorDialer:
    """
    The way out.

    @raise click.ClickException: an authority's file is not usable.
    """
    try:
        return ReactorDialer(
            reactor,
            config.ca_files,
            config.timings.connect_timeout,
            config.tls,
            way_out=config.way_out,
        )
    except TLSConfigError as error:
        raise click.ClickException(str(error)) from None


def run_reactor(start: Callable[[Any], Deferred[_T]]) -> _T:
    """
    Run the reactor, which is possible once in a process, until something is done.

    @param start: called with the reactor when it runs.
    @raise click.Abort: it was told to stop before.
    """
    from twisted.internet import reactor as found

    reactor: Any = found
    results: list[Any] = []
    stopping: list[bool] = []

    def done(result: Any) -> None:
        # What becomes of it as the reactor stops is the stop's doing.
        if not stopping:
            results.append(result)
            reactor.stop()

    def begin() -> None:
        reactor.addSystemEventTrigger("before", "shutdown", stopping.append, True)
        maybeDeferred(start, reactor).addBoth(done)

    reactor.callWhenRunning(begin)
    # It leaves its handlers there, which would make us deaf to these from now on.
    before = [(one, signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM)]
    reactor.run()
    for number, handler in before:
        signal.signal(number, handler)
    if not results:
        raise click.Abort()
    if isinstance(results[0], Failure):
        results[0].raiseException()
    result: _T = results[0]
    return result


def quiet() -> None:
    """Have the log show what went wrong, and nothing else."""
    log_beginner.beginLoggingTo([_Warnings()], redirectStandardIO=False)


@implementer(ILogObserver)
class _Warnings:
    """Shows what went wrong, and nothing else."""

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if level is not None and level >= LogLevel.warn:
            click.echo(formatEvent(event), err=True)
