"""Where namespaces and hybrid connections are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from hybridconn.core.entities import Namespace
    from hybridconn.management.registry import Changes, News


class IEntityStore(Interface):
    """
    Knows the namespaces and their hybrid connections.

    Reading is synchronous, from memory: the path of a sender's handshake never
    waits for a store.  A store with a database behind it keeps such a view and
    brings it up to date by itself.
    """

    def namespaces() -> Sequence[Namespace]:
        """All namespaces, each with its rules and hybrid connections."""

    def watch(changed: Callable[[str, str], None]) -> None:
        """
        Call C{changed(namespace name, entity path)} after each change of a
        hybrid connection or its removal; with an empty path when rules or
        names of the namespace itself changed.
        """


class IResourceStore(Interface):
    """
    Keeps what the management API changes, for one node or for several.

    Its calls may block.  They are made one at a time, and behind L{lock} comes L{keep}
    or L{release} and nothing else.  They fail with C{StoreError}, and with
    C{VaultError} if what is read was encrypted with a key that is not there.
    """

    rings: bool = Attribute("Whether others' changes are heard; else one must look.")
    revision: int = Attribute("The newest one that was told.")

    def load() -> News:
        """Everything that is in it; called once, before anything else."""

    def news() -> News:
        """What others changed since it was last told by any of these methods."""

    def lock() -> News:
        """
        Keep all others from changing anything, and tell what they changed before.
        A failure leaves it unlocked.
        """

    def keep(changes: Changes) -> None:
        """
        Keep a change, all of it or nothing, and unlock, also after a failure.  When
        it returns, the change would outlive a crash.
        """

    def release() -> None:
        """Unlock and keep nothing."""

    def listen(ring: Callable[[int], None], lost: Callable[[], None]) -> Any:
        """
        Hear of changes as they happen; only if it C{rings}.

        @param ring: called with the new revision.
        @param lost: called when there is nothing to hear any more.
        @return: an L{IReadDescriptor <twisted.internet.interfaces>} to be added to the
            reactor, with a C{close} for later.
        """

    def abort() -> None:
        """
        Have a call that waits for a server fail.  Called from another thread, while
        the call is made.
        """

    def close() -> None:
        """Let go of it; nothing is called afterwards."""
