"""Tracking ids: what a person quotes to find a request in the logs."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

from attrs import frozen

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@frozen
class TrackingId:
    """
    Names one request in logs, answers and commands.  It is no secret and need
    not be unique: a sender may choose it.

    @ivar guid: the GUID at its heart.
    @ivar given: the C{sb-hc-id} that was not used because it does not start
        with a GUID; to be logged once beside this id.
    """

    guid: str
    given: str | None = None

    @classmethod
    def choose(
        cls, sb_hc_id: str | None, new_guid: Callable[[], UUID | str]
    ) -> TrackingId:
        """
        Take the sender's C{sb-hc-id} if it starts with a GUID, as Java
        listeners fail on anything else (relay-protocol section 13.3), or make
        a fresh one.

        @param new_guid: for example L{uuid.uuid4}.
        """
        match = _GUID.match(sb_hc_id or "")
        if match:
            return cls(match.group())
        return cls(str(new_guid()), sb_hc_id or None)

    def __str__(self) -> str:
        return f"{self.guid}_G0"
