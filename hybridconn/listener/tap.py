"""C{twistd hclistener}: a connection manager from its configuration."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.python import usage

from hybridconn.config.listener import ListenerConfig, listener_from_options
from hybridconn.dialer import ReactorDialer
from hybridconn.hcm.loading import Loaded, from_config, load_managed
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.port import AdminService
from hybridconn.hcm.steward import Steward
from hybridconn.hcm.window import Window
from hybridconn.memory import settle
from hybridconn.operation.logs import OPTION, choose_log
from hybridconn.startup import (
    as_unit,
    check_alone,
    load_or_exit,
    say_way_out,
    warn_if_insecure,
)
from hybridconn.steady import keep_steady

_PROGRAM = "hclistener"


class Options(usage.Options):
    """What C{twistd hclistener} understands."""

    synopsis = "[--config FILE | --connection-string-file FILE [--target HOST:PORT]]"
    longdesc = (
        "Serve TCP targets through a relay. Without --config and"
        " --connection-string-file the connection string is read from the environment"
        " variable HYBRIDCONN_CONNECTION_STRING."
    )
    optParameters = [  # noqa: RUF012  # Twisted's convention
        ["config", "c", None, "The configuration, see docs/options.md."],
        ["connection-string-file", "f", None, "A file with one connection string."],
        ["target", "t", None, "host:port of the target; else from the metadata."],
        ["ca-file", None, None, "PEM file with further authorities to trust."],
        OPTION,
    ]
    optFlags = [  # noqa: RUF012  # Twisted's convention
        ["insecure", None, "Plain ws://, without TLS, for tests."],
    ]

    def postOptions(self) -> None:
        """Choose how the log is written (Twisted)."""
        choose_log(self, _PROGRAM)


class ManagerService(MultiService):
    """
    The whole program.

    @ivar manager: the hybrid connections.
    @ivar steward: what commands and changed files do to them.
    @ivar admin: where commands come in; L{None}: nowhere.
    """

    def __init__(
        self, manager: Manager, steward: Steward, admin: AdminService | None
    ) -> None:
        super().__init__()
        self.manager = manager
        self.steward = steward
        self.admin = admin
        manager.setServiceParent(self)
        steward.setServiceParent(self)
        if admin is not None:
            admin.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Hear signals before anybody can know that we are here (Twisted)."""
        self.steward.hear_signals()
        super().privilegedStartService()


def makeService(options: Options, reactor: Any = None) -> IService:
    """Build the manager; nothing is dialled before it starts (Twisted)."""
    if reactor is None:
        from twisted.internet import reactor

        keep_steady(reactor)
    file = options["config"] or ""
    loaded = load_or_exit(_PROGRAM, lambda: _load(options))
    config = loaded.config
    warn_if_insecure(_PROGRAM, config.insecure)
    say_way_out(_PROGRAM, config.way_out, not config.insecure)

    def dialer(config: ListenerConfig) -> ReactorDialer:
        return ReactorDialer(
            reactor,
            config.ca_files,
            config.timings.connect_timeout,
            config.tls,
            way_out=config.way_out,
        )

    manager = load_or_exit(_PROGRAM, lambda: Manager(loaded, dialer, reactor))
    steward = Steward(manager, file, lambda: load_managed(file), reactor)
    admin = None
    settings = config.admin
    if settings.socket or settings.port is not None:
        window = Window(manager, steward, settings, reactor, time.time)
        admin = load_or_exit(
            _PROGRAM,
            lambda: AdminService(
                _PROGRAM,
                manager,
                steward,
                settings,
                Path(file).parent,
                reactor,
                wall=time.time,
                more_routes=window.routes(),
                open_routes=window.open_routes(),
                authenticators=[window.sessions.who],
            ),
        )
        window.attach(admin)
    reactor.callWhenRunning(settle)
    whole = ManagerService(manager, steward, admin)
    return load_or_exit(
        _PROGRAM,
        lambda: as_unit(whole, reactor, config.update_notice, config.way_out),
    )


def _load(options: Options) -> Loaded:
    check_alone(options, "connection-string-file", "target", "ca-file", "insecure")
    if options["config"] is not None:
        return load_managed(options["config"])
    return from_config(
        listener_from_options(
            options["connection-string-file"],
            options["target"],
            options["ca-file"],
            bool(options["insecure"]),
        )
    )
