"""C{hybridconn doctor}: everything on the way of a sender's apps, and the mends."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred

from hybridconn.cli.diagnosis_words import HOP_SECONDS, print_checks, print_json
from hybridconn.cli.redirect_plan import dialer_of, quiet, run_reactor
from hybridconn.config import ConfigError, load_sender
from hybridconn.config.sender import SenderConfig
from hybridconn.diagnosis.check import Check, Result
from hybridconn.diagnosis.examine import Examiner
from hybridconn.diagnosis.lead import addresses, leads_of
from hybridconn.diagnosis.listening import ListenerExaminer
from hybridconn.diagnosis.machine import (
    check_front_doors,
    check_modes,
    check_name_server,
    check_own_certificate,
    check_ways,
    role_of,
)
from hybridconn.hcm.loading import Loaded, load_managed
from hybridconn.sender.learning import known_endpoints, learn_endpoints

CONFIGURATION = "configuration"

_T = TypeVar("_T", SenderConfig, Loaded)
_Look = Callable[[Any], Coroutine[Deferred[Any], Any, None]]


@click.command(short_help="Look at all that a sender or a listener needs.")
@click.option(
    "--config", "-c", "config", required=True, help="A sender's or a listener's."
)
@click.option(
    "--tls", "tls", is_flag=True, help="Agree on TLS with each redirected target too."
)
@click.option(
    "--timeout",
    type=HOP_SECONDS,
    default=10.0,
    show_default=True,
    help="Seconds for each hop.",
)
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
def doctor(config: str, tls: bool, timeout: float, as_json: bool) -> None:
    """
    Look at everything that the apps of this machine need: the sender's files, names,
    ports, the relay, each listener and each target.

    With a listener's configuration: its files, its relays and its targets, whether it
    runs or not. Nothing is changed, and no data is sent to a target. The exit status is
    0 if nothing is wrong. hybridconn hcm doctor asks a connection manager that runs.
    """
    quiet()
    checks: list[Check] = check_modes(config)
    look = _prepare(config, checks, timeout, tls)
    whole = False
    if look is not None:
        ready, seen = look, checks
        checks = []

        def start(reactor: Any) -> Deferred[None]:
            # What breaks as the reactor stops is no fault.
            reactor.addSystemEventTrigger(
                "before", "shutdown", lambda: checks.extend(seen)
            )
            return Deferred.fromCoroutine(ready(reactor))

        with suppress(click.Abort):  # what was seen until then is told
            run_reactor(start)
            whole = True
    wrong = sum(not check.ok for check in checks)
    good = whole and not wrong
    if as_json:
        print_json(checks, good)
    else:
        print_checks(checks)
        end = "All is well." if good else f"{wrong} to be mended."
        click.echo(f"\n{end if whole or wrong else 'Not all of it was looked at.'}")
    raise SystemExit(0 if good else 1)


def _prepare(file: str, checks: list[Check], timeout: float, tls: bool) -> _Look | None:
    """What to look at, if the configuration can be used."""
    role = role_of(file)
    if role == "relay":
        mend = f"hybridconn check {file} --role relay; start it and see its log"
        seen = "this is a relay's; doctor is for senders and listeners"
        checks.append(Check(file, CONFIGURATION, Result.FAIL, seen, mend))
        return None
    if role == "listener":
        loaded = _load(file, checks, load_managed)
        if loaded is None:
            return None
        seen = f"hybrid connections: {len(loaded.connections)}"
        checks.append(Check(file, CONFIGURATION, Result.PASS, seen))
        held = loaded
        return lambda reactor: _examine_listener(held, checks, reactor, timeout)
    settings = _load(file, checks, load_sender)
    if settings is None:
        return None
    forwards, redirects = len(settings.forwards), len(settings.redirects)
    seen = f"forwards: {forwards}, redirects: {redirects}"
    checks.append(Check(file, CONFIGURATION, Result.PASS, seen))
    found = settings
    return lambda reactor: _examine(found, checks, reactor, timeout, tls)


def _load(file: str, checks: list[Check], load: Callable[[str], _T]) -> _T | None:
    if not all(check.ok for check in checks):
        why = f"{checks[0].name} failed"
        checks.append(Check(file, CONFIGURATION, Result.SKIP, why))
        return None
    try:
        return load(file)
    except ConfigError as error:
        for line in error.mistakes:
            mend = "mend it: nothing else can be looked at before"
            checks.append(Check(file, CONFIGURATION, Result.FAIL, line, mend))
        return None


async def _examine_listener(
    loaded: Loaded, checks: list[Check], reactor: Any, timeout: float
) -> None:
    dialer = dialer_of(loaded.config, reactor)
    checks += check_own_certificate(loaded.config, time.time())
    await ListenerExaminer(loaded, dialer, reactor, checks.append, timeout).examine()


async def _examine(
    settings: SenderConfig,
    checks: list[Check],
    reactor: Any,
    timeout: float,
    tls: bool,
) -> None:
    dialer = dialer_of(settings, reactor)
    checks += check_own_certificate(settings, time.time())
    if settings.redirects:
        checks += check_ways()
    learned = known_endpoints(settings)
    if learned is None:
        learned = await learn_endpoints(settings, dialer, reactor)
    hosts = addresses(settings, learned)
    leads = list(leads_of(settings, learned))
    examiner = Examiner(
        settings, dialer, reactor, checks.append, timeout, None if tls else ""
    )
    await examiner.ports(leads)
    checks += check_front_doors(settings)
    checks += await check_name_server(settings, hosts, reactor, examiner.good)
    await examiner.names(leads)
    await examiner.there(leads)
    for line in learned.trouble:
        entity, _, why = line.partition(": ")
        result = Result.FAIL if examiner.good else Result.SKIP
        mend = "mend endpoint in its metadata, or write it into the [[redirect]]"
        checks.append(Check(entity, "endpoint", result, why, mend))
