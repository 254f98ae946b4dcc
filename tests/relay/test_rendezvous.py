"""One waiting sender, in every state."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Namespace
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import ShuttingDown
from hybridconn.core.rendezvous_address import Rejection
from hybridconn.interfaces import IHeldRequest
from hybridconn.relay.rendezvous import Channel, Offer, Rendezvous


class RecordingHost:
    """A relay that writes down what the rendezvous has it do."""

    sender = cast(IHeldRequest, None)
    namespace = Namespace("contoso")

    def __init__(self, *listeners: str) -> None:
        self.listeners = list(listeners)
        self.calls: list[tuple[Any, ...]] = []
        self.offers: dict[str, Offer] = {}

    def next_listener(self, tried: Collection[Channel]) -> Channel | None:
        for name in self.listeners:
            channel = cast(Channel, name)
            if channel not in tried:
                return channel
        return None

    def offer(self, rendezvous: Rendezvous, channel: Channel) -> Offer:
        offer = Offer(rendezvous, channel, self, "secret", ("echo",), "query")
        self.offers[str(channel)] = offer
        self.calls.append(("offer", channel))
        return offer

    def revoke(self, offers: Collection[Offer]) -> None:
        self.calls.extend(("revoke", offer.channel) for offer in offers)

    def refuse(self, refusal: Exception) -> None:
        self.calls.append(("refuse", cast(Any, refusal).status, str(refusal)))

    def splice(
        self, offer: Offer, listener: IHeldRequest, subprotocol: str | None
    ) -> None:
        self.calls.append(("splice", offer.channel, subprotocol))

    def settled(self, rendezvous: Rendezvous) -> None:
        self.calls.append(("settled",))


NO_LISTENERS = (
    "refuse",
    404,
    "There are no listeners connected for the endpoint",
)
TIMED_OUT = (
    "refuse",
    404,
    "None of the connected listeners accepted the connection within the allowed"
    " timeout",
)
NOBODY = cast(IHeldRequest, None)


class RendezvousTests(SynchronousTestCase):
    """Who is offered a sender, when, and what the sender is told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.limits = Limits()

    def begin(self, *listeners: str) -> Rendezvous:
        self.host = RecordingHost(*listeners)
        rendezvous = Rendezvous(self.host, self.clock, self.limits)
        rendezvous.begin()
        return rendezvous

    def take(self) -> list[tuple[Any, ...]]:
        calls, self.host.calls = self.host.calls, []
        return calls

    def assert_settled(self, rendezvous: Rendezvous) -> None:
        """Nothing happens any more, whatever comes, and no timer is left."""
        self.take()
        offer = self.host.offers.get("A") or Offer(
            rendezvous, cast(Channel, "A"), self.host, "s", ("echo",), "q"
        )
        rendezvous.join(offer, NOBODY, None)
        rendezvous.reject(Rejection(500, "late"))
        rendezvous.decline(offer)
        rendezvous.lose(offer.channel)
        rendezvous.dismiss(ShuttingDown())
        rendezvous.abandon()
        self.clock.advance(100)
        self.assertEqual(self.take(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_listens(self) -> None:
        """A sender is refused at once when there is no listener."""
        rendezvous = self.begin()
        self.assertEqual(self.take(), [("settled",), NO_LISTENERS])
        self.assert_settled(rendezvous)

    def test_joined(self) -> None:
        """The address is void before the tunnel is made."""
        rendezvous = self.begin("A", "B")
        self.assertEqual(self.take(), [("offer", "A")])
        rendezvous.join(self.host.offers["A"], NOBODY, "chat")
        self.assertEqual(
            self.take(), [("revoke", "A"), ("settled",), ("splice", "A", "chat")]
        )
        self.assert_settled(rendezvous)

    def test_silent_listener(self) -> None:
        """After C{accept_retry} another listener is offered the sender too."""
        rendezvous = self.begin("A", "B")
        self.clock.advance(4.9)
        self.assertEqual(self.take(), [("offer", "A")])
        self.clock.advance(0.1)
        self.assertEqual(self.take(), [("offer", "B")])
        rendezvous.join(self.host.offers["A"], NOBODY, None)
        self.assertEqual(
            self.take(),
            [("revoke", "A"), ("revoke", "B"), ("settled",), ("splice", "A", None)],
        )
        self.assert_settled(rendezvous)

    def test_deadline(self) -> None:
        """A sender whose listeners all stay silent is told at the deadline."""
        rendezvous = self.begin("A", "B")
        self.take()
        for _ in range(299):
            self.clock.advance(0.1)
        self.assertEqual(self.take(), [("offer", "B")])
        self.clock.advance(0.2)
        self.assertEqual(
            self.take(), [("revoke", "A"), ("revoke", "B"), ("settled",), TIMED_OUT]
        )
        self.assert_settled(rendezvous)

    def test_late_listener_is_offered(self) -> None:
        """A listener that comes while a sender waits in vain is asked too."""
        rendezvous = self.begin("A")
        self.clock.advance(5)
        self.host.listeners.append("B")
        self.take()
        self.clock.advance(5)
        self.assertEqual(self.take(), [("offer", "B")])
        rendezvous.abandon()
        self.assert_settled(rendezvous)

    def test_listener_lost(self) -> None:
        """A listener that goes is replaced at once."""
        rendezvous = self.begin("A", "B")
        self.take()
        self.host.listeners.remove("A")
        rendezvous.lose(cast(Channel, "A"))
        self.assertEqual(self.take(), [("revoke", "A"), ("offer", "B")])
        rendezvous.lose(cast(Channel, "never asked"))
        self.assertEqual(self.take(), [])
        rendezvous.lose(cast(Channel, "B"))
        self.assertEqual(self.take(), [("revoke", "B"), ("settled",), NO_LISTENERS])
        self.assert_settled(rendezvous)

    def test_one_of_two_lost(self) -> None:
        """While another listener still may come, the sender waits for it."""
        rendezvous = self.begin("A", "B")
        self.clock.advance(5)
        self.take()
        rendezvous.lose(cast(Channel, "A"))
        self.assertEqual(self.take(), [("revoke", "A")])
        rendezvous.join(self.host.offers["B"], NOBODY, None)
        self.assertIn(("splice", "B", None), self.take())
        self.assert_settled(rendezvous)

    def test_no_retry(self) -> None:
        """With C{accept_retry} 0 nobody else is asked, as in the original."""
        self.limits = evolve(self.limits, accept_retry=0.0)
        rendezvous = self.begin("A", "B")
        self.clock.advance(29)
        rendezvous.lose(cast(Channel, "A"))
        self.assertEqual(
            self.take(), [("offer", "A"), ("revoke", "A"), ("settled",), NO_LISTENERS]
        )
        self.assert_settled(rendezvous)

    def test_rejected(self) -> None:
        """A listener's no is the sender's answer, in the listener's words."""
        rendezvous = self.begin("A", "B")
        self.take()
        rendezvous.reject(Rejection(418, "not my cup"))
        self.assertEqual(
            self.take(), [("revoke", "A"), ("settled",), ("refuse", 418, "not my cup")]
        )
        self.assert_settled(rendezvous)

    def test_declined(self) -> None:
        """A listener that dials in wrongly is as good as lost."""
        rendezvous = self.begin("A", "B")
        self.take()
        rendezvous.decline(self.host.offers["A"])
        self.assertEqual(self.take(), [("revoke", "A"), ("offer", "B")])
        rendezvous.abandon()
        self.assert_settled(rendezvous)

    def test_gone_before_it_began(self) -> None:
        """A sender that left at once is offered to nobody."""
        self.host = RecordingHost("A")
        rendezvous = Rendezvous(self.host, self.clock, self.limits)
        rendezvous.abandon()
        rendezvous.begin()
        self.assertEqual(self.take(), [("settled",)])
        self.assert_settled(rendezvous)

    def test_abandoned(self) -> None:
        """When the sender hangs up its addresses are void and nobody is told."""
        rendezvous = self.begin("A")
        rendezvous.abandon()
        self.assertEqual(self.take(), [("offer", "A"), ("revoke", "A"), ("settled",)])
        self.assert_settled(rendezvous)

    def test_dismissed(self) -> None:
        """The relay may end the wait with a refusal of its own."""
        rendezvous = self.begin("A")
        rendezvous.dismiss(ShuttingDown())
        self.assertEqual(
            self.take()[2:],
            [("settled",), ("refuse", 503, "The relay is shutting down")],
        )
        self.assert_settled(rendezvous)
