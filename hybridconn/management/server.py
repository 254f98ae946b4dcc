"""What the operations need to know of the server that they run on."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import define, field, frozen

from hybridconn.core.entities import Secret
from hybridconn.core.limits import Limits
from hybridconn.core.plan_limits import PlanLimits
from hybridconn.interfaces import ILiveRelay

#: Bytes of a key (management-api section 7.4).
KEY_BYTES = 32


@define
class Quotas:
    """
    How many there may be; replaced while the relay runs.  What is there stays when
    one is lowered.

    @ivar entities_per_namespace: hybrid connections of one namespace.
    @ivar plans: of App Service plans.
    """

    entities_per_namespace: int = Limits().entities_per_namespace
    plans: PlanLimits = field(factory=PlanLimits)


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
    @ivar live: who is connected.
    @ivar quotas: how many there may be.
    @ivar public_url: C{https://host[:port]} by which clients reach the API; empty:
        the one that each of them used.
    """

    subscriptions: tuple[str, ...]
    suffix: str
    port: int
    now: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    listener_count: Callable[[str, str], int]
    live: ILiveRelay
    quotas: Quotas
    public_url: str = ""

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
