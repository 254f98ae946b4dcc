"""C{twistd hcrelay}: a relay from its configuration file."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.application.service import IService
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
)
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python import usage

from hybridconn.audit import AuditFile, NoAudit
from hybridconn.balancers.registry import load_balancer
from hybridconn.cluster.supervisor import Supervisor
from hybridconn.config.mistakes import ConfigError
from hybridconn.config.relay import ListenSettings, RelayConfig, load_relay
from hybridconn.config.secrets import open_mistake
from hybridconn.interfaces import IAudit, IClusterBus, IEntityStore
from hybridconn.memory import settle
from hybridconn.operation.logs import OPTION, choose_log
from hybridconn.relay.connecting import PublicUrl
from hybridconn.relay.page.actions import Switch
from hybridconn.relay.page.service import page_service
from hybridconn.relay.reloading import Reloading
from hybridconn.relay.service import RelayService
from hybridconn.startup import as_unit, exit_for_port, load_or_exit, warn_if_insecure
from hybridconn.steady import keep_steady
from hybridconn.stores import load_toml_store
from hybridconn.tls import CertificateStore

PROGRAM = "hcrelay"

#: Connections that the kernel may hold until they are taken: many listeners
#: come back at once after a restart.
_BACKLOG = 1024


class Options(usage.Options):
    """What C{twistd hcrelay} understands."""

    synopsis = "--config FILE [--workers N]"
    longdesc = (
        "Run a relay for hybrid connections. `hybridconn init` writes a first"
        " configuration."
    )
    optParameters = [  # noqa: RUF012  # Twisted's convention
        ["config", "c", None, "The configuration, see docs/options.md."],
        ["workers", "w", None, "Processes that share the work; else as configured."],
        OPTION,
    ]

    def postOptions(self) -> None:
        """Choose how the log is written (Twisted)."""
        choose_log(self, PROGRAM)


def makeService(options: Options, reactor: Any = None) -> IService:
    """Build the relay; nothing is opened before it starts (Twisted)."""
    if reactor is None:
        from twisted.internet import reactor

        keep_steady(reactor)
    file = options["config"]
    if file is None:
        raise SystemExit(f"{PROGRAM}: say with --config FILE what to run.")
    config = load_or_exit(PROGRAM, lambda: load_relay(file))
    workers = _workers(options["workers"], config)
    warn_if_insecure(PROGRAM, config.listen.insecure)
    listen = config.listen
    if workers > 1:
        # What is wrong is said once, not by every worker.
        certificates_of(config)
        if config.store.place:
            from hybridconn.management.tap import check_store

            check_store(PROGRAM, config)
        management = config.management
        supervisor = Supervisor(
            os.path.abspath(file),
            (listen.interface, listen.port),
            _own_ports(config, workers),
            reactor,
            lambda port: exit_for_port(PROGRAM, port),
            management=(
                None
                if management.port is None
                else (management.interface, management.port)
            ),
            log_format=options["log-format"],
            page=_page_port(config),
        )
        return load_or_exit(
            PROGRAM, lambda: as_unit(supervisor, reactor, config.update_notice)
        )
    reactor.callWhenRunning(settle)
    relay = make_relay(config, reactor, file)
    shown = f"{listen.interface or '0.0.0.0'} port {listen.port}"
    relay.listen_on(
        _endpoint(reactor, listen),
        certificates_of(config),
        exit_for_port(PROGRAM, shown),
    )
    return load_or_exit(PROGRAM, lambda: as_unit(relay, reactor, config.update_notice))


def make_relay(
    config: RelayConfig,
    reactor: Any,
    file: str,
    own_port: int | None = None,
    bus: IClusterBus | None = None,
    management: IStreamServerEndpoint | None = None,
    group: str = "",
    page: bool = True,
) -> RelayService:
    """
    A relay as configured, that does not listen on the public port yet.

    @param file: is read again on SIGHUP.
    @param own_port: where listeners reach this process, if not on the public port.
    @param bus: the way to the other processes.
    @param management: where the management API is served; without it that is as
        configured, unless there is a C{bus}: then another process serves it.
    @param group: names the processes of this relay, if there are several.
    @param page: whether this process serves the page, if one is configured.
    @raise SystemExit: with what is wrong.
    """
    audit = load_or_exit(PROGRAM, lambda: _audit(config))
    reloading = Reloading(lambda: load_relay(file), config, reactor)
    if not config.store.place:
        entities = load_toml_store(config)
        relay = _relay(config, reactor, entities, own_port, bus, audit)
        _attach(reloading, relay)
        if page:
            _show_page(relay, config, reactor, entities, None, audit)
        return relay
    # A database's library is large, and most relays have no database.
    from hybridconn.cluster.shared_bus import BothBuses
    from hybridconn.management.tap import (
        manage,
        management_endpoint,
        open_book,
        open_bus,
    )

    store = open_book(PROGRAM, config, reactor)
    several, shared = bus, None
    if config.store.share_listeners:
        shared = open_bus(PROGRAM, config, reactor, group)
        several = shared if bus is None else BothBuses(bus, shared)
    relay = _relay(config, reactor, store.book.entities, own_port, several, audit)
    store.setServiceParent(relay)
    if shared is not None:
        shared.setServiceParent(relay)
    _attach(reloading, relay)
    if page:
        from hybridconn.management.switching import switch_connection

        switch = partial(switch_connection, store.book, time.time)
        _show_page(relay, config, reactor, store.book.entities, switch, audit)
    if management is None and bus is None and config.management.port is not None:
        management = management_endpoint(config, reactor)
    if management is not None:
        reloading.adjust.append(
            manage(PROGRAM, relay, config, reactor, store.book, management, audit)
        )
    return relay


def _show_page(
    relay: RelayService,
    config: RelayConfig,
    reactor: Any,
    entities: IEntityStore,
    switch: Switch | None,
    audit: IAudit,
) -> None:
    if config.admin.port is not None:
        page_service(
            *(PROGRAM, config.admin, relay.live, entities, switch, audit),
            *(reactor, time.time),
        ).setServiceParent(relay)


def _page_port(config: RelayConfig) -> tuple[str, int] | None:
    admin = config.admin
    return None if admin.port is None else (admin.interface, admin.port)


def _attach(reloading: Reloading, relay: RelayService) -> None:
    reloading.adjust.append(lambda config: relay.desk.adjust(config.limits))
    reloading.adjust.append(lambda _: relay.reload_certificates())
    reloading.setServiceParent(relay)


def _relay(
    config: RelayConfig,
    reactor: Any,
    entities: IEntityStore,
    own_port: int | None,
    bus: IClusterBus | None,
    audit: IAudit,
) -> RelayService:
    return RelayService(
        reactor,
        entities,
        load_balancer(config.relay.load_balancer),
        config.limits,
        public_url=_public_url(config.listen, own_port),
        data_path=config.relay.data_path,
        log_requests=config.relay.log_requests,
        tls=config.relay.tls,
        bus=bus,
        audit=audit if config.audit.data_plane else None,
    )


def _audit(config: RelayConfig) -> IAudit:
    file = config.audit.file
    if not file:
        return NoAudit()
    try:
        return AuditFile(file, time.time)
    except OSError as error:
        raise ConfigError(
            "relay.toml", [f"[audit] file: {open_mistake(error, file, Path(file))}"]
        ) from None


def certificates_of(config: RelayConfig) -> CertificateStore | None:
    """
    The certificates, unless the relay is insecure.

    @raise SystemExit: with what is wrong.
    """
    if config.listen.insecure:
        return None
    files = config.listen.certificates
    return load_or_exit(PROGRAM, lambda: CertificateStore(files))


def _workers(option: str | None, config: RelayConfig) -> int:
    if option is None:
        return config.relay.workers
    if not option.isascii() or not option.isdigit() or not 1 <= int(option) <= 64:
        raise SystemExit(
            f"{PROGRAM}: command line: --workers: {option!r} is no usable number;"
            " use 1 to 64."
        )
    return int(option)


def _own_ports(config: RelayConfig, workers: int) -> list[int]:
    try:
        return config.worker_ports(workers)
    except ValueError as error:
        raise SystemExit(f"{PROGRAM}: {error}") from None


def _endpoint(reactor: Any, listen: ListenSettings) -> IStreamServerEndpoint:
    kind = TCP6ServerEndpoint if ":" in listen.interface else TCP4ServerEndpoint
    endpoint: IStreamServerEndpoint = kind(
        reactor, listen.port, backlog=_BACKLOG, interface=listen.interface
    )
    return endpoint


def _public_url(listen: ListenSettings, port: int | None) -> PublicUrl:
    if not listen.public_url:
        return PublicUrl(port=port)
    parts = urlsplit(listen.public_url)
    return PublicUrl(parts.netloc, parts.scheme == "wss", port)
