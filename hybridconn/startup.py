"""
Starting a program so that what is wrong is one clear line and exit status 1.

C{twistd} answers a C{UsageError} with the whole help and exit status 0, and a
port that is taken with a traceback, or not at all.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn, TypeVar

import attrs
from twisted.application.service import (
    IService,
    IServiceCollection,
    MultiService,
    Service,
)
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.config.mistakes import ConfigError
from hybridconn.dialer import ReactorDialer
from hybridconn.operation.notify import reloading, under_manager
from hybridconn.operation.updates import UpdateNotice, UpdateSettings
from hybridconn.tls import TLSConfigError
from hybridconn.wayout.environment import BadEnvironment, from_environment
from hybridconn.wayout.way import WayOut

_T = TypeVar("_T")

_log = Logger()
#: Connections that wait to be accepted.
_BACKLOG = 1024


def load_or_exit(program: str, load: Callable[[], _T], *errors: type[Exception]) -> _T:
    """
    Call C{load}; end the process if the configuration is wrong.

    @param program: begins the line that says what is wrong.
    @param errors: what else a mistake may be, beside those of the configuration.
    @raise SystemExit: with all mistakes; C{twistd} prints them and exits with 1.
    """
    expected: tuple[type[Exception], ...] = (ConfigError, TLSConfigError, *errors)
    try:
        return load()
    except expected as error:
        raise SystemExit(f"{program}: {error}") from None


def warn_if_insecure(program: str, insecure: bool) -> None:
    """Say in the log that there is no TLS."""
    if insecure:
        _log.warn(
            "{program}: insecure: plain ws://, so tokens and data can be read on the"
            " way",
            program=program,
        )


def say_way_out(program: str, way_out: WayOut, secure: bool) -> None:
    """
    Say in the log by which proxy relays are dialled: it may be the environment's.

    @param secure: whether relays are dialled with TLS.
    """
    proxy = way_out.proxy if secure else way_out.plain_proxy
    if proxy is not None:
        _log.info(
            "{program}: dialling through the {scheme} proxy {proxy}, which {source}"
            " names",
            program=program,
            scheme=proxy.scheme,
            proxy=str(proxy),
            source=proxy.named_by,
        )


def check_alone(options: Mapping[str, Any], *others: str) -> None:
    """
    C{--config} says everything; what else is given would be ignored unseen.

    @param others: the options that cannot stand beside it.
    @raise ConfigError: naming the first that does.
    """
    for name in others:
        if options["config"] is not None and options[name]:
            text = f"--{name} cannot stand beside --config; write it into that file."
            raise ConfigError("command line", [f"command line: {text}"])


#: What to do about a port that cannot be opened, by the error's number.
def exit_for_port(program: str, what: str) -> Callable[[Failure], NoReturn]:
    """
    What to do when a port cannot be opened: end the process and say why.

    @param what: the port in the user's words.
    """

    def fail(failure: Failure) -> NoReturn:
        raise SystemExit(
            f"{program}: cannot listen on {what}: {listen_trouble(failure.value)}"
        )

    return fail


class HangupService(Service):
    """
    While it runs, SIGHUP calls C{call} in the reactor's thread; the service manager is
    told.

    @param reactor: the reactor.
    """

    def __init__(self, reactor: Any, call: Callable[[], None]) -> None:
        self._reactor = reactor
        self._call = call
        self._before: Any = None

    def startService(self) -> None:
        """Listen to the signal, if that is possible here (Twisted)."""
        super().startService()
        # Python gives signals to the main thread alone.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGHUP, self._received)

    def stopService(self) -> None:
        """Leave it to whoever had it (Twisted)."""
        super().stopService()
        before, self._before = self._before, None
        if before is not None:
            signal.signal(signal.SIGHUP, before)

    def _received(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(partial(reloading, self._call))


def listen_trouble(error: BaseException | None) -> str:
    """Why a port cannot be opened and what mends that, in sentences."""
    why: object = error
    number = None
    if isinstance(error, CannotListenError):
        why = getattr(error.socketError, "strerror", None) or error.socketError
        number = getattr(error.socketError, "errno", None)
    return f"{why}. {_MENDS.get(number, _ANOTHER_PORT)}"


_ANOTHER_PORT = "Choose another port, or stop what uses it."
_MENDS: Mapping[int | None, str] = {
    errno.EACCES: (
        "A port below 1024 is for root and for those with CAP_NET_BIND_SERVICE: start"
        " it as root and have it change its user (twistd --uid), say"
        " AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit, use authbind,"
        " or lower net.ipv4.ip_unprivileged_port_start with sysctl."
    ),
    errno.EADDRNOTAVAIL: (
        "That is no address of this machine. Linux has all of 127.0.0.0/8; elsewhere,"
        " and with IPv6, put it on the loopback interface first (macOS: ifconfig lo0"
        " alias ADDRESS; IPv6 on Linux: ip -6 address add ADDRESS/128 dev lo)."
    ),
}


def local_endpoint(reactor: Any, bind: HostPort) -> IStreamServerEndpoint:
    """Where a local port is opened."""
    kind = TCP6ServerEndpoint if ":" in bind.host else TCP4ServerEndpoint
    endpoint: IStreamServerEndpoint = kind(
        reactor, bind.port, backlog=_BACKLOG, interface=bind.host
    )
    return endpoint


def raise_failure(failure: Failure) -> NoReturn:
    """Raise what a failure holds."""
    failure.raiseException()
    raise AssertionError("unreachable")


def environments_way_out() -> WayOut:
    """
    By which proxy the environment wants us to go out.

    @raise ConfigError: it names one that is none.
    """
    try:
        return from_environment(os.environ)
    except BadEnvironment as error:
        raise ConfigError("environment", [f"environment: {error}."]) from None


def as_unit(
    service: IService,
    reactor: Any,
    updates: UpdateSettings,
    way_out: WayOut | None = None,
) -> IService:
    """
    What C{twistd} is to run in place of C{service}: the service manager is told of it,
    and newer versions are looked for, where either is wanted.

    @param way_out: the way to the place that knows of them; by default what the
        environment says.
    @raise ConfigError: the environment names a proxy that is none.
    @raise TLSConfigError: a file cannot be used.
    """
    whole = service
    if updates.url:
        if way_out is None:
            way_out = environments_way_out()
        # Our own certificate is for relays.
        way_out = attrs.evolve(way_out, client_certificate=None)
        dialer = ReactorDialer(reactor, updates.ca_files, way_out=way_out)
        both = MultiService()
        service.setServiceParent(IServiceCollection(both))
        UpdateNotice(updates, dialer, reactor).setServiceParent(both)
        whole = both
    return under_manager(whole, lambda: ports_open(service), reactor)


def ports_open(service: Any) -> bool:
    """Whether C{service} runs and each L{PortService} below it has its port."""
    if isinstance(service, PortService) and service.port is None:
        return False
    below = list(service) if IServiceCollection.providedBy(service) else []
    return bool(service.running) and all(
        ports_open(one) for one in below if one.running
    )


class PortService(Service):
    """
    Listens while it runs.  Unlike Twisted's own it does not go on without its
    port.

    @param failed: called with the L{Failure} if the port cannot be opened;
        raises.
    """

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        factory: IProtocolFactory,
        failed: Callable[[Failure], NoReturn] = raise_failure,
    ) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._failed = failed
        self.port: IListeningPort | None = None
        self._opening: Deferred[Any] | None = None

    def privilegedStartService(self) -> None:
        """Open the port while it may be one below 1024 (Twisted)."""
        failures: list[Failure] = []
        self._opening = opening = self._endpoint.listen(self._factory)
        opening.addCallbacks(self._opened, failures.append)
        if failures:
            self._failed(failures[0])

    def startService(self) -> None:
        """Open the port, if it is not yet open (Twisted)."""
        super().startService()
        if self._opening is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        """Close the port (Twisted)."""
        super().stopService()
        opening, self._opening = self._opening, None
        port, self.port = self.port, None
        if port is not None:
            return maybeDeferred(port.stopListening)
        if opening is not None:
            opening.cancel()
        return succeed(None)

    def _opened(self, port: IListeningPort) -> None:
        self.port = port
