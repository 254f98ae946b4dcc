"""
One sender that waits for a listener (relay-protocol section 6.1).

    WAITING --join, reject, dismiss, abandon, deadline--> SETTLED
     |   ^        or: every listener it was offered to is lost
     +---+
     retry, lose, decline: offered to one more listener

The sender is offered to one listener, and after C{accept_retry} seconds, or as
soon as that listener is lost, to the next one too.  All addresses given out
stay good until one is used: the first dial wins.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from hybridconn.core.commands import Accept
from hybridconn.core.entities import Namespace
from hybridconn.core.limits import Limits
from hybridconn.core.listeners import ListenerRef
from hybridconn.core.refusals import AcceptTimedOut, NoListeners, Refusal
from hybridconn.core.rendezvous_address import Rejection
from hybridconn.interfaces import IHeldRequest

if TYPE_CHECKING:
    from hybridconn.relay.exchange import Exchange


class Channel(Protocol):
    """
    What a rendezvous and the desk need of a listener, of this process or of
    another one.

    @ivar id: names it in logs.
    @ivar authority: the C{Host} by which it came to the relay.
    @ivar secure: whether it came by TLS.
    @ivar connections: tunnels that run through it.
    @ivar offered: senders that it was told of and that still wait.
    @ivar sb_hc_id: the id with which it came, if any.
    @ivar draining: whether it is offered nothing new.
    """

    id: str
    authority: str
    secure: bool
    sb_hc_id: str | None
    connections: int
    offered: int
    draining: bool

    @property
    def online(self) -> bool:
        """Whether it can be offered a sender now."""

    @property
    def ref(self) -> ListenerRef:
        """What a load balancer gets to know of it."""

    def offer(self, accept: Accept) -> None:
        """Tell it of a sender."""

    def send_command(self, text: str) -> None:
        """Write a command to it."""

    def take_request(self, text: str, body: bytes, exchange: Exchange) -> bool:
        """
        Write an HTTP request to it, and expect the response from it.

        @return: whether it can take the request here; otherwise nothing is done.
        """

    def forget_request(self, exchange: Exchange) -> None:
        """Expect no response any more."""

    def close(self, code: int, reason: str) -> None:
        """Offer it nothing more, and close it if it is ours."""


class Host(Protocol):
    """What a rendezvous needs of the relay around it."""

    sender: IHeldRequest
    namespace: Namespace

    def next_listener(self, tried: Collection[Channel]) -> Channel | None:
        """One more listener, none of C{tried}; L{None} if there is none."""

    def offer(self, rendezvous: Rendezvous, channel: Channel) -> Offer:
        """Send the accept command."""

    def revoke(self, offers: Collection[Offer]) -> None:
        """Make these offers void."""

    def refuse(self, refusal: Refusal) -> None:
        """Answer the sender."""

    def splice(
        self, offer: Offer, listener: IHeldRequest, subprotocol: str | None
    ) -> None:
        """Make the tunnel."""

    def settled(self, rendezvous: Rendezvous) -> None:
        """The sender waits no more; called once."""


@frozen(eq=False)
class Offer:
    """
    One listener's chance to accept one sender.

    @ivar capability: the secret in the address; good once.
    @ivar segments: the path of the address, in the form in which paths are
        compared.
    @ivar query: the query of the address as it was given out.
    """

    rendezvous: Rendezvous
    channel: Channel
    host: Host
    capability: str
    segments: tuple[str, ...]
    query: str


class _State(enum.Enum):
    WAITING = "offered, no answer yet"
    SETTLED = "joined, refused or gone"


class Rendezvous:
    """
    Every method may be called in every state; in SETTLED they do nothing.
    """

    def __init__(self, host: Host, clock: IReactorTime, limits: Limits) -> None:
        self._host = host
        self._clock = clock
        self._limits = limits
        self._state = _State.WAITING
        self._tried: list[Channel] = []
        self._offers: list[Offer] = []
        self._deadline: IDelayedCall | None = None
        self._retry: IDelayedCall | None = None

    def begin(self) -> None:
        """Offer the sender to a first listener, or refuse it: there is none."""
        if self._state is _State.SETTLED:  # it left at once
            return
        self._deadline = self._clock.callLater(
            self._limits.accept_timeout, self._expire
        )
        self._offer_next()
        self._refuse_if_hopeless()

    def join(
        self, offer: Offer, listener: IHeldRequest, subprotocol: str | None
    ) -> None:
        """The listener of C{offer} dialled in; the tunnel speaks C{subprotocol}."""
        if self._settle():
            self._host.splice(offer, listener, subprotocol)

    def reject(self, rejection: Rejection) -> None:
        """A listener does not want the sender; its word is the answer."""
        if self._settle():
            self._host.refuse(rejection.refusal)

    def decline(self, offer: Offer) -> None:
        """The listener of C{offer} dialled in, but not as it must."""
        if self._state is _State.WAITING:
            self._withdraw(offer)

    def lose(self, channel: Channel) -> None:
        """A listener is gone, maybe one that the sender was offered to."""
        if self._state is _State.WAITING:
            for offer in self._offers:
                if offer.channel is channel:
                    self._withdraw(offer)
                    break

    def dismiss(self, refusal: Refusal) -> None:
        """The relay ends the wait."""
        if self._settle():
            self._host.refuse(refusal)

    def abandon(self) -> None:
        """The sender hung up; a listener that comes now is late."""
        self._settle()

    def _withdraw(self, offer: Offer) -> None:
        self._offers.remove(offer)
        self._host.revoke([offer])
        if self._limits.accept_retry:
            self._offer_next()
        self._refuse_if_hopeless()

    def _offer_next(self) -> None:
        """Offer to one more listener, and look again in C{accept_retry} seconds."""
        try:
            channel = self._host.next_listener(self._tried)
        except Refusal as refusal:  # there are some, but not for this sender
            self.dismiss(refusal)
            return
        if channel is not None:
            self._tried.append(channel)
            try:
                self._offers.append(self._host.offer(self, channel))
            except Refusal as refusal:  # the sender's headers make no command
                self.dismiss(refusal)
                return
        _cancel(self._retry)
        self._retry = None
        if self._limits.accept_retry:
            self._retry = self._clock.callLater(
                self._limits.accept_retry, self._take_long
            )

    def _take_long(self) -> None:
        self._retry = None
        self._offer_next()

    def _refuse_if_hopeless(self) -> None:
        if not self._offers and self._settle():
            self._host.refuse(NoListeners())

    def _expire(self) -> None:
        self._deadline = None
        if self._settle():
            self._host.refuse(AcceptTimedOut())

    def _settle(self) -> bool:
        """Leave WAITING: all addresses become void before anything else is done."""
        if self._state is _State.SETTLED:
            return False
        self._state = _State.SETTLED
        _cancel(self._deadline)
        _cancel(self._retry)
        self._deadline = self._retry = None
        offers, self._offers = self._offers, []
        self._host.revoke(offers)
        self._host.settled(self)
        return True


def _cancel(timer: IDelayedCall | None) -> None:
    if timer is not None:
        timer.cancel()
