"""Listeners and senders made of plain bytes, around a relay in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import evolve
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Claim
from hybridconn.core.limits import Limits
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer

#: The peers of these tests come from one address that no limit is meant for.
LIMITS = Limits(exempt_networks=("192.0.2.0/24",))


def watch_log(case: SynchronousTestCase) -> list[str]:
    """The lines that are logged from now on until the end of the test."""
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(formatEvent(event))

    observer: Any = observe
    globalLogPublisher.addObserver(observer)
    case.addCleanup(globalLogPublisher.removeObserver, observer)
    return lines


class RelayTestCase(SynchronousTestCase):
    """
    A relay with the hybrid connection C{hyco}.

    @cvar entities: what the relay has.
    """

    entities: tuple[Any, ...] = ("hyco",)

    def setUp(self) -> None:
        self.relay = MemoryRelay(self.entities, limits=LIMITS)
        self.network = self.relay.network

    def restart(self, **limits: Any) -> None:
        """Begin again with other limits."""
        self.relay.stop()
        self.relay = MemoryRelay(self.entities, limits=evolve(LIMITS, **limits))
        self.network = self.relay.network

    def flush(self) -> None:
        """Let all bytes arrive."""
        self.network.flush()

    def dial(
        self, target: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> WsPeer:
        """Ask the relay for a WebSocket."""
        peer = WsPeer.client(target, self.relay.host, headers, **more)
        peer.dial(self.network, self.relay.host, self.relay.port, secure=True)
        self.flush()
        return peer

    def token(self, claim: Claim, path: str = "hyco", lifetime: float = 3600.0) -> str:
        """A SAS token."""
        return self.relay.token(path, claim, lifetime)

    def listen(
        self,
        path: str = "hyco",
        query: str = "",
        lifetime: float = 3600.0,
        agent: str = "",
    ) -> WsPeer:
        """Open a control channel."""
        fields = {"ServiceBusAuthorization": self.token(Claim.LISTEN, path, lifetime)}
        if agent:
            fields["User-Agent"] = agent
        peer = self.dial(f"/$hc/{path}?{query}sb-hc-action=listen", fields)
        self.assertEqual((peer.status, peer.body), (101, b""))
        return peer

    def connect(
        self,
        path: str = "hyco",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> WsPeer:
        """Be a sender; the answer may be still to come."""
        entity = path.partition("/")[0]
        token = {"ServiceBusAuthorization": self.token(Claim.SEND, entity)}
        return self.dial(
            f"/$hc/{path}?{query}sb-hc-action=connect",
            token | dict(headers or {}),
            **more,
        )

    def commands(self, listener: WsPeer) -> list[dict[str, Any]]:
        """What a listener was told, each as the one member of its object."""
        return [json.loads(text) for text in listener.messages]

    def accepts(self, listener: WsPeer) -> list[dict[str, Any]]:
        """The accept commands that a listener got."""
        return [one["accept"] for one in self.commands(listener)]

    def rendezvous(
        self,
        accept: Mapping[str, Any],
        appended: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> WsPeer:
        """Dial the address of an accept command."""
        target = accept["address"].partition("://")[2].partition("/")[2]
        return self.dial(f"/{target}{appended}", headers, **more)

    def tunnel(self) -> tuple[WsPeer, WsPeer]:
        """A joined sender and listener; the control channel is C{self.control}."""
        self.control = self.listen()
        sender = self.connect()
        listener = self.rendezvous(self.accepts(self.control)[0])
        self.assertEqual((sender.status, listener.status), (101, 101))
        return sender, listener
