"""What becomes of a sender that says which target it wants."""

from __future__ import annotations

from hybridconn.config.addresses import Target
from hybridconn.core.host_port import HostPort
from hybridconn.core.targets import (
    TARGET_HEADER,
    TargetError,
    TargetRules,
    parse_wanted,
)
from hybridconn.listener.reject import Reject


def choose(wanted: HostPort | None, rules: TargetRules) -> Target:
    """
    The target for a sender where there are many.

    @param wanted: L{None} if it did not say.
    @raise Reject: it is not to have one.
    """
    if wanted is None:
        raise Reject(
            400,
            "This listener serves many targets and was not told which: say it in "
            f"{TARGET_HEADER}, or in target or endpoints of the sender's configuration",
        )
    if not rules.listed.may_admit(wanted.host, wanted.port):
        raise Reject(
            403,
            f"{wanted} is not in targets of the listener; if it is to be reached, it "
            "is to be added there",
        )
    return Target(str(wanted), wanted)


def check_same(target: Target, wanted: HostPort) -> Target:
    """
    The target for a sender where there is only one.

    @raise Reject: it wants another one.
    """
    if target.host_port is not None:
        try:
            if parse_wanted(str(target.host_port)) == wanted:
                return target
        except TargetError:
            pass
    raise Reject(
        403,
        f"This listener serves one target, which is not {wanted}; if it is to serve "
        "more, it needs targets instead of target",
    )
