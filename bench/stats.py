"""Medians, ranges and percentiles."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from attrs import frozen


@frozen
class Spread:
    """
    A figure over several rounds.

    @ivar median: its median.
    @ivar low: the least of the rounds.
    @ivar high: the most of them.
    @ivar rounds: how many there were.
    """

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """
    Sum up rounds.

    @raise ValueError: if there is none.
    """
    if not values:
        raise ValueError("no round gave a figure")
    return Spread(statistics.median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], share: float) -> float:
    """
    The least value that at least C{share} per cent of the values do not exceed.

    @raise ValueError: if there are no values, or C{share} is not in 0 to 100.
    """
    if not values:
        raise ValueError("no values")
    if not 0 <= share <= 100:
        raise ValueError(f"{share} is no percentage")
    ordered = sorted(values)
    rank = math.ceil(share / 100 * len(ordered))
    return ordered[max(rank, 1) - 1]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """
    Round by round, since what disturbs a round disturbs its neighbours alike.

    Rounds that only one of them has, and divisions by zero, are left out.
    """
    pairs = zip(ours, theirs, strict=False)
    return [mine / other for mine, other in pairs if other]
