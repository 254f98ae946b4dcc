"""A proxy, and how it is written."""

from __future__ import annotations

from typing import Final, Literal, Protocol
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from hybridconn.core.entities import Secret
from hybridconn.core.http import bare_host, join_authority

#: What is spoken with a proxy: HTTP, HTTP inside TLS, or SOCKS.
Scheme = Literal["http", "https", "socks5"]
#: How a proxy is told who asks.
Authentication = Literal["basic", "ntlm", "negotiate"]

_PORTS: Final = {"http": 8080, "https": 443, "socks5": 1080}
# A name is the proxy's to resolve in any case: both words mean the same here.
_SCHEMES: Final[dict[str, Scheme]] = {
    "http": "http",
    "https": "https",
    "socks5": "socks5",
    "socks5h": "socks5",
}
_MOST_CHARACTERS: Final = 255


class IPassword(Protocol):
    """A password; L{Secret <hybridconn.core.entities.Secret>} is one."""

    def reveal(self) -> str:
        """
        The password as it is now.

        @raise PasswordUnreadable: it cannot be had.
        """


@frozen
class Credentials:
    """Who asks a proxy; for NTLM C{user} may be C{DOMAIN\\user}."""

    user: str
    password: IPassword = field(repr=False)
    scheme: Authentication = "basic"


@frozen
class Proxy:
    """
    @ivar named_by: where its user wrote it, for messages.
    """

    scheme: Scheme
    host: str
    port: int
    credentials: Credentials | None = None
    named_by: str = "[way_out]"

    def __str__(self) -> str:
        return join_authority(self.host, self.port)

    @property
    def mend(self) -> str:
        """What to do about a missing or wrong password."""
        if self.named_by == "[way_out]":
            return "proxy_user and proxy_password_file in [way_out]"
        return f"the user and password in {self.named_by}"


def parse_proxy(text: str, named_by: str = "[way_out]") -> Proxy:
    """
    Read C{scheme://[user[:password]@]host[:port]}; without a scheme it is C{http}.

    @raise ValueError: with a sentence on what is wrong, which shows neither user nor
        password.
    """
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its port is no number from 1 to 65535") from None
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None:
        raise ValueError("it begins with none of http://, https:// and socks5://")
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    if not bare or not text.isprintable() or " " in text:
        raise ValueError("write it like http://proxy.example.net:3128")
    try:
        host = bare_host(parts.hostname or "")
    except ValueError:
        raise ValueError("it names no host") from None
    if port == 0:
        raise ValueError("its port is no number from 1 to 65535")
    credentials = None
    if parts.username is not None:
        password = unquote(parts.password or "")
        credentials = make_credentials(unquote(parts.username), Secret(password))
    return Proxy(scheme, host, port or _PORTS[scheme], credentials, named_by)


def make_credentials(
    user: str, password: IPassword, scheme: Authentication = "basic"
) -> Credentials:
    """
    @raise ValueError: no proxy can be told this name.
    """
    if not user or len(user.encode()) > _MOST_CHARACTERS or not user.isprintable():
        raise ValueError("its user has no name, or one that is no plain text")
    if scheme == "basic" and ":" in user:
        raise ValueError("its user's name has a colon, which no proxy would understand")
    return Credentials(user, password, scheme)
