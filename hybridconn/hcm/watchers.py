"""Those who want to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Watchers(Generic[_T]):
    """Functions that are called with whatever there is to tell."""

    def __init__(self) -> None:
        self._watchers: list[Callable[[_T], None]] = []

    @property
    def any(self) -> bool:
        """Whether there is somebody."""
        return bool(self._watchers)

    def add(self, watcher: Callable[[_T], None]) -> Callable[[], None]:
        """
        Call C{watcher} from now on.

        @return: ends that.
        """
        self._watchers.append(watcher)

        def end() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return end

    def tell(self, value: _T) -> None:
        """Tell everybody."""
        for watcher in tuple(self._watchers):
            watcher(value)
