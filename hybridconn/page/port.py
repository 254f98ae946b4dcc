"""
An admin port: a UNIX socket for the owner of the service and for root, and a loopback
port for who holds the token, or for a browser with a session.
"""

from __future__ import annotations

import hmac
import os
import random
import secrets
import socket
import stat
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

from twisted.application.service import MultiService
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.logger import Logger

from hybridconn.config.mistakes import ConfigError, Mistake
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.limits import Limits
from hybridconn.files import replace_file
from hybridconn.interfaces import IHeldRequest
from hybridconn.management.routing import Route
from hybridconn.page.handler import BY_LINK, BY_TOKEN, AdminApi, Authenticator
from hybridconn.startup import PortService, exit_for_port
from hybridconn.web.admission import Admission
from hybridconn.web.connection import FrontDoorProtocol
from hybridconn.web.frontdoor import FrontDoor

_TOKEN_BYTES: Final = 32
_BEARER: Final = "bearer "
_LIMITS: Final = Limits()
#: Linux's struct ucred.
_UCRED: Final = struct.Struct("3i")


class Where(Protocol):
    """The settings of an admin port."""

    @property
    def socket(self) -> str:
        """The path of the UNIX socket; empty for none."""

    @property
    def port(self) -> int | None:
        """The TCP port."""

    @property
    def interface(self) -> str:
        """The address of that, of loopback."""


class AdminPorts(MultiService):
    """
    Serves while it runs.

    @param program: begins the line that says that a port is taken.
    @param settings: say where.
    @param token: the path of the token's file, if there is one for the port.
    @param routes: for those who may.
    @param open_routes: for everybody who reaches the port.
    @param authenticators: tried after the token.
    @param wall: seconds since 1970-01-01 UTC.
    @raise ConfigError: the token's file cannot be used.
    """

    def __init__(
        self,
        program: str,
        settings: Where,
        token: Path | None,
        reactor: Any,
        *,
        wall: Callable[[], float],
        routes: Iterable[Route],
        open_routes: Iterable[Route] = (),
        authenticators: Iterable[Authenticator] = (),
        environ: Any = os.environ,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._wall = wall
        routes, opened = tuple(routes), tuple(open_routes)
        known: list[Authenticator] = list(authenticators)
        if settings.port is not None and token is not None:
            known.insert(0, TokenGate(load_token(token, environ)))
        if settings.socket:
            api = AdminApi(routes, opened, [_who_is_local], local=True)
            self._listen(
                UNIXServerEndpoint(reactor, settings.socket, mode=0o600),
                self._door(api, LocalFrontDoor),
                exit_for_port(program, settings.socket),
                settings.socket,
            )
        if settings.port is not None:
            way_in = BY_LINK if token is None else BY_TOKEN
            api = AdminApi(routes, opened, known, local=False, way_in=way_in)
            kind = (
                TCP6ServerEndpoint if ":" in settings.interface else TCP4ServerEndpoint
            )
            self._listen(
                kind(reactor, settings.port, interface=settings.interface),
                self._door(api, FrontDoor),
                exit_for_port(
                    program, f"{settings.interface} port {settings.port} of [admin]"
                ),
            )

    def _door(self, api: AdminApi, kind: type[FrontDoor]) -> FrontDoor:
        return kind(
            api,
            _LIMITS,
            self._reactor,
            Admission(_LIMITS, self._reactor, random.random),
            self._wall,
            uuid4,
        )

    def _listen(
        self, endpoint: Any, factory: FrontDoor, failed: Any, path: str = ""
    ) -> None:
        port = AdminPort(endpoint, factory, failed, path)
        port.setServiceParent(self)


class AdminPort(PortService):
    """
    @param path: of its socket; what a process that was killed left there is removed.
    """

    def __init__(self, endpoint: Any, factory: Any, failed: Any, path: str) -> None:
        super().__init__(endpoint, factory, failed)
        self._path = path

    def privilegedStartService(self) -> None:
        """Open the port (Twisted)."""
        if self._path:
            _clear(self._path)
        super().privilegedStartService()


class LocalProtocol(FrontDoorProtocol):
    """Of a UNIX socket: only for this user and for root."""

    log = Logger()

    def connectionMade(self) -> None:
        """See who it is (Twisted)."""
        super().connectionMade()
        transport: Any = self.transport
        user = peer_user(transport.getHandle())
        if user is not None and user not in (0, os.geteuid()):
            self.log.warn("user {user} was turned away at the admin socket", user=user)
            transport.abortConnection()


class LocalFrontDoor(FrontDoor):
    """The one of a UNIX socket."""

    protocol_class = LocalProtocol


class TokenGate:
    """Lets in who shows the token."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def __call__(self, request: IHeldRequest) -> str | None:
        """An L{Authenticator}."""
        given = request.head.get("Authorization") or ""
        if not given.lower().startswith(_BEARER):
            return None
        shown = given[len(_BEARER) :].strip().encode("utf-8", "replace")
        return "token" if hmac.compare_digest(shown, self._token) else None


def _who_is_local(request: IHeldRequest) -> str | None:
    # The socket's mode and LocalProtocol let nobody else in.
    return "local"


def peer_user(handle: socket.socket) -> int | None:
    """The user id of a UNIX socket's other end; L{None} where nobody tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    raw = handle.getsockopt(socket.SOL_SOCKET, option, _UCRED.size)
    found: Sequence[int] = _UCRED.unpack(raw)
    return found[1]


def load_token(path: Path, environ: Any = os.environ) -> str:
    """
    Read the token, or make one.

    @raise ConfigError: it cannot be used, or others can read it.
    """
    name = str(path)
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = secrets.token_urlsafe(_TOKEN_BYTES)
            replace_file(path, f"{made}\n".encode())
        source = Source(name, Path(), environ)
        text = read_bytes(name, source, private=True).decode("utf-8", "replace")
    except OSError as error:
        why = error.strerror or "unknown error"
        raise ConfigError(
            name, [f"{name}: the token cannot be written: {why}."]
        ) from None
    except Mistake as mistake:
        raise ConfigError(name, [f"[admin] token_file: {mistake.text}"]) from None
    if len(text.strip()) < _TOKEN_BYTES // 2:
        raise ConfigError(
            name, [f"{name}: holds no token; remove it, then a new one is made."]
        )
    return text.strip()


def _clear(path: str) -> None:
    """Remove a socket on which nobody listens any more; make its folder."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocker:
        try:
            knocker.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            return
