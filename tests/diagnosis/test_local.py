"""Tests of what is looked at on the sender's machine."""

from __future__ import annotations

import datetime
import os
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.certificates import make_certificates
from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import FrontDoor, NamesSettings
from hybridconn.config.sender import SenderConfig
from hybridconn.diagnosis.check import Result
from hybridconn.diagnosis.local import check_name, check_port, place_below
from hybridconn.diagnosis.machine import (
    check_front_doors,
    check_modes,
    check_own_certificate,
    check_ways,
)
from hybridconn.names.plan import HostAddresses
from hybridconn.redirect.way import STATE, Names
from hybridconn.redirect.ways import WAYS
from hybridconn.tls import CertificateFiles
from hybridconn.wayout.way import WayOut

PLACE = HostPort("127.77.0.1", 1433)
_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
_LINE = (
    "   0: {}:0599 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 {}\n"
)


def none(name: str) -> set[str]:
    """No name is found."""
    return set()


class NameTests(SynchronousTestCase):
    """Whether apps find the sender by a name."""

    def check(self, host: str, *found: str) -> tuple[Result, str, str]:
        asked: list[str] = []

        def find(name: str) -> set[str]:
            asked.append(name)
            return set(found)

        check = check_name("x", HostPort(host, 1433), PLACE, lambda: 0.0, find)
        self.assertNotIn("*", asked[0])
        return check.result, check.seen, check.mend

    def test_below(self) -> None:
        """A name below a wildcard of many services is where the sender put it."""
        network = IPv4Network("127.77.0.0/16")
        asked: list[str] = []

        def find(*found: str) -> HostPort:
            def look(name: str) -> set[str]:
                asked.append(name)
                return set(found)

            return place_below(network, HostPort("*.corp", 443), look)

        self.assertEqual(find("10.0.0.5", "127.77.9.9"), HostPort("127.77.9.9", 443))
        self.assertEqual(find("10.0.0.5", "fd00::1").host, "one of 127.77.0.0/16")
        self.assertEqual(asked, ["hybridconn-test.corp"] * 2)

    def test_found(self) -> None:
        """One of the addresses is the sender's."""
        result, seen, mend = self.check("db.corp", "127.77.0.1", "10.0.0.5")
        self.assertEqual((result, mend), (Result.PASS, ""))
        self.assertIn("127.77.0.1", seen)

    def test_elsewhere(self) -> None:
        """The name leads elsewhere, or nowhere."""
        result, seen, mend = self.check("db.corp", "10.0.0.5")
        self.assertEqual(result, Result.FAIL)
        self.assertEqual(seen, "db.corp is 10.0.0.5, not 127.77.0.1")
        self.assertIn("redirect install", mend)
        self.assertIn("not found", self.check("db.corp")[1])

    def test_front_door(self) -> None:
        """Apps that use a proxy need no name to lead to the sender."""
        door = partial(check_name, front_door=True)
        found = door("x", HostPort("db.corp", 1433), PLACE, lambda: 0.0, none)
        self.assertEqual((found.result, found.mend), (Result.SKIP, ""))
        self.assertIn("db.corp is not found, not 127.77.0.1; by the front", found.seen)

    def test_wildcard(self) -> None:
        """A name below a wildcard is asked for, which a hosts file cannot answer."""
        self.assertIn("--way resolv", self.check("*.corp")[2])

    def test_one_below(self) -> None:
        """So it is with one name below a wildcard of many services."""
        place = place_below(IPv4Network("127.77.0.0/16"), HostPort("a.corp", 1), none)
        found = check_name("x", HostPort("a.corp", 1), place, lambda: 0.0, none)
        self.assertEqual(found.result, Result.FAIL)
        self.assertIn("--way resolv", found.mend)


class PortTests(SynchronousTestCase):
    """Whether a sender listens, with C{/proc} made of files."""

    def setUp(self) -> None:
        self.proc = Path(self.mktemp())
        (self.proc / "net").mkdir(parents=True)
        self.listens()

    def listens(self, *places: tuple[str, int]) -> None:
        lines = "".join(_LINE.format(*place) for place in places)
        (self.proc / "net/tcp").write_text(_HEAD + lines)

    def process(self, pid: int, inode: int, *argv: str) -> None:
        folder = self.proc / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fd/3").symlink_to(f"socket:[{inode}]")
        (folder / "comm").write_text("prog\n")
        (folder / "cmdline").write_bytes(b"\0".join(map(os.fsencode, argv)) + b"\0")

    def check(self) -> tuple[Result, str]:
        found = check_port("x", PLACE, self.proc)
        self.assertEqual(bool(found.mend), found.result is Result.FAIL)
        return found.result, found.seen

    def test_nobody(self) -> None:
        """Nobody listens."""
        self.assertEqual(self.check()[0], Result.FAIL)

    def test_sender(self) -> None:
        """A sender does, started in whatever way."""
        for pid, argv in (
            (12, ["/opt/bin/python", "/opt/bin/twistd", "hcsender", "-c"]),
            (13, ["/opt/bin/python", "/opt/bin/hybridconn", "exec"]),
        ):
            self.listens(("01004D7F", pid))
            self.process(pid, pid, *argv)
            result, seen = self.check()
            self.assertEqual(result, Result.PASS)
            self.assertIn(f"process {pid}", seen)

    def test_another(self) -> None:
        """Another program does, here or at any address; its arguments stay hidden."""
        for address in ("01004D7F", "00000000"):
            self.listens((address, 78))
            if not (self.proc / "13").exists():
                self.process(13, 78, "/home/hybridconn-7/server", "--password=secret")
            result, seen = self.check()
            self.assertEqual(result, Result.FAIL)
            self.assertIn("prog, process 13", seen)
            self.assertNotIn("secret", seen)

    def test_not_known(self) -> None:
        """Before a name is found, nobody can say where its port is."""
        place = place_below(IPv4Network("127.77.0.0/16"), HostPort("a.corp", 1), none)
        self.assertEqual(check_port("x", place, self.proc).result, Result.SKIP)

    def test_udp(self) -> None:
        """The sender's port for datagrams is none for connections."""
        self.process(12, 12, "twistd", "hcsender")
        line = _LINE.format("01004D7F", 12).replace(" 0A ", " 07 ")
        (self.proc / "net/udp").write_text(_HEAD + line)
        self.assertEqual(self.check()[0], Result.FAIL)
        found = check_port("x", PLACE, self.proc, udp=True)
        self.assertEqual(found.result, Result.PASS)
        self.assertIn("process 12", found.seen)
        self.listens(("01004D7F", 12))
        (self.proc / "net/udp").unlink()
        found = check_port("x", PLACE, self.proc, udp=True)
        self.assertEqual(found.result, Result.FAIL)

    def test_somebodys(self) -> None:
        """Where the system does not tell whose it is, somebody listens."""
        self.listens(("01004D7F", 79))
        self.assertEqual(self.check()[0], Result.PASS)

    def test_untold(self) -> None:
        """Where it tells nothing at all, nothing is said."""
        found = check_port("x", PLACE, self.proc / "gone")
        self.assertEqual(found.result, Result.SKIP)


