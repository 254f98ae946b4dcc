"""The admin port of a connection manager."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred

from hybridconn.config.hcm import AdminSettings
from hybridconn.hcm.doctor import Doctor
from hybridconn.hcm.logbook import LogBook
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.routes import ManagerRoutes
from hybridconn.hcm.steward import Steward
from hybridconn.management.routing import Route
from hybridconn.page.handler import Authenticator
from hybridconn.page.port import AdminPorts

#: What the token's file is called, if no setting says otherwise.
TOKEN_NAME: Final = "hcm.token"


class AdminService(AdminPorts):
    """
    Serves while it runs.

    @param folder: of the configuration, for the token.
    @param more_routes: beside those of the manager, for those who may.
    @param open_routes: for everybody who reaches the port.
    @param authenticators: tried after the token.
    @raise ConfigError: the token's file cannot be used.
    """

    def __init__(
        self,
        program: str,
        manager: Manager,
        steward: Steward,
        settings: AdminSettings,
        folder: Path,
        reactor: Any,
        *,
        wall: Callable[[], float],
        environ: Any = os.environ,
        more_routes: Iterable[Route] = (),
        open_routes: Iterable[Route] = (),
        authenticators: Iterable[Authenticator] = (),
    ) -> None:
        self.logbook = LogBook()
        self.doctor = Doctor(manager, steward, reactor, wall)
        self.routes = ManagerRoutes(
            manager, steward, self.logbook, self.doctor, reactor, wall
        )
        super().__init__(
            program,
            settings,
            token_path(settings, folder),
            reactor,
            wall=wall,
            routes=[*self.routes.routes(), *more_routes],
            open_routes=open_routes,
            authenticators=authenticators,
            environ=environ,
        )

    def privilegedStartService(self) -> None:
        """Remember the log from the first line on, and listen (Twisted)."""
        self.logbook.start()
        super().privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        """End all streams and listen no more (Twisted)."""
        self.logbook.stop()
        self.routes.close()
        stopped: Deferred[Any] = super().stopService()
        return stopped


def token_path(settings: AdminSettings, folder: Path) -> Path:
    """Where the token is."""
    if settings.token_file:
        return Path(settings.token_file)
    beside = Path(settings.socket).parent if settings.socket else folder
    return beside / TOKEN_NAME
