"""Where a listener takes its senders to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from hybridconn.core.commands import Accept


class ITargetConnector(Interface):
    """Decides what a listener joins an accepted connection to."""

    def connect(accept: Accept) -> Deferred[Any]:
        """
        Reach the target for one sender, before the rendezvous is dialled.

        @return: fires with an L{ITunnelEnd}, or with an L{IProtocol
            <twisted.internet.interfaces.IProtocol>} that is to run over the
            tunnel.  A failure with L{hybridconn.listener.Reject} sets status and
            description that the sender gets, any other one becomes C{502}.
        """


class ITargetProber(Interface):
    """Reaches a target for a look (L{hybridconn.core.probe}), joined to nobody."""

    def find(accept: Accept) -> Deferred[Any]:
        """
        Where a sender would be joined to.

        @return: fires with a L{Target <hybridconn.config.addresses.Target>}; fails
            with L{hybridconn.listener.Reject} if there is none for it.
        """

    def look(
        target: Any,
        factory: Any,
        looked_up: Callable[[Sequence[str]], object] | None = None,
        timeout: float | None = None,
    ) -> Deferred[Any]:
        """
        Connect to it.

        @param target: of L{find}.
        @param factory: makes the protocol.
        @param looked_up: called once its name was looked up, with the addresses that
            may be dialled.
        @param timeout: seconds; by default as for senders.
        @return: fires with the protocol, or with L{None} for what speaks UDP, where
            there is nothing to be reached; fails with
            L{hybridconn.listener.Reject}, whose status is 403 for what is not
            allowed.
        """
