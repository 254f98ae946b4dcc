"""
A tunnel from end to end on this machine.

Writes a configuration with C{hybridconn init}, starts relay, listener and sender
as three C{twistd} processes and a small web server as the target, and has a real
client talk to that server through them, over TLS.  Stays up until Ctrl-C; with
C{ONCE=1} in the environment it ends by itself, with status 0 only if every byte
came back right.  Run it by C{make demo}.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

PAGE = b"Hello from the target, through sender, relay and listener.\n"
ECHOED = 8 * 1024 * 1024
# Starting takes a second or two; a slow machine may need more.
PATIENCE = 40.0

# No proxy: what we fetch is on this machine.
fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Failed(Exception):
    """
    The demo cannot go on.

    @ivar log: the log that says more, if there is one.
    """

    def __init__(self, why: str, log: Path | None = None) -> None:
        super().__init__(why)
        self.log = log


class Target(BaseHTTPRequestHandler):
    """The target: a page for GET, and POST sends back what it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Serve the page."""
        self._answer(PAGE)

    def do_POST(self) -> None:
        """Send the body back."""
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


class Program:
    """One of the three services as a process."""

    def __init__(self, name: str, config: str, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        twistd = Path(sys.executable).with_name("twistd")
        argv = [str(twistd), "--nodaemon", "--pidfile=", name, "--config", config]
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                argv,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for us: we end the three in order.
                start_new_session=True,
            )

    def check(self) -> None:
        """
        @raise Failed: if it has ended.
        """
        if self.child.poll() is not None:
            why = f"{self.name} ended with status {self.child.returncode}"
            raise Failed(why, self.log)

    def stop(self) -> None:
        """End it; harmless if it has ended."""
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def free_port() -> int:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def configure(folder: Path, relay: int, target: int, bind: int) -> None:
    """Have C{hybridconn init} write keys, certificates and the configuration."""
    made = subprocess.run(
        [
            str(Path(sys.executable).with_name("hybridconn")),
            *["init", str(folder), "--host", "localhost", "--port", str(relay)],
            *["--entity", "demo", "--endpoint", f"127.0.0.1:{target}"],
            *["--bind", f"127.0.0.1:{bind}"],
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode:
        said = made.stdout.decode("utf-8", "replace").strip()
        raise Failed(f"hybridconn init failed: {said}")
    # A demo need not be reached from other machines.
    config = folder / "relay.toml"
    text = config.read_text()
    config.write_text(text.replace("[listen]\n", '[listen]\ninterface = "127.0.0.1"\n'))


def until(what: str, attempt: Callable[[], bytes], programs: list[Program]) -> bytes:
    """Try until it works; all programs must run meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while True:
        for program in programs:
            program.check()
        try:
            return attempt()
        except (OSError, urllib.error.URLError) as problem:
            if time.monotonic() > deadline:
                why = f"{what} did not work in {PATIENCE:.0f} s: {problem}"
                raise Failed(why, programs[-1].log) from None
            time.sleep(0.1)


def exchange(url: str, programs: list[Program]) -> str:
    """
    Send real traffic through.

    @return: what was done, for people.
    @raise Failed: if not every byte came back right.
    """

    def get() -> bytes:
        with fetch(url, timeout=10) as answer:
            page: bytes = answer.read()
            return page

    if until("getting a page", get, programs) != PAGE:
        raise Failed("the page came back changed", programs[-1].log)
    sent = os.urandom(ECHOED)
    began = time.monotonic()
    try:
        with fetch(url, data=sent, timeout=60) as answer:
            got = answer.read()
    except OSError as problem:
        raise Failed(f"echoing failed: {problem}", programs[-1].log) from None
    seconds = time.monotonic() - began
    digest = hashlib.sha256(sent).hexdigest()
    if hashlib.sha256(got).hexdigest() != digest:
        raise Failed("the bytes came back changed", programs[-1].log)
    return (
        f"Got a page, and {ECHOED >> 20} MiB echoed in {seconds:.2f} s,"
        f" unchanged (SHA-256 {digest[:16]}...)."
    )


def run(folder: Path, once: bool) -> None:
    """The whole demo."""
    target = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    relay, bind = free_port(), free_port()
    configure(folder, relay, target.server_port, bind)
    programs: list[Program] = []
    try:
        for role in ("relay", "listener", "sender"):
            programs.append(Program(f"hc{role}", f"{role}.toml", folder))
        print(f"hcrelay     wss://localhost:{relay} (TLS, an authority of its own)")
        print(f"hclistener  hybrid connection demo -> 127.0.0.1:{target.server_port}")
        print(f"hcsender    127.0.0.1:{bind} -> hybrid connection demo", flush=True)
        url = f"http://127.0.0.1:{bind}/"
        print(exchange(url, programs))
        if once:
            return
        print(f"\nThe tunnel is open at host 127.0.0.1, port {bind}. Try:")
        print(f"  curl {url}")
        print(f"Configuration and logs: {folder}")
        print("Ctrl-C ends it and removes them.", flush=True)
        while True:
            time.sleep(1)
            for program in programs:
                program.check()
    finally:
        # The second Ctrl-C of an impatient user must not leave any behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for program in reversed(programs):
            program.stop()
        target.shutdown()


def interrupt(*_: object) -> NoReturn:
    """Have SIGTERM end us as Ctrl-C does."""
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, interrupt)
    folder = Path(tempfile.mkdtemp(prefix="hybridconn-demo-"))
    try:
        run(folder, os.environ.get("ONCE", "") not in ("", "0"))
    except KeyboardInterrupt:
        print("\nEnded.")
    except Failed as problem:
        print(f"demo: {problem}.", file=sys.stderr)
        if problem.log is not None and problem.log.exists():
            lines = problem.log.read_text("utf-8", "replace").splitlines()[-15:]
            print(f"The end of {problem.log.name}:", file=sys.stderr)
            print("\n".join(f"  {line}" for line in lines), file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
