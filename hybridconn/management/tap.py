"""The store and the management API of a relay, from its configuration."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint

from hybridconn.config.management import ManagementSettings, StoreSettings
from hybridconn.config.oidc import AZURE_AUDIENCE
from hybridconn.config.relay import RelayConfig
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IAudit
from hybridconn.management.book import ResourceBook
from hybridconn.management.fetching import fetcher
from hybridconn.management.server import Server
from hybridconn.management.service import ManagementService, StoreThread
from hybridconn.management.tokens import Callers, Role, StaticToken, StaticTokens
from hybridconn.relay.desk import entity_key
from hybridconn.relay.service import RelayService
from hybridconn.startup import exit_for_port, load_or_exit
from hybridconn.stores.sql import SqlResourceStore, StoreError
from hybridconn.stores.vault import Vault, VaultError
from hybridconn.tls import CertificateStore
from hybridconn.web.agents import pooled_agent

if TYPE_CHECKING:
    from hybridconn.management.oidc import OidcTokens


def open_book(
    program: str, config: RelayConfig, reactor: Any
) -> tuple[ResourceBook, StoreThread]:
    """
    What is in the store, and the thread that writes to it.

    @param program: begins the line that says what is wrong.
    @raise SystemExit: with what is wrong.
    """
    thread = StoreThread(reactor)
    book = load_or_exit(
        program, lambda: _open_book(config.store, thread), StoreError, VaultError
    )
    return book, thread


def _open_book(settings: StoreSettings, thread: StoreThread) -> ResourceBook:
    url, vault = f"sqlite:///{settings.path}", Vault(settings.keys)
    store = SqlResourceStore(url, vault, thread.run)
    thread.closed = store.close
    return ResourceBook(store)


def manage(
    program: str,
    relay: RelayService,
    config: RelayConfig,
    reactor: Any,
    book: ResourceBook,
    audit: IAudit,
) -> None:
    """
    Have C{relay} serve the management API too.

    @param audit: is told of every call.
    @raise SystemExit: with what is wrong.
    """
    settings = config.management
    port = settings.port
    assert port is not None
    server = Server(
        subscriptions=settings.subscriptions,
        suffix=settings.suffix,
        port=config.listen.port,
        now=time.time,
        random_bytes=os.urandom,
        listener_count=lambda name, path: relay.desk.listeners(entity_key(name, path)),
        public_url=settings.public_url,
        plan_limits=settings.plan_limits,
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
    kind = TCP6ServerEndpoint if ":" in settings.interface else TCP4ServerEndpoint
    service.listen_on(
        kind(reactor, port, interface=settings.interface),
        load_or_exit(program, lambda: CertificateStore(files)),
        failed=exit_for_port(program, f"{settings.interface} port {port}"),
    )
    service.setServiceParent(relay)


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
    )
    if oidc.keys:
        return OidcTokens(rules, FixedKeys(oidc.keys), time.time)
    authorities = () if oidc.ca_file is None else (str(oidc.ca_file),)
    agent = pooled_agent(reactor, ReactorDialer(reactor, authorities), False)
    pace = Pace(refresh=oidc.refresh, unknown=oidc.unknown_key_interval, keep=oidc.keep)
    keys = FetchedKeys(fetcher(agent, oidc.jwks_url, reactor), reactor, pace)
    # So that the first caller need not wait, and the log says early what is wrong.
    reactor.callWhenRunning(keys.refresh)
    return OidcTokens(rules, keys, time.time)
