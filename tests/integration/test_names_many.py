"""
Many services behind one hybrid connection: the sender says which name is wanted, the
listener's list decides.
"""

from __future__ import annotations

import sys
from functools import cache

from tests.integration.names_stage import NamesStage
from tests.integration.programs import Program, twistd
from tests.integration.stage import LISTEN, SEND, table
from tests.integration.test_names import NamesTestCase, stage

#: Names in the data centre, and where they lead there.
HOSTS = {
    "one.many.corp": "10.99.0.1",
    "two.many.corp": "10.99.0.2",
    "home.many.corp": "127.0.0.1",
    "kept.many.corp": "127.0.0.1",
    "three.other.corp": "10.99.0.1",
}
TARGETS = ["*.many.corp:443", "127.0.0.1:6379"]
ENDPOINTS = ["*.many.corp:443", "*.other.corp:443", "kept.many.corp:6379"]

#: A listener that knows nothing of targets that senders want.
_OLD = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import succeed
from hybridconn.config.addresses import parse_target
from hybridconn.core.connection_string import ConnectionString
from hybridconn.dialer import ReactorDialer
from hybridconn.listener import ForwardConnector, HybridConnectionListener

class Listener(HybridConnectionListener):
    def online(self):
        print("the old listener is there", flush=True)

string, ca = sys.argv[1:]
class Connector(ForwardConnector):
    def find(self, accept):
        return succeed(parse_target("127.0.0.1:6379"))

connector = Connector(None, "old", reactor)
Listener(
    ConnectionString.parse(open(string).read().strip()),
    connector,
    ReactorDialer(reactor, (ca,)),
    reactor,
    reuse=True,
).startService()
reactor.run()
"""


@cache
def many() -> tuple[NamesStage, Program]:
    """The stage with what is to be reached, and the listener for it."""
    made = stage()
    centre = made.hosts.centre
    with centre.path("/etc/hosts").open("a") as opened:
        opened.writelines(f"{address} {name}\n" for name, address in HOSTS.items())
    for number, name in ((1, "one"), (2, "two")):
        address = f"10.99.0.{number}"
        centre.must("ip", "address", "add", f"{address}/32", "dev", "lo")
        made.start_web(f"web-{name}", address, f"{name}.many.corp")
    text = table("", {"ca_file": str(made.ca_file)})
    path = made.connection_string_file("many", LISTEN)
    text += table(
        "[[hybrid_connection]]",
        {"connection_string_file": path.name, "targets": TARGETS},
    )
    config = made.write("many-listener.toml", text)
    listener = made.program(
        "many-listener",
        [*centre.inside, *twistd("hclistener", "--config", str(config))],
    ).start()
    made.wait_online(listener)
    return made, listener


class ManyTests(NamesTestCase):
    """By way of one hybrid connection."""

    def setUp(self) -> None:
        super().setUp()
        _, self.listener = many()

    def sender_for(self, name: str, entity: str, *endpoints: str) -> Program:
        """Write a configuration for these endpoints; its sender, not yet started."""
        doors = {"socks_bind": "127.0.0.1:1080"}
        path = self.stage.redirects(name, doors, entities=())
        string = self.stage.connection_string_file(entity, SEND)
        with path.open("a") as opened:
            opened.write(
                table(
                    "[[redirect]]",
                    {
                        "connection_string_file": string.name,
                        "endpoints": list(endpoints),
                    },
                )
            )
        self.config = str(path)
        argv = [*self.app.inside, *twistd("hcsender", "--config", self.config)]
        sender = self.stage.program(name, argv)
        self.addCleanup(sender.discard)
        return sender

    def curl(self, name: str, *more: str) -> tuple[int, str]:
        ca = str(self.stage.ca_file)
        return self.app.run("curl", "-sS", "--cacert", ca, *more, f"https://{name}/")

    def test_names(self) -> None:
        """
        Names below a wildcard, each with its own certificate, to the place that it has
        in the data centre; and nothing that the listener does not list.
        """
        sender = self.sender_for("many", "many", *ENDPOINTS)
        sender.start().wait_log("kept.many.corp:6379 is .* here")
        self.install("resolv")
        for _ in range(2):
            for name in ("one.many.corp", "two.many.corp"):
                self.assertEqual(self.curl(name), (0, f"web {name}"))
        self.wait_listening_for("one.many.corp", "two.many.corp")
        for name, words in (
            ("three.other.corp", "403 three.other.corp:443 is not in targets"),
            ("home.many.corp", "403 The target's address 127.0.0.1 is not in targets"),
            ("gone.many.corp", "502 target gone.many.corp:443: its name"),
        ):
            self.assertNotEqual(self.curl(name)[0], 0)
            sender.wait_log(words)
            self.listener.wait_log(rf"many: refused .* {words}")
        self.listener.wait_log("target home.many.corp:443 has the address 127.0.0.1")
        proxy = ("-x", "socks5h://127.0.0.1:1080")
        self.assertEqual(self.curl("two.many.corp", *proxy), (0, "web two.many.corp"))
        said = self.must("redirect", "status", "-c", self.config, status=0)
        self.assertIn("hybridconn-test.many.corp is found as 127.77.", said)
        argv = (sys.executable, "-m", "hybridconn", "connect", "-c", self.config)
        said = self.app.must(*argv, "kept.many.corp:6379", given=b"PING\r\nQUIT\r\n")
        self.assertEqual(said, "+PONG\r\n+OK\r\n")

        said = self.must("connect", "-c", self.config, "many", status=1)
        self.assertIn("many has many services; say which of *.many.corp:443", said)

    def wait_listening_for(self, *names: str) -> None:
        """Each has an address of its own."""
        found = {self.dig("+short", name) for name in names}
        self.assertEqual(len(found), len(names), found)

    def test_exec(self) -> None:
        """For one command alone, which brings the sender along."""
        self.sender_for("many-exec", "many", *ENDPOINTS)
        self.resolvers("127.1.1.9")
        argv = (sys.executable, "-m", "hybridconn", "exec", "-c", self.config, "--")
        ca = str(self.stage.ca_file)
        url = "https://two.many.corp/"
        said = self.app.must(*argv, "curl", "-sS", "--cacert", ca, url)
        self.assertEqual(said, "web two.many.corp")

    def test_old_listener(self) -> None:
        """A listener that does not heed what is wanted never gets a byte of it."""
        path = self.stage.connection_string_file("old", LISTEN)
        argv = [sys.executable, "-c", _OLD, str(path), str(self.stage.ca_file)]
        old = self.stage.program("old", [*self.stage.hosts.centre.inside, *argv])
        old.start().wait_log("the old listener is there")
        self.addCleanup(old.discard)
        sender = self.sender_for("to-old", "old", "kept.many.corp:6379").start()
        sender.wait_log("kept.many.corp:6379 is .* here")
        self.install("hosts")
        _, said = self.app.run("redis-cli", "-h", "kept.many.corp", "ping")
        self.assertNotIn("PONG", said)
        sender.wait_log("kept.many.corp:6379 was wanted, .* serves one target only")
