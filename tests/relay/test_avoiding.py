"""A sender that wants to see one listener after the other."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Claim
from hybridconn.core.listeners import AVOID, MOST_AVOIDED, take_avoided
from hybridconn.testing import MemoryCluster, MemoryNetwork, MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.scene import LIMITS, RelayTestCase

CHOSEN = "hybridconn-listener"


class AvoidingTests(RelayTestCase):
    """At a relay in one process."""

    def ask(self, *avoid: str) -> tuple[WsPeer, str]:
        """Be a sender that was at these listeners; who was chosen now."""
        before = {id(one): len(one.messages) for one in self.listeners}
        sender = self.connect(headers={AVOID: ", ".join(avoid) or "-"})
        chosen = next(
            one for one in self.listeners if len(one.messages) > before[id(one)]
        )
        self.accept = self.accepts(chosen)[-1]
        self.rendezvous(self.accept)
        return chosen, sender.headers[CHOSEN]

    def setUp(self) -> None:
        super().setUp()
        self.listeners = [self.listen() for _ in range(5)]

    def test_each_in_turn(self) -> None:
        """As many probes as there are listeners see each of them once."""
        seen: dict[str, WsPeer] = {}
        for _ in self.listeners:
            chosen, name = self.ask(*seen)
            self.assertNotIn(name, seen)
            seen[name] = chosen
        self.assertEqual(
            {id(one) for one in seen.values()}, set(map(id, self.listeners))
        )

    def test_no_others(self) -> None:
        """A sender that has seen all is served all the same, by one of them."""
        seen: list[str] = []
        for _ in self.listeners:
            seen.append(self.ask(*seen)[1])
        self.assertIn(self.ask(*seen)[1], seen)

    def test_kept_from_listeners(self) -> None:
        """No listener hears of the field, in whatever case it was written."""
        self.ask("L1")
        self.connect(headers={AVOID.upper(): "L1"})
        for listener in self.listeners:
            for accept in self.accepts(listener):
                names = {name.lower() for name in accept["connectHeaders"]}
                self.assertNotIn(AVOID.lower(), names)

    def test_rejected(self) -> None:
        """A sender that is rejected learns by whom, too; the words stay as they are."""
        sender = self.connect(headers={AVOID: "-"})
        listener = next(one for one in self.listeners if one.messages)
        more = "&sb-hc-statusCode=502&sb-hc-statusDescription=no"
        self.rendezvous(self.accepts(listener)[0], more)
        self.assertEqual((sender.status, sender.reason), (502, "no"))
        self.assertIn(CHOSEN, sender.headers)

    def test_not_asked(self) -> None:
        """Others are not told who was chosen."""
        sender = self.connect()
        listener = next(one for one in self.listeners if one.messages)
        self.rendezvous(self.accepts(listener)[0])
        self.assertEqual(sender.status, 101)
        self.assertNotIn(CHOSEN, sender.headers)

    def test_long_list(self) -> None:
        """Of a long list the rest does not count."""
        headers = {AVOID: ",".join(f"L{n}" for n in range(2 * MOST_AVOIDED))}
        avoided = take_avoided(headers)
        assert avoided is not None
        self.assertLessEqual(len(avoided), MOST_AVOIDED)
        self.assertEqual(headers, {})


class ClusterTests(SynchronousTestCase):
    """At two workers of one relay."""

    def test_across(self) -> None:
        """What one worker calls a listener, the other knows it by."""
        network = MemoryNetwork()
        cluster = MemoryCluster(network.clock)
        relays = {
            port: MemoryRelay(
                ["hyco"],
                network,
                port=port,
                limits=LIMITS,
                seed=port,
                bus=cluster.bus(str(port)),
            )
            for port in (443, 444)
        }
        network.advance(0)

        def dial(port: int, target: str, claim: Claim, **more: str) -> WsPeer:
            token = relays[port].token("hyco", claim)
            headers = {"ServiceBusAuthorization": token, **more}
            peer = WsPeer.client(target, "relay.test", headers)
            peer.dial(network, "relay.test", port, secure=True)
            network.advance(0)
            return peer

        listeners: list[Any] = [
            dial(port, "/$hc/hyco?sb-hc-action=listen", Claim.LISTEN)
            for port in (443, 444)
        ]
        seen: list[str] = []
        for port in (443, 444):
            target = "/$hc/hyco?sb-hc-action=connect"
            sender = dial(port, target, Claim.SEND, **{AVOID: ",".join(seen) or "-"})
            for listener in listeners:
                if listener.messages:
                    accept = json.loads(listener.messages.pop())["accept"]
                    path = accept["address"].split("/", 3)[3]
                    joining = WsPeer.client(f"/{path}", "relay.test")
                    joining.dial(network, "relay.test", port, secure=True)
                    network.advance(0)
            seen.append(sender.headers[CHOSEN])
        self.assertEqual(sorted(seen), ["443/L1", "444/L1"])
        for relay in relays.values():
            relay.stop()
