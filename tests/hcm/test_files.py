"""What commands write down, and files that people change."""

from __future__ import annotations

import os
import signal
import stat
from typing import Any
from unittest.mock import Mock, patch

from hybridconn.config.mistakes import ConfigError
from hybridconn.hcm.loading import load_managed
from hybridconn.stores.vault import Vault
from hybridconn.tls import TLSConfigError
from tests.hcm.case import HcmTestCase


class WrittenTests(HcmTestCase):
    """Commands are written down before they are done."""

    def files(self) -> list[str]:
        return sorted(os.listdir(self.conf)) if self.conf.exists() else []

    def names(self) -> list[str]:
        """What the next start would find."""
        return [one.name for one in load_managed(self.file, {}).connections]

    def test_kept(self) -> None:
        """The next start finds what was added, in private files, not what is gone."""
        self.add("one", target="db.corp:5", name="orders", target_check_interval=30.0)
        self.add("two", target="db.corp:5")
        self.assertEqual(self.files(), ["orders.toml", "two.toml"])
        self.assertEqual(stat.S_IMODE(self.conf.stat().st_mode), 0o700)
        mode = (self.conf / "two.toml").stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.good("DELETE", "/v1/connections/two")
        self.assertEqual(self.names(), ["orders"])
        (placed,) = load_managed(self.file, {}).connections
        self.assertEqual(str(placed.one.target), "db.corp:5")
        self.assertEqual(placed.one.check_interval, 30.0)

    def test_not_read_again(self) -> None:
        """What a command wrote is no change that has to be taken over."""
        self.add("one", target="db.corp:5")
        before = self.view("one")["trackingId"]
        self.network.advance(10)
        self.assertEqual(self.view("one")["trackingId"], before)
        self.assertFalse([line for line in self.lines if "read anew" in line])

    def test_removal_not_read_again(self) -> None:
        """Nor is it one that a command removed a file, whoever wrote that."""
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        self.good("DELETE", "/v1/connections/one")
        self.network.advance(10)
        said = [line for line in self.lines if "read anew" in line]
        self.assertEqual(len(said), 1, "when the file came")

    def test_not_missed(self) -> None:
        """What a person changes just before a command is taken over all the same."""
        self.write("conf.d/two.toml", self.table("two", target="db.corp:5"))
        self.add("one", target="db.corp:5")
        self.network.advance(2)
        self.assertEqual(self.status("two"), "Connected")
        os.unlink(self.conf / "two.toml")
        self.good("DELETE", "/v1/connections/one")
        self.network.advance(2)
        self.assertEqual(self.good("GET", "/v1/connections")["connections"], [])

    def test_changed_just_now(self) -> None:
        """A command sees what a person did just before it, and loses nothing of it."""
        self.add("one", target="db.corp:5")
        path = self.conf / "one.toml"
        whole = path.read_text()
        path.write_text(whole + self.table("two", target="db.corp:5"))
        self.refused(409, "NotRemovable", "DELETE", "/v1/connections/one")
        body = {"connectionString": self.string("one"), "replace": True}
        self.refused(409, "NotRemovable", "POST", "/v1/connections", body)
        self.assertEqual(self.status("two"), "Connected")
        self.write("conf.d/meta.toml", self.table("meta", name="new"))
        body = {"connectionString": self.string("meta")}
        self.refused(409, "AlreadyExists", "POST", "/v1/connections", body)
        self.good("DELETE", "/v1/connections/new")
        self.assertEqual(self.files(), ["one.toml"])
        os.unlink(path)
        self.refused(404, "ConnectionNotFound", "DELETE", "/v1/connections/one")

    def test_broken_just_now(self) -> None:
        """A file that is not in force as it is, is neither removed nor written over."""
        self.add("one", target="db.corp:5")
        path = self.conf / "one.toml"
        path.write_text(path.read_text() + "[[hybrid_connection")
        body = {"connectionString": self.string("one"), "replace": True}
        for call in (
            ("DELETE", "/v1/connections/one"),
            ("POST", "/v1/connections", body),
        ):
            said = self.refused(409, "CannotPersist", *call)
            self.assertIn("one.toml was changed, and that is not in force yet", said)
            self.assertIn("is no TOML", said)
        self.assertIn("[[hybrid_connection", path.read_text())
        # What is wrong elsewhere keeps nobody from removing this one.
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        self.write("conf.d/two.toml", "rubbish")
        self.network.advance(2)
        self.good("DELETE", "/v1/connections/one")

    def test_written_by_hand(self) -> None:
        """What a person wrote is not written over; it is told how to go on."""
        text = "# mine\n" + self.table("one", target="db.corp:5")
        self.write("conf.d/mine.toml", text)
        self.network.advance(2)
        body = {"connectionString": self.string("one"), "settings": {"target": "x:1"}}
        for dead in (False, True):
            if dead:  # one that is, is replaced without being told
                self.relay.remove("one")
                self.network.advance(2)
            more = {"replace": not dead}
            said = self.refused(
                409, "WrittenByHand", "POST", "/v1/connections", {**body, **more}
            )
            self.assertIn("mine.toml, which a person wrote", said)
            self.assertIn("hybridconn hcm remove one", said)
        self.assertEqual((self.conf / "mine.toml").read_text(), text)
        self.good("DELETE", "/v1/connections/one")
        self.good("POST", "/v1/connections", body)
        self.assertEqual(self.files(), ["one.toml"])

    def test_half_a_pair(self) -> None:
        """What no file can hold is refused, not a failure."""
        body = {"connectionString": self.string("one"), "settings": {"target": "x:1"}}
        for name, value in (("target", "\ud800:1"), ("targets", ["\udfff:1"])):
            body["settings"] = {name: value}
            said = self.refused(400, "BadRequest", "POST", "/v1/connections", body)
            self.assertIn("cannot be kept", said)
        self.assertEqual(self.files(), [])

    def test_no_file(self) -> None:
        """What is no file is refused, and not waited for."""
        self.conf.mkdir(exist_ok=True)
        os.mkfifo(self.conf / "pipe.toml")
        with self.assertRaises(ConfigError) as caught:
            load_managed(self.file, {})
        self.assertIn("pipe.toml: is no file", str(caught.exception))

    def test_ports_allowed(self) -> None:
        """Named ports have to be in the allow-list, as a target has to."""
        top = 'allow_targets = ["db.corp:5"]\n[connections]\nfolder = "conf.d"\n'
        self.write("listener.toml", top)
        ports = ["sql=db.corp:5", "other=db.corp:6"]
        self.write("conf.d/a.toml", self.table("one", mode="bridge", ports=ports))
        with self.assertRaises(ConfigError) as caught:
            load_managed(self.file, {})
        self.assertIn('"db.corp:6" is not in allow_targets', str(caught.exception))

    def test_endless_number(self) -> None:
        """A number that Python does not read is a mistake; files are looked at on."""
        digits = "9" * 5000
        self.write("conf.d/one.toml", self.table("one") + f"target_timeout = {digits}")
        self.network.advance(2)
        self.assertIn("too many digits", self.steward.trouble)
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        self.assertEqual(self.steward.trouble, "")
        self.assertEqual(self.status("one"), "Connected")

    def test_already_there(self) -> None:
        """What is there is not added again, unless it is to be replaced or is dead."""
        self.add("one", target="db.corp:5")
        body = {"connectionString": self.string("one"), "settings": {"target": "x:1"}}
        said = self.refused(409, "AlreadyExists", "POST", "/v1/connections", body)
        self.assertIn("--replace", said)
        self.good("POST", "/v1/connections", {**body, "replace": True})
        self.assertEqual(self.view("one")["endpoint"], "x:1")
        self.assertEqual(self.files(), ["one.toml"])
        self.relay.remove("one")
        self.network.advance(2)
        self.assertEqual(self.status("one"), "NotFound")
        self.good("POST", "/v1/connections", {"connectionString": self.string("one")})
        self.assertEqual(self.view("one")["endpointFrom"], "metadata")

    def test_disk_full(self) -> None:
        """What cannot be written is not done; the old file is whole."""
        self.add("one", target="db.corp:5")
        before = (self.conf / "one.toml").read_bytes()
        body = {"connectionString": self.string("one"), "replace": True}
        with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            said = self.refused(409, "CannotPersist", "POST", "/v1/connections", body)
        self.assertIn("No space left on device; nothing was changed", said)
        self.assertEqual((self.conf / "one.toml").read_bytes(), before)
        self.assertEqual(self.files(), ["one.toml"])
        self.assertEqual(self.view("one")["endpoint"], "db.corp:5")

    def test_crash(self) -> None:
        """Whenever the process ends, there is the old file or the new one, whole."""
        self.add("one", target="db.corp:5")
        before = (self.conf / "one.toml").read_bytes()

        class Crash(BaseException):
            """The process is gone."""

        for where in ("os.fsync", "os.replace"):
            with patch(where, side_effect=Crash), self.assertRaises(Crash):
                self.steward.add(self.string("one"), {"target": "x:1"}, True)
            self.assertEqual((self.conf / "one.toml").read_bytes(), before)
            self.assertEqual(self.names(), ["one"])

    def test_a_persons_file(self) -> None:
        """What a person wrote is not removed by a command; it says where to go."""
        self.write("conf.d/both.toml", self.table("one") + self.table("two"))
        self.network.advance(2)
        said = self.refused(409, "NotRemovable", "DELETE", "/v1/connections/one")
        self.assertIn("both.toml", said)
        self.assertEqual(self.files(), ["both.toml"])

    def test_mistakes(self) -> None:
        """Each value that is wrong is named; nothing of the string is repeated."""
        for body, words in (
            ({}, "'connectionString' is missing"),
            ({"connectionString": "rubbish"}, "no usable connection string"),
            (
                {"connectionString": self.string("one").rpartition(";")[0]},
                "EntityPath is missing: this is a namespace string",
            ),
            (
                {"connectionString": self.string("one"), "settings": {"target": "x"}},
                "--target",
            ),
            (
                {"connectionString": self.string("one"), "settings": {"targt": "x"}},
                "targt",
            ),
            (
                {
                    "connectionString": self.string("one"),
                    "settings": {"target": "https://x", "target_ca_file": "ca.pem"},
                },
                "whole path",
            ),
        ):
            said = self.refused(400, "BadRequest", "POST", "/v1/connections", body)
            self.assertNotIn("--connection-string", said, "there is no such option")
            self.assertIn(words, said)
            self.assertNotIn("SharedAccessKey=", said)
        self.assertEqual(self.files(), [])

    def test_any_text(self) -> None:
        """Whatever may stand in a name can be read again."""
        odd = 'a "b" \\ \N{GRINNING FACE} \u00fc'
        body = {"connectionString": self.string("one"), "settings": {"name": odd}}
        self.good("POST", "/v1/connections", body)
        self.assertEqual(self.names(), [odd])

    def test_odd_names(self) -> None:
        """A name makes no path; two names never share a file."""
        self.add("one", target="db.corp:5", name="../../etc/passwd")
        self.add("two", target="db.corp:5", name="..\\..\\etc\\passwd")
        self.assertEqual(self.files(), ["etc-passwd-2.toml", "etc-passwd.toml"])
        body = {"connectionString": self.string("meta"), "settings": {"name": "X"}}
        self.good("POST", "/v1/connections", body)
        body = {**body, "connectionString": self.string("other")}
        self.refused(409, "AlreadyExists", "POST", "/v1/connections", body)


