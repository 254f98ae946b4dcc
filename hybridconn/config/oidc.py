"""
The table C{[management.oidc]} of C{relay.toml}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from attrs import field, frozen

from hybridconn.config.kinds import Authorities, FileName, Kind, Name, Seconds
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.http_url import HttpUrl

#: The audience that Azure's clients ask for unless they are told otherwise.
AZURE_AUDIENCE = "https://management.azure.com"


def _https_url(value: str, source: Source) -> str:
    try:
        secure = HttpUrl.parse(value).secure
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no URL: {error}.") from None
    if not secure:
        raise Mistake(
            f"{shown(value)} is not https; whoever changes it on the way could sign "
            "tokens. Use https."
        )
    return value


_HttpsUrl = Annotated[str, Kind("https URL", str, _https_url)]


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


@frozen
class OidcSettings:
    """
    Whose signed tokens are good for the management API.

    @ivar issuer: empty: nobody's.
    @ivar keys: from a file; empty: they are fetched.
    """

    issuer: str = ""
    jwks_url: str = ""
    ca_file: Path | None = None
    keys: tuple[Any, ...] = ()
    audiences: tuple[str, ...] = ()
    name_claim: str = "sub"
    role_claim: str = "roles"
    admin: tuple[str, ...] = ("admin",)
    reader: tuple[str, ...] = ("reader",)
    refresh: float = 3600.0
    unknown_key_interval: float = 30.0
    keep: float = 86400.0
    sender: tuple[str, ...] = ("sender",)


@frozen
class OidcTable:
    """C{[management.oidc]}."""

    issuer: Name | None = field(
        default=None,
        metadata=_help(
            "Who signs: `iss` of its tokens, to the letter. Without it only tokens of "
            "`[[management.token]]` are good."
        ),
    )
    jwks_url: _HttpsUrl | None = field(
        default=None,
        metadata=_help(
            "Where its public keys are. The certificate is verified, no redirection "
            "followed."
        ),
    )
    jwks_file: FileName | None = field(
        default=None,
        metadata=_help(
            "Instead of `jwks_url`: a JWKS or a public key in PEM, read at the start."
        ),
    )
    ca_file: Authorities | None = field(
        default=None,
        metadata=_help(
            "PEM file with further authorities that the certificate of `jwks_url` may "
            "be from."
        ),
    )
    audiences: tuple[Name, ...] = field(
        default=(),
        metadata=_help(
            "`aud` of a token must be one of these. `[]`: "
            f"`{AZURE_AUDIENCE}` and `public_url`, each with and without a slash at "
            "its end."
        ),
    )
    name_claim: Name = field(
        default="sub", metadata=_help("Who it is, for the log and the audit.")
    )
    role_claim: Name = field(
        default="roles",
        metadata=_help(
            "Where the roles are, a text or a list of texts; `a.b` is `b` within `a`."
        ),
    )
    admin: tuple[Name, ...] = field(
        default=("admin",), metadata=_help("Values of it for the role `admin`.")
    )
    reader: tuple[Name, ...] = field(
        default=("reader",), metadata=_help("Values of it for the role `reader`.")
    )
    sender: tuple[Name, ...] = field(
        default=("sender",), metadata=_help("Values of it for the role `sender`.")
    )
    refresh: Seconds = field(
        default=3600.0, metadata=_help("Time from one look for new keys to the next.")
    )
    unknown_key_interval: Seconds = field(
        default=30.0,
        metadata=_help(
            "A token that names a key that is not known has the keys looked for at "
            "once, but no sooner than this after the last look."
        ),
    )
    keep: Seconds = field(
        default=86400.0,
        metadata=_help("How long keys are believed while no new ones can be had."),
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """There is one place with keys, and they can be used."""
        if not table.get("issuer"):
            if table:
                yield Mistake("is missing; add it, or take the table away.", "issuer")
            return
        places = [key for key in ("jwks_url", "jwks_file") if key in table]
        if not places:
            yield Mistake("is missing; add jwks_url or jwks_file.", "jwks_url")
        elif len(places) > 1:
            yield Mistake(
                "is one too many beside jwks_url; keep one of them.", "jwks_file"
            )
        elif isinstance(table.get("jwks_file"), str):
            try:
                _keys_in(table["jwks_file"], source)
            except Mistake as mistake:
                yield Mistake(mistake.text, "jwks_file")
        if "ca_file" in table and "jwks_url" not in table:
            yield Mistake("goes only with jwks_url; add it.", "ca_file")


def _keys_in(name: str, source: Source) -> tuple[Any, ...]:
    # What it needs is large, and hardly anybody needs it.
    from hybridconn.jwks import read_keys

    content = read_bytes(name, source, private=False)
    try:
        return read_keys(content)
    except ValueError as error:
        raise Mistake(f"{shown(name)} {error}.") from None


def build_oidc(table: OidcTable, source: Source) -> OidcSettings:
    """The settings of a table that was checked."""
    if table.issuer is None:
        return OidcSettings()
    return OidcSettings(
        table.issuer,
        table.jwks_url or "",
        table.ca_file,
        _keys_in(table.jwks_file, source) if table.jwks_file else (),
        table.audiences,
        table.name_claim,
        table.role_claim,
        table.admin,
        table.reader,
        table.refresh,
        table.unknown_key_interval,
        table.keep,
        table.sender,
    )
