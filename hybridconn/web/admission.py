"""
Who may come in, and how often (reliability-security T15).

Four things are counted, none of which needs a token to be looked at:

  - connections whose request was not authorized yet, on this node and of each
    address: near the limit new ones are closed at random, so that a flood does
    not keep everyone else out;
  - requests of an address: a token bucket, then 429;
  - refused tokens of an address: so many in a minute, then 429 for a minute;
  - failed handshakes of an address: each answer is kept back twice as long as
    the one before.  Some published clients redial at once, for ever
    (relay-protocol section 4), and waiting for an answer is all that slows them.

An IPv6 client has a whole /64 network, so that counts as one address.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from attrs import define
from twisted.internet.interfaces import IReactorTime

from hybridconn.core.limits import Limits
from hybridconn.core.refusals import TooManyRequests

#: From this part of the limit on, new connections are closed at random.
EARLY_DROP: Final = 0.7
#: Seconds in which refused tokens are counted, and for which 429 is the answer.
AUTHENTICATION_WINDOW: Final = 60.0
#: Seconds without a failure after which the delay is forgotten.
QUIET: Final = 60.0
#: Addresses that are remembered; the one not seen for longest goes first.
MOST_ADDRESSES: Final = 10_000


@define
class _Record:
    """
    What one address did of late.

    @ivar tokens: requests that it may send at once.
    @ivar filled_at: when C{tokens} was true.
    @ivar bad_tokens: refused tokens since C{bad_since}.
    @ivar delay: seconds that the last failure was kept back.
    """

    tokens: float
    filled_at: float
    bad_tokens: int = 0
    bad_since: float = float("-inf")
    blocked_until: float = float("-inf")
    delay: float = 0.0
    failed_at: float = float("-inf")


class Admission:
    """
    The counts of one node.

    @param clock: for rates and delays.
    @param rng: a number from 0 up to but not including 1, each call another.
    """

    def __init__(
        self, limits: Limits, clock: IReactorTime, rng: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._rng = rng
        self._exempt = tuple(ip_network(text) for text in limits.exempt_networks)
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._waiting: Counter[str] = Counter()
        self._all_waiting = 0

    # --- connections ---

    def admit(self, address: str) -> bool:
        """
        Count one more connection that is not authorized yet.

        @return: L{False} if it is to be closed at once; it is not counted then.
        """
        key = self._key(address)
        if key is None:
            return True
        limits = self._limits
        if self._waiting[key] >= limits.max_unauthenticated_per_address:
            return False
        most = limits.max_unauthenticated
        over = self._all_waiting - EARLY_DROP * most
        # Linear: nobody at 70 %, everybody at 100 %.
        if over >= 0 and self._rng() * (most - EARLY_DROP * most) < over:
            return False
        self._waiting[key] += 1
        self._all_waiting += 1
        return True

    def release(self, address: str) -> None:
        """An admitted connection was authorized or is gone; once for each."""
        key = self._key(address)
        if key is None:
            return
        self._all_waiting -= 1
        self._waiting[key] -= 1
        if not self._waiting[key]:
            del self._waiting[key]

    @property
    def waiting(self) -> int:
        """How many connections are counted now."""
        return self._all_waiting

    # --- requests ---

    def allow_handshake(self, address: str) -> None:
        """
        Count one request, before anything is done for it.

        @raise TooManyRequests: the address sends too many, or sent too many bad
            tokens.
        """
        key = self._key(address)
        if key is None:
            return
        record, now, limits = self._record(key), self._clock.seconds(), self._limits
        if now < record.blocked_until:
            raise TooManyRequests(
                retry_after=record.blocked_until - now,
                detail="Too many failed authentications from this address",
            )
        rate = limits.handshakes_per_second
        # A clock that was set back must not empty the bucket.
        passed = max(0.0, now - record.filled_at)
        record.tokens = min(limits.handshake_burst, record.tokens + passed * rate)
        record.filled_at = now
        if record.tokens < 1:
            raise TooManyRequests(retry_after=(1 - record.tokens) / rate)
        record.tokens -= 1

    def failed(self, address: str, authentication: bool) -> float:
        """
        Note that a handshake was refused.

        @param authentication: whether a token was the reason.
        @return: seconds to wait before the answer.
        """
        key = self._key(address)
        if key is None:
            return 0.0
        record, now, limits = self._record(key), self._clock.seconds(), self._limits
        if authentication:
            if now - record.bad_since >= AUTHENTICATION_WINDOW:
                record.bad_since, record.bad_tokens = now, 0
            record.bad_tokens += 1
            if record.bad_tokens >= limits.failed_authentications_per_minute:
                record.blocked_until = now + AUTHENTICATION_WINDOW
        if now - record.failed_at >= QUIET:
            record.delay = 0.0
        record.failed_at = now
        record.delay = min(
            record.delay * 2 or limits.failure_delay, limits.max_failure_delay
        )
        return record.delay

    def succeeded(self, address: str) -> None:
        """Note that a handshake was good: the next failure is the first again."""
        key = self._key(address)
        if key is not None and key in self._records:
            self._records[key].delay = 0.0

    # --- both ---

    def _key(self, address: str) -> str | None:
        """The name under which to count; L{None} if the address is exempt."""
        parsed: IPv4Address | IPv6Address
        try:
            parsed = ip_address(address)
        except ValueError:
            return address
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        if any(parsed in network for network in self._exempt):
            return None
        if isinstance(parsed, IPv6Address):
            return str(IPv6Network((int(parsed), 64), strict=False))
        return str(parsed)

    def _record(self, key: str) -> _Record:
        record = self._records.get(key)
        if record is None:
            if len(self._records) >= MOST_ADDRESSES:
                self._records.popitem(last=False)
            burst, now = self._limits.handshake_burst, self._clock.seconds()
            record = self._records[key] = _Record(float(burst), now)
        self._records.move_to_end(key)
        return record
