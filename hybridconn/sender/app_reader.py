"""Asking the management API which hybrid connections an app uses (its section 8)."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed, ConnectionLost
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from hybridconn.config.addresses import HostPort
from hybridconn.config.app import AppSettings
from hybridconn.config.mistakes import Mistake
from hybridconn.config.redirects import Redirect, parse_redirected
from hybridconn.config.sender import SenderConfig
from hybridconn.core.connection_string import ConnectionString, ConnectionStringError
from hybridconn.core.names import fold
from hybridconn.core.text import printable
from hybridconn.interfaces import IDialer
from hybridconn.web.agents import pooled_agent
from hybridconn.web.short_body import short_body
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.words import explain, is_surprise

_VERSION: Final = "2021-11-01"
_PATIENCE: Final = 20.0
_MOST_BYTES: Final = 4 * 1024 * 1024
_MOST_PAGES: Final = 100
#: No plan comes near it.
_MOST_LISTED: Final = 10_000
_MOST_WORDS: Final = 300


class AppUnknown(Exception):
    """The app's connections cannot be read; the text says why."""


@frozen
class AppConnections:
    """
    What an app uses.

    @ivar served: in the order of the management API.
    @ivar refused: what the plan's limit leaves out, by names.
    @ivar limit: in words: the plan, the count and the limit, if it is passed.
    @ivar trouble: what else is left out, and why.
    """

    served: tuple[Redirect, ...] = ()
    refused: tuple[str, ...] = ()
    limit: str = ""
    trouble: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that is not as it should be, a sentence each."""
        refused = tuple(f"{one} is not served: {self.limit}" for one in self.refused)
        return (*refused, *self.trouble)


@frozen
class _Key:
    etag: str
    name: str
    value: str = field(repr=False)


def reader_for(config: SenderConfig, dialer: IDialer, reactor: Any) -> AppReader:
    """What reads the app that a sender's configuration names."""
    agent = pooled_agent(reactor, dialer, False)
    return AppReader(config.app, agent, reactor, not config.insecure)


class AppReader:
    """
    @param agent: the way to the management API; it verifies its certificate.
    @param reactor: the clock.
    @param secure: whether tunnels use TLS.
    """

    def __init__(
        self, settings: AppSettings, agent: IAgent, reactor: Any, secure: bool = True
    ) -> None:
        self._settings = settings
        self._clock = reactor
        self._secure = secure
        self._agent = agent
        self._keys: dict[tuple[str, str], _Key] = {}

    def read(self) -> Deferred[AppConnections]:
        """
        @return: fails with L{AppUnknown}.
        """
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> AppConnections:
        try:
            return await self._collect()
        except (KeyError, TypeError, ValueError, AttributeError):
            raise AppUnknown(
                "the management API's answer is not of the expected form"
            ) from None

    async def _collect(self) -> AppConnections:
        place = self._settings.place
        site = await self._call("GET", place.partition("/slots/")[0])
        plan_place = _path(site["properties"]["serverFarmId"])
        own = await self._every(f"{place}/hybridConnectionRelays")
        if not own:
            return AppConnections()
        used = await self._every(f"{plan_place}/hybridConnectionRelays")
        plan = await self._call("GET", plan_place)
        shown = await self._call(
            "GET", f"{plan_place}/hybridConnectionPlanLimits/limit"
        )
        most = shown["properties"]["maximum"]
        if type(most) is not int or most < 0:
            raise ValueError
        # By name, so that all senders of the plan's apps leave out the same ones.
        order = sorted({_pair(one) for one in used})
        etags = {_pair(one): str(one.get("etag", "")) for one in used}
        allowed = set(order[:most])
        served, refused, trouble = [], [], []
        hosts: dict[str, HostPort] = {}
        for one in own:
            pair, name = _pair(one), _name(one)
            if pair not in allowed:
                refused.append(name)
                continue
            try:
                endpoint = _endpoint(one)
                relay = await self._relay(one, hosts)
                key = await self._key(plan_place, one, etags.get(pair, ""))
                served.append(Redirect(self._connection(one, relay, key), endpoint))
            except (ValueError, ConnectionStringError) as error:
                trouble.append(f"{name} is not served: {error}")
        limit = (
            f"the plan {printable(str(plan['name']))} "
            f"({printable(str(plan['sku']['tier']))}) uses {len(order)} hybrid "
            f"connections, and its limit is {most}"
        )
        return AppConnections(
            tuple(served), tuple(refused), limit if refused else "", tuple(trouble)
        )

    def _connection(self, one: Any, relay: HostPort, key: _Key) -> ConnectionString:
        text = (
            f"Endpoint=sb://{relay}/;SharedAccessKeyName={key.name};"
            f"SharedAccessKey={key.value};EntityPath={one['properties']['relayName']}"
        )
        connection = ConnectionString.parse(text)
        return evolve(connection, secure=self._secure)

    async def _relay(self, one: Any, known: dict[str, HostPort]) -> HostPort:
        if self._settings.relay is not None:
            return self._settings.relay
        namespace = _path(one["properties"]["relayArmUri"])
        namespace = namespace[: namespace.lower().index("/hybridconnections/")]
        if namespace not in known:
            shown = await self._call("GET", namespace)
            text = shown["properties"]["serviceBusEndpoint"]
            found = ConnectionString.parse(f"Endpoint=sb://{text.partition('://')[2]}")
            known[namespace] = HostPort(found.host, found.port)
        return known[namespace]

    async def _key(self, plan: str, one: Any, etag: str) -> _Key:
        # Asked for only when it is another one: each time stands in the audit.
        pair, known = _pair(one), self._keys.get(_pair(one))
        if known is not None and etag and known.etag == etag:
            return known
        said = one["properties"]
        namespace = quote(said["serviceBusNamespace"], safe="")
        path = quote(said["relayName"], safe="")
        place = f"{plan}/hybridConnectionNamespaces/{namespace}/relays/{path}"
        shown = (await self._call("POST", f"{place}/listKeys"))["properties"]
        found = _Key(etag, shown["sendKeyName"], shown["sendKeyValue"])
        self._keys[pair] = found
        return found

    async def _every(self, path: str) -> list[Any]:
        found: list[Any] = []
        for _ in range(_MOST_PAGES):
            page = await self._call("GET", path)
            found += page["value"]
            if len(found) > _MOST_LISTED:
                raise AppUnknown("the management API's list is too long")
            link = str(page.get("nextLink") or "")
            if not link:
                return found
            # Only the path: what another host says must not get the token.
            path = "/" + link.partition("://")[2].partition("/")[2]
        raise AppUnknown("the management API's list has no end")

    async def _call(self, method: str, path: str) -> Any:
        try:
            token = self._settings.credential.read()
        except Mistake as mistake:
            raise AppUnknown(f"its token cannot be read: {mistake.text}") from None
        if "?" not in path:
            path = f"{path}?api-version={_VERSION}"
        url = f"{self._settings.management}{path}".encode("ascii")
        headers = Headers({"Authorization": [f"Bearer {token}"]})
        asked = Deferred.fromCoroutine(self._ask(method, url, headers))
        try:
            status, value = await with_timeout(asked, self._clock, _PATIENCE)
        except AppUnknown:
            raise
        except Exception as error:
            raise _unreachable(self._settings.management, error) from None
        if status == 200:
            return value
        raise AppUnknown(_refusal(status, value))

    async def _ask(self, method: str, url: bytes, headers: Headers) -> tuple[int, Any]:
        response = await self._agent.request(method.encode(), url, headers)
        return await _answer_of(response)


