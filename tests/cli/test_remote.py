"""Tests of L{hybridconn.cli.remote}: the way to a management API."""

from __future__ import annotations

import os
import socket
import ssl
from unittest.mock import patch

import click
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli.remote import Remote


class ProxyTests(SynchronousTestCase):
    """Calls go by the proxy that the environment names."""

    def trouble(self, **environ: str) -> str:
        """Make a call that fails; the words."""
        remote = Remote("https://relay.example:8444", "token")
        with patch.dict(os.environ, environ, clear=True):
            error = self.assertRaises(
                click.ClickException, remote.call, "GET", "/subscriptions"
            )
        message: str = error.message
        self.assertNotIn("hunter2", message)
        return message

    def test_not_there(self) -> None:
        """One that is not there is named."""
        with socket.create_server(("127.0.0.1", 0)) as door:
            place = f"127.0.0.1:{door.getsockname()[1]}"
        self.assertEqual(
            self.trouble(HTTPS_PROXY=f"http://jo:hunter2@{place}"),
            f"https://relay.example:8444 cannot be reached: proxy {place} cannot be "
            "reached: Connection refused.",
        )

    def test_bad(self) -> None:
        """A variable that names none is named."""
        self.assertIn(
            "HTTPS_PROXY is no proxy", self.trouble(HTTPS_PROXY="ftp://jo:hunter2@x")
        )


class OptionTests(SynchronousTestCase):
    """What is missing is named as the command at hand has it."""

    def words(self, prefix: str, url: str | None, token: str = "") -> str:
        """What is said of a remote that cannot be used."""
        refused = ssl.SSLCertVerificationError(1, "refused")
        refused.verify_message = "self-signed"
        environ = {"HYBRIDCONN_MANAGEMENT_TOKEN": token}
        with (
            patch.dict(os.environ, environ, clear=True),
            patch("hybridconn.cli.remote.dial", side_effect=refused),
            self.assertRaises(click.ClickException) as caught,
        ):
            remote = Remote.from_options(url, None, None, "s", "g", prefix=prefix)
            remote.call("GET", "/")
        return str(caught.exception.message)

    def test_names(self) -> None:
        """The options of the commands of management, and those of C{hcm add}."""
        url = "https://relay.example:8444"
        for prefix in ("--", "--relay-"):
            self.assertIn(f" {prefix}url ", self.words(prefix, None))
            self.assertIn(f" {prefix}token-file,", self.words(prefix, url))
            self.assertIn(f" {prefix}ca-file ", self.words(prefix, url, "token"))
