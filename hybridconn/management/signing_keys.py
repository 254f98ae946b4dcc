"""The keys of an identity provider, which change now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.interfaces import ISigningKeys
from hybridconn.jwks import SigningKey, read_keys


def _pick(
    keys: tuple[SigningKey, ...], name: str | None, algorithm: str
) -> SigningKey | None:
    good = [key for key in keys if key.algorithm == algorithm]
    if name is not None:
        named = [key for key in good if key.name == name]
        # A PEM file has no names; it has one key.
        good = named or [key for key in good if key.name is None and len(keys) == 1]
    return good[0] if len(good) == 1 else None


@implementer(ISigningKeys)
class FixedKeys:
    """
    Keys that stay as they are.

    @param keys: see L{read_keys}.
    """

    def __init__(self, keys: tuple[SigningKey, ...]) -> None:
        self._keys = keys

    async def find(self, name: str | None, algorithm: str) -> Any:
        """See L{ISigningKeys.find <hybridconn.interfaces>}."""
        found = _pick(self._keys, name, algorithm)
        return None if found is None else found.key


@frozen(kw_only=True)
class Pace:
    """
    How often keys are asked for, in seconds.

    @ivar refresh: from one look for new keys to the next.
    @ivar unknown: the least between two looks, however many tokens name keys that are
        not known, or none can be had.
    @ivar keep: for which keys are believed while no new ones can be had.
    """

    refresh: float
    unknown: float
    keep: float


@implementer(ISigningKeys)
class FetchedKeys:
    """
    Keys that are asked for now and then.

    @param fetch: gets the JWKS.
    """

    log = Logger()

    def __init__(
        self, fetch: Callable[[], Deferred[bytes]], clock: IReactorTime, pace: Pace
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._pace = pace
        self._keys: tuple[SigningKey, ...] = ()
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._waiting: list[Deferred[None]] | None = None

    async def find(self, name: str | None, algorithm: str) -> Any:
        """See L{ISigningKeys.find <hybridconn.interfaces>}."""
        found = self._known(name, algorithm)
        if found is None:
            # Whoever brings it waits; the others do not.
            await self._look()
            found = self._known(name, algorithm)
        elif self._clock.seconds() - self._fetched_at >= self._pace.refresh:
            self.refresh()
        return None if found is None else found.key

    def refresh(self) -> None:
        """Look for new keys meanwhile."""
        Deferred.fromCoroutine(self._look())

    def _known(self, name: str | None, algorithm: str) -> SigningKey | None:
        if self._clock.seconds() - self._fetched_at >= self._pace.keep:
            return None
        return _pick(self._keys, name, algorithm)

    async def _look(self) -> None:
        if self._waiting is not None:
            same: Deferred[None] = Deferred()
            self._waiting.append(same)
            await same
            return
        now = self._clock.seconds()
        if now - self._asked_at < self._pace.unknown:
            return
        self._asked_at = now
        self._waiting = []
        try:
            self._keys = read_keys(await self._fetch())
            self._fetched_at = self._clock.seconds()
        except Exception as error:
            self.log.warn(
                "the keys for signed tokens cannot be had: {why}",
                why=str(error) or type(error).__name__,
            )
        finally:
            waiting, self._waiting = self._waiting, None
            for one in waiting:
                one.callback(None)
