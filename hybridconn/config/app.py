"""C{[app]} of a sender: which app's connections it serves, and who tells them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from attrs import field, frozen

from hybridconn.config.addresses import HostPort, parse_host_port
from hybridconn.config.kinds import FileName, Kind, Name, Seconds, VariableName
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.http_url import HttpUrl
from hybridconn.core.resources import DEFAULT_SUBSCRIPTION

_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Web/sites/[^/]+"
    r"(/slots/[^/]+)?",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[\x21-\x7e]+")


def _management(value: str, source: Source) -> str:
    try:
        url = HttpUrl.parse(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no URL: {error}.") from None
    if not url.secure or url.path:
        raise Mistake(
            f"{shown(value)} is no address of a management API; write it like "
            '"https://relay.example.net:8444".'
        )
    return url.origin


def _id(value: str, source: Source) -> str:
    if not _ID.fullmatch(value) or not value.isascii() or not value.isprintable():
        raise Mistake(
            f"{shown(value)} is no app's id; write it like /subscriptions/…/"
            "resourceGroups/…/providers/Microsoft.Web/sites/NAME."
        )
    return quote(value, safe="/%")


def _relay(value: str, source: Source) -> HostPort:
    try:
        return parse_host_port(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no host and port: {error}.") from None


_Management = Annotated[str, Kind("https URL", str, _management)]
_Id = Annotated[str, Kind("resource id", str, _id)]
_Relay = Annotated[HostPort, Kind("host:port", str, _relay)]


@frozen
class Credential:
    """
    A token for the management API.  One in a file is read anew each time, so that
    others may renew it there.
    """

    file: str | None = None
    variable: str | None = None
    source: Source | None = field(default=None, repr=False, eq=False)

    def read(self) -> str:
        """
        @raise Mistake: there is none; its text is never in the message.
        """
        assert self.source is not None
        if self.file is not None:
            data = read_bytes(self.file, self.source, private=True)
            text = data.decode("latin-1").strip()
            what = shown(self.file)
        else:
            text = self.source.environ.get(self.variable or "", "").strip()
            what = f"the variable {shown(self.variable)}"
        if not _TOKEN.fullmatch(text):
            raise Mistake(f"{what} holds no token; put one into it.")
        return text


@frozen
class AppSettings:
    """
    @ivar management: where the management API is; empty: there is no app.
    @ivar place: the app's path there.
    @ivar relay: where the relay is reached, if not by its namespaces' names.
    @ivar check_interval: seconds from one look for changes to the next.
    """

    management: str = ""
    place: str = ""
    credential: Credential = field(factory=Credential)
    relay: HostPort | None = None
    check_interval: float = 10.0

    def __bool__(self) -> bool:
        return bool(self.management)

    @property
    def name(self) -> str:
        """The app's, and its slot's, for people."""
        names = self.place.partition("/sites/")[2] or self.place.rpartition("/")[2]
        return names.replace("/slots/", " slot ")


@frozen
class AppTable:
    """C{[app]}."""

    management: _Management | None = field(
        default=None,
        metadata={
            "help": "Where the management API is, such as "
            "`https://relay.example.net:8444`. It says which hybrid connections the "
            "app uses, and their send keys."
        },
    )
    name: Name | None = field(default=None, metadata={"help": "The app's name."})
    slot: Name | None = field(
        default=None, metadata={"help": "A slot of the app, not the app itself."}
    )
    subscription: Name = field(
        default=DEFAULT_SUBSCRIPTION, metadata={"help": "Where the app is."}
    )
    resource_group: Name = field(
        default="default", metadata={"help": "The app's resource group."}
    )
    id: _Id | None = field(
        default=None,
        metadata={"help": "The app's resource id, instead of the four above."},
    )
    token_file: FileName | None = field(
        default=None,
        metadata={
            "help": "A file with a token for the management API, of the role `sender` "
            "or above; only its owner may read it. It is read again at each look, so "
            "it may be renewed there."
        },
    )
    token_env: VariableName | None = field(
        default=None, metadata={"help": "The environment variable that holds it."}
    )
    relay: _Relay | None = field(
        default=None,
        metadata={
            "help": "Where the relay is reached, such as `relay.example.net:443`. "
            "Without it, by the host name and port that the management API says of "
            "each namespace."
        },
    )
    check_interval: Seconds = field(
        default=10.0, metadata={"help": "Time from one look for changes to the next."}
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """The app is named once, and so is the token."""
        if not table:
            return
        if "management" not in table:
            yield Mistake(
                'is missing; add it, like management = "https://relay.example.net:8444"'
                ", or take the table away.",
                "management",
            )
        if "id" not in table and "name" not in table:
            yield Mistake("is missing; add the app's name, or its id.", "name")
        for key in ("name", "slot", "subscription", "resource_group"):
            if "id" in table and key in table:
                yield Mistake("is one too many beside id; keep one of them.", key)
        given = [key for key in ("token_file", "token_env") if key in table]
        if not given:
            yield Mistake(
                "is missing; add this key with the name of a file that holds the "
                "token, or token_env with a variable's name.",
                "token_file",
            )
        elif len(given) > 1:
            yield Mistake(f"is one too many beside {given[0]}; keep one.", given[1])
        elif isinstance(table[given[0]], str):
            try:
                _credential(table, source).read()
            except Mistake as mistake:
                yield Mistake(mistake.text, given[0])


def _credential(table: Mapping[str, Any], source: Source) -> Credential:
    return Credential(table.get("token_file"), table.get("token_env"), source)


def build_app(table: AppTable, source: Source) -> AppSettings:
    """The settings of a table that was checked."""
    if table.management is None:
        return AppSettings()
    place = table.id or (
        f"/subscriptions/{quote(table.subscription, safe='')}"
        f"/resourceGroups/{quote(table.resource_group, safe='')}"
        f"/providers/Microsoft.Web/sites/{quote(table.name or '', safe='')}"
        + (f"/slots/{quote(table.slot, safe='')}" if table.slot else "")
    )
    tokens = {"token_file": table.token_file, "token_env": table.token_env}
    return AppSettings(
        table.management,
        place,
        _credential(tokens, source),
        table.relay,
        table.check_interval,
    )
