"""Many hybrid connections in one listener, and the program around them."""

from __future__ import annotations

import os
from unittest.mock import patch

from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from zope.interface.verify import verifyObject

from hybridconn.config.addresses import parse_target
from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.config.listener import ListenerConfig, ListenerTimings
from hybridconn.core.entities import Claim, HybridConnection, endpoint_metadata
from hybridconn.listener import tap
from hybridconn.listener.reject import Reject
from hybridconn.listener.service import ListenerService, TargetListener
from hybridconn.listener.states import ChannelStatus
from hybridconn.testing.relay import MemoryRelay
from tests.listener.scene import LogTestCase

STRING = (
    "Endpoint=sb://relay.test/;SharedAccessKeyName=listen;"
    "SharedAccessKey=c2VjcmV0;EntityPath=hyco"
)


class ServiceTests(LogTestCase):
    """L{ListenerService} and a relay in memory."""

    timings = ListenerTimings(metadata_refresh=7.0)

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(
            [
                "one",
                "two",
                HybridConnection("meta", user_metadata=endpoint_metadata("db.corp:5")),
                "bare",
            ]
        )
        self.network = self.relay.network

    def service(self, **targets: str | None) -> ListenerService:
        """Start a listener for some entities and their targets."""
        config = ListenerConfig(
            timings=self.timings,
            hybrid_connections=tuple(
                HybridConnectionTarget(
                    self.relay.parsed_connection_string(path, Claim.LISTEN),
                    None if target is None else parse_target(target),
                )
                for path, target in targets.items()
            ),
        )
        return ListenerService(
            config, self.relay.dialer(), self.network.clock, self.relay.wall
        )

    def start(self, service: ListenerService) -> dict[str, TargetListener]:
        service.startService()
        self.network.flush()
        self.addCleanup(self.stop, service)
        return {listener.entity: listener for listener in service}

    def stop(self, service: ListenerService) -> None:
        if service.running:
            service.stopService()
        self.network.advance(10)

    def test_interface(self) -> None:
        """It is a service, and dials nothing before it starts."""
        service = self.service(one="db.corp:1")
        self.assertTrue(verifyObject(IService, service))
        self.network.advance(60)
        self.assertEqual(self.network.connections, ())

    def test_independent(self) -> None:
        """What befalls one is nothing to the others."""
        self.relay.remove("two")
        listeners = self.start(self.service(one="a.corp:1", two="b.corp:2"))
        self.assertIs(listeners["one"].status, ChannelStatus.ONLINE)
        self.assertIs(listeners["two"].status, ChannelStatus.OFFLINE)
        self.assertIn("404", listeners["two"].last_error)
        self.relay.add("two")
        self.network.advance(2)
        self.assertIs(listeners["two"].status, ChannelStatus.ONLINE)

    def target(self, listener: TargetListener) -> str:
        found = listener.target()
        self.network.flush()
        return str(self.successResultOf(found))

    def test_fixed_target(self) -> None:
        """A configured target is used; the metadata is not even read."""
        listeners = self.start(self.service(meta="a.corp:1"))
        self.assertEqual(self.target(listeners["meta"]), "a.corp:1")
        self.assertEqual(len(self.network.connections), 1)

    def test_target_from_metadata(self) -> None:
        """Otherwise it is what the metadata says, read anew when it is back."""
        listeners = self.start(self.service(meta=None))
        self.assertLogged("meta: the target is db.corp:5, from its metadata")
        self.assertEqual(self.target(listeners["meta"]), "db.corp:5")
        changed = HybridConnection("meta", user_metadata=endpoint_metadata("x.corp:6"))
        self.relay.add(changed)
        self.assertEqual(self.target(listeners["meta"]), "db.corp:5")
        self.network.connections[0].cut()
        self.network.advance(2)
        self.assertEqual(self.target(listeners["meta"]), "x.corp:6")

    def test_refresh(self) -> None:
        """And it is read again each C{metadata_refresh} seconds."""
        listeners = self.start(self.service(meta=None))
        changed = HybridConnection("meta", user_metadata=endpoint_metadata("x.corp:6"))
        self.relay.add(changed)
        self.network.advance(8)
        self.assertEqual(self.target(listeners["meta"]), "x.corp:6")

    def test_no_target(self) -> None:
        """A hybrid connection that says nothing has none."""
        listeners = self.start(self.service(bare=None))
        found = listeners["bare"].target()
        self.network.flush()
        self.failureResultOf(found, Reject)

    def test_stop(self) -> None:
        """It ends when all are over, and leaves nothing behind."""
        service = self.service(one="a.corp:1", meta=None)
        self.start(service)
        stopped = service.stopService()
        self.network.flush()
        self.successResultOf(stopped)
        self.network.advance(1)
        self.relay.stop()
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.network.clock.getDelayedCalls(), [])


