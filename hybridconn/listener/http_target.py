"""An HTTP service as the target of a listener: a reverse proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web._newclient import ParseError
from twisted.web.client import RequestGenerationFailed
from twisted.web.iweb import IAgent
from zope.interface import implementer

from hybridconn.core.headers import RULE_HEADER
from hybridconn.core.http import RequestHead
from hybridconn.core.http_url import HttpUrl
from hybridconn.core.refusals import ListenerFailed, Refusal, TargetTimedOut
from hybridconn.interfaces import IDialer, IRequestResponder, IServerRequest
from hybridconn.listener.trouble import target_trouble
from hybridconn.web.agents import pooled_agent
from hybridconn.web.proxy import Passage, cause_of, is_timeout
from hybridconn.websocket.words import is_surprise

Fields = list[tuple[str, str]]

#: What the listener says itself; and what no relay may have it say, for another
#: maker's lets a sender's own word of it pass.
_OURS = frozenset(
    {
        RULE_HEADER.lower(),
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-forwarded-proto",
    }
)


@frozen(kw_only=True)
class HttpSettings:
    """
    How a target is told of requests.

    @ivar host: for the C{Host} field; L{None} leaves the sender's, C{""} puts the
        target's own.
    @ivar keep_path: leave the hybrid connection's path in front of the request's.
    @ivar timeout: seconds for reaching the target.
    @ivar response_timeout: seconds for its response to begin.
    """

    host: str | None = None
    keep_path: bool = False
    timeout: float = 10.0
    response_timeout: float = 60.0


def split_entity(target: str, entity: str) -> tuple[str, str]:
    """
    Part the path of a hybrid connection from what is behind it.

    >>> split_entity("/Hyco/a%2Fb?x=1", "hyco")
    ('/Hyco', '/a%2Fb?x=1')

    @param target: path and query, which begin with the hybrid connection's path.
    """
    path, question, query = target.partition("?")
    segments = path.split("/")
    count = entity.count("/") + 2
    front, rest = segments[:count], segments[count:]
    return "/".join(front), "/" + "/".join(rest) + question + query


def forwarded(
    headers: Iterable[tuple[str, str]],
    peer: str,
    prefix: str,
    url: HttpUrl,
    settings: HttpSettings,
) -> Fields:
    """
    The header fields of a request, or of a WebSocket's, as the target gets them.

    @param headers: as they came from the relay.
    @param peer: the sender's IP address.
    @param prefix: the part of the sender's path that the target does not see.
    @param url: the target.
    """
    head = RequestHead("GET", "/", headers=headers)
    fields = [
        (name, value) for name, value in head.headers if name.lower() not in _OURS
    ]
    own = head.authority if settings.host is None else settings.host
    fields.append(("Host", own or url.authority))
    through = head.get_all("x-forwarded-for")
    fields.append(("X-Forwarded-For", ", ".join([*through, peer])))
    fields.append(("X-Forwarded-Proto", "https"))
    if head.authority:
        fields.append(("X-Forwarded-Host", head.authority))
    if prefix:
        fields.append(("X-Forwarded-Prefix", prefix))
    return fields


@frozen
class _Mapping:
    """
    The two faces of one request's address.

    @ivar prefix: the part of the sender's path that the target does not see.
    @ivar target: what the target sees.
    @ivar path: what the target's own URL has in front of that.
    @ivar origins: how the target may call itself.
    """

    prefix: str
    target: str
    path: str
    origins: tuple[str, ...]

    @classmethod
    def of(cls, head: RequestHead, entity: str, url: HttpUrl, keep: bool) -> _Mapping:
        prefix, rest = ("", head.target) if keep else split_entity(head.target, entity)
        by_host = (f"https://{head.authority}", f"http://{head.authority}")
        return cls(prefix, url.path + rest, url.path, (url.origin, *by_host))

    def amend(self, headers: Fields) -> Fields:
        """Have redirections to the target lead through the relay."""
        return [
            (name, self._location(value) if name.lower() == "location" else value)
            for name, value in headers
        ]

    def _location(self, value: str) -> str:
        local = value
        for origin in self.origins:
            rest = value.removeprefix(origin)
            if rest != value and rest[:1] in ("/", ""):
                local = rest or "/"
                break
        if not local.startswith("/") or local.startswith("//"):
            return value
        if self.prefix and (local + "/").startswith(self.prefix + "/"):
            return local  # it knows of the prefix
        if not (local + "/").startswith(self.path + "/"):
            return value
        return (self.prefix + local[len(self.path) :]) or "/"


@implementer(IRequestResponder)
class HttpTarget:
    """
    Passes requests on to an HTTP service.

    @param agent: says what reaches it, for each request.
    @param url: where it is.
    @param entity: the hybrid connection's path.
    """

    log = Logger()

    def __init__(
        self,
        agent: Callable[[IServerRequest], IAgent],
        url: HttpUrl,
        entity: str,
        clock: IReactorTime,
        settings: HttpSettings | None = None,
    ) -> None:
        self._agent = agent
        self._url = url
        self._entity = entity
        self._clock = clock
        self._settings = settings or HttpSettings()

    def respond(self, request: IServerRequest) -> None:
        """See L{IRequestResponder.respond <hybridconn.interfaces>}."""
        mapping = _Mapping.of(
            request.head, self._entity, self._url, self._settings.keep_path
        )
        passage = Passage(
            request,
            self._clock,
            self._settings.response_timeout,
            lambda failure: self._refusal(request, failure),
            mapping.amend,
        )
        passage.begin(
            self._agent(request),
            self._url.origin + mapping.target,
            forwarded(
                request.head.headers,
                request.peer.host,
                mapping.prefix,
                self._url,
                self._settings,
            ),
        )

    def _refusal(self, request: IServerRequest, failure: Failure) -> Refusal:
        refusal = self._explain(failure)
        self.log.info(
            "{entity}: no answer for {peer.host}:{peer.port}: {status} {reason},"
            " tracking id {tracking_id}",
            entity=self._entity,
            peer=request.peer,
            status=refusal.status,
            reason=refusal.sentence,
            tracking_id=str(request.tracking),
        )
        return refusal

    def _explain(self, failure: Failure) -> Refusal:
        target = str(self._url)
        if is_timeout(failure):
            return TargetTimedOut(
                f"The target {target} did not respond in time: "
                f"{self._settings.response_timeout:g} s"
            )
        if failure.check(RequestGenerationFailed):
            return ListenerFailed("The request broke off")
        failure = cause_of(failure)
        if failure.check(ParseError):
            return ListenerFailed(f"The target {target} did not respond as HTTP")
        if is_surprise(failure):
            self.log.failure("{entity}: a request failed", failure, entity=self._entity)
            return ListenerFailed("The listener failed")
        return ListenerFailed(
            "The " + target_trouble(failure, target, self._settings.timeout)
        )


def service_target(
    reactor: Any, url: HttpUrl, entity: str, dialer: IDialer, settings: HttpSettings
) -> HttpTarget:
    """An HTTP service that is reached by C{dialer}."""
    agent = pooled_agent(reactor, dialer)
    return HttpTarget(lambda request: agent, url, entity, reactor, settings)
