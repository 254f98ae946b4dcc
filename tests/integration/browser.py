"""
A Chromium that tests drive, by a small client of its DevTools protocol.

Keys and clicks are made as the browser's own input, so that focus, default actions and
what covers what are real.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import connect

from tests.integration.case import need
from tests.integration.waiting import wait_for

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
#: Names of keys, with the code that the browser wants and the text that they make.
_KEYS = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Escape": (27, ""),
    " ": (32, " "),
    "ArrowUp": (38, ""),
    "ArrowDown": (40, ""),
    "ArrowLeft": (37, ""),
    "ArrowRight": (39, ""),
    "Home": (36, ""),
    "End": (35, ""),
    "Delete": (46, ""),
}
_SHIFT = 8


def _read(selector: str) -> str:
    # What is not shown has no rectangles, but an innerText all the same.
    return (
        f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
        " return e && e.getClientRects().length ? e.innerText : ''; })()"
    )


class PageError(AssertionError):
    """A script of a test failed in the page."""


class Browser:
    """
    One page of a browser with nothing in its profile.

    @param folder: for the profile.
    @ivar complaints: what the page said on its console that it should not.
    @ivar requests: the addresses that it asked for.
    """

    def __init__(self, folder: Path, width: int = 1400, height: int = 900) -> None:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        need(program, "no Chromium here (Debian: apt install chromium)")
        profile = folder / "browser"
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._numbers = count(1)
        self._child = subprocess.Popen(
            [
                str(program),
                *_FLAGS,
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ready = profile / "DevToolsActivePort"
        wait_for("Chromium to start", lambda: ready.exists() and ready.read_text(), 60)
        port = ready.read_text().split("\n")[0]
        pages = wait_for("a page", lambda: self._pages(port), 30)
        self._socket = connect(
            pages[0]["webSocketDebuggerUrl"], max_size=None, compression=None
        )
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height)

    @staticmethod
    def _pages(port: str) -> list[dict[str, Any]]:
        with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            listed: list[dict[str, Any]] = json.loads(answer.read())
        return [one for one in listed if one["type"] == "page"]

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(10)

    # --- the protocol ---

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            said = json.loads(self._socket.recv(timeout=60))
            if said.get("id") != number:
                self._heard(said)
            elif "error" in said:
                raise PageError(f"{method}: {said['error']['message']}")
            else:
                result: dict[str, Any] = said["result"]
                return result

    def _heard(self, said: dict[str, Any]) -> None:
        kind, values = said.get("method"), said.get("params", {})
        if kind == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            thrown = details.get("exception", {}).get("description", "")
            self.complaints.append(f"{details['text']} {thrown}")
        elif kind == "Log.entryAdded" and values["entry"]["level"] == "error":
            entry = values["entry"]
            self.complaints.append(f"{entry['text']} {entry.get('url', '')}")
        elif kind == "Runtime.consoleAPICalled" and values["type"] == "error":
            self.complaints.append(json.dumps(values["args"]))
        elif kind == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])

    # --- what it shows ---

    def go(self, url: str) -> None:
        """Open an address."""
        self.send("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; promises are awaited."""
        done = self.send(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in done:
            details = done["exceptionDetails"]
            thrown = details.get("exception", {}).get("description", details["text"])
            raise PageError(f"{script[:200]}: {thrown}")
        return done["result"].get("value")

    def wait(self, what: str, script: str, seconds: float = 15.0) -> None:
        """Wait until an expression is true."""

        def ask() -> bool:
            try:
                return bool(self.run(f"Boolean({script})"))
            except PageError:  # it is on its way from one address to the next
                return False

        try:
            wait_for(what, ask, seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}; the page says: {self.text()!r}") from None

    def text(self, selector: str = "body") -> str:
        """What a person reads in the first element; empty if there is none to see."""
        return str(self.run(_read(selector)))

    def wait_text(
        self, words: str, selector: str = "body", seconds: float = 15.0
    ) -> None:
        """Wait for words to be read somewhere."""
        said = f"({_read(selector)}).includes({json.dumps(words)})"
        self.wait(f"{selector} to say {words!r}", said, seconds)

    # --- what a person does ---

    def click(self, selector: str) -> None:
        """Click with the mouse where an element is, once it is there."""
        name = json.dumps(selector)
        self.wait(
            f"{selector} to be there",
            f"(() => {{ const e = document.querySelector({name});"
            " return e && !e.disabled && e.getClientRects().length > 0; })()",
        )
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({name});"
            " e.scrollIntoView({block: 'nearest'});"
            " const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                clickCount=1,
            )

    def press(self, key: str, shift: bool = False) -> None:
        """Press a key and let it go."""
        code, text = _KEYS[key]
        event = {
            "key": key,
            "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": code,
            "modifiers": _SHIFT if shift else 0,
        }
        pressed = {"text": text} if text else {}
        kind = "keyDown" if text else "rawKeyDown"
        self.send("Input.dispatchKeyEvent", type=kind, **event, **pressed)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def paste(self, text: str) -> None:
        """Put text where the focus is."""
        self.send("Input.insertText", text=text)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """Have the person like C{dark} or C{light}."""
        self.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def axe(self) -> list[str]:
        """What axe-core, which must have been run, complains of."""
        found = self.run(
            """axe.run(document, { resultTypes: ["violations"] }).then((result) =>
              result.violations.flatMap((rule) => rule.nodes.map((node) =>
                `${rule.id}: ${node.target}: ${node.failureSummary}`)))"""
        )
        assert isinstance(found, list)
        return found

    def picture(self, path: Path) -> None:
        """Write what is seen into a PNG file."""
        shot = self.send("Page.captureScreenshot", format="png")
        path.write_bytes(b64decode(shot["data"]))
