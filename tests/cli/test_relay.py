"""C{hybridconn relay}, as far as no relay is needed."""

from __future__ import annotations

from unittest.mock import patch

from click.testing import CliRunner, Result

from hybridconn.cli import main
from hybridconn.cli.relay import RelayClient
from tests.config.case import ConfigTestCase


class UiTests(ConfigTestCase):
    """The link to the page."""

    def run_ui(self, *arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(main, ["relay", "ui", *arguments], env=environ)

    def test_link(self) -> None:
        """It is printed alone, so that a script can use it; the rest is beside it."""
        url = "http://127.0.0.1:7421/#login=x"
        link = {"url": url, "expiresIn": 300.0}
        environ = {"SSH_CONNECTION": "", "HYBRIDCONN_RELAY_SOCKET": "/run/x.sock"}
        with patch.object(RelayClient, "call", return_value=link) as call:
            result = self.run_ui(**environ)
        self.assertEqual(result.exit_code, 0, result.output)
        call.assert_called_once_with("POST", "/v1/page-links")
        self.assertEqual(result.stdout, url + "\n")
        self.assertIn("5 minutes", result.stderr)

    def test_nobody(self) -> None:
        """Where no relay is, it is said where it was looked for, and what to do."""
        config = self.write("relay.toml", "[admin]\nsocket = '/nowhere/relay.sock'\n")
        for arguments, place in (
            (("--config", str(config)), "/nowhere/relay.sock"),
            (("--socket", "/nowhere/s"), "/nowhere/s"),
        ):
            result = self.run_ui(*arguments)
            self.assertEqual(result.exit_code, 3)
            self.assertIn(f"the relay cannot be reached at {place}", result.output)
            self.assertIn("twistd hcrelay", result.output)

    def test_no_socket(self) -> None:
        """A file without one is said to have none."""
        config = self.write("relay.toml", "")
        result = self.run_ui("--config", str(config))
        self.assertEqual(result.exit_code, 1)
        self.assertIn("no socket in [admin]", result.output)
