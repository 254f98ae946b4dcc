"""
What goes on at a relay at one moment, as it is shown to people: listeners, tunnels,
HTTP requests, and what they carried.
"""

from __future__ import annotations

from attrs import frozen

from hybridconn.core.http import join_authority
from hybridconn.core.listeners import ListenerRef
from hybridconn.core.names import fold


@frozen
class Counts:
    """
    What goes on at one hybrid connection, or at several together.

    @ivar listeners: control channels that are open.
    @ivar tunnels: tunnels that are open.
    @ivar requests: HTTP requests that are not answered in full.
    @ivar waiting: senders that wait for a listener.
    @ivar sender_bytes: what senders sent through tunnels and requests that are open;
        without the WebSockets' own bytes.
    @ivar listener_bytes: the same of listeners.
    @ivar ended_tunnels: tunnels that are over, since the relay was started.
    @ivar ended_requests: HTTP requests, the same.
    @ivar ended_sender_bytes: what senders sent through both.
    @ivar ended_listener_bytes: the same of listeners.
    @ivar draining: of the listeners, those that are given nothing new.
    """

    listeners: int = 0
    tunnels: int = 0
    requests: int = 0
    waiting: int = 0
    sender_bytes: int = 0
    listener_bytes: int = 0
    ended_tunnels: int = 0
    ended_requests: int = 0
    ended_sender_bytes: int = 0
    ended_listener_bytes: int = 0
    draining: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.listeners + other.listeners,
            self.tunnels + other.tunnels,
            self.requests + other.requests,
            self.waiting + other.waiting,
            self.sender_bytes + other.sender_bytes,
            self.listener_bytes + other.listener_bytes,
            self.ended_tunnels + other.ended_tunnels,
            self.ended_requests + other.ended_requests,
            self.ended_sender_bytes + other.ended_sender_bytes,
            self.ended_listener_bytes + other.ended_listener_bytes,
            self.draining + other.draining,
        )


@frozen
class LiveListener:
    """
    One control channel.

    @ivar id: names it among those of its relay.
    @ivar address: where it comes from, C{host:port}.
    @ivar since: when it came, seconds since 1970-01-01 UTC.
    @ivar connections: tunnels and HTTP requests that run through it.
    @ivar tracking: its handshake's tracking id; empty if another process has it.
    @ivar sb_hc_id: what it calls itself; empty for nothing.
    @ivar rule: the authorization rule of its token; empty if that is not known.
    @ivar expires: when its token expires, seconds since 1970-01-01 UTC.
    @ivar draining: whether it is given nothing new.
    @ivar agent: the program, by its own C{User-Agent}; empty for nothing.
    """

    id: str
    address: str
    since: float
    connections: int = 0
    tracking: str = ""
    sb_hc_id: str = ""
    rule: str = ""
    expires: float | None = None
    draining: bool = False
    agent: str = ""

    @classmethod
    def of(cls, ref: ListenerRef) -> LiveListener:
        """What a load balancer knows of it too."""
        return cls(
            ref.id,
            join_authority(ref.address, ref.port),
            ref.connected_since,
            ref.connections,
            sb_hc_id=ref.sb_hc_id or "",
        )


@frozen(kw_only=True)
class LiveTunnel:
    """
    One tunnel, or one HTTP request that is not answered in full.

    @ivar id: names it among those of its relay.
    @ivar http: whether it is an HTTP request.
    @ivar since: when it began, seconds since 1970-01-01 UTC.
    @ivar sender: where the sender is, C{host:port}.
    @ivar listener: the id of the listener that has it; empty before one was chosen.
    @ivar listener_address: where that dialled from; empty for an HTTP request.
    @ivar tracking: its tracking id.
    @ivar rule: the authorization rule of the sender's token; empty without one.
    @ivar sender_bytes: what the sender sent so far.
    @ivar listener_bytes: what the listener sent so far.
    """

    id: str
    http: bool
    since: float
    sender: str
    listener: str
    listener_address: str
    tracking: str
    rule: str
    sender_bytes: int
    listener_bytes: int


def order(id: str) -> str:
    """
    Puts C{T10} behind C{T9}, and behind both the GUIDs of requests.

    >>> sorted(["T10", "T9"], key=order)
    ['T9', 'T10']
    """
    return fold(id).rjust(80)
