"""
Apps reach services in another network by their own names and ports, with no line of
theirs changed.
"""

from __future__ import annotations

from tests.integration.case import IntegrationTestCase, share
from tests.integration.names_stage import NamesStage
from functools import cache


@cache
def stage() -> NamesStage:
    return NamesStage()


class NamesTests(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(share(stage()))
        self.app = self.stage.hosts.app

    def assertServed(self) -> None:
        """Every client reaches its service by name and port."""
        app = self.app
        said = app.must(
            "psql", "-h", "db.corp", "-U", "tester", "-Atc", "select 6 * 7", "postgres"
        )
        self.assertEqual(said, "42\n")
        self.assertEqual(app.must("redis-cli", "-h", "cache.corp", "ping"), "PONG\n")
        ca = str(self.stage.ca_file)
        said = app.must("curl", "-sS", "--cacert", ca, "https://web.corp/")
        self.assertEqual(said, "web web.corp")
        said = app.must(
            "ssh", *self.stage.sshd.options, "root@server.corp", "echo", "shell"
        )
        self.assertEqual(said, "shell\n")

    def test_hosts(self) -> None:
        sender = self.stage.started(self.stage.sender)
        self.addCleanup(sender.stop)
        config = str(self.stage.folder / "sender.toml")
        print(self.stage.command("redirect", "install", "-c", config, "--way", "hosts"))
        print(self.app.must("cat", "/etc/hosts"))
        self.assertServed()
        print(self.stage.command("redirect", "status", "-c", config))
        print(self.stage.command("redirect", "undo"))
        print(self.app.must("cat", "/etc/hosts"))
