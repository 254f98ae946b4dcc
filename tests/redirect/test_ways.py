"""Tests of L{hybridconn.redirect.ways}, with a folder in the place of C{/}."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import NamesSettings
from hybridconn.files import inside
from hybridconn.names.plan import plan_addresses
from hybridconn.redirect.errors import RedirectError
from hybridconn.redirect.loopback import Loopback
from hybridconn.redirect.passing import for_a_while
from hybridconn.redirect.way import Names, Way
from hybridconn.redirect.ways import HOSTS, WAYS, HostsWay, ResolvWay

DNS = HostPort("127.0.0.77", 53)


class NoLoopback(Loopback):
    """Remembers what is asked of it; C{wrong} is the answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.wrong = ""

    def run(self, verb: str, address: str) -> str:
        """Remember it."""
        self.asked.append((verb, address))
        return self.wrong


def names(*hosts: str, **settings: Any) -> Names:
    """What is to be redirected."""
    chosen = NamesSettings(**{"dns": DNS, **settings})
    return Names(plan_addresses(hosts or ("db.corp", "web.corp"), chosen), chosen)


class WayTestCase(SynchronousTestCase):
    """
    @ivar root: stands for C{/}.
    """

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        for folder in ("etc/systemd", "run/systemd/resolve"):
            (self.root / folder).mkdir(parents=True)
        self.write("etc/hosts", b"127.0.0.1 localhost\n# the end", 0o640)
        self.write("run/systemd/resolve/stub.conf", b"nameserver 127.0.0.53\n")
        self.write("run/systemd/resolve/resolv.conf", b"nameserver 192.0.2.53\n")
        stub = "../run/systemd/resolve/stub.conf"
        os.symlink(stub, self.root / "etc/resolv.conf")
        self.loopback = NoLoopback()

    def write(self, name: str, content: bytes, mode: int = 0o644) -> Path:
        path = self.root / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def way(self, name: str) -> Way:
        kind: Any = WAYS[name]
        made: Way = kind(self.root, self.loopback)
        return made

    def picture(self) -> dict[str, object]:
        """All that stands outside of our own folder: kind, owner, mode, content."""
        found: dict[str, object] = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if name.startswith("var"):
                continue
            at = path.lstat()
            content: object = None
            if path.is_symlink():
                content = os.readlink(path)
            elif path.is_file():
                content = path.read_bytes()
            found[name] = (at.st_mode, at.st_uid, at.st_gid, content)
        return found


