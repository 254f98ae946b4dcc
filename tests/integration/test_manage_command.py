"""C{hybridconn namespace}, C{connection}, C{rule} and C{key} against a relay."""

from __future__ import annotations

import json

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

    def test_mistakes(self) -> None:
        """Each is one line with its mend."""
        said = self.hc("namespace", "show", "nothing", status=1)
        self.assertIn("404: The namespace 'nothing' was not found.", said)
        said = self.hc("namespace", "create", "x", status=1)
        self.assertIn("400: This is no name of a namespace", said)
        said = self.hc("connection", "create", "a", "b", "--endpoint", "x", status=2)
        self.assertIn("host:port", said)
        good = dict(self.env)
        for name, value, words in (
            ("HYBRIDCONN_MANAGEMENT_URL", "http://x", "--url https://"),
            ("HYBRIDCONN_MANAGEMENT_URL", "https://127.0.0.1:9", "cannot be reached"),
            ("HYBRIDCONN_MANAGEMENT_TOKEN", "", "the token is missing"),
            ("HYBRIDCONN_MANAGEMENT_TOKEN", "wrong", "401: "),
            ("HYBRIDCONN_MANAGEMENT_CA_FILE", "", "--ca-file"),
        ):
            self.env = good | {name: value}
            self.assertIn(words, self.hc("namespace", "list", status=1))
