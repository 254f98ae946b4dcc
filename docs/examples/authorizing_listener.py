"""
A listener that looks at each sender before it lets it in: who does not bring the
right password in a header is refused, and learns why.

    APP_PASSWORD=… python authorizing_listener.py listen.connection-string [ca.pem]

A sender gives the header with C{headers=} of
L{HybridConnectionClientEndpoint.for_connection <hybridconn>}; C{twistd hcsender} gives
none, so it is refused.

The token got the sender as far as the relay; what it may do here is this
program's business.  C{App-Password} is a header of this example, and it reaches
the listener as it reaches any web server: over TLS, up to the relay and from it.
"""

from __future__ import annotations

import hmac
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver

from hybridconn import (
    Accept,
    ConnectionString,
    HybridConnectionListener,
    HybridConnectionServerEndpoint,
    ReactorDialer,
    Reject,
)


class AuthorizingListener(HybridConnectionListener):
    """
    Serves senders that know a password.

    @ivar password: that C{App-Password} must hold.
    """

    password = os.environ.get("APP_PASSWORD", "")

    def accept_requested(self, accept: Accept) -> None:
        """Look at the headers.  A Deferred could be returned as well."""
        given = accept.header("App-Password")
        if given is None:
            raise Reject(401, "App-Password is missing")
        if not hmac.compare_digest(given.encode(), self.password.encode()):
            raise Reject(403, "App-Password is wrong")


class Greeter(LineReceiver):
    """Asks for a name and greets."""

    def connectionMade(self) -> None:
        """The sender is in."""
        self.sendLine(b"What is your name?")

    def lineReceived(self, line: bytes) -> None:
        """Greet, and hang up."""
        self.sendLine(b"Hello, " + line + b"!")
        transport: Any = self.transport
        transport.loseConnection()


async def main(reactor: Any, file: str, *ca_files: str) -> None:
    """Serve until the process is ended."""
    if not AuthorizingListener.password:
        raise SystemExit("set APP_PASSWORD")
    endpoint = HybridConnectionServerEndpoint.for_connection(
        ConnectionString.parse(Path(file).read_text()),
        reactor,
        ReactorDialer(reactor, ca_files),
        listener_class=AuthorizingListener,
    )
    port = await endpoint.listen(Factory.forProtocol(Greeter))
    print("serving", port.getHost().entity, flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
