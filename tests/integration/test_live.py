"""What an operator sees and does while tunnels run: real relay, listener and sender."""

from __future__ import annotations

import json
import signal
import ssl
from typing import Any

from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import GROUP, SUBSCRIPTION, ManagementStage
from tests.integration.programs import Program, command, output_of, twistd
from tests.integration.stage import HOST, table
from tests.integration.targets import echo, read_exactly
from tests.integration.tokens import make_token
from tests.integration.waiting import free_port

NS = "contoso"
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Relay"
PLACE = f"{BASE}/namespaces/{NS}"


class LiveCase(IntegrationTestCase):
    """A relay with a store, a namespace and the hybrid connection C{db}."""

    def setUp(self) -> None:
        super().setUp()
        stage = ManagementStage()
        self.use(stage)
        self.stage = stage
        stage.start()
        self.env = {
            "HYBRIDCONN_MANAGEMENT_URL": stage.base_url,
            "HYBRIDCONN_MANAGEMENT_TOKEN": stage.tokens["admin"],
            "HYBRIDCONN_MANAGEMENT_CA_FILE": str(stage.ca_file),
        }
        self.echo = self.target(echo)
        self.hc("namespace", "create", NS)
        self.hc("connection", "create", NS, "db", "--endpoint", self.endpoint)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.echo.port}"

    def hc(self, *arguments: str, status: int = 0) -> str:
        """C{hybridconn}, as an operator has it."""
        argv = command(*arguments, "--subscription", SUBSCRIPTION, "--group", GROUP)
        found, said = output_of(argv, 30, self.env)
        self.assertEqual(found, status, said)
        return said

    def shown(self, *arguments: str) -> Any:
        """C{hybridconn status} as JSON."""
        return json.loads(self.hc("status", *arguments, "--output", "json"))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call that succeeds."""
        status, value, _ = self.stage.call(method, PLACE + path, body)
        self.assertEqual(status, 200, value)
        return value

    def connection_string(self, role: str) -> str:
        """That of C{db}, by a host name that there is everywhere."""
        text = self.hc("connection-string", NS, "db", "--for", role).strip()
        key = text.partition("SharedAccessKey=")[2].partition(";")[0]
        self.stage.secrets().add(key)
        return text.replace(f"{NS}.localhost", HOST)

    def start_listener(self, name: str = "listener") -> Program:
        """A listener without a target of its own."""
        file = self.stage.write(f"{name}.cs", self.connection_string("listener"))
        options = ("--connection-string-file", str(file), "--ca-file", "ca.pem")
        return self.stage.program(name, twistd("hclistener", *options)).start()

    def start_sender(self) -> int:
        """A sender that makes a tunnel for each connection; its port."""
        port = free_port()
        self.stage.write("send.cs", self.connection_string("sender"))
        config = table("", {"ca_file": "ca.pem"})
        config += table("[spare_tunnels]", {"most": 0})
        config += table(
            "[[forward]]",
            {"connection_string_file": "send.cs", "bind": f"127.0.0.1:{port}"},
        )
        file = self.stage.write("sender.toml", config)
        sender = self.stage.program("sender", twistd("hcsender", "--config", str(file)))
        sender.start().wait_port(port)
        return port

    def ask(self, action: str = "listen", context: ssl.SSLContext | None = None) -> int:
        """Ask the relay for a WebSocket with a fresh token; the status."""
        role = "listener" if action == "listen" else "sender"
        text = self.hc("connection-string", NS, "db", "--for", role)
        return self.ask_with(text, action, context)

    def ask_with(
        self, text: str, action: str, context: ssl.SSLContext | None = None
    ) -> int:
        """The same with the key of a connection string."""
        fields = dict(part.split("=", 1) for part in text.strip().split(";"))
        token = make_token(
            f"http://{HOST}/db",
            fields["SharedAccessKeyName"],
            fields["SharedAccessKey"],
            600,
        )
        plain = self.stage.dial(self.stage.port, 10)
        trust = context or self.stage.trust()
        with trust.wrap_socket(plain, server_hostname=HOST) as wire:
            wire.sendall(
                f"GET /$hc/db?sb-hc-action={action} HTTP/1.1\r\nHost: {HOST}\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                f"ServiceBusAuthorization: {token}\r\n\r\n".encode()
            )
            return int(wire.recv(64).split()[1])


class WholeWayTests(LiveCase):
    """From a fresh hybrid connection to its end."""

    def test_life(self) -> None:
        """
        Made, listened to, connected to; status shows it all; a kicked listener gets
        1001 and comes back by itself; a kicked tunnel breaks off; what is deleted is
        closed with 1001.
        """
        self.assertEqual(self.shown()["status"]["properties"]["listeners"], 0)
        listener = self.start_listener()
        self.stage.wait_online(listener)
        port = self.start_sender()
        with self.stage.dial(port) as app:
            app.sendall(b"x" * 1000)
            self.assertEqual(read_exactly(app, 1000), b"x" * 1000)
            found = self.shown(NS, "db")
            counts = found["status"]["properties"]
            self.assertEqual((counts["listeners"], counts["tunnels"]), (1, 1))
            (one,) = found["listeners"]
            self.assertEqual(one["properties"]["rule"], "defaultListener")
            self.assertRegex(one["properties"]["address"], r"^127\.0\.0\.1:\d+$")
            (tunnel,) = found["tunnels"]
            self.assertEqual(tunnel["properties"]["listener"], one["name"])
            self.assertEqual(tunnel["properties"]["rule"], "defaultSender")
            # The bytes of the WebSockets' payload, each way.
            self.assertGreaterEqual(tunnel["properties"]["bytesFromSender"], 1000)
            self.assertGreaterEqual(tunnel["properties"]["bytesFromListener"], 1000)
            for words in (self.hc("status", NS, "db"), self.hc("status", NS)):
                self.assertIn("1000 B", words)
            self.assertIn(one["name"], self.hc("status", NS, "db"))
            mark = listener.mark()
            self.hc("kick", NS, "db", one["name"], "--yes")
            listener.wait_log(
                "offline: closed by the relay: 1001 closed by an operator"
            )
            self.stage.wait_online(listener, since=mark)
            self.wait_until(
                "the listener to be another one",
                lambda: (
                    [x["name"] for x in self.shown(NS, "db")["listeners"]] == ["L2"]
                ),
            )
            # Tunnels are connections of their own: this one ran on.
            app.sendall(b"y")
            self.assertEqual(read_exactly(app, 1), b"y")
            self.hc("kick", NS, "db", one["name"], "--yes", status=4)
            self.hc("kick", NS, "db", tunnel["name"], "--yes")
            self.assertReset(app)
        self.stage.relay.wait_log(r"ended by relay in \w+ \(1001 closed by an operator")
        with self.stage.dial(port) as app:
            app.sendall(b"z")
            self.assertEqual(read_exactly(app, 1), b"z")
            ended = self.shown(NS)["hybridConnections"][0]["properties"]["ended"]
            self.assertEqual(ended["tunnels"], 1)
            self.assertGreaterEqual(ended["bytesFromSenders"], 1001)
            self.hc("connection", "delete", NS, "db", "--yes")
            self.assertReset(app)
        listener.wait_log("offline: closed by the relay: 1001 the endpoint was deleted")

    def test_disabled(self) -> None:
        """What is disabled is closed with 1001, and comes back when it is enabled."""
        listener = self.start_listener()
        self.stage.wait_online(listener)
        for what in (("connection", "update", NS, "db"), ("namespace", "update", NS)):
            mark = listener.mark()
            self.hc(*what, "--disable", "--yes")
            listener.wait_log("offline: closed by the relay: 1001", since=mark)
            self.assertEqual(self.ask(), 404)
            mark = listener.mark()
            self.hc(*what, "--enable")
            self.stage.wait_online(listener, since=mark, seconds=60)

    def test_keys(self) -> None:
        """A regenerated key opens nothing new; what is open stays."""
        listener = self.start_listener()
        self.stage.wait_online(listener)
        old = self.hc("connection-string", NS, "db", "--for", "sender")
        self.assertEqual(
            self.ask_with(old.replace("defaultSender", "x"), "connect"), 401
        )
        text = self.hc("connection-string", NS, "db")
        self.assertEqual(self.ask_with(text, "listen"), 101)
        self.hc(
            "key", "regenerate", NS, "defaultListener", "--connection", "db", "--yes"
        )
        self.assertEqual(self.ask_with(text, "listen"), 401)
        self.assertEqual(self.ask(), 101)
        self.assertNotIn("offline", listener.log())

    def test_token(self) -> None:
        """A token that the relay made opens what it is for."""
        made = self.hc(
            *("token", "--namespace", NS, "--connection", "db"),
            *("--role", "listen", "--lifetime", "60"),
        ).strip()
        plain = self.stage.dial(self.stage.port, 10)
        with self.stage.trust().wrap_socket(plain, server_hostname=HOST) as wire:
            wire.sendall(
                f"GET /db HTTP/1.1\r\nHost: {NS}.localhost\r\nX-PROCESS-AT: servicebus"
                f"\r\nServiceBusAuthorization: {made}\r\n\r\n".encode()
            )
            self.assertIn(b"200 OK", wire.recv(4096))


class AccessTests(LiveCase):
    """What can be stored is enforced."""

    def test_networks(self) -> None:
        """Deny with networks, by Microsoft's client; it counts for what comes then."""
        listener = self.start_listener()
        self.stage.wait_online(listener)
        client: Any = self.stage.relay_client()
        rules = client.namespaces.create_or_update_network_rule_set(
            GROUP,
            NS,
            {
                "properties": {
                    "defaultAction": "Deny",
                    "ipRules": [{"ipMask": "10.0.0.0/8", "action": "Allow"}],
                }
            },
        )
        self.assertEqual(rules.properties.default_action, "Deny")
        self.assertEqual(self.ask(), 401)
        self.stage.relay.wait_log("the network rules of contoso do not have this")
        self.assertEqual(self.shown(NS, "db")["status"]["properties"]["listeners"], 1)
        self.hc("network", "set", NS, "--only", "10.0.0.0/8", "--only", "127.0.0.0/8")
        self.assertIn("127.0.0.0/8", self.hc("network", "show", NS))
        self.assertEqual(self.ask(), 101)
        self.hc("network", "set", NS, "--only", "192.0.2.1")
        self.assertEqual(self.ask(), 401)
        self.hc("network", "set", NS, "--anybody")
        self.assertEqual(self.ask(), 101)

    def test_tls(self) -> None:
        """A namespace that asks for TLS 1.3 refuses 1.2."""
        old = self.stage.trust()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.ask(context=old), 101)
        self.hc("namespace", "update", NS, "--minimum-tls", "1.3")
        self.assertEqual(self.ask(context=old), 403)
        self.assertEqual(self.ask(), 101)

    def test_limits(self) -> None:
        """SIGHUP: a lowered limit of the file holds for what comes then."""
        first, second = self.start_listener("one"), self.start_listener("two")
        for listener in (first, second):
            self.stage.wait_online(listener)
        path = self.stage.folder / "relay.toml"
        before = path.read_text()

        def limit(number: int) -> str:
            return before.replace(
                "[limits]\n", f"[limits]\nlisteners_per_entity = {number}\n"
            )

        path.write_text(limit(1))
        self.stage.relay.child.send_signal(signal.SIGHUP)
        self.stage.relay.wait_log("SIGHUP: took over listeners_per_entity = 1")
        self.assertEqual(self.ask(), 403)
        counts = self.shown(NS, "db")["status"]["properties"]
        self.assertEqual(counts["listeners"], 2)
        path.write_text(limit(0))
        self.stage.relay.child.send_signal(signal.SIGHUP)
        self.stage.relay.wait_log("SIGHUP: the configuration is not taken over")
        self.assertEqual(self.ask(), 403)
        path.write_text(before)
        mark = self.stage.relay.mark()
        self.stage.relay.child.send_signal(signal.SIGHUP)
        self.stage.relay.wait_log("took over listeners_per_entity = 25", since=mark)
        self.assertEqual(self.ask(), 101)
        self.assertTrue(self.stage.relay.running)
