"""
C{hybridconn init}: a first configuration with fresh keys, ready to use.
"""

from __future__ import annotations

import base64
import os
import secrets
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hybridconn.certificates import check_pair, expiry, make_certificates
from hybridconn.cli.files import NewFile, existing, write_files
from hybridconn.cli.templates import Plan, listener_toml, relay_toml, sender_toml
from hybridconn.config.addresses import (
    HostPort,
    parse_bind,
    parse_host_name,
    parse_host_port,
)
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Secret
from hybridconn.core.http_url import HttpUrl
from hybridconn.core.names import parse_entity_path, parse_namespace_name
from hybridconn.core.relay_url import http_url

_KEY_BYTES = 32
_DEFAULT_TARGET = "127.0.0.1:8080"


def _checked(parse: Callable[[str], object]) -> Callable[..., Any]:
    """A click callback that checks one value or several with C{parse}."""

    def callback(_: click.Context, __: click.Parameter, value: Any) -> Any:
        try:
            for text in value if isinstance(value, tuple) else [value]:
                if text is not None:
                    parse(text)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from None
        return value

    return callback


@click.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    required=True,
    callback=_checked(parse_host_name),
    metavar="NAME",
    help="Host name or IP address by which the relay is reached; may be repeated, "
    "the first one stands in the connection strings.",
)
@click.option(
    "--port",
    default=443,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="The relay's port.",
)
@click.option(
    "--namespace",
    default="hybridconn",
    show_default=True,
    callback=_checked(parse_namespace_name),
    help="The name of the namespace.",
)
@click.option(
    "--entity",
    default="demo",
    show_default=True,
    callback=_checked(parse_entity_path),
    help="The path of the first hybrid connection.",
)
@click.option(
    "--endpoint",
    callback=_checked(lambda text: _place_of(text)),
    metavar="HOST:PORT|URL",
    help="What the hybrid connection stands for: the listener's target, host:port or "
    "the http:// or https:// URL of a web service; or *.DOMAIN:PORT for all services "
    "below a domain, each by its own name. Without it the listener gets "
    f"{_DEFAULT_TARGET}, to be changed.",
)
@click.option(
    "--bind",
    callback=_checked(parse_bind),
    metavar="ADDRESS:PORT",
    help="The sender's local port. By default the target's, raised by 10000, on "
    "127.0.0.1.",
)
@click.option(
    "--certificate",
    metavar="FILE",
    help="The relay's certificate and those between it and its authority, PEM, "
    "instead of a new private authority.",
)
@click.option("--key", metavar="FILE", help="The private key of --certificate.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def init(
    folder: str,
    hosts: tuple[str, ...],
    port: int,
    namespace: str,
    entity: str,
    endpoint: str | None,
    bind: str | None,
    certificate: str | None,
    key: str | None,
    force: bool,
) -> None:
    """
    Write a first configuration into the folder DIR.

    It makes keys, a private certificate authority with a certificate for the
    relay, and a configuration for relay, listener and sender each. Files with
    secrets are for their owner only.

    The relay's certificate is good for a year: make the next one in time with
    hybridconn renew DIR.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    target = endpoint or _DEFAULT_TARGET
    plan = Plan(
        hosts=tuple(dict.fromkeys(parse_host_name(host) for host in hosts)),
        port=port,
        namespace=namespace,
        entity=entity,
        endpoint=str(_place_of(endpoint)) if endpoint else None,
        target=target,
        http=_is_url(target),
        bind=bind or _bind_for(target),
        certificate=os.path.abspath(certificate) if certificate else None,
        key=os.path.abspath(key) if key else None,
        manage_key=_fresh_key(),
        listen_key=_fresh_key(),
        send_key=_fresh_key(),
    )
    if plan.many and bind:
        raise click.UsageError("--bind is for one service, not for a wildcard")
    files = _files(plan)
    place = Path(folder)
    taken = existing(place, files)
    if taken and not force:
        raise click.ClickException(
            f"{folder} has {', '.join(taken)} already; name another folder, or replace "
            "them with --force (agents with the old keys are then locked out)."
        )
    write_files(place, files)
    _report(plan, place, files)


def _fresh_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _is_url(target: str) -> bool:
    return target.lower().startswith(("http:/", "https:/"))


def _place_of(target: str) -> HostPort:
    """
    Host and port of a target.

    @raise ValueError: it is neither C{host:port} nor a URL.
    """
    if ":" not in target:
        raise ValueError("write it as host:port, or as an http:// or https:// URL")
    if not _is_url(target):
        return parse_host_port(target)
    url = HttpUrl.parse(target)
    return HostPort(url.host, url.port)


def _bind_for(target: str) -> str:
    port = _place_of(target).port
    return f"127.0.0.1:{port + 10000 if port <= 55535 else port - 10000}"


def _string(plan: Plan, rule: str, key: str) -> str:
    return ConnectionString(
        host=plan.hosts[0],
        port=plan.port,
        entity_path=plan.entity,
        key_name=rule,
        key=Secret(key),
    ).render()


def _files(plan: Plan) -> dict[str, NewFile]:
    listen = _string(plan, "defaultListener", plan.listen_key)
    send = _string(plan, "defaultSender", plan.send_key)
    files = {
        "relay.toml": NewFile(relay_toml(plan).encode()),
        "listen.connection-string": NewFile(f"{listen}\n".encode()),
        "send.connection-string": NewFile(f"{send}\n".encode()),
        "listener.toml": NewFile(listener_toml(plan).encode()),
        "sender.toml": NewFile(sender_toml(plan).encode()),
    }
    if plan.certificate and plan.key:
        _look_at(plan.certificate, plan.key)
        return files
    made = make_certificates(plan.hosts, datetime.now(UTC))
    return files | {
        "ca.pem": NewFile(made.authority.certificate, private=False),
        "ca.key": NewFile(made.authority.key),
        "relay.pem": NewFile(made.relay.certificate, private=False),
        "relay.key": NewFile(made.relay.key),
    }


def _look_at(certificate: str, key: str) -> None:
    try:
        check_pair(Path(certificate).read_bytes(), Path(key).read_bytes())
    except OSError as error:
        raise click.ClickException(
            f"{error.filename} cannot be read: {error.strerror}."
        ) from None
    except ValueError as error:
        raise click.ClickException(f"{certificate} and {key} {error}.") from None


def _report(plan: Plan, folder: Path, files: dict[str, NewFile]) -> None:
    at = shlex.quote(str(folder))
    ca = "" if plan.certificate else "ca.pem, "
    lines = [
        f"Wrote into {folder}: {', '.join(files)}.",
        "",
        "Connection strings, each with a secret key:",
        f"  listener  {_string(plan, 'defaultListener', plan.listen_key)}",
        f"  sender    {_string(plan, 'defaultSender', plan.send_key)}",
        "",
        "Next:",
        f"  1. Here, the relay:  twistd -n --pidfile= hcrelay --config {at}/relay.toml",
        f"  2. Beside the target {plan.target}, with {ca}listener.toml and",
        "     listen.connection-string:",
        "     twistd -n --pidfile= hclistener --config listener.toml",
        f"  3. Beside the app, with {ca}sender.toml and send.connection-string:",
        "     twistd -n --pidfile= hcsender --config sender.toml",
        f"  4. Let the app connect to {plan.bind}.",
    ]
    if plan.many:
        lines[-1] = "  4. Have apps find the names: [names] in sender.toml says how."
    if plan.http:
        url = http_url(ConnectionString.parse(_string(plan, "x", plan.send_key)))
        file = f"{at}/send.connection-string"
        lines[-1] = f"  4. Let the app use http://{plan.bind}/"
        lines += [
            f"     Or, without a sender, {url}/ with the header",
            "     ServiceBusAuthorization, whose value is made by:",
            f"     hybridconn token --connection-string-file {file}",
        ]
    if not plan.endpoint:
        lines.append(
            f"Change the target {plan.target} in listener.toml to yours first."
        )
    if not plan.certificate:
        end = expiry(files["relay.pem"].content)
        lines.append(
            f"The relay's certificate ends on {end:%Y-%m-%d}; make the next one before "
            f"with: hybridconn renew {at}"
        )
        lines.append("Keep ca.key out of reach: nothing but new certificates needs it.")
    for line in lines:
        click.echo(line)
