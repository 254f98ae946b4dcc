"""
The process that runs the workers of a relay.

It opens all ports, so that a port that is taken ends it before anything else is
done, and hands them to the workers it starts.  A worker that dies is started again;
its ports stay open meanwhile, and the others do not notice.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.cluster.bus import Hub
from hybridconn.core.backoff import Backoff
from hybridconn.operation.logs import RECORD, read_record
from hybridconn.operation.notify import unmanaged
from hybridconn.startup import HangupService, PortService

#: Descriptors of a worker: the public port, its own, and that of the management API.
PUBLIC_FD, OWN_FD, MANAGEMENT_FD = 3, 4, 5
#: Seconds that a worker has for its end before it is killed.
PATIENCE = 10.0
#: A worker that lived so long, in seconds, is started again at once.
_SETTLED = 60.0
_BACKLOG = 1024


class Worker(ProcessProtocol):
    """
    One worker, through all its lives.

    @ivar number: 1 for the first.
    @param command: makes the arguments of the process, for the name of the node.
    @param sockets: the public port, its own, and perhaps the management API's.
    @param log_format: how it writes its log, C{text} or C{json}.
    """

    log = Logger()

    def __init__(
        self,
        number: int,
        command: Callable[[str], Sequence[str]],
        sockets: Sequence[socket.socket],
        reactor: Any,
        rng: Callable[[], float],
        log_format: str = "text",
    ) -> None:
        self.number = number
        self._reads_json = log_format == "json"
        self._command = command
        self._sockets = sockets
        self._reactor = reactor
        self._backoff = Backoff(rng)
        self._lives = 0
        self._since = 0.0
        self._rest = b""
        self._process: IProcessTransport | None = None
        self._again: IDelayedCall | None = None
        self._ended: Deferred[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process's id, while there is one."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Begin a life."""
        self._again = None
        self._lives += 1
        self._since = self._reactor.seconds()
        argv = self._command(f"{self.number}.{self._lives}")
        ports = {
            number: one.fileno() for number, one in enumerate(self._sockets, PUBLIC_FD)
        }
        self._process = self._reactor.spawnProcess(
            self,
            argv[0],
            argv,
            env=unmanaged(os.environ),
            childFDs={0: "w", 1: "r", 2: "r", **ports},
        )

    def stop(self) -> Deferred[None]:
        """
        End it for good.

        @return: fires when there is no process any more.
        """
        ended: Deferred[None] = Deferred()
        self._ended = ended
        if self._again is not None:
            self._again.cancel()
        if self._process is None:
            ended.callback(None)
            return ended
        self._signal("TERM")
        killer = self._reactor.callLater(PATIENCE, self._signal, "KILL")

        def over(_: None) -> None:
            if killer.active():
                killer.cancel()

        return ended.addCallback(over)

    def reload(self) -> None:
        """Have it read its configuration again."""
        self._signal("HUP")

    # --- called by Twisted ---

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """What it prints goes to our log."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace")
            record = read_record(text) if self._reads_json else None
            self.log.info(
                "worker {number}: {line}",
                number=self.number,
                line=record["text"] if record else text,
                **({RECORD: record} if record else {}),
            )

    def processEnded(self, reason: Failure) -> None:
        """It is gone."""
        self._process = None
        if self._ended is not None:
            self._ended.callback(None)
            return
        if self._reactor.seconds() - self._since >= _SETTLED:
            self._backoff.reset()
        delay = self._backoff.next()
        self.log.error(
            "worker {number} died: {why}; it is started again in {delay:.1f} s",
            number=self.number,
            why=reason.getErrorMessage().rstrip("."),
            delay=delay,
        )
        self._again = self._reactor.callLater(delay, self.start)

    def _signal(self, name: str) -> None:
        if self._process is not None:
            try:
                self._process.signalProcess(name)
            except ProcessExitedAlready:
                self.log.debug("worker {number} had ended", number=self.number)


class Supervisor(Service):
    """
    @param config: the relay's configuration file; the workers read it themselves.
    @param public: interface and port to listen on.
    @param own_ports: one for each worker.
    @param failed: called with the port, in words, if one cannot be opened; what it
        returns is called with the failure and raises.
    @param management: interface and port of the management API.  The first worker
        serves it, so that a caller sees what it did the moment before.
    @param log_format: how the workers write what becomes part of our log.
    @param page: the address of the page, which the first worker opens by itself.
    @ivar workers: all of them.
    """

    def __init__(
        self,
        config: str,
        public: tuple[str, int],
        own_ports: Sequence[int],
        reactor: Any,
        failed: Callable[[str], Callable[[Failure], NoReturn]],
        rng: Callable[[], float] = random.random,
        management: tuple[str, int] | None = None,
        log_format: str = "text",
        page: tuple[str, int] | None = None,
    ) -> None:
        self._config = config
        self._page = page
        self._log_format = log_format
        self._public = public
        self._management = management
        self._own_ports = own_ports
        self._reactor = reactor
        self._failed = failed
        self._rng = rng
        self._sockets: list[socket.socket] = []
        self._folder: Path | None = None
        self._hub: PortService | None = None
        self._hangup = HangupService(reactor, self._reload)
        self.workers: list[Worker] = []

    def privilegedStartService(self) -> None:
        """Open the ports while they may be below 1024 (Twisted)."""
        if not self._sockets:
            interface, _ = self._public
            places = [self._public, *((interface, port) for port in self._own_ports)]
            if self._management is not None:
                places.append(self._management)
            self._sockets = [self._open(*place) for place in places]
            if self._page is not None:
                # Only to see that nobody else has it.
                self._open(*self._page).close()

    def startService(self) -> None:
        """Start the workers (Twisted)."""
        super().startService()
        self.privilegedStartService()
        self._folder = Path(tempfile.mkdtemp(prefix="hybridconn-"))
        path = str(self._folder / "bus")
        self._hub = PortService(
            UNIXServerEndpoint(self._reactor, path, mode=0o600), Hub()
        )
        self._hub.startService()
        count = len(self._own_ports)
        public, own = self._sockets[0], self._sockets[1 : 1 + count]
        management = self._sockets[1 + count :]
        for number, mine in enumerate(own, 1):
            more = management if number == 1 else []
            worker = Worker(
                number,
                self._command(path, mine, bool(more), number == 1),
                (public, mine, *more),
                self._reactor,
                self._rng,
                self._log_format,
            )
            self.workers.append(worker)
            worker.start()
        self._hangup.startService()

    def _reload(self) -> None:
        for worker in self.workers:
            worker.reload()

    def stopService(self) -> Deferred[Any]:
        """End the workers, each as a relay ends, and close the ports (Twisted)."""
        super().stopService()
        self._hangup.stopService()
        workers, self.workers = self.workers, []
        for one in self._sockets:
            one.close()
        self._sockets = []
        ended = DeferredList([worker.stop() for worker in workers])
        return ended.addCallback(self._clear)

    def _clear(self, _: object) -> Deferred[Any] | None:
        hub, self._hub = self._hub, None
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return None if hub is None else hub.stopService()

    def _command(
        self, bus: str, own: socket.socket, manages: bool, shows: bool
    ) -> Callable[[str], Sequence[str]]:
        port = own.getsockname()[1]

        def command(node: str) -> Sequence[str]:
            return [
                *(sys.executable, "-m", "hybridconn.cluster"),
                *("--config", self._config, "--node", node),
                *("--bus", bus, "--port", str(port)),
                *("--log-format", self._log_format),
                *(["--management"] if manages else []),
                *(["--page"] if shows else []),
            ]

        return command

    def _open(self, interface: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((interface, port))
            opened.listen(_BACKLOG)
        except OSError:
            opened.close()
            shown = f"{interface or '0.0.0.0'} port {port}"
            self._failed(shown)(Failure())
        opened.setblocking(False)
        return opened
