"""
C{hybridconn exec}: one command for which names are redirected, and nobody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click

from hybridconn.cli.redirect_plan import Plan, make_plan
from hybridconn.config.redirects import DNS_PORT
from hybridconn.names.plan import WILDCARD
from hybridconn.names.resolvers import SystemResolvers
from hybridconn.redirect.errors import RedirectError
from hybridconn.redirect.listening import listening
from hybridconn.redirect.network import OwnNetwork
from hybridconn.redirect.passing import for_a_while
from hybridconn.redirect.private import (
    NotAllowed,
    NotRun,
    PrivateCommand,
    die_with_parent,
)
from hybridconn.redirect.texts import files_first, hosts_block, resolv_conf, with_block
from hybridconn.redirect.way import Names
from hybridconn.redirect.ways import HostsWay

_HOSTS = Path("/etc/hosts")
_NSSWITCH = Path("/etc/nsswitch.conf")
_RESOLV = Path("/etc/resolv.conf")
#: Of a daemon that glibc would ask first, and that sees the system's own files.
_NAME_CACHE = Path("/run/nscd/socket")
#: Of systemd-resolved, which glibc may ask in place of resolv.conf's servers.
_RESOLVED = Path("/run/systemd/resolve/io.systemd.Resolve")

#: What lets a command have namespaces of its own.
_ALLOW = (
    "run this as root, or in a container with --cap-add SYS_ADMIN, or allow user"
    " namespaces (sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu"
    " kernel.apparmor_restrict_unprivileged_userns=0)"
)

#: Seconds for a sender to open its ports.
_PATIENCE = 20.0
_LOOK_EVERY = 0.05


@click.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    short_help="Run one command for which redirected names are found.",
)
@click.option(
    "--config", "-c", "config", required=True, help="The sender's configuration."
)
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the sender's log goes; else it is lost.",
)
@click.option(
    "--isolated",
    is_flag=True,
    help="Give COMMAND a network with the ports of a sender alone.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(
    config: str, log: Path | None, isolated: bool, command: tuple[str, ...]
) -> None:
    """
    Run COMMAND with the names of a sender's redirects in force for it alone.

    Its hosts file is its own; nothing else on the machine changes, and nothing is
    left when it ends. A sender is started for it, unless one runs. The exit status is
    that of COMMAND.

    With --isolated it has a network of its own, too, in which there is nothing but the
    ports of a sender: no others are in their way, and those below 1024 need no right.

    \b
        hybridconn exec --config sender.toml -- psql -h db.corp
    """
    plan = make_plan(config)
    with ExitStack() as stack:
        network = _network(stack) if isolated else None
        _sender(plan, config, log, stack, network)
        try:
            running = _run(command, _files(plan), network)
        except NotAllowed as error:
            if network is not None:
                raise _not_isolated(error) from None
            _hosts_for_a_while(plan, error, stack)
            running = _run(command, {}, None)
        code = running.wait()
    raise SystemExit(code)


def _network(stack: ExitStack) -> OwnNetwork:
    """
    One that is there until C{stack} ends.

    @raise click.ClickException: it is not allowed.
    """
    try:
        network = OwnNetwork()
    except NotAllowed as error:
        raise _not_isolated(error) from None
    stack.callback(network.close)
    return network


def _not_isolated(why: NotAllowed) -> click.ClickException:
    return click.ClickException(
        f"the command cannot have a network of its own ({why}). To allow it: {_ALLOW}."
        " Without --isolated, it is not needed."
    )


def _run(
    command: tuple[str, ...], files: Mapping[Path, bytes], network: OwnNetwork | None
) -> PrivateCommand:
    """
    @raise NotAllowed: it can have no files of its own.
    @raise SystemExit: it cannot be run, as is said.
    """
    try:
        return PrivateCommand(command, files, network.join if network else None)
    except NotRun as error:
        click.echo(f"Error: {error}.", err=True)
        raise SystemExit(error.code) from None


def _files(plan: Plan) -> Mapping[Path, bytes]:
    """What the command sees in place of the system's files."""
    try:
        hosts = _HOSTS.read_bytes()
    except OSError as error:
        raise click.ClickException(
            f"{_HOSTS} cannot be read: {error.strerror}; make it, it may be empty."
        ) from None
    files = {_HOSTS: with_block(hosts, hosts_block(plan.hosts))}
    if _NSSWITCH.exists():
        mended = files_first(_NSSWITCH.read_bytes())
        if mended is not None:
            files[_NSSWITCH] = mended
    if _NAME_CACHE.exists():
        files[_NAME_CACHE] = b""
    wild = [host for host in plan.hosts if host.startswith(WILDCARD)]
    if wild:
        dns = plan.config.names.dns
        if dns is None or dns.port != DNS_PORT or not _RESOLV.exists():
            click.echo(
                f"warning: {', '.join(wild)}: wildcards need the sender's name server "
                f'at port {DNS_PORT}: [names] dns = "127.0.0.77:{DNS_PORT}"',
                err=True,
            )
        else:
            before = _RESOLV.read_text("utf-8", "surrogateescape")
            servers = plan.config.names.upstreams or SystemResolvers(dns)()
            files[_RESOLV] = resolv_conf(before, dns, servers)
            if _RESOLVED.exists():
                files[_RESOLVED] = b""
    return files


