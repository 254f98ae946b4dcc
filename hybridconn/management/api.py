"""The management API as a handler of HTTP requests (management-api sections 1 to 5)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.names import fold
from hybridconn.core.text import printable
from hybridconn.interfaces import IHeldRequest, IRequestHandler
from hybridconn.management.bodies import Body
from hybridconn.management.book import ResourceBook
from hybridconn.management.calls import Call, Result
from hybridconn.management.errors import ApiError, bad_request
from hybridconn.management.registry import Draft
from hybridconn.management.routing import Route, Router
from hybridconn.management.server import Server
from hybridconn.management.tokens import Role, StaticToken, StaticTokens
from hybridconn.web.gathering import gather_body

#: Bytes of a request's body.
MOST_BODY: Final = 1024 * 1024
_VERSION: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:-preview)?")


@implementer(IRequestHandler)
class ManagementApi:
    """
    @param book: what is managed.
    @param tokens: who may.
    @param new_guid: for request ids.
    """

    log = Logger()

    def __init__(
        self,
        book: ResourceBook,
        server: Server,
        tokens: StaticTokens,
        routes: Iterable[Route],
        new_guid: Callable[[], UUID | str],
    ) -> None:
        self._book = book
        self._tokens = tokens
        self._subscriptions = frozenset(map(fold, server.subscriptions))
        self._router = Router(routes)
        self._new_guid = new_guid

    def handle(self, request: IHeldRequest) -> None:
        """See L{IRequestHandler.handle <hybridconn.interfaces>}."""
        token = None
        try:
            # Before everything else: what there is is nobody's business.
            token = self._tokens.authenticate(request.head.get("Authorization"))
            request.authenticated()
            route, values, query = self._find(request, token)
        except ApiError as error:
            self._answer_error(request, token, error)
            return
        gather_body(
            request,
            MOST_BODY,
            lambda data: self._run(request, token, route, values, query, data),
            lambda: self._answer_error(
                request,
                token,
                bad_request(f"The body has more than {MOST_BODY} bytes."),
            ),
        )

    def _find(
        self, request: IHeldRequest, token: StaticToken
    ) -> tuple[Route, dict[str, str], dict[str, str]]:
        path, _, raw_query = request.head.target.partition("?")
        query: dict[str, str] = {}
        for name, value in parse_qsl(raw_query, keep_blank_values=True):
            query.setdefault(name.lower(), value)
        route, values = self._router.find(request.head.method, path)
        version = query.get("api-version") if route.versioned else "0000-00-00"
        if not version:
            raise bad_request(
                "The query parameter 'api-version' is missing.",
                "MissingApiVersionParameter",
            )
        if not _VERSION.fullmatch(version):
            raise bad_request(
                "The query parameter 'api-version' is wrong: use YYYY-MM-DD.",
                "InvalidApiVersionParameter",
            )
        subscription = values.get("sub")
        if subscription is not None and fold(subscription) not in self._subscriptions:
            raise ApiError(
                404,
                "SubscriptionNotFound",
                f"The subscription '{subscription[:64]}' was not found.",
            )
        if token.role is not Role.ADMIN and route.method != "GET":
            raise ApiError(
                403,
                "AuthorizationFailed",
                f"The role {token.role.value} may not do this.",
            )
        return route, values, query

    def _run(
        self,
        request: IHeldRequest,
        token: StaticToken,
        route: Route,
        values: dict[str, str],
        query: dict[str, str],
        data: bytes,
    ) -> None:
        path = request.head.target.partition("?")[0]
        url = f"https://{request.head.authority}{path}"

        def operate(draft: Draft) -> Result:
            body = Body.parse(data)
            made: Result = route.operation(Call(values, query, url, body, draft))
            return made

        done: Deferred[Any] = (
            self._book.change(operate)
            if route.changes
            else maybeDeferred(operate, self._book.read())
        )

        def answer(result: Result) -> None:
            self._send(request, token, result)

        def fail(failure: Failure) -> None:
            error = failure.value
            if not isinstance(error, ApiError):
                self.log.failure("{method} failed", failure, method=route.method)
                error = ApiError(
                    500, "InternalServerError", "It failed here; see logs."
                )
            self._answer_error(request, token, error)

        done.addCallbacks(answer, fail)

    def _answer_error(
        self, request: IHeldRequest, token: StaticToken | None, error: ApiError
    ) -> None:
        value = {"error": {"code": error.code, "message": error.message, "details": []}}
        self._send(request, token, Result(error.status, value), error.headers)

    def _send(
        self,
        request: IHeldRequest,
        token: StaticToken | None,
        result: Result,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        guid = str(self._new_guid())
        # The path names things; a query or a body could hold a secret.
        self.log.info(
            "audit: {who} from {address}: {method} {path}: {status}, {request_id}",
            who="nobody" if token is None else token.name,
            address=request.peer.host,
            method=request.head.method[:16],
            path=printable(request.head.target.partition("?")[0]),
            status=result.status,
            request_id=guid,
        )
        fields = [("x-ms-request-id", guid), *headers]
        wanted = request.head.get("x-ms-return-client-request-id") or ""
        given = request.head.get("x-ms-client-request-id")
        if given and fold(wanted) == "true":
            fields.append(("x-ms-client-request-id", given))
        body = result.text
        if result.value is not None:
            body = json.dumps(result.value).encode("utf-8")
        if body:
            fields.append(("Content-Type", result.kind))
        request.answer(result.status, "", fields, body)
