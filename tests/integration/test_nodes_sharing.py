"""Several relays on one PostgreSQL that share their listeners."""

from __future__ import annotations

from functools import partial

from tests.integration.management_stage import ManagementStage
from tests.integration.nodes_case import CONNECTIONS, SOON, NodesCase
from tests.integration.programs import twistd
from tests.integration.servers import PostgreSQL
from tests.integration.targets import echo
from tests.integration.waiting import free_port


class SharingTests(NodesCase):
    """Relays that share their listeners; the server is the test's own."""

    limits = {"listeners_per_entity": 3}  # noqa: RUF012  # never changed
    share_listeners = True

    def make_server(self) -> PostgreSQL:
        made = PostgreSQL()
        self.addCleanup(made.close)
        return made

    def setUp(self) -> None:
        super().setUp()
        self.connect(self.one, "db")
        self.sees(self.two, f"{CONNECTIONS}/db")
        # One authority for both: listeners go from the one to the other.
        for node in (self.one, self.two):
            node.ca_file.write_bytes(self.both_authorities())

    def both_authorities(self) -> bytes:
        return b"".join(node.ca.cert_pem.bytes() for node in (self.one, self.two))

    def count(self, node: ManagementStage) -> int:
        """How many listen, as a node tells it."""
        value = node.call("GET", f"{CONNECTIONS}/db")[1]
        number: int = value["properties"]["listenerCount"]
        return number

    def wait_count(self, number: int, *nodes: ManagementStage, within: float) -> None:
        for node in nodes:
            self.wait_until(
                "all to be counted", partial(self.counts, node, number), within
            )

    def counts(self, node: ManagementStage, number: int) -> bool:
        return self.count(node) == number

    def test_shared(self) -> None:
        """A sender at one reaches a listener at the other; counts and limits hold."""
        target = self.target(echo)
        listener = self.one.listen_for("db", target.port)
        self.wait_count(1, self.one, self.two, within=SOON)
        port = self.sender(self.two)
        for _ in range(3):
            self.assertTrue(self.works(self.two, port))
        self.one.listen_for("db", target.port, "second")
        self.two.listen_for("db", target.port, "third")
        self.wait_count(3, self.one, self.two, within=SOON)
        text = self.two.connection_string_of("db", "defaultListener")
        self.two.write("fourth.cs", text)
        fourth = self.two.program(
            "fourth",
            twistd(
                *("hclistener", "--connection-string-file", "fourth.cs"),
                *("--target", "127.0.0.1:9", "--ca-file", str(self.two.ca_file)),
            ),
        ).start()
        fourth.wait_log("offline: 403")
        # The fourth may have the place before anybody could count two.
        listener.stop()
        self.two.wait_online(fourth, seconds=40)
        self.wait_count(3, self.one, self.two, within=SOON)

    def test_died(self) -> None:
        """Listeners of a relay that died are forgotten when its lease has ended."""
        target = self.target(echo)
        self.one.listen_for("db", target.port)
        self.two.listen_for("db", target.port)
        self.wait_count(2, self.one, self.two, within=SOON)
        port = self.sender(self.two)
        self.one.relay.kill()
        self.wait_count(1, self.two, within=10)
        self.assertTrue(self.works(self.two, port))

    def test_outage(self) -> None:
        """Without the database each has its own; afterwards they share again."""
        target = self.target(echo)
        self.one.listen_for("db", target.port)
        self.wait_count(1, self.two, within=SOON)
        at_one, at_two = self.sender(self.one), self.sender(self.two)
        self.assertTrue(self.works(self.two, at_two))
        self.server.stop()
        self.wait_count(0, self.two, within=SOON)
        self.assertTrue(self.works(self.one, at_one))
        self.server.start()
        self.wait_count(1, self.two, within=10)
        self.assertTrue(self.works(self.two, at_two))

    def test_workers(self) -> None:
        """A relay with workers shares with another relay, and within itself."""
        self.one.relay.stop()
        self.one.relay.argv += ["--workers", "2"]
        config = (self.one.folder / "relay.toml").read_text()
        own = f"[relay]\nworker_port = {free_port()}\n"
        self.one.write("relay.toml", config.replace("[relay]\n", own))
        self.one.relay.start()
        self.wait_until("it to be there", lambda: self.counted(self.one, 0), 15)
        target = self.target(echo)
        for name in ("l1", "l2", "l3"):
            self.one.listen_for("db", target.port, name)
        self.wait_count(3, self.one, self.two, within=SOON)
        for node in (self.one, self.two):
            port = self.sender(node)
            for _ in range(8):
                self.assertTrue(self.works(node, port))

    def counted(self, node: ManagementStage, number: int) -> bool:
        """The same, while it may not be there yet."""
        try:
            return self.counts(node, number)
        except OSError:
            return False
