"""C{twistd hclistener}: serve TCP targets through relays."""

from __future__ import annotations

from typing import Any

from twisted.python import usage

from hybridconn.config import ListenerConfig, listener_from_options, load_listener
from hybridconn.listener.service import HybridConnectionListenerService
from hybridconn.startup import load_or_exit

_PROGRAM = "hclistener"


class Options(usage.Options):
    """What C{twistd hclistener} understands."""

    synopsis = (
        "[--config FILE | [--connection-string-file FILE] [--target HOST:PORT]"
        " [--ca-file FILE] [--insecure]]"
    )
    longdesc = (
        "Serve TCP targets through a relay: many from a configuration, or one from"
        " a connection string.  Without a target the hybrid connection's metadata"
        " say it.  A connection string holds a key, so it is never an argument:"
        " give its file, or put it into HYBRIDCONN_CONNECTION_STRING."
    )
    optParameters = [  # noqa: RUF012  # Twisted's convention
        ["config", "c", None, "The configuration, see docs/options.md."],
        ["connection-string-file", None, None, "A file with one connection string."],
        ["target", "t", None, "Where its senders are joined to, as host:port."],
        ["ca-file", None, None, "Further certificate authorities, as PEM."],
    ]
    optFlags = [  # noqa: RUF012  # Twisted's convention
        ["insecure", None, "Use plain ws://, without TLS; for tests."],
    ]

    def postOptions(self) -> None:
        """A configuration says everything by itself (Twisted)."""
        others = ("connection-string-file", "target", "ca-file", "insecure")
        given = [f"--{name}" for name in others if self[name]]
        if self["config"] is not None and given:
            raise SystemExit(
                f"{_PROGRAM}: {given[0]} cannot stand beside --config;"
                " write it into that file."
            )

    def load(self) -> ListenerConfig:
        """
        Read the configuration.

        @raise ConfigError: with all that is wrong.
        """
        if self["config"] is not None:
            return load_listener(self["config"])
        return listener_from_options(
            connection_string_file=self["connection-string-file"],
            target=self["target"],
            ca_file=self["ca-file"],
            insecure=bool(self["insecure"]),
        )


def makeService(
    options: Options, reactor: Any = None
) -> HybridConnectionListenerService:
    """Build the listener; nothing is dialled before it starts (Twisted)."""
    if reactor is None:
        from twisted.internet import reactor

    def build() -> HybridConnectionListenerService:
        return HybridConnectionListenerService(options.load(), reactor)

    return load_or_exit(_PROGRAM, build)
