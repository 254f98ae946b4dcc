"""Telling a sender no, by way of the relay (relay-protocol section 6.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.commands import Accept
from hybridconn.core.rendezvous_address import reject_address
from hybridconn.listener.dialing import RendezvousDialer
from hybridconn.listener.reject import Reject
from hybridconn.websocket.client import HandshakeRefused
from hybridconn.websocket.words import explain

#: The relay's answer to a rejection that it passed on (section 6.3).
_TAKEN: Final = 410


class Rejections:
    """
    The senders of one hybrid connection that are refused.

    @param entity: its path.
    @param refused: called with each.
    """

    log = Logger()

    def __init__(
        self,
        entity: str,
        rendezvous: RendezvousDialer,
        refused: Callable[[Accept, Reject], None],
    ) -> None:
        self._entity = entity
        self._rendezvous = rendezvous
        self._refused = refused

    async def reject(self, accept: Accept, no: Reject) -> None:
        """Have the relay tell the sender, whose tunnel is not open yet."""
        self.note(accept, no)
        await self.tell(accept, no)

    async def tell(self, accept: Accept, no: Reject) -> None:
        """The same for one that is not noted as refused."""
        address = reject_address(accept.address, no.status, no.description)
        try:
            tunnel = await self._rendezvous.dial(address)
        except HandshakeRefused as answer:
            if answer.status != _TAKEN:
                self._lost(accept, str(answer))
        except Exception as error:
            self._lost(accept, explain(Failure(error)))
        else:
            tunnel.drop()
            self._lost(accept, "the relay took it for a tunnel")

    def note(self, accept: Accept, no: Reject) -> None:
        """A sender is refused, whoever tells it."""
        self._refused(accept, no)
        self.log.info(
            "{entity}: refused {peer}: {status} {description},"
            " tracking id {tracking_id}",
            entity=self._entity,
            peer=f"{accept.remote_address}:{accept.remote_port}",
            status=no.status,
            description=no.description,
            tracking_id=accept.id,
        )

    def _lost(self, accept: Accept, reason: str) -> None:
        self.log.info(
            "{entity}: the sender may not know: {reason}, tracking id {tracking_id}",
            entity=self._entity,
            reason=reason,
            tracking_id=accept.id,
        )
