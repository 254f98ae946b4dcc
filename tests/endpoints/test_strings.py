"""C{hc:} in endpoint strings."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, SynchronousResolver
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.core.entities import Secret
from hybridconn.endpoints.client import HybridConnectionClientEndpoint
from hybridconn.endpoints.server import HybridConnectionServerEndpoint
from hybridconn.endpoints.strings import (
    ClientParser,
    Parameters,
    ServerParser,
    parse,
)

KEY = "c2VjcmV0LWtleQ=="
STRING = f"Endpoint=sb://relay.test/;SharedAccessKeyName=send;SharedAccessKey={KEY}"


class StringTestCase(SynchronousTestCase):
    """With files to point to."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.key = self.write("key", KEY + "\n")
        self.entity_string = self.write("hyco", f"{STRING};EntityPath=hyco\n")
        self.namespace_string = self.write("namespace", STRING)

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def parse(self, *args: str, **given: str) -> Parameters:
        return parse(args, given, {"KEY": KEY, "STRING": STRING, "EMPTY": ""})


class ParseTests(StringTestCase):
    """What may stand in such a string."""

    def test_connection_string(self) -> None:
        """A file with the connection string of a hybrid connection is enough."""
        found = self.parse(connectionStringFile=self.entity_string)
        connection = found.connection
        self.assertEqual(
            (connection.host, connection.port, connection.entity_path),
            ("relay.test", 443, "hyco"),
        )
        self.assertEqual((found.ca_files, found.retry), ((), False))
        self.assertTrue(connection.secure)

    def test_namespace(self) -> None:
        """With a namespace's the hybrid connection is named beside it."""
        for given in (
            {"connectionStringFile": self.namespace_string},
            {"connectionStringEnv": "STRING"},
        ):
            found = self.parse("plant/4/db", **given)
            self.assertEqual(found.connection.entity_path, "plant/4/db")

    def test_parts(self) -> None:
        """Or everything by itself, the key in a file or a variable."""
        for given in ({"keyFile": self.key}, {"keyEnv": "KEY"}):
            connection = self.parse(
                "db", host="Relay.test", port="8443", keyName="send", **given
            ).connection
            self.assertEqual((connection.host, connection.port), ("relay.test", 8443))
            self.assertEqual(
                (connection.key_name, connection.key), ("send", Secret(KEY))
            )
        bare = self.parse("db", host="[::1]").connection
        self.assertEqual((bare.host, bare.key), ("::1", None))

    def test_switches(self) -> None:
        """Further authorities, no TLS, patience."""
        found = parse(
            ["db"],
            {"host": "r", "caFile": "ca.pem", "insecure": "yes", "retry": "Yes"},
            {},
            more=["retry"],
        )
        self.assertEqual((found.ca_files, found.retry), (("ca.pem",), True))
        self.assertFalse(found.connection.secure)
        self.assertTrue(self.parse("db", host="r", insecure="no").connection.secure)

    def refused(self, *args: str, **given: str) -> str:
        error = self.assertRaises(ValueError, self.parse, *args, **given)
        self.assertTrue(str(error).startswith("hc: "), error)
        self.assertNotIn(KEY, str(error))
        return str(error)

    def test_proxy(self) -> None:
        """A proxy is named, or the environment's is taken; else there is none."""
        environ = {"HTTPS_PROXY": "http://jo:hunter2@proxy.corp:3128"}
        for value, expected in (
            ("none", None),
            ("environment", "proxy.corp:3128"),
            ("socks5://other.corp", "other.corp:1080"),
        ):
            found = parse(["db"], {"host": "r", "proxy": value}, environ)
            proxy = found.way_out.proxy
            self.assertEqual(proxy and str(proxy), expected)
        self.assertIsNone(parse(["db"], {"host": "r"}, environ).way_out.proxy)
        for value, words in (
            ("ftp://p", "begins with none of"),
            ("http://jo:hunter2@p", "leave user and password out of it"),
        ):
            given = {"host": "r", "proxy": value}
            error = self.assertRaises(ValueError, parse, ["db"], given, environ)
            self.assertIn(words, str(error))
            self.assertNotIn("hunter2", str(error))
        environ = {"ALL_PROXY": "ftp://jo:hunter2@p"}
        given = {"host": "r", "proxy": "environment"}
        error = self.assertRaises(ValueError, parse, ["db"], given, environ)
        self.assertIn("ALL_PROXY is no proxy", str(error))

    def test_mistakes(self) -> None:
        """What is wrong is named, and never shows a key."""
        whole = {"connectionStringFile": self.entity_string}
        space = {"connectionStringFile": self.namespace_string}
        for words, args, given in (
            ("no parameter 'keyfile'", ["db"], {"host": "r", "keyfile": "x"}),
            ("no parameter 'retry'", ["db"], {"host": "r", "retry": "yes"}),
            ("one hybrid connection", ["db", "443"], {"host": "r"}),
            ("host cannot stand beside", [], whole | {"host": "r"}),
            ("connectionStringEnv cannot", [], whole | {"connectionStringEnv": "X"}),
            ("is for another one", ["db"], whole),
            ("names no hybrid connection", [], space),
            ("names no hybrid connection", [], {"host": "r"}),
            ("the hybrid connection: ", ["a//b"], space),
            ("connectionStringFile, or", ["db"], {}),
            ("host: ", ["db"], {"host": "a b"}),
            ("port=", ["db"], {"host": "r:443"}),
            ("port '0'", ["db"], {"host": "r", "port": "0"}),
            ("port 'x'", ["db"], {"host": "r", "port": "x"}),
            ("keyName and keyFile", ["db"], {"host": "r", "keyName": "n"}),
            ("keyName and keyFile", ["db"], {"host": "r", "keyEnv": "KEY"}),
            (
                "keyEnv cannot",
                ["db"],
                {"host": "r", "keyName": "n", "keyEnv": "KEY", "keyFile": self.key},
            ),
            ("no variable", ["db"], {"host": "r", "keyName": "n", "keyEnv": "EMPTY"}),
            ("no variable", [], {"connectionStringEnv": "NONE"}),
            ("insecure is yes or no", ["db"], {"host": "r", "insecure": "maybe"}),
        ):
            self.assertIn(words, self.refused(*args, **given))

    def test_files(self) -> None:
        """A file that others can read, is missing, empty or no text is refused."""
        key = {"host": "r", "keyName": "n"}
        readable = self.write("readable", KEY, 0o644)
        self.assertIn("chmod 600", self.refused("db", keyFile=readable, **key))
        self.assertIn("no file", self.refused("db", keyFile="/no/such", **key))
        empty = self.write("empty", "\n")
        self.assertIn("it is empty", self.refused("db", keyFile=empty, **key))
        with open(self.write("binary", ""), "wb") as file:
            file.write(b"\xff\xfe")
        self.assertIn("not UTF-8", self.refused("db", keyFile=file.name, **key))
        wrong = self.write("wrong", "Endpoint=sb://r/;SharedAccessKey=" + KEY)
        said = self.refused(connectionStringFile=wrong)
        self.assertIn("connectionStringFile: SharedAccessKeyName is missing", said)


