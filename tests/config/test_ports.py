"""Named ports and modes in configurations."""

from __future__ import annotations

from hybridconn.config.listener import load_listener
from hybridconn.config.ports import parse_port
from hybridconn.config.sender import load_sender
from tests.config.case import STRING, ConfigTestCase

LISTENER = '[[hybrid_connection]]\nconnection_string_file = "db"\nmode = "bridge"\n'
REDIRECT = '[[redirect]]\nconnection_string_file = "db"\n'
SENDER = '[[forward]]\nconnection_string_file = "db"\nbind = "127.0.0.1:5353"\n'


class PortTests(ConfigTestCase):
    """What can be written, and what is wrong with the rest."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING + "\n")

    def test_ports(self) -> None:
        """A name, or the port's number; TCP, UDP and UNIX sockets."""
        for text, name, target, datagrams in (
            ("sql=db.corp:1433", "sql", "db.corp:1433", False),
            ("db.corp:1433", "1433", "db.corp:1433", False),
            ("udp:ns.corp:53", "53", "ns.corp:53", True),
            ("dns=udp:[::1]:53", "dns", "[::1]:53", True),
            ("app=unix:/run/app.sock", "app", "unix:/run/app.sock", False),
        ):
            port = parse_port(text)
            self.assertEqual(
                (port.name, str(port.target), port.datagrams),
                (name, target, datagrams),
            )

    def test_no_ports(self) -> None:
        """Each mistake is named."""
        for text, words in (
            ("unix:/run/app.sock", "needs a name="),
            ("dns=udp:unix:/run/app.sock", "a host and a port are needed"),
            ("web=http://a.corp", "no HTTP service"),
            ("=db.corp:1", "1 to 255 bytes"),
            ("sql=db.corp", "host:port"),
        ):
            error = self.assertRaises(ValueError, parse_port, text)
            self.assertIn(words, str(error))

    def test_listener(self) -> None:
        """A listener's ports come in their order; C{raw} is the rule."""
        text = LISTENER + 'ports = ["sql=db.corp:1433", "udp:ns.corp:53"]\n'
        (one,) = load_listener(self.write("a.toml", text)).hybrid_connections
        self.assertEqual(one.mode, "bridge")
        self.assertEqual(
            [*map(str, one.ports)], ["sql=db.corp:1433", "53=udp:ns.corp:53"]
        )
        text = '[[hybrid_connection]]\nconnection_string_file = "db"\n'
        (one,) = load_listener(self.write("b.toml", text)).hybrid_connections
        self.assertEqual((one.mode, one.ports), ("raw", ()))

    def test_listener_mistakes(self) -> None:
        """What does not go together is said, with its key."""
        raw = LISTENER.replace('mode = "bridge"\n', "")
        for text, words in (
            (raw + 'ports = ["a.b:1"]\n', 'ports: goes only with mode = "bridge"'),
            (LISTENER + 'ports = ["a.b:1"]\ntarget = "a.b:1"\n', "without target"),
            (LISTENER + 'target = "http://a.b"\n', 'only with mode = "raw"'),
            (
                raw + 'target = "http://a.b"\nproxy_protocol = true\n',
                "proxy_protocol: goes only with a target such as",
            ),
            (LISTENER + 'ports = ["a.b:1", "c.d:1"]\n', '"1" is the name of number 1'),
            (LISTENER + 'ports = ["a.b"]\n', "is no named port"),
            (LISTENER + 'targets = ["*.b:1"]\n', 'leave out mode = "bridge"'),
            (raw + 'mode = "socks"\n', "raw"),
        ):
            (mistake,) = self.mistakes(load_listener, text)
            self.assertIn(words, mistake)

    def test_sender(self) -> None:
        """The port's name is the local port's number unless it is said."""
        for more, name, udp in (
            ("", None, False),
            ('mode = "bridge"\n', "5353", False),
            ('mode = "bridge"\nport_name = "dns"\nprotocol = "udp"\n', "dns", True),
        ):
            (one,) = load_sender(self.write("a.toml", SENDER + more)).forwards
            self.assertEqual((one.port_name, one.udp), (name, udp))

    def test_same_port(self) -> None:
        """TCP and UDP have ports of their own."""
        udp = 'mode = "bridge"\nprotocol = "udp"\n'
        self.assertEqual(
            len(load_sender(self.write("a.toml", SENDER + SENDER + udp)).forwards), 2
        )
        (mistake,) = self.mistakes(load_sender, SENDER + udp + SENDER + udp)
        self.assertIn("is taken by number 1", mistake)

    def test_sender_mistakes(self) -> None:
        """What does not go together is said, with its key."""
        for more, words in (
            ('port_name = "a"\n', 'port_name: goes only with mode = "bridge"'),
            ('protocol = "udp"\n', 'protocol: goes only with mode = "bridge"'),
            ("udp_idle_time = 5\n", 'goes only with protocol = "udp"'),
            ('mode = "bridge"\nhttp = true\n', "http: goes only with mode"),
            ('mode = "bridge"\nport_name = ""\n', "is no name"),
            ('mode = "bridge"\ntarget = "a.b:1"\n', "port_name says what is wanted"),
        ):
            (mistake,) = self.mistakes(load_sender, SENDER + more)
            self.assertIn(words, mistake)
        text = SENDER.replace("5353", "0") + 'mode = "bridge"\n'
        (mistake,) = self.mistakes(load_sender, text)
        self.assertIn("port_name: is missing", mistake)

    def test_redirect(self) -> None:
        """A redirect's name is the number of its endpoint's port unless it is said."""
        for more, name in (
            ("", None),
            ('mode = "bridge"\n', "1433"),
            ('mode = "bridge"\nport_name = "sql"\n', "sql"),
        ):
            text = REDIRECT + 'endpoint = "db.corp:1433"\n' + more
            (one,) = load_sender(self.write("a.toml", text)).redirects
            self.assertEqual(one.port_name, name)
        text = REDIRECT + 'mode = "bridge"\nport_name = "sql"\n'
        (one,) = load_sender(self.write("a.toml", text)).redirects
        self.assertEqual((one.port_name, one.endpoint), ("sql", None))

    def test_redirect_mistakes(self) -> None:
        """What does not go together is said, with its key."""
        for more, words in (
            ('endpoint = "a.b:1"\nport_name = "a"\n', "port_name: goes only with mode"),
            ('mode = "bridge"\n', "port_name: is missing"),
            ('mode = "bridge"\nendpoints = ["a.b:1"]\n', "endpoints: goes only with"),
        ):
            (mistake,) = self.mistakes(load_sender, REDIRECT + more)
            self.assertIn(words, mistake)
