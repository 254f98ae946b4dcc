"""
The table C{[management]} of C{relay.toml}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from attrs import field, frozen

from hybridconn.config.checks import check_files, same_names
from hybridconn.config.kinds import FileName, Interface, Kind, Name, Port
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.oidc import OidcSettings
from hybridconn.config.secrets import Source
from hybridconn.core.http_url import HttpUrl
from hybridconn.core.resources import DEFAULT_SUBSCRIPTION
from hybridconn.tls import CertificateFiles

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_SUFFIX = re.compile(r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+")


def _guid(value: str, source: Source) -> str:
    if not _GUID.fullmatch(value):
        raise Mistake(
            f"{shown(value)} is no GUID; write it like {DEFAULT_SUBSCRIPTION}."
        )
    return value


def _suffix(value: str, source: Source) -> str:
    if not _SUFFIX.fullmatch(value):
        raise Mistake(
            f'{shown(value)} is no suffix; write it like ".relay.example.net".'
        )
    return value


def _role(value: str, source: Source) -> str:
    if value not in ("admin", "reader", "sender"):
        raise Mistake(f'{shown(value)} is no role; use "admin", "reader" or "sender".')
    return value


def _sha256(value: str, source: Source) -> str:
    if not _SHA256.fullmatch(value):
        raise Mistake("is no SHA-256 in hexadecimal; see: hybridconn management-token.")
    return value.lower()


def _base_url(value: str, source: Source) -> str:
    try:
        url = HttpUrl.parse(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no URL: {error}.") from None
    if not url.secure or url.path:
        raise Mistake(
            f"{shown(value)} is no address of the API; write it like "
            '"https://relay.example.net:8444".'
        )
    return url.origin


_Guid = Annotated[str, Kind("GUID", str, _guid)]
_Suffix = Annotated[str, Kind("suffix", str, _suffix)]
_BaseUrl = Annotated[str, Kind("https URL", str, _base_url)]
_Role = Annotated[str, Kind("role", str, _role)]
_Sha256 = Annotated[str, Kind("SHA-256", str, _sha256)]


def _help(text: str, **more: Any) -> dict[str, Any]:
    return {"help": text, **more}


@frozen
class ManagementToken:
    """
    Who may use the management API.

    @ivar sha256: of the token, in hexadecimal.
    """

    name: str
    role: str
    sha256: str = field(repr=False)


@frozen
class TokenTable:
    """C{[[management.token]]}."""

    name: Name = field(metadata=_help("Whose it is, for the log."))
    sha256: _Sha256 = field(
        repr=False,
        metadata=_help(
            "SHA-256 of the token, as `hybridconn management-token` prints."
        ),
    )
    role: _Role = field(
        default="admin",
        metadata=_help(
            "`admin` may do everything, `reader` look at all but keys, `sender` also "
            "read the send keys of plans, as a sender with `[app]` must."
        ),
    )


@frozen
class ManagementSettings:
    """
    The management API.

    @ivar port: L{None}: there is none.
    @ivar certificate: L{None}: the relay's own.
    """

    port: int | None = None
    interface: str = "127.0.0.1"
    certificate: CertificateFiles | None = None
    subscriptions: tuple[str, ...] = (DEFAULT_SUBSCRIPTION,)
    suffix: str = ".localhost"
    tokens: tuple[ManagementToken, ...] = ()
    public_url: str = ""
    oidc: OidcSettings = field(factory=OidcSettings)


@frozen
class ManagementTable:
    """C{[management]}."""

    port: Port | None = field(
        default=None,
        metadata=_help("TCP port of the management API; without it there is none."),
    )
    interface: Interface = field(
        default="127.0.0.1",
        metadata=_help("IP address to listen on; loopback unless it says otherwise."),
    )
    certificate: FileName | None = field(
        default=None,
        metadata=_help("PEM file, as in `[listen]`. Without it that one is used."),
    )
    key: FileName | None = field(
        default=None, metadata=_help("PEM file with its private key.")
    )
    subscriptions: tuple[_Guid, ...] = field(
        default=(DEFAULT_SUBSCRIPTION,),
        metadata=_help("The subscription ids that clients may name."),
    )
    suffix: _Suffix = field(
        default=".localhost",
        metadata=_help(
            "What follows a namespace's name in the host name by which its clients "
            "reach the relay."
        ),
    )
    token: tuple[ManagementToken, ...] = field(
        default=(), metadata=_help("Who may use it.", table=True)
    )
    public_url: _BaseUrl | None = field(
        default=None,
        metadata=_help(
            "Where clients reach the API, such as `https://relay.example.net:8444`, "
            "for links to the next page. Without it: by the host that each used."
        ),
    )
    oidc: OidcSettings = field(factory=OidcSettings, metadata=_help("", table=True))

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """It can be used by somebody, and its certificate too."""
        yield from same_names(table, "token", "name", "token")
        oidc = table.get("oidc")
        if table.get("port") is not None and not table.get("token") and not oidc:
            yield Mistake(
                "is missing; add a [[management.token]], or [management.oidc].", "token"
            )
        given = [key for key in ("certificate", "key") if key in table]
        if len(given) == 1:
            yield Mistake("certificate and key go together.", given[0])
        elif given:
            yield from check_files(table["certificate"], table["key"], source)


def build_token(table: TokenTable, source: Source) -> ManagementToken:
    """The settings of a table that was checked."""
    return ManagementToken(table.name, table.role, table.sha256)


def build_management(table: ManagementTable, source: Source) -> ManagementSettings:
    """The same for the API."""
    files = None
    if table.certificate is not None and table.key is not None:
        files = CertificateFiles(
            str(source.path(table.certificate)), str(source.path(table.key)), ()
        )
    return ManagementSettings(
        table.port,
        table.interface,
        files,
        table.subscriptions,
        table.suffix,
        table.token,
        table.public_url or "",
        table.oidc,
    )
