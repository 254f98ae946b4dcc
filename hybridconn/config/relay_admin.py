"""The table C{[admin]} of C{relay.toml}: the relay's web page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from hybridconn.config.hcm import Loopback, SocketPath
from hybridconn.config.kinds import Port
from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import Source


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


@frozen
class RelayAdmin:
    """C{[admin]}: where the page is, and where links to it come from."""

    port: Port | None = field(
        default=None,
        metadata=_help("A TCP port for the web page; without it there is none."),
    )
    interface: Loopback = field(
        default="127.0.0.1",
        metadata=_help("The loopback address of `port`."),
    )
    socket: SocketPath = field(
        default="",
        metadata=_help(
            "A UNIX socket by which `hybridconn relay ui` gets a link to the page, "
            "such as `/run/hcrelay/relay.sock`. The user of the relay and root may "
            "use it."
        ),
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """Either is of no use without the other."""
        if "port" in table and not table.get("socket"):
            yield Mistake(
                "is missing; without it nobody gets a link to the page. Write it like "
                '"/run/hcrelay/relay.sock".',
                "socket",
            )
        for name in ("socket", "interface"):
            if name in table and "port" not in table:
                yield Mistake("goes only with port; add one.", name)
