"""Runs the published Node clients: L{Peer} is one of C{tests/clients/*.js}."""

from __future__ import annotations

import base64
import fcntl
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.case import need
from tests.integration.programs import environment, output_of
from tests.integration.stage import Stage

CLIENTS = Path(__file__).resolve().parent.parent / "clients"
BUILD = CLIENTS.parent.parent / "build" / "clients"


def installed() -> Path:
    """
    The folder where the clients are installed, which happens here the first time.
    Skips the test if they cannot be had.
    """
    npm = shutil.which("npm")
    need(npm and shutil.which("node"), "no node and npm here (Debian: apt install npm)")
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        # Two runs of tests may want them at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (CLIENTS / "package.json").read_text()
        stamp = BUILD / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.copytree(CLIENTS, BUILD, dirs_exist_ok=True)
            status, said = output_of(
                [str(npm), "install", "--no-audit", "--no-fund", "--ignore-scripts"],
                seconds=180,
                folder=BUILD,
            )
            need(status == 0, f"npm could not install the clients: {said[-300:]}")
            stamp.write_text(wanted)
        for script in CLIENTS.glob("*.js"):
            shutil.copy(script, BUILD)
    return BUILD


def _script(role: str) -> list[str]:
    if role == "https":
        return [str(installed() / "https_listener.js")]
    return [str(installed() / "peer.js"), role]


class Peer:
    """
    A hyco-ws listener or sender, or a hyco-https listener, in a process of its own.

    @param role: C{listen}, C{connect} or C{https}.

    @ivar events: what it told so far and nobody has asked for.
    """

    def __init__(
        self,
        stage: Stage,
        role: str,
        url: str,
        right: str,
        *protocols: str,
        echo: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> None:
        node = shutil.which("node")
        assert node is not None
        fields = {
            "NODE_EXTRA_CA_CERTS": str(stage.ca_file),
            "NODE_NO_WARNINGS": "1",
            "RULE": right.lower(),
            "KEY": stage.keys[right],
            **({"ECHO": "1"} if echo else {}),
            **(env or {}),
        }
        self._errors = stage.folder / f"{role}-{id(self)}.stderr"
        with self._errors.open("wb") as errors:
            self._child = subprocess.Popen(
                [node, *_script(role), url, *protocols],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(fields),
            )
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            for line in lines:
                self.events.put(json.loads(line))
        self.events.put(None)

    def expect(self, event: str, seconds: float = 20.0) -> dict[str, Any]:
        """The next thing it tells, which must be C{event}."""
        try:
            got = self.events.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no {event!r} in {seconds:g} s") from None
        assert got is not None, f"it ended: {self._errors.read_text()[-2000:]}"
        assert got["event"] == event, f"{got} instead of {event!r}"
        return got

    def _order(self, **order: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(order).encode() + b"\n")
        self._child.stdin.flush()

    def text(self, text: str, at: int = 0) -> None:
        """Have it send a text message."""
        self._order(text=text, at=at)

    def binary(self, data: bytes, at: int = 0) -> None:
        """Have it send a binary message."""
        self._order(base64=base64.b64encode(data).decode(), at=at)

    def close_with(self, *what: object, at: int = 0) -> None:
        """Have it close its tunnel, with a code and a reason or without."""
        self._order(close=list(what), at=at)

    def terminate(self, at: int = 0) -> None:
        """Have it drop its tunnel without Close."""
        self._order(terminate=True, at=at)

    def end(self) -> None:
        """End the process."""
        self._child.kill()
        self._child.wait(10)
        if self._child.stdin is not None:
            self._child.stdin.close()
