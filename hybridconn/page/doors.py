"""What every page asks for before anything else: its files, and a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hybridconn.core.http import join_authority
from hybridconn.management.errors import ApiError
from hybridconn.management.routing import Route, route
from hybridconn.page.assets import asset_routes, load
from hybridconn.page.errors import CannotDo
from hybridconn.page.handler import Answer, Call
from hybridconn.page.port import Where
from hybridconn.page.sessions import (
    KEY_HEADER,
    LINK_LIFE,
    Sessions,
    from_own_page,
)

_SESSION: Final = "/v1/session"


class NoPage(CannotDo):
    """There is no port to show it on."""

    status = 409
    code = "NoPage"


class Doors:
    """
    @param package: has the files of the page.
    @param where: the page is.
    @param usual: the port that is proposed if there is none.
    @param command: prints a link.
    """

    def __init__(
        self, package: str, sessions: Sessions, where: Where, usual: int, command: str
    ) -> None:
        self._package = package
        self._sessions = sessions
        self._where = where
        self._usual = usual
        self._command = command

    def open_routes(self) -> Iterator[Route]:
        """For everybody who reaches the port: nothing in them is secret."""
        if self._where.port is None:
            return
        yield from asset_routes(load(self._package))
        yield route("POST", _SESSION, self._sign_in)

    def routes(self) -> Iterator[Route]:
        """For those who may."""
        yield route("POST", "/v1/page-links", self._link)
        yield route("DELETE", _SESSION, self._sign_out)

    def _link(self, call: Call) -> Answer:
        where = self._where
        if where.port is None:
            raise NoPage(
                f"The page needs a port: put port = {self._usual} into [admin] of the "
                "configuration, and start the service again."
            )
        at = join_authority(where.interface, where.port)
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
                f"{self._command}",
            )
        value = {"key": opened.key, "expiresIn": opened.life}
        return Answer(value, 201, (("Set-Cookie", opened.cookie),))

    def _sign_out(self, call: Call) -> Answer:
        cookie = self._sessions.close(call.request)
        return Answer(None, 204, (("Set-Cookie", cookie),))
