"""How the relay says no: when, and what it writes down about it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from hybridconn.core.entities import select_namespace
from hybridconn.core.names import parse_entity_path
from hybridconn.core.refusals import (
    BadGateway,
    EndedByOperator,
    GatewayTimeout,
    Refusal,
    Rejected,
    RejectionTaken,
    ShuttingDown,
    TooManyRequests,
    Unauthorized,
)
from hybridconn.interfaces import IEntityStore, IHeldRequest
from hybridconn.relay.logbook import Logbook
from hybridconn.web.admission import Admission

_AT_ONCE: Final = (
    TooManyRequests,
    ShuttingDown,
    EndedByOperator,
    BadGateway,
    GatewayTimeout,
)
_SIMPLE_ID: Final = re.compile(r"[A-Za-z0-9._:@-]{1,64}")


class RefusalDesk:
    """
    Answers the requests that are refused.

    @param store: to name entities in the log.
    @param admission: says how long an answer is kept back.
    @param logbook: says what is written down one by one.
    """

    log = Logger()

    def __init__(
        self,
        store: IEntityStore,
        admission: Admission,
        clock: IReactorTime,
        logbook: Logbook,
    ) -> None:
        self._store = store
        self._admission = admission
        self._clock = clock
        self._logbook = logbook

    def refuse(self, request: IHeldRequest, refusal: Refusal) -> None:
        """
        Answer later and later to an address that keeps failing: hyco-ws
        comes back at once, twice over (section 4).
        """
        if isinstance(refusal, Rejected | RejectionTaken):
            request.refuse(refusal)
            return
        address, delay = request.peer.host, 0.0
        # One that is too fast is not slowed down but sent away, nobody has the time
        # to wait for a relay that stops, and what fails behind the relay is not the
        # sender's fault.
        if not isinstance(refusal, _AT_ONCE):
            delay = self._admission.failed(
                address, authentication=isinstance(refusal, Unauthorized)
            )
        cause = f"{refusal.status} {type(refusal).__name__}"
        if self._logbook.may_write(address, cause, self._clock.seconds()):
            self.log.info(
                "{method} {entity} from {address}: {status} {reason}, {tracking}",
                method=request.head.method[:16],
                entity=self._shown(request),
                tracking=str(request.tracking),
                address=address,
                status=refusal.status,
                reason=refusal.logged,
            )
        if delay:
            self._clock.callLater(delay, request.refuse, refusal)
        else:
            request.refuse(refusal)

    def note_cut(self, request: IHeldRequest, what: str) -> None:
        """An HTTP request ended early though the relay did not refuse it."""
        address = request.peer.host
        if self._logbook.may_write(address, "cut", self._clock.seconds()):
            self.log.info(
                "{method} {entity} from {address}: {what}, {tracking}",
                method=request.head.method[:16],
                entity=self._shown(request),
                address=address,
                what=what,
                tracking=str(request.tracking),
            )

    def note_foreign_id(self, request: IHeldRequest) -> None:
        """A sender that names itself otherwise is to be found by its name, too."""
        given, address = request.tracking.given, request.peer.host
        # What is no simple name may be anything, a token put there by mistake too.
        if not given or not _SIMPLE_ID.fullmatch(given):
            return
        if self._logbook.may_write(address, "sb-hc-id", self._clock.seconds()):
            self.log.info(
                "the sender's id {given} is no GUID; it is {tracking} here",
                given=given,
                tracking=str(request.tracking),
            )

    def _shown(self, request: IHeldRequest) -> str:
        """The entity alone: a suffix is the sender's and may hold anything."""
        path = request.head.target.partition("?")[0].strip("/").split("/")
        if path[0].lower() in ("$hc", "%24hc"):
            del path[0]
        namespace = select_namespace(self._store.namespaces(), request.head.host)
        match = namespace.find([unquote(part) for part in path]) if namespace else None
        if match is not None:
            return match.entity.path
        try:
            return parse_entity_path("".join(path[:1]))[:64]
        except ValueError:
            return "no endpoint"
