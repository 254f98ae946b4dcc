"""Answers of other name servers, kept for as long as they say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import frozen

from hybridconn.names.packet import (
    NOERROR,
    PacketError,
    answers,
    id_of,
    is_query,
    is_truncated,
    lifetimes,
    status,
    with_id,
    with_lifetimes,
)

#: No answer is kept for longer, whatever it says.
_LONGEST = 3600
#: Larger ones are passed on and not kept.
_MOST_BYTES = 4096


@frozen
class _Kept:
    packet: bytes
    since: float
    until: float


class AnswerCache:
    """
    Gives the same answer to the same query: all bytes but the id must be the same,
    so whatever a query asks for in ways that we do not know is minded.

    Only answers with records are kept: that there is no such name may change at any
    time, by our own doing.

    @param seconds: the time.
    @param most: how many; those that were not asked for longest make room.
    """

    def __init__(self, seconds: Callable[[], float], most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget all: other servers may say something else."""
        self._kept.clear()

    def find(self, query: bytes) -> bytes | None:
        """The answer, with the query's id and what is left of its times."""
        key = query[2:]
        kept = self._kept.get(key)
        if kept is None:
            return None
        now = self._seconds()
        if now >= kept.until:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return with_id(with_lifetimes(kept.packet, now - kept.since), id_of(query))

    def keep(self, query: bytes, answer: bytes) -> None:
        """Keep an answer if it is one to be kept."""
        if not self._most or max(len(query), len(answer)) > _MOST_BYTES:
            return
        try:
            if status(answer) != NOERROR or is_truncated(answer) or not answers(answer):
                return
            if not is_query(query):
                return  # it changed something, and is to do so again
            shortest = min(seconds for _, seconds in lifetimes(answer))
        except PacketError:
            return
        # The highest bit set means zero (RFC 2181 section 8).
        if not 0 < shortest < 1 << 31:
            return
        now = self._seconds()
        life = min(shortest, _LONGEST)
        self._kept[query[2:]] = _Kept(answer, now, now + life)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
