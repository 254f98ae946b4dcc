"""
The listener's end of a control channel (relay-protocol section 5).

              start                    opened
    Stopped ---------> Connecting ---------------> Online
       ^                |     ^                      |
       |         failed |     | after the delay      | lost
       |                v     |                      |
       |               Waiting <---------------------+
       |
       +-- stop, at once from Connecting and Waiting
       +-- stop, through Leaving from Online: until the relay has closed too

It dials for ever.  Each state is a class that holds what belongs to it, such as
a timer, so nothing of one state is left over in another; what comes late, from a
dial that was given up, finds that its state is no longer the present one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.listener import ListenerTimings
from hybridconn.core.backoff import Backoff
from hybridconn.core.commands import encode_renew_token
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.limits import Limits
from hybridconn.core.relay_url import websocket_url
from hybridconn.core.route import TOKEN_HEADER
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import IDialer
from hybridconn.listener.channel_commands import ChannelCommands, ChannelUser, Reply
from hybridconn.listener.states import (
    ChannelStatus,
    Connecting,
    Leaving,
    Online,
    State,
    Stopped,
    Waiting,
)
from hybridconn.listener.tokens import MintedToken, TokenMint
from hybridconn.socket_options import tune
from hybridconn.websocket.client import (
    HandshakeRefused,
    TunnelClientProtocol,
    connect_websocket,
)
from hybridconn.websocket.closing import NORMAL
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.words import explain, is_surprise

__all__ = ["STEADY_AFTER", "ChannelUser", "ControlChannelClient", "Reply"]

#: After this many seconds online the delays begin anew (reliability-security F1).
STEADY_AFTER = 60.0


class ControlChannelClient:
    """
    Keeps one hybrid connection registered at its relay.

    Subclass it to make tokens elsewhere (L{mint_token}) or to see commands that
    this version does not know (L{command_received}).

    @ivar last_error: why it is, or last was, offline; empty before that.
    @ivar last_refusal: the relay's answer, if that was the reason.
    @ivar tracking_id: of the dial that is under way, or led to the present channel.
    @param connection: the relay, the entity and what opens it.
    @param user: told of every change and of every sender.
    @param reactor: the clock.
    @param rng: a number from 0 to below 1: spreads the dials of many listeners.
    @param wall: seconds since 1970-01-01 UTC, for tokens.
    """

    log = Logger()
    last_error = ""
    last_refusal: HandshakeRefused | None = None
    tracking_id = ""

    def __init__(
        self,
        connection: ConnectionString,
        user: ChannelUser,
        dialer: IDialer,
        reactor: Any,
        *,
        timings: ListenerTimings | None = None,
        limits: Limits | None = None,
        keeper: Keeper | None = None,
        rng: Callable[[], float] = random.random,
        wall: Callable[[], float] = time.time,
        new_guid: Callable[[], UUID] = uuid4,
    ) -> None:
        self.connection = connection
        self.entity = connection.require_entity_path()
        self.relay = connection.authority
        self._user = user
        self._dialer = dialer
        self._clock = reactor
        self._timings = timings = timings or ListenerTimings()
        self._limits = limits or Limits()
        self._keeper = keeper or Keeper(
            reactor, timings.ping_interval, timings.dead_after
        )
        self._new_guid = new_guid
        self._backoff = Backoff(rng)
        self._mint = TokenMint(connection, timings.token_lifetime, wall)
        self._state: State = Stopped()
        self._waiters: dict[Deferred[None], bool] = {}
        self._stopping: list[Deferred[None]] = []

    # --- to be extended ---

    def mint_token(self) -> MintedToken | Deferred[MintedToken]:
        """
        Make the token for the next listen or renewal.  May be overridden, for
        tokens that come from somewhere else; a failure counts as a failed dial,
        and a failed renewal is tried again soon.
        """
        return self._mint.mint()

    def command_received(self, name: str) -> None:
        """A command that this version does not know.  May be overridden."""
        self.log.info(
            "{entity}: unknown command {name} ignored", entity=self.entity, name=name
        )

    # --- for everybody ---

    @property
    def status(self) -> ChannelStatus:
        """How it is now."""
        return self._state.status

    def start(self) -> None:
        """Dial, and keep dialling; does nothing if that goes on already."""
        if isinstance(self._state, Stopped):
            self._mint.warn_if_fixed(self.log, self.entity)
            self._backoff.reset()
            self._connect()
        elif isinstance(self._state, Leaving):
            self._state.start_again = True

    def stop(self) -> Deferred[None]:
        """
        Leave the relay.

        @return: fires when the connection is gone: at once unless it is online,
            otherwise at most C{control_close_timeout} later.
        """
        state = self._state
        if isinstance(state, Online):
            state.give_up_renewal()
            self._state = Leaving(state.tunnel)
            state.tunnel.finish(NORMAL, b"")
        elif isinstance(state, Leaving):
            state.start_again = False
        else:
            self._state = Stopped()
            if isinstance(state, Connecting):
                state.dial.cancel()
            elif isinstance(state, Waiting):
                state.timer.cancel()
            stopped_early = CancelledError("the listener was stopped")
            self._fail_waiters(Failure(stopped_early), True)
        if not isinstance(self._state, Leaving):
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        return stopped

    @property
    def unanswered(self) -> float | None:
        """
        Since how many seconds a ping of the open channel has had no answer;
        L{None}: none is waited for.
        """
        state = self._state
        if not isinstance(state, Online):
            return None
        return self._keeper.unanswered(state.tunnel, self._clock.seconds())

    def hurry(self) -> None:
        """
        Time has jumped: make a new token, see whether the relay is there still, and
        dial now if that is to be done later.
        """
        state = self._state
        if isinstance(state, Online):
            if state.renewal is not None:
                state.renewal.reset(0.0)
            self._keeper.ping(state.tunnel, self._clock.seconds())
        elif isinstance(state, Waiting):
            state.timer.reset(0.0)

    def when_online(self, fail_first: bool = True) -> Deferred[None]:
        """
        @param fail_first: whether a failed dial is the answer; dialling goes on
            all the same, until L{stop}.
        @return: fires when it is online, at once if it is; fails when it is
            stopped before that.
        """
        if isinstance(self._state, Online):
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._forget_waiter)
        self._waiters[waiter] = fail_first
        return waiter

    # --- Connecting ---

    def _connect(self) -> None:
        tracking = TrackingId.choose(None, self._new_guid)
        state = self._state = Connecting(str(tracking))
        self.tracking_id = state.tracking_id
        url = websocket_url(self.connection, "listen", tracking.guid)

        def dial(token: MintedToken) -> Deferred[Any]:
            headers = {TOKEN_HEADER: token.text.reveal()} if token.text else {}
            dialled = connect_websocket(
                self._dialer,
                self._clock,
                self._limits,
                url,
                headers=headers,
                timeout=self._timings.connect_timeout,
                data_path="autobahn",
            )
            return dialled.addCallback(self._opened, state, token)

        minting: Deferred[Any] = maybeDeferred(self.mint_token)
        state.dial = minting.addCallback(dial).addErrback(self._failed, state)

    def _opened(
        self, tunnel: TunnelClientProtocol, state: Connecting, token: MintedToken
    ) -> None:
        if self._state is not state:
            tunnel.abort()
            return
        tune(tunnel.transport, control=True)
        online = self._state = Online(tunnel, self._clock.seconds())
        self._plan_renewal(online, token)
        self._keeper.watch(tunnel, f"{self.entity}: the control channel")
        self.log.info(
            "{entity}: online at {relay}, tracking id {tracking_id}",
            entity=self.entity,
            relay=self.relay,
            tracking_id=state.tracking_id,
        )
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            waiter.callback(None)
        self._user.online()
        tunnel.attach(ChannelCommands(self, self._user, tunnel))

    def _failed(self, failure: Failure, state: Connecting) -> None:
        if is_surprise(failure):
            self.log.failure("{entity}: dialling failed", failure, entity=self.entity)
        if self._state is state:
            error = failure.value
            refusal = error if isinstance(error, HandshakeRefused) else None
            self._wait(explain(failure), refusal)
            self._fail_waiters(failure, False)

    # --- Online ---

    def serves(self, tunnel: TunnelClientProtocol) -> bool:
        """Whether C{tunnel} is the open channel: what comes over it counts."""
        return isinstance(self._state, Online) and self._state.tunnel is tunnel

    def lost(self, tunnel: TunnelClientProtocol, reason: str) -> None:
        """
        The connection is gone.

        @param reason: what the relay said, or what became of the connection.
        """
        self._keeper.forget(tunnel)
        state = self._state
        if isinstance(state, Online) and state.tunnel is tunnel:
            state.give_up_renewal()
            if self._clock.seconds() - state.since >= STEADY_AFTER:
                self._backoff.reset()
            self._wait(reason)
        elif isinstance(state, Leaving) and state.tunnel is tunnel:
            self._state = Stopped()
            stopping, self._stopping = self._stopping, []
            if state.start_again:
                self.start()
            for stopped in stopping:
                stopped.callback(None)

    def _plan_renewal(self, state: Online, token: MintedToken) -> None:
        if token.lifetime is None:
            return
        delay = self._timings.renew_at * token.lifetime
        state.renewal = self._clock.callLater(delay, self._renew, state, token.lifetime)

    def _renew(self, state: Online, lifetime: float) -> None:
        state.renewal = None

        def send(token: MintedToken) -> None:
            state.minting = None
            if token.text is not None:
                command = encode_renew_token(token.text)
                state.tunnel.send_piece(command.encode("utf-8"), False, True)
            self._plan_renewal(state, token)

        def fail(failure: Failure) -> None:
            if state.minting is None:
                return
            state.minting = None
            self.log.warn(
                "{entity}: no new token: {reason}",
                entity=self.entity,
                reason=explain(failure),
            )
            soon = min(60.0, lifetime / 20)
            state.renewal = self._clock.callLater(soon, self._renew, state, lifetime)

        state.minting = minting = maybeDeferred(self.mint_token)
        minting.addCallbacks(send, fail)

    # --- Waiting ---

    def _wait(self, reason: str, refusal: HandshakeRefused | None = None) -> None:
        self.last_error, self.last_refusal = reason, refusal
        delay = self._backoff.next()
        self._state = Waiting(self._clock.callLater(delay, self._connect))
        self.log.warn(
            "{entity}: offline: {reason}; dialling {relay} again in {delay:.1f} s",
            entity=self.entity,
            reason=reason,
            relay=self.relay,
            delay=delay,
        )
        self._user.offline(reason)

    # --- those who wait for it to be online ---

    def _forget_waiter(self, waiter: Deferred[None]) -> None:
        self._waiters.pop(waiter, None)

    def _fail_waiters(self, failure: Failure, all_of_them: bool) -> None:
        for waiter, fail_first in tuple(self._waiters.items()):
            if (fail_first or all_of_them) and waiter in self._waiters:
                del self._waiters[waiter]
                waiter.errback(failure)
