"""Running as a service: what a service manager and a collector of logs get."""

from __future__ import annotations

import http.server
import json
import signal
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

import trustme

from tests.integration.case import IntegrationTestCase
from tests.integration.programs import Program, twistd
from tests.integration.stage import HOST, Stage, table
from tests.integration.targets import echo
from tests.integration.waiting import free_port, wait_for

# twistd, whose reactor hangs from SIGUSR1 on: the handler never returns.
_CAN_HANG = """
import signal, time
def hang(*_):
    while True:
        time.sleep(1)
signal.signal(signal.SIGUSR1, hang)
from twisted.scripts.twistd import run
run()
"""


class Manager:
    """
    What a service manager hears.

    @ivar env: what it tells a program that it starts.
    """

    def __init__(self, folder: Path, watchdog: float | None = None) -> None:
        path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self.env = {"NOTIFY_SOCKET": path}
        if watchdog is not None:
            self.env["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))

    def next(self, seconds: float = 20.0) -> str:
        """The next message; empty if there is none in time."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


class ManagedTestCase(IntegrationTestCase):
    """A stage, and a service manager."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage())

    def manager(self, watchdog: float | None = None) -> Manager:
        made = Manager(self.stage.folder, watchdog)
        self.addCleanup(made.close)
        return made

    def role(
        self, role: str, path: Path, *more: str, env: dict[str, str] | None = None
    ) -> Program:
        """A program, not started yet."""
        argv = twistd(role, "--config", str(path), *more)
        return self.stage.program(role, argv, env=env)

    def end(self, program: Program) -> None:
        """Have it end as it should: twistd says that it was asked to."""
        self.assertEqual(program.stop(), -signal.SIGTERM)

    def relay(self, *more: str, env: dict[str, str] | None = None) -> Program:
        return self.role("hcrelay", self.stage.folder / "relay.toml", *more, env=env)


class NotifyTests(ManagedTestCase):
    """Readiness, the end, and the watchdog."""

    def check_life(self, program: Program, manager: Manager, port: int) -> None:
        """READY with its port open, STOPPING, the end."""
        program.start()
        self.assertEqual(manager.next(), "READY=1")
        self.assertIn(port, program.ports())
        self.end(program)
        self.assertEqual(manager.next(1), "STOPPING=1")
        self.assertEqual(manager.next(0.1), "")

    def test_relay(self) -> None:
        """A relay is ready when its port is open."""
        manager = self.manager()
        self.check_life(self.relay(env=manager.env), manager, self.stage.port)

    def test_relay_with_workers(self) -> None:
        """So is one with several processes; C{SIGHUP} does not end it."""
        manager = self.manager()
        relay = self.relay("--workers", "2", env=manager.env)
        relay.start()
        self.assertEqual(manager.next(), "READY=1")
        self.assertIn(self.stage.port, relay.ports())
        relay.child.send_signal(signal.SIGHUP)
        self.assertRegex(manager.next(), "^RELOADING=1\nMONOTONIC_USEC=")
        self.assertEqual(manager.next(), "READY=1")
        self.end(relay)
        self.assertEqual(manager.next(1), "STOPPING=1")

    def test_sender(self) -> None:
        """A sender is ready when its ports are open, whatever the relay does."""
        manager = self.manager()
        port = free_port()
        path = self.stage.sender_config({"echo": port})
        self.check_life(self.role("hcsender", path, env=manager.env), manager, port)

    def test_listener(self) -> None:
        """A listener is ready when it dials; it may have to wait for its relay."""
        manager = self.manager()
        path = self.stage.listener_config({"echo": 1})
        listener = self.role("hclistener", path, env=manager.env).start()
        self.assertEqual(manager.next(), "READY=1")
        listener.wait_log("offline: the connection was refused")
        self.end(listener)
        self.assertEqual(manager.next(1), "STOPPING=1")

    def test_listener_reload(self) -> None:
        """C{SIGHUP} has it read its files; it is ready again even if they are wrong."""
        manager = self.manager()
        path = self.stage.listener_config({"echo": 1})
        listener = self.role("hclistener", path, env=manager.env).start()
        self.assertEqual(manager.next(), "READY=1")
        good = path.read_text()
        for text, said in ((good, "read anew"), (f"x = 1\n{good}", "stays in force")):
            path.write_text(text)
            listener.child.send_signal(signal.SIGHUP)
            self.assertRegex(manager.next(), "^RELOADING=1\nMONOTONIC_USEC=[0-9]+$")
            self.assertEqual(manager.next(), "READY=1")
            listener.wait_log(said)

    def test_never_ready(self) -> None:
        """What cannot start never says that it is ready."""
        manager = self.manager()
        with socket.create_server(("127.0.0.1", self.stage.port)):
            relay = self.relay(env=manager.env).start()
            self.assertEqual(relay.child.wait(20), 1)
        self.assertEqual(manager.next(0.1), "")
        broken = self.stage.write("broken.toml", "x = 1\n")
        for role in ("hcrelay", "hclistener", "hcsender"):
            program = self.role(role, broken, env=manager.env).start()
            self.assertEqual(program.child.wait(20), 1)
            self.assertEqual(manager.next(0.1), "")

    def test_watchdog(self) -> None:
        """It hears from us until the reactor hangs, and then no more."""
        manager = self.manager(watchdog=1.5)
        config = str(self.stage.folder / "relay.toml")
        options = ("--nodaemon", "--pidfile=", "hcrelay", "--config", config)
        relay = self.stage.program(
            "relay", [sys.executable, "-c", _CAN_HANG, *options], env=manager.env
        ).start()
        self.assertEqual(manager.next(), "READY=1")
        began = time.monotonic()
        for _ in range(4):
            self.assertEqual(manager.next(1.5), "WATCHDOG=1")
        self.assertGreater(time.monotonic() - began, 1.0)
        relay.child.send_signal(signal.SIGUSR1)
        # Those that were on their way.
        wait_for("it to fall silent", lambda: not manager.next(1.5), 10)
        self.assertTrue(relay.running)

    def test_reload(self) -> None:
        """C{SIGHUP} takes over a changed certificate at once."""
        manager = self.manager()
        relay = self.relay(env=manager.env).start()
        self.assertEqual(manager.next(), "READY=1")
        before = self.shown()
        self.stage.certify(self.stage.ca.issue_cert(HOST, "127.0.0.1"))
        relay.child.send_signal(signal.SIGHUP)
        self.assertRegex(manager.next(), "^RELOADING=1\nMONOTONIC_USEC=[0-9]+$")
        self.assertEqual(manager.next(), "READY=1")
        self.assertNotEqual(self.shown(), before)
        relay.wait_log("New certificates are in use")

    def shown(self) -> bytes | None:
        """The relay's certificate."""
        with self.stage.dial_relay() as connection:
            assert isinstance(connection, ssl.SSLSocket)
            return connection.getpeercert(binary_form=True)


class JsonLogTests(ManagedTestCase):
    """C{--log-format json}."""

    def lines(self, program: Program) -> list[dict[str, Any]]:
        """All that it logged; each line is an object."""
        return [json.loads(line) for line in program.log().splitlines()]

    def test_roles(self) -> None:
        """Each line of the three programs is an object, with the event's fields."""
        relay = self.relay("--log-format", "json").start()
        relay.wait_port(self.stage.port)
        target = self.target(echo)
        path = self.stage.listener_config({"echo": target.port})
        listener = self.role("hclistener", path, "--log-format", "json").start()
        self.stage.wait_online(listener)
        port = free_port()
        path = self.stage.sender_config({"echo": port}, spares={"most": 0})
        sender = self.role("hcsender", path, "--log-format=json").start()
        sender.wait_port(port)
        with self.stage.dial(port) as connection:
            connection.sendall(b"x")
            self.assertEqual(connection.recv(1), b"x")
        sender.wait_log("ended by")
        for program in (relay, listener, sender):
            self.end(program)
            for line in self.lines(program):
                self.assertLessEqual({"time", "level", "logger", "text"}, set(line))
        online = [one for one in self.lines(listener) if "online at" in one["text"]]
        self.assertEqual(online[0]["level"], "info")
        self.assertEqual(online[0]["fields"]["entity"], "echo")
        self.assertTrue(online[0]["logger"].startswith("hybridconn.listener"))

    def test_workers(self) -> None:
        """What a worker logs has its number."""
        relay = self.relay("--log-format", "json", "--workers", "2").start()
        relay.wait_log('"worker": 1', 20)
        relay.wait_log('"worker": 2', 20)
        self.end(relay)
        for line in self.lines(relay):
            self.assertIn("text", line)

    def test_unknown(self) -> None:
        """Another format is a mistake, in one line."""
        relay = self.relay("--log-format", "xml").start()
        self.assertEqual(relay.child.wait(20), 1)
        self.assertEqual(
            relay.log(),
            "hcrelay: command line: --log-format: 'xml' is not known; use text or "
            "json.\n",
        )


class UpdateTests(ManagedTestCase):
    """C{[update_notice]}."""

    def place(self, authority: trustme.CA) -> str:
        """A place that knows of version 99."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Newest)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"https://{HOST}:{server.server_port}/hybridconn.json"

    def notice(self, url: str) -> str:
        return table("[update_notice]", {"url": url, "ca_file": "ca.pem"})

    def test_newer(self) -> None:
        """Each program says that a newer version is there."""
        said = "hybridconn 99.0 is there; this is "
        notice = self.notice(self.place(self.stage.ca))
        listener = self.stage.listener_config({"echo": 1})
        sender = self.stage.sender_config({"echo": free_port()})
        for role, path in (
            ("hcrelay", self.stage.folder / "relay.toml"),
            ("hclistener", listener),
            ("hcsender", sender),
        ):
            path.write_text(path.read_text() + notice)
            program = self.role(role, path).start()
            program.wait_log(said)
            self.end(program)

    def test_not_trusted(self) -> None:
        """A place with another authority is not believed, and holds nothing up."""
        path = self.stage.folder / "relay.toml"
        path.write_text(path.read_text() + self.notice(self.place(trustme.CA())))
        relay = self.relay().start()
        relay.wait_log("no word of newer versions from https.*certificate")
        relay.wait_port(self.stage.port)


class _Newest(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"version": "99.0"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
