"""Tests of L{hybridconn.management.tap}: the way to an identity provider."""

from __future__ import annotations

import os
from unittest.mock import patch

from twisted.internet.testing import MemoryReactorClock, SynchronousResolver
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config import ConfigError
from hybridconn.config.management import ManagementSettings
from hybridconn.config.oidc import OidcSettings
from hybridconn.management.tap import _signed

SETTINGS = ManagementSettings(
    oidc=OidcSettings(
        issuer="https://login.example.net/", jwks_url="https://login.example.net/keys"
    )
)


class KeysTests(SynchronousTestCase):
    """Where its keys are fetched."""

    def asked(self, **environ: str) -> list[str]:
        """The names that are looked up for it."""
        reactor = MemoryReactorClock()
        resolver = SynchronousResolver()
        names: list[str] = []
        self.patch(
            resolver,
            "resolveHostName",
            lambda receiver, name, *_, **__: names.append(name),
        )
        reactor.installNameResolver(resolver)
        with patch.dict(os.environ, environ, clear=True):
            _signed(SETTINGS, reactor)
        for call, arguments, named in reactor.whenRunningHooks:
            call(*arguments, **named)
        return names

    def test_way(self) -> None:
        """There itself, or by the proxy that the environment names."""
        self.assertEqual(self.asked(), ["login.example.net"])
        self.assertEqual(self.asked(HTTPS_PROXY="proxy.corp:3128"), ["proxy.corp"])
        self.assertRaises(ConfigError, self.asked, HTTPS_PROXY="ftp://x")
