"""
C{hc:} in endpoint strings.

Every search for plugins on the machine reads this file: what it stands for is
imported when a string with this prefix is parsed.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class _Client:
    prefix = "hc"

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> Any:
        parser = namedAny("hybridconn.endpoints.strings.ClientParser")()
        return parser.parseStreamClient(reactor, *args, **kwargs)


@implementer(IPlugin, IStreamServerEndpointStringParser)
class _Server:
    prefix = "hc"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> Any:
        parser = namedAny("hybridconn.endpoints.strings.ServerParser")()
        return parser.parseStreamServer(reactor, *args, **kwargs)


client = _Client()
server = _Server()
