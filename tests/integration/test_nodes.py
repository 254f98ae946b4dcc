"""Several relays on one PostgreSQL."""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import quote

from cryptography.fernet import Fernet

from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import BASE, ManagementStage
from tests.integration.nodes_case import (
    CONNECTIONS,
    NAMESPACE,
    RULES,
    SOON,
    NodesCase,
)
from tests.integration.programs import command, output_of
from tests.integration.servers import PostgreSQL
from tests.integration.stage import HOST
from tests.integration.targets import echo
from tests.integration.tokens import make_token


class NodesTests(NodesCase):
    """What one does the other sees."""

    def test_made_and_deleted(self) -> None:
        """Soon; what is deleted is closed with 1001 on every node."""
        self.connect(self.one, "db")
        self.sees(self.two, f"{CONNECTIONS}/db")
        listener = self.two.listen_for("db", 9)
        begun = time.monotonic()
        self.assertEqual(self.one.call("DELETE", f"{CONNECTIONS}/db")[0], 200)
        listener.wait_log("offline: closed by the relay: 1001")
        self.assertLess(time.monotonic() - begun, SOON)
        listener.wait_log("offline: 40[14]")
        # Also when it is there again at once.
        self.connect(self.one, "db")
        self.sees(self.two, f"{CONNECTIONS}/db")
        again = self.two.listen_for("db", 9, "again")
        self.assertEqual(self.one.call("DELETE", f"{CONNECTIONS}/db")[0], 200)
        self.connect(self.one, "db")
        again.wait_log("offline: closed by the relay: 1001")

    def test_regenerated(self) -> None:
        """New tokens of an old key are refused by every node."""
        self.connect(self.one, "db")
        self.sees(self.two, f"{CONNECTIONS}/db")
        rule = f"{CONNECTIONS}/db/authorizationRules/defaultSender"
        key = self.one.call("POST", f"{rule}/listKeys")[1]["primaryKey"]

        def ask(node: ManagementStage, key: str) -> int:
            return self.request(
                node, "db", make_token(f"http://{HOST}/db", "defaultSender", key, 600)
            )

        for node in (self.one, self.two):
            self.assertEqual(ask(node, key), 502)
        body = {"keyType": "PrimaryKey"}
        fresh = self.one.call("POST", f"{rule}/regenerateKeys", body)[1]["primaryKey"]
        self.assertEqual(ask(self.one, key), 401)
        self.wait_until("two to refuse it", lambda: ask(self.two, key) == 401, SOON)
        self.assertEqual(ask(self.two, fresh), 502)

    def test_nothing_lost(self) -> None:
        """Both write at once: every write is there, at both."""
        failed: list[object] = []

        def write(node: ManagementStage, name: str) -> None:
            for number in range(60):
                status, value, _ = node.call("PUT", f"{CONNECTIONS}/{name}{number}", {})
                if status != 200:
                    failed.append(value)

        self.together(lambda: write(self.one, "a"), lambda: write(self.two, "b"))
        self.assertEqual(failed, [])
        wanted = {f"{name}{number}" for name in "ab" for number in range(60)}
        for node in (self.one, self.two):
            self.wait_names(node, wanted)

    def wait_names(self, node: ManagementStage, wanted: set[str]) -> None:
        self.wait_until("all to be there", lambda: self.names(node) == wanted, SOON)

    def names(self, node: ManagementStage) -> set[str]:
        """The hybrid connections that a node lists."""
        names: set[str] = set()
        marker = ""
        while True:
            version = f"?api-version=2021-11-01{marker}"
            _, value, _ = node.call("GET", CONNECTIONS, version=version)
            names |= {one["name"] for one in value["value"]}
            link = value.get("nextLink")
            if not link:
                return names
            marker = f"&$skiptoken={quote(link.partition('$skiptoken=')[2], safe='%')}"

    def together(self, *calls: Any) -> None:
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    def test_limits(self) -> None:
        """Limits hold across nodes: twelve rules, whoever makes them."""
        statuses: list[int] = []

        def write(node: ManagementStage, name: str) -> None:
            for number in range(10):
                body = {"properties": {"rights": ["Send"]}}
                statuses.append(node.call("PUT", f"{RULES}/{name}{number}", body)[0])

        self.together(lambda: write(self.one, "a"), lambda: write(self.two, "b"))
        # One is there from the beginning.
        self.assertEqual(sorted(statuses), [200] * 11 + [403] * 9)
        for node in (self.one, self.two):
            self.assertEqual(len(node.call("GET", RULES)[1]["value"]), 12)

    def test_read_your_parent(self) -> None:
        """What depends on what another node has just done is not refused."""
        for number in range(10):
            path = f"{CONNECTIONS}/hc{number}"
            self.put(self.one, path, {})
            body = {"properties": {"rights": ["Send"]}}
            self.put(self.two, f"{path}/authorizationRules/r", body)

    def test_apply(self) -> None:
        """The command works on a store whose relays run."""
        self.one.write(
            "more.toml",
            '[[namespace]]\nname = "fabrikam"\nhost_names = ["fabrikam.test"]\n'
            '[[namespace.hybrid_connection]]\npath = "web"\n',
        )

        def run(node: ManagementStage, *arguments: str) -> str:
            argv = command(*arguments, "--config", "relay.toml")
            status, said = output_of(argv, folder=node.folder)
            self.assertEqual(status, 0, said)
            return said

        self.assertIn("+ namespace fabrikam", run(self.one, "apply", "more.toml"))
        self.assertIn("Nothing changes", run(self.one, "apply", "more.toml"))
        group = f"{BASE}/namespaces/fabrikam".replace("/rg1/", "/default/")
        for node in (self.one, self.two):
            self.sees(node, f"{group}/hybridConnections/web")
        run(self.two, "export", "all.toml")
        exported = (self.two.folder / "all.toml").read_text()
        self.assertIn('path = "web"', exported)
        self.assertIn('name = "contoso-relay"', exported)

    def test_rekey(self) -> None:
        """The key is changed, node by node, and nobody stops serving."""
        old, new = self.one.key, Fernet.generate_key().decode()
        self.connect(self.one, "db")
        for node in (self.one, self.two):
            node.also_secret(new)
            node.write("store.key", f"{new}\n{old}\n")
            node.relay.stop()
            node.start()
            # The others do not know it yet, but can read what this one writes.
            self.connect(node, f"db{node.port}")
            self.sees(self.two, f"{CONNECTIONS}/db{node.port}")
        argv = command("store-rekey", "--config", "relay.toml")
        status, said = output_of(argv, folder=self.one.folder)
        self.assertEqual((status, "Encrypted 14 keys anew" in said), (0, True), said)
        for node in (self.one, self.two):
            self.connect(node, f"later{node.port}")
            node.write("store.key", f"{new}\n")
            node.relay.stop()
            node.start()
            self.assertEqual(len(self.names(node)), 4 if node is self.one else 5)
        self.one.write("store.key", f"{old}\n")
        self.one.relay.stop()
        status, said = output_of(self.one.relay.argv, 30, folder=self.one.folder)
        self.assertEqual(status, 1)
        self.assertIn("encrypted with another key", said)
        self.assertNotIn("Traceback", said)


