"""
Connection strings, as Azure prints them (relay-protocol section 3.5,
product-behaviour section 3).
"""

from __future__ import annotations

import re

from attrs import field, frozen

from hybridconn.core.entities import Secret
from hybridconn.core.http import join_authority, split_authority
from hybridconn.core.names import parse_entity_path
from hybridconn.core.sas import MAX_KEY, audience_of, sign

DEFAULT_PORT = 443
DEFAULT_OPERATION_TIMEOUT = 60.0

_NAMES = {
    name.lower(): name
    for name in (
        "Endpoint",
        "EntityPath",
        "SharedAccessKeyName",
        "SharedAccessKey",
        "SharedAccessSignature",
        "OperationTimeout",
        "Authentication",
    )
}
#: Those of the kind that ended with Azure BizTalk Services.
_RETIRED_NAMES = frozenset({"sharedsecretissuer", "sharedsecretvalue"})
_RETIRED_HOST = re.compile(r"://([^/:?#;]+)(?:[^;]*/([^/;]+))?", re.IGNORECASE)
_RETIRED_DOMAIN = ".biztalk.windows.net"
_ENDPOINT = re.compile(r"(?:sb|https|wss)://([^/?#]*)(.*)", re.IGNORECASE)
_TIME_SPAN = re.compile(
    r"(?:(?P<d>[0-9]{1,4})\.)?(?P<h>[0-9]{1,2}):(?P<m>[0-9]{1,2}):"
    r"(?P<s>[0-9]{1,2}(?:\.[0-9]{1,7})?)"
)
_PLAIN_SECONDS = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,7})?")
_LINE_BREAK = re.compile(r"[ \t]*[\r\n]+[ \t]*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f;]")


class ConnectionStringError(ValueError):
    """
    A connection string cannot be used.  The message names the part that is
    wrong and never repeats its value.
    """


class Discontinued(ConnectionStringError):
    """
    The string is of a BizTalk hybrid connection, a kind that is no more.

    @ivar host: where it was.
    @ivar name: as far as the string tells it.
    """

    note = (
        "BizTalk hybrid connections ended with Azure BizTalk Services on 31 May 2018; "
        "make a hybrid connection of a relay and add its connection string instead"
    )

    def __init__(self, host: str, name: str) -> None:
        super().__init__(self.note)
        self.host = host
        self.name = name


@frozen
class ConnectionString:
    """
    Where a relay is and how to get in.  Neither C{repr} nor C{str} show the key
    or the signature.

    @ivar host: lower case, without the brackets of an IPv6 address.
    @ivar port: of the relay.
    @ivar entity_path: L{None} for the string of a whole namespace.
    @ivar key_name: of the rule; comes together with C{key}.
    @ivar signature: a ready token instead of name and key.
    @ivar operation_timeout: seconds.
    @ivar secure: whether to use TLS.  No string says otherwise; a test set-up
        may change it with L{attrs.evolve}.
    """

    host: str
    port: int = DEFAULT_PORT
    entity_path: str | None = None
    key_name: str | None = None
    key: Secret | None = None
    signature: Secret | None = None
    operation_timeout: float = DEFAULT_OPERATION_TIMEOUT
    secure: bool = field(default=True, kw_only=True)

    @classmethod
    def parse(cls, text: str) -> ConnectionString:
        """
        Read a connection string: names in any case and order, split at the
        first C{=} each.  White space around it, line breaks and one pair of
        quotes are ignored.

        @raise ConnectionStringError: naming the part that is wrong.
        @raise Discontinued: it is of a kind that is no more.
        """
        _refuse_retired(text)
        values = _split(text)
        if "Authentication" in values:
            raise ConnectionStringError(
                "Authentication is not supported: use SharedAccessKeyName and"
                " SharedAccessKey"
            )
        host, port = _endpoint(values.get("Endpoint"))
        key_name = values.get("SharedAccessKeyName")
        key = values.get("SharedAccessKey")
        signature = values.get("SharedAccessSignature")
        if signature is not None and not (key_name is None and key is None):
            raise ConnectionStringError(
                "SharedAccessSignature cannot stand beside SharedAccessKeyName or"
                " SharedAccessKey"
            )
        for name, value, other in (
            ("SharedAccessKeyName", key_name, key),
            ("SharedAccessKey", key, key_name),
        ):
            if value is None and other is not None:
                raise ConnectionStringError(f"{name} is missing")
            if value is not None and len(value) > MAX_KEY:
                raise ConnectionStringError(f"{name} has over {MAX_KEY} characters")
        return cls(
            host=host,
            port=port,
            entity_path=_entity_path(values.get("EntityPath")),
            key_name=key_name,
            key=None if key is None else Secret(key),
            signature=None if signature is None else Secret(signature),
            operation_timeout=_timeout(values.get("OperationTimeout")),
        )

    def render(self) -> str:
        """
        Write the string in the one order that Azure's managers read, with the
        slash that Java needs.  The key is in it.

        @raise ValueError: if a value has a semicolon or a control character.
        """
        authority = join_authority(
            self.host, None if self.port == DEFAULT_PORT else self.port
        )
        parts = [("Endpoint", f"sb://{authority}/")]
        if self.key_name is not None and self.key is not None:
            parts.append(("SharedAccessKeyName", self.key_name))
            parts.append(("SharedAccessKey", self.key.reveal()))
        if self.signature is not None:
            parts.append(("SharedAccessSignature", self.signature.reveal()))
        if self.entity_path is not None:
            parts.append(("EntityPath", self.entity_path))
        if self.operation_timeout != DEFAULT_OPERATION_TIMEOUT:
            parts.append(("OperationTimeout", _time_span(self.operation_timeout)))
        for name, value in parts:
            if _UNPRINTABLE.search(value):
                raise ValueError(f"{name} has a character that cannot be written")
        return ";".join(f"{name}={value}" for name, value in parts)

    def require_entity_path(self) -> str:
        """
        The entity's path.

        @raise ConnectionStringError: if this is the string of a namespace.
        """
        if self.entity_path is None:
            raise ConnectionStringError(
                "EntityPath is missing: this is a namespace string, add"
                " ;EntityPath=<name>"
            )
        return self.entity_path

    @property
    def authority(self) -> str:
        """C{host[:port]} for a URL; the scheme's own port is left out."""
        usual = 443 if self.secure else 80
        return join_authority(self.host, None if self.port == usual else self.port)

    def token(self, expires_at: float) -> Secret | None:
        """
        Make a token for this string, or hand out the one that is in it; L{None}
        if there is neither key nor token, for senders that need none.

        @param expires_at: seconds since 1970-01-01 UTC; has no effect on a
            ready token.
        """
        if self.signature is not None:
            return self.signature
        if self.key_name is None or self.key is None:
            return None
        audience = audience_of(self.host, self.entity_path or "")
        return Secret(sign(audience, self.key_name, self.key.reveal(), int(expires_at)))


