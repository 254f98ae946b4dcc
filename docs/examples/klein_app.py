"""
A Klein application that is reached through a relay.  It is an ordinary one: it
could listen on a port with C{app.run} as well.

    pip install klein
    python klein_app.py listen.connection-string [ca.pem]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from hybridconn import serve_site

app = Klein()


@app.route("/hello/<name>")
def hello(request: Any, name: str) -> str:
    """Greet somebody."""
    return f"hello, {name}\n"


@app.route("/sum", methods=["POST"])
async def add(request: Any) -> str:
    """Add numbers, slowly."""
    from twisted.internet import reactor

    numbers = json.loads(request.content.read())
    await deferLater(reactor, 0.1)  # type: ignore[arg-type]
    return json.dumps({"sum": sum(numbers)})


async def main(reactor: Any, connection_file: str, *ca_files: str) -> None:
    """Serve until the process is ended."""
    text = Path(connection_file).read_text(encoding="utf-8")
    listener = serve_site(text, app.resource(), reactor, ca_files=ca_files)
    listener.startService()
    await listener.when_online()
    print("serving", listener.entity, flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
