"""What a load balancer is told of listeners and of the sender's request."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class ListenerRef:
    """
    One listener that is online.

    @ivar id: made by the relay; unique among the listeners of this relay.
    @ivar address: the IP address from which its control channel comes.
    @ivar port: the port that goes with C{address}.
    @ivar connected_since: seconds since 1970-01-01 UTC.
    @ivar connections: how many tunnels run through it now.
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
    """

    namespace: str
    entity_path: str
    address: str
    port: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    query: str = field(default="", repr=False)
    tracking_id: str = ""
