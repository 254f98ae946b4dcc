"""
Namespaces between a store and the tables of C{relay.toml}: taken over, or written out
(`hybridconn apply`, `hybridconn export`).
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, frozen

from hybridconn.core.entities import AuthorizationRule, HybridConnection, Namespace
from hybridconn.core.names import fold
from hybridconn.core.resources import (
    ConnectionResource,
    NamespaceResource,
    Resource,
    RuleResource,
)
from hybridconn.core.toml_text import toml_value
from hybridconn.management.registry import Changes, Draft, Registry

#: Where namespaces are put that come from a file.
GROUP = "default"


@frozen
class Applied:
    """
    What taking a file over would change.

    @ivar lines: for people: C{+}, C{-} or C{~} and what it is about.
    """

    changes: Changes
    lines: tuple[str, ...]


def apply_namespaces(
    draft: Draft,
    namespaces: tuple[Namespace, ...],
    subscription: str,
    now: float,
    prune: bool = False,
) -> Applied:
    """
    Have what a file says.  Doing it twice changes nothing the second time.

    @param draft: of what there is.
    @param namespaces: of the file.
    @param subscription: of namespaces that are new.
    @param now: seconds since 1970-01-01 UTC.
    @param prune: remove what the file does not have: namespaces, and hybrid
        connections and rules of those that it has.
    """
    for namespace in namespaces:
        _put_namespace(draft, namespace, subscription, now, prune)
    if prune:
        wanted = {fold(namespace.name) for namespace in namespaces}
        for one in tuple(draft.every(NamespaceResource)):
            if one.key[0] not in wanted:
                _delete(draft, one)
    changes = draft.changes
    return Applied(changes, tuple(_lines(changes)))


def _put_namespace(
    draft: Draft, namespace: Namespace, subscription: str, now: float, prune: bool
) -> None:
    before = draft.get(NamespaceResource, (fold(namespace.name),))
    if before is None:
        made = NamespaceResource(
            name=namespace.name,
            subscription=subscription,
            group=GROUP,
            host_names=namespace.host_names,
            created=now,
            updated=now,
        )
    else:
        made = evolve(before, host_names=namespace.host_names)
    draft.put(made)
    _put_rules(draft, namespace.name, "", namespace.rules, prune)
    for entity in namespace.hybrid_connections:
        _put_connection(draft, namespace.name, entity, now, prune)
    if prune:
        kept = {fold(entity.path) for entity in namespace.hybrid_connections}
        for one in tuple(draft.below(ConnectionResource, made.key)):
            if one.key[1] not in kept:
                draft.delete(draft.below(RuleResource, one.key))
                draft.delete([one])


def _put_connection(
    draft: Draft, namespace: str, entity: HybridConnection, now: float, prune: bool
) -> None:
    before = draft.get(ConnectionResource, (fold(namespace), fold(entity.path)))
    made = ConnectionResource(
        namespace=namespace,
        path=entity.path,
        requires_client_authorization=entity.requires_client_authorization,
        user_metadata=entity.user_metadata,
        status="Active" if before is None else before.status,
        created=now if before is None else before.created,
        updated=now,
    )
    if before is not None and evolve(made, updated=before.updated) == before:
        made = before
    draft.put(made)
    _put_rules(draft, namespace, entity.path, entity.rules, prune)


def _put_rules(
    draft: Draft,
    namespace: str,
    path: str,
    rules: tuple[AuthorizationRule, ...],
    prune: bool,
) -> None:
    for rule in rules:
        draft.put(
            RuleResource(
                namespace=namespace,
                path=path,
                name=rule.name,
                rights=rule.rights,
                primary_key=rule.primary_key,
                secondary_key=rule.secondary_key,
            )
        )
    if prune:
        kept = {fold(rule.name) for rule in rules}
        for one in tuple(draft.below(RuleResource, (fold(namespace), fold(path)))):
            if one.key[2] not in kept:
                draft.delete([one])


def _delete(draft: Draft, one: NamespaceResource) -> None:
    for connection in tuple(draft.below(ConnectionResource, one.key)):
        draft.delete(draft.below(RuleResource, connection.key))
        draft.delete([connection])
    draft.delete(draft.below(RuleResource, (*one.key, "")))
    draft.delete([one])


def _lines(changes: Changes) -> Iterator[str]:
    shown: list[tuple[tuple[str, ...], str]] = []
    for resource in changes.puts:
        known = (resource.kind, resource.key) in changes.before
        shown.append((resource.key, f"{'~' if known else '+'} {_name(resource)}"))
    for place in changes.deletes:
        gone = changes.before[place]
        shown.append((gone.key, f"- {_name(gone)}"))
    for _, line in sorted(shown):
        yield line


def _name(resource: Resource) -> str:
    if isinstance(resource, NamespaceResource):
        return f"namespace {resource.name}"
    if isinstance(resource, ConnectionResource):
        return f"hybrid connection {resource.namespace}/{resource.path}"
    assert isinstance(resource, RuleResource)
    place = f"{resource.namespace}/{resource.path}".rstrip("/")
    return f"rule {resource.name} of {place}"


def export_toml(registry: Registry) -> str:
    """
    All namespaces as tables of C{relay.toml}, keys included: a secret.
    """
    parts = []
    for one in sorted(registry.every(NamespaceResource), key=lambda n: n.key):
        lines = ["[[namespace]]", f"name = {toml_value(one.name)}"]
        lines.append(f"host_names = {toml_value(list(one.host_names))}")
        if one.default_action != "Allow":
            lines.insert(1, "# It has network rules in the store, not written here.")
        if one.public_network_access == "Disabled":
            lines.insert(1, "# It is disabled in the store; a file cannot say so.")
        parts.append(lines)
        for rule in registry.below(RuleResource, (*one.key, "")):
            parts.append(["[[namespace.rule]]", *_rule(rule)])
        for it in registry.below(ConnectionResource, one.key):
            lines = ["[[namespace.hybrid_connection]]", f"path = {toml_value(it.path)}"]
            if it.status != "Active":
                lines.insert(1, f"# {it.status} in the store; a file cannot say so.")
            required = "true" if it.requires_client_authorization else "false"
            lines.append(f"requires_client_authorization = {required}")
            if it.user_metadata:
                lines.append(f"user_metadata = {toml_value(it.user_metadata)}")
            parts.append(lines)
            for rule in registry.below(RuleResource, it.key):
                parts.append(["[[namespace.hybrid_connection.rule]]", *_rule(rule)])
    return "\n".join("\n".join([*lines, ""]) for lines in parts)


def _rule(rule: RuleResource) -> Iterator[str]:
    yield f"name = {toml_value(rule.name)}"
    yield f"rights = {toml_value(sorted(claim.value for claim in rule.rights))}"
    yield f"primary_key = {toml_value(rule.primary_key.reveal())}"
    if rule.secondary_key is not None:
        yield f"secondary_key = {toml_value(rule.secondary_key.reveal())}"
