"""
The text of the configuration files that C{hybridconn init} writes.
"""

from __future__ import annotations

from attrs import field, frozen

from hybridconn.core.toml_text import toml_value


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

    @property
    def many(self) -> bool:
        """Whether it is for all services below a wildcard."""
        return self.target.startswith("*.")


def relay_toml(plan: Plan) -> str:
    """The relay's configuration; it holds keys."""
    endpoint = f"endpoint = {toml_value(plan.endpoint)}\n" if plan.endpoint else ""
    return f"""\
# The relay. Start it with: twistd -n --pidfile= hcrelay --config relay.toml
# Every setting is explained in docs/options.md. This file holds keys: mode 0600.

[listen]
port = {plan.port}
certificate = {toml_value(plan.certificate or "relay.pem")}
key = {toml_value(plan.key or "relay.key")}

[relay]
load_balancer = "random"

[[namespace]]
name = {toml_value(plan.namespace)}
host_names = {toml_value(list(plan.hosts))}

# Opens everything in this namespace: for administrators, not for agents.
[[namespace.rule]]
name = "RootManageSharedAccessKey"
rights = ["Manage"]
primary_key = {toml_value(plan.manage_key)}

[[namespace.hybrid_connection]]
path = {toml_value(plan.entity)}
requires_client_authorization = true
{endpoint}
[[namespace.hybrid_connection.rule]]
name = "defaultListener"
rights = ["Listen"]
primary_key = {toml_value(plan.listen_key)}

[[namespace.hybrid_connection.rule]]
name = "defaultSender"
rights = ["Send"]
primary_key = {toml_value(plan.send_key)}
"""


def listener_toml(plan: Plan) -> str:
    """The listener's configuration."""
    value = toml_value(plan.target)
    target = f"targets = [{value}]" if plan.many else f"target = {value}"
    return f"""\
# The listener. Start it with: twistd -n --pidfile= hclistener --config listener.toml
{_authorities(plan)}
[[hybrid_connection]]
connection_string_file = "listen.connection-string"
{target}
"""


def sender_toml(plan: Plan) -> str:
    """The sender's configuration."""
    if plan.many:
        return f"""\
# The sender. Start it with: twistd -n --pidfile= hcsender --config sender.toml
{_authorities(plan)}
[[redirect]]
connection_string_file = "send.connection-string"
endpoints = [{toml_value(plan.target)}]

# Lets apps find the names, together with hybridconn redirect install --way resolv
# or resolved, or hybridconn exec; port 53 is for root: see docs/names.md.
# [names]
# dns = "127.0.0.77:53"
"""
    return (
        f"""\
# The sender. Start it with: twistd -n --pidfile= hcsender --config sender.toml
{_authorities(plan)}
[[forward]]
connection_string_file = "send.connection-string"
bind = {toml_value(plan.bind)}
{"http = true" if plan.http else ""}
""".rstrip()
        + "\n"
    )


def _authorities(plan: Plan) -> str:
    return "" if plan.certificate else 'ca_file = "ca.pem"\n'
