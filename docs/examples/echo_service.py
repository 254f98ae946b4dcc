"""
An echo service that is reached through a relay, in one process and with no port
of its own.  It is an ordinary Twisted server: only the endpoint is ours.

    python echo_service.py hc:connectionStringFile=listen.connection-string

A private certificate authority is named with C{caFile=}.  Then, through
C{twistd hcsender} or from any other sender:

    nc 127.0.0.1 15432
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import react


class Echo(Protocol):
    """Sends back what it gets, no faster than it is taken."""

    def connectionMade(self) -> None:
        """Read no more while what was written has not left."""
        transport: Any = self.transport
        transport.registerProducer(transport, True)

    def dataReceived(self, data: bytes) -> None:
        """Send it back."""
        transport: Any = self.transport
        transport.write(data)

    def connectionLost(self, reason: object = None) -> None:
        """The sender left; there is nothing to clean up."""


async def main(reactor: Any, description: str) -> None:
    """Serve until the process is ended."""
    endpoint = serverFromString(reactor, description)
    port = await endpoint.listen(Factory.forProtocol(Echo))
    print("serving", port.getHost().entity, flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
