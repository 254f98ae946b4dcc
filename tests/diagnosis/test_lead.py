"""What of a sender's configuration is looked at."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock

from hybridconn.config.addresses import HostPort
from hybridconn.config.sender import SenderConfig, load_sender
from hybridconn.core.probe import PORT_HEADER
from hybridconn.core.targets import TARGET_HEADER
from hybridconn.diagnosis.lead import Lead, leads_of, redirected
from hybridconn.diagnosis.machine import check_name_server
from hybridconn.names.plan import HostAddresses
from hybridconn.sender.learning import known_endpoints
from tests.config.case import STRING, ConfigTestCase

SENDER = """
[[forward]]
connection_string_file = "db"
bind = "127.0.0.1:5432"
target = "db.corp:5432"

[[forward]]
connection_string_file = "db"
bind = "127.0.0.1:5433"

[[redirect]]
connection_string_file = "db"
endpoints = ["*.apps.corp:443", "web.corp:80"]

[[redirect]]
connection_string_file = "db"
endpoint = "one.corp:80"
"""


class LeadTests(ConfigTestCase):
    """Ways on which the listener is to be told what is wanted."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING + "\n")
        self.config: SenderConfig = load_sender(self.write("sender.toml", SENDER))

    def leads(self) -> list[Lead]:
        learned = known_endpoints(self.config)
        assert learned is not None
        return [*leads_of(self.config, learned)]

    def test_told(self) -> None:
        """A target goes along as with an app's connection; one of its own, nothing."""
        told = [(one.subject, one.headers.get(TARGET_HEADER)) for one in self.leads()]
        self.assertEqual(
            told,
            [
                ("db.corp:5432", "db.corp:5432"),
                ("db", None),
                ("*.apps.corp:443", None),
                ("web.corp:80", "web.corp:80"),
                ("one.corp:80", None),
            ],
        )

    def test_udp(self) -> None:
        """A port for datagrams is told from one for connections."""
        bridge = 'mode = "bridge"\nport_name = "dns"\nprotocol = "udp"\n'
        text = SENDER.replace(
            'bind = "127.0.0.1:5433"\n', 'bind = "127.0.0.1:53"\n' + bridge
        )
        self.config = load_sender(self.write("udp.toml", text))
        self.assertEqual([one.udp for one in self.leads()][:2], [False, True])

    def test_port(self) -> None:
        """What a sender says in its mode goes along; one of HTTP says nothing of it."""
        bridge = 'mode = "bridge"\n'
        text = SENDER.replace(
            'bind = "127.0.0.1:5433"\n',
            'bind = "127.0.0.1:53"\nport_name = "d n"\nprotocol = "udp"\n' + bridge,
        )
        text = text.replace('target = "db.corp:5432"', "http = true")
        text = text.replace('one.corp:80"\n', f'one.corp:80"\n{bridge}')
        self.config = load_sender(self.write("ports.toml", text))
        self.assertEqual(
            [(one.subject, one.told.get(PORT_HEADER)) for one in self.leads()],
            [
                ("db", None),
                ("db, port d n", "udp:d%20n"),
                ("*.apps.corp:443", "raw"),
                ("web.corp:80", "raw"),
                ("one.corp:80", "tcp:80"),
            ],
        )

    def test_name_server(self) -> None:
        """
        Each name below a wildcard of many services has some address of the sender's;
        one elsewhere, or none, is wrong.
        """
        dns = '[names]\ndns = "127.0.0.77:53"\nupstreams = ["10.0.0.1"]\n'
        self.config = load_sender(self.write("dns.toml", SENDER + dns))
        wildcard = {"*.apps.corp": HostAddresses("127.77.0.1")}
        one = {"one.corp": HostAddresses("127.77.0.1")}
        for hosts, found, good in (
            (wildcard, ["127.77.9.9"], True),
            (wildcard, ["127.77.9.9", "10.0.0.1"], False),
            (wildcard, [], False),
            (wildcard, None, False),
            (one, ["127.77.9.9"], False),
            (one, ["127.77.0.1"], True),
        ):

            def ask(
                server: HostPort, name: str, reactor: object, said: Any = found
            ) -> Deferred[Any]:
                return succeed(said)

            looked = check_name_server(self.config, hosts, Clock(), True, ask)
            first = self.successResultOf(ensureDeferred(looked))[0]
            self.assertEqual(first.ok, good, first)

    def test_vague(self) -> None:
        """A wildcard of many services is no target, a name below it is one."""
        self.assertEqual(
            [one.subject for one in self.leads() if one.vague], ["*.apps.corp:443"]
        )
        many = self.config.redirects[0]
        asked, place = HostPort("a.apps.corp", 443), HostPort("127.77.0.1", 443)
        lead = redirected(many, asked, place)
        self.assertEqual(lead.headers, {TARGET_HEADER: "a.apps.corp:443"})
        self.assertFalse(lead.vague)
