"""The tokens with which a listener keeps its control channel open."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.logger import Logger

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Secret
from hybridconn.core.refusals import Refusal
from hybridconn.core.sas import SasToken
from hybridconn.core.text import utc_text


@frozen
class MintedToken:
    """
    A token and how long it is good.

    @ivar text: L{None}: go without a token.
    @ivar lifetime: seconds from now; L{None} if no other one can be had, so
        that there is no use in renewing.
    """

    text: Secret | None
    lifetime: float | None


class TokenMint:
    """
    Makes tokens with the key of a connection string, or hands out the one
    ready token that is in it.

    @param lifetime: seconds that a new token is good.
    @param wall: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        connection: ConnectionString,
        lifetime: float,
        wall: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._lifetime = lifetime
        self._wall = wall

    def mint(self) -> MintedToken:
        """The token to be used from now on."""
        # Whole seconds, and never none: a token is dead in its last second.
        expires_at = int(self._wall() + self._lifetime) + 1
        text = self._connection.token(expires_at)
        renewable = self._connection.key is not None
        return MintedToken(text, self._lifetime if renewable else None)

    def warn_if_fixed(self, log: Logger, entity: str) -> None:
        """Say in the log when a ready token ends: it cannot be renewed."""
        signature = self._connection.signature
        if signature is None:
            return
        try:
            end = utc_text(SasToken.parse(signature.reveal()).expires_at)
        except Refusal:
            end = "an unknown time"
        log.warn(
            "{entity}: the connection string holds a ready token, which cannot be"
            " renewed; it is good until {end}",
            entity=entity,
            end=end,
        )
