"""Calls of a relay's management API."""

from __future__ import annotations

import http.client
import itertools
import json
import ssl
import time
from typing import Any

from bench.load.events import Settings, say, wait_for_go
from bench.stats import percentile

_VERSION = "api-version=2021-11-01"
#: Hybrid connections that are written to in turns.
_WRITTEN = 50


class _Api:
    """
    One connection to it, which stays open.

    @param settings: C{port}, C{ca_file}, C{token}, C{namespace}: its path.
    """

    def __init__(self, settings: Settings) -> None:
        self._namespace = settings["namespace"]
        self._headers = {"Authorization": f"Bearer {settings['token']}"}
        self._connection = http.client.HTTPSConnection(
            "localhost",
            settings["port"],
            timeout=60,
            context=ssl.create_default_context(cafile=settings["ca_file"]),
        )

    def call(self, method: str, path: str, body: object = None) -> Any:
        """
        Make a call below the namespace.

        @raise ValueError: it is not answered with 200.
        """
        target = path if path.startswith("/") else f"{self._namespace}/{path}"
        joint = "" if "api-version" in target else f"?{_VERSION}"
        data = None if body is None else json.dumps(body)
        self._connection.request(method, target + joint, data, self._headers)
        response = self._connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise ValueError(f"{method} {target}: {response.status}: {said[:200]!r}")
        return json.loads(said)


def calls(settings: Settings) -> None:
    """
    C{rate} calls a second for C{seconds}: half of them writes, the others lists and
    looks at what goes on.
    """
    api = _Api(settings)
    entity = settings["entity"]
    kinds = itertools.cycle(
        [
            ("PUT", "hybridConnections/written-{number}"),
            ("GET", "hybridConnections"),
            ("PUT", "hybridConnections/written-{number}"),
            ("GET", f"hybridConnections/{entity}"),
            ("PUT", "hybridConnections/written-{number}"),
            ("GET", f"hybridConnections/{entity}/tunnels"),
            ("PUT", "hybridConnections/written-{number}"),
            ("GET", "status"),
        ]
    )
    api.call("GET", "hybridConnections")
    say("ready")
    wait_for_go()
    took: list[float] = []
    began = time.monotonic()
    for number in itertools.count():
        due = began + number / settings["rate"]
        if due > began + settings["seconds"]:
            break
        time.sleep(max(0.0, due - time.monotonic()))
        method, path = next(kinds)
        body = None
        if method == "PUT":
            body = {"properties": {"userMetadata": f"written {number}"}}
        at = time.perf_counter()
        api.call(method, path.format(number=number % _WRITTEN), body)
        took.append(time.perf_counter() - at)
    say(
        "done",
        count=len(took),
        seconds=time.monotonic() - began,
        p99=percentile(took, 99),
    )


def pages(settings: Settings) -> None:
    """The first page of the list, C{count} times, and then all of them."""
    api = _Api(settings)
    api.call("GET", "hybridConnections")
    say("ready")
    wait_for_go()
    took: list[float] = []
    for _ in range(settings["count"]):
        at = time.perf_counter()
        api.call("GET", "hybridConnections")
        took.append(time.perf_counter() - at)
    began = time.perf_counter()
    found, path = 0, "hybridConnections"
    while path:
        page = api.call("GET", path)
        found += len(page["value"])
        link = page.get("nextLink", "")
        path = "/" + link.partition("://")[2].partition("/")[2] if link else ""
    say(
        "done",
        page=percentile(took, 50),
        walk=time.perf_counter() - began,
        found=found,
    )
