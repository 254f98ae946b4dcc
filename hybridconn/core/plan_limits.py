"""How many hybrid connections the apps of a plan may use (management-api section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import Attribute, asdict, field, frozen

from hybridconn.core.names import fold

#: Tiers by the first letters of a SKU's name.
_TIERS: Final[Mapping[str, str]] = {
    "F": "Free",
    "D": "Shared",
    "Y": "Dynamic",
    "B": "Basic",
    "S": "Standard",
    "P": "Premium",
    "I": "Isolated",
}


def _count(instance: Any, attribute: Attribute[int], value: int) -> None:
    if not 0 <= value <= 10_000:
        raise ValueError(f"{attribute.name} is {value}; use 0 to 10000")


def _limit(default: int, tier: str, skus: str) -> int:
    number: int = field(
        default=default,
        validator=_count,
        metadata={
            "help": "Hybrid connections that the apps of a plan of the tier "
            f"{tier} (SKUs {skus}) may use."
        },
    )
    return number


@frozen
class PlanLimits:
    """
    Each distinct hybrid connection counts once, however many apps use it.  Tiers such
    as C{PremiumV3} go by their first letters.
    """

    free: int = _limit(0, "Free", "F1")
    shared: int = _limit(0, "Shared", "D1")
    dynamic: int = _limit(0, "Dynamic, also called Consumption", "Y1")
    basic: int = _limit(5, "Basic", "B1 to B3")
    standard: int = _limit(25, "Standard", "S1 to S3")
    premium: int = _limit(200, "Premium", "P1 to P3, also v2 and v3")
    isolated: int = _limit(200, "Isolated", "I1 to I3, also v2")

    def of(self, tier: str) -> int | None:
        """
        How many a plan of this tier may use; L{None}: there is no such tier.
        """
        folded = fold(tier).replace("consumption", "dynamic")
        limits: dict[str, int] = asdict(self)
        for name, limit in limits.items():
            if folded.startswith(name):
                return limit
        return None


def tier_of(sku: str) -> str:
    """
    The tier that a SKU's name belongs to, by its first letter; empty if to none.

    >>> tier_of("p1v3")
    'Premium'
    """
    return _TIERS.get(sku[:1].upper(), "")