class PluginTests(StringTestCase):
    """Twisted finds it."""

    def test_interfaces(self) -> None:
        """Both parsers, and the plugins before them, are what they should be."""
        from twisted.plugins import hybridconn_endpoints as plugins

        pairs: list[tuple[Any, Any]] = [
            (ClientParser(), IStreamClientEndpointStringParserWithReactor),
            (plugins.client, IStreamClientEndpointStringParserWithReactor),
            (ServerParser(), IStreamServerEndpointStringParser),
            (plugins.server, IStreamServerEndpointStringParser),
        ]
        for parser, interface in pairs:
            self.assertTrue(verifyObject(IPlugin, parser))
            self.assertTrue(verifyObject(interface, parser))
            self.assertEqual(parser.prefix, "hc")

    def test_way_out(self) -> None:
        """The endpoint goes by the proxy that is named."""
        reactor = MemoryReactorClock()
        names: list[str] = []
        resolver = SynchronousResolver()
        self.patch(
            resolver,
            "resolveHostName",
            lambda receiver, name, *_, **__: names.append(name),
        )
        reactor.installNameResolver(resolver)
        text = f"hc:connectionStringFile={self.entity_string}:proxy=http\\://p\\:3128"
        clientFromString(reactor, text).connect(Factory())
        self.assertEqual(names, ["p"])

    def test_client(self) -> None:
        """C{clientFromString} makes a client endpoint."""
        endpoint = clientFromString(
            Clock(), f"hc:db:host=relay.test:keyName=send:keyFile={self.key}"
        )
        self.assertIsInstance(endpoint, HybridConnectionClientEndpoint)
        self.assertEqual((endpoint.connector.entity, endpoint.target), ("db", ""))

    def test_target(self) -> None:
        """What is wanted of the listener; a server wants nothing."""
        text = f"hc:connectionStringFile={self.entity_string}:target=DB.corp\\:1433"
        endpoint = clientFromString(Clock(), text)
        self.assertEqual(endpoint.target, "db.corp:1433")
        self.assertRaises(ValueError, serverFromString, Clock(), text)
        text = f"hc:connectionStringFile={self.entity_string}:target=db"
        error = self.assertRaises(ValueError, clientFromString, Clock(), text)
        self.assertIn("hc: target: write it as host:port", str(error))
        self.assertIn("its colon is written \\:", str(error))

    def test_server(self) -> None:
        """C{serverFromString} makes a server endpoint."""
        endpoint = serverFromString(
            Clock(), f"hc:connectionStringFile={self.entity_string}:retry=yes"
        )
        self.assertIsInstance(endpoint, HybridConnectionServerEndpoint)
        self.assertEqual(endpoint.address.entity, "hyco")
        self.assertTrue(endpoint.retry)

    def test_mistake(self) -> None:
        """A mistake is a ValueError, whether it is ours or TLS's."""
        for make in (clientFromString, serverFromString):
            self.assertRaises(ValueError, make, Clock(), "hc:db")
            self.assertRaises(
                ValueError, make, Clock(), "hc:db:host=r:caFile=/no/such.pem"
            )