class SealedTests(HcmTestCase):
    """With a key, connection strings are encrypted."""

    def setUp(self) -> None:
        self.key = Vault.new_key()
        super().setUp()

    def write_key(self, *keys: str) -> None:
        self.write("hcm.key", "\n".join(keys) + "\n")
        self.write(
            "listener.toml", '[connections]\nfolder = "conf.d"\nkey_file = "hcm.key"\n'
        )

    def test_sealed(self) -> None:
        """No file holds the key's text; the next start can read it."""
        self.write_key(self.key)
        self.steward.reload()
        self.add("one", target="db.corp:5")
        self.assertEqual(self.status("one"), "Connected")
        text = (self.conf / "one.toml").read_text()
        self.assertNotIn("SharedAccessKey", text)
        (placed,) = load_managed(self.file, {}).connections
        self.assertIsNotNone(placed.one.connection.key)
        self.assertTrue(self.good("GET", "/v1/version")["encrypted"])
        # A newer key in front; the older one still opens.
        self.write_key(Vault.new_key(), self.key)
        self.assertEqual(len(load_managed(self.file, {}).connections), 1)

    def test_other_key(self) -> None:
        """Without its key a file is a mistake that says so."""
        self.write_key(self.key)
        self.steward.reload()
        self.add("one", target="db.corp:5")
        self.write_key(Vault.new_key())
        error = self.assertRaises(ConfigError, load_managed, self.file, {})
        self.assertIn("another key", str(error))
        self.write("listener.toml", '[connections]\nfolder = "conf.d"\n')
        error = self.assertRaises(ConfigError, load_managed, self.file, {})
        self.assertIn("is encrypted and there is no key", str(error))

    def test_new_key(self) -> None:
        """A key file that changes is taken over: what comes then is sealed with it."""
        self.write_key(self.key)
        self.steward.reload()
        newer = Vault.new_key()
        self.write("hcm.key", f"{newer}\n{self.key}\n")
        self.network.advance(2)
        self.add("one", target="db.corp:5")
        self.write_key(newer)
        self.assertEqual(len(load_managed(self.file, {}).connections), 1)

    def test_credential(self) -> None:
        """A systemd credential is the key, if no setting names one."""
        self.write("credentials/hcm.key", self.key + "\n", 0o440)
        environ = {"CREDENTIALS_DIRECTORY": str(self.folder / "credentials")}
        config = load_managed(self.file, environ).config
        self.assertEqual(config.connections.keys, (self.key,))


