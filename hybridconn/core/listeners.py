"""What a load balancer is told of listeners and of the sender's request."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Final

from attrs import field, frozen

#: Comma lists of the C{sb-hc-id}s with which listeners came (section 7.5).
ALLOWED = "microsoft-relay-allowedlisteners"
DISALLOWED = "microsoft-relay-disallowedlisteners"

#: A sender that wants to see one listener after the other says which it has seen: a
#: comma list of what the answers to its handshakes had in the second of these.
AVOID: Final = "HybridConn-Avoid"
CHOSEN: Final = "HybridConn-Listener"
_AVOID: Final = AVOID.lower()
#: Nobody has more listeners; the rest of a list does not count.
MOST_AVOIDED: Final = 1000


@frozen
class ListenerRef:
    """
    One listener that is online.

    @ivar id: made by the relay; unique among the listeners of this relay.
    @ivar address: the IP address from which its control channel comes.
    @ivar port: the port that goes with C{address}.
    @ivar connected_since: seconds since 1970-01-01 UTC.
    @ivar connections: how many tunnels run through it now, and HTTP requests.
    @ivar sb_hc_id: the C{sb-hc-id} with which it came, if any.  Chosen by the
        listener, so neither unique nor to be trusted.
    @ivar offered: how many senders it was told of that still wait for it or for
        another listener; they are not among C{connections}.
    """

    id: str
    address: str
    port: int
    connected_since: float
    connections: int = 0
    sb_hc_id: str | None = None
    offered: int = 0


@frozen
class SenderRequest:
    """
    The sender for whom a listener is to be chosen.

    @ivar namespace: the namespace's name.
    @ivar entity_path: the hybrid connection's path, as configured.
    @ivar address: the sender's IP address.
    @ivar port: the port that goes with C{address}.
    @ivar headers: as the listener will see them; the token is not among them.
    @ivar query: the sender's own parameters, undecoded.
    @ivar tracking_id: names the request in logs and answers.
    @ivar avoid: the ids of listeners that it wants only if there are no others;
        L{None}: it does not care.
    """

    namespace: str
    entity_path: str
    address: str
    port: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    query: str = field(default="", repr=False)
    tracking_id: str = ""
    avoid: frozenset[str] | None = None
    _allowed: frozenset[str] | None = field(init=False, repr=False)
    _disallowed: frozenset[str] | None = field(init=False, repr=False)

    @_allowed.default
    def _find_allowed(self) -> frozenset[str] | None:
        return _ids(self.headers, ALLOWED)

    @_disallowed.default
    def _find_disallowed(self) -> frozenset[str] | None:
        return _ids(self.headers, DISALLOWED)

    @property
    def selective(self) -> bool:
        """Whether it may not go to every listener."""
        return self._allowed is not None or self._disallowed is not None

    def admits(self, sb_hc_id: str | None) -> bool:
        """Whether it may go to the listener that came with this id."""
        if not self.selective:
            return True
        folded = (sb_hc_id or "").lower()
        if self._allowed is not None and folded not in self._allowed:
            return False
        return self._disallowed is None or folded not in self._disallowed


def take_avoided(headers: MutableMapping[str, str]) -> frozenset[str] | None:
    """
    What a sender wants to avoid; it is the relay's alone, so it is taken out.

    @return: L{None} if it says nothing of it.
    """
    for name in headers:
        if name.lower() == _AVOID:
            ids = (one.strip() for one in headers.pop(name).split(","))
            return frozenset([one for one in ids if one][:MOST_AVOIDED])
    return None


def _ids(headers: Mapping[str, str], wanted: str) -> frozenset[str] | None:
    for name, value in headers.items():
        if name.lower() == wanted:
            ids = (one.strip().strip("{}").lower() for one in value.split(","))
            return frozenset(one for one in ids if one)
    return None
