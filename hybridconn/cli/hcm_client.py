"""Calls of a connection manager that runs on this machine, for commands."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote, urlsplit

import click
from attrs import field, frozen

from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import Source, read_bytes

#: Environment variables that stand for the options of the same name.
SOCKET_VARIABLE = "HYBRIDCONN_HCM_SOCKET"
CONFIG_VARIABLE = "HYBRIDCONN_HCM_CONFIG"

DEFAULT_SOCKET = "/run/hybridconn/hcm.sock"

# A test of a target and its relay may take both their time-outs.
_SECONDS = 60.0


class NotReachable(click.ClickException):
    """The service is not there."""

    exit_code = 3


class NotThere(click.ClickException):
    """There is no such hybrid connection."""

    exit_code = 4


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect (http.client)."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@frozen
class HcmClient:
    """
    Where the manager is.

    @ivar socket: its UNIX socket; or C{url}: C{http://127.0.0.1:PORT}.
    @cvar usual: the socket that is meant if nothing is said.
    @cvar role: of C{hybridconn check}.
    @cvar who: is called.
    @cvar hint: what to do if nobody is there.
    """

    usual: ClassVar[str] = DEFAULT_SOCKET
    role: ClassVar[str] = "listener"
    who: ClassVar[str] = "the Hybrid Connection Manager service"
    hint: ClassVar[str] = (
        "Is twistd hclistener running, with [admin] in its configuration, and for this "
        f"user? Another place: --socket, --config or {SOCKET_VARIABLE}."
    )

    socket: str = ""
    url: str = ""
    token: str = field(default="", repr=False)

    @classmethod
    def from_options(
        cls,
        socket: str | None,
        config: str | None,
        url: str | None,
        token_file: str | None,
    ) -> HcmClient:
        """
        @raise click.ClickException: what is said does not fit together.
        """
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme != "http" or not parts.hostname or token_file is None:
                raise click.UsageError(
                    "write --url http://127.0.0.1:PORT --token-file FILE."
                )
            return cls(url=url, token=_token(token_file))
        if socket is None and config is not None:
            socket = _socket_of(config, cls.role)
        return cls(socket=socket or cls.usual)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self.url or self.socket

    def call(self, method: str, path: str, body: object = None) -> Any:
        """
        Make one call.

        @return: its JSON; L{None} if there is none.
        @raise click.ClickException: it was refused, or nobody is there.
        """
        try:
            response = self._ask(method, path, body, _SECONDS)
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)
        return self._value(response, said)

    def download(self, path: str) -> tuple[str, bytes]:
        """
        A file: what the service calls it, and its bytes.

        @raise click.ClickException: it was refused, or nobody is there.
        """
        try:
            response = self._ask("GET", path, None, _SECONDS)
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)
        if response.status >= 400:
            self._value(response, said)
        name = response.headers.get_filename() or ""
        return Path(name).name or "download", said

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """
        Kind and JSON of each event of a stream, until it ends.

        @raise click.ClickException: it was refused, or nobody is there.
        """
        try:
            response = self._ask("GET", path, None, None)
            if response.status >= 400:
                self._value(response, response.read())
            kind = ""
            for raw in response:
                line = raw.decode("utf-8").rstrip("\n")
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield kind, json.loads(line[6:])
        except (OSError, http.client.HTTPException) as error:
            self._unreachable(error)

    def _ask(
        self, method: str, path: str, body: object, timeout: float | None
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None
        if body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection: http.client.HTTPConnection
        if self.url:
            parts = urlsplit(self.url)
            connection = http.client.HTTPConnection(
                parts.hostname or "", parts.port, timeout=timeout
            )
        else:
            connection = _SocketConnection(self.socket, timeout)
        connection.request(method, path, data, headers)
        return connection.getresponse()

    def _value(self, response: http.client.HTTPResponse, said: bytes) -> Any:
        try:
            value = json.loads(said) if said else None
        except ValueError:
            raise NotReachable(f"{self.place} answered no JSON.") from None
        if response.status < 400:
            return value
        error = value.get("error", {}) if isinstance(value, dict) else {}
        message = str(error.get("message") or f"{response.status} {response.reason}")
        raise (NotThere if response.status == 404 else click.ClickException)(message)

    def _unreachable(self, error: Exception) -> NoReturn:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise NotReachable(
            f"{self.who} cannot be reached at {self.place}: {why}. {self.hint}"
        ) from None


def connection_path(name: str, namespace: str | None, more: str = "") -> str:
    """The path of a hybrid connection."""
    query = f"?namespace={quote(namespace, safe='')}" if namespace else ""
    return f"/v1/connections/{quote(name, safe='')}{more}{query}"


def read_secret(file: str | None, prompt: str) -> str:
    """
    Read a connection string from a file, a prompt or standard input.

    @param file: C{-}: standard input; L{None}: a prompt, if there is a terminal.
    @raise click.ClickException: it cannot be read, or others can read it.
    """
    if file is None and sys.stdin.isatty():
        text = click.prompt(prompt, hide_input=True, err=True)
    elif file is None or file == "-":
        text = sys.stdin.read(65536)
    else:
        text = _private(file)
    if not text.strip():
        raise click.ClickException("the connection string is empty.")
    return str(text).strip()


def _private(file: str) -> str:
    try:
        source = Source("command line", Path(), os.environ)
        return read_bytes(file, source, private=True).decode("utf-8-sig")
    except (Mistake, UnicodeDecodeError) as error:
        text = error.text if isinstance(error, Mistake) else "it is no UTF-8 text."
        raise click.ClickException(text) from None


def _token(file: str) -> str:
    return _private(file).strip()


def _socket_of(config: str, role: str) -> str:
    try:
        with open(config, "rb") as opened:
            found = tomllib.load(opened).get("admin", {}).get("socket", "")
    except OSError as error:
        raise click.ClickException(
            f"{config} cannot be read: {error.strerror}."
        ) from None
    except (tomllib.TOMLDecodeError, AttributeError):
        raise click.ClickException(
            f"{config} cannot be used; see: hybridconn check --role {role}."
        ) from None
    if not found:
        raise click.ClickException(f"{config} has no socket in [admin]; add one.")
    return str(Path(config).parent / found)
