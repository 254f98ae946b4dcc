"""C{hybridconn namespace}, C{connection}, C{rule} and C{key} against a relay."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from hybridconn.core.connection_string import ConnectionString
from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import SUBSCRIPTION, ManagementStage
from tests.integration.programs import command, output_of


class ManageCommandTests(IntegrationTestCase):
    """A relay with a store, and nothing in it."""

    def setUp(self) -> None:
        super().setUp()
        stage = ManagementStage()
        self.use(stage)
        stage.start()
        self.stage = stage
        self.env = {
            "HYBRIDCONN_MANAGEMENT_URL": stage.base_url,
            "HYBRIDCONN_MANAGEMENT_TOKEN": stage.tokens["admin"],
            "HYBRIDCONN_MANAGEMENT_CA_FILE": str(stage.ca_file),
        }

    def hc(self, *arguments: str, status: int = 0, given: str = "") -> str:
        argv = command(*arguments, "--subscription", SUBSCRIPTION)
        found, said = output_of(argv, 30, self.env, given=given.encode())
        self.assertEqual(found, status, said)
        self.assertNotIn("Traceback", said)
        return said

    def test_life(self) -> None:
        """From nothing to a connection string, and back to nothing."""
        self.assertIn("contoso", self.hc("namespace", "create", "contoso"))
        made = self.hc(
            *("connection", "create", "contoso", "plant/db"),
            *("--endpoint", "db.corp:1433", "--output", "json"),
        )
        self.assertEqual(json.loads(made)["name"], "plant/db")
        listed = self.hc("connection", "list", "contoso")
        for word in ("plant/db", "needed", "db.corp:1433", "0"):
            self.assertIn(word, listed)
        for role in ("listener", "sender"):
            text = self.hc("connection-string", "contoso", "plant/db", "--for", role)
            parsed = ConnectionString.parse(text)
            self.assertEqual(parsed.entity_path, "plant/db")
            self.assertEqual(parsed.host, "contoso.localhost")
        at = ("--connection", "plant/db")
        self.hc("rule", "create", "contoso", "ops", "--right", "Manage", *at)
        rules = self.hc("rule", "list", "contoso", *at)
        self.assertIn("Listen, Manage, Send", rules)
        before = json.loads(
            self.hc("key", "show", "contoso", "ops", *at, "--output", "json")
        )
        self.hc("key", "regenerate", "contoso", "ops", *at, "--yes")
        after = json.loads(
            self.hc("key", "show", "contoso", "ops", *at, "--output", "json")
        )
        self.assertNotEqual(before["primaryKey"], after["primaryKey"])
        self.assertEqual(before["secondaryKey"], after["secondaryKey"])
        self.hc("rule", "delete", "contoso", "ops", *at, "--yes")
        self.assertIn("Aborted", self.hc("namespace", "delete", "contoso", status=1))
        self.hc("connection", "delete", "contoso", "plant/db", given="y\n")
        self.hc("namespace", "delete", "contoso", "--yes")
        listed = self.hc("namespace", "list", "--output", "json")
        self.assertEqual(json.loads(listed), [])

    def test_update(self) -> None:
        """What is not given stays; create makes only what is not there."""
        self.hc("namespace", "create", "contoso", "--tag", "team=edge")
        self.hc("namespace", "update", "contoso", "--minimum-tls", "1.3")
        shown = self.json("namespace", "show", "contoso")
        self.assertEqual(shown["tags"], {"team": "edge"})
        self.assertEqual(shown["properties"]["minimumTlsVersion"], "1.3")
        said = self.hc("namespace", "create", "contoso", status=1)
        self.assertIn("there already; change it with update", said)
        self.hc("namespace", "create", "contoso2", "--tag", "x", status=2)
        self.hc("connection", "create", "contoso", "db", "--endpoint", "db.corp:1433")
        said = self.hc("connection", "create", "contoso", "db", status=1)
        self.assertIn("update", said)
        self.hc("connection", "update", "contoso", "db", "--anonymous")
        shown = self.json("connection", "show", "contoso", "db")["properties"]
        self.assertFalse(shown["requiresClientAuthorization"])
        self.assertIn("db.corp:1433", shown["userMetadata"])
        self.hc("connection", "update", "contoso", "db", "--metadata", "free")
        self.hc("connection", "update", "contoso", "db", "--authorized")
        shown = self.json("connection", "show", "contoso", "db")["properties"]
        self.assertEqual(shown["userMetadata"], "free")
        self.assertTrue(shown["requiresClientAuthorization"])
        both = ("--metadata", "x", "--endpoint", "a:1")
        self.hc("connection", "update", "contoso", "db", *both, status=2)
        said = self.hc("connection", "update", "contoso", "db", "--disable", status=1)
        self.assertIn("Aborted", said)
        self.hc("connection", "update", "contoso", "gone", status=4)
        self.hc("rule", "create", "contoso", "ops", "--right", "Send")
        keys = self.json("key", "show", "contoso", "ops")
        self.hc("rule", "update", "contoso", "ops", "--right", "Listen")
        rule = self.json("rule", "show", "contoso", "ops")
        self.assertEqual(rule["properties"]["rights"], ["Listen"])
        self.assertEqual(self.json("key", "show", "contoso", "ops"), keys)
        self.hc("rule", "update", "contoso", "gone", "--right", "Send", status=4)
        self.hc("network", "set", "contoso", status=2)

    def test_apps(self) -> None:
        """Plans, their limits, apps, and what these use."""
        self.hc("namespace", "create", "contoso")
        self.hc("connection", "create", "contoso", "plant/db", "--endpoint", "db:1433")
        self.hc("plan", "create", "plan1", "--sku", "B1")
        self.hc("app", "create", "app1", "--plan", "plan1")
        self.assertIn("plan1", self.hc("app", "list"))
        self.assertIn("Basic", self.hc("plan", "list"))
        at = ("contoso", "plant/db")
        used = self.hc("app", "attach", "app1", *at, "--port", "1434")
        self.assertIn("1434", used)
        for listed in (
            self.hc("app", "connections", "app1"),
            self.hc("plan", "connections", "plan1"),
        ):
            self.assertIn("plant/db", listed)
        self.assertIn("app1", self.hc("plan", "users", "plan1", *at))
        limit = self.json("plan", "limit", "plan1")["properties"]
        self.assertEqual(limit, {"current": 1, "maximum": 5})
        self.hc("plan", "update", "plan1", "--sku", "S1")
        self.assertEqual(self.json("plan", "show", "plan1")["sku"]["tier"], "Standard")
        self.hc("plan", "create", "plan2")
        self.hc("app", "update", "app1", "--plan", "plan2")
        shown = self.json("app", "show", "app1")["properties"]
        self.assertTrue(shown["serverFarmId"].endswith("/plan2"))
        self.hc("app", "attach", "app1", *at, "--slot", "test")
        self.hc("app", "detach", "app1", *at, "--slot", "test", "--yes")
        self.hc("app", "detach", "app1", *at, "--slot", "test", "--yes", status=4)
        self.hc("plan", "detach", "plan2", *at, "--yes")
        self.assertEqual(self.json("app", "connections", "app1"), [])
        self.hc("plan", "delete", "plan2", "--yes", status=1)
        self.hc("app", "delete", "app1", "--yes")
        self.hc("plan", "delete", "plan2", "--yes")

    def json(self, *arguments: str) -> Any:
        return json.loads(self.hc(*arguments, "--output", "json"))

    def test_completion(self) -> None:
        """bash completes commands, and names that the relay knows."""
        self.hc("namespace", "create", "contoso")
        self.hc("connection", "create", "contoso", "plant/db")
        self.hc("connection", "create", "contoso", "plant/web")
        folder = self.stage.folder / "bin"
        folder.mkdir()
        program = folder / "hybridconn"
        program.write_text(
            f"#!{sys.executable}\nfrom hybridconn.cli import main\nmain()\n"
        )
        program.chmod(0o700)
        self.env["PATH"] = f"{folder}:{os.environ['PATH']}"
        subscription = ("--subscription", SUBSCRIPTION)
        for words, expected in (
            (("con",), {"connect", "connection", "connection-string"}),
            (("connection", "sh"), {"show"}),
            (("connection", "show", *subscription, "CON"), {"contoso"}),
            (
                ("connection", "show", *subscription, "contoso", "plant/"),
                {"plant/db", "plant/web"},
            ),
            (("connection", "show", *subscription, "other", ""), set()),
            (("token", *subscription, "--namespace", "c"), {"contoso"}),
            (
                ("rule", "show", *subscription, "contoso", "Root"),
                {"RootManageSharedAccessKey"},
            ),
        ):
            self.assertEqual(self.completed(*words), expected, words)
        self.env["HYBRIDCONN_MANAGEMENT_URL"] = "https://127.0.0.1:9"
        self.assertEqual(self.completed("namespace", "show", ""), set())
        for shell, word in (("zsh", "compdef"), ("fish", "complete ")):
            self.assertIn(word, self.plain("completion", shell))

    def plain(self, *arguments: str) -> str:
        status, said = output_of(command(*arguments), 30, self.env)
        self.assertEqual(status, 0, said)
        return said

    def completed(self, *words: str) -> set[str]:
        """What bash offers for the last of these words, after C{hybridconn}."""
        script = (
            'eval "$(hybridconn completion bash)"\n'
            'COMP_WORDS=(hybridconn "$@") COMP_CWORD=$#\n'
            "$(complete -p hybridconn | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
            ' hybridconn "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"\n'
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        argv = ["bash", "--norc", "-c", script, "bash", *words]
        status, said = output_of(argv, 30, self.env)
        self.assertEqual(status, 0, said)
        return set(said.split())

    def test_mistakes(self) -> None:
        """Each is one line with its mend."""
        said = self.hc("namespace", "show", "nothing", status=4)
        self.assertIn("404: The namespace 'nothing' was not found.", said)
        said = self.hc("namespace", "create", "x", status=1)
        self.assertIn("400: This is no name of a namespace", said)
        said = self.hc("connection", "create", "a", "b", "--endpoint", "x", status=2)
        self.assertIn("host:port", said)
        good = dict(self.env)
        for name, value, status, words in (
            ("URL", "http://x", 1, "--url https://"),
            ("URL", "https://127.0.0.1:9", 3, "cannot be reached"),
            ("TOKEN", "", 1, "the token is missing"),
            ("TOKEN", "wrong", 5, "401: "),
            ("CA_FILE", "", 3, "--ca-file"),
        ):
            self.env = good | {f"HYBRIDCONN_MANAGEMENT_{name}": value}
            self.assertIn(words, self.hc("namespace", "list", status=status))
        self.env = good | {"HYBRIDCONN_MANAGEMENT_TOKEN": self.stage.tokens["reader"]}
        self.hc("status")
        said = self.hc("namespace", "create", "contoso", status=5)
        self.assertIn("403: The role reader may not do this", said)
