"""
Bad configuration: one line for each mistake, naming file, key, value and mend;
exit status 1; no traceback; nothing started.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.integration.case import IntegrationTestCase
from tests.integration.programs import output_of, twistd
from tests.integration.stage import LISTEN, SEND, Stage


class BadConfigurationTests(IntegrationTestCase):
    """Each program says what is wrong with its file."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage())

    def assertMistakes(
        self, service: str, config: Path | str, *lines: tuple[str, ...]
    ) -> None:
        """
        @param lines: for each mistake the words that one line must have.
        """
        status, said = output_of(twistd(service, "--config", str(config)))
        self.assertEqual(status, 1, said)
        self.assertNotIn("Traceback", said)
        for key in self.stage.keys.values():
            self.assertNotIn(key, said)
        for words in lines:
            self.assertTrue(
                any(all(word in line for word in words) for line in said.splitlines()),
                f"no line has all of {words}:\n{said}",
            )

    def edit(self, path: Path, *changes: tuple[str, str]) -> Path:
        """Replace text in a file, each exactly where it stands."""
        text = path.read_text()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new, 1)
        path.write_text(text)
        return path

    def test_missing_file(self) -> None:
        """A file that is not there is named."""
        for service in ("hcrelay", "hclistener", "hcsender"):
            path = self.stage.folder / "nowhere.toml"
            self.assertMistakes(service, path, ("nowhere.toml",))

    def test_syntax(self) -> None:
        """A syntax error is named with its line."""
        for service in ("hcrelay", "hclistener", "hcsender"):
            path = self.stage.write("broken.toml", "[listen]\nport = = 3\n")
            self.assertMistakes(service, path, ("broken.toml", "line 2"))

    def test_relay(self) -> None:
        """Unknown key, wrong type, bad port, missing file, bad right: all at once."""
        path = self.edit(
            self.stage.folder / "relay.toml",
            (f"port = {self.stage.port}", 'port = 70000\nprot = 1\ninsecure = "no"'),
            ('"relay.pem"', '"no-such.pem"'),
            ('["Listen"]', '["Lisen"]'),
        )
        self.assertMistakes(
            "hcrelay",
            path,
            ("relay.toml", "[listen]", "port", "70000"),
            ("[listen]", "prot", '"port"'),
            ("[listen]", "insecure", '"no"', "true or false"),
            ("[listen]", "certificate", "no-such.pem"),
            ("rights", '"Lisen"', '"Listen"'),
        )

    def test_relay_limits(self) -> None:
        """Limits that are none are refused."""
        path = self.stage.folder / "relay.toml"
        text = path.read_text() + "[limits]\naccept_timeout = -1\nmax_headers = 2.5\n"
        path.write_text(text + 'pings = "often"\n')
        self.assertMistakes(
            "hcrelay",
            path,
            ("[limits]", "accept_timeout", "-1"),
            ("[limits]", "max_headers", "2.5"),
            ("[limits]", "pings"),
        )

    def test_relay_duplicates(self) -> None:
        """Two hybrid connections of one path, whatever their case, are refused."""
        path = self.stage.folder / "relay.toml"
        path.write_text(
            path.read_text() + '[[namespace.hybrid_connection]]\npath = "ECHO"\n'
        )
        self.assertMistakes("hcrelay", path, ("path", "ECHO"))

    def test_relay_balancer(self) -> None:
        """A balancer that is not installed is refused, and the others are named."""
        path = self.stage.folder / "relay.toml"
        path.write_text(path.read_text() + '[relay]\nload_balancer = "fairest"\n')
        self.assertMistakes("hcrelay", path, ("load_balancer", "fairest", "random"))

    def test_listener(self) -> None:
        """A listener's mistakes."""
        path = self.stage.listener_config({"echo": "db.corp"})
        with path.open("a") as config:
            config.write('[[hybrid_connection]]\ntarget = "db.corp:99999"\n')
            config.write('[[hybrid_connection]]\nconnection_string_file = "gone"\n')
            config.write('target = "db.corp:1"\ntarget_timeout = "long"\n')
        self.assertMistakes(
            "hclistener",
            path,
            ("listener.toml", "target", '"db.corp"'),
            ("target", "db.corp:99999"),
            ("connection_string",),
            ("connection_string_file", "gone"),
            ("target_timeout", '"long"'),
        )

    def test_sender(self) -> None:
        """A sender's mistakes: bad bind, and two forwards on one port."""
        path = self.stage.sender_config({"echo": 21_000})
        again = path.read_text().rpartition("[[forward]]")[2]
        with path.open("a") as config:
            config.write("[[forward]]" + again)
            config.write("[[forward]]" + again.replace("21000", "http"))
        self.assertMistakes(
            "hcsender",
            path,
            ("sender.toml", "bind", "127.0.0.1:21000"),
            ("bind", "127.0.0.1:http"),
        )

    def test_connection_strings(self) -> None:
        """A bad connection string is named by the part that is wrong, unshown."""
        good = self.stage.connection_string("echo", LISTEN)
        for broken, word in (
            (good.replace("Endpoint=sb://", "Endpoint=ftp://"), "Endpoint"),
            (good.replace(";EntityPath=echo", ""), "EntityPath"),
            (good.replace("SharedAccessKeyName=listen;", ""), "SharedAccessKeyName"),
            ("what is this", "Endpoint"),
        ):
            path = self.stage.listener_config({"echo": 1})
            self.stage.write("echo.listen", broken)
            self.assertMistakes("hclistener", path, ("connection_string_file", word))

    def test_open_files(self) -> None:
        """Files with secrets that others may read are refused (T22)."""
        path = self.stage.sender_config({"echo": 21_000})
        (self.stage.folder / "echo.send").chmod(0o644)
        self.assertMistakes("hcsender", path, ("echo.send", "chmod 600"))
        (self.stage.folder / "relay.toml").chmod(0o640)
        self.assertMistakes(
            "hcrelay",
            self.stage.folder / "relay.toml",
            ("relay.toml", "chmod 600"),
        )

    def test_port_taken(self) -> None:
        """A port that someone else has is said in one line too."""
        self.stage.start_relay()
        path = self.stage.folder / "relay.toml"
        self.assertMistakes("hcrelay", path, (str(self.stage.port), "use"))

    def test_nothing_given(self) -> None:
        """Without any configuration each program says what it wants."""
        for service in ("hcrelay", "hclistener", "hcsender"):
            status, said = output_of(twistd(service), folder=self.stage.folder)
            self.assertEqual(status, 1, said)
            self.assertIn("--config", said)
            self.assertNotIn("Traceback", said)

    def test_environment(self) -> None:
        """The connection string may come from the environment, but not from argv."""
        self.stage.start_relay()
        where = {
            "HYBRIDCONN_CONNECTION_STRING": self.stage.connection_string("echo", LISTEN)
        }
        listener = self.stage.program(
            "listener",
            twistd("hclistener", "--target", "127.0.0.1:1", "--ca-file", "ca.pem"),
            env=where,
        )
        self.stage.wait_online(listener.start())
        file = self.stage.connection_string_file("echo", SEND)
        sender = self.stage.program(
            "sender",
            twistd(
                *["hcsender", "--connection-string-file", str(file)],
                *["--bind", "127.0.0.1:0", "--ca-file", str(self.stage.ca_file)],
            ),
        )
        sender.start()
        self.wait_until("the sender's port", sender.ports)
        self.assertEqual(os.stat(file).st_mode & 0o077, 0)
