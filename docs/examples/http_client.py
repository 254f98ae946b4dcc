"""
HTTP requests to a hybrid connection with treq: the agent adds the token, the rest is
as always.

    pip install treq
    python http_client.py send.connection-string /hello/world [ca.pem]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.task import react

from hybridconn import HybridConnectionAgent


async def main(reactor: Any, connection_file: str, target: str, *ca_files: str) -> None:
    """Ask for one page and print it."""
    text = Path(connection_file).read_text(encoding="utf-8")
    agent = HybridConnectionAgent(text, reactor, ca_files=ca_files)
    response = await HTTPClient(agent).get(agent.url(target))
    print(response.code, (await response.text()).strip(), flush=True)


if __name__ == "__main__":
    react(main, sys.argv[1:])
