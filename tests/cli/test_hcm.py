"""C{hybridconn hcm}, as far as no service is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import click
from click.testing import CliRunner, Result

from hybridconn.cli import main
from hybridconn.cli.hcm import hcm_group
from hybridconn.cli.hcm_client import (
    HcmClient,
    NotReachable,
    NotThere,
    connection_path,
    read_secret,
)
from hybridconn.cli.hcm_select import offered_connections
from hybridconn.cli.remote import Remote
from tests.config.case import STRING, ConfigTestCase


class FakeRemote(Remote):
    """A management API with two namespaces."""

    def every(self, path: str) -> Iterator[dict[str, Any]]:
        """A list."""
        if path.endswith("/hybridConnections"):
            for name in ("db", "wiki"):
                yield {"name": name, "properties": {"userMetadata": ""}}
        else:
            yield from ({"name": name} for name in ("north", "south"))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Keys."""
        return {"primaryConnectionString": path}


REMOTE = FakeRemote("https://relay.test", "token")


class CommandTests(ConfigTestCase):
    """Words and places."""

    def run_hcm(self, *arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(main, ["hcm", *arguments], input=given)

    def called(self, *arguments: str, given: str | None = None) -> tuple[Result, Any]:
        """Run a command against a service that takes everything."""
        view = {"name": "db", "status": "Connected", "reason": "", "nextStep": ""}
        with patch.object(HcmClient, "call", return_value=view) as call:
            result = self.run_hcm(*arguments, given=given)
        return result, call

    def test_help(self) -> None:
        """Each command says in one line what it is for, each option what it does."""
        said = self.run_hcm("--help").output
        listed = said.partition("Commands:")[2]
        self.assertNotIn("...", listed)
        for name, command in hcm_group.commands.items():
            self.assertIn(f"  {name} ", listed)
            for option in command.params:
                if isinstance(option, click.Option) and not option.hidden:
                    self.assertTrue(option.help, f"{name} {option.name}")

    def test_drain(self) -> None:
        """Waits for tunnels only if it is told to; what still runs then is status 1."""
        result, call = self.called("drain", "db", "-ns", "relay")
        self.assertEqual(result.exit_code, 0, result.output)
        call.assert_called_once_with("POST", "/v1/connections/db/drain?namespace=relay")
        view = {"name": "db", "status": "Draining", "reason": "1 runs", "nextStep": ""}
        with patch.object(HcmClient, "call", return_value=view) as call:
            result = self.run_hcm("drain", "db", "--wait", "0.01")
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertIn("1 runs", result.output)
        self.assertEqual(call.call_args.args, ("GET", "/v1/connections/db"))

    def test_test(self) -> None:
        """A word is a hybrid connection, or else a host; and it is said which."""
        check = {"subject": "x", "name": "relay", "nextStep": ""}
        for detail, good, status in (
            ("answered 200", True, 0),
            ("the connection was refused", False, 1),
            ("the name cannot be resolved", False, 4),
        ):
            report = {"ok": good, "checks": [{**check, "ok": good, "detail": detail}]}
            answers = [NotThere("no such hybrid connection"), report]
            with patch.object(HcmClient, "call", side_effect=answers) as call:
                result = self.run_hcm("test", "relay")
            self.assertEqual(result.exit_code, status, result.output)
            call.assert_called_with("POST", "/v1/test", {"address": "relay"})
            self.assertIn("no hybrid connection 'relay' here: it is", result.stderr)
            if status == 4:
                self.assertIn("nor a host of that name", result.stderr)
                self.assertIn("HOST:PORT", result.stderr)
            else:
                self.assertIn(detail, result.stdout)
        with patch.object(HcmClient, "call", side_effect=NotThere("none")) as call:
            result = self.run_hcm("test", "relay", "-ns", "other")
        self.assertEqual((result.exit_code, call.call_count), (4, 1))

    def test_reload(self) -> None:
        """What a reload cannot take over is said, with what is to be done."""
        found = {"connections": 3, "needsRestart": ["[admin]"]}
        with patch.object(HcmClient, "call", return_value=found):
            said = self.run_hcm("reload").output
        self.assertIn("hybrid connections: 3", said)
        self.assertIn("[admin] changed", said)
        self.assertIn("To do: restart the service.", said)

    def test_completion(self) -> None:
        """The shell completes names of the service's; without it there are none."""
        views = {"connections": [{"name": "db"}, {"name": "wiki"}]}
        for command in ("show", "drain", "test", "logs"):
            words = {
                "COMP_WORDS": f"hybridconn hcm {command} D",
                "COMP_CWORD": "3",
                "_HYBRIDCONN_COMPLETE": "bash_complete",
            }
            for given, names in (
                ({"return_value": views}, "plain,db\n"),
                ({"side_effect": NotReachable("gone")}, "\n"),
            ):
                with patch.object(HcmClient, "call", **given):
                    result = CliRunner(env=words).invoke(main, prog_name="hybridconn")
                self.assertEqual(result.output, names, command)

    def test_add(self) -> None:
        """What is given is what is sent; nothing secret is printed."""
        result, call = self.called(
            *("add", "--name", "orders", "--target", "db:1", "--check-interval", "5"),
            *("--withdraw", "--replace", "--wait", "0"),
            given=STRING,
        )
        self.assertEqual(result.exit_code, 0, result.output)
        call.assert_called_once_with(
            "POST",
            "/v1/connections",
            {
                "connectionString": STRING,
                "settings": {
                    "name": "orders",
                    "target": "db:1",
                    "target_check_interval": 5.0,
                    "target_down": "withdraw",
                },
                "replace": True,
            },
        )
        self.assertNotIn("SharedAccessKey", result.output)

    def test_settings(self) -> None:
        """Every other key of a hybrid connection can be given, as TOML has it."""
        result, call = self.called(
            *("add", "--wait", "0", "--set", "proxy_protocol=true"),
            *("--set", "mode=bridge", "--set", 'ports=["sql=db.corp:1433"]'),
            given=STRING,
        )
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(
            call.call_args.args[2]["settings"],
            {"proxy_protocol": True, "mode": "bridge", "ports": ["sql=db.corp:1433"]},
        )
        result = self.run_hcm("add", "--set", "mode", given=STRING)
        self.assertEqual(result.exit_code, 2)
        self.assertIn('"mode" is not KEY=VALUE', result.output)

    def test_add_targets(self) -> None:
        """What senders may want is a list."""
        argv = ("add", "--targets", "*.corp:443", "--targets", "db:1", "--wait", "0")
        result, call = self.called(*argv, given=STRING)
        self.assertEqual(result.exit_code, 0, result.output)
        settings = call.call_args.args[2]["settings"]
        self.assertEqual(settings, {"targets": ["*.corp:443", "db:1"]})

    def test_prompt(self) -> None:
        """On a terminal the string is asked for, and is not shown."""
        with (
            patch("hybridconn.cli.hcm_client.sys.stdin.isatty", return_value=True),
            patch("click.prompt", return_value=f" {STRING}\n") as prompt,
        ):
            self.assertEqual(read_secret(None, "String"), STRING)
        self.assertTrue(prompt.call_args.kwargs["hide_input"])

    def test_empty(self) -> None:
        """Nothing is no connection string."""
        result = self.run_hcm("add", given=" \n")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("is empty", result.output)

    def test_names(self) -> None:
        """A name makes no other path; the original's options do as well."""
        self.assertEqual(
            connection_path("plant/db?x", "a&b"),
            "/v1/connections/plant%2Fdb%3Fx?namespace=a%26b",
        )
        for arguments in (["db", "-ns", "north"], ["-ns", "north", "-n", "db"]):
            result, call = self.called("remove", *arguments)
            self.assertEqual(result.exit_code, 0, result.output)
            call.assert_called_once_with("DELETE", "/v1/connections/db?namespace=north")
        self.assertEqual(self.run_hcm("remove").exit_code, 2)

    def test_places(self) -> None:
        """Where the service is: an option, its file, a port with a token."""
        path = self.write("listener.toml", '[admin]\nsocket = "hcm.sock"\n')
        client = HcmClient.from_options(None, str(path), None, None)
        self.assertEqual(client.socket, str(self.folder / "hcm.sock"))
        token = self.write("token", "secret\n")
        client = HcmClient.from_options(None, None, "http://127.0.0.1:1", str(token))
        self.assertEqual(client.token, "secret")
        self.assertNotIn("secret", repr(client))

    def test_wrong_places(self) -> None:
        """What is wrong with that."""
        bare = str(self.write("bare.toml", ""))
        open_token = str(self.write("open", "x", 0o644))
        for arguments, status, words in (
            (["--config", bare], 1, "has no socket in [admin]"),
            (["--config", "gone.toml"], 1, "cannot be read"),
            (["--config", open_token], 1, "cannot be used"),
            (["--url", "http://127.0.0.1:1"], 2, "--token-file FILE"),
            (["--url", "https://x", "--token-file", bare], 2, "http://127.0.0.1"),
            (
                ["--url", "http://127.0.0.1:1", "--token-file", open_token],
                1,
                "chmod 600",
            ),
            (["--socket", str(self.folder / "none")], 3, "No such file"),
            (["--url", "http://127.0.0.1:1", "--token-file", bare], 3, "refused"),
        ):
            result = self.run_hcm(*arguments, "list")
            self.assertEqual(result.exit_code, status, (arguments, result.output))
            self.assertIn(words, result.output)


class SelectTests(ConfigTestCase):
    """Choosing among the hybrid connections of a relay."""

    def test_options(self) -> None:
        """What is missing is named by the option of this command; Azure's words do."""
        arguments = ["hcm", "add", "--select", "--resource-group", "default"]
        result = CliRunner(env={"HYBRIDCONN_MANAGEMENT_URL": ""}).invoke(
            main, arguments
        )
        self.assertEqual(result.exit_code, 1)
        self.assertIn("--relay-url https://HOST:PORT", result.output)

    def chosen(self, answer: str, namespace: str | None = None) -> list[str]:
        """The ends of the paths whose keys were asked for."""
        with (
            patch("hybridconn.cli.hcm_select.sys.stdin.isatty", return_value=True),
            patch("click.prompt", return_value=answer),
            patch("hybridconn.cli.hcm_select.Console"),
        ):
            found = offered_connections(REMOTE, namespace, ())
        return [
            path.partition("/namespaces/")[2].rpartition("/auth")[0] for path in found
        ]

    def test_numbers(self) -> None:
        """By number, one or several, of one namespace or all."""
        self.assertEqual(
            self.chosen("1, 4"),
            ["north/hybridConnections/db", "south/hybridConnections/wiki"],
        )
        self.assertEqual(self.chosen("2", "south"), ["south/hybridConnections/wiki"])
        for odd in ("0", "5", "db", "-1"):
            error = self.assertRaises(click.ClickException, self.chosen, odd)
            self.assertIn("none of these Ids", str(error))

    def test_names(self) -> None:
        """By name; one that several namespaces have needs the namespace."""
        self.assertEqual(len(offered_connections(REMOTE, None, ["south/db"])), 1)
        for name, words in (("db", "several namespaces"), ("x", "no namespace")):
            error = self.assertRaises(
                click.ClickException, offered_connections, REMOTE, None, [name]
            )
            self.assertIn(words, str(error))
