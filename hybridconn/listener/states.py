"""The states of a listener's control channel, see L{hybridconn.listener.channel}."""

from __future__ import annotations

import enum
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from hybridconn.websocket.client import TunnelClientProtocol


class ChannelStatus(enum.Enum):
    """What a person sees of a control channel (product-behaviour section 4.4)."""

    STOPPED = "Stopped"
    CONNECTING = "Connecting"
    ONLINE = "Online"
    OFFLINE = "Offline"


class Stopped:
    """Not started, or stopped."""

    status = ChannelStatus.STOPPED


class Connecting:
    """
    A dial is under way.

    @ivar tracking_id: names it in the relay's log.
    @ivar dial: cancelled when it is no longer wanted.
    """

    status = ChannelStatus.CONNECTING

    def __init__(self, tracking_id: str) -> None:
        self.tracking_id = tracking_id
        self.dial: Deferred[Any] = Deferred()


@define(eq=False)
class Online:
    """
    Registered at the relay.

    @ivar since: seconds of the clock.
    @ivar renewal: when the next token is due.
    @ivar minting: the next token, while it is made.
    """

    status = ChannelStatus.ONLINE

    tunnel: TunnelClientProtocol
    since: float
    renewal: IDelayedCall | None = None
    minting: Deferred[Any] | None = None

    def give_up_renewal(self) -> None:
        """Neither send nor make another token."""
        renewal, self.renewal = self.renewal, None
        if renewal is not None:
            renewal.cancel()
        minting, self.minting = self.minting, None
        if minting is not None:
            minting.cancel()


@define(eq=False)
class Waiting:
    """Between two dials."""

    status = ChannelStatus.OFFLINE

    timer: IDelayedCall


@define(eq=False)
class Leaving:
    """
    Stopped, but the relay has not closed yet.

    @ivar start_again: it was started anew meanwhile.
    """

    status = ChannelStatus.OFFLINE

    tunnel: TunnelClientProtocol
    start_again: bool = False


State = Stopped | Connecting | Online | Waiting | Leaving
