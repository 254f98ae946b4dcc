"""The store and the management API of a relay, from its configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint

from hybridconn.config.management import StoreSettings
from hybridconn.config.relay import RelayConfig
from hybridconn.management.book import ResourceBook
from hybridconn.management.server import Quotas, Server
from hybridconn.management.service import ManagementService, StoreThread
from hybridconn.management.tokens import Role, StaticToken
from hybridconn.relay.desk import entity_key
from hybridconn.relay.service import RelayService
from hybridconn.startup import exit_for_port, load_or_exit
from hybridconn.stores.sql import SqlResourceStore, StoreError
from hybridconn.stores.vault import Vault, VaultError
from hybridconn.tls import CertificateStore


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
) -> Callable[[RelayConfig], None]:
    """
    Have C{relay} serve the management API too.

    @return: takes changed numbers over.

    @raise SystemExit: with what is wrong.
    """
    settings = config.management
    port = settings.port
    assert port is not None
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
    )
    tokens = [StaticToken(t.name, Role(t.role), t.sha256) for t in settings.tokens]
    service = ManagementService(book, server, tokens, reactor)
    own = settings.certificate
    files = config.listen.certificates if own is None else (own,)
    kind = TCP6ServerEndpoint if ":" in settings.interface else TCP4ServerEndpoint
    service.listen_on(
        kind(reactor, port, interface=settings.interface),
        load_or_exit(program, lambda: CertificateStore(files)),
        failed=exit_for_port(program, f"{settings.interface} port {port}"),
    )
    service.setServiceParent(relay)
    return adjust
