"""All local ports of a sender, and the program around them."""

from __future__ import annotations

import os
from unittest.mock import patch

from twisted.application.service import IService
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from zope.interface.verify import verifyObject

from hybridconn.config.addresses import parse_bind
from hybridconn.config.forward import Forward
from hybridconn.config.sender import SenderConfig
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import MisdirectedRequest
from hybridconn.sender import tap
from hybridconn.sender.http_forward import HttpForward
from hybridconn.sender.service import SenderService
from hybridconn.testing.fakes import FakeHeldRequest
from hybridconn.testing.network import MemoryNetwork
from tests.listener.scene import LogTestCase

STRING = (
    "Endpoint=sb://relay.test/;SharedAccessKeyName=send;"
    "SharedAccessKey=c2VjcmV0;EntityPath=hyco"
)


class TakenReactor(MemoryReactorClock):
    """Every port is taken."""

    def listenTCP(self, *args: object, **more: object) -> object:
        raise CannotListenError("127.0.0.1", 15432, OSError(98, "in use"))


class ServiceTests(LogTestCase):
    """L{SenderService} on a reactor in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = MemoryReactorClock()

    def service(self) -> SenderService:
        connection = ConnectionString.parse(STRING)
        config = SenderConfig(
            forwards=(
                Forward(connection, parse_bind("127.0.0.1:15432")),
                Forward(connection, parse_bind("[::1]:15433")),
            )
        )
        return SenderService(config, MemoryNetwork().dialer(), self.reactor)

    def test_interface(self) -> None:
        """It is a service, and opens nothing before it starts."""
        self.assertTrue(verifyObject(IService, self.service()))
        self.assertEqual(self.reactor.tcpServers, [])

    def test_names(self) -> None:
        """A port for HTTP on loopback answers to no name but its own."""
        connection = ConnectionString.parse(STRING)
        forwards = tuple(
            Forward(connection, parse_bind(bind), True)
            for bind in ("127.0.0.1:18080", "0.0.0.0:18081")
        )
        config = SenderConfig(forwards=forwards)
        service = SenderService(config, MemoryNetwork().dialer(), self.reactor)
        statuses = []
        for forward in service.forwards:
            assert isinstance(forward, HttpForward)
            request = FakeHeldRequest(
                RequestHead("OPTIONS", "/x", headers=[("Host", "evil.test")])
            )
            try:
                forward.handle(request)
            except MisdirectedRequest:
                statuses.append(421)
            else:
                statuses.append(0)
        self.assertEqual(statuses, [421, 0])

    def test_ports(self) -> None:
        """Each forward listens on its own address, of either family."""
        service = self.service()
        service.privilegedStartService()
        service.startService()
        self.assertEqual(
            [(port, interface) for port, _, _, interface in self.reactor.tcpServers],
            [(15432, "127.0.0.1"), (15433, "::1")],
        )
        self.assertEqual(
            [factory for _, factory, _, _ in self.reactor.tcpServers], service.forwards
        )
        self.successResultOf(service.stopService())

    def test_port_taken(self) -> None:
        """It does not go on without its port."""
        self.reactor = TakenReactor()
        service = self.service()
        self.assertRaises(CannotListenError, service.privilegedStartService)


class TapTests(LogTestCase):
    """C{twistd hcsender}."""

    def make(self, *arguments: str, **environ: str) -> SenderService:
        options = tap.Options()
        options.parseOptions(arguments)
        self.reactor = TakenReactor()
        with patch.dict(os.environ, environ):
            made = tap.makeService(options, self.reactor)
        assert isinstance(made, SenderService)
        return made

    def refusal(self, *arguments: str, **environ: str) -> str:
        error = self.assertRaises(SystemExit, self.make, *arguments, **environ)
        return str(error.code)

    def test_config(self) -> None:
        """Everything from a file; nothing is opened yet."""
        folder = self.mktemp()
        os.mkdir(folder)
        for name, text in (
            ("send", STRING),
            (
                "sender.toml",
                "[[forward]]\nconnection_string_file = 'send'\n"
                "bind = '127.0.0.1:15432'\n",
            ),
        ):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(file.name, 0o600)
        service = self.make("--config", os.path.join(folder, "sender.toml"))
        self.assertEqual(len(service.forwards), 1)

    def test_environment(self) -> None:
        """One port from options and the environment."""
        service = self.make(
            "--bind", "127.0.0.1:15432", HYBRIDCONN_CONNECTION_STRING=STRING
        )
        (forward,) = service.forwards
        self.assertEqual(forward.connector.entity, "hyco")

    def test_insecure(self) -> None:
        """Without TLS only by a switch, and the log says so."""
        self.make("-b", "[::1]:1", "--insecure", HYBRIDCONN_CONNECTION_STRING=STRING)
        self.assertLogged("hcsender", "insecure")

    def test_mistakes(self) -> None:
        """What is wrong is said in a line, without a secret in it."""
        said = self.refusal("--bind", "localhost", HYBRIDCONN_CONNECTION_STRING=STRING)
        self.assertIn("hcsender: ", said)
        self.assertNotIn("c2VjcmV0", said)
        self.assertIn("bind", self.refusal(HYBRIDCONN_CONNECTION_STRING=STRING))
        self.assertIn(
            "--bind cannot stand beside --config",
            self.refusal("--config", "x", "--bind", "127.0.0.1:1"),
        )
        with open(os.devnull, "rb") as no_socket:
            for number in ("x", "-1", str(no_socket.fileno())):
                argv = ("--bind", "127.0.0.1:1", f"--ports-from={number}")
                said = self.refusal(*argv, HYBRIDCONN_CONNECTION_STRING=STRING)
                self.assertIn(f"--ports-from {number}: is no socket", said)

    def test_port_taken(self) -> None:
        """A port that is taken ends the program with a line that says which."""
        service = self.make(
            "--bind", "127.0.0.1:15432", HYBRIDCONN_CONNECTION_STRING=STRING
        )
        error = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertIn("hcsender: cannot listen on 127.0.0.1:15432: ", str(error.code))
