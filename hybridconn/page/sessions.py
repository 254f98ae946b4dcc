"""
Who may use the web page.  A link that works once gives a browser a session: a cookie
that no script can read, and a key that the page sends in a header of its own.

A cookie alone lets nobody in: browsers send it to every port of the machine, and with
requests that other pages make.  The key stays with the page's own origin, and another
page cannot send the header without asking first, which nobody allows.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from typing import Final

from attrs import define, field, frozen

from hybridconn.interfaces import IHeldRequest

#: Carries the page's key.
KEY_HEADER: Final = "X-Page-Key"
#: Seconds for which a link works.
LINK_LIFE: Final = 300.0
#: Seconds without a request after which a session is over, and its longest life.
IDLE: Final = 3600.0
SESSION_LIFE: Final = 8 * 3600.0
#: How many links and sessions there may be; the oldest makes room.
MOST_LINKS: Final = 8
MOST_SESSIONS: Final = 32

_BYTES: Final = 32


@frozen
class Opened:
    """
    What a browser gets for a link.

    @ivar cookie: the value of C{Set-Cookie}.
    @ivar key: for the page.
    @ivar life: seconds until the session is over in any case.
    """

    cookie: str = field(repr=False)
    key: str = field(repr=False)
    life: float


@define
class _Session:
    label: str
    key: bytes = field(repr=False)
    ends: float
    idle_at: float


class Sessions:
    """
    Links and sessions, in memory: none outlives the service.

    @param port: of the page; two services on a machine need two cookies.
    @param seconds: a clock that nobody sets.
    @param token: C{token(n)} gives a text of C{n} unguessable bytes.
    @param name: of the page, for its cookie.
    @ivar ended: called with what L{who} said of a session that is over.
    """

    def __init__(
        self,
        port: int,
        seconds: Callable[[], float],
        token: Callable[[int], str] = secrets.token_urlsafe,
        name: str = "hcm",
    ) -> None:
        self._cookie = f"{name}_session_{port}"
        self._seconds = seconds
        self._token = token
        self.ended: Callable[[str], None] = lambda _: None
        self._links: dict[bytes, float] = {}
        self._sessions: dict[bytes, _Session] = {}

    def new_link(self) -> str:
        """A code that opens one session."""
        while len(self._links) >= MOST_LINKS:
            del self._links[next(iter(self._links))]
        code = self._token(_BYTES)
        self._links[_digest(code)] = self._seconds() + LINK_LIFE
        return code

    def open(self, code: str) -> Opened | None:
        """
        Use a code up.

        @return: L{None}: it was used before, is too old, or never was.
        """
        good_until = self._links.pop(_digest(code), 0.0)
        now = self._seconds()
        if good_until <= now:
            return None
        self.forget_old()
        while len(self._sessions) >= MOST_SESSIONS:
            self._end(next(iter(self._sessions)))
        name, key = self._token(_BYTES), self._token(_BYTES)
        digest = _digest(name)
        self._sessions[digest] = _Session(
            f"page {digest.hex()[:8]}", _digest(key), now + SESSION_LIFE, now + IDLE
        )
        return Opened(self._set_cookie(name, int(SESSION_LIFE)), key, SESSION_LIFE)

    def close(self, request: IHeldRequest) -> str:
        """
        End the session of C{request}.

        @return: a C{Set-Cookie} that has the browser forget it.
        """
        for name in self._names(request):
            self._end(_digest(name))
        return self._set_cookie("", 0)

    def who(self, request: IHeldRequest) -> str | None:
        """
        An L{Authenticator <hybridconn.page.handler>}: cookie and key must both be
        right, and the request must come from the page itself, as far as the browser
        says.
        """
        key = request.head.get(KEY_HEADER)
        if key is None or not from_own_page(request):
            return None
        self.forget_old()
        for name in self._names(request):
            session = self._sessions.get(_digest(name))
            if session is not None and hmac.compare_digest(session.key, _digest(key)):
                session.idle_at = self._seconds() + IDLE
                return session.label
        return None

    def forget_old(self) -> None:
        """End sessions whose time is over; to be called now and then."""
        now = self._seconds()
        for digest, session in tuple(self._sessions.items()):
            if min(session.ends, session.idle_at) <= now:
                self._end(digest)

    def _names(self, request: IHeldRequest) -> Iterator[str]:
        for pair in (request.head.get("Cookie") or "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self._cookie and value:
                yield value

    def _set_cookie(self, value: str, life: int) -> str:
        return (
            f"{self._cookie}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict"
        )

    def _end(self, digest: bytes) -> None:
        session = self._sessions.pop(digest, None)
        if session is not None:
            self.ended(session.label)


def from_own_page(request: IHeldRequest) -> bool:
    """Whether no other page made C{request}, as far as the browser says."""
    site = request.head.get("Sec-Fetch-Site")
    origin = request.head.get("Origin")
    return site in (None, "same-origin") and origin in (
        None,
        f"http://{request.head.authority}",
    )


def _digest(text: str) -> bytes:
    """What is kept of a secret, and looked up: no timing tells of the secret itself."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
