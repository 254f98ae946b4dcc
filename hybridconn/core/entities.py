"""Namespaces, hybrid connections and their authorization rules."""

from __future__ import annotations

import copy
import enum
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import field, frozen

from hybridconn.core.access import EVERYWHERE, Access
from hybridconn.core.names import fold, fold_segments


class Claim(enum.Enum):
    """A right that a rule gives (relay-protocol section 3.3)."""

    LISTEN = "Listen"
    SEND = "Send"
    MANAGE = "Manage"


ALL_CLAIMS = frozenset(Claim)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Secret:
    """
    Text that must not be seen: C{str} and C{repr} show a placeholder.
    Comparing takes the same time wherever the difference is.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "…"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("…", spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(*map(_octets, (self._text, other._text)))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> Any:
        raise TypeError("a secret cannot be pickled")


def _claims(rights: Iterable[Claim]) -> frozenset[Claim]:
    return frozenset(rights)


@frozen
class AuthorizationRule:
    """
    A named pair of keys with rights.

    @ivar rights: as configured; L{claims} has what they imply.
    @ivar secondary_key: opens as much as the primary one, for changing keys
        without a gap.
    """

    name: str
    rights: frozenset[Claim] = field(converter=_claims)
    primary_key: Secret
    secondary_key: Secret | None = None

    @property
    def claims(self) -> frozenset[Claim]:
        """The rights with what they imply: Manage is all of them."""
        return ALL_CLAIMS if Claim.MANAGE in self.rights else self.rights

    def named(self, name: str) -> bool:
        """Whether C{name} is this rule's, in any case."""
        return fold(name) == fold(self.name)


def find_rule(
    rules: Iterable[AuthorizationRule], name: str
) -> AuthorizationRule | None:
    """The rule of that name, in any case."""
    folded = fold(name)
    for rule in rules:
        if fold(rule.name) == folded:
            return rule
    return None


@frozen
class HybridConnection:
    """
    One entity of a namespace.

    @ivar path: below the namespace, without slashes at its ends.
    @ivar requires_client_authorization: whether a sender needs a token.
    @ivar user_metadata: free text; L{endpoint} understands one form of it.
    @ivar enabled: if not, whoever has a good token is told that there is none.
    @ivar segments: the path's segments in the form in which they are compared.
    """

    path: str
    requires_client_authorization: bool = True
    user_metadata: str = field(default="", repr=False)
    rules: tuple[AuthorizationRule, ...] = ()
    enabled: bool = True
    segments: tuple[str, ...] = field(init=False, repr=False, eq=False)

    @segments.default
    def _split(self) -> tuple[str, ...]:
        return fold_segments(self.path.split("/"))

    @property
    def endpoint(self) -> str | None:
        """
        The C{host:port} this hybrid connection stands for, if the metadata has
        one: a JSON list of objects with C{key} and C{value}, the first whose
        key is C{endpoint} counts (product-behaviour section 2).
        """
        try:
            entries = json.loads(self.user_metadata)
        except (ValueError, RecursionError):
            return None
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                continue
            folded = {fold(name): value for name, value in entry.items()}
            key, value = folded.get("key"), folded.get("value")
            if isinstance(key, str) and fold(key) == "endpoint":
                return _checked_endpoint(value)
        return None


