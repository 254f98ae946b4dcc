"""
C{hybridconn check}: what is wrong with a configuration, or what it would do.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import click

from hybridconn.certificates import expiry
from hybridconn.config import ConfigError, load_listener, load_relay, load_sender
from hybridconn.config.addresses import HostPort
from hybridconn.config.listener import ListenerConfig
from hybridconn.config.relay import ListenSettings, RelayConfig
from hybridconn.config.sender import SenderConfig
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import AuthorizationRule, HybridConnection
from hybridconn.core.limits import Limits
from hybridconn.core.names import is_usual_entity_path
from hybridconn.core.relay_url import http_url
from hybridconn.names.plan import plan_addresses

_SOON = timedelta(days=30)


@click.command()
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
    click.echo(f"{file} is good. The {role} would:")
    for line in lines:
        click.echo(f"  {line}")


def _relay(file: str) -> Iterator[str]:
    return describe_relay(load_relay(file), datetime.now(UTC))


def _listener(file: str) -> Iterator[str]:
    return describe_listener(load_listener(file))


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
    """
    yield from _listening(config.listen, now)
    yield f"choose listeners by: {config.relay.load_balancer}"
    if config.store.place:
        yield f"keep what is managed in {config.store.place}"
        if config.store.share_listeners:
            yield "  share listeners with the other relays there"
    management = config.management
    if management.port is not None:
        names = ", ".join(f"{token.name} ({token.role})" for token in management.tokens)
        yield (
            f"serve the management API on {management.interface}, port "
            f"{management.port}, for {names}"
        )
        if not ipaddress.ip_address(management.interface or "0.0.0.0").is_loopback:
            yield "  other machines can connect to it"
    for namespace in config.namespaces:
        names = ", ".join(namespace.host_names) or "whatever name it is reached by"
        yield f"serve namespace {namespace.name} as {names}"
        yield from (f"  rule {_rule(rule)}" for rule in namespace.rules)
        for entity in namespace.hybrid_connections:
            yield from (f"  {line}" for line in _entity(entity))
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
    return f"{rule.name}: {rights} ({keys})"


def describe_listener(config: ListenerConfig) -> Iterator[str]:
    """What a listener would do, line by line."""
    for one in config.hybrid_connections:
        target = one.target or "what its metadata says"
        yield f"serve {_connection(one.connection)} -> {target}"
        if one.http.insecure:
            yield "  believe any certificate of it"
    yield from _trust(config)


def describe_sender(config: SenderConfig) -> Iterator[str]:
    """What a sender would do, line by line."""
    for forward in config.forwards:
        yield f"listen on {forward.bind} -> {_connection(forward.connection)}"
        if forward.http:
            yield f"  as HTTP: {forward.bind}/… is {http_url(forward.connection)}/…"
        if not ipaddress.ip_address(forward.bind.host).is_loopback:
            yield "  other machines can connect to it"
    yield from _redirects(config)
    yield from _trust(config)


def _redirects(config: SenderConfig) -> Iterator[str]:
    known = [one.endpoint.host for one in config.redirects if one.endpoint is not None]
    hosts = plan_addresses(known, config.names)
    for one in config.redirects:
        if one.endpoint is None:
            what = "what its metadata says"
        else:
            place = HostPort(hosts[one.endpoint.host].ipv4, one.endpoint.port)
            what = f"{one.endpoint} at {place}"
        yield f"redirect {what} -> {_connection(one.connection)}"
    if config.names.dns is not None:
        yield f"answer for these names on {config.names.dns}, and pass on all others"
    door = config.front_door
    for kind, bind in (("SOCKS5", door.socks_bind), ("CONNECT", door.http_bind)):
        if bind is not None:
            yield f"be a proxy for {kind} on {bind}, to redirected names only"
            if not ipaddress.ip_address(bind.host).is_loopback:
                yield "  other machines can connect to it"


def _trust(config: ListenerConfig | SenderConfig) -> Iterator[str]:
    if config.insecure:
        yield "use no TLS: anyone on the way can read"
    else:
        more = f" and those in {config.ca_file}" if config.ca_file else ""
        yield f"trust the system's certificate authorities{more}"


def _connection(connection: ConnectionString) -> str:
    if connection.signature is not None:
        how = "by a ready token, which is not renewed"
    elif connection.key_name is not None:
        how = f"by rule {connection.key_name}"
    else:
        how = "without a token"
    return f"{connection.entity_path} at {connection.host}:{connection.port} {how}"
