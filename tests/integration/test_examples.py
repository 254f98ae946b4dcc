"""What stands in docs/examples, run as its reader would."""

from __future__ import annotations

import http.client
import importlib.util
import os
import shutil
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any

import hybridconn
from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.testing import check_load_balancer
from tests.integration.case import IntegrationTestCase, need
from tests.integration.peers import Refused, send_to
from tests.integration.programs import Program, command, output_of, twistd
from tests.integration.stage import HOST, LISTEN, SEND, Stage
from tests.integration.targets import Target, blob, echo, read_exactly
from tests.integration.waiting import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "docs" / "examples"
BALANCER = EXAMPLES / "custom_load_balancer"
OURS = str(Path(next(iter(hybridconn.__path__))).resolve().parent)


def example(name: str, *arguments: str) -> list[str]:
    """The command line of an example."""
    return [sys.executable, str(EXAMPLES / name), *arguments]


class EndpointExampleTests(IntegrationTestCase):
    """Programs that serve through a relay."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage())
        self.stage.start_relay()
        self.listen = self.stage.connection_string_file("echo", LISTEN)

    def start(
        self, name: str, *arguments: str, env: dict[str, str] | None = None
    ) -> Program:
        """Start an example and wait until it says that it serves."""
        started = self.stage.program(name, example(name, *arguments), env=env)
        started.start().wait_log(r"serving echo", 20)
        return started

    def test_echo_service(self) -> None:
        """An ordinary Twisted server echoes through a relay, byte for byte."""
        where = f"connectionStringFile={self.listen}:caFile={self.stage.ca_file}"
        started = self.start("echo_service.py", f"hc:{where}")
        sent = blob(1_000_000)
        port = self.stage.start_sender("echo")["echo"]
        with self.stage.dial(port) as connection:
            connection.sendall(sent)
            self.assertEqual(read_exactly(connection, len(sent)), sent)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.recv(1), b"")
        self.assertTrue(started.running)

    def test_authorizing_listener(self) -> None:
        """It refuses a missing and a wrong password and tells why; else it greets."""
        self.start(
            "authorizing_listener.py",
            str(self.listen),
            str(self.stage.ca_file),
            env={"APP_PASSWORD": "open sesame"},
        )
        for given, status, reason in (
            ({}, 401, "App-Password is missing"),
            ({"App-Password": "sesame"}, 403, "App-Password is wrong"),
        ):
            with self.assertRaises(Refused) as caught:
                send_to(self.stage, "echo", headers=given)
            self.assertEqual((caught.exception.status, reason), (status, reason))
            self.assertIn(reason, caught.exception.reason)
        headers = {"App-Password": "open sesame"}
        with send_to(self.stage, "echo", headers=headers) as tunnel:
            self.assertEqual(tunnel.recv(10), b"What is your name?\r\n")
            tunnel.send(b"Ada\r\n")
            self.assertEqual(tunnel.recv(10), b"Hello, Ada!\r\n")


class WebExampleTests(IntegrationTestCase):
    """Web applications that are served through a relay, and a client of them."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["web"]))
        self.stage.start_relay()

    def serve(self, name: str) -> None:
        """Start an example and wait until it says that it serves."""
        file = self.stage.connection_string_file("web", LISTEN)
        argv = example(name, str(file), str(self.stage.ca_file))
        self.stage.program(name, argv).start().wait_log(r"serving web", 20)

    def ask(self, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        """One request with a token."""
        connection = http.client.HTTPSConnection(
            HOST, self.stage.port, timeout=20, context=self.stage.trust()
        )
        self.addCleanup(connection.close)
        token = {"ServiceBusAuthorization": self.stage.token("web", SEND)}
        connection.request("GET" if body is None else "POST", path, body, token)
        return connection.getresponse()

    def test_web_site(self) -> None:
        """A plain Site: a page with the sender's address, and events as they come."""
        self.serve("web_site.py")
        self.assertEqual(self.ask("/web/").read(), b"hello, 127.0.0.1\n")
        self.assertEqual(self.ask("/web/none").status, 404)
        events = self.ask("/web/clock")
        self.assertEqual(events.headers["Content-Type"], "text/event-stream")
        said = events.read().split()
        self.assertEqual(
            said, [b"data:", b"tick", b"data:", b"tock", b"data:", b"tick"]
        )

    def test_klein_app(self) -> None:
        """A Klein application, and treq as its client."""
        need(importlib.util.find_spec("klein"), "no klein here: pip install klein")
        need(importlib.util.find_spec("treq"), "no treq here: pip install treq")
        self.serve("klein_app.py")
        self.assertEqual(self.ask("/web/hello/relay").read(), b"hello, relay\n")
        self.assertEqual(self.ask("/web/sum", b"[1, 2, 3]").read(), b'{"sum": 6}')
        self.assertEqual(self.ask("/web/sum").status, 405)
        file = self.stage.connection_string_file("web", SEND)
        for target, said in (("/hello/world", "200 hello, world"), ("/no", "404 ")):
            status, output = output_of(
                example("http_client.py", str(file), target, str(self.stage.ca_file)),
                seconds=30,
            )
            self.assertEqual(status, 0, output)
            self.assertTrue(output.startswith(said), output)


class EmbeddedRelayTests(IntegrationTestCase):
    """A relay in another program."""

    def test_embedded_relay(self) -> None:
        """It carries a tunnel, shows it on its own page, and ends in order."""
        stage = self.use(Stage())
        relay, web = free_port(), free_port()
        made = stage.folder / "tunnel"
        status, said = output_of(
            command("init", str(made), "--host", "localhost", "--port", str(relay))
        )
        self.assertEqual(status, 0, said)
        program = stage.program(
            "embedded_relay",
            example("embedded_relay.py", str(relay), str(web), str(made)),
        )
        program.start().wait_port(web)
        program.wait_port(relay)
        service = stage.program(
            "echo_service",
            example(
                "echo_service.py",
                f"hc:connectionStringFile={made}/listen.connection-string"
                f":caFile={made}/ca.pem",
            ),
        )
        service.start().wait_log("serving demo", 20)
        fetch = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        with fetch(f"http://127.0.0.1:{web}/", timeout=10) as page:
            self.assertEqual(page.read(), b"demo: 1\nwaiting: 0\n")
        port = free_port()
        sender = stage.program(
            "sender",
            twistd(
                *("hcsender", "--bind", f"127.0.0.1:{port}"),
                *("--connection-string-file", str(made / "send.connection-string")),
                *("--ca-file", str(made / "ca.pem")),
            ),
        )
        sender.start().wait_port(port)
        with stage.dial(port) as connection:
            connection.sendall(b"hello")
            self.assertEqual(read_exactly(connection, 5), b"hello")
        self.assertEqual(program.stop(), 0, program.log())


class LoadBalancerExampleTests(IntegrationTestCase):
    """A load balancer as a plugin of somebody else's."""

    def balancer(self, now: float) -> Any:
        """The example's balancer at a time of ours."""
        file = BALANCER / "weighted_balancer.py"
        spec = importlib.util.spec_from_file_location("weighted_balancer", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.WeightedBalancer(lambda: now)

    def test_contract(self) -> None:
        """It does what every load balancer must."""
        check_load_balancer(self, self.balancer(2e9))

    def test_spares_newcomers(self) -> None:
        """A listener that has just come gets less than one that is warm."""
        balancer = self.balancer(1000.0)
        request = SenderRequest("contoso", "db", "192.0.2.7", 50000)
        warm = ListenerRef("L1", "198.51.100.1", 40000, 0.0, 5)
        new = ListenerRef("L2", "198.51.100.2", 40000, 999.0, 0)
        self.assertIs(balancer.choose([new, warm], request), warm)
        later = self.balancer(1100.0)
        self.assertIs(later.choose([new, warm], request), new)

    def test_installed(self) -> None:
        """A relay finds it by name on Python's path, and uses it."""
        stage = self.use(Stage(relay_settings={"load_balancer": "weighted"}))
        # A copy: the search for plugins leaves a cache in their folder.
        place = stage.folder / "site"
        shutil.copytree(BALANCER, place)
        env = {"PYTHONPATH": os.pathsep.join([str(place), OURS])}
        check = command("check", str(stage.folder / "relay.toml"), "--role", "relay")
        status, said = output_of(check)
        self.assertEqual(status, 1, said)
        self.assertIn("weighted", said)
        status, said = output_of(check, env=env)
        self.assertEqual(status, 0, said)
        self.assertIn("choose listeners by: weighted", said)
        argv = twistd("hcrelay", "--config", str(stage.folder / "relay.toml"))
        relay = stage.program("weighted-relay", argv, env=env)
        relay.start().wait_port(stage.port)
        targets: list[Target] = []
        for name in ("one", "two"):
            targets.append(self.target(echo))
            stage.start_listener({"echo": targets[-1].port}, name)
        port = stage.start_sender("echo")["echo"]
        for _ in range(6):
            connection = stage.dial(port)
            self.addCleanup(connection.close)
            connection.sendall(b"?")
            read_exactly(connection, 1)
        # They stay open, so neither of two equally new listeners gets most.
        seen = sorted(target.seen for target in targets)
        self.assertEqual(sum(seen), 6)
        self.assertGreaterEqual(seen[0], 2)
