"""One relay in several processes: C{twistd hcrelay --workers N}."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
from collections import Counter
from functools import partial

from cryptography.fernet import Fernet

from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import BASE, ENDPOINT, NS, ManagementStage
from tests.integration.programs import output_of, twistd
from tests.integration.servers import shared_postgresql
from tests.integration.stage import HOST, PLAIN, SEND, Stage
from tests.integration.targets import echo
from tests.integration.waiting import free_port
from tests.integration.webapp import WebApp

STARTED = r"worker (\d): .*FrontDoor"
TUNNEL = r"worker (\d): .*tunnel \S+ \S+: ended"


def free_pair() -> int:
    """A port that is free, and so is the one behind it."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError), socket.socket() as second:
            second.bind(("127.0.0.1", first + 1))
            return first


class WorkersCase(IntegrationTestCase):
    """
    @ivar stage: whose relay has several workers.
    """

    stage: Stage

    def worker(self, number: str) -> int:
        """The process of a worker."""
        found = -1
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    argv = file.read().split(b"\0")
            except OSError:
                continue
            config = str(self.stage.folder / "relay.toml").encode()
            if b"hybridconn.cluster" in argv and config in argv:
                node = argv[argv.index(b"--node") + 1].decode()
                if node.startswith(f"{number}."):
                    found = int(entry)
        return found


class WorkersTests(WorkersCase):
    """Two workers, one listener at one of them, many senders."""

    def setUp(self) -> None:
        super().setUp()
        self.own_port = free_pair()
        ports = {"worker_port": self.own_port, "log_requests": True}
        self.stage = self.use(Stage(["echo"], relay_settings=ports))
        self.relay = self.stage.relay
        self.relay.argv += ["--workers", "2"]
        self.stage.start_relay()
        self.relay.wait_log(rf"(?s)(?:{STARTED}.*?){{4}}")
        self.echo = self.target(echo)

    def talk(self, port: int) -> socket.socket:
        """A connection that works."""
        connection = self.stage.dial(port)
        self.addCleanup(connection.close)
        connection.sendall(b"hello")
        self.assertEqual(connection.recv(5), b"hello")
        return connection

    def ended_at(self) -> list[str]:
        """Which worker had which tunnel that ended."""
        return re.findall(TUNNEL, self.relay.log())

    def senders(self) -> list[int]:
        """
        The local ports of a sender at each worker's own port.

        Who takes a connection of the public port is the system's choice.
        """
        ports: list[int] = []
        for number in (0, 1):
            self.stage.reach = self.own_port + number
            name = f"sender-{number}"
            ports += self.stage.start_sender("echo", name=name, spares=PLAIN).values()
        self.stage.reach = self.stage.port
        return ports

    def test_across(self) -> None:
        """Tunnels run in both workers, though the listener is at one."""
        self.stage.start_listener({"echo": self.echo.port})
        ports = [*self.senders(), *self.stage.start_sender("echo").values()]
        for port in ports[:2] * 5:
            self.talk(port).close()
        self.wait_until("all to end", lambda: len(self.ended_at()) == 10)
        self.assertEqual(Counter(self.ended_at()), {"1": 5, "2": 5})
        self.talk(ports[2])

    def test_http_across(self) -> None:
        """HTTP requests at the other worker come to the listener by a rendezvous."""
        app = WebApp()
        self.addCleanup(app.close)
        self.stage.start_listener({"echo": f"http://127.0.0.1:{app.port}"})
        token = {"ServiceBusAuthorization": self.stage.token("echo", SEND)}
        for number in range(30):
            port = self.own_port + number % 2
            connection = http.client.HTTPSConnection(
                HOST, port, timeout=20, context=self.stage.trust()
            )
            connection.request("POST", f"/echo/{number}", b"x" * number, token)
            told = json.loads(connection.getresponse().read())
            connection.close()
            self.assertEqual(told["size"], number)

        def served() -> list[str]:
            return re.findall(r"worker (\d): .*POST echo .* 200 ", self.relay.log())

        # A worker's line comes to the log by a pipe, after the answer to the client.
        self.wait_until("every line of the log", lambda: len(served()) >= 30)
        self.assertEqual(Counter(served()), {"1": 15, "2": 15})

    def test_worker_dies(self) -> None:
        """Its tunnels go with it, the other's stay; then all is as before."""
        self.stage.start_listener({"echo": self.echo.port})
        ports = self.senders()
        public = self.stage.start_sender("echo", spares=PLAIN)["echo"]
        connections = [self.talk(port) for port in ports * 10]
        victim = self.worker("1")
        os.kill(victim, signal.SIGKILL)
        self.relay.wait_log("worker 1 died")
        alive = [self.alive(connection) for connection in connections]
        self.assertEqual(alive, [False, True] * 10)
        self.wait_until("another to come", lambda: self.worker("1") != victim)
        self.relay.wait_log(rf"(?s)worker 1 died.*(?:{STARTED}.*?){{2}}")
        for port in (public, *ports):
            self.wait_until("the way to be free again", partial(self.works, port))
            for _ in range(5):
                self.talk(port)

    def alive(self, connection: socket.socket) -> bool:
        """Whether an echo still answers."""
        try:
            connection.sendall(b"still")
            return connection.recv(5) == b"still"
        except OSError:
            return False

    def works(self, port: int) -> bool:
        try:
            with self.stage.dial(port) as connection:
                connection.sendall(b"hello")
                return connection.recv(5) == b"hello"
        except OSError:
            return False

    def test_reload(self) -> None:
        """On SIGHUP every worker takes the limits over that may change."""
        path = self.stage.folder / "relay.toml"
        path.write_text(path.read_text() + "[limits]\nlisteners_per_entity = 1\n")
        self.relay.child.send_signal(signal.SIGHUP)
        for number in (1, 2):
            self.relay.wait_log(
                rf"worker {number}: .*took over listeners_per_entity = 1\b"
            )
        self.stage.start_listener({"echo": self.echo.port})
        config = self.stage.listener_config({"echo": self.echo.port}, "other")
        other = self.stage.program(
            "other", twistd("hclistener", "--config", str(config))
        )
        other.start().wait_log("offline: 403 .*quota")

    def test_stop(self) -> None:
        """On SIGTERM listeners get 1001, and no process is left."""
        listener = self.stage.start_listener({"echo": self.echo.port})
        pids = [self.worker(number) for number in ("1", "2")]
        self.assertNotIn(-1, pids)
        self.relay.stop()
        listener.wait_log("offline: .*1001")
        for pid in pids:
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_mistakes(self) -> None:
        """A number that is none, and ports that are taken: one line, status 1."""
        config = str(self.stage.folder / "relay.toml")
        for number in ("0", "many", "65"):
            status, said = output_of(
                twistd("hcrelay", "--config", config, "--workers", number)
            )
            self.assertEqual(status, 1)
            self.assertIn("--workers", said)
            self.assertIn("is no usable number; use 1 to 64", said)
            self.assertNotIn("Traceback", said)
        status, said = output_of(
            twistd("hcrelay", "--config", config, "--workers", "2")
        )
        self.assertEqual(status, 1)
        self.assertIn("Address already in use", said)
        self.assertNotIn("Traceback", said)