class EachWayTests(WayTestCase):
    """What holds for every way."""

    def test_there_and_back(self) -> None:
        """Install, install again, undo: all is as it was, to mode, owner and link."""
        before = self.picture()
        for name in WAYS:
            way = self.way(name)
            self.assertFalse(way.undo())
            self.assertTrue(way.install(names()), name)
            self.assertIn("in force", way.status())
            written = self.picture()
            self.assertNotEqual(written, before)
            self.assertFalse(self.way(name).install(names()))
            # resolv.conf says nothing of the names.
            other = name != "resolv"
            self.assertEqual(way.install(names("other.corp")), other)
            self.assertEqual(way.install(names()), other)
            self.assertEqual(self.picture(), written)
            self.assertTrue(self.way(name).undo())
            self.assertEqual(self.picture(), before, name)
            self.assertEqual(way.status(), "not installed")

    def test_killed_anywhere(self) -> None:
        """Killed at whatever step, the next undo, or install and undo, mends it."""
        before = self.picture()
        for name in WAYS:
            for step in ("install", "again", "undo"):
                for after in range(1, 60):
                    way = self.way(name)
                    if step != "install":
                        way.install(names())
                    wanted = names() if step == "install" else names("other.corp")
                    act = way.undo if step == "undo" else partial(way.install, wanted)
                    killed = self._killed_after(after, act)
                    if after % 2:
                        self.way(name).install(names())
                    self.way(name).undo()
                    self.assertEqual(self.picture(), before, (name, step, after))
                    if not killed:
                        break
                else:
                    self.fail(f"{name}, {step}: more than 60 steps")
                self.assertGreater(after, 5, "it was not killed at all")

    def _killed_after(self, events: int, act: Callable[[], object]) -> bool:
        """Run C{act} in a process that is killed when it has touched so many files."""
        pid = os.fork()
        if pid == 0:
            left = [events]
            inside = str(self.root)

            def hook(event: str, arguments: tuple[Any, ...]) -> None:
                if event.startswith(("open", "os.")) and any(
                    inside in str(one) for one in arguments
                ):
                    left[0] -= 1
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            try:
                sys.addaudithook(hook)
                act()
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        return os.WIFSIGNALED(status)

    def test_not_allowed(self) -> None:
        """What cannot be written is said, with the mend, and nothing is changed."""
        before = self.picture()
        for name in WAYS:
            way = self.way(name)
            self.patch(os, "replace", self._refuse)
            error = self.assertRaises(RedirectError, way.install, names())
            self.assertRegex(str(error), "cannot be written: .*Run this as root")
            self.flushLoggedErrors()
            self.patch(os, "replace", self._real_replace)
            self.assertEqual(self.picture(), before)

    _real_replace = staticmethod(os.replace)

    def _refuse(self, source: Any, target: Any) -> None:
        if "var" in Path(target).parts:
            self._real_replace(source, target)
        else:
            raise PermissionError(13, "Permission denied")

    def test_read_only(self) -> None:
        """Where nothing can be written, an install that failed leaves nothing."""
        before = self.picture()
        for name in WAYS:
            real, allowed = os.unlink, "var"

            def refuse(path: Any, *more: Any) -> None:
                if allowed not in Path(path).parts:  # noqa: B023
                    raise OSError(30, "Read-only file system")
                real(path, *more)  # noqa: B023

            self.patch(os, "unlink", refuse)
            error = self.assertRaises(RedirectError, self.way(name).install, names())
            self.assertIn("Read-only file system. Run this as root", str(error))
            self.assertEqual(self.way(name).status(), "not installed")
            self.assertEqual(self.picture(), before)
            self.patch(os, "unlink", real)
            self.way(name).install(names())
            allowed = "etc"
            self.patch(os, "unlink", refuse)
            error = self.assertRaises(RedirectError, self.way(name).undo)
            self.assertIn("Read-only file system. Run this as root", str(error))
            self.patch(os, "unlink", real)
            self.way(name).undo()
            self.assertEqual(self.picture(), before)
            self.assertEqual(self.way(name).status(), "not installed")

    def test_image(self) -> None:
        """Links of an image do not lead out of it, for reading or writing."""
        outside = Path(self.mktemp()).absolute()
        outside.mkdir()
        for name in ("hosts", "resolv.conf"):
            (outside / name).write_text("nameserver 192.0.2.66\n")
            (self.root / "etc" / name).unlink()
            os.symlink(outside / name, self.root / "etc" / name)
        os.symlink(outside, self.root / "var")
        for name in ("hosts", "resolv"):
            copy = inside(self.root, f"{outside}/hosts")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text("127.0.0.1 localhost\n")
            way = self.way(name)
            way.install(names(upstreams=(HostPort("192.0.2.1", 53),)))
            self.assertIn("in force", way.status())
            self.assertNotIn(b"192.0.2.66", way.path.read_bytes())
            self.assertTrue(str(way.path).startswith(str(self.root)))
            way.undo()
        self.assertEqual(
            sorted(one.name for one in outside.iterdir()), ["hosts", "resolv.conf"]
        )
        self.assertEqual((outside / "hosts").read_text(), "nameserver 192.0.2.66\n")

    def test_image_moved(self) -> None:
        """What was prepared at one place is undone at another, and nowhere else."""
        before = self.picture()
        former = self.root
        for name in WAYS:
            self.way(name).install(names())
        self.root = former.with_name("moved")
        former.rename(self.root)
        victim = former / "etc/hosts"
        victim.parent.mkdir(parents=True)
        victim.write_text("theirs")
        for name in WAYS:
            self.assertIn("in force", self.way(name).status())
            self.assertTrue(self.way(name).undo())
        self.assertEqual(self.picture(), before)
        self.way("hosts").install(names())
        journal = self.root / "var/lib/hybridconn/redirect/hosts/journal.json"
        wrong = json.loads(journal.read_text())
        for path in (str(victim), f"../{former.name}/etc/hosts"):
            journal.write_text(json.dumps({**wrong, "path": path}))
            self.way("hosts").undo()
            self.assertEqual(victim.read_text(), "theirs")

    def test_no_room(self) -> None:
        """Without room for the last note, all is as it was, and the mend is another."""
        before = self.picture()
        for name in WAYS:
            saved: list[object] = []

            def full(source: Any, target: Any, saved: list[object] = saved) -> None:
                if Path(target).name == "journal.json":
                    saved.append(target)
                    if len(saved) == 2:
                        raise OSError(28, "No space left on device")
                self._real_replace(source, target)

            self.patch(os, "replace", full)
            error = self.assertRaises(RedirectError, self.way(name).install, names())
            self.assertRegex(str(error), "No space left on device. Make room there")
            self.assertEqual(self.picture(), before, name)
            self.assertEqual(self.way(name).status(), "not installed")

    def test_at_the_same_time(self) -> None:
        """What another program writes while we do is not lost."""
        way = self.way("hosts")
        for first in (True, False):
            text = way.path.read_bytes() + b"192.0.2.1 theirs\n"
            real = way.text

            def slow(names: Names, current: bytes) -> bytes:
                made = real(names, current)  # noqa: B023
                way.path.write_bytes(text)  # noqa: B023
                return made

            self.patch(way, "text", slow)
            wanted = names() if first else names("other.corp")
            error = self.assertRaises(RedirectError, way.install, wanted)
            self.assertIn("being changed by somebody else; try again", str(error))
            self.assertEqual(way.path.read_bytes(), text)
            self.patch(way, "text", real)
            way.install(wanted)
        way.undo()
        self.assertEqual(way.path.read_bytes().count(b"theirs"), 2)


