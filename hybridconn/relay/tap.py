"""C{twistd hcrelay}: a relay from its configuration file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python import usage

from hybridconn.balancers.registry import load_balancer
from hybridconn.config.relay import ListenSettings, RelayConfig, load_relay
from hybridconn.relay.connecting import PublicUrl
from hybridconn.relay.service import RelayService
from hybridconn.startup import exit_for_port, load_or_exit, warn_if_insecure
from hybridconn.stores import load_toml_store
from hybridconn.tls import CertificateStore

_PROGRAM = "hcrelay"

#: Connections that the kernel may hold until they are taken: many listeners
#: come back at once after a restart.
_BACKLOG = 1024


class Options(usage.Options):
    """What C{twistd hcrelay} understands."""

    synopsis = "--config FILE"
    longdesc = (
        "Run a relay for hybrid connections. `hybridconn init` writes a first"
        " configuration."
    )
    optParameters = [  # noqa: RUF012  # Twisted's convention
        ["config", "c", None, "The configuration, see docs/options.md."],
    ]


def makeService(options: Options, reactor: Any = None) -> RelayService:
    """Build the relay; nothing is opened before it starts (Twisted)."""
    if reactor is None:
        from twisted.internet import reactor
    file = options["config"]
    if file is None:
        raise SystemExit(f"{_PROGRAM}: say with --config FILE what to run.")
    config: RelayConfig = load_or_exit(_PROGRAM, lambda: load_relay(file))
    relay = RelayService(
        reactor,
        load_toml_store(config),
        load_balancer(config.relay.load_balancer),
        config.limits,
        public_url=_public_url(config.listen),
        data_path=config.relay.data_path,
        tls=config.relay.tls,
    )
    warn_if_insecure(_PROGRAM, config.listen.insecure)
    certificates = None
    if not config.listen.insecure:
        files = config.listen.certificates
        certificates = load_or_exit(_PROGRAM, lambda: CertificateStore(files))
    shown = f"{config.listen.interface or '0.0.0.0'} port {config.listen.port}"
    relay.listen_on(
        _endpoint(reactor, config.listen), certificates, exit_for_port(_PROGRAM, shown)
    )
    return relay


def _endpoint(reactor: Any, listen: ListenSettings) -> IStreamServerEndpoint:
    kind = TCP6ServerEndpoint if ":" in listen.interface else TCP4ServerEndpoint
    endpoint: IStreamServerEndpoint = kind(
        reactor, listen.port, backlog=_BACKLOG, interface=listen.interface
    )
    return endpoint


def _public_url(listen: ListenSettings) -> PublicUrl:
    if not listen.public_url:
        return PublicUrl()
    parts = urlsplit(listen.public_url)
    return PublicUrl(parts.netloc, parts.scheme == "wss")
