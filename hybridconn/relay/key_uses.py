"""Writes down who used which key, and who was refused for want of one."""

from __future__ import annotations

from collections.abc import Callable

from hybridconn.audit import AuditEvent
from hybridconn.core.entities import HybridConnection, Namespace, find_rule
from hybridconn.core.refusals import Refusal, TokenMalformed
from hybridconn.core.sas import Grant, SasToken
from hybridconn.interfaces import IAudit, IHeldRequest


def noted(
    audit: IAudit | None,
    action: str,
    namespace: Namespace,
    entity: HybridConnection | None,
    request: IHeldRequest,
    token: str | None,
    authorize: Callable[[], Grant],
) -> Grant:
    """
    Do what C{authorize} does, and tell C{audit} how it went.

    @param action: what the key is used for.
    @param token: as received; nothing of it is written down but the name of its rule,
        and that only if there is such a rule.
    """
    if audit is None:
        return authorize()

    def note(who: str, refusal: Refusal | None) -> None:
        path = "" if entity is None else f"/{entity.path}"
        audit.note(
            AuditEvent(
                event="key",
                who=who,
                by="sas" if who else "",
                source=request.peer.host,
                action=action,
                target=f"{namespace.name}{path}",
                outcome="allowed" if refusal is None else "refused",
                status=0 if refusal is None else refusal.status,
                code="" if refusal is None else type(refusal).__name__,
                id=str(request.tracking),
            )
        )

    try:
        grant = authorize()
    except Refusal as refusal:
        note(_claimed(token, namespace, entity), refusal)
        raise
    note(grant.rule_name, None)
    return grant


def _claimed(
    token: str | None, namespace: Namespace, entity: HybridConnection | None
) -> str:
    """The rule that a refused token names: whose key it is that somebody tries."""
    if not token:
        return ""
    try:
        name = SasToken.parse(token).key_name
    except TokenMalformed:
        return ""
    for rules in (entity.rules if entity is not None else (), namespace.rules):
        rule = find_rule(rules, name)
        if rule is not None:
            return rule.name
    return ""
