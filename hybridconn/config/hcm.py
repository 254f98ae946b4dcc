"""
What makes a connection manager of a listener: the tables C{[admin]} and
C{[connections]} of C{listener.toml}, and the allow-list of targets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from attrs import field, frozen

from hybridconn.config.kinds import FileName, Kind, Port, VariableName
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source
from hybridconn.config.store import fernet_keys
from hybridconn.core.allow_list import AllowedTarget

#: The systemd credential that holds the key, if no setting names one.
CREDENTIAL = "hcm.key"

#: The longest path that a UNIX socket can have on every system.
_MOST_SOCKET_PATH = 100


def _allowed(value: str, source: Source) -> AllowedTarget:
    try:
        return AllowedTarget.parse(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} allows nothing: {error}.") from None


def _loopback(value: str, source: Source) -> str:
    try:
        good = ipaddress.ip_address(value).is_loopback
    except ValueError:
        good = False
    if not good:
        raise Mistake(
            f"{shown(value)} is no loopback address; use 127.0.0.1 or ::1, and "
            "reach it from elsewhere by SSH."
        )
    return value


def _socket(value: str, source: Source) -> str:
    path = str(source.path(value)) if value else ""
    if len(path.encode()) > _MOST_SOCKET_PATH:
        raise Mistake(
            f"is longer than the {_MOST_SOCKET_PATH} bytes that the path of a socket "
            "may have; choose another folder."
        )
    return path


def _path(value: str, source: Source) -> str:
    return str(source.path(value)) if value else ""


def _word(value: str, source: Source) -> str:
    if value not in ("reject", "withdraw"):
        raise Mistake(f'{shown(value)} is not known; use "reject" or "withdraw".')
    return value


Allowed = Annotated[AllowedTarget, Kind("target", str, _allowed)]
#: What a listener does while its target is down.
WhenDown = Annotated[Literal["reject", "withdraw"], Kind("name", str, _word)]
Loopback = Annotated[str, Kind("IP address", str, _loopback)]
SocketPath = Annotated[str, Kind("file", str, _socket)]
_Path = Annotated[str, Kind("file", str, _path)]


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


@frozen
class AdminSettings:
    """C{[admin]}: where commands and the web page reach the service."""

    socket: SocketPath = field(
        default="",
        metadata=_help(
            "A UNIX socket for `hybridconn hcm`, such as `/run/hybridconn/hcm.sock`. "
            "The user of the service and root may use it. Without it and `port`, "
            "there is no way in."
        ),
    )
    port: Port | None = field(
        default=None,
        metadata=_help("A TCP port as well, for programs that hold the token."),
    )
    interface: Loopback = field(
        default="127.0.0.1",
        metadata=_help("The loopback address of `port`."),
    )
    token_file: _Path = field(
        default="",
        metadata=_help(
            "The token for `port`; made with mode 0600 if it is not there. By default "
            "`hcm.token` beside the socket, or beside this file."
        ),
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """What belongs to a port stands beside one."""
        if "interface" in table and "port" not in table:
            yield Mistake("goes only with port; add one.", "interface")


@frozen
class ConnectionsTable:
    """C{[connections]}: hybrid connections that commands add and remove."""

    folder: _Path = field(
        default="",
        metadata=_help(
            "A folder of files, each with `[[hybrid_connection]]` tables as this file "
            "has them, named `*.toml`. Commands write here. Made if it is not there."
        ),
    )
    key_file: FileName | None = field(
        default=None,
        metadata=_help(
            "A file with the key that encrypts the connection strings that commands "
            "write, as `hybridconn store-key` prints it. More lines are older keys, "
            "which only open. Without it, the systemd credential `hcm.key`, if there "
            "is one."
        ),
    )
    key_env: VariableName | None = field(
        default=None,
        metadata=_help("An environment variable that holds the same."),
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """The key is one."""
        for key in ("key_file", "key_env"):
            if key in table and not table.get("folder"):
                yield Mistake("goes only with folder; add one.", key)
        try:
            _keys(table, source)
        except Mistake as mistake:
            yield mistake


@frozen
class ConnectionsSettings:
    """
    @ivar folder: empty: commands can add nothing.
    @ivar keys: that encrypt connection strings, the newest first; none: they stand
        in private files.
    """

    folder: str = ""
    keys: tuple[str, ...] = field(default=(), repr=False)


def build_connections(table: ConnectionsTable, source: Source) -> ConnectionsSettings:
    """The settings of a table that was checked."""
    given = {"key_file": table.key_file, "key_env": table.key_env}
    return ConnectionsSettings(table.folder, _keys(given, source))


def _keys(table: Mapping[str, Any], source: Source) -> tuple[str, ...]:
    found = fernet_keys(table, source)
    folder = source.environ.get("CREDENTIALS_DIRECTORY")
    if not found and folder:
        credential = Path(folder).absolute() / CREDENTIAL
        if credential.exists():
            return fernet_keys({"key_file": str(credential)}, source)
    return found
