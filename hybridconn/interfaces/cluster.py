"""Several processes, or machines, of one relay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


class IClusterMember(Interface):
    """Gets what other nodes of the cluster say."""

    def welcomed(nodes: Sequence[str]) -> None:
        """
        This node is connected.

        @param nodes: those that are there already, each of which now hears of it
            as L{node_joined}.
        """

    def node_joined(node: str) -> None:
        """Another node is there; it knows nothing yet."""

    def node_lost(node: str) -> None:
        """It is gone, and with it all that it announced."""

    def message_received(node: str, message: Mapping[str, Any]) -> None:
        """
        Another node says something.

        @param message: what can be written as JSON.
        """


class IClusterBus(Interface):
    """
    The way from one node of a relay to the others.  Messages from one node to
    another arrive in their order, or not at all if one of the two is lost.
    """

    node: str = Attribute("This node's name; no other one ever has it.")

    def join(member: IClusterMember) -> None:
        """Give C{member} what others say from now on."""

    def tell(node: str | None, message: Mapping[str, Any]) -> None:
        """
        Say something to one node, or to all others.  What is said to a node that
        is gone is lost.

        @param message: what can be written as JSON.
        """


class IPresence(Interface):
    """Lets the other nodes of a relay know which listeners this one has, and more."""

    node: str = Attribute("This node's name; empty if it is the only one.")

    def announce(key: tuple[str, str], channel: Any) -> None:
        """
        A listener is online here.

        @param key: namespace and entity path, both in lower case.
        """

    def withdraw(channel: Any) -> None:
        """It is online no more; harmless if it was never announced."""

    def drain(channel: Any) -> None:
        """Whether it is given nothing new has changed."""

    def answer_with(answer: Callable[[Mapping[str, Any]], Any]) -> None:
        """
        Have the questions of other nodes answered.

        @param answer: gets the question; both are what can be written as JSON.
        """

    def ask(question: Mapping[str, Any]) -> Deferred[Sequence[Any]]:
        """
        Ask all other nodes.

        @return: fires with their answers, without those of nodes that are lost
            meanwhile.  Cancelled, it fires with those that are there by then.
        """
