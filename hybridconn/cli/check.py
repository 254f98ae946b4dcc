"""
C{hybridconn check}: what is wrong with a configuration, or what it would do.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs
import click

from hybridconn.certificates import expiry
from hybridconn.config import ConfigError, load_relay, load_sender
from hybridconn.config.addresses import HostPort
from hybridconn.config.listener import ListenerConfig
from hybridconn.config.relay import ListenSettings, RelayConfig
from hybridconn.config.sender import SenderConfig
from hybridconn.core.connection_string import ConnectionString, Discontinued
from hybridconn.core.entities import AuthorizationRule, HybridConnection
from hybridconn.core.limits import Limits
from hybridconn.core.names import is_usual_entity_path
from hybridconn.core.relay_url import http_url
from hybridconn.hcm.loading import Loaded, load_managed
from hybridconn.names.plan import WILDCARD, plan_addresses
from hybridconn.operation.updates import UpdateSettings
from hybridconn.wayout.way import WayOut

_SOON = timedelta(days=30)

#: Keys with fewer characters than 128 bits have in Base64.
_GUESSABLE: Final = 22


@click.command(short_help="Say what a configuration would do, or what is wrong.")
@click.argument("file")
@click.option(
    "--role",
    type=click.Choice(["relay", "listener", "sender"]),
    required=True,
    help="The program that the configuration is for.",
)
def check(file: str, role: str) -> None:
    """
    Read the configuration FILE and say what it would do, or what is wrong.

    Nothing is started and nothing is dialled. Keys are not shown.
    """
    try:
        lines = list(_ROLES[role](file))
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}") from None
    click.echo(f"{file} is good. The {role} would:")
    for line in lines:
        click.echo(f"  {line}")


def _relay(file: str) -> Iterator[str]:
    return describe_relay(load_relay(file), datetime.now(UTC))


def _listener(file: str) -> Iterator[str]:
    return describe_listener(load_managed(file))


def _sender(file: str) -> Iterator[str]:
    return describe_sender(load_sender(file))


_ROLES: dict[str, Callable[[str], Iterator[str]]] = {
    "relay": _relay,
    "listener": _listener,
    "sender": _sender,
}


def describe_relay(config: RelayConfig, now: datetime) -> Iterator[str]:
    """
    What a relay would do, line by line.

    @param now: to say which certificates end soon; with a time zone.
    @raise ValueError: several workers cannot have their ports.
    """
    yield from _listening(config.listen, now)
    workers = config.relay.workers
    if workers > 1:
        ports = config.worker_ports(workers)
        yield f"be {workers} workers, to which listeners come by their own ports too"
        yield f"  ports {ports[0]} to {ports[-1]}"
    yield f"choose listeners by: {config.relay.load_balancer}"
    if config.store.place:
        yield f"keep what is managed in {config.store.place}"
        if config.store.share_listeners:
            yield "  share listeners with the other relays there"
    management = config.management
    if management.port is not None:
        callers = [f"{token.name} ({token.role})" for token in management.tokens]
        if management.oidc.issuer:
            callers.append(f"those whose tokens {management.oidc.issuer} signs")
        yield (
            f"serve the management API on {management.interface}, port "
            f"{management.port}, for {', '.join(callers)}"
        )
        if not ipaddress.ip_address(management.interface or "0.0.0.0").is_loopback:
            yield "  other machines can connect to it"
    admin = config.admin
    if admin.port is not None:
        yield (
            f"serve its page on {admin.interface}, port {admin.port}, to who gets a "
            f"link from {admin.socket}"
        )
    if config.audit.file:
        what = " and uses of keys" if config.audit.data_plane else ""
        yield f"write management calls{what} to {config.audit.file}"
    for namespace in config.namespaces:
        names = ", ".join(namespace.host_names) or "whatever name it is reached by"
        yield f"serve namespace {namespace.name} as {names}"
        yield from (f"  rule {_rule(rule)}" for rule in namespace.rules)
        for entity in namespace.hybrid_connections:
            yield from (f"  {line}" for line in _entity(entity))
    yield from _updates(config.update_notice)
    for field in attrs.fields(Limits):
        value, usual = getattr(config.limits, field.name), field.default
        if value != usual:
            yield f"use the limit {field.name} = {value} (usually {usual})"


def _listening(listen: ListenSettings, now: datetime) -> Iterator[str]:
    where = {"": "every IPv4 address", "::": "every address"}.get(
        listen.interface, listen.interface
    )
    how = "without TLS: anyone on the way can read" if listen.insecure else "with TLS"
    port = f"port {listen.port}" if listen.port else "any free port"
    yield f"listen on {where}, {port}, {how}"
    for files in listen.certificates:
        end = expiry(Path(files.certificate).read_bytes())
        note = f", which ends on {end:%Y-%m-%d}"
        if end <= now:
            note = f", which ENDED on {end:%Y-%m-%d}: clients will refuse it"
        elif end <= now + _SOON:
            note += ": renew it soon"
        names = ", ".join(files.server_names)
        yield f"  certificate {files.certificate}{names and f' for {names}'}{note}"
    if listen.public_url:
        yield f"send listeners to {listen.public_url} for each sender"


def _entity(entity: HybridConnection) -> Iterator[str]:
    endpoint = f" for {entity.endpoint}" if entity.endpoint else ""
    yield f"hybrid connection {entity.path}{endpoint}"
    if not entity.requires_client_authorization:
        yield "  senders need no token"
    if not is_usual_entity_path(entity.path):
        yield "  Azure's own connection manager takes letters, digits and hyphens only"
    yield from (f"  rule {_rule(rule)}" for rule in entity.rules)


def _rule(rule: AuthorizationRule) -> str:
    rights = ", ".join(sorted(claim.value for claim in rule.rights))
    keys = "one key" if rule.secondary_key is None else "two keys"
    for key in (rule.primary_key, rule.secondary_key):
        if key is not None and len(key.reveal()) < _GUESSABLE:
            keys += ", SHORT enough to guess: openssl rand -base64 32 makes a good one"
            break
    return f"{rule.name}: {rights} ({keys})"


def describe_listener(loaded: Loaded) -> Iterator[str]:
    """What a listener would do, line by line."""
    config = loaded.config
    for placed in loaded.connections:
        one = placed.one
        if one.discontinued:
            yield f"not serve {placed.name}: {Discontinued.note}"
            continue
        target = str(one.target or "what its metadata says")
        if one.ports:
            target = ", ".join(map(str, one.ports))
        if one.targets:
            target = f"what senders want of {', '.join(map(str, one.targets))}"
        yield f"serve {_connection(one.connection)} -> {target}"
        if one.http.insecure:
            yield "  believe any certificate of it"
        if one.check_interval is not None:
            how = "leave the relay" if one.withdraw else "refuse senders"
            yield f"  look at it each {one.check_interval:g} s; {how} while it is down"
    if config.allow_targets:
        names = ", ".join(map(str, config.allow_targets))
        yield f"reach nothing but {names}"
    yield from _managing(config)
    yield from _trust(config)


def _managing(config: ListenerConfig) -> Iterator[str]:
    admin, folder = config.admin, config.connections.folder
    if admin.socket:
        yield f"take commands at {admin.socket}"
    if admin.port is not None:
        yield f"take commands on {admin.interface}, port {admin.port}, with the token"
    if folder:
        how = "encrypted" if config.connections.keys else "in private files"
        yield f"keep what commands add in {folder}, {how}"


def describe_sender(config: SenderConfig) -> Iterator[str]:
    """What a sender would do, line by line."""
    for forward in config.forwards:
        yield f"listen on {forward.bind} -> {_connection(forward.connection)}"
        if forward.port_name is not None:
            kind = ", UDP" if forward.udp else ""
            yield f"  ask for its port {forward.port_name}{kind}"
        if forward.http:
            yield f"  as HTTP: {forward.bind}/… is {http_url(forward.connection)}/…"
        if not ipaddress.ip_address(forward.bind.host).is_loopback:
            yield "  other machines can connect to it"
    yield from _redirects(config)
    yield from _trust(config)


def _redirects(config: SenderConfig) -> Iterator[str]:
    known = [at.host for one in config.redirects for at in one.known]
    hosts = plan_addresses(known, config.names)
    for one in config.redirects:
        where = _connection(one.connection)
        if not one.known:
            yield f"redirect what its metadata says -> {where}"
        for at in one.known:
            place: object = HostPort(hosts[at.host].ipv4, at.port)
            if one.endpoints and at.host.startswith(WILDCARD):
                place = "an address for each name that is asked for"
            yield f"redirect {at} at {place} -> {where}"
            if at.host.startswith(WILDCARD) and config.names.dns is None:
                yield "  without [names] dns, for the front door and connect alone"
    if config.app:
        app = config.app
        yield f"redirect what the app {app.name} uses, says {app.management}"
        yield f"  look for changes every {app.check_interval:g} s"
    if config.names.dns is not None:
        yield f"answer for these names on {config.names.dns}, and pass on all others"
    door = config.front_door
    for kind, bind in (("SOCKS5", door.socks_bind), ("CONNECT", door.http_bind)):
        if bind is not None:
            yield f"be a proxy for {kind} on {bind}, to redirected names only"
            if not ipaddress.ip_address(bind.host).is_loopback:
                yield "  other machines can connect to it"


def _trust(config: ListenerConfig | SenderConfig) -> Iterator[str]:
    yield from _way_out(config.way_out, not config.insecure)
    yield from _updates(config.update_notice)
    if config.insecure:
        yield "use no TLS: anyone on the way can read"
    else:
        more = f" and those in {config.ca_file}" if config.ca_file else ""
        yield f"trust the system's certificate authorities{more}"


def _way_out(way: WayOut, secure: bool) -> Iterator[str]:
    proxy = way.proxy if secure else way.plain_proxy
    if proxy is not None:
        kind = {"http": "HTTP", "https": "HTTPS", "socks5": "SOCKS5"}[proxy.scheme]
        who = proxy.credentials
        as_whom = f" as {who.user} ({who.scheme})" if who else ""
        yield f"go out through the {kind} proxy {proxy}{as_whom}"
        if proxy.named_by != "[way_out]":
            yield f"  which {proxy.named_by} names; local addresses directly"
        if who is not None and who.scheme == "basic" and proxy.scheme != "https":
            yield "  the password can be read on the way to the proxy"
    if way.bind_address:
        yield f"dial from {way.bind_address}"
    if way.client_certificate is not None:
        yield f"show the certificate {way.client_certificate.certificate}"


def _updates(settings: UpdateSettings) -> Iterator[str]:
    if settings.url:
        yield f"ask {settings.url} for newer versions"


def _connection(connection: ConnectionString) -> str:
    if connection.signature is not None:
        how = "by a ready token, which is not renewed"
    elif connection.key_name is not None:
        how = f"by rule {connection.key_name}"
    else:
        how = "without a token"
    return f"{connection.entity_path} at {connection.host}:{connection.port} {how}"
