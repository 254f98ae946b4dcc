"""A manager with a window: page, metrics and bundle, without a socket."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService

from hybridconn.config.hcm import AdminSettings
from hybridconn.core.http import RequestHead
from hybridconn.hcm.doctor import Doctor
from hybridconn.hcm.window import Window
from hybridconn.page.handler import AdminApi
from hybridconn.page.port import TokenGate
from hybridconn.page.sessions import KEY_HEADER
from hybridconn.testing.fakes import Answer, FakeHeldRequest
from tests.hcm.case import TOKEN, HcmTestCase

HOST = "127.0.0.1:7420"


class WindowTestCase(HcmTestCase):
    """
    @ivar window: of the manager.
    """

    def setUp(self) -> None:
        super().setUp()
        self.look_through(AdminSettings(port=7420))

    def look_through(self, settings: AdminSettings) -> None:
        """Make a window, and an API that has it."""
        self.window = Window(
            self.manager, self.steward, settings, self.clock, self.wall
        )
        admin: Any = MultiService()
        admin.logbook, admin.routes = self.logbook, self.routes
        admin.doctor = Doctor(self.manager, self.steward, self.clock, self.wall)
        self.window.attach(admin)
        admin.startService()
        self.addCleanup(admin.stopService)
        self.api = AdminApi(
            [*self.routes.routes(), *self.window.routes()],
            self.window.open_routes(),
            [TokenGate(TOKEN), self.window.sessions.who],
            local=False,
        )

    def bare(
        self, method: str, path: str, *headers: tuple[str, str], body: bytes = b""
    ) -> Answer:
        """The answer to a request with these headers only, and C{Host}."""
        fields = headers
        if not any(name == "Host" for name, _ in headers):
            fields = (("Host", HOST), *headers)
        head = RequestHead(method, path, "1.1", fields)
        request = FakeHeldRequest(head, body_length=len(body), body=body)
        self.api.handle(request)
        self.network.flush()
        assert isinstance(request.outcome, Answer), request.outcome
        return request.outcome

    def link(self) -> str:
        """A code that opens a session."""
        url = str(self.good("POST", "/v1/page-links")["url"])
        return url.partition("#login=")[2]

    def sign_in(self, code: str, *headers: tuple[str, str]) -> Answer:
        """What the page does with a link."""
        body = b'{"code": "%s"}' % code.encode()
        fields = headers or ((KEY_HEADER, "none"), ("Origin", f"http://{HOST}"))
        return self.bare("POST", "/v1/session", *fields, body=body)