class WhileTests(WayTestCase):
    """A way for as long as commands run."""

    def test_last(self) -> None:
        """The last one undoes it, whoever came first."""
        before = self.picture()
        one = for_a_while(self.way("hosts"), names())
        other = for_a_while(self.way("hosts"), names())
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        self.assertIn("in force", self.way("hosts").status())
        other.__exit__(None, None, None)
        self.assertEqual(self.picture(), before)

    def test_killed(self) -> None:
        """What one that was killed left goes with the next one."""
        before = self.picture()
        self.way("hosts").install(names(), for_a_while=True)
        with for_a_while(self.way("hosts"), names()):
            pass
        self.assertEqual(self.picture(), before)

    def test_installed(self) -> None:
        """What is installed for longer stays, before or meanwhile."""
        for meanwhile in (False, True):
            if not meanwhile:
                self.way("hosts").install(names())
            with for_a_while(self.way("hosts"), names()):
                if meanwhile:
                    self.way("hosts").install(names())
            self.assertIn("in force", self.way("hosts").status())
            self.way("hosts").undo()


class HostsTests(WayTestCase):
    """The hosts file."""

    def test_text(self) -> None:
        """One line for each address; all else stays byte by byte."""
        way = self.way("hosts")
        way.install(names())
        text = way.path.read_bytes()
        self.assertTrue(text.startswith(b"127.0.0.1 localhost\n# the end\n# BEGIN"))
        self.assertIn(b"127.77.225.48\tdb.corp\n", text)
        self.assertEqual(text.count(b"\tweb.corp\n"), 1)

    def test_others_edit(self) -> None:
        """What others wrote since stays when the block goes."""
        way = self.way("hosts")
        way.install(names())
        with way.path.open("ab") as opened:
            opened.write(b"192.0.2.1 theirs\n")
        way.path.chmod(0o600)
        way.install(names("other.corp"))
        self.assertIn(b"other.corp", way.path.read_bytes())
        with way.path.open("ab") as opened:
            opened.write(b"192.0.2.2 more\n")
        self.assertTrue(way.undo())
        self.assertEqual(
            way.path.read_bytes(),
            b"127.0.0.1 localhost\n# the end\n192.0.2.1 theirs\n192.0.2.2 more\n",
        )
        self.assertEqual(way.path.stat().st_mode & 0o777, 0o600)
        self.assertIn("was changed by somebody else; that stays", way.notes[0])

    def test_others_edit_between(self) -> None:
        """What others wrote between two installs stays, too, when the block goes."""
        for there in (True, False):
            way = self.way("hosts")
            if not there:
                way.path.unlink()
            text = way.path.read_bytes() if there else b""
            way.install(names())
            with way.path.open("ab") as opened:
                opened.write(b"192.0.2.1 theirs\n")
            way.install(names("other.corp"))
            way.undo()
            theirs = b"\n192.0.2.1 theirs\n" if there else b"192.0.2.1 theirs\n"
            self.assertEqual(way.path.read_bytes(), text + theirs)

    def test_end_lost(self) -> None:
        """A block whose end somebody took away is not undone, and that is said."""
        way = self.way("hosts")
        way.install(names())
        way.path.write_bytes(way.path.read_bytes().replace(b"# END", b"#"))
        way.install(names())
        self.assertRegex(way.notes[0], "former install without the end .* by hand")

    def test_lost_journal(self) -> None:
        """The block alone is enough to undo it."""
        before = self.picture()
        way = self.way("hosts")
        way.install(names())
        for path in (self.root / "var/lib/hybridconn/redirect/hosts").iterdir():
            path.unlink()
        self.assertTrue(way.undo())
        self.assertEqual(self.picture(), before)

    def test_link(self) -> None:
        """A link to the hosts file stays, and what it leads to is changed."""
        (self.root / "etc/hosts").rename(self.root / "etc/real")
        os.symlink("real", self.root / HOSTS)
        before = self.picture()
        way = self.way("hosts")
        way.install(names())
        self.assertTrue((self.root / HOSTS).is_symlink())
        self.assertIn(b"db.corp", (self.root / "etc/real").read_bytes())
        way.undo()
        self.assertEqual(self.picture(), before)

    def test_made_a_link(self) -> None:
        """A link that others made of the file stays, and what it leads to is mended."""
        way = self.way("hosts")
        before = way.path.read_bytes()
        way.install(names())
        moved = self.root / "etc/moved"
        way.path.rename(moved)
        hosts = self.root / "etc/hosts"
        hosts.symlink_to("/etc/moved")
        self.assertIn("in force", way.status())
        self.assertTrue(way.undo())
        self.assertTrue(hosts.is_symlink())
        self.assertEqual(moved.read_bytes(), before)

    def test_mount_point(self) -> None:
        """A file that cannot be replaced is written into, as in containers."""
        before = self.picture()

        def busy(source: Any, target: Any) -> None:
            if Path(target).name == "hosts":
                raise OSError(16, "Device or resource busy")
            EachWayTests._real_replace(source, target)

        self.patch(os, "replace", busy)
        way = self.way("hosts")
        number = way.path.stat().st_ino
        way.install(names())
        self.assertIn(b"db.corp", way.path.read_bytes())
        way.undo()
        self.assertEqual(self.picture(), before)
        self.assertEqual(way.path.stat().st_ino, number)

    def test_wildcards(self) -> None:
        """They are left out, and it is said so; with nothing else it is an error."""
        way = self.way("hosts")
        way.install(names("*.corp", "db.corp"))
        self.assertNotIn(b"*", way.path.read_bytes())
        self.assertIn("*.corp: a hosts file has no wildcards", way.notes[0])
        way.undo()
        error = self.assertRaises(RedirectError, way.install, names("*.corp"))
        self.assertIn("no wildcards; use --way resolv", str(error))

    def test_ipv6_of_two(self) -> None:
        """Addresses go with the last way that needs them; an image has none."""
        six = names("db.corp", ipv6_network=IPv6Network("fd77::/64"))
        for name in ("hosts", "resolv"):
            self.way(name).install(six)
        self.way("hosts").undo()
        self.assertNotIn(("delete", six.ipv6[0]), self.loopback.asked)
        self.way("resolv").undo()
        self.assertIn(("delete", six.ipv6[0]), self.loopback.asked)
        way = HostsWay(self.root)
        way.install(six)
        self.assertNotIn(b"fd77", way.path.read_bytes())
        self.assertIn("an image has none", way.notes[0])
        way.undo()

    def test_ipv6(self) -> None:
        """Addresses are put on the loopback interface, and taken away again."""
        six = names("db.corp", ipv6_network=IPv6Network("fd77::/64"))
        way = self.way("hosts")
        way.install(six)
        (address,) = six.ipv6
        self.assertIn(f"{address}\tdb.corp\n".encode(), way.path.read_bytes())
        way.undo()
        self.assertEqual(
            self.loopback.asked, [("replace", address), ("delete", address)]
        )
        self.loopback.wrong = "Operation not permitted"
        way.install(six)
        self.assertNotIn(b"fd77", way.path.read_bytes())
        self.assertRegex(
            way.notes[0], r"Operation not permitted.*ip -6 address add fd77"
        )


