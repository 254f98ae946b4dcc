"""What the operations need to know of the server that they run on."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import field, frozen

from hybridconn.core.entities import Secret
from hybridconn.core.plan_limits import PlanLimits

#: Bytes of a key (management-api section 7.4).
KEY_BYTES = 32


@frozen(kw_only=True)
class Server:
    """
    @ivar subscriptions: those that it answers for, the first one is its own.
    @ivar suffix: what follows a namespace's name in its host name; begins with a
        period.
    @ivar port: of the data plane.
    @ivar now: seconds since 1970-01-01 UTC.
    @ivar random_bytes: C{random_bytes(n)} gives n unguessable bytes.
    @ivar listener_count: how many listen on a namespace's path now.
    @ivar public_url: C{https://host[:port]} by which clients reach the API; empty:
        the one that each of them used.
    @ivar plan_limits: hybrid connections that the apps of a plan may use, by the
        first letters of its tier.
    """

    subscriptions: tuple[str, ...]
    suffix: str
    port: int
    now: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    listener_count: Callable[[str, str], int]
    public_url: str = ""
    plan_limits: PlanLimits = field(factory=PlanLimits)

    def new_key(self) -> Secret:
        """A fresh key."""
        return Secret(base64.b64encode(self.random_bytes(KEY_BYTES)).decode("ascii"))

    def host(self, namespace: str) -> str:
        """The host name of a namespace."""
        return f"{namespace}{self.suffix}"


def time_text(when: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def is_key(text: str) -> bool:
    """Whether this is base64 of 32 bytes."""
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except ValueError:
        return False