def _hosts_for_a_while(plan: Plan, why: NotAllowed, stack: ExitStack) -> None:
    """
    Have the block in the machine's own hosts file until C{stack} ends; in a container
    that is the container's.

    @raise click.ClickException: that is not allowed either.
    """
    way = HostsWay()
    try:
        stack.enter_context(for_a_while(way, Names(plan.hosts, plan.config.names)))
    except RedirectError as error:
        raise click.ClickException(
            f"the command cannot have a hosts file of its own ({why}), and {error} To"
            f" allow the first: {_ALLOW}."
        ) from None
    click.echo(
        f"warning: the command cannot have a hosts file of its own ({why}); until it "
        f"ends, {way.path} has the names, for all programs",
        err=True,
    )


def _sender(
    plan: Plan,
    config: str,
    log: Path | None,
    stack: ExitStack,
    network: OwnNetwork | None,
) -> None:
    """Have a sender listen until C{stack} ends, if none does there."""
    wanted = set(plan.places.values())
    if plan.by_name and plan.config.names.dns is not None:
        wanted.add(plan.config.names.dns)
    proc = Path("/proc") if network is None else Path(f"/proc/{network.pid}")
    if wanted <= listening(proc):
        return
    kept: IO[Any] = stack.enter_context(_log(log))
    start = "from twisted.scripts.twistd import run; run()"
    argv = [sys.executable, "-c", start, "-n", "--pidfile=", "hcsender", "-c", config]
    handed = () if network is None else (network.descriptor,)
    argv += [f"--ports-from={descriptor}" for descriptor in handed]
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=kept,
            stderr=subprocess.STDOUT,
            pass_fds=handed,
            # So that a terminal's Ctrl-C is for the command alone.
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
    except OSError as error:
        raise click.ClickException(
            f"no sender can be started: {argv[0]}: {error.strerror}."
        ) from None
    stack.callback(_end, child)
    deadline = time.monotonic() + _PATIENCE
    while not wanted <= listening(proc):
        if child.poll() is not None:
            said = _last_line(kept, log)
            if network is None and "cannot listen on" in said:
                said += " Or use --isolated: every port is free there, for everybody."
            raise click.ClickException(f"the sender ended: {said}")
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"the sender does not listen after {_PATIENCE:.0f} seconds; see its "
                "log with --log FILE."
            )
        time.sleep(_LOOK_EVERY)


def _log(log: Path | None) -> IO[Any]:
    try:
        return tempfile.TemporaryFile() if log is None else log.open("ab")
    except OSError as error:
        raise click.ClickException(
            f"{log} cannot be written: {error.strerror}."
        ) from None


def _end(child: subprocess.Popen[Any]) -> None:
    child.terminate()
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last_line(kept: IO[Any], log: Path | None) -> str:
    if log is not None:
        return f"see {log}."
    kept.seek(0, os.SEEK_SET)
    lines = kept.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."