class ResolvTests(WayTestCase):
    """resolv.conf."""

    def test_text(self) -> None:
        """We are the only server; search and options stay, old servers are kept."""
        (self.root / "etc/resolv.conf").unlink()
        self.write(
            "etc/resolv.conf",
            b"search corp\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions edns0\n",
        )
        way = self.way("resolv")
        way.install(names())
        lines = way.path.read_text().splitlines()
        self.assertEqual(
            lines[1:],
            [
                "# hybridconn upstream 192.0.2.1:53",
                "# hybridconn upstream 192.0.2.2:53",
                "nameserver 127.0.0.77",
                "search corp",
                "options edns0",
            ],
        )
        way.install(names())
        self.assertEqual(way.path.read_text().splitlines(), lines)

    def test_bytes(self) -> None:
        """What is no UTF-8 stays the bytes that it is."""
        text = b"search b\xfccher.corp\nnameserver 192.0.2.1\n"
        (self.root / "etc/resolv.conf").unlink()
        self.write("etc/resolv.conf", text)
        way = self.way("resolv")
        way.install(names())
        self.assertTrue(way.path.read_bytes().endswith(b"search b\xfccher.corp\n"))
        way.undo()
        self.assertEqual(way.path.read_bytes(), text)

    def test_written_by_others(self) -> None:
        """A file that somebody else wrote since is theirs: undo leaves it."""
        way = self.way("resolv")
        way.install(names())
        self.write("etc/resolv.conf", b"nameserver 192.0.2.9\n")
        self.assertIn("written by somebody else since", way.status())
        way.undo()
        self.assertEqual(way.path.read_bytes(), b"nameserver 192.0.2.9\n")
        self.assertIn("stays as it is", way.notes[0])
        way.install(names())
        way.undo()
        self.assertEqual(way.path.read_bytes(), b"nameserver 192.0.2.9\n")

    def test_ours_changed(self) -> None:
        """Our text with a line of others goes all the same: it asks us."""
        before = self.picture()
        for name in ("resolv", "resolved"):
            way = self.way(name)
            way.install(names())
            with way.path.open("ab") as opened:
                opened.write(b"# theirs\n")
            way.undo()
            self.assertEqual(self.picture(), before)
            self.assertIn("what others changed in it is gone", way.notes[0])

    def test_mistakes(self) -> None:
        """No name server, another port, nothing to pass queries on to."""
        way = ResolvWay(self.root, self.loopback)
        for settings, words in (
            ({"dns": None}, r"\[names\] dns = "),
            ({"dns": HostPort("127.0.0.1", 5353)}, "--way resolved"),
        ):
            wanted = Names(names().hosts, NamesSettings(**settings))
            error = self.assertRaises(RedirectError, way.install, wanted)
            self.assertRegex(str(error), words)
        self.write("run/systemd/resolve/resolv.conf", b"")
        error = self.assertRaises(RedirectError, way.install, names())
        self.assertIn("[names] upstreams", str(error))
        self.assertTrue(way.path.is_symlink())


