"""The store and the management API of a relay, from its configuration."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint

from hybridconn.callthread import CallThread
from hybridconn.cluster.shared_bus import SharedBus, fresh_name
from hybridconn.config.management import ManagementSettings
from hybridconn.config.oidc import AZURE_AUDIENCE
from hybridconn.config.relay import RelayConfig
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IAudit
from hybridconn.management.book import ResourceBook
from hybridconn.management.fetching import fetcher
from hybridconn.management.keeping import StoreService
from hybridconn.management.server import Quotas, Server
from hybridconn.management.service import ManagementService
from hybridconn.management.tokens import Callers, Role, StaticToken, StaticTokens
from hybridconn.relay.desk import entity_key
from hybridconn.relay.service import RelayService
from hybridconn.startup import environments_way_out, exit_for_port, load_or_exit
from hybridconn.stores.errors import StoreError
from hybridconn.stores.opening import open_nodes, open_store
from hybridconn.stores.vault import VaultError
from hybridconn.tls import CertificateStore
from hybridconn.web.agents import pooled_agent

if TYPE_CHECKING:
    from hybridconn.management.oidc import OidcTokens


def open_book(program: str, config: RelayConfig, reactor: Any) -> StoreService:
    """
    Open the store and read what is in it.

    @param program: begins the line that says what is wrong.
    @raise SystemExit: with what is wrong.
    """
    return load_or_exit(
        program,
        lambda: StoreService(open_store(config.store), reactor),
        StoreError,
        VaultError,
    )


def open_bus(program: str, config: RelayConfig, reactor: Any, group: str) -> SharedBus:
    """
    The way to the other relays on the same database.

    @param group: names the processes of this relay; empty: it is one process.
    @raise SystemExit: with what is wrong.
    """
    nodes = load_or_exit(program, lambda: open_nodes(config.store), StoreError)
    # Relays on two machines may have the same names for theirs.
    own = f"{socket.gethostname()} {group}" if group else fresh_name()
    name = hashlib.sha256(own.encode()).hexdigest()[:12]
    thread = CallThread(reactor, "bus", nodes.abort)
    return SharedBus(nodes, thread, reactor, name)


def check_store(program: str, config: RelayConfig) -> None:
    """
    See whether the store can be used, and make its tables: for a process whose workers
    will use it.

    @raise SystemExit: with what is wrong.
    """

    def check() -> None:
        store = open_store(config.store)
        store.load()
        store.close()

    load_or_exit(program, check, StoreError, VaultError)


def management_endpoint(config: RelayConfig, reactor: Any) -> IStreamServerEndpoint:
    """Where the management API is served."""
    settings = config.management
    assert settings.port is not None
    kind = TCP6ServerEndpoint if ":" in settings.interface else TCP4ServerEndpoint
    endpoint: IStreamServerEndpoint = kind(
        reactor, settings.port, interface=settings.interface
    )
    return endpoint


def manage(
    program: str,
    relay: RelayService,
    config: RelayConfig,
    reactor: Any,
    book: ResourceBook,
    endpoint: IStreamServerEndpoint,
    audit: IAudit,
) -> Callable[[RelayConfig], None]:
    """
    Have C{relay} serve the management API too.

    @param endpoint: there.
    @param audit: is told of every call.
    @return: takes changed numbers over.
    @raise SystemExit: with what is wrong.
    """
    settings = config.management
    quotas = Quotas()

    def adjust(changed: RelayConfig) -> None:
        quotas.entities_per_namespace = changed.limits.entities_per_namespace
        quotas.plans = changed.plan_limits

    adjust(config)
    server = Server(
        subscriptions=settings.subscriptions,
        suffix=settings.suffix,
        port=config.listen.port,
        now=time.time,
        random_bytes=os.urandom,
        listener_count=lambda name, path: relay.desk.listeners(entity_key(name, path)),
        live=relay.live,
        quotas=quotas,
        public_url=settings.public_url,
    )
    tokens = [StaticToken(t.name, Role(t.role), t.sha256) for t in settings.tokens]
    oidc = settings.oidc
    jwt = (
        load_or_exit(program, lambda: _signed(settings, reactor))
        if oidc.issuer
        else None
    )
    callers = Callers(StaticTokens(tokens), jwt)
    service = ManagementService(book, server, callers, audit, reactor)
    own = settings.certificate
    files = config.listen.certificates if own is None else (own,)
    shown = f"{settings.interface} port {settings.port}"
    service.listen_on(
        endpoint,
        load_or_exit(program, lambda: CertificateStore(files)),
        failed=exit_for_port(program, shown),
    )
    service.setServiceParent(relay)
    return adjust


def _signed(settings: ManagementSettings, reactor: Any) -> OidcTokens:
    """Those who come with a token that somebody else signed."""
    # What they need is large, and most relays have none.
    from hybridconn.management.oidc import OidcRules, OidcTokens
    from hybridconn.management.signing_keys import FetchedKeys, FixedKeys, Pace

    oidc = settings.oidc
    own = {AZURE_AUDIENCE, settings.public_url} - {""}
    rules = OidcRules(
        issuer=oidc.issuer,
        audiences=oidc.audiences or tuple(f"{u}{s}" for u in own for s in ("", "/")),
        name_claim=oidc.name_claim,
        role_claim=oidc.role_claim,
        admin=oidc.admin,
        reader=oidc.reader,
        sender=oidc.sender,
    )
    if oidc.keys:
        return OidcTokens(rules, FixedKeys(oidc.keys), time.time)
    authorities = () if oidc.ca_file is None else (str(oidc.ca_file),)
    dialer = ReactorDialer(reactor, authorities, way_out=environments_way_out())
    agent = pooled_agent(reactor, dialer, False)
    pace = Pace(refresh=oidc.refresh, unknown=oidc.unknown_key_interval, keep=oidc.keep)
    keys = FetchedKeys(fetcher(agent, oidc.jwks_url, reactor), reactor, pace)
    # So that the first caller need not wait, and the log says early what is wrong.
    reactor.callWhenRunning(keys.refresh)
    return OidcTokens(rules, keys, time.time)