class StoreTests(WorkersCase):
    """Two workers on one SQLite file."""

    def setUp(self) -> None:
        super().setUp()
        relay = {"worker_port": free_pair(), "workers": 2}
        self.managed = ManagementStage(self.store(), relay=relay)
        self.stage = self.use(self.managed)
        self.managed.start()
        self.stage.relay.wait_log(rf"(?s)(?:{STARTED}.*?){{5}}")
        self.put(f"{BASE}/namespaces/{NS}", {"location": "here"})

    def store(self) -> dict[str, object]:
        """Where they keep it."""
        return {"path": "relay.db"}

    def put(self, path: str, body: object) -> None:
        status, value, _ = self.managed.call("PUT", path, body)
        self.assertEqual(status, 200, value)

    def test_managed(self) -> None:
        """All workers see what is made, changed and deleted by way of the one."""
        path = f"{BASE}/namespaces/{NS}/hybridConnections/db"
        self.put(path, {"properties": {"userMetadata": ENDPOINT}})
        # Some at each worker; nobody chooses which.
        listeners = [self.managed.listen_for("db", 9, f"l{n}") for n in range(6)]

        def count() -> int:
            number: int = self.managed.call("GET", path)[1]["properties"][
                "listenerCount"
            ]
            return number

        self.wait_until("all to be counted", lambda: count() == 6)
        self.assertEqual(self.managed.call("DELETE", path)[0], 200)
        for listener in listeners:
            listener.wait_log("offline: closed by the relay: 1001")

    def test_worker_dies(self) -> None:
        """Who serves the API comes again, with all that was kept."""
        path = f"{BASE}/namespaces/{NS}/hybridConnections/db"
        self.put(path, {})
        os.kill(self.worker("1"), signal.SIGKILL)
        # The port stays open meanwhile, so this only waits.
        self.assertEqual(self.managed.call("GET", path)[0], 200)
        self.put(path + "2", {})

    def test_store_mistake(self) -> None:
        """A store that cannot be used is said once, before a worker is started."""
        self.stage.relay.stop()
        self.stage.write("store.key", Fernet.generate_key().decode())
        status, said = output_of(self.stage.relay.argv, 30, folder=self.stage.folder)
        self.assertEqual(status, 1)
        self.assertEqual(said.count("encrypted with another key"), 1)
        self.assertNotIn("Traceback", said)


class StoreWithPostgreSQLTests(StoreTests):
    """The same with PostgreSQL."""

    def store(self) -> dict[str, object]:
        return {"url": shared_postgresql().new_database()}
