"""
The description of the API (OpenAPI 3.1), made from the routes that answer it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hybridconn.management.about import About, Schema
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.routing import Route, route
from hybridconn.management.schemas import ERROR, PARAMETERS, list_of
from hybridconn.operation.version import own_version

PATH: Final = "/openapi.json"
_NAMES: Final = re.compile(r"\{(\w+)\}")
_INTRODUCTION: Final = (
    "Namespaces, hybrid connections, rules and keys of a relay, and the apps that use "
    "them, as Azure's management libraries speak of them. Words and names in paths are "
    "compared without case, names of members too; members that are not known are "
    "ignored. With x-ms-return-client-request-id: true an answer has the call's own "
    "x-ms-client-request-id."
)
#: Statuses of errors, and when they come.
_ERRORS: Final = {
    400: "A name, a value, the api-version or the body is wrong",
    401: "The token is missing, or not known here",
    403: "The token's role may not do this, or a limit is reached",
    404: "There is no such thing, or nothing that it could be in",
    409: "It contradicts what is there",
    410: "There is no such thing any more",
    500: "The server itself failed; its log says why",
    503: "The store cannot be changed now",
}
_ALWAYS: Final = (400, 401, 403, 404, 500, 503)
_VERSION: Final[Json] = {
    "name": "api-version",
    "in": "query",
    "required": True,
    "description": "Any; the answers are the same",
    "schema": {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$",
        "example": "2021-11-01",
    },
}
_MARKER: Final[Json] = {
    "name": "$skiptoken",
    "in": "query",
    "description": "From a nextLink",
    "schema": {"type": "string"},
}


class OpenApiRoute:
    """
    Serves the description of C{routes}, and of itself.

    Like everything else it needs a token, of any role: what a server can do is nobody's
    business who may not use it.  It needs no api-version, for programs that read it
    ask for nothing but a URL.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        about = About("OpenApiGet", "Show this description", {"type": "object"})
        own = route("GET", PATH, self._show, about=about, versioned=False)
        self.routes = (*routes, own)
        self._document = describe(self.routes)

    def _show(self, call: Call) -> Result:
        server = call.url[: -len(PATH)]
        return Result(200, {**self._document, "servers": [{"url": server}]})


def describe(routes: Iterable[Route]) -> Json:
    """
    The whole document; where the server is, is left out.
    """
    paths: dict[str, Json] = {}
    for one in routes:
        if one.about is not None:
            operation = _operation(one, one.about)
            paths.setdefault(one.path, {})[one.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hybridconn management API",
            "version": own_version(),
            "description": _INTRODUCTION,
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "responses": {f"Error{s}": _error(s, w) for s, w in _ERRORS.items()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(one: Route, about: About) -> Json:
    made: Json = {
        "operationId": about.name,
        "summary": about.summary,
        "parameters": list(_parameters(one, about)),
        "responses": dict(_responses(one, about)),
    }
    if about.body is not None:
        made["requestBody"] = {
            "required": about.needs_body,
            "content": _json(about.body),
        }
    return made


def _parameters(one: Route, about: About) -> Iterator[Json]:
    for name in _NAMES.findall(one.path):
        schema = dict(PARAMETERS.get(name, {"type": "string"}))
        words = schema.pop("description", "")
        if one.method != "PUT" or not about.statuses:
            # Only what is made needs a good name; no other is found.
            schema = {"type": "string"}
        yield {
            "name": name,
            "in": "path",
            "required": True,
            **({"description": words} if words else {}),
            "schema": schema,
        }
    if one.versioned:
        yield _VERSION
    if about.paged:
        yield _MARKER


def _responses(one: Route, about: About) -> Iterator[tuple[str, Json]]:
    for status in about.statuses:
        answer: Json = {"description": "Done"}
        if status == 204:
            answer["description"] = "There was none"
        elif about.answer is not None:
            shown = list_of(about.answer) if about.paged else about.answer
            answer["content"] = _json(shown)
        yield str(status), _with_id(answer)
    for status in sorted({*_ALWAYS, *about.refusals}):
        yield str(status), {"$ref": f"#/components/responses/Error{status}"}


def _error(status: int, words: str) -> Json:
    error: Json = {
        "description": words,
        "content": _json({"$ref": "#/components/schemas/Error"}),
    }
    if status == 401:
        schema = {"type": "string"}
        error["headers"] = {"WWW-Authenticate": {"schema": schema, "required": True}}
    return _with_id(error)


def _with_id(answer: Json) -> Json:
    """Every answer has an id that stands in the log."""
    schema = {"type": "string"}
    headers = {
        "x-ms-request-id": {"schema": schema, "required": True},
        "x-ms-client-request-id": {"schema": schema},
    }
    return {**answer, "headers": {**answer.get("headers", {}), **headers}}


def _json(schema: Schema) -> Json:
    return {"application/json": {"schema": dict(schema)}}
