"""The management API as a handler of HTTP requests (management-api sections 1 to 5)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from attrs import define
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.audit import AuditEvent
from hybridconn.core.http import RequestHead, split_authority
from hybridconn.core.names import fold
from hybridconn.core.refusals import Refusal
from hybridconn.core.text import printable, standard_phrase
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import (
    IAudit,
    ICallers,
    IHeldRequest,
    IRequestHandler,
)
from hybridconn.management.bodies import Body
from hybridconn.management.book import ResourceBook
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.errors import REFUSED, ApiError, bad_request, forbidden
from hybridconn.management.registry import Draft
from hybridconn.management.routing import Route, Router
from hybridconn.management.server import Server
from hybridconn.management.tokens import Caller, Role
from hybridconn.web.answers import Headers
from hybridconn.web.gathering import gather_body

#: Bytes of a request's body.
MOST_BODY: Final = 1024 * 1024
_VERSION: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:-preview)?")
_ABSOLUTE: Final = re.compile(r"https?://[^/?]*", re.IGNORECASE)


@define
class _Turn:
    """What is known so far of one call."""

    request: IHeldRequest
    path: str
    raw_query: str
    caller: Caller | None = None
    route: Route | None = None
    values: dict[str, str] | None = None
    query: dict[str, str] | None = None


@implementer(IRequestHandler)
class ManagementApi:
    """
    @param book: what is managed.
    @param callers: who may.
    @param new_guid: for request ids.
    @param audit: is told of every call.
    """

    log = Logger()

    def __init__(
        self,
        book: ResourceBook,
        server: Server,
        callers: ICallers,
        routes: Iterable[Route],
        new_guid: Callable[[], UUID | str],
        audit: IAudit,
    ) -> None:
        self._book = book
        self._callers = callers
        self._public_url = server.public_url
        self._subscriptions = frozenset(map(fold, server.subscriptions))
        self._router = Router(routes)
        self._new_guid = new_guid
        self._audit = audit

    def handle(self, request: IHeldRequest) -> None:
        """See L{IRequestHandler.handle <hybridconn.interfaces>}."""
        target = request.head.target
        absolute = _ABSOLUTE.match(target)
        if absolute is not None:
            target = target[absolute.end() :]
        path, _, raw_query = target.partition("?")
        turn = _Turn(request, path, raw_query)
        # Before everything else: what there is is nobody's business.
        authorization = request.head.get("Authorization")
        authenticate: Callable[..., Any] = self._callers.authenticate
        known: Deferred[Caller] = maybeDeferred(authenticate, authorization)
        known.addCallback(lambda caller: self._admit(turn, caller))
        known.addErrback(lambda failure: self._fail(turn, failure))

    def _admit(self, turn: _Turn, caller: Caller) -> None:
        turn.caller = caller
        request = turn.request
        request.authenticated()
        self._find(turn, caller)
        if (request.body_length or 0) > MOST_BODY:
            raise _too_long()
        gather_body(
            request,
            MOST_BODY,
            lambda data: self._run(turn, data),
            lambda: self._answer_error(turn, _too_long()),
            lambda refusal: self._answer_error(turn, bad_request(f"{refusal}.")),
        )

    def _find(self, turn: _Turn, caller: Caller) -> None:
        method = turn.request.head.method
        query: dict[str, str] = {}
        for name, value in parse_qsl(turn.raw_query, keep_blank_values=True):
            query.setdefault(name.lower(), value)
        turn.query = query
        turn.route, turn.values = self._router.find(method, turn.path)
        if turn.route.versioned:
            _check_version(query.get("api-version"))
        subscription = turn.values.get("sub")
        if subscription is not None and fold(subscription) not in self._subscriptions:
            raise ApiError(
                404,
                "SubscriptionNotFound",
                f"The subscription '{subscription[:64]}' was not found.",
            )
        if caller.role is Role.ADMIN or method == "GET":
            return
        if caller.role is Role.SENDER:
            if not turn.route.send_key:
                raise forbidden(
                    "The role sender may not do this; it may look, and read the send "
                    "keys of plans."
                )
            return
        raise forbidden("The role reader may not do this; it may only look.")

    def _run(self, turn: _Turn, data: bytes) -> None:
        done: Deferred[Any] = maybeDeferred(self._operate, turn, data)

        def answer(result: Result) -> None:
            self._answer(turn, result)

        done.addCallback(answer)
        done.addErrback(lambda failure: self._fail(turn, failure))

    def _operate(self, turn: _Turn, data: bytes) -> Result | Deferred[Result]:
        route, values, query = turn.route, turn.values, turn.query
        assert route is not None and values is not None and query is not None
        url = self._base(turn.request.head) + turn.path
        body = Body.parse(data)

        def operate(draft: Draft) -> Result:
            made: Result = route.operation(Call(values, query, url, body, draft))
            return made

        if route.changes:
            return self._book.change(operate)
        return operate(self._book.read())

    def _base(self, head: RequestHead) -> str:
        """Scheme and host by which clients reach this API."""
        if self._public_url:
            return self._public_url
        try:
            split_authority(head.authority)
        except ValueError:
            raise bad_request("The Host header field is no host name.") from None
        return f"https://{head.authority}"

    # --- answers ---

    def _fail(self, turn: _Turn, failure: Failure) -> None:
        error = failure.value
        if not isinstance(error, ApiError):
            method = turn.request.head.method[:16]
            self.log.failure("{method} failed", failure, method=method)
            error = ApiError(500, "InternalServerError", "It failed here; see logs.")
        turn.caller = turn.caller or error.who
        self._answer_error(turn, error)

    def _answer_error(self, turn: _Turn, error: ApiError) -> None:
        value = _error_body(error.code, error.message)
        self._answer(turn, Result(error.status, value), error.headers, error.code)

    def _answer(
        self,
        turn: _Turn,
        result: Result,
        headers: tuple[tuple[str, str], ...] = (),
        code: str = "",
    ) -> None:
        request = turn.request
        guid = str(self._new_guid())
        self._note(turn, result.status, code, guid)
        fields = [("x-ms-request-id", guid), ("Cache-Control", "no-store"), *headers]
        wanted = request.head.get("x-ms-return-client-request-id") or ""
        given = request.head.get("x-ms-client-request-id")
        if given and fold(wanted) == "true":
            fields.append(("x-ms-client-request-id", given))
        body = result.text
        if result.value is not None:
            body = json.dumps(result.value).encode("ascii")
        if body:
            fields.append(("Content-Type", result.kind))
        request.answer(result.status, "", fields, body)

    def _note(self, turn: _Turn, status: int, code: str, guid: str) -> None:
        request, caller = turn.request, turn.caller
        # The path names things; a query or a body could hold a secret.
        self.log.info(
            "audit: {who} from {address}: {method} {path}: {status}, {request_id}",
            who="nobody" if caller is None else caller.name,
            address=request.peer.host,
            method=request.head.method[:16],
            path=printable(turn.path),
            status=status,
            request_id=guid,
        )
        outcome = "refused" if code in REFUSED else "failed"
        route = turn.route or self._router.peek(request.head.method, turn.path)
        about = route.about if route else None
        self._audit.note(
            AuditEvent(
                event="management",
                who=caller.name if caller else "",
                by=caller.by if caller else "",
                source=request.peer.host,
                action=request.head.method[:16],
                operation=about.name if about else "",
                # A path that is none of ours may be anything, a token too.
                target=turn.path if route else "",
                outcome="allowed" if status < 400 else outcome,
                status=status,
                code=code,
                id=guid,
            )
        )

    def refusal_answer(
        self, refusal: Refusal, tracking: TrackingId, head: object, now: float
    ) -> tuple[int, str, Headers, bytes]:
        """
        What the front door says to what is no HTTP, in the form of this API.  A request
        that comes too slowly is not answered 408, for then clients would send it again
        by themselves.
        """
        status = 400 if refusal.status == 408 else refusal.status
        code = standard_phrase(status, "BadRequest").title()
        body = _error_body(re.sub(r"[ -]", "", code), f"{refusal}.")
        headers = (
            ("x-ms-request-id", str(self._new_guid())),
            ("Content-Type", "application/json; charset=utf-8"),
            *refusal.headers,
        )
        return status, "", headers, json.dumps(body).encode("ascii")


def _error_body(code: str, message: str) -> Json:
    return {"error": {"code": code, "message": message, "details": []}}


def _check_version(version: str | None) -> None:
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


def _too_long() -> ApiError:
    return bad_request(f"The body has more than {MOST_BODY} bytes.")
