"""
The program of a worker; the supervisor starts it with its ports open.

    python -m hybridconn.cluster --config FILE --node 1.1 --bus PATH --port N
        [--log-format json] [--management] [--page]
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.endpoints import AdoptedStreamServerEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import globalLogBeginner, textFileLogObserver

from hybridconn.cluster.bus import BusClient, BusClientFactory
from hybridconn.cluster.supervisor import MANAGEMENT_FD, OWN_FD, PUBLIC_FD
from hybridconn.config.relay import load_relay
from hybridconn.memory import settle
from hybridconn.operation.logs import json_observer
from hybridconn.relay.presence import Presence
from hybridconn.relay.tap import PROGRAM, certificates_of, make_relay
from hybridconn.startup import load_or_exit
from hybridconn.steady import keep_steady

#: Seconds for the other workers to say which listeners they have.
_PATIENCE = 5.0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read what the supervisor says."""
    parser = argparse.ArgumentParser(prog="hybridconn.cluster")
    for name in ("config", "node", "bus"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log-format", default="text")
    parser.add_argument("--management", action="store_true")
    parser.add_argument("--page", action="store_true")
    return parser.parse_args(arguments)


def run(arguments: Sequence[str], reactor: Any) -> None:
    """Run until the supervisor ends it, or is gone."""
    given = parse(arguments)
    # The supervisor's log adds the time.
    observer = (
        json_observer(sys.stdout)
        if given.log_format == "json"
        else textFileLogObserver(sys.stdout, timeFormat="")
    )
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    config = load_or_exit(PROGRAM, lambda: load_relay(given.config))
    bus = BusClient(given.node, lambda: _stop(reactor))
    relay = make_relay(
        config,
        reactor,
        given.config,
        own_port=given.port,
        bus=bus,
        management=_adopted(MANAGEMENT_FD, reactor) if given.management else None,
        group=given.bus,
        page=given.page,
    )
    certificates = certificates_of(config)
    for number in (PUBLIC_FD, OWN_FD):
        relay.listen_on(_adopted(number, reactor), certificates)

    presence = relay.presence
    assert isinstance(presence, Presence)

    def begin(_: object) -> None:
        # Not before it knows the others' listeners: it would say there are none.
        relay.startService()
        reactor.addSystemEventTrigger("before", "shutdown", relay.stopService)

    connected = UNIXClientEndpoint(reactor, given.bus).connect(BusClientFactory(bus))
    connected.addErrback(lambda _: _stop(reactor))
    presence.complete.addTimeout(_PATIENCE, reactor, lambda *_: None)
    presence.complete.addCallback(begin)
    reactor.callWhenRunning(settle)
    reactor.run()


def _adopted(number: int, reactor: Any) -> IStreamServerEndpoint:
    with socket.socket(fileno=os.dup(number)) as port:
        family = port.family
    endpoint: IStreamServerEndpoint = AdoptedStreamServerEndpoint(
        reactor, number, family
    )
    return endpoint


def _stop(reactor: Any) -> None:
    if reactor.running:
        reactor.stop()


if __name__ == "__main__":
    from twisted.internet import reactor as the_reactor

    keep_steady(the_reactor)
    run(sys.argv[1:], the_reactor)
