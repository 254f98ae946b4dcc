"""A sender that serves what an app uses, with real processes."""

from __future__ import annotations

import os
import socket

from tests.integration.management_stage import GROUP, SUBSCRIPTION
from tests.integration.programs import Program, command, output_of, twistd
from tests.integration.stage import HOST, table
from tests.integration.targets import read_exactly
from tests.integration.test_live import NS, PLACE, LiveCase
from tests.integration.waiting import free_port

HOST_NAME = "db.corp.example"


class AppTests(LiveCase):
    """Attach, another key, a smaller plan, detach."""

    def start(self) -> Program:
        """A sender whose only setting is the app."""
        role = self.stage.tokens["sender"]
        file = self.stage.write("api.token", role + "\n")
        file.chmod(0o600)
        text = table("", {"ca_file": "ca.pem"})
        text += table(
            "[app]",
            {
                "management": self.stage.base_url,
                "name": "shop",
                "subscription": SUBSCRIPTION,
                "resource_group": GROUP,
                "token_file": "api.token",
                "relay": f"{HOST}:{self.stage.port}",
                "check_interval": 0.3,
            },
        )
        self.config = self.stage.write("sender.toml", text)
        argv = twistd("hcsender", "--config", str(self.config))
        return self.stage.program("sender", argv).start()

    def attach(self, port: int) -> None:
        self.hc(
            *("app", "attach", "shop", NS, "db", "--host", HOST_NAME),
            *("--port", str(port)),
        )

    def ask(self, place: tuple[str, int]) -> socket.socket:  # type: ignore[override]
        app = socket.create_connection(place, 20)
        app.settimeout(20)
        self.addCleanup(app.close)
        app.sendall(b"hello")
        self.assertEqual(read_exactly(app, 5), b"hello")
        return app

    def status(self) -> str:
        argv = command("redirect", "status", "--config", str(self.config))
        return output_of(argv, 30, dict(os.environ))[1]

    def test_life(self) -> None:
        """
        What is attached works within seconds and what is detached ends; another key
        and a relay that is away for a while touch no open connection; past the plan's
        limit the sender names plan, count and limit.
        """
        self.hc("plan", "create", "web", "--sku", "B1")
        self.hc("app", "create", "shop", "--plan", "web")
        self.stage.wait_online(self.start_listener())
        sender = self.start()
        sender.wait_log("app shop: 0 hybrid connections are served")
        port = free_port()
        self.attach(port)
        found = sender.wait_log(rf"db: {HOST_NAME}:{port} is (127\.\S+):{port} here")
        place = found[1], port
        app = self.ask(place)
        self.assertIn("the sender listens", self.status())

        with self.subTest("a wrong key"):
            web = PLACE.partition("/providers/")[0] + "/providers/Microsoft.Web"
            used = f"{web}/sites/shop/hybridConnectionNamespaces/{NS}/relays/db"
            body = {"properties": {"sendKeyValue": "d3Jvbmc="}}
            self.assertEqual(self.stage.call("PATCH", used, body)[0], 200)
            sender.wait_log("another key is used")
            mark = sender.mark()
            with socket.create_connection(place, 20) as other:
                other.settimeout(20)
                self.assertReset(other)
            sender.wait_log("no tunnel", since=mark)
            app.sendall(b"x")
            self.assertEqual(read_exactly(app, 1), b"x")

        with self.subTest("the plan is too small"):
            self.hc("plan", "update", "web", "--sku", "F1")
            words = (
                rf"{NS}/db is not served: the plan web \(Free\) uses 1 hybrid "
                "connections, and its limit is 0"
            )
            sender.wait_log(words)
            self.assertRegex(self.status(), words)
            self.assertRaises(OSError, socket.create_connection, place, 5)
            self.hc("plan", "update", "web", "--sku", "B1")
            self.wait_until("the port to be open", lambda: _open(place))

        self.hc("app", "detach", "shop", NS, "db", "--yes")
        sender.wait_log("db: is served no more")
        self.wait_until("the port to be closed", lambda: not _open(place))

    def test_relay_away(self) -> None:
        """While the relay is away what is known stays, and works again after it."""
        self.hc("plan", "create", "web", "--sku", "B1")
        self.hc("app", "create", "shop", "--plan", "web")
        listener = self.start_listener()
        self.stage.wait_online(listener)
        port = free_port()
        self.attach(port)
        sender = self.start()
        found = sender.wait_log(rf"db: {HOST_NAME}:{port} is (127\.\S+):{port} here")
        place = found[1], port
        self.ask(place).close()
        mark = listener.mark()
        self.stage.relay.stop()
        sender.wait_log("cannot be reached: .*; the 1 that are known stay")
        self.stage.start()
        self.stage.wait_online(listener, since=mark)
        sender.wait_log("app shop: read again")
        self.ask(place)


def _open(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, 5).close()
    except OSError:
        return False
    return True
