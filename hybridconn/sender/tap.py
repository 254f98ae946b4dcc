"""C{twistd hcsender}: a sender from its configuration."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from hybridconn.config.mistakes import ConfigError
from hybridconn.config.sender import SenderConfig, load_sender, sender_from_options
from hybridconn.dialer import ReactorDialer
from hybridconn.memory import settle
from hybridconn.operation.logs import OPTION, choose_log
from hybridconn.sender.service import SenderService
from hybridconn.startup import (
    as_unit,
    check_alone,
    exit_for_port,
    load_or_exit,
    say_way_out,
    warn_if_insecure,
)
from hybridconn.steady import keep_steady

_PROGRAM = "hcsender"


class Options(usage.Options):
    """What C{twistd hcsender} understands."""

    synopsis = "[--config FILE | --connection-string-file FILE --bind ADDRESS:PORT]"
    longdesc = (
        "Forward local ports through a relay. Without --config and"
        " --connection-string-file the connection string is read from the environment"
        " variable HYBRIDCONN_CONNECTION_STRING."
    )
    optParameters = [  # noqa: RUF012  # Twisted's convention
        ["config", "c", None, "The configuration, see docs/options.md."],
        ["connection-string-file", "f", None, "A file with one connection string."],
        ["bind", "b", None, "IP address and port to listen on for the app."],
        ["ca-file", None, None, "PEM file with further authorities to trust."],
        [
            "ports-from",
            None,
            None,
            "Descriptor of a socket from which to have local ports; given by"
            " hybridconn exec --isolated.",
        ],
        OPTION,
    ]
    optFlags = [  # noqa: RUF012  # Twisted's convention
        ["insecure", None, "Plain ws://, without TLS, for tests."],
    ]

    def postOptions(self) -> None:
        """Choose how the log is written (Twisted)."""
        choose_log(self, _PROGRAM)


def makeService(options: Options, reactor: Any = None) -> IService:
    """Build the sender; no port is opened before it starts (Twisted)."""
    if reactor is None:
        from twisted.internet import reactor

        keep_steady(reactor)
    config = load_or_exit(_PROGRAM, lambda: _config(options))
    warn_if_insecure(_PROGRAM, config.insecure)
    say_way_out(_PROGRAM, config.way_out, not config.insecure)
    dialer = load_or_exit(
        _PROGRAM,
        lambda: ReactorDialer(
            reactor,
            config.ca_files,
            config.timings.connect_timeout,
            config.tls,
            way_out=config.way_out,
        ),
    )
    reactor.callWhenRunning(settle)
    ports = load_or_exit(_PROGRAM, lambda: _ports(options["ports-from"], reactor))
    sender = SenderService(
        config,
        dialer,
        reactor,
        lambda port: exit_for_port(_PROGRAM, port),
        ports=ports,
    )
    return load_or_exit(
        _PROGRAM, lambda: as_unit(sender, reactor, config.update_notice, config.way_out)
    )


def _ports(descriptor: str | None, reactor: Any) -> Any:
    if descriptor is None:
        return None
    # Namespaces are Linux's, and no other sender needs it.
    from hybridconn.redirect.network import PortsElsewhere

    try:
        return PortsElsewhere(reactor, int(descriptor))
    except (ValueError, OSError):
        text = f"--ports-from {descriptor}: is no socket; hybridconn exec gives one."
        raise ConfigError("command line", [f"command line: {text}"]) from None


def _config(options: Options) -> SenderConfig:
    check_alone(options, "connection-string-file", "bind", "ca-file", "insecure")
    if options["config"] is not None:
        return load_sender(options["config"])
    return sender_from_options(
        options["connection-string-file"],
        options["bind"],
        options["ca-file"],
        bool(options["insecure"]),
    )
