"""Tests of L{hybridconn.cli.remote}: the way to a management API."""

from __future__ import annotations

import os
import socket
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
