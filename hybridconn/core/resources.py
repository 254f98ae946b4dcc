"""
What an operator manages: namespaces, hybrid connections, rules, plans and the apps
that use hybrid connections (management-api sections 6 to 8).

Every resource is a value with a C{key}: the names that tell it from others of its
kind, in the form in which names are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from attrs import field, frozen

from hybridconn.core.entities import Claim, Secret
from hybridconn.core.names import fold

#: What a self-hosted server calls its one subscription.
DEFAULT_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
#: The rule that every namespace begins with.
ROOT_RULE = "RootManageSharedAccessKey"
#: Rules of a hybrid connection that has an endpoint (section 9).
LISTENER_RULE = "defaultListener"
SENDER_RULE = "defaultSender"

Key = tuple[str, ...]


def _key(*names: str) -> Key:
    return tuple(map(fold, names))


def _claims(rights: Iterable[Claim]) -> frozenset[Claim]:
    return frozenset(rights)


@frozen(kw_only=True)
class NamespaceResource:
    """
    A namespace.

    @ivar host_names: by which clients of the data plane reach it.
    @ivar public_network_access: C{Disabled}: so are its hybrid connections.
    @ivar default_action: C{Deny}: only from where C{ip_rules} allow it.
    @ivar created: seconds since 1970-01-01 UTC; C{updated} too.
    """

    kind: ClassVar[str] = "namespace"

    name: str
    subscription: str
    group: str
    location: str = "local"
    tags: Mapping[str, str] = field(factory=dict)
    host_names: tuple[str, ...] = ()
    public_network_access: str = "Enabled"
    minimum_tls_version: str = "1.2"
    default_action: str = "Allow"
    ip_rules: tuple[str, ...] = ()
    created: float
    updated: float

    @property
    def key(self) -> Key:
        return _key(self.name)

    @property
    def parent(self) -> Key:
        """Namespaces are unique in the whole server."""
        return ()


@frozen(kw_only=True)
class ConnectionResource:
    """
    A hybrid connection.

    @ivar status: C{Active}, or C{Disabled}: nobody is let in.
    """

    kind: ClassVar[str] = "connection"

    namespace: str
    path: str
    requires_client_authorization: bool = True
    user_metadata: str = field(default="", repr=False)
    status: str = "Active"
    created: float
    updated: float

    @property
    def key(self) -> Key:
        return _key(self.namespace, self.path)

    @property
    def parent(self) -> Key:
        return _key(self.namespace)


@frozen(kw_only=True)
class RuleResource:
    """
    An authorization rule.

    @ivar path: of its hybrid connection; empty at the namespace itself.
    """

    kind: ClassVar[str] = "rule"

    namespace: str
    path: str
    name: str
    rights: frozenset[Claim] = field(converter=_claims)
    primary_key: Secret
    secondary_key: Secret | None = None

    @property
    def key(self) -> Key:
        return _key(self.namespace, self.path, self.name)

    @property
    def parent(self) -> Key:
        return _key(self.namespace, self.path)


@frozen(kw_only=True)
class PlanResource:
    """
    An App Service plan: how many hybrid connections its apps may use.

    @ivar tier: such as C{Basic}.
    @ivar sku: such as C{B1}.
    """

    kind: ClassVar[str] = "plan"

    subscription: str
    group: str
    name: str
    location: str
    tier: str
    sku: str
    capacity: int = 1
    tags: Mapping[str, str] = field(factory=dict)

    @property
    def key(self) -> Key:
        return _key(self.subscription, self.group, self.name)

    @property
    def parent(self) -> Key:
        return _key(self.subscription)


@frozen(kw_only=True)
class SiteResource:
    """
    An app.

    @ivar plan: the key of its plan.
    """

    kind: ClassVar[str] = "site"

    subscription: str
    group: str
    name: str
    location: str
    plan: Key
    tags: Mapping[str, str] = field(factory=dict)

    @property
    def key(self) -> Key:
        return _key(self.name)

    @property
    def parent(self) -> Key:
        return _key(self.subscription)


@frozen(kw_only=True)
class AttachmentResource:
    """
    A hybrid connection that an app uses.

    @ivar slot: of the app; empty for the app itself.
    @ivar send_key: as it was given, not checked.
    @ivar set_at: when the key was given, seconds since 1970-01-01 UTC.
    """

    kind: ClassVar[str] = "attachment"

    site: str
    slot: str
    namespace: str
    path: str
    relay_id: str
    hostname: str
    port: int
    send_key_name: str
    send_key: Secret
    set_at: float

    @property
    def key(self) -> Key:
        return _key(self.site, self.slot, self.namespace, self.path)

    @property
    def parent(self) -> Key:
        return _key(self.site, self.slot)


Resource = (
    NamespaceResource
    | ConnectionResource
    | RuleResource
    | PlanResource
    | SiteResource
    | AttachmentResource
)
KINDS: tuple[type[Resource], ...] = (
    NamespaceResource,
    ConnectionResource,
    RuleResource,
    PlanResource,
    SiteResource,
    AttachmentResource,
)
