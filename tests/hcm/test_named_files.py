"""Files that a configuration names, and that change while it runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from hybridconn.certificates import RelayCertificates, make_certificates
from tests.hcm.case import HcmTestCase


def authority() -> str:
    """A certificate of a new authority."""
    return made().authority.certificate.decode()


def made() -> RelayCertificates:
    """New certificates."""
    return make_certificates(["relay.test"], datetime.now(UTC))


class NamedTests(HcmTestCase):
    """What is named is watched as what names it."""

    def pair(self) -> None:
        """Write a certificate to show, and its key."""
        issued = made().relay
        self.write("client.pem", issued.certificate.decode())
        self.write("client.key", issued.key.decode())

    def test_string_file(self) -> None:
        """A connection string in a file of its own is watched too: a renewed key."""
        self.write("one.connection-string", self.string("one"))
        self.write(
            "conf.d/one.toml",
            "[[hybrid_connection]]\n"
            'connection_string_file = "../one.connection-string"\n'
            'target = "db.corp:5"\n',
        )
        self.network.advance(2)
        before = self.view("one")["trackingId"]
        renewed = self.string("one").replace("KeyName=Listen", "KeyName=Manage")
        self.write("one.connection-string", renewed)
        self.network.advance(2)
        self.assertEqual(self.view("one")["keyName"], "Manage")
        self.assertNotEqual(self.view("one")["trackingId"], before)

    def test_target_authorities(self) -> None:
        """Authorities of one target concern it alone."""
        self.write("ca.pem", authority())
        settings = {"target": "https://db.corp:5", "target_ca_file": "../ca.pem"}
        self.write("conf.d/one.toml", self.table("one", **settings))
        self.write("conf.d/two.toml", self.table("two", target="db.corp:5"))
        self.network.advance(2)
        before = {name: self.view(name)["trackingId"] for name in ("one", "two")}
        self.write("ca.pem", authority())
        self.network.advance(2)
        self.assertNotEqual(self.view("one")["trackingId"], before["one"])
        self.assertEqual(self.view("two")["trackingId"], before["two"])
        self.write("ca.pem", "rubbish")
        self.network.advance(2)
        self.assertIn("target_ca_file", self.steward.trouble)
        self.write("ca.pem", authority())
        self.network.advance(2)
        self.assertEqual(self.steward.trouble, "")

    def test_way_out(self) -> None:
        """The files of the way out are watched; it is made anew, and tunnels go on."""
        made: list[object] = []
        self.patch(self.manager, "_make_dialer", lambda config: made.append(config))
        self.write("proxy.pem", authority())
        self.pair()
        self.write(
            "listener.toml",
            '[connections]\nfolder = "conf.d"\n[way_out]\n'
            'proxy = "https://proxy.corp"\nproxy_ca_file = "proxy.pem"\n'
            'client_certificate = "client.pem"\nclient_key = "client.key"\n',
        )
        self.network.advance(2)
        self.assertEqual((self.steward.trouble, len(made)), ("", 1))
        self.network.advance(10)
        self.assertEqual(len(made), 1)
        self.write("proxy.pem", authority())
        self.network.advance(2)
        self.assertEqual(len(made), 2)
        self.pair()
        self.network.advance(2)
        self.assertEqual((self.steward.trouble, len(made)), ("", 3))
        for name in ("proxy.pem", "client.pem", "client.key"):
            os.unlink(self.folder / name)
        self.network.advance(2)
        self.assertIn("there is no file", self.steward.trouble)
        self.write("proxy.pem", authority())
        self.pair()
        self.network.advance(2)
        self.assertEqual((self.steward.trouble, len(made)), ("", 4))

    def test_missing_file(self) -> None:
        """A file that was named before it was there counts when it comes."""
        self.write(
            "conf.d/one.toml",
            '[[hybrid_connection]]\nconnection_string_file = "../late"\n'
            'target = "db.corp:5"\n',
        )
        self.network.advance(2)
        self.assertIn("there is no file", self.steward.trouble)
        self.write("late", self.string("one"))
        self.network.advance(2)
        self.assertEqual(self.steward.trouble, "")
        self.assertEqual(self.status("one"), "Connected")