class OutageTests(NodesCase):
    """A database that comes and goes; the server is the test's own."""

    def make_server(self) -> PostgreSQL:
        made = PostgreSQL()
        self.addCleanup(made.close)
        return made

    def test_down(self) -> None:
        """Reads and tunnels go on, a write is a 503, and all heals by itself."""
        target = self.target(echo)
        self.connect(self.one, "db")
        self.sees(self.two, f"{CONNECTIONS}/db")
        self.two.listen_for("db", target.port)
        port = self.sender(self.two)
        with self.two.dial(port) as before:
            before.sendall(b"one")
            self.assertEqual(before.recv(3), b"one")
            self.server.stop()
            for node in (self.one, self.two):
                self.assertEqual(self.status(node, f"{CONNECTIONS}/db"), 200)
                status, value, fields = node.call("PUT", f"{CONNECTIONS}/x", {})
                self.assertEqual(
                    (status, value["error"]["code"], fields["retry-after"]),
                    (503, "ServiceUnavailable", "5"),
                )
                node.relay.wait_log("error.*what was read before goes on being served")
            before.sendall(b"two")
            self.assertEqual(before.recv(3), b"two")
            with self.two.dial(port) as another:
                another.sendall(b"three")
                self.assertEqual(another.recv(5), b"three")
            self.server.start()
            self.put(self.one, f"{CONNECTIONS}/x", {})
            self.sees(self.two, f"{CONNECTIONS}/x", within=3)
            self.put(self.two, f"{CONNECTIONS}/y", {})
            self.sees(self.one, f"{CONNECTIONS}/y", within=3)
            before.sendall(b"four")
            self.assertEqual(before.recv(4), b"four")
        for node in (self.one, self.two):
            node.relay.wait_log("the store is back")

    def test_silent(self) -> None:
        """A server that takes everything and answers nothing keeps nobody for ever."""
        self.connect(self.one, "db")
        self.server.freeze()
        begun = time.monotonic()
        statuses: list[int] = []

        def write(number: int) -> None:
            path = f"{CONNECTIONS}/x{number}"
            statuses.append(self.one.call("PUT", path, {}, seconds=60)[0])

        threads = [threading.Thread(target=write, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        self.assertEqual(self.status(self.one, f"{CONNECTIONS}/db"), 200)
        for thread in threads:
            thread.join(60)
        self.assertEqual(statuses, [503] * 5)
        self.assertLess(time.monotonic() - begun, 30)
        self.two.relay.stop()
        self.server.thaw()
        self.wait_until("it to heal", lambda: self.heals("y"), 30)

    def heals(self, name: str) -> bool:
        """Whether a write is done again."""
        return self.one.call("PUT", f"{CONNECTIONS}/{name}", {})[0] == 200

    def test_deaf(self) -> None:
        """What is changed while a node cannot hear is caught up on."""
        self.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'hybridconn'"
        )
        self.put(self.one, f"{CONNECTIONS}/a", {})
        self.sees(self.two, f"{CONNECTIONS}/a", within=3)
        # And it hears again.
        self.put(self.one, f"{CONNECTIONS}/b", {})
        self.sees(self.two, f"{CONNECTIONS}/b")

    def test_start(self) -> None:
        """A relay that cannot reach it does not start, and says why in a line."""
        self.one.relay.stop()
        self.server.stop()
        status, said = output_of(self.one.relay.argv, 30, folder=self.one.folder)
        self.assertEqual(status, 1)
        self.assertIn("the store cannot be opened: connection", said)
        self.assertNotIn("Traceback", said)
        # One that runs can be stopped without it.
        self.two.relay.stop()


class PasswordTests(IntegrationTestCase):
    """A database that wants a password."""

    def test_password(self) -> None:
        """From a file, the environment or libpq's own; never in a log or an error."""
        server = PostgreSQL()
        self.addCleanup(server.close)
        url = server.new_database("guarded")
        stage = ManagementStage({"url": url, "password_file": "pg.password"})
        self.use(stage)
        stage.also_secret(server.password)
        stage.write("pg.password", server.password + "\n")
        stage.start()
        self.assertEqual(stage.call("PUT", NAMESPACE, {"location": "here"})[0], 200)
        stage.relay.stop()
        stage.write("pg.password", "wrong-one\n")
        stage.also_secret("wrong-one")
        status, said = output_of(stage.relay.argv, 30, folder=stage.folder)
        self.assertEqual(status, 1)
        self.assertIn("password authentication failed", said)
        self.assertNotIn("wrong-one", said)
        config = (stage.folder / "relay.toml").read_text()
        stage.write("relay.toml", config.replace('password_file = "pg.password"', ""))
        quoted = server.password.replace("\\", "\\\\").replace(":", "\\:")
        pgpass = stage.write("pgpass", f"127.0.0.1:{server.port}:*:guarded:{quoted}\n")
        status, said = output_of(
            command("export", "all.toml", "--config", "relay.toml"),
            env={"PGPASSFILE": str(pgpass)},
            folder=stage.folder,
        )
        self.assertEqual(status, 0, said)
