"""The relay's page as a Twisted service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from twisted.application.internet import TimerService

from hybridconn.interfaces import IAudit, IEntityStore, ILiveRelay
from hybridconn.page.doors import Doors
from hybridconn.page.port import AdminPorts, Where
from hybridconn.page.sessions import Sessions
from hybridconn.relay.page.actions import ActionRoutes, Switch
from hybridconn.relay.page.catalog import Catalog
from hybridconn.relay.page.routes import LookRoutes

#: Seconds between two looks for sessions that are over, and two signs of interest in
#: the traffic, so that there is a past to be shown to who opens the page.
_LOOK: Final = 30.0
#: The port that is proposed.
USUAL_PORT: Final = 7421
COMMAND: Final = "hybridconn relay ui"


def page_service(
    program: str,
    where: Where,
    live: ILiveRelay,
    store: IEntityStore,
    switch: Switch | None,
    audit: IAudit,
    reactor: Any,
    wall: Callable[[], float],
) -> AdminPorts:
    """
    Serves the page while it runs.

    @param program: begins the line that says that a port is taken.
    @param switch: enables and disables hybrid connections; L{None}: nothing can.
    """
    sessions = Sessions(where.port or 0, reactor.seconds, name="relay")
    doors = Doors(__package__, sessions, where, USUAL_PORT, COMMAND)
    catalog = Catalog(store)
    looks = LookRoutes(live, catalog, switch is not None, reactor, wall)
    actions = ActionRoutes(live, catalog, switch, audit, uuid4)
    ports = AdminPorts(
        program,
        where,
        None,
        reactor,
        wall=wall,
        routes=[*doors.routes(), *looks.routes(), *actions.routes()],
        open_routes=doors.open_routes(),
        authenticators=[sessions.who],
    )

    def look() -> None:
        sessions.forget_old()
        live.traffic([], 1)

    timer = TimerService(_LOOK, look)
    timer.clock = reactor
    timer.setServiceParent(ports)
    return ports
