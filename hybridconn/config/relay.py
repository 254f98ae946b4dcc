"""
The relay's configuration, C{relay.toml}.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from hybridconn.config.audit import AuditSettings, AuditTable, build_audit
from hybridconn.config.checks import same_names, tables
from hybridconn.config.loader import load_file
from hybridconn.config.management import (
    ManagementSettings,
    ManagementTable,
    ManagementToken,
    TokenTable,
    build_management,
    build_token,
)
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.oidc import OidcSettings, OidcTable, build_oidc
from hybridconn.config.relay_admin import RelayAdmin
from hybridconn.config.relay_tables import (
    HybridConnectionTable,
    ListenTable,
    NamespaceTable,
    RelaySettings,
    RuleTable,
)
from hybridconn.config.secrets import Source
from hybridconn.config.store import StoreSettings, StoreTable, build_store
from hybridconn.config.update import UPDATE_NOTICE
from hybridconn.core.entities import (
    AuthorizationRule,
    HybridConnection,
    Namespace,
    endpoint_metadata,
)
from hybridconn.core.limits import Limits
from hybridconn.core.names import fold
from hybridconn.core.plan_limits import PlanLimits
from hybridconn.operation.updates import UpdateSettings
from hybridconn.tls import CertificateFiles


@frozen
class ListenSettings:
    """
    Where the relay listens.

    @ivar interface: an IP address; empty for all of IPv4.
    @ivar insecure: plain C{ws://}; then there are no certificates.
    @ivar public_url: how listeners reach this relay for a rendezvous, C{ws://}
        or C{wss://} with host and port; empty: by the Host they came with.
    @ivar certificates: the first one also serves clients that name no server.
    """

    port: int = 443
    interface: str = ""
    insecure: bool = False
    public_url: str = ""
    certificates: tuple[CertificateFiles, ...] = ()


@frozen
class RelayConfig:
    """The whole file."""

    listen: ListenSettings = field(
        factory=ListenSettings, metadata={"help": "", "table": True}
    )
    relay: RelaySettings = field(
        factory=RelaySettings, metadata={"help": "", "table": True}
    )
    limits: Limits = field(factory=Limits, metadata={"help": "", "table": True})
    plan_limits: PlanLimits = field(
        factory=PlanLimits, metadata={"help": "", "table": True}
    )
    store: StoreSettings = field(
        factory=StoreSettings, metadata={"help": "", "table": True}
    )
    management: ManagementSettings = field(
        factory=ManagementSettings, metadata={"help": "", "table": True}
    )
    admin: RelayAdmin = field(factory=RelayAdmin, metadata={"help": "", "table": True})
    audit: AuditSettings = field(
        factory=AuditSettings, metadata={"help": "", "table": True}
    )
    update_notice: UpdateSettings = field(
        factory=UpdateSettings, metadata={"help": "", "table": True}
    )
    namespaces: tuple[Namespace, ...] = field(
        default=(), metadata={"help": "", "table": True, "key": "namespace"}
    )

    def worker_ports(self, workers: int) -> list[int]:
        """
        The ports of the workers' own, to which listeners are sent.

        @raise ValueError: there are none; in words.
        """
        public = self.listen.port
        first = self.relay.worker_port or public + 1
        ports = list(range(first, first + workers))
        if ports[-1] > 65535 or public in ports or not public:
            raise ValueError(
                f"[relay] worker_port: {workers} workers cannot have the ports from "
                f"{first} on beside {public}; choose another one."
            )
        return ports

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """There is a namespace, and each is found by its own host names."""
        namespaces = tables(table, "namespace")
        stored = tables_store(table)
        if stored and table.get("namespace"):
            yield Mistake(
                "does not go with [store], which has them; take it over with: "
                "hybridconn apply.",
                "namespace",
            )
        elif not stored and not table.get("namespace"):
            yield Mistake("is missing; add a [[namespace]].", "namespace")
        yield from _only_with_store(table, stored)
        yield from same_names(table, "namespace", "name", "namespace")
        yield from _same_hosts(namespaces)
        most = Limits().entities_per_namespace
        limits = table.get("limits")
        if isinstance(limits, dict):
            most = limits.get("entities_per_namespace", most)
        for index, namespace in enumerate(namespaces):
            if len(namespaces) > 1 and namespace.get("host_names", []) == []:
                yield Mistake(
                    "is missing; with several namespaces each needs its own.",
                    *("namespace", index, "host_names"),
                )
            count = len(tables(namespace, "hybrid_connection"))
            if isinstance(most, int) and count > most:
                yield Mistake(
                    f"there are {count}; entities_per_namespace in [limits] allows "
                    f"{most}.",
                    *("namespace", index, "hybrid_connection"),
                )


@frozen
class NamespacesFile:
    """Namespaces to be taken over into a store."""

    namespaces: tuple[Namespace, ...] = field(
        default=(), metadata={"help": "", "table": True, "key": "namespace"}
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """There is a namespace, and none is there twice."""
        if not table.get("namespace"):
            yield Mistake("is missing; add a [[namespace]].", "namespace")
        yield from same_names(table, "namespace", "name", "namespace")
        yield from _same_hosts(tables(table, "namespace"))


def tables_store(table: Mapping[str, Any]) -> bool:
    """Whether a file names a store."""
    store = table.get("store")
    return isinstance(store, dict) and bool(store.get("path") or store.get("url"))


def _only_with_store(table: Mapping[str, Any], stored: bool) -> Iterator[Mistake]:
    store, listen = table.get("store"), table.get("listen")
    shares = isinstance(store, dict) and store.get("share_listeners")
    if shares and not (isinstance(listen, dict) and listen.get("public_url")):
        yield Mistake(
            "is missing; with share_listeners other relays' listeners are sent to "
            'this one by it; write it like "wss://relay1.example.net:443".',
            *("listen", "public_url"),
        )
    management = table.get("management")
    port = management.get("port") if isinstance(management, dict) else None
    if port is not None and not stored:
        yield Mistake(
            "needs a place for what it changes; add [store].", "management", "port"
        )


def load_relay(
    file: str | os.PathLike[str], environ: Mapping[str, str] = os.environ
) -> RelayConfig:
    """
    Read a relay's configuration.

    @raise ConfigError: with all that is wrong.
    """
    return load_file(file, RelayConfig, BUILDERS, environ)


def load_namespaces(
    file: str | os.PathLike[str], environ: Mapping[str, str] = os.environ
) -> tuple[Namespace, ...]:
    """
    Read a file that has C{[[namespace]]} tables and nothing else.

    @raise ConfigError: with all that is wrong.
    """
    return load_file(file, NamespacesFile, BUILDERS, environ).namespaces


# --- from tables to values ---------------------------------------------------


def _build_listen(table: ListenTable, source: Source) -> ListenSettings:
    certificates: tuple[CertificateFiles, ...] = ()
    if not table.insecure:
        certificates = (
            _files(table.certificate, table.key, source),
            *(
                _files(one.certificate, one.key, source, one.server_names)
                for one in table.certificates
            ),
        )
    return ListenSettings(
        table.port, table.interface, table.insecure, table.public_url, certificates
    )


def _build_rule(table: RuleTable, source: Source) -> AuthorizationRule:
    rights = frozenset(table.rights)
    return AuthorizationRule(table.name, rights, table.primary_key, table.secondary_key)


def _build_entity(table: HybridConnectionTable, source: Source) -> HybridConnection:
    metadata = table.user_metadata
    if table.endpoint is not None:
        metadata = endpoint_metadata(table.endpoint)
    return HybridConnection(
        table.path, table.requires_client_authorization, metadata, table.rule
    )


def _build_namespace(table: NamespaceTable, source: Source) -> Namespace:
    return Namespace(table.name, table.host_names, table.rule, table.hybrid_connection)


BUILDERS: Mapping[type, tuple[type, Any]] = {
    StoreSettings: (StoreTable, build_store),
    ManagementSettings: (ManagementTable, build_management),
    ManagementToken: (TokenTable, build_token),
    OidcSettings: (OidcTable, build_oidc),
    AuditSettings: (AuditTable, build_audit),
    ListenSettings: (ListenTable, _build_listen),
    AuthorizationRule: (RuleTable, _build_rule),
    HybridConnection: (HybridConnectionTable, _build_entity),
    Namespace: (NamespaceTable, _build_namespace),
    **UPDATE_NOTICE,
}


def _files(
    certificate: str, key: str, source: Source, names: Sequence[str] = ()
) -> CertificateFiles:
    return CertificateFiles(
        str(source.path(certificate)), str(source.path(key)), tuple(names)
    )


def _same_hosts(namespaces: Sequence[Mapping[str, Any]]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, namespace in enumerate(namespaces):
        names = namespace.get("host_names")
        for at, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str) and first.setdefault(fold(name), index) != index:
                yield Mistake(
                    f"{shown(name)} belongs to namespace number "
                    f"{first[fold(name)] + 1} already; leave it in one of them.",
                    *("namespace", index, "host_names", at),
                )
