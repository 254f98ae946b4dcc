"""
C{[way_out]} of listeners and senders: how the relay is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

import attrs
from attrs import field, frozen

from hybridconn.config.checks import check_files
from hybridconn.config.kinds import (
    Authorities,
    FileName,
    Interface,
    Kind,
    Seconds,
    VariableName,
    choice,
)
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.entities import Secret
from hybridconn.tls import CertificateFiles
from hybridconn.wayout.bypass import Bypass, Rule, parse_rule
from hybridconn.wayout.environment import from_environment
from hybridconn.wayout.errors import PasswordUnreadable
from hybridconn.wayout.proxy import (
    Authentication,
    IPassword,
    Proxy,
    make_credentials,
    parse_proxy,
)
from hybridconn.wayout.way import WayOut

_ENVIRONMENT, _NONE = "environment", "none"
_SECRET_KEYS = ("proxy_password_file", "proxy_password_env")


def _proxy(value: str, source: Source) -> str:
    if value in (_ENVIRONMENT, _NONE):
        return value
    # The text may hold a password: it is not shown.
    try:
        proxy = parse_proxy(value)
    except ValueError as error:
        raise Mistake(
            f'this is no proxy: {error}; or write "{_ENVIRONMENT}" or "{_NONE}".'
        ) from None
    if proxy.credentials is not None:
        raise Mistake(
            "leave user and password out of it; name them with proxy_user and "
            "proxy_password_file."
        )
    return value


def _rule(value: str, source: Source) -> Rule:
    try:
        return parse_rule(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no exception: {error}.") from None


_ProxyName = Annotated[str, Kind("URL", str, _proxy)]
_Exception = Annotated[Rule, Kind("host, domain or network", str, _rule)]
_AuthenticationName = Annotated[
    Authentication, Kind("name", str, choice(*get_args(Authentication)))
]


@frozen
class WayOutTable:
    """C{[way_out]}."""

    proxy: _ProxyName = field(
        default=_ENVIRONMENT,
        metadata={
            "help": "The proxy to the relay: `http://host:port`, `https://host:port` "
            "(TLS to the proxy itself) or `socks5://host:port`; `environment` for what "
            "`HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say; `none` for none."
        },
    )
    proxy_user: str | None = field(
        default=None,
        metadata={"help": "Who asks the proxy; for NTLM also as `DOMAIN\\user`."},
    )
    proxy_password_file: FileName | None = field(
        default=None,
        metadata={
            "help": "A file with the password, which only its owner may read. It is "
            "read anew for each dial."
        },
    )
    proxy_password_env: VariableName | None = field(
        default=None, metadata={"help": "The environment variable that holds it."}
    )
    proxy_authentication: _AuthenticationName = field(
        default="basic",
        metadata={
            "help": "How an HTTP proxy is told who asks: `basic`, or `ntlm` or "
            "`negotiate` (NTLM inside), which need `pip install hybridconn[ntlm]`."
        },
    )
    proxy_timeout: Seconds = field(
        default=15.0,
        metadata={"help": "For the proxy to be reached and to let us through."},
    )
    no_proxy: tuple[_Exception, ...] = field(
        default=(),
        metadata={
            "help": "Reached without the proxy: a host and all below it, "
            "`.corp.example`, `10.0.0.0/8`, or `*`; a name, an address or `*` may end "
            "in `:port`. "
            "Addresses are compared with hosts that are addresses."
        },
    )
    proxy_ca_file: Authorities | None = field(
        default=None,
        metadata={
            "help": "For an `https://` proxy: PEM file with further authorities to "
            "trust, beside `ca_file`."
        },
    )
    client_certificate: FileName | None = field(
        default=None,
        metadata={
            "help": "PEM file: a certificate to show to a relay that asks for one, "
            "then those between it and its authority."
        },
    )
    client_key: FileName | None = field(
        default=None,
        metadata={"help": "PEM file with its private key; only its owner may read it."},
    )
    bind_address: Interface = field(
        default="",
        metadata={"help": "The address of this machine to dial from; empty: any."},
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """User and password go together, and so do a certificate and its key."""
        yield from _check_password(table, source)
        pair = ("client_certificate", "client_key")
        given = [key for key in pair if key in table]
        if len(given) == 1:
            missing = next(key for key in pair if key not in table)
            yield Mistake(f"is missing beside {given[0]}; add it.", missing)
        elif given:
            certificate, key = (table[name] for name in pair)
            for mistake in check_files(certificate, key, source):
                yield Mistake(mistake.text, f"client_{mistake.path[0]}")
        if table.get("proxy", _ENVIRONMENT) == _ENVIRONMENT:
            try:
                from_environment(source.environ)
            except ValueError as error:
                yield Mistake(
                    f'{error}; set it anew, or write proxy = "none".', "proxy"
                )


def _check_password(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
    named = table.get("proxy", _ENVIRONMENT) not in (_ENVIRONMENT, _NONE)
    of_a_proxy = ("proxy_user", *_SECRET_KEYS, "proxy_authentication", "no_proxy")
    for key in of_a_proxy:
        if key in table and not named:
            yield Mistake(
                "goes only with a proxy that is named here; add proxy, such as "
                '"http://proxy.example.net:3128".',
                key,
            )
    if not named:
        return
    secrets = [key for key in _SECRET_KEYS if key in table]
    if len(secrets) > 1:
        yield Mistake(f"is one too many beside {secrets[0]}; keep one.", secrets[1])
    elif secrets and "proxy_user" not in table:
        yield Mistake(f"is missing beside {secrets[0]}; add it.", "proxy_user")
    elif "proxy_user" in table and not secrets:
        yield Mistake("is missing beside proxy_user; add it.", _SECRET_KEYS[0])
    elif secrets:
        try:
            _credentials(table, source)
        except Mistake as mistake:
            yield mistake
    scheme = table.get("proxy_authentication", "basic")
    if scheme in ("ntlm", "negotiate"):
        if "proxy_user" not in table:
            yield Mistake(f"{scheme} needs a user; add proxy_user.", "proxy_user")
        if str(table.get("proxy")).lower().startswith("socks"):
            yield Mistake("is for HTTP proxies; leave it out.", "proxy_authentication")
        elif not spnego_is_there():
            yield Mistake(
                f"{scheme} needs a library; run: pip install 'hybridconn[ntlm]'",
                "proxy_authentication",
            )


def spnego_is_there() -> bool:
    """Whether the extra C{ntlm} is installed."""
    try:
        import spnego
    except ImportError:
        return False
    return spnego is not None


@frozen
class PasswordFile:
    """
    A password in a file, which may change.

    @ivar text: its name, as it was written.
    """

    text: str
    source: Source = field(repr=False)

    def reveal(self) -> str:
        """
        Read it.

        @raise PasswordUnreadable: it cannot be read, or others can.
        """
        try:
            content = read_bytes(self.text, self.source, private=True)
            password = content.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise PasswordUnreadable(f"{shown(self.text)} is not UTF-8 text") from None
        except Mistake as mistake:
            raise PasswordUnreadable(mistake.text.rstrip(".")) from None
        if not password or not password.isprintable():
            raise PasswordUnreadable(
                f"{shown(self.text)} holds no line with a password"
            )
        return password


def _credentials(table: Mapping[str, Any], source: Source) -> Any:
    key = next(key for key in _SECRET_KEYS if key in table)
    value, user = table[key], table["proxy_user"]
    if not isinstance(value, str) or not isinstance(user, str):
        # Said where the values are read.
        return None
    password: IPassword
    if key == "proxy_password_env":
        found = source.environ.get(value)
        if not found:
            raise Mistake(
                f"the environment has no variable {shown(value)}; set it.", key
            )
        password = Secret(found)
    else:
        password = PasswordFile(value, source)
        try:
            password.reveal()
        except PasswordUnreadable as error:
            raise Mistake(f"{error}.", key) from None
    try:
        return make_credentials(
            user, password, table.get("proxy_authentication", "basic")
        )
    except ValueError as error:
        raise Mistake(f"{shown(user)} cannot be used: {error}.", "proxy_user") from None


def build_way_out(table: WayOutTable, source: Source) -> WayOut:
    """Make the value of the table."""
    certificate = None
    if table.client_certificate is not None and table.client_key is not None:
        certificate = CertificateFiles(
            str(source.path(table.client_certificate)),
            str(source.path(table.client_key)),
        )
    authorities = table.proxy_ca_file
    way = WayOut(
        proxy_ca_files=() if authorities is None else (str(authorities),),
        proxy_timeout=table.proxy_timeout,
        client_certificate=certificate,
        bind_address=table.bind_address,
    )
    if table.proxy == _ENVIRONMENT:
        try:
            return from_environment(source.environ, way)
        except ValueError:
            # Said by the table's check.
            return way
    if table.proxy == _NONE:
        return way
    proxy: Proxy = parse_proxy(table.proxy)
    if table.proxy_user is not None:
        given = attrs.asdict(
            table, recurse=False, filter=lambda _, value: value is not None
        )
        proxy = attrs.evolve(proxy, credentials=_credentials(given, source))
    return attrs.evolve(
        way, proxy=proxy, plain_proxy=proxy, bypass=Bypass(table.no_proxy)
    )


WAY_OUT: Mapping[type, tuple[type, Any]] = {WayOut: (WayOutTable, build_way_out)}
