"""
A listener and a sender on the C{websockets} package: independent of our code.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integration.pump import plain_end
from tests.integration.stage import LISTEN, SEND, Stage


class Refused(Exception):
    """The relay answered other than 101."""

    def __init__(self, status: int, reason: str, body: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.body = body


def dial(
    stage: Stage,
    url: str,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> ClientConnection:
    """
    Open a WebSocket to the stage's relay.

    @raise Refused: if the relay says no.
    """
    fields = dict(headers or {})
    if token is not None:
        fields["ServiceBusAuthorization"] = token
    settings: dict[str, Any] = {
        "additional_headers": fields,
        "compression": None,
        "open_timeout": 40,
        "close_timeout": 10,
        "max_size": None,
        "proxy": None,
        "ping_interval": None,
    }
    if not stage.insecure:
        # This library reads in one thread and writes in another.
        parts = urlsplit(url)
        plain = stage.dial(parts.port or 443)
        secured = stage.trust().wrap_socket(plain, server_hostname=parts.hostname)
        settings["sock"] = plain_end(secured)
        url = parts._replace(scheme="ws").geturl()
    try:
        opened: ClientConnection = connect(url, **settings | more)
        return opened
    except InvalidStatus as no:
        answer = no.response
        raise Refused(
            answer.status_code, answer.reason_phrase, (answer.body or b"").decode()
        ) from None


def send_to(stage: Stage, path: str, query: str = "", **more: Any) -> ClientConnection:
    """
    Be a sender.

    @param path: entity and suffix.
    """
    token = stage.token(path, SEND)
    return dial(stage, stage.url(path, "connect", query), token, **more)


class Listener:
    """
    A listener whose control channel is open.

    @param serve: runs in a thread for each accepted connection, with it.
    @ivar commands: every command that came, in order.
    """

    def __init__(
        self,
        stage: Stage,
        entity: str,
        serve: Callable[[ClientConnection], None] | None = None,
        token: str | None = None,
    ) -> None:
        self.stage = stage
        self.commands: list[dict[str, Any]] = []
        self.came = threading.Semaphore(0)
        self._serve = serve
        self.control = dial(
            stage, stage.url(entity, "listen"), token or stage.token(entity, LISTEN)
        )
        self.ended = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        # How a channel ended is asked of C{control}, not found in a traceback.
        with suppress(ConnectionClosed):
            for text in self.control:
                self._heard(json.loads(text))
        self.ended.set()

    def _heard(self, command: dict[str, Any]) -> None:
        self.commands.append(command)
        self.came.release()
        if self._serve and "accept" in command:
            threading.Thread(
                target=self._run, args=(command["accept"],), daemon=True
            ).start()

    def _run(self, accept: dict[str, Any]) -> None:
        assert self._serve is not None
        offered = accept["connectHeaders"].get("Sec-WebSocket-Protocol")
        chosen = [offered.split(",")[0].strip()] if offered else None
        # Senders leave before they are accepted, and tunnels break.
        with (
            suppress(Refused, ConnectionClosed, OSError),
            dial(self.stage, accept["address"], subprotocols=chosen) as tunnel,
        ):
            self._serve(tunnel)

    def next(self, seconds: float = 15.0) -> dict[str, Any]:
        """The next C{accept}'s content."""
        assert self.came.acquire(timeout=seconds), "no command came"
        content = self.commands[-1]["accept"]
        assert isinstance(content, dict)
        return content

    def close(self) -> None:
        """Close the control channel."""
        self.control.close()


def echo(tunnel: ClientConnection) -> None:
    """Send each message back as it came."""
    for message in tunnel:
        tunnel.send(message)
