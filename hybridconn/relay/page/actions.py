"""What the relay's page does: end, drain, enable and disable; all of it is audited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final
from uuid import UUID

from twisted.internet.defer import Deferred

from hybridconn.audit import AuditEvent
from hybridconn.interfaces import IAudit, ILiveRelay
from hybridconn.management.errors import ApiError, conflict, not_found
from hybridconn.management.routing import Route, route
from hybridconn.page.handler import Answer, Call
from hybridconn.relay.desk import EntityKey
from hybridconn.relay.page.catalog import Catalog
from hybridconn.relay.page.routes import one_of

#: Enables or disables a hybrid connection in the store.
Switch = Callable[[EntityKey, bool], Awaitable[None]]

_ONE: Final = "/v1/connections/{ns}/{hc}"
_LISTENER: Final = _ONE + "/listeners/{id}"


class ActionRoutes:
    """
    @param switch: L{None}: the hybrid connections stand in a file.
    @param new_guid: names an event of the audit.
    """

    def __init__(
        self,
        live: ILiveRelay,
        catalog: Catalog,
        switch: Switch | None,
        audit: IAudit,
        new_guid: Callable[[], UUID],
    ) -> None:
        self._live = live
        self._catalog = catalog
        self._switch = switch
        self._audit = audit
        self._new_guid = new_guid

    def routes(self) -> Iterator[Route]:
        """All of them; their names are those of the management API."""
        live = self._live
        for method, path, name, act in (
            ("DELETE", _LISTENER, "ListenersDelete", live.close_listener),
            (
                *("POST", _LISTENER + "/drain", "ListenersDrain"),
                lambda key, id: live.drain_listener(key, id, True),
            ),
            (
                *("POST", _LISTENER + "/undrain", "ListenersUndrain"),
                lambda key, id: live.drain_listener(key, id, False),
            ),
            ("DELETE", _ONE + "/tunnels/{id}", "TunnelsDelete", live.close_tunnel),
        ):
            yield route(method, path, self._audited(name, self._of_live(act)))
        for word, on in (("enable", True), ("disable", False)):
            yield route(
                "POST",
                f"{_ONE}/{word}",
                self._audited(f"HybridConnections{word.title()}", self._switched(on)),
            )

    def _of_live(
        self, act: Callable[[EntityKey, str], Deferred[bool]]
    ) -> Callable[[Call], Awaitable[None]]:
        async def run(call: Call) -> None:
            id = call.values["id"]
            if not await act(one_of(self._catalog, call), id):
                raise not_found(f"'{id}' is over: it")

        return run

    def _switched(self, on: bool) -> Callable[[Call], Awaitable[None]]:
        async def run(call: Call) -> None:
            key = one_of(self._catalog, call)
            if self._switch is None:
                raise conflict(
                    "The hybrid connections of this relay stand in its file, which "
                    "cannot say that one is disabled; only those of a [store] can be."
                )
            await self._switch(key, on)

        return run

    def _audited(
        self, operation: str, run: Callable[[Call], Awaitable[None]]
    ) -> Callable[[Call], Any]:
        async def audited(call: Call) -> Answer:
            try:
                await run(call)
            except ApiError as error:
                self._note(call, operation, error.status, error.code)
                raise
            self._note(call, operation, 204, "")
            return Answer(None, 204)

        return audited

    def _note(self, call: Call, operation: str, status: int, code: str) -> None:
        head = call.request.head
        self._audit.note(
            AuditEvent(
                event="page",
                who=call.who,
                by="link" if call.who.startswith("page ") else "socket",
                source=getattr(call.request.peer, "host", ""),
                action=head.method,
                operation=operation,
                target=head.target.partition("?")[0],
                outcome="allowed" if status < 400 else "failed",
                status=status,
                code=code,
                id=str(self._new_guid()),
            )
        )
