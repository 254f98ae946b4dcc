"""
C{hybridconn connect}: standard input and output through one tunnel, for ssh's
ProxyCommand and the like.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from typing import Any

import click
from twisted.internet.defer import Deferred

from hybridconn.cli.redirect_plan import dialer_of, load_or_fail, quiet, run_reactor
from hybridconn.cli.where import by_endpoint, by_name, called, parse_where
from hybridconn.config.forward import Forward
from hybridconn.config.sender import SenderConfig, SpareTunnels
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.forward import AppJoint, LocalForward
from hybridconn.sender.learning import known_endpoints, learn_endpoints

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
    quiet()
    good = run_reactor(lambda reactor: _connect(settings, where, reactor))
    raise SystemExit(0 if good else 1)


async def _connect_to(settings: SenderConfig, where: str, reactor: Any) -> bool:
    dialer = dialer_of(settings, reactor)
    one = by_name(settings, where)
    wanted = ""
    if isinstance(one, Forward):
        if one.udp:
            raise click.ClickException(
                f"{where} is for datagrams, and standard input and output are streams."
            )
        wanted = one.target
    if one is None:
        learned = known_endpoints(settings)
        if learned is None:
            learned = await learn_endpoints(settings, dialer, reactor)
        # What an app uses has names, too.
        one = called(learned.endpoints.values(), where)
        if one is None:
            endpoint = parse_where(where)
            _, one = by_endpoint(settings, learned, endpoint)
            wanted = str(endpoint) if one.endpoints else ""
    connector = TunnelConnector(
        one.connection,
        dialer,
        reactor,
        timings=settings.timings,
        data_path=settings.data_path,
    )
    forward = _OneForward(connector, wanted, one.port_name)
    return await _join_standard_streams(forward, reactor)


def _connect(settings: SenderConfig, where: str, reactor: Any) -> Deferred[bool]:
    return Deferred.fromCoroutine(_connect_to(settings, where, reactor))


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

    def __init__(
        self, connector: TunnelConnector, wanted: str, port_name: str | None
    ) -> None:
        spare = SpareTunnels(least=0, most=0)
        super().__init__(connector, spare, wanted, port_name=port_name)
        self.done: Deferred[bool] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:
        """Take it (Twisted)."""
        return self.make_joint("standard input", self.protocol)

    def gone(self, joint: AppJoint) -> None:
        """It is over (see L{LocalForward.gone})."""
        super().gone(joint)
        if not self.done.called:
            self.done.callback(isinstance(joint, _StandardJoint) and joint.good)


async def _join_standard_streams(forward: _OneForward, reactor: Any) -> bool:
    """
    Join standard input and output to a new tunnel, until both have ended.

    One end of a pair of sockets is joined as any app's connection is.  The other is
    copied by two threads: standard streams may be files, for which no reactor waits.

    @return: whether all went well.
    """
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
        while data := _read(source):
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
                view = view[_write(target, view) :]
    except OSError:
        return False
    return True


# Whoever shares a standard stream with us may have made it one that never blocks.


def _read(source: int) -> bytes:
    while True:
        try:
            return os.read(source, _AT_ONCE)
        except BlockingIOError:
            select.select([source], [], [])


def _write(target: int, data: memoryview) -> int:
    while True:
        try:
            return os.write(target, data)
        except BlockingIOError:
            select.select([], [target], [])