class TapTests(LogTestCase):
    """C{twistd hclistener}."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def make(self, *arguments: str, **environ: str) -> tap.ManagerService:
        options = tap.Options()
        options.parseOptions(arguments)
        self.reactor = MemoryReactorClock()
        with patch.dict(os.environ, environ):
            made = tap.makeService(options, self.reactor)
        assert isinstance(made, tap.ManagerService)
        return made

    def refusal(self, *arguments: str, **environ: str) -> str:
        error = self.assertRaises(SystemExit, self.make, *arguments, **environ)
        return str(error.code)

    def entities(self, service: tap.ManagerService) -> list[str]:
        return [one.name for one in service.manager]

    def test_config(self) -> None:
        """Everything from a file; nothing is dialled yet."""
        self.write("one", STRING)
        self.write("two", STRING.replace("hyco", "two"))
        path = self.write(
            "listener.toml",
            "[[hybrid_connection]]\nconnection_string_file = 'one'\n"
            "target = 'db.corp:1433'\n"
            "[[hybrid_connection]]\nconnection_string_file = 'two'\n",
        )
        service = self.make("--config", path)
        self.assertEqual(self.entities(service), ["hyco", "two"])
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_connection_string_file(self) -> None:
        """One from a file and options."""
        path = self.write("one", STRING)
        service = self.make("--connection-string-file", path, "--target", "db:1")
        self.assertEqual(self.entities(service), ["hyco"])

    def test_environment(self) -> None:
        """One from the environment."""
        service = self.make("-t", "db:1", HYBRIDCONN_CONNECTION_STRING=STRING)
        self.assertEqual(self.entities(service), ["hyco"])

    def test_insecure(self) -> None:
        """Only a switch turns TLS off, and the log says so."""
        secure = self.make("-t", "db:1", HYBRIDCONN_CONNECTION_STRING=STRING)
        self.assertEqual(self.schemes(secure), [True])
        self.assertEqual(self.lines, [])
        plain = self.make(
            "-t", "db:1", "--insecure", HYBRIDCONN_CONNECTION_STRING=STRING
        )
        self.assertEqual(self.schemes(plain), [False])
        self.assertLogged("hclistener", "insecure")

    def schemes(self, service: tap.ManagerService) -> list[bool]:
        return [one.one.connection.secure for one in service.manager]

    def test_mistakes(self) -> None:
        """What is wrong is said in a line, without a secret in it."""
        readable = self.write("readable", STRING, 0o644)
        said = self.refusal("--connection-string-file", readable, "-t", "db:1")
        self.assertIn("hclistener: ", said)
        self.assertIn("chmod 600", said)
        self.assertIn(
            "db", self.refusal("-t", "db", HYBRIDCONN_CONNECTION_STRING=STRING)
        )
        self.assertIn("there is no connection string", self.refusal("-t", "db:1"))
        self.assertIn("no-such", self.refusal("--config", "no-such.toml"))
        for text in (said,):
            self.assertNotIn("c2VjcmV0", text)

    def test_beside_config(self) -> None:
        """What would be ignored beside --config is a mistake."""
        for more in (["--target", "db:1"], ["--insecure"], ["--ca-file", "x"]):
            said = self.refusal("--config", "listener.toml", *more)
            self.assertIn(f"{more[0]} cannot stand beside --config", said)

    def test_bad_authorities(self) -> None:
        """A CA file that is none is a mistake at the start."""
        path = self.write("ca.pem", "no certificate")
        said = self.refusal(
            "-t", "db:1", "--ca-file", path, HYBRIDCONN_CONNECTION_STRING=STRING
        )
        self.assertIn("ca", said)