def _split(text: str) -> dict[str, str]:
    text = _LINE_BREAK.sub("", text.strip()).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    values: dict[str, str] = {}
    for number, part in enumerate(text.split(";"), 1):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        known = _NAMES.get(name.strip().lower())
        if known is None or not equals:
            # What stands before the = may be a part of a key: count, don't quote.
            raise ConnectionStringError(
                f"part {number} is not one of {', '.join(_NAMES.values())}"
            )
        if known in values:
            raise ConnectionStringError(f"{known} is there twice")
        value = value.strip()
        if not value:
            raise ConnectionStringError(f"{known} is empty")
        if _UNPRINTABLE.search(value):
            raise ConnectionStringError(f"{known} has a control character")
        values[known] = value
    if not values:
        raise ConnectionStringError("it is empty")
    return values


def _refuse_retired(text: str) -> None:
    names = {part.partition("=")[0].strip().lower() for part in text.split(";")}
    found = _RETIRED_HOST.search(text)
    host = found[1].lower() if found else ""
    if names & _RETIRED_NAMES or host.endswith(_RETIRED_DOMAIN):
        raise Discontinued(host or "unknown", (found and found[2]) or "unknown")


def _endpoint(value: str | None) -> tuple[str, int]:
    if value is None:
        raise ConnectionStringError("Endpoint is missing")
    match = _ENDPOINT.fullmatch(value)
    if match is None:
        raise ConnectionStringError("Endpoint is not of the form sb://host/")
    if match[2] not in ("", "/"):
        raise ConnectionStringError(
            "Endpoint has a path: put the hybrid connection's name into EntityPath"
        )
    try:
        host, port = split_authority(match[1])
    except ValueError as error:
        raise ConnectionStringError(f"Endpoint is wrong: {error}") from None
    return host, DEFAULT_PORT if port is None else port


def _entity_path(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return parse_entity_path(value.strip("/"))
    except ValueError as error:
        raise ConnectionStringError(f"EntityPath is wrong: {error}") from None


def _timeout(value: str | None) -> float:
    """Read hh:mm:ss as .NET does, or plain seconds as Java does."""
    if value is None:
        return DEFAULT_OPERATION_TIMEOUT
    if _PLAIN_SECONDS.fullmatch(value):
        seconds = float(value)
    else:
        match = _TIME_SPAN.fullmatch(value)
        if match is None:
            raise ConnectionStringError("OperationTimeout is not of the form hh:mm:ss")
        hours = int(match["d"] or 0) * 24 + int(match["h"])
        seconds = hours * 3600 + int(match["m"]) * 60 + float(match["s"])
    if seconds <= 0:
        raise ConnectionStringError("OperationTimeout is not above zero")
    return seconds


def _time_span(seconds: float) -> str:
    # Above 24 hours .NET wants days in front.
    whole, fraction = divmod(round(seconds * 1_000_000), 1_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour:02}:{minute:02}:{second:02}"
    if fraction:
        text += f".{fraction:06}"
    return f"{days}.{text}" if days else text
