"""
The text of the configuration files that C{hybridconn init} writes.
"""

from __future__ import annotations

import json

from attrs import field, frozen


@frozen
class Plan:
    """
    What is to be set up.

    @ivar hosts: the main one first.
    @ivar endpoint: for the hybrid connection's metadata, if given.
    @ivar target: of the listener, C{host:port} or a URL.
    @ivar http: whether it is a URL.
    @ivar bind: of the sender, C{address:port}.
    @ivar certificate: a file that is there; L{None}: one of a private authority.
    @ivar key: the file that goes with C{certificate}.
    """

    hosts: tuple[str, ...]
    port: int
    namespace: str
    entity: str
    endpoint: str | None
    target: str
    bind: str
    certificate: str | None
    key: str | None
    manage_key: str = field(repr=False)
    listen_key: str = field(repr=False)
    send_key: str = field(repr=False)
    http: bool = False


def _toml(value: object) -> str:
    # What is put in has been checked: no control characters, so JSON's strings
    # and lists of strings are TOML's.
    return json.dumps(value, ensure_ascii=False)


def relay_toml(plan: Plan) -> str:
    """The relay's configuration; it holds keys."""
    endpoint = f"endpoint = {_toml(plan.endpoint)}\n" if plan.endpoint else ""
    return f"""\
# The relay. Start it with: twistd -n --pidfile= hcrelay --config relay.toml
# Every setting is explained in docs/options.md. This file holds keys: mode 0600.

[listen]
port = {plan.port}
certificate = {_toml(plan.certificate or "relay.pem")}
key = {_toml(plan.key or "relay.key")}

[relay]
load_balancer = "random"

[[namespace]]
name = {_toml(plan.namespace)}
host_names = {_toml(list(plan.hosts))}

# Opens everything in this namespace: for administrators, not for agents.
[[namespace.rule]]
name = "RootManageSharedAccessKey"
rights = ["Manage"]
primary_key = {_toml(plan.manage_key)}

[[namespace.hybrid_connection]]
path = {_toml(plan.entity)}
requires_client_authorization = true
{endpoint}
[[namespace.hybrid_connection.rule]]
name = "defaultListener"
rights = ["Listen"]
primary_key = {_toml(plan.listen_key)}

[[namespace.hybrid_connection.rule]]
name = "defaultSender"
rights = ["Send"]
primary_key = {_toml(plan.send_key)}
"""


def listener_toml(plan: Plan) -> str:
    """The listener's configuration."""
    return f"""\
# The listener. Start it with: twistd -n --pidfile= hclistener --config listener.toml
{_authorities(plan)}
[[hybrid_connection]]
connection_string_file = "listen.connection-string"
target = {_toml(plan.target)}
"""


def sender_toml(plan: Plan) -> str:
    """The sender's configuration."""
    return (
        f"""\
# The sender. Start it with: twistd -n --pidfile= hcsender --config sender.toml
{_authorities(plan)}
[[forward]]
connection_string_file = "send.connection-string"
bind = {_toml(plan.bind)}
{"http = true" if plan.http else ""}
""".rstrip()
        + "\n"
    )


def _authorities(plan: Plan) -> str:
    return "" if plan.certificate else 'ca_file = "ca.pem"\n'
