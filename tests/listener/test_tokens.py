"""Tokens of a listener."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Secret
from hybridconn.core.sas import SasToken
from hybridconn.listener.tokens import TokenMint
from tests.listener.scene import CONNECTION


class TokenMintTests(SynchronousTestCase):
    """Made with a key, or ready."""

    def test_made(self) -> None:
        """It is good for the entity, for its lifetime and not much longer."""
        minted = TokenMint(CONNECTION, 4.0, lambda: 1000.9).mint()
        assert minted.text is not None
        token = SasToken.parse(minted.text.reveal())
        self.assertEqual(token.audience(), ("relay.test", ("hyco",)))
        self.assertEqual((token.expires_at, minted.lifetime), (1005, 4.0))
        self.assertNotIn("sig", repr(minted))

    def test_ready(self) -> None:
        """A ready token is handed out as it is, and nothing else can be had."""
        ready = evolve(
            CONNECTION, key_name=None, key=None, signature=Secret("ready token")
        )
        minted = TokenMint(ready, 4.0, lambda: 0.0).mint()
        self.assertEqual((minted.text, minted.lifetime), (Secret("ready token"), None))

    def test_none(self) -> None:
        """Without either there is no token."""
        bare = evolve(CONNECTION, key_name=None, key=None)
        minted = TokenMint(bare, 4.0, lambda: 0.0).mint()
        self.assertEqual((minted.text, minted.lifetime), (None, None))