class ResolvedTests(WayTestCase):
    """systemd-resolved."""

    def test_text(self) -> None:
        """Names and what is below wildcards come to us; its own servers are kept."""
        self.write(
            "etc/systemd/resolved.conf", b"[Resolve]\nDNS=192.0.2.7#x 2001:db8::7\n"
        )
        way = self.way("resolved")
        way.install(names("db.corp", "*.apps.corp", dns=HostPort("127.0.0.77", 5353)))
        self.assertEqual(
            way.path.read_text().splitlines()[1:],
            [
                "# hybridconn upstream 192.0.2.7:53",
                "# hybridconn upstream [2001:db8::7]:53",
                "[Resolve]",
                "DNS=",
                "DNS=127.0.0.77:5353",
                "Domains=~apps.corp ~db.corp",
            ],
        )

    def test_strict(self) -> None:
        """What keeps it from asking us, or from believing us, is said."""
        way = self.way("resolved")
        for text, words in (
            ("DNSSEC=yes\n", "hybridconn.negative"),
            ("DNSOverTLS=true\n", "DNSOverTLS=opportunistic"),
            ("DNSSEC=yes\nDNSSEC=allow-downgrade\n#DNSOverTLS=yes\n", None),
        ):
            self.write("etc/systemd/resolved.conf", f"[Resolve]\n{text}".encode())
            way.install(names())
            self.assertEqual(len(way.notes), 1 if words else 0, text)
            self.assertIn(words or "", "".join(way.notes))

    def test_network(self) -> None:
        """Settings of another loopback network are possible, too."""
        wanted = names("db.corp", network=IPv4Network("127.5.0.0/16"))
        way = HostsWay(self.root, self.loopback)
        way.install(wanted)
        self.assertIn(b"\n127.5.", way.path.read_bytes())
