"""Tests of C{hybridconn redirect}, C{exec} and C{connect}: what they say."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import twisted.internet
from click.testing import CliRunner
from twisted.internet.defer import succeed

from hybridconn.cli import connect, main, redirect_plan
from hybridconn.config import load_sender
from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import Redirect
from hybridconn.sender.learning import Learned
from tests.config.case import STRING, ConfigTestCase

SENDER = '[[redirect]]\nconnection_string_file = "db"\nendpoint = "db.corp:1433"\n'


class RedirectTestCase(ConfigTestCase):
    """A sender's configuration, and a folder in the place of C{/}."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING)
        self.config = str(self.write("sender.toml", SENDER))
        self.root = self.folder / "root"
        (self.root / "etc").mkdir(parents=True)
        self.hosts = self.root / "etc/hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")

    def run_command(self, *arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(main, arguments)
        self.assertEqual(result.exit_code, status, result.output)
        self.assertNotIn("Traceback", result.output)
        return result.output

    def redirect(self, *arguments: str, status: int = 0) -> str:
        return self.run_command(
            "redirect", *arguments, "--root", str(self.root), status=status
        )


class RedirectTests(RedirectTestCase):
    """C{hybridconn redirect}."""

    def test_there_and_back(self) -> None:
        """Install says what is where, status what is in force, undo what it did."""
        install = ("install", "-c", self.config, "--way", "hosts")
        said = self.redirect(*install)
        self.assertIn("db.corp:1433 is 127.77.225.48:1433 on this machine", said)
        self.assertIn("hosts written", said)
        self.assertIn("127.77.225.48\tdb.corp\n", self.hosts.read_text())
        self.assertIn("is as it should be", self.redirect(*install))
        said = self.redirect("status")
        self.assertIn("hosts: in force", said)
        self.assertIn("resolv: not installed", said)
        said = self.redirect("undo", "--config", self.config)
        self.assertRegex(
            said, "hosts: .*: as it was before\nresolv: .*: nothing to undo"
        )
        self.assertEqual(self.hosts.read_text(), "127.0.0.1 localhost\n")

    def test_relay_away(self) -> None:
        """Names of before stay as long as not all redirects could be asked for."""
        install = ("install", "-c", self.config, "--way", "hosts")
        self.redirect(*install)
        before = self.hosts.read_text()
        away = Learned({}, ["db: its metadata cannot be read"], ["db"])
        self.patch(redirect_plan, "known_endpoints", lambda config: away)
        said = self.redirect(*install)
        self.assertIn("warning: db.corp: kept from before", said)
        self.assertEqual(self.hosts.read_text(), before)
        self.redirect("undo")
        said = self.redirect(*install, status=1)
        self.assertIn("it is not known what the redirects", said)
        known = Learned({HostPort("web.corp", 80): self.load()})
        self.patch(redirect_plan, "known_endpoints", lambda config: known)
        self.redirect(*install)
        self.assertNotIn("db.corp", self.hosts.read_text())

    def load(self) -> Redirect:
        return load_sender(self.config, {}).redirects[0]

    def test_mistakes(self) -> None:
        """What is missing is said, and how it is mended."""
        said = self.redirect("install", "-c", self.config, "--way", "resolv", status=1)
        self.assertIn('[names] dns = "127.0.0.77:53"', said)
        forward = '[[forward]]\nconnection_string_file = "db"\nbind = "127.0.0.1:1"\n'
        plain = str(self.write("plain.toml", forward))
        said = self.redirect("install", "-c", plain, "--way", "hosts", status=1)
        self.assertIn("has no [[redirect]] and no [app]; add one", said)
        said = self.redirect("install", "-c", "gone.toml", "--way", "hosts", status=1)
        self.assertIn("there is no file", said)
        self.redirect("install", "-c", self.config, status=2)

    def test_broken_journal(self) -> None:
        """A journal that is none is not trusted, and undo says so and fails."""
        self.redirect("install", "-c", self.config, "--way", "hosts")
        journal = self.root / "var/lib/hybridconn/redirect/hosts/journal.json"
        for text in ("", "[]", '{"version": 2}', '{"version": 1, "path": 1}'):
            journal.write_text(text)
            said = self.redirect("undo", status=1)
            self.assertIn("is no journal of this program", said)

    def test_status_of_names(self) -> None:
        """A name that is not found is said, and the exit status tells."""

        def lookup(*_: object, **__: object) -> None:
            raise OSError("not found")

        self.patch(socket, "getaddrinfo", lookup)
        said = self.run_command("redirect", "status", "-c", self.config, status=1)
        self.assertIn("db.corp:1433: db.corp is not found, not 127.77.", said)
        self.assertRegex(said, "nobody listens at [^;]+; start twistd hcsender")


class OtherCommandTests(RedirectTestCase):
    """C{hybridconn exec} and C{hybridconn connect}."""

    def test_exec(self) -> None:
        """The configuration's mistakes, and a log that cannot be written."""
        said = self.run_command("exec", "-c", "gone.toml", "--", "true", status=1)
        self.assertIn("there is no file", said)
        self.run_command("exec", "-c", self.config, status=2)
        log = str(Path(self.folder) / "no/log")
        argv = ("exec", "-c", self.config, "--log", log, "--", "true")
        self.assertIn("cannot be written", self.run_command(*argv, status=1))

    def test_check(self) -> None:
        """C{hybridconn check} says what is redirected, and where."""
        text = (
            '[names]\ndns = "127.0.0.77:53"\n'
            + '[front_door]\nsocks_bind = "0.0.0.0:1080"\n'
            + SENDER
            + '[[redirect]]\nconnection_string_file = "db"\n'
            + '[[redirect]]\nconnection_string_file = "db"\n'
            + 'endpoints = ["web.corp:443", "*.apps.corp:443"]\n'
        )
        path = str(self.write("more.toml", text))
        said = self.run_command("check", path, "--role", "sender")
        for words in (
            "redirect db.corp:1433 at 127.77.225.48:1433 -> db at relay.example.net",
            "redirect what its metadata says -> db",
            "redirect web.corp:443 at 127.77.",
            "redirect *.apps.corp:443 at an address for each name that is asked for ->",
            "answer for these names on 127.0.0.77:53, and pass on all others",
            "be a proxy for SOCKS5 on 0.0.0.0:1080, to redirected names only\n"
            "    other machines can connect to it",
        ):
            self.assertIn(words, said)

    def test_streams_that_never_block(self) -> None:
        """Standard streams that somebody else made so are waited for."""
        reader, writer = os.pipe()
        for one in (reader, writer):
            os.set_blocking(one, False)
            self.addCleanup(os.close, one)

        def wait(*of: object) -> None:
            if of == ([reader], [], []):
                os.write(writer, b"late")
            else:
                os.read(reader, 1 << 20)

        self.patch(select, "select", wait)
        self.assertEqual(connect._read(reader), b"late")
        while True:
            try:
                os.write(writer, bytes(4096))
            except BlockingIOError:
                break
        self.assertEqual(connect._write(writer, memoryview(b"more")), 4)

    def test_signals(self) -> None:
        """After a reactor ran, the signals that end a program do so as before."""
        before = signal.getsignal(signal.SIGTERM)
        # It may be that there is no other one yet.
        deaf = patch.object(twisted.internet, "reactor", DeafReactor(), create=True)
        try:
            with deaf:
                self.assertEqual(redirect_plan.run_reactor(lambda _: succeed(7)), 7)
            self.assertEqual(signal.getsignal(signal.SIGTERM), before)
        finally:
            signal.signal(signal.SIGTERM, before)


class DeafReactor:
    """It leaves its handlers of signals behind, as real ones do."""

    def callWhenRunning(self, begin: Callable[[], None]) -> None:
        self._begin = begin

    def addSystemEventTrigger(self, *when: object) -> None:
        """It is never stopped by others."""

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: None)
        self._begin()

    def stop(self) -> None:
        pass
