"""The relay's one port, for HTTP and WebSockets alike."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory

from hybridconn.core.limits import Limits
from hybridconn.interfaces import IRequestHandler
from hybridconn.web.admission import Admission
from hybridconn.web.answers import RefusalAnswer, refusal_answer
from hybridconn.web.connection import FrontDoorProtocol
from hybridconn.web.surroundings import Surroundings


class FrontDoor(ServerFactory):
    """
    Listens for the relay.  Put L{hybridconn.tls.tls_factory} around it for TLS.

    When its last port is closed, connections without a request are closed, and
    the others as soon as they are answered.

    @param handler: gets every request.
    @param limits: sizes and time-outs.
    @param clock: for the time-outs.
    @param admission: may turn connections away.
    @param now: seconds since 1970-01-01 UTC, for answers.
    @param new_guid: for example L{uuid.uuid4}; names requests that bring no
        name of their own.
    @param render: how refusals look.
    """

    noisy = False
    protocol_class = FrontDoorProtocol

    def __init__(
        self,
        handler: IRequestHandler,
        limits: Limits,
        clock: IReactorTime,
        admission: Admission,
        now: Callable[[], float],
        new_guid: Callable[[], UUID | str],
        render: RefusalAnswer = refusal_answer,
    ) -> None:
        self._around = Surroundings(
            handler, limits, clock, admission, now, new_guid, render
        )

    def startFactory(self) -> None:
        """A port is open (Twisted)."""
        self._around.stopping = False

    def stopFactory(self) -> None:
        """The last port is closed (Twisted)."""
        self._around.stopping = True
        for connection in list(self._around.connections):
            connection.close_if_idle()

    @property
    def idle(self) -> bool:
        """Whether there is no connection that was not handed over."""
        return not self._around.connections

    def buildProtocol(self, addr: IAddress | None) -> FrontDoorProtocol | None:
        """Take a connection, or turn it away (Twisted)."""
        address = str(getattr(addr, "host", ""))
        if not self._around.admission.admit(address):
            return None
        protocol = self.protocol_class(self._around, address)
        protocol.factory = self
        return protocol