class ChangedTests(HcmTestCase):
    """Files that change while it runs."""

    def test_new_file(self) -> None:
        """A file that appears is taken over in seconds; one that goes, too."""
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        self.assertEqual(self.status("one"), "Connected")
        os.unlink(self.conf / "one.toml")
        self.network.advance(2)
        self.refused(404, "ConnectionNotFound", "GET", "/v1/connections/one")

    def test_only_what_changed(self) -> None:
        """Whose table is as before is not touched."""
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.write("conf.d/two.toml", self.table("two", target="db.corp:5"))
        self.network.advance(2)
        before = {name: self.view(name)["trackingId"] for name in ("one", "two")}
        self.write("conf.d/two.toml", self.table("two", target="db.corp:6"))
        self.network.advance(2)
        self.assertEqual(self.view("one")["trackingId"], before["one"])
        self.assertNotEqual(self.view("two")["trackingId"], before["two"])
        self.assertEqual(self.view("two")["endpoint"], "db.corp:6")

    def test_broken(self) -> None:
        """A broken file is refused with its place; the old one stays in force."""
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        for text in (
            "[[hybrid_connection\n",
            self.table("one", target="nonsense"),
            self.table("one", targt="db.corp:5"),
        ):
            self.write("conf.d/one.toml", text)
            self.network.advance(2)
            self.assertEqual(self.status("one"), "Connected")
            trouble = self.good("GET", "/v1/version")["trouble"]
            self.assertIn("one.toml", trouble)
            self.assertFalse(self.good("GET", "/v1/doctor")["ok"])
            said = self.refused(400, "BadRequest", "POST", "/v1/reload")
            self.assertIn("The old configuration stays in force", said)
        self.assertLogged("the old one stays in force")
        self.assertNothingSecret()
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        self.assertEqual(self.good("GET", "/v1/version")["trouble"], "")

    def test_open_to_others(self) -> None:
        """A file with a secret that others can read is refused."""
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"), 0o644)
        self.network.advance(2)
        self.assertIn("chmod 600", self.steward.trouble)
        self.assertEqual(self.good("GET", "/v1/connections")["connections"], [])

    def test_two_files(self) -> None:
        """The same hybrid connection in two files is a mistake."""
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        self.write("conf.d/again.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        self.assertIn("the same hybrid connection", self.steward.trouble)

    def test_two_files_one_removed(self) -> None:
        """A file that was refused for another counts when a command removes that."""
        body = {"connectionString": self.string("one")}
        self.good("POST", "/v1/connections", body)
        self.write("conf.d/again.toml", self.table("one", target="db.corp:5"))
        self.network.advance(2)
        self.assertIn("the same hybrid connection", self.steward.trouble)
        self.good("DELETE", "/v1/connections/one")
        self.network.advance(2)
        self.assertEqual(self.steward.trouble, "")
        self.assertIn("again.toml", self.view("one")["file"])

    def test_huge(self) -> None:
        """A file that is no configuration is not read to its end."""
        path = self.write("conf.d/one.toml", "")
        os.truncate(path, 1 << 40)
        self.network.advance(2)
        self.assertIn("one.toml: has more than 1 MiB", self.steward.trouble)

    def test_signal(self) -> None:
        """SIGHUP reads them at once."""
        calls: list[object] = []
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        reactor: Any = self.clock
        reactor.callFromThread = lambda call: calls.append(call())
        self.steward.hear_signals()
        self.write("conf.d/one.toml", self.table("one", target="db.corp:5"))
        os.kill(os.getpid(), signal.SIGHUP)
        self.network.flush()
        self.assertEqual(len(calls), 1)
        self.assertEqual(self.status("one"), "Connected")

    def test_common_settings(self) -> None:
        """A setting for all is taken over by all; their tunnels go on."""
        self.add("one", target="db.corp:5")
        client = self.dial("one")
        before = self.view("one")["trackingId"]
        self.write(
            "listener.toml",
            '[connections]\nfolder = "conf.d"\n[timings]\nping_interval = 20.0\n',
        )
        self.network.advance(5)
        self.assertNotEqual(self.view("one")["trackingId"], before)
        self.network.advance(60)
        self.assertFalse(client.lost)

    def test_admin(self) -> None:
        """A changed [admin] is told to count later, until it is as at the start."""
        self.add("one", target="db.corp:5")
        text = self.file.read_text()
        self.assertEqual(self.good("POST", "/v1/reload")["needsRestart"], [])
        self.file.write_text(f"[admin]\nport = 7420\n{text}")
        told = self.good("POST", "/v1/reload")
        self.assertEqual(told, {"connections": 1, "needsRestart": ["[admin]"]})
        self.assertLogged("[admin] changed: that counts from the next start")
        self.assertEqual(self.good("GET", "/v1/version")["needsRestart"], ["[admin]"])
        report = self.good("GET", "/v1/doctor")
        (check,) = [one for one in report["checks"] if one["name"] == "restart"]
        self.assertEqual((report["ok"], check["ok"]), (False, False))
        self.assertIn("restart the service", check["nextStep"])
        self.good("POST", "/v1/reload")
        self.file.write_text(text)
        self.assertEqual(self.good("POST", "/v1/reload")["needsRestart"], [])
        told = [line for line in self.lines if "next start" in line]
        self.assertEqual(len(told), 1)
        self.assertEqual(self.status("one"), "Connected")

    def test_bad_authorities(self) -> None:
        """Authorities that cannot be used leave everything as it was."""
        self.add("one", target="db.corp:5")
        before = self.manager.loaded
        self.manager._make_dialer = Mock(
            side_effect=TLSConfigError("ca.pem", "is no authority")
        )
        self.write(
            "listener.toml",
            '[connections]\nfolder = "conf.d"\n[timings]\nping_interval = 20.0\n',
        )
        self.network.advance(5)
        self.assertIn("is no authority", self.steward.trouble)
        self.assertIs(self.manager.loaded, before)
        self.assertEqual(self.status("one"), "Connected")

    def test_no_folder(self) -> None:
        """Without a folder commands say what is missing."""
        self.write("listener.toml", self.table("one", target="db.corp:5"))
        self.steward.reload()
        body = {"connectionString": self.string("two")}
        said = self.refused(409, "CannotPersist", "POST", "/v1/connections", body)
        self.assertIn("[connections]", said)
        said = self.refused(409, "NotRemovable", "DELETE", "/v1/connections/one")
        self.assertIn("listener.toml", said)
