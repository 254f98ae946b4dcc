"""What looks into a manager from outside: its page, its metrics, its support bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.application.internet import TimerService

from hybridconn.config.hcm import AdminSettings
from hybridconn.hcm.bundle import Bundle
from hybridconn.hcm.history import History
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.metrics import MetricsRoutes
from hybridconn.hcm.page.routes import PageRoutes
from hybridconn.hcm.port import AdminService
from hybridconn.hcm.steward import Steward
from hybridconn.management.routing import Route
from hybridconn.page.sessions import Sessions

#: Seconds between two looks for sessions that are over.
_LOOK: Final = 30.0


class Window:
    """
    @param clock: the reactor.
    @param wall: seconds since 1970-01-01 UTC.
    @ivar sessions: of browsers that have the page open.
    """

    def __init__(
        self,
        manager: Manager,
        steward: Steward,
        settings: AdminSettings,
        clock: Any,
        wall: Callable[[], float],
    ) -> None:
        self._clock = clock
        self.sessions = Sessions(settings.port or 0, clock.seconds)
        self._history = History(manager, clock, wall)
        self._metrics = MetricsRoutes(manager, steward)
        self._bundle = Bundle(manager, self._history, self._metrics, wall)
        self._page = PageRoutes(manager, self._history, self.sessions, settings)

    def routes(self) -> Iterator[Route]:
        """For those who may."""
        yield from self._page.routes()
        yield from self._metrics.routes()
        yield from self._bundle.routes()

    def open_routes(self) -> Iterator[Route]:
        """For everybody who reaches the port."""
        yield from self._page.open_routes()
        yield from self._metrics.open_routes()

    def attach(self, admin: AdminService) -> None:
        """Live as long as C{admin}, and show what it has."""
        self._bundle.attach(admin.logbook, admin.doctor, admin.routes)
        self._history.setServiceParent(admin)
        # What a browser is being told ends with its session.
        self.sessions.ended = admin.routes.end_streams_of
        timer = TimerService(_LOOK, self.sessions.forget_old)
        timer.clock = self._clock
        timer.setServiceParent(admin)
