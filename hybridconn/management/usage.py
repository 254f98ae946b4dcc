"""How many hybrid connections the apps of a plan use, and may use (section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hybridconn.core.names import fold
from hybridconn.core.plan_limits import PlanLimits
from hybridconn.core.resources import (
    AttachmentResource,
    Key,
    PlanResource,
    SiteResource,
)
from hybridconn.management.errors import quota
from hybridconn.management.registry import Draft


def sites_of(draft: Draft, plan: PlanResource) -> Iterator[SiteResource]:
    """The apps in a plan, by name."""
    found = draft.below(SiteResource, (fold(plan.subscription),))
    yield from sorted(
        (site for site in found if site.plan == plan.key), key=lambda s: s.key
    )


def attachments_of(
    draft: Draft, sites: Iterable[SiteResource]
) -> Iterator[AttachmentResource]:
    """What these apps and their slots use."""
    wanted = {site.key[0] for site in sites}
    for one in draft.every(AttachmentResource):
        if fold(one.site) in wanted:
            yield one


def pair(one: AttachmentResource) -> Key:
    """What is counted once in a plan: namespace and path."""
    return fold(one.namespace), fold(one.path)


def used_in(draft: Draft, plan: PlanResource) -> dict[Key, list[AttachmentResource]]:
    """What the apps of a plan use, by L{pair}."""
    found: dict[Key, list[AttachmentResource]] = {}
    for one in attachments_of(draft, sites_of(draft, plan)):
        found.setdefault(pair(one), []).append(one)
    return found


def limit_of(limits: PlanLimits, plan: PlanResource) -> int:
    """How many they may use."""
    return limits.of(plan.tier) or 0


def check_limit(
    draft: Draft, limits: PlanLimits, plan: PlanResource, more: set[Key]
) -> None:
    """
    @param more: what they would use too.
    @raise ApiError: 403, that would be too many.
    """
    used = set(used_in(draft, plan))
    limit = limit_of(limits, plan)
    # What is counted already never fails, whatever became of the limit.
    if more - used and len(used | more) > limit:
        raise quota(
            f"The plan '{plan.name}' ({plan.tier}) may use {limit} hybrid "
            f"connections; this would be number {len(used | more)}."
        )
