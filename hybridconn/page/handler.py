"""
An admin port as a handler of HTTP requests (docs/hcm-api.md).

What it answers is a list of L{Route <hybridconn.management.routing.Route>}s whose
operations take a L{Call} and give an L{Answer}, a Deferred of one, or L{None} if they
answer C{call.request} themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from attrs import field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.http import split_authority
from hybridconn.core.text import printable
from hybridconn.interfaces import IHeldRequest, IRequestHandler
from hybridconn.management.bodies import Body
from hybridconn.management.errors import ApiError, bad_request
from hybridconn.management.routing import Route, Router
from hybridconn.page.errors import CannotDo
from hybridconn.web.gathering import gather_body

#: Bytes of a request's body.
MOST_BODY: Final = 64 * 1024
#: By which a browser may call a loopback port; any other name is somebody's trick to
#: have a page of his talk to it.
_OWN_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

BY_TOKEN: Final = (
    "The token is missing or wrong: Authorization: Bearer TOKEN, with what the token "
    "file of [admin] holds."
)
BY_LINK: Final = "Only the page may call this port: sign in there by a link."

Headers = tuple[tuple[str, str], ...]
#: Says who a request is from; L{None}: it cannot tell.
Authenticator = Callable[[IHeldRequest], str | None]


@frozen
class Call:
    """
    @ivar request: to be answered by the operation itself, if it gives L{None}.
    @ivar values: what stood in the path in the place of names.
    @ivar query: decoded, the first of each name.
    @ivar who: as the authenticator said.
    """

    request: IHeldRequest
    values: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = field(repr=False)
    who: str = ""

    def json(self) -> Body:
        """
        The body as a JSON object.

        @raise ApiError: 400, it is none.
        """
        return Body.parse(self.body)

    def number(self, name: str, usual: int, most: int) -> int:
        """
        A whole number in the query.

        @raise ApiError: 400, it is none, or too large.
        """
        text = self.query.get(name)
        if text is None:
            return usual
        if not (text.isascii() and text.isdigit() and int(text[:9]) <= most):
            raise bad_request(f"'{name}' is wrong: use a number up to {most}.")
        return int(text[:9])


@frozen
class Answer:
    """
    @ivar value: JSON; L{None}: C{body} it is.
    """

    value: Any = None
    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    kind: str = "application/json; charset=utf-8"


@implementer(IRequestHandler)
class AdminApi:
    """
    @param routes: what it answers to those who may.
    @param open_routes: what it answers to everybody who reaches the port.
    @param authenticators: tried in order.
    @param local: it is on a UNIX socket, where no browser gets.
    @param way_in: what is told to whoever is not known.
    """

    log = Logger()

    def __init__(
        self,
        routes: Iterable[Route],
        open_routes: Iterable[Route],
        authenticators: Iterable[Authenticator],
        local: bool,
        way_in: str = BY_TOKEN,
    ) -> None:
        self._router = Router(routes)
        self._open = Router(open_routes)
        self._authenticators = tuple(authenticators)
        self._local = local
        self._way_in = way_in

    def handle(self, request: IHeldRequest) -> None:
        """See L{IRequestHandler.handle <hybridconn.interfaces>}."""
        try:
            who, route, values = self._find(request)
        except ApiError as error:
            self._refuse(request, error)
            return
        pairs = parse_qsl(request.head.target.partition("?")[2], keep_blank_values=True)
        query = dict(reversed(pairs))
        gather_body(
            request,
            MOST_BODY,
            lambda data: self._run(route, Call(request, values, query, data, who)),
            lambda: self._refuse(
                request, bad_request(f"The body has more than {MOST_BODY} bytes.")
            ),
        )

    def _find(self, request: IHeldRequest) -> tuple[str, Route, dict[str, str]]:
        method = request.head.method
        path = request.head.target.partition("?")[0]
        if not self._local:
            _check_host(request)
        try:
            route, values = self._open.find(method, path)
        except ApiError:
            who = self._authenticate(request)
            request.authenticated()
            return (who, *self._router.find(method, path))
        return "", route, values

    def _authenticate(self, request: IHeldRequest) -> str:
        for authenticator in self._authenticators:
            who = authenticator(request)
            if who is not None:
                return who
        raise ApiError(
            401,
            "AuthenticationFailed",
            self._way_in,
            (("WWW-Authenticate", "Bearer"),),
        )

    def _run(self, route: Route, call: Call) -> None:
        done: Deferred[Any] = maybeDeferred(route.operation, call)

        def answer(result: Answer | None) -> None:
            if route.changes:
                self._audit(call, 200 if result is None else result.status)
            if result is not None:
                send(call.request, result)

        def fail(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, CannotDo):
                error = ApiError(error.status, error.code, str(error))
            elif not isinstance(error, ApiError):
                self.log.failure("{method} failed", failure, method=route.method)
                error = ApiError(
                    500, "InternalServerError", "It failed here; see the log."
                )
            if route.changes:
                self._audit(call, error.status)
            self._refuse(call.request, error)

        done.addCallback(answer).addErrback(fail)

    def _audit(self, call: Call, status: int) -> None:
        head = call.request.head
        # The path names things; a query or a body could hold a secret.
        self.log.info(
            "audit: {who}: {method} {path}: {status}",
            who=call.who or "nobody",
            method=head.method[:16],
            path=printable(head.target.partition("?")[0]),
            status=status,
        )

    def _refuse(self, request: IHeldRequest, error: ApiError) -> None:
        value = {"error": {"code": error.code, "message": error.message}}
        send(request, Answer(value, error.status, error.headers))


def send(request: IHeldRequest, answer: Answer) -> None:
    """Give C{answer} to a request."""
    body = answer.body
    if answer.value is not None:
        body = json.dumps(answer.value).encode("utf-8")
    fields = [("X-Content-Type-Options", "nosniff"), *answer.headers]
    if not any(name == "Cache-Control" for name, _ in answer.headers):
        fields.insert(0, ("Cache-Control", "no-store"))
    if body:
        fields.insert(0, ("Content-Type", answer.kind))
    request.answer(answer.status, "", fields, body)


def _check_host(request: IHeldRequest) -> None:
    """
    @raise ApiError: 403, the request was made for another name than this machine's.
    """
    try:
        host, _ = split_authority(request.head.authority)
    except ValueError:
        host = ""
    if host not in _OWN_NAMES:
        raise ApiError(
            403, "WrongHost", "Call this port by 127.0.0.1, ::1 or localhost."
        )
