"""
A web site that is reached through a relay, in one process and with no port of its
own.  It is an ordinary C{twisted.web} site: only the last call is ours.

    python web_site.py listen.connection-string [ca.pem]

Then, with a token, at C{https://RELAY/PATH/}:

    curl --cacert ca.pem -H "ServiceBusAuthorization: $(hybridconn token …)" \\
        https://localhost:8443/PATH/
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, react
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from hybridconn import serve_site


class Hello(Resource):
    """Says who asks."""

    def render_GET(self, request: Any) -> bytes:
        """A page."""
        return b"hello, %b\n" % request.getClientAddress().host.encode()


class Clock(Resource):
    """Three server-sent events, each as soon as it happens."""

    isLeaf = True

    def render_GET(self, request: Any) -> int:
        """An answer that goes on for a while."""
        request.setHeader("Content-Type", "text/event-stream")
        left = [b"tick", b"tock", b"tick"]

        def tick() -> None:
            if left:
                request.write(b"data: %b\n\n" % left.pop())
            else:
                loop.stop()
                request.finish()

        loop = LoopingCall(tick)
        # The sender may leave before the end.
        request.notifyFinish().addErrback(lambda _: loop.running and loop.stop())
        loop.start(0.2)
        return NOT_DONE_YET


async def main(reactor: Any, connection_file: str, *ca_files: str) -> None:
    """Serve until the process is ended."""
    root = Resource()
    root.putChild(b"", Hello())
    root.putChild(b"clock", Clock())
    text = Path(connection_file).read_text(encoding="utf-8")
    listener = serve_site(text, Site(root), reactor, ca_files=ca_files)
    listener.startService()
    await listener.when_online()
    print("serving", listener.entity, flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