async def _answer_of(response: IResponse) -> tuple[int, Any]:
    body = await short_body(
        response,
        _MOST_BYTES,
        AppUnknown("the management API's answer is longer than 4 MiB"),
        AppUnknown("the management API's answer broke off"),
    )
    try:
        return response.code, json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise AppUnknown(
            f"the management API answered {response.code}, and no JSON"
        ) from None


def _unreachable(where: str, error: Exception) -> Exception:
    failure = Failure(error)
    if isinstance(error, ResponseFailed):
        failure = error.reasons[0]
        if failure.check(ConnectionClosed, ConnectionLost) or is_surprise(failure):
            return AppUnknown(f"{where}: the answer broke off")
    if is_surprise(failure):
        return error
    return AppUnknown(f"{where} cannot be reached: {explain(failure)}")


def _refusal(status: int, value: Any) -> str:
    said = value.get("error") if isinstance(value, dict) else None
    words = said.get("message") if isinstance(said, dict) else None
    text = printable(str(words or "it says nothing more"))[:_MOST_WORDS]
    mend = {
        401: "; look at the token",
        403: "; the token needs the role sender",
        404: "; look at the app's name, resource group and subscription",
    }.get(status, "")
    return f"the management API answered {status}: {text.rstrip('.')}{mend}"


def _path(text: Any) -> str:
    if not isinstance(text, str) or not text.startswith("/subscriptions/"):
        raise ValueError("it is no resource id")
    return quote(text, safe="/%")


def _pair(one: Any) -> tuple[str, str]:
    said = one["properties"]
    return fold(said["serviceBusNamespace"]), fold(said["relayName"])


def _name(one: Any) -> str:
    said = one["properties"]
    return printable(f"{said['serviceBusNamespace']}/{said['relayName']}")


def _endpoint(one: Any) -> HostPort:
    text = f"{one['properties']['hostname']}:{one['properties']['port']}"
    try:
        return parse_redirected(text)
    except ValueError as error:
        raise ValueError(f"{printable(text)} cannot be redirected: {error}") from None
