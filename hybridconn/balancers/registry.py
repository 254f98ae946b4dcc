"""
Finds load balancers by the name that the relay's configuration gives, among all
plugins that are installed.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.plugin import getPlugins

from hybridconn.interfaces import ILoadBalancer, ILoadBalancerPlugin


class UnknownLoadBalancer(ValueError):
    """
    No plugin, or more than one, has this name.

    @ivar name: the name that was asked for.
    @ivar known: all names that are installed.
    """

    def __init__(self, name: str, known: Sequence[str], sentence: str) -> None:
        super().__init__(name, tuple(known), sentence)
        self.name = name
        self.known = tuple(known)
        self._sentence = sentence

    def __str__(self) -> str:
        return self._sentence


def load_balancer_names() -> list[str]:
    """The names of all load balancers that are installed, sorted."""
    return sorted({plugin.name for plugin in getPlugins(ILoadBalancerPlugin)})


def find_load_balancer(name: str) -> ILoadBalancerPlugin:
    """
    Find the plugin with a name.

    @raise UnknownLoadBalancer: if there is none, or if two packages use the name.
    """
    plugins = list(getPlugins(ILoadBalancerPlugin))
    found: list[ILoadBalancerPlugin] = [one for one in plugins if one.name == name]
    known = sorted({plugin.name for plugin in plugins})
    if not found:
        sentence = f'no load balancer is called "{name}"; installed: {", ".join(known)}'
        raise UnknownLoadBalancer(name, known, sentence)
    if len(found) > 1:
        modules = " and ".join(sorted({type(one).__module__ for one in found}))
        sentence = f'{len(found)} load balancers are called "{name}", from {modules}'
        raise UnknownLoadBalancer(name, known, sentence)
    return found[0]


def load_balancer(name: str) -> ILoadBalancer:
    """
    Make the load balancer with a name.

    @raise UnknownLoadBalancer: if there is none, or if two packages use the name.
    """
    return find_load_balancer(name).build()