def _checked_endpoint(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    host, _, port = value.strip().rpartition(":")
    if host.startswith("["):
        plausible = host.endswith("]") and len(host) > 2
    else:
        plausible = bool(host) and ":" not in host
    if not host.isprintable() or " " in host:
        return None
    if plausible and re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536:
        return value.strip()
    return None


def endpoint_metadata(endpoint: str) -> str:
    """
    Write the metadata of a hybrid connection that stands for C{endpoint}, in
    the form that Azure's connection managers read.

    >>> endpoint_metadata("db.corp:1433")
    '[{"key":"endpoint","value":"db.corp:1433"}]'
    """
    return json.dumps([{"key": "endpoint", "value": endpoint}], separators=(",", ":"))


@frozen
class Match:
    """
    An entity found for the path of a request.

    @ivar suffix_segments: how many segments of the request follow the entity's.
    """

    entity: HybridConnection
    suffix_segments: int


@frozen
class Namespace:
    """
    Hybrid connections that share host names and rules.

    @ivar name: what logs and metrics call it.
    @ivar host_names: by which clients reach it.
    @ivar rules: open every hybrid connection of the namespace.
    @ivar access: from where and how its clients may come.
    """

    name: str
    host_names: tuple[str, ...] = ()
    rules: tuple[AuthorizationRule, ...] = ()
    hybrid_connections: tuple[HybridConnection, ...] = ()
    access: Access = EVERYWHERE
    folded_host_names: frozenset[str] = field(init=False, repr=False, eq=False)
    _by_segments: dict[tuple[str, ...], HybridConnection] = field(
        init=False, repr=False, eq=False
    )
    _depth: int = field(init=False, repr=False, eq=False)

    @folded_host_names.default
    def _fold_host_names(self) -> frozenset[str]:
        return frozenset(fold(name).rstrip(".").strip("[]") for name in self.host_names)

    @_by_segments.default
    def _index(self) -> dict[tuple[str, ...], HybridConnection]:
        return {entity.segments: entity for entity in self.hybrid_connections}

    @_depth.default
    def _deepest(self) -> int:
        return max(map(len, self._by_segments), default=0)

    def entity(self, segments: tuple[str, ...]) -> HybridConnection | None:
        """
        The hybrid connection of just this path.

        @param segments: in the form in which they are compared.
        """
        return self._by_segments.get(segments)

    def with_entity(self, entity: HybridConnection) -> Namespace:
        """The same with C{entity}, in the place of the one with its path if any."""
        known = dict(self._by_segments)
        known[entity.segments] = entity
        return self._with(known, max(self._depth, len(entity.segments)))

    def without_entity(self, segments: tuple[str, ...]) -> Namespace:
        """
        The same without one.

        @raise KeyError: there is none of this path.
        """
        known = dict(self._by_segments)
        del known[segments]
        depth = self._depth
        if len(segments) == depth:
            depth = max(map(len, known), default=0)
        return self._with(known, depth)

    def with_entities_of(self, other: Namespace) -> Namespace:
        """The same with the hybrid connections of C{other} in the place of its own."""
        return self._with(other._by_segments, other._depth)

    def _with(
        self, known: dict[tuple[str, ...], HybridConnection], depth: int
    ) -> Namespace:
        # Looking at every one of ten thousand takes milliseconds, copying the
        # table of them a tenth of one.
        made = copy.copy(self)
        object.__setattr__(made, "hybrid_connections", tuple(known.values()))
        object.__setattr__(made, "_by_segments", known)
        object.__setattr__(made, "_depth", depth)
        return made

    def find(self, segments: Sequence[str]) -> Match | None:
        """
        Find the entity for a request: the one with the most segments among
        those whose path is a prefix of C{segments} (relay-protocol section
        2.3).

        @param segments: the decoded segments of the request's path.
        """
        folded = fold_segments(segments[: self._depth])
        for length in range(len(folded), 0, -1):
            entity = self._by_segments.get(folded[:length])
            if entity is not None:
                return Match(entity, len(segments) - length)
        return None


def select_namespace(namespaces: Sequence[Namespace], host: str) -> Namespace | None:
    """
    Choose the namespace that C{host} names; if none does and there is only
    one, that one, as a relay is often reached by an address or C{localhost}.

    @param host: without port, as L{hybridconn.core.http.RequestHead.host}.
    """
    folded = fold(host).rstrip(".")
    for namespace in namespaces:
        if folded in namespace.folded_host_names:
            return namespace
    return namespaces[0] if len(namespaces) == 1 else None
