"""C{hybridconn ping}: one way of an app, hop by hop, with the time of each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from hybridconn.cli.diagnosis_words import (
    HOP_SECONDS,
    HopPrinter,
    Seconds,
    all_through,
    print_json,
    round_line,
    summary,
    terminal_width,
)
from hybridconn.cli.redirect_plan import dialer_of, load_or_fail, quiet, run_reactor
from hybridconn.cli.where import by_endpoint, by_name, parse_where
from hybridconn.config import ConfigError
from hybridconn.config.addresses import HostPort
from hybridconn.config.sender import SenderConfig, sender_from_options
from hybridconn.core.host_port import parse_host_port
from hybridconn.diagnosis.check import Check
from hybridconn.diagnosis.examine import Examiner
from hybridconn.diagnosis.lead import (
    Lead,
    addresses,
    forwarded,
    leads_of,
    redirected,
)
from hybridconn.diagnosis.local import ANY, place_below
from hybridconn.sender.learning import Learned, known_endpoints, learn_endpoints

#: For a sender that is not there.
_NOWHERE = "127.0.0.1:0"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: "--tls" without a name.
_OWN_NAME = ""


@click.command(short_help="Go the way to one service, hop by hop, with times.")
@click.argument("where", metavar="HOST:PORT|NAME", required=False)
@click.option("--config", "-c", "config", help="The sender's configuration.")
@click.option(
    "--connection-string-file",
    "-f",
    "string_file",
    help="In its place: a file with the connection string of NAME.",
)
@click.option("--ca-file", help="With it: a PEM file with further authorities.")
@click.option("--insecure", is_flag=True, help="With it: plain ws://, for tests.")
@click.option(
    "--tls",
    "tls_name",
    is_flag=False,
    flag_value=_OWN_NAME,
    metavar="[NAME]",
    help="Agree on TLS with the target too, by its own name or by NAME (--tls=NAME).",
)
@click.option(
    "--count",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Rounds through all listeners; 0: until Ctrl-C.",
)
@click.option(
    "--interval",
    type=Seconds(0.1, 86400),
    default=1.0,
    show_default=True,
    help="Seconds between two rounds.",
)
@click.option(
    "--timeout",
    type=HOP_SECONDS,
    default=10.0,
    show_default=True,
    help="Seconds for each hop.",
)
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON, at the end.")
def ping(
    where: str | None,
    config: str | None,
    string_file: str | None,
    ca_file: str | None,
    insecure: bool,
    tls_name: str | None,
    count: int,
    interval: float,
    timeout: float,
    as_json: bool,
) -> None:
    """
    Go the way of an app's connection, hop by hop, to the target and through every
    listener, and say how long each takes.

    A service is named by its host and port as in a redirect, by the sender's own port,
    or by the name of its hybrid connection. No data is sent to the target. The exit
    status is 0 only if all listeners let us through.

    \b
        hybridconn ping db.corp:5432 --config sender.toml
        hybridconn ping db --connection-string-file send.connection-string
    """
    if where is None:
        # In "--tls db.corp:5432" it was taken for the name for TLS.
        where, tls_name = tls_name, _OWN_NAME
    if not where:
        raise click.UsageError("say what to ping.")
    if (config is None) == (string_file is None):
        raise click.UsageError("give --config or --connection-string-file.")
    if config is not None and (ca_file is not None or insecure):
        raise click.UsageError(
            "--ca-file and --insecure go with --connection-string-file; a configuration"
            " has its own."
        )
    if config is not None:
        settings = load_or_fail(config)
    else:
        settings = _from_string(where, string_file, ca_file, insecure)
    quiet()
    # Without --tls, nothing; without its NAME, the endpoint's.
    tls = None if tls_name == _OWN_NAME else tls_name or ""
    alone = config is None
    how = _How(alone, tls, count, interval, timeout, as_json)
    pinger = _Pinger(settings, where, how)
    with suppress(click.Abort):  # what was seen until then is told
        run_reactor(lambda reactor: Deferred.fromCoroutine(pinger.run(reactor)))
    raise SystemExit(0 if pinger.end() else 1)


@frozen
class _How:
    """
    @ivar alone: there is no sender.
    @ivar tls_name: see L{Examiner}.
    """

    alone: bool
    tls_name: str | None
    count: int
    interval: float
    timeout: float
    as_json: bool


class _Pinger:
    def __init__(self, settings: SenderConfig, where: str, how: _How) -> None:
        self._settings = settings
        self._where = where
        self._how = how
        self._rounds: list[list[Check]] = []
        self._stopping = False
        self._hops = HopPrinter(terminal_width())

    async def run(self, reactor: Any) -> None:
        """Do it."""
        reactor.addSystemEventTrigger("before", "shutdown", self._stop)
        dialer = dialer_of(self._settings, reactor)
        lead = await self._lead(dialer, reactor)
        how = self._how
        if how.tls_name is None and lead.endpoint is None:
            raise click.ClickException("no name for TLS is known here: use --tls=NAME.")
        examiner = Examiner(
            self._settings, dialer, reactor, self._told, how.timeout, how.tls_name
        )
        if not how.as_json:
            relay = f"{lead.connection.host}:{lead.connection.port}"
            click.echo(f"{lead.subject}, by {lead.entity} at {relay}")
        self._rounds.append([])
        await examiner.examine(lead)
        while len(self._rounds) != how.count:
            await deferLater(reactor, how.interval, lambda: None)
            self._rounds.append([])
            await examiner.again(lead)
            if not how.as_json and not self._stopping:
                click.echo(round_line(len(self._rounds), self._rounds[-1]))

    def end(self) -> bool:
        """
        Say what it was in all.

        @return: whether each round got through.
        """
        if self._how.as_json:
            checks = [check for some in self._rounds for check in some]
            return print_json(checks, all_through(self._rounds))
        return summary(self._where, self._rounds)

    def _stop(self) -> None:
        self._stopping = True

    def _told(self, check: Check) -> None:
        if self._stopping:
            return  # what breaks as the reactor stops is no fault
        self._rounds[-1].append(check)
        if len(self._rounds) == 1 and not self._how.as_json:
            self._hops.print(check)

    async def _lead(self, dialer: Any, reactor: Any) -> Lead:
        settings = self._settings
        if self._how.alone:
            return Lead(settings.forwards[0].connection)
        for forward in settings.forwards:
            if is_bind(forward.bind, self._where):
                return forwarded(forward)
        named = by_name(settings, self._where)
        learned = known_endpoints(settings)
        if learned is None:
            learned = await learn_endpoints(settings, dialer, reactor)
        if named is not None:
            every = leads_of(settings, learned)
            return next(one for one in every if one.connection == named.connection)
        return self._redirected(learned)

    def _redirected(self, learned: Learned) -> Lead:
        asked = parse_where(self._where)
        try:
            endpoint, redirect = by_endpoint(self._settings, learned, asked)
        except click.ClickException as error:
            known = list(learned.endpoints.values())
            unknown = [one for one in self._settings.redirects if one not in known]
            if not unknown:
                raise
            # What keeps its metadata from being read is on the way, too.
            click.echo(f"warning: {error.message}", err=True)
            return Lead(unknown[0].connection, http=False)
        hosts = addresses(self._settings, learned)
        place = HostPort(hosts[endpoint.host].ipv4, endpoint.port)
        if redirect.endpoints and endpoint != asked:
            place = place_below(self._settings.names.network, asked)
        return redirected(redirect, asked, place)


def is_bind(bind: HostPort, where: str) -> bool:
    """Whether an app that dials C{where} gets to the sender's port C{bind}."""
    try:
        asked = parse_host_port(where)
    except ValueError:
        return False
    if asked.port != bind.port:
        return False
    loopback = asked.host in _LOOPBACK and bind.host in (*_LOOPBACK, *ANY)
    return asked.host.lower() == bind.host.lower() or loopback


def _from_string(
    name: str, string_file: str | None, ca_file: str | None, insecure: bool
) -> SenderConfig:
    try:
        settings = sender_from_options(string_file, _NOWHERE, ca_file, insecure)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    if by_name(settings, name) is None:
        found = settings.forwards[0].connection.entity_path
        raise click.ClickException(
            f'{string_file} is for the hybrid connection "{found}", not "{name}".'
        )
    return settings
