"""What the page asks for beside the API: its files, a session, the past."""

from __future__ import annotations

from collections.abc import Iterator

from hybridconn.config.hcm import AdminSettings
from hybridconn.hcm.history import History
from hybridconn.hcm.manager import Manager
from hybridconn.management.routing import Route, route
from hybridconn.page.doors import Doors
from hybridconn.page.handler import Answer, Call
from hybridconn.page.sessions import Sessions


class PageRoutes:
    """
    @param settings: say where the page is.
    """

    def __init__(
        self,
        manager: Manager,
        history: History,
        sessions: Sessions,
        settings: AdminSettings,
    ) -> None:
        self._manager = manager
        self._history = history
        self._doors = Doors(__package__, sessions, settings, 7420, "hybridconn hcm ui")

    def open_routes(self) -> Iterator[Route]:
        """For everybody who reaches the port: nothing in them is secret."""
        yield from self._doors.open_routes()

    def routes(self) -> Iterator[Route]:
        """For those who may."""
        yield from self._doors.routes()
        yield route("GET", "/v1/history", self._all_histories)
        yield route("GET", "/v1/connections/{name}/history", self._one_history)

    def _all_histories(self, call: Call) -> Answer:
        samples = call.number("samples", 60, self._history.most)
        found = {one.name: self._history.view(one, samples) for one in self._manager}
        return Answer({"interval": self._history.interval, "connections": found})

    def _one_history(self, call: Call) -> Answer:
        found = self._manager.find(call.values["name"], call.query.get("namespace", ""))
        view = self._history.view(found, self._history.most)
        states = self._history.states(found)
        return Answer({"interval": self._history.interval, **view, "states": states})
