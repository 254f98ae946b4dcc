"""HTTP requests to a hybrid connection, as Twisted's clients make them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, fail
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Secret
from hybridconn.core.relay_url import http_url
from hybridconn.core.route import TOKEN_HEADER
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer
from hybridconn.web.agents import pooled_agent

#: At this share of its life a token is replaced.
_RENEW_AT = 0.8


@implementer(IAgent)
class HybridConnectionAgent:
    """
    Reaches one hybrid connection; a SAS token is added to each request.  Anything
    that takes an agent of Twisted's, such as treq, works with it.

    >>> agent = HybridConnectionAgent("Endpoint=sb://…")  # doctest: +SKIP
    >>> agent.request(b"GET", agent.url("/status").encode())  # doctest: +SKIP

    The token goes to this hybrid connection only: a request to any other address
    fails with L{ValueError} and is not sent.

    @ivar base: the address of the hybrid connection, without a slash at its end.
    @param connection_string: with a hybrid connection; without key or token for one
        that needs none.
    @param reactor: the global one if L{None}.
    @param ca_files: PEM files with further authorities, for the relay.
    @param dialer: the way to the relay, in place of C{ca_files}.
    @param token_lifetime: seconds.
    @param wall: seconds since 1970-01-01 UTC.
    @raise ConnectionStringError: C{connection_string} is none.
    """

    def __init__(
        self,
        connection_string: str | ConnectionString,
        reactor: Any = None,
        *,
        ca_files: tuple[str, ...] = (),
        dialer: IDialer | None = None,
        token_lifetime: float = 3600.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        if isinstance(connection_string, str):
            connection_string = ConnectionString.parse(connection_string)
        self.base = http_url(connection_string)
        self._connection = connection_string
        self._agent = pooled_agent(reactor, dialer or ReactorDialer(reactor, ca_files))
        self._lifetime = token_lifetime
        self._wall = wall
        self._token: Secret | None = None
        self._renew_at = 0.0

    def url(self, target: str = "") -> str:
        """
        The address of something behind the hybrid connection.

        @param target: path and query, percent-encoded; with a slash in front if it
            is not empty.
        """
        return self.base + target

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        See L{IAgent.request} (Twisted).

        @param uri: L{url}, or anything below it.
        """
        if not self._is_below(uri):
            return fail(ValueError(f"the agent reaches only what is below {self.base}"))
        fields = Headers() if headers is None else headers.copy()
        token = self._fresh_token()
        if token is not None:
            fields.setRawHeaders(TOKEN_HEADER, [token.reveal()])
        asked: Deferred[IResponse] = self._agent.request(
            method, uri, fields, bodyProducer
        )
        return asked

    def _is_below(self, uri: bytes) -> bool:
        try:
            asked = urlsplit(uri.decode("ascii"))
            mine = urlsplit(self.base)
            same = (asked.scheme, asked.hostname, _port(asked)) == (
                mine.scheme,
                mine.hostname,
                _port(mine),
            )
        except ValueError:
            return False
        path = asked.path.lower() + "/"
        return same and path.startswith(mine.path.lower() + "/") and not asked.username

    def _fresh_token(self) -> Secret | None:
        now = self._wall()
        if now >= self._renew_at:
            self._token = self._connection.token(int(now + self._lifetime) + 1)
            self._renew_at = now + self._lifetime * _RENEW_AT
        return self._token


def _port(parts: Any) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
