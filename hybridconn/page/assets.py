"""The page's files, as the browser gets them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import resources
from typing import Final

from attrs import frozen

from hybridconn.management.routing import Route, route
from hybridconn.page.handler import Answer, Call, Headers

#: What a page may do: run and show what this port serves, talk to it, nothing else.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
SAFETY: Final[Headers] = (
    ("Content-Security-Policy", POLICY),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # The browser asks each time, and is told that it has the right one.
    ("Cache-Control", "no-cache"),
)
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX: Final = "index.html"


@frozen
class Asset:
    """One file."""

    name: str
    kind: str
    body: bytes
    tag: str

    def answer(self, call: Call) -> Answer:
        """Give it, or say that the browser has it."""
        headers = (("ETag", self.tag), *SAFETY)
        shown = call.request.head.get("If-None-Match") or ""
        if self.tag in [one.strip().removeprefix("W/") for one in shown.split(",")]:
            return Answer(None, 304, headers)
        return Answer(None, 200, headers, self.body, self.kind)


def load(package: str) -> list[Asset]:
    """
    Those of a page, and those that all pages share.

    @param package: of the page.
    """
    return [*_of(__package__), *_of(package)]


def _of(package: str) -> Iterator[Asset]:
    for entry in sorted(resources.files(package).iterdir(), key=lambda one: one.name):
        kind = _KINDS.get("." + entry.name.rpartition(".")[2])
        if kind is not None:
            body = entry.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            yield Asset(entry.name, kind, body, tag)


def asset_routes(assets: list[Asset]) -> Iterator[Route]:
    """Each file at C{/page/NAME}, and the page itself at C{/}."""
    for one in assets:
        path = "/" if one.name == _INDEX else f"/page/{one.name}"
        yield route("GET", path, one.answer)
