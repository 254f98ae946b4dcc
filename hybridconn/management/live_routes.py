"""
Paths of this server's own, beside those of Microsoft.Relay: who is connected, how to
end that, and tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from hybridconn.core.live import Counts, LiveListener, LiveTunnel, order
from hybridconn.core.names import fold
from hybridconn.core.resources import ConnectionResource, Key, NamespaceResource
from hybridconn.management import live_schemas as shapes
from hybridconn.management.about import About
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.errors import not_found, of_parent
from hybridconn.management.ids import connection_id, namespace_id
from hybridconn.management.live_operations import (
    Tokens,
    show_counts,
    show_listener,
    show_tunnel,
)
from hybridconn.management.paging import PAGE, decode
from hybridconn.management.relay_operations import RelayOperations
from hybridconn.management.routing import Route, route
from hybridconn.management.server import Server, time_text

_PROVIDER = "/subscriptions/{sub}/providers/Microsoft.Relay"
_NS = (
    "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Relay/namespaces/{ns}"
)
_HC = _NS + "/hybridConnections/{hc}"


class LiveRoutes:
    """
    @param server: what the operations run on.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._live = server.live

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield from self._of_status()
        yield from self._of_listeners()
        yield from self._of_tunnels()
        for base, kind, what in (
            (_NS, "Namespaces", "all of a namespace"),
            (_HC, "HybridConnections", "a hybrid connection"),
        ):
            about = About(
                f"{kind}CreateToken",
                f"Make a SAS token for {what}",
                shapes.TOKEN,
                shapes.TOKEN_ASKED,
            )
            path = base + "/createToken"
            yield route("POST", path, self._token, changes=False, about=about)

    def _of_status(self) -> Iterator[Route]:
        about = About(
            "StatusGet", "Show what goes on at the relay", shapes.RELAY_STATUS
        )
        yield route("GET", _PROVIDER + "/status", self._all, about=about)
        shown = shapes.STATUS
        about = About(
            "StatusListByNamespace", "Show it namespace by namespace", shown, paged=True
        )
        path = _PROVIDER + "/status/namespaces"
        yield route("GET", path, self._by_namespace, about=about)
        about = About("NamespacesGetStatus", "Show what goes on at a namespace", shown)
        yield route("GET", _NS + "/status", self._namespace, about=about)
        about = About(
            "NamespacesListStatusByHybridConnection",
            "Show it hybrid connection by hybrid connection",
            shown,
            paged=True,
        )
        path = _NS + "/status/hybridConnections"
        yield route("GET", path, self._by_connection, about=about)
        about = About(
            "HybridConnectionsGetStatus",
            "Show what goes on at a hybrid connection",
            shown,
        )
        yield route("GET", _HC + "/status", self._connection, about=about)

    def _of_listeners(self) -> Iterator[Route]:
        shown = shapes.LISTENER
        about = About("ListenersList", "List who listens now", shown, paged=True)
        yield route("GET", _HC + "/listeners", self._listeners, about=about)
        about = About("ListenersGet", "Show a listener", shown)
        path = _HC + "/listeners/{id}"
        yield route("GET", path, self._listener, about=about)
        # Nothing changes in the store, nor waits for it.
        about = About("ListenersDelete", "End a listener's channel; it may come back")
        yield route("DELETE", path, self._close_listener, changes=False, about=about)
        about = About(
            "ListenersDrain",
            "Give a listener nothing new until it comes back on another channel",
            shown,
        )
        drain, undrain = path + "/drain", path + "/undrain"
        yield route("POST", drain, self._drain, changes=False, about=about)
        about = About("ListenersUndrain", "Give a listener new senders again", shown)
        yield route("POST", undrain, self._undrain, changes=False, about=about)

    def _of_tunnels(self) -> Iterator[Route]:
        shown = shapes.TUNNEL
        about = About(
            "TunnelsList",
            "List tunnels and HTTP requests that are open",
            shown,
            paged=True,
        )
        yield route("GET", _HC + "/tunnels", self._tunnels, about=about)
        about = About("TunnelsGet", "Show a tunnel or HTTP request", shown)
        path = _HC + "/tunnels/{id}"
        yield route("GET", path, self._tunnel, about=about)
        about = About("TunnelsDelete", "End a tunnel or HTTP request")
        yield route("DELETE", path, self._close_tunnel, changes=False, about=about)

    # --- how much ---

    def _known(self, call: Call) -> dict[Key, NamespaceResource]:
        return {
            one.key: one
            for one in call.draft.below(NamespaceResource, ())
            if fold(one.subscription) == fold(call["sub"])
        }

    async def _all(self, call: Call) -> Result:
        """What goes on at the whole relay, and since when that runs."""
        known = self._known(call)
        connections = sum(call.draft.count(ConnectionResource, key) for key in known)
        sums = await self._live.sums()
        total = sum((sums.get(key[0], Counts()) for key in known), Counts())
        place = f"/subscriptions/{call['sub']}/providers/Microsoft.Relay"
        shown = show_counts(place, "relay", total)
        shown["properties"] |= {
            "runningSince": time_text(self._live.since),
            "namespaces": len(known),
            "hybridConnections": connections,
        }
        return Result(200, shown)

    async def _by_namespace(self, call: Call) -> Result:
        """What goes on at each namespace."""
        known = self._known(call)
        sums = await self._live.sums()

        def show(key: Key) -> Json:
            one = known[key]
            counts = sums.get(key[0], Counts())
            return show_counts(namespace_id(one), one.name, counts)

        return call.page(sorted(known), show)

    def _at(self, call: Call) -> tuple[RelayOperations, NamespaceResource]:
        operations = RelayOperations(self._server, call.draft)
        find = operations.namespace
        return operations, of_parent(lambda: find(call["sub"], call["rg"], call["ns"]))

    async def _namespace(self, call: Call) -> Result:
        """What goes on at a namespace."""
        _, one = self._at(call)
        counts = (await self._live.sums()).get(one.key[0], Counts())
        return Result(200, show_counts(namespace_id(one), one.name, counts))

    async def _by_connection(self, call: Call) -> Result:
        """What goes on at each hybrid connection of a namespace."""
        _, one = self._at(call)
        wanted: list[ConnectionResource] = []

        def note(key: Key) -> Json:
            it = call.draft.get(ConnectionResource, key)
            assert it is not None
            wanted.append(it)
            return {}

        page = call.page(call.draft.keys(ConnectionResource, one.key), note)
        counts = await self._live.counts([it.key for it in wanted])
        assert page.value is not None
        page.value["value"] = [
            show_counts(connection_id(one, it.path), it.path, found)
            for it, found in zip(wanted, counts, strict=True)
        ]
        return page

    async def _connection(self, call: Call) -> Result:
        """What goes on at a hybrid connection."""
        one, it = self._one(call)
        (counts,) = await self._live.counts([it.key])
        return Result(200, show_counts(connection_id(one, it.path), it.path, counts))

    # --- who ---

    def _one(self, call: Call) -> tuple[NamespaceResource, ConnectionResource]:
        operations, one = self._at(call)
        return one, of_parent(lambda: operations.connection(one, call["hc"]))

    async def _listeners(self, call: Call) -> Result:
        """The listeners that are connected to a hybrid connection."""
        one, it = self._one(call)
        place = connection_id(one, it.path)
        every = await self._live.listeners(it.key)
        found: dict[Key, LiveListener] = {(order(each.id),): each for each in every}
        return call.page(sorted(found), lambda key: show_listener(place, found[key]))

    async def _listener(self, call: Call) -> Result:
        """One listener."""
        one, it = self._one(call)
        for found in await self._live.listeners(it.key):
            if found.id == call["id"]:
                return Result(200, show_listener(connection_id(one, it.path), found))
        raise not_found(f"The listener '{call['id']}'")

    async def _drain(self, call: Call) -> Result:
        """Give a listener nothing new; what runs through it goes on."""
        return await self._set_draining(call, True)

    async def _undrain(self, call: Call) -> Result:
        """Give it new senders and HTTP requests again."""
        return await self._set_draining(call, False)

    async def _set_draining(self, call: Call, on: bool) -> Result:
        _, it = self._one(call)
        await self._live.drain_listener(it.key, call["id"], on)
        return await self._listener(call)

    async def _close_listener(self, call: Call) -> Result:
        """End a listener's control channel; it may come back."""
        _, it = self._one(call)
        if not await self._live.close_listener(it.key, call["id"]):
            raise not_found(f"The listener '{call['id']}'")
        return Result(200)

    async def _tunnels(self, call: Call) -> Result:
        """The tunnels and HTTP requests that are open at a hybrid connection."""
        one, it = self._one(call)
        place = connection_id(one, it.path)
        marker = call.query.get("$skiptoken")
        after = "" if marker is None else decode(marker)[0]
        # One more than a page has, which tells whether there is another page.
        every = await self._live.tunnels(it.key, after, PAGE + 1)
        found: dict[Key, LiveTunnel] = {(order(each.id),): each for each in every}
        return call.page(sorted(found), lambda key: show_tunnel(place, found[key]))

    async def _tunnel(self, call: Call) -> Result:
        """One tunnel or HTTP request."""
        one, it = self._one(call)
        found = await self._live.tunnel(it.key, call["id"])
        if found is None:
            raise not_found(f"The tunnel '{call['id']}'")
        return Result(200, show_tunnel(connection_id(one, it.path), found))

    async def _close_tunnel(self, call: Call) -> Result:
        """End a tunnel or HTTP request."""
        _, it = self._one(call)
        if not await self._live.close_tunnel(it.key, call["id"]):
            raise not_found(f"The tunnel '{call['id']}'")
        return Result(200)

    # --- tokens ---

    def _token(self, call: Call) -> Result:
        """Make a SAS token for a namespace or a hybrid connection."""
        operations, one = self._at(call)
        it = self._one(call)[1] if "hc" in call.values else None
        return Result(200, Tokens(self._server, operations).make(one, it, call.body))
