"""What the page asks for beside the API: its files, a session, the past."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hybridconn.config.hcm import AdminSettings
from hybridconn.core.http import join_authority
from hybridconn.hcm.errors import ManagerError
from hybridconn.hcm.history import History
from hybridconn.hcm.manager import Manager
from hybridconn.management.errors import ApiError
from hybridconn.management.routing import Route, route
from hybridconn.page.assets import asset_routes, load
from hybridconn.page.handler import Answer, Call
from hybridconn.page.sessions import (
    KEY_HEADER,
    LINK_LIFE,
    Sessions,
    from_own_page,
)

_SESSION: Final = "/v1/session"


class NoPage(ManagerError):
    """There is no port to show it on."""

    status = 409
    code = "NoPage"


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
        self._sessions = sessions
        self._settings = settings

    def open_routes(self) -> Iterator[Route]:
        """For everybody who reaches the port: nothing in them is secret."""
        if self._settings.port is None:
            return
        yield from asset_routes(load(__package__))
        yield route("POST", _SESSION, self._sign_in)

    def routes(self) -> Iterator[Route]:
        """For those who may."""
        yield route("POST", "/v1/page-links", self._link)
        yield route("DELETE", _SESSION, self._sign_out)
        yield route("GET", "/v1/history", self._all_histories)
        yield route("GET", "/v1/connections/{name}/history", self._one_history)

    # --- sessions ---

    def _link(self, call: Call) -> Answer:
        settings = self._settings
        if settings.port is None:
            raise NoPage(
                "The page needs a port: put port = 7420 into [admin] of the "
                "configuration, and start the service again."
            )
        at = join_authority(settings.interface, settings.port)
        # What stands behind the # is sent to nobody and comes into no log.
        url = f"http://{at}/#login={self._sessions.new_link()}"
        return Answer({"url": url, "expiresIn": LINK_LIFE}, 201)

    def _sign_in(self, call: Call) -> Answer:
        if call.request.head.get(KEY_HEADER) is None or not from_own_page(call.request):
            raise ApiError(403, "WrongOrigin", "Only the page itself may do that.")
        opened = self._sessions.open(call.json().text("code") or "")
        if opened is None:
            raise ApiError(
                401,
                "LinkUsed",
                "This link was used before, or is too old. Get a new one with: "
                "hybridconn hcm ui",
            )
        value = {"key": opened.key, "expiresIn": opened.life}
        return Answer(value, 201, (("Set-Cookie", opened.cookie),))

    def _sign_out(self, call: Call) -> Answer:
        cookie = self._sessions.close(call.request)
        return Answer(None, 204, (("Set-Cookie", cookie),))

    # --- the past ---

    def _all_histories(self, call: Call) -> Answer:
        samples = call.number("samples", 60, self._history.most)
        found = {one.name: self._history.view(one, samples) for one in self._manager}
        return Answer({"interval": self._history.interval, "connections": found})

    def _one_history(self, call: Call) -> Answer:
        found = self._manager.find(call.values["name"], call.query.get("namespace", ""))
        view = self._history.view(found, self._history.most)
        states = self._history.states(found)
        return Answer({"interval": self._history.interval, **view, "states": states})