class ModeTests(SynchronousTestCase):
    """Who else may read secrets."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = self.folder / "sender.toml"
        self.file.write_text(
            '[way_out]\nproxy_password_file = "proxy"\n'
            '[[forward]]\nconnection_string_file = "string"\n'
            '[[forward]]\nconnection_string_file = "gone"\n'
        )
        for name in ("proxy", "string"):
            (self.folder / name).write_text("x")
            (self.folder / name).chmod(0o600)

    def wrong(self) -> list[str]:
        return [
            Path(one.subject).name
            for one in check_modes(str(self.file), {})
            if not one.ok
        ]

    def test_private(self) -> None:
        """All are for their owner alone."""
        (check,) = check_modes(str(self.file), {})
        self.assertTrue(check.ok)
        self.assertIn("2 with secrets", check.seen)

    def test_open(self) -> None:
        """Each that is not is named, with the mend."""
        for name in ("proxy", "string"):
            (self.folder / name).chmod(0o640)
        self.assertEqual(self.wrong(), ["proxy", "string"])
        self.assertIn("chmod 600", check_modes(str(self.file), {})[0].mend)

    def test_configuration_itself(self) -> None:
        """So is a configuration in which a secret stands."""
        self.file.write_text('[[forward]]\nconnection_string = "x"\n')
        self.file.chmod(0o644)
        self.assertEqual(self.wrong(), ["sender.toml"])

    def test_unreadable(self) -> None:
        """What is no TOML is said elsewhere."""
        self.file.write_text("[")
        self.assertEqual(check_modes(str(self.file), {}), [])


class OwnCertificateTests(SynchronousTestCase):
    """The certificate that is shown to a relay."""

    def test_days(self) -> None:
        """It is well until it ends."""
        file = Path(self.mktemp())
        now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
        file.write_bytes(make_certificates(["app"], now).relay.certificate)
        way_out = WayOut(client_certificate=CertificateFiles(str(file), ""))
        config = SenderConfig(way_out=way_out)
        (check,) = check_own_certificate(config, now.timestamp())
        self.assertTrue(check.ok)
        self.assertIn("364 days left", check.seen)
        (check,) = check_own_certificate(config, now.timestamp() + 366 * 86400)
        self.assertIn("client_certificate", check.mend)
        self.assertEqual(check_own_certificate(SenderConfig(), 0), [])


class FrontDoorTests(SynchronousTestCase):
    """The sender as a proxy for apps."""

    def test_each(self) -> None:
        """Each port that is configured is looked at."""
        door = FrontDoor(HostPort("127.0.0.1", 1), HostPort("127.0.0.1", 2))
        checks = [*check_front_doors(SenderConfig(front_door=door))]
        self.assertEqual([one.ok for one in checks], [False, False])
        self.assertEqual([*check_front_doors(SenderConfig())], [])


class WayTests(SynchronousTestCase):
    """How names are found."""

    def test_none(self) -> None:
        """No way is in force: that may be well."""
        root = Path(self.mktemp())
        root.mkdir()
        (check,) = check_ways(root)
        self.assertEqual(check.result, Result.SKIP)

    def test_tampered(self) -> None:
        """A file that somebody else has written since is told, with the mend."""
        root = Path(self.mktemp())
        (root / "etc").mkdir(parents=True)
        hosts = root / "etc/hosts"
        hosts.write_text("127.0.0.1 localhost\n")
        names = Names({"db.corp": HostAddresses("127.77.0.1")}, NamesSettings())
        WAYS["hosts"](root).install(names)
        (check,) = check_ways(root)
        self.assertTrue(check.ok, check)
        self.assertTrue((root / STATE).exists())
        hosts.write_text("127.0.0.1 localhost\n")
        (check,) = check_ways(root)
        self.assertFalse(check.ok)
        self.assertIn("redirect install --way hosts", check.mend)
