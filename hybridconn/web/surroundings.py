"""What all connections of one front door share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from hybridconn.core.limits import Limits
from hybridconn.interfaces import IRequestHandler
from hybridconn.web.admission import Admission
from hybridconn.web.answers import RefusalAnswer


class Closable(Protocol):
    """What a front door needs of a connection."""

    def close_if_idle(self) -> None:
        """Close unless a request is held or half read."""


@define
class Surroundings:
    """
    What all connections of one front door share; see L{FrontDoor
    <hybridconn.web.frontdoor.FrontDoor>}.

    @ivar stopping: nobody listens any more; an answer ends its connection.
    @ivar connections: those that were not handed over.
    """

    handler: IRequestHandler
    limits: Limits
    clock: IReactorTime
    admission: Admission
    now: Callable[[], float]
    new_guid: Callable[[], UUID | str]
    render: RefusalAnswer
    stopping: bool = False
    connections: set[Closable] = field(factory=set)
