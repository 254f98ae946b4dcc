"""
C{hybridconn connect}: standard input and output through one tunnel, for ssh's
ProxyCommand and the like.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any

import click
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from twisted.logger import globalLogBeginner as log_beginner
from zope.interface import implementer

from hybridconn.cli.redirect_plan import dialer_of, load_or_fail, run_reactor
from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import Redirect, parse_redirected
from hybridconn.config.sender import Forward, SenderConfig, SpareTunnels
from hybridconn.core.names import fold
from hybridconn.names.plan import NameTable, plan_addresses
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.forward import AppJoint, LocalForward
from hybridconn.sender.learning import Learned, known_endpoints, learn_endpoints

_AT_ONCE = 65536


@click.command()
@click.option(
    "--config", "-c", "config", required=True, help="The sender's configuration."
)
@click.argument("where", metavar="HOST:PORT|NAME")
def connect(config: str, where: str) -> None:
    """
    Join standard input and output to a service, by its host and port as in a redirect,
    or by the name of its hybrid connection.

    \b
        ssh -o ProxyCommand='hybridconn connect -c sender.toml %h:%p' server.corp
    """
    settings = load_or_fail(config)
    if sys.stdin is None or sys.stdout is None:
        raise click.ClickException(
            "standard input or output is closed; use /dev/null for one not needed."
        )
    log_beginner.beginLoggingTo([_Warnings()], redirectStandardIO=False)
    good = run_reactor(lambda reactor: _connect(settings, where, reactor))
    raise SystemExit(0 if good else 1)


async def _connect_to(settings: SenderConfig, where: str, reactor: Any) -> bool:
    dialer = dialer_of(settings, reactor)
    one = _by_name(settings, where)
    if one is None:
        endpoint = _endpoint(where)
        learned = known_endpoints(settings)
        if learned is None:
            learned = await learn_endpoints(settings, dialer, reactor)
        one = _by_endpoint(settings, learned, endpoint)
    connector = TunnelConnector(
        one.connection,
        dialer,
        reactor,
        timings=settings.timings,
        data_path=settings.data_path,
    )
    return await _join_standard_streams(connector, reactor)


def _connect(settings: SenderConfig, where: str, reactor: Any) -> Deferred[bool]:
    return Deferred.fromCoroutine(_connect_to(settings, where, reactor))


def _by_name(settings: SenderConfig, where: str) -> Forward | Redirect | None:
    every: tuple[Forward | Redirect, ...] = (*settings.redirects, *settings.forwards)
    for one in every:
        if fold(one.connection.require_entity_path()) == fold(where):
            return one
    return None


def _endpoint(where: str) -> HostPort:
    try:
        return parse_redirected(where)
    except ValueError as error:
        raise click.ClickException(
            f'no hybrid connection of this configuration is called "{where}", and as a'
            f" host and port it is not known: {error}."
        ) from None


def _by_endpoint(
    settings: SenderConfig, learned: Learned, endpoint: HostPort
) -> Redirect:
    hosts = plan_addresses((one.host for one in learned.endpoints), settings.names)
    host = NameTable(hosts).match(endpoint.host)
    found = learned.endpoints.get(HostPort(host or "", endpoint.port))
    if found is None:
        known = ", ".join(str(one) for one in learned.endpoints) or "nothing"
        more = "".join(f"; {line}" for line in learned.trouble)
        raise click.ClickException(
            f"{endpoint} is not redirected; this configuration has {known}{more}."
        )
    return found


class _StandardJoint(AppJoint):
    """It remembers how it ended."""

    good = False

    def ended(self, seconds: float) -> None:
        """Both connections are gone (see L{Joint.ended})."""
        self.good = self._orderly


class _OneForward(LocalForward):
    """
    For a single connection.

    @ivar done: fires with whether it ended in order.
    """

    protocol = _StandardJoint

    def __init__(self, connector: TunnelConnector) -> None:
        super().__init__(connector, SpareTunnels(least=0, most=0))
        self.done: Deferred[bool] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:
        """Take it (Twisted)."""
        return self.make_joint("standard input", self.protocol)

    def gone(self, joint: AppJoint) -> None:
        """It is over (see L{LocalForward.gone})."""
        super().gone(joint)
        if not self.done.called:
            self.done.callback(isinstance(joint, _StandardJoint) and joint.good)


async def _join_standard_streams(connector: TunnelConnector, reactor: Any) -> bool:
    """
    Join standard input and output to a new tunnel, until both have ended.

    One end of a pair of sockets is joined as any app's connection is.  The other is
    copied by two threads: standard streams may be files, for which no reactor waits.

    @return: whether all went well.
    """
    forward = _OneForward(connector)
    written: Deferred[bool] = Deferred()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, forward)
    ours.close()

    def copy_out() -> None:
        whole = _copy(theirs, sys.stdout.fileno())
        # Whoever reads our output is to see its end now, not when our input ends.
        os.close(sys.stdout.fileno())
        reactor.callFromThread(written.callback, whole)

    for target, arguments in ((_copy_in, (theirs,)), (copy_out, ())):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    return await written and await forward.done


def _copy_in(theirs: socket.socket) -> None:
    source = sys.stdin.fileno()
    try:
        while data := os.read(source, _AT_ONCE):
            theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other direction tells how it ended


def _copy(theirs: socket.socket, target: int) -> bool:
    """Copy to the end; whether all of it arrived."""
    try:
        while data := theirs.recv(_AT_ONCE):
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]
    except OSError:
        return False
    return True


@implementer(ILogObserver)
class _Warnings:
    """Shows what went wrong, and nothing else."""

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if level is not None and level >= LogLevel.warn:
            click.echo(formatEvent(event), err=True)
