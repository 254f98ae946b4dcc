"""Telling an HTTP proxy who asks."""

from __future__ import annotations

import base64
from typing import Any, Protocol

from hybridconn.wayout.errors import PasswordUnreadable, Refused
from hybridconn.wayout.proxy import Proxy


class IAuthenticator(Protocol):
    """One conversation with one proxy."""

    word: str

    def next(self, challenge: str | None) -> str | None:
        """
        @param challenge: what the proxy answered behind the scheme's name; L{None}
            at the beginning.
        @return: the value of the next C{Proxy-Authorization}; L{None} if there is
            nothing more to say, which means that the proxy said no.
        """


class Basic:
    """User and password as they are."""

    word = "Basic"

    def __init__(self, user: str, password: str) -> None:
        self._value = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")

    def next(self, challenge: str | None) -> str | None:
        """There is one thing to say."""
        return f"{self.word} {self._value}" if challenge is None else None


class Spnego:
    """
    NTLM, alone or inside Negotiate, by the library C{pyspnego}.

    @param host: the proxy.
    """

    def __init__(self, scheme: str, user: str, password: str, host: str) -> None:
        import spnego

        negotiate = scheme == "negotiate"
        self.word = "Negotiate" if negotiate else "NTLM"
        options = spnego.NegotiateOptions
        self._context: Any = spnego.client(
            user,
            password,
            hostname=host,
            service="HTTP",
            protocol=scheme,
            # Python's own code: what the system has may ask servers, and wait for them.
            options=options.use_negotiate if negotiate else options.use_ntlm,
        )
        self._said = False

    def next(self, challenge: str | None) -> str | None:
        """Say the next thing."""
        if self._context.complete or (self._said and not challenge):
            return None
        self._said = True
        try:
            given = base64.b64decode(challenge, validate=True) if challenge else None
            token = self._context.step(given)
        except Exception:
            # On bytes that a stranger made up the library raises many things.
            raise Refused(f"answered a {self.word} challenge that is none") from None
        if not token:
            return None
        return f"{self.word} {base64.b64encode(token).decode('ascii')}"


def authenticator(proxy: Proxy) -> IAuthenticator | None:
    """
    @return: L{None} if there is nobody to name.
    @raise Refused: the password cannot be had.
    """
    credentials = proxy.credentials
    if credentials is None:
        return None
    password = reveal(proxy)
    if credentials.scheme == "basic":
        return Basic(credentials.user, password)
    return Spnego(credentials.scheme, credentials.user, password, proxy.host)


def reveal(proxy: Proxy) -> str:
    """
    The password for C{proxy}, which has credentials.

    @raise Refused: it cannot be had.
    """
    assert proxy.credentials is not None
    try:
        return proxy.credentials.password.reveal()
    except PasswordUnreadable as error:
        raise Refused(f"is not asked, its password cannot be read: {error}") from None
