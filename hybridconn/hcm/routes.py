"""What the admin port answers (docs/hcm-api.md)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred

import twisted
from hybridconn.core.text import utc_text
from hybridconn.hcm.connection import ManagedConnection
from hybridconn.hcm.doctor import Doctor
from hybridconn.hcm.errors import ManagerError
from hybridconn.hcm.events import Event
from hybridconn.hcm.logbook import MOST_LINES, Line, LogBook
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.steward import SETTINGS, Steward
from hybridconn.hcm.streams import EventStream
from hybridconn.management.errors import bad_request
from hybridconn.management.routing import Route, route
from hybridconn.operation.version import own_version
from hybridconn.page.handler import Answer, Call

_ONE = "/v1/connections/{name}"


class ManagerRoutes:
    """
    @param clock: the reactor.
    @ivar streams: those that are open, and whose they are.
    """

    def __init__(
        self,
        manager: Manager,
        steward: Steward,
        logbook: LogBook,
        doctor: Doctor,
        clock: Any,
        wall: Callable[[], float],
    ) -> None:
        self._manager = manager
        self._steward = steward
        self._logbook = logbook
        self._doctor = doctor
        self._clock = clock
        self._wall = wall
        self.streams: dict[EventStream, str] = {}

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield route("GET", "/v1/connections", self._list)
        yield route("POST", "/v1/connections", self._add)
        yield route("GET", _ONE, self._show)
        yield route("DELETE", _ONE, self._remove)
        yield route("GET", _ONE + "/tunnels", self._tunnels)
        yield route("GET", _ONE + "/requests", self._requests)
        yield route("POST", _ONE + "/restart", self._restart)
        yield route("POST", _ONE + "/drain", self._drain)
        yield route("POST", _ONE + "/resume", self._resume)
        yield route("POST", _ONE + "/test", self._test, changes=False)
        yield route("POST", "/v1/test", self._test_address, changes=False)
        yield route("POST", "/v1/reload", self._reload)
        yield route("GET", "/v1/events", self._events)
        yield route("GET", "/v1/logs", self._logs)
        yield route("GET", "/v1/version", lambda _: Answer(self.version()))
        yield route("GET", "/v1/doctor", self._examine)

    def close(self) -> None:
        """End all streams."""
        for stream in tuple(self.streams):
            stream.end()

    def end_streams_of(self, who: str) -> None:
        """End those of one client, who may see no more."""
        for stream, whose in tuple(self.streams.items()):
            if whose == who:
                stream.end()

    def _find(self, call: Call) -> ManagedConnection:
        return self._manager.find(call.values["name"], call.query.get("namespace", ""))

    # --- hybrid connections ---

    def _list(self, call: Call) -> Answer:
        return Answer({"connections": [one.view() for one in self._manager]})

    def _show(self, call: Call) -> Deferred[Answer]:
        found = self._find(call)

        def show(_: None) -> Answer:
            recent = {
                "recentTunnels": found.book.views(),
                "recentRequests": found.requests.views(),
            }
            return Answer({**found.view(), **recent})

        return self._doctor.describe(found).addCallback(show)

    def _tunnels(self, call: Call) -> Answer:
        return Answer({"tunnels": self._find(call).book.views()})

    def _requests(self, call: Call) -> Answer:
        return Answer({"requests": self._find(call).requests.views()})

    def _add(self, call: Call) -> Answer:
        body = call.json()
        text = body.text("connectionString")
        if not text:
            raise bad_request("'connectionString' is missing.")
        given = body.object("settings").members()
        settings = {name: value for name, value in given.items() if value is not None}
        unknown = sorted(set(settings) - set(SETTINGS))
        if unknown:
            raise bad_request(
                f"'settings' has {unknown[0][:40]!r}, which is none of "
                f"{', '.join(SETTINGS)}."
            )
        found = self._steward.add(text, settings, body.boolean("replace", False))
        return Answer(found.view(), 201)

    def _remove(self, call: Call) -> Answer:
        self._steward.look()  # it may have come, or changed, just now
        self._steward.remove(self._find(call))
        return Answer(None, 204)

    def _restart(self, call: Call) -> Answer:
        found = self._find(call)
        self._manager.restart(found)
        return Answer(found.view(), 202)

    def _drain(self, call: Call) -> Answer:
        found = self._find(call)
        self._manager.drain(found)
        return Answer(found.view(), 202)

    def _resume(self, call: Call) -> Answer:
        found = self._find(call)
        self._manager.resume(found)
        return Answer(found.view(), 202)

    # --- looking closer ---

    def _test(self, call: Call) -> Deferred[Answer]:
        examined = self._doctor.examine(self._find(call))
        return examined.addCallback(lambda checks: Answer(_report(checks)))

    def _test_address(self, call: Call) -> Deferred[Answer]:
        text = call.json().text("address")
        if not text:
            raise bad_request("'address' is missing: use host:port.")
        examined = self._doctor.examine_address(text)
        return examined.addCallback(lambda checks: Answer(_report(checks)))

    def _examine(self, call: Call) -> Deferred[Answer]:
        examined = self._doctor.examine_all()
        return examined.addCallback(lambda checks: Answer(_report(checks)))

    # --- the service ---

    def _reload(self, call: Call) -> Answer:
        if not self._steward.reload():
            raise ManagerError(
                f"The old configuration stays in force: {self._steward.trouble}"
            )
        waiting = list(self._manager.needs_restart)
        return Answer({"connections": self._manager.count, "needsRestart": waiting})

    def version(self) -> dict[str, Any]:
        """Versions, files, and since when it runs."""
        manager = self._manager
        return {
            "version": own_version(),
            "python": platform.python_version(),
            "twisted": twisted.__version__,
            "system": platform.platform(),
            "pid": os.getpid(),
            "startedAt": utc_text(manager.started_at),
            "now": utc_text(self._wall()),
            "file": os.path.abspath(self._steward.file) if self._steward.file else "",
            "folder": manager.loaded.config.connections.folder,
            "encrypted": bool(manager.loaded.config.connections.keys),
            "trouble": self._steward.trouble,
            "needsRestart": list(manager.needs_restart),
            "connections": manager.count,
        }

    def _logs(self, call: Call) -> Answer | None:
        most = call.number("limit", 100, MOST_LINES)
        entity = ""
        if call.query.get("connection"):
            found = self._manager.find(call.query["connection"])
            entity = found.one.connection.entity_path or ""
        if call.query.get("follow") not in (None, "", "0", "false"):
            self._follow(call, most, entity)
            return None
        lines = self._logbook.lines(most, entity)
        return Answer({"lines": [line.view() for line in lines]})

    # --- as it happens ---

    def _follow(self, call: Call, most: int, entity: str) -> None:
        def send(line: Line) -> None:
            if not entity or line.entity == entity:
                stream.send("line", line.view(), line.number)

        def begin() -> None:
            for line in self._logbook.lines(most, entity):
                send(line)

        stream = self._stream(call, begin)
        begin()
        stream.until_gone(self._logbook.watch(send))

    def _events(self, call: Call) -> None:
        hub = self._manager.events

        def send(event: Event) -> None:
            stream.send(event.kind, event.value, event.number)

        def begin() -> None:
            views = [one.view() for one in self._manager]
            stream.send("snapshot", {"connections": views}, hub.last)

        stream = self._stream(call, begin)
        last = call.request.head.get("Last-Event-ID") or ""
        missed = hub.since(int(last)) if last.isascii() and last.isdigit() else None
        if missed is None:
            begin()
        else:
            for event in missed:
                send(event)
        stream.until_gone(hub.watch(send))

    def _stream(self, call: Call, begin: Callable[[], None]) -> EventStream:
        stream = EventStream(call.request, self._clock, begin)
        self.streams[stream] = call.who

        def gone() -> None:
            self.streams.pop(stream, None)

        stream.until_gone(gone)
        return stream


def _report(checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ok": all(check["ok"] for check in checks), "checks": checks}
