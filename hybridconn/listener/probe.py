"""The listener's answer to a probe: what it finds on the way to its target."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.commands import Accept
from hybridconn.core.frames import PROTOCOL_ERROR
from hybridconn.core.probe import (
    TLS_NAME_HEADER,
    Failed,
    ListenerIs,
    Message,
    encode,
)
from hybridconn.core.text import printable
from hybridconn.interfaces import ITargetProber
from hybridconn.listener.reject import Reject
from hybridconn.listener.target_look import TargetLook
from hybridconn.operation.version import own_version
from hybridconn.websocket.client import TunnelClientProtocol, with_timeout
from hybridconn.websocket.closing import INTERNAL_ERROR, NORMAL
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.messages import MessageSink
from hybridconn.websocket.words import is_surprise

#: Probes that one hybrid connection answers at a time.
AT_ONCE: Final = 4
#: And in a minute: for one sender's address, which leaves as many to the others, and
#: for all of them.
PER_SENDER: Final = 120
PER_MINUTE: Final = 240
#: Seconds to decide on a sender; no relay waits longer.
DECIDE: Final = 30.0


class ProbeDesk:
    """
    Answers the probes of one hybrid connection.

    @param keeper: pings their tunnels.
    @param admit: decides on each, as on any sender.
    @param dial: opens the tunnel to one.
    @param refuse: tells one no.
    @param control_id: gives the tracking id of the control channel.
    @param machine: what this machine is called.
    """

    log = Logger()

    def __init__(
        self,
        entity: str,
        prober: ITargetProber,
        clock: IReactorTime,
        keeper: Keeper,
        *,
        admit: Callable[[Accept], Deferred[None] | None],
        dial: Callable[[Accept], Deferred[TunnelClientProtocol]],
        refuse: Callable[[Accept, Reject], Coroutine[Deferred[Any], Any, None]],
        control_id: Callable[[], str],
        machine: Callable[[], str] = socket.gethostname,
    ) -> None:
        self._entity = entity
        self._prober = prober
        self._clock = clock
        self._keeper = keeper
        self._admit = admit
        self._dial = dial
        self._refuse = refuse
        self._control_id = control_id
        self._machine = machine
        self._now = 0
        self._minute = 0.0
        self._answered: Counter[str] = Counter()

    async def serve(self, accept: Accept) -> None:
        """Answer one, or refuse it."""
        self._now += 1
        try:
            await self._serve(accept)
        except Reject as no:
            refusal = no
        else:
            return
        finally:
            self._now -= 1
        await self._refuse(accept, refusal)

    async def _serve(self, accept: Accept) -> None:
        """
        @raise Reject: it is not answered.
        """
        self._count(accept.remote_address)
        await self._decide(accept)
        tunnel = await self._dial(accept)
        self._keeper.watch(tunnel, f"{self._entity}: probe {accept.id}")
        try:
            await self._answer(accept, tunnel)
        finally:
            self._keeper.forget(tunnel)

    def _count(self, sender: str) -> None:
        """
        @raise Reject: there are too many.
        """
        minute = self._clock.seconds() // 60
        if minute != self._minute:
            self._minute = minute
            self._answered.clear()
        answered = self._answered
        if (
            self._now > AT_ONCE
            or answered[sender] >= PER_SENDER
            or answered.total() >= PER_MINUTE
        ):
            raise Reject(429, "The listener answers too many probes already")
        answered[sender] += 1

    async def _decide(self, accept: Accept) -> None:
        """
        @raise Reject: the sender is not wanted.
        """
        try:
            deciding: Deferred[Any] = maybeDeferred(self._admit, accept)
            await with_timeout(deciding, self._clock, DECIDE)
        except TimeoutError:
            raise Reject(504, "The listener did not decide in time") from None
        except (Reject, CancelledError):
            raise
        except Exception as error:
            failure = Failure(error)
            if is_surprise(failure):
                what = "{entity}: failed to serve a probe"
                self.log.failure(what, failure, entity=self._entity)
            raise Reject(502, "The listener failed") from None

    async def _answer(self, accept: Accept, tunnel: TunnelClientProtocol) -> None:
        """Say what is found, and close."""
        last = "nothing"

        def say(message: Message) -> None:
            nonlocal last
            reason = f": {message.reason}" if isinstance(message, Failed) else ""
            last = type(message).__name__.lower() + reason
            tunnel.send_piece(encode(message), False, True)

        name = printable(self._machine(), 120)
        tls_name = accept.header(TLS_NAME_HEADER) or ""
        look = TargetLook(self._prober, self._clock, say)
        say(ListenerIs(name, own_version(), self._control_id()))
        looking = Deferred.fromCoroutine(
            look.look(lambda: self._prober.find(accept), tls_name)
        )
        # A sender that is gone keeps no place of those that there are.
        tunnel.attach(_Silent(tunnel, looking.cancel))
        try:
            await looking
        except CancelledError:
            last += ", and the sender left"
        except BaseException:
            tunnel.finish(INTERNAL_ERROR, b"The listener failed")
            raise
        tunnel.finish(NORMAL, b"")
        self.log.info(
            "{entity}: a probe by {peer}: {last}, tracking id {tracking_id}",
            entity=self._entity,
            peer=f"{accept.remote_address}:{accept.remote_port}",
            last=last,
            tracking_id=accept.id,
        )


class _Silent(MessageSink):
    """There is nothing to be said to it."""

    def __init__(
        self, tunnel: TunnelClientProtocol, gone: Callable[[], object]
    ) -> None:
        super().__init__(max_bytes=0)
        self.tunnel = tunnel
        self._gone = gone

    def message_received(self, message: bytes, binary: bool) -> None:
        """It speaks all the same."""
        self.tunnel.finish(PROTOCOL_ERROR, b"a probe is silent")

    def close_received(self, code: int | None, reason: bytes) -> None:
        """It wants to know no more."""
        super().close_received(code, reason)
        self._gone()

    def tunnel_lost(self, reason: Failure) -> None:
        """It is gone."""
        super().tunnel_lost(reason)
        self._gone()
