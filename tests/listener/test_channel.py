"""The listener's control channel: every state, every event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionRefusedError

from hybridconn.config.listener import ListenerTimings
from hybridconn.core.commands import Accept
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Secret
from hybridconn.core.http_commands import Request, RequestOffer
from hybridconn.core.sas import SasToken
from hybridconn.listener.channel import STEADY_AFTER, ControlChannelClient, Reply
from hybridconn.listener.states import ChannelStatus
from hybridconn.listener.tokens import MintedToken
from hybridconn.websocket.client import HandshakeRefused
from tests.listener.scene import CONNECTION, INSECURE, RelayTestCase, refusal

GUID = "5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11"
TIMINGS = ListenerTimings()


class User:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.then: Callable[[], object] = lambda: None

    def online(self) -> None:
        self.told.append("online")
        self.then()

    def offline(self, reason: str) -> None:
        self.told.append(reason)
        self.then()

    def accept_received(self, accept: Accept) -> None:
        self.told.append(accept)

    def request_received(self, request: Request, body: bytes, reply: Reply) -> None:
        self.told.append((request, body, reply))

    def request_offered(self, offer: RequestOffer) -> None:
        self.told.append(offer)


class ChannelTestCase(RelayTestCase):
    """One control channel, not started yet."""

    channel_class: type[ControlChannelClient] = ControlChannelClient
    connection: ConnectionString = CONNECTION
    timings = TIMINGS

    def setUp(self) -> None:
        super().setUp()
        self.user = User()
        self.dialer = self.network.dialer()
        self.channel = self.channel_class(
            self.connection,
            self.user,
            self.dialer,
            self.clock,
            timings=self.timings,
            rng=lambda: 0.5,
            wall=self.wall,
            new_guid=lambda: UUID(GUID),
        )

    def start(self) -> None:
        self.channel.start()
        self.network.flush()

    def go_online(self) -> None:
        self.start()
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)

    def stop(self) -> Deferred[None]:
        stopped = self.channel.stop()
        self.network.flush()
        return stopped

    def tearDown(self) -> None:
        self.channel.stop()
        self.advance(10)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNothingSecret()


class ListenTests(ChannelTestCase):
    """From the dial to the registration."""

    def test_nothing_before_start(self) -> None:
        """It dials nothing until it is started."""
        self.advance(100)
        self.assertEqual(self.relay.peers, [])
        self.assertIs(self.channel.status, ChannelStatus.STOPPED)

    def test_request(self) -> None:
        """It asks for C{listen} with an id and, in a header, a good token."""
        self.go_online()
        self.assertEqual(
            self.peer.start_line,
            f"GET /$hc/hyco?sb-hc-action=listen&sb-hc-id={GUID} HTTP/1.1",
        )
        self.assertEqual(self.peer.headers["host"], "relay.test:443")
        token = SasToken.parse(self.peer.headers["servicebusauthorization"])
        self.assertEqual(token.audience(), ("relay.test", ("hyco",)))
        self.assertTrue(token.signed_with(self.connection.key or Secret("")))
        life = token.expires_at - self.wall()
        self.assertTrue(TIMINGS.token_lifetime <= life <= TIMINGS.token_lifetime + 1)
        self.assertEqual(self.user.told, ["online"])
        self.assertLogged("hyco: online at relay.test", f"{GUID}_G0")
        self.assertEqual(self.dialer.dialled, [("relay.test", 443, True)])

    def test_connecting(self) -> None:
        """While it dials it says so."""
        self.network.faults.delay = 1.0
        self.start()
        self.assertIs(self.channel.status, ChannelStatus.CONNECTING)
        self.channel.start()
        self.advance(5)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)
        self.assertEqual(len(self.relay.peers), 1)

    def test_refused_by_relay(self) -> None:
        """The relay's words and the tracking id are logged; it goes on dialling."""
        words = "The token is expired"
        self.relay.answers = [refusal(401, words, "TrackingId: abc_G0")]
        self.start()
        self.assertIs(self.channel.status, ChannelStatus.OFFLINE)
        self.assertEqual(self.channel.last_error, f"401 {words}, tracking id abc_G0")
        self.assertLogged("offline", words, "abc_G0", "again in 0.5 s")
        self.advance(1)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)
        self.assertEqual(self.user.told, [self.channel.last_error, "online"])

    def test_never_gives_up(self) -> None:
        """404 is no reason to stop (relay-protocol section 5.5)."""
        self.relay.answers = [refusal(404, "Endpoint does not exist")] * 50
        self.start()
        self.advance(3600)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)

    def test_no_relay(self) -> None:
        """Where nobody listens it dials again, later and later, for ever."""
        self.network.faults.refuse("relay.test", 443)
        self.start()
        delays = []
        for _ in range(8):
            (call,) = self.clock.getDelayedCalls()
            delays.append(round(call.getTime() - self.clock.seconds(), 6))
            self.advance(delays[-1])
        self.assertEqual(delays, [0.5, 1, 2, 5, 10, 30, 30, 30])
        self.assertLogged("the connection was refused")

    def test_silent_relay(self) -> None:
        """An answer that does not come is given up after C{connect_timeout}."""
        self.relay.answers = [b" "]
        self.start()
        self.advance(TIMINGS.connect_timeout - 1)
        self.assertIs(self.channel.status, ChannelStatus.CONNECTING)
        self.advance(1)
        self.assertEqual(self.channel.last_error, "no answer in time")
        self.advance(1)
        self.assertIsNotNone(self.relay.peers[0].lost)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)

    def test_garbage(self) -> None:
        """An answer that is no HTTP is a failed dial."""
        self.relay.answers = [b"220 smtp.test ready\r\n\r\n"]
        self.start()
        self.assertIn("HTTP", self.channel.last_error)


class OnlineTests(ChannelTestCase):
    """Commands, and the end of the channel."""

    ACCEPT = {  # noqa: RUF012
        "address": "wss://relay.test/$hc/hyco?sb-hc-action=accept&sb-hc-id=x",
        "id": "tracking_G0",
        "connectHeaders": {"Host": "relay.test"},
        "remoteEndpoint": {"address": "203.0.113.9", "port": 51234},
    }

    def setUp(self) -> None:
        super().setUp()
        self.go_online()

    def receive(self, text: str) -> None:
        self.peer.text(text)
        self.network.flush()

    def test_accept(self) -> None:
        """A sender is passed on as it is described."""
        self.receive(json.dumps({"accept": self.ACCEPT}))
        accept = self.user.told[-1]
        self.assertEqual((accept.id, accept.remote_port), ("tracking_G0", 51234))
        self.assertEqual(accept.header("host"), "relay.test")

    def test_ignored(self) -> None:
        """What is no command we know is logged and ignored, the channel lives."""
        for text in ("", "nonsense", "[]", '{"accept": 1}', "[" * 5000):
            self.receive(text)
        self.receive('{"reboot": {"address": "wss://relay.test/"}}')
        self.assertLogged("unknown command reboot")
        self.peer.binary(bytes(65536))
        self.receive(json.dumps({"accept": self.ACCEPT}))
        self.assertIsInstance(self.user.told[-1], Accept)
        self.assertEqual(len(self.user.told), 2)

    def test_too_long(self) -> None:
        """A message without end is not gathered: 1009, and a new dial."""
        for opcode in (2, 0, 0):
            self.peer.frame(opcode, bytes(65536), final=False)
        self.network.flush()
        self.assertEqual(self.peer.close_frame, (1009, "message too big"))
        self.peer.hang_up()
        self.advance(1)
        self.assertEqual(len(self.relay.peers), 2)

    def test_closed_by_relay(self) -> None:
        """Code and reason of a Close are logged; it is answered, and dialled anew."""
        for code, reason in ((1008, "the token has expired"), (1001, "shutting down")):
            first = self.peer
            first.close(code, reason.encode())
            self.network.flush()
            self.assertEqual(first.close_frame, (code, reason))
            first.hang_up()
            self.network.flush()
            self.assertLogged("offline: closed by the relay", str(code), reason)
            self.assertIs(self.channel.status, ChannelStatus.OFFLINE)
            self.advance(2)
            self.assertIs(self.channel.status, ChannelStatus.ONLINE)

    def test_closed_with_controls(self) -> None:
        """The relay's words come into a log as one line that no terminal obeys."""
        self.peer.close(1008, "\x1b[2Jgone\r\nreally\u009b1m".encode())
        self.network.flush()
        self.peer.hang_up()
        self.network.flush()
        said = "closed by the relay: 1008 [2Jgone really 1m"
        self.assertEqual(self.channel.last_error, said)

    def test_closed_without_code(self) -> None:
        """An empty Close is the end too."""
        self.peer.close(None)
        self.network.flush()
        self.peer.hang_up()
        self.network.flush()
        self.assertEqual(self.channel.last_error, "closed by the relay: no code")

    def test_lost(self) -> None:
        """A connection that breaks is dialled again at once, with some jitter."""
        self.network.connections[0].cut()
        self.network.flush()
        self.assertEqual(self.user.told, ["online", "the connection was lost"])
        self.advance(0.5)
        self.assertEqual(self.user.told[2:], ["online"])

    def test_broke_rules(self) -> None:
        """A relay that breaks RFC 6455 is left, and the log says why."""
        self.peer.frame(3)
        self.network.flush()
        self.peer.hang_up()
        self.network.flush()
        self.assertNotEqual(self.channel.last_error, "the connection was lost")
        self.assertIs(self.channel.status, ChannelStatus.OFFLINE)

    def test_flapping(self) -> None:
        """A channel that is lost soon after each dial is dialled ever later (F1)."""
        self.advance(STEADY_AFTER)
        delays = []
        for _ in range(4):
            self.network.connections[0].cut()
            self.network.flush()
            (call,) = self.clock.getDelayedCalls()
            delays.append(call.getTime() - self.clock.seconds())
            self.advance(delays[-1])
        self.assertEqual(delays, [0.5, 1, 2, 5])

    def test_steady(self) -> None:
        """After a while online the delays begin anew."""
        for wait in (1, 1, STEADY_AFTER):
            self.advance(wait)
            self.network.connections[0].cut()
            self.network.flush()
            (call,) = self.clock.getDelayedCalls()
            self.delay = call.getTime() - self.clock.seconds()
            self.advance(self.delay)
        self.assertEqual(self.delay, 0.5)

    def test_keepalive(self) -> None:
        """Silence brings a ping, and its pong is life."""
        self.advance(200)
        self.assertGreaterEqual(self.peer.pings, 4)
        self.assertEqual(len(self.relay.peers), 1)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)

    def test_half_open(self) -> None:
        """A relay that vanishes silently is noticed within C{dead_after} (T19)."""
        self.network.connections[0].silence()
        self.advance(TIMINGS.ping_interval)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)
        self.advance(TIMINGS.dead_after - TIMINGS.ping_interval)
        self.assertIn("the connection was lost", self.user.told)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)
        self.assertEqual(len(self.relay.peers), 2)

    def test_unanswered(self) -> None:
        """Since when a pong is owed can be asked; nobody owes one before a ping."""
        self.assertIsNone(self.channel.unanswered)
        self.network.connections[0].silence()
        self.advance(TIMINGS.ping_interval - 1)
        self.assertIsNone(self.channel.unanswered)
        self.advance(10)
        self.assertTrue(0 < (self.channel.unanswered or 0) <= 10)
        self.network.connections[0].heal()
        self.advance(TIMINGS.dead_after)
        self.assertIsNone(self.channel.unanswered)
        self.stop()
        self.assertIsNone(self.channel.unanswered)


class RenewalTests(ChannelTestCase):
    """Tokens (relay-protocol sections 5.3 and 5.5)."""

    timings = evolve(TIMINGS, token_lifetime=100.0)

    def renewals(self) -> list[str]:
        return [json.loads(text)["renewToken"]["token"] for text in self.peer.messages]

    def test_renewed(self) -> None:
        """At 80 % of its life the next one is sent, and so on, for ever."""
        self.go_online()
        self.advance(79)
        self.assertEqual(self.renewals(), [])
        self.advance(1)
        (token,) = self.renewals()
        self.assertTrue(SasToken.parse(token).signed_with(CONNECTION.key or Secret("")))
        self.assertGreaterEqual(SasToken.parse(token).expires_at, self.wall() + 100)
        self.advance(80)
        self.assertEqual(len(self.renewals()), 2)

    def test_hurry_online(self) -> None:
        """When time has jumped, a new token and a ping go out at once."""
        self.go_online()
        self.channel.hurry()
        self.advance(0)
        self.assertEqual((len(self.renewals()), self.peer.pings), (1, 1))
        self.advance(79)
        self.assertEqual(len(self.renewals()), 1)
        self.advance(1)
        self.assertEqual(len(self.renewals()), 2)

    def test_hurry_waiting(self) -> None:
        """And a dial that waits is made."""
        self.relay.answers = [refusal(401, "expired")] * 9
        self.start()
        self.advance(20)
        before = len(self.relay.peers)
        self.channel.hurry()
        self.advance(0)
        self.assertEqual(len(self.relay.peers), before + 1)

    def test_hurry_otherwise(self) -> None:
        """It does nothing to one that is stopped."""
        self.channel.hurry()
        self.advance(10)
        self.assertEqual(self.relay.peers, [])

    def test_not_while_offline(self) -> None:
        """A lost channel renews nothing; the next one begins with a fresh token."""
        self.go_online()
        self.advance(79)
        self.network.connections[0].cut()
        self.advance(1)
        token = SasToken.parse(self.peer.headers["servicebusauthorization"])
        self.assertGreaterEqual(token.expires_at, self.wall() + 99)
        self.advance(79)
        self.assertEqual(self.renewals(), [])


class FailingChannel(ControlChannelClient):
    """Gets its tokens from a place that fails for a while."""

    failures = 0
    waiting: Deferred[MintedToken] | None = None

    def mint_token(self) -> MintedToken | Deferred[MintedToken]:
        if self.waiting is not None:
            return self.waiting
        if self.failures:
            self.failures -= 1
            return fail(ConnectionRefusedError())
        return super().mint_token()


class MintingTests(ChannelTestCase):
    """Tokens that are made elsewhere."""

    channel_class = FailingChannel
    channel: FailingChannel

    def test_first(self) -> None:
        """Without a token there is no dial; it is tried again."""
        self.channel.failures = 2
        self.start()
        self.assertEqual(self.relay.peers, [])
        self.assertIs(self.channel.status, ChannelStatus.OFFLINE)
        self.advance(2)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)

    def test_renewal_repeated(self) -> None:
        """A renewal that fails is tried again each minute (F18)."""
        self.go_online()
        self.channel.failures = 2
        self.advance(0.8 * 3600 + 119)
        self.assertEqual(self.peer.messages, [])
        self.assertLogged("no new token: the connection was refused")
        self.advance(1)
        self.assertEqual(len(self.peer.messages), 1)

    def test_stopped_while_minting(self) -> None:
        """A token that is still being made when all is stopped is given up."""
        self.go_online()
        cancelled: list[Deferred[MintedToken]] = []
        self.channel.waiting = Deferred(cancelled.append)
        self.advance(0.8 * 3600)
        self.stop()
        self.assertEqual(cancelled, [self.channel.waiting])
        self.assertEqual(self.peer.messages, [])

    def test_lost_while_minting(self) -> None:
        """So is one when the channel is lost."""
        self.go_online()
        cancelled: list[Deferred[MintedToken]] = []
        self.channel.waiting = Deferred(cancelled.append)
        self.advance(0.8 * 3600)
        self.network.connections[0].cut()
        self.network.flush()
        self.assertEqual(cancelled, [self.channel.waiting])

    def test_bug(self) -> None:
        """A mistake in the code that makes tokens is logged with its traceback."""
        self.channel.waiting = fail(KeyError("oops"))
        self.start()
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.channel.waiting = None
        self.advance(1)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)


class FixedTokenTests(ChannelTestCase):
    """A connection string with a ready token."""

    TOKEN = "SharedAccessSignature sr=http%3A%2F%2Fr&sig=c2ln&se=1900000000&skn=k"
    connection = ConnectionString("relay.test", entity_path="hyco").__class__(
        "relay.test", entity_path="hyco", signature=Secret(TOKEN)
    )

    def test_used(self) -> None:
        """It is sent as it is, never renewed, and the log says so at the start."""
        self.go_online()
        self.assertEqual(self.peer.headers["servicebusauthorization"], self.TOKEN)
        self.assertLogged("cannot be renewed", "2030-03-17T17:46:40Z")
        self.advance(7200)
        self.assertEqual(self.peer.messages, [])

    def test_unreadable(self) -> None:
        """One that we cannot read may still be good."""
        self.channel = ControlChannelClient(
            evolve(self.connection, signature=Secret("opaque")),
            self.user,
            self.dialer,
            self.clock,
        )
        self.go_online()
        self.assertLogged("an unknown time")

    def test_none(self) -> None:
        """Without key and token nothing is sent; the relay says what it thinks."""
        self.channel = ControlChannelClient(
            ConnectionString("relay.test", entity_path="hyco"),
            self.user,
            self.dialer,
            self.clock,
        )
        self.go_online()
        self.assertNotIn("servicebusauthorization", self.peer.headers)


class InsecureTests(ChannelTestCase):
    """Without TLS."""

    connection = INSECURE

    def test_plain(self) -> None:
        """Only by the explicit switch is the dial a plain one."""
        self.go_online()
        self.assertEqual(self.dialer.dialled, [("relay.test", 80, False)])


class StopTests(ChannelTestCase):
    """Stopped in each state, and started again."""

    def test_stopped(self) -> None:
        """Before the start there is nothing to stop."""
        self.successResultOf(self.stop())

    def test_connecting(self) -> None:
        """A dial is given up, at each of its stages."""
        for answer in ([], [b" "]):
            self.relay.answers = list(answer)
            self.channel.start()
            if answer:
                self.network.flush()
            self.successResultOf(self.stop())
            self.assertIs(self.channel.status, ChannelStatus.STOPPED)
            self.assertEqual(self.network.connections, ())
        self.assertEqual(self.user.told, [])

    def test_waiting(self) -> None:
        """No dial follows."""
        self.network.faults.refuse("relay.test", 443)
        self.start()
        self.successResultOf(self.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_online(self) -> None:
        """It says goodbye with 1000, and waits for the relay's."""
        self.go_online()
        stopped, again = self.stop(), self.stop()
        self.assertEqual(self.peer.close_frame, (1000, ""))
        self.assertNoResult(stopped)
        self.assertIs(self.channel.status, ChannelStatus.OFFLINE)
        self.peer.close(1000)
        self.peer.hang_up()
        self.network.flush()
        self.successResultOf(stopped)
        self.successResultOf(again)
        self.assertIs(self.channel.status, ChannelStatus.STOPPED)
        self.assertEqual(self.user.told, ["online"])

    def test_silent_relay(self) -> None:
        """A relay that does not answer the goodbye is left alone."""
        self.go_online()
        stopped = self.stop()
        self.advance(5.1)
        self.successResultOf(stopped)
        self.assertEqual(self.network.connections, ())

    def test_command_while_leaving(self) -> None:
        """No sender is taken any more."""
        self.go_online()
        self.stop()
        self.peer.text(json.dumps({"accept": OnlineTests.ACCEPT}))
        self.network.flush()
        self.assertEqual(self.user.told, ["online"])

    def test_start_while_leaving(self) -> None:
        """Started again before it is gone: it dials as soon as it is."""
        self.go_online()
        stopped = self.stop()
        self.channel.start()
        self.peer.hang_up()
        self.network.flush()
        self.successResultOf(stopped)
        self.assertIs(self.channel.status, ChannelStatus.ONLINE)
        self.assertEqual(len(self.relay.peers), 2)

    def test_stop_start_stop_while_leaving(self) -> None:
        """The last word counts."""
        self.go_online()
        self.stop()
        self.channel.start()
        self.stop()
        self.peer.hang_up()
        self.advance(60)
        self.assertEqual(len(self.relay.peers), 1)

    def test_opened_too_late(self) -> None:
        """An answer that comes after the stop opens nothing."""
        self.network.faults.delay = 1.0
        self.channel.start()
        self.advance(2.5)
        self.successResultOf(self.stop())
        self.advance(10)
        self.assertIs(self.channel.status, ChannelStatus.STOPPED)
        self.assertEqual(self.user.told, [])

    def test_stopped_by_user(self) -> None:
        """The user may stop it when it hears of anything."""
        self.user.then = self.channel.stop
        self.start()
        self.assertEqual(self.peer.close_frame, (1000, ""))
        self.advance(6)
        self.assertIs(self.channel.status, ChannelStatus.STOPPED)
        self.network.faults.refuse("relay.test", 443)
        self.start()
        self.advance(60)
        self.assertIs(self.channel.status, ChannelStatus.STOPPED)


class WhenOnlineTests(ChannelTestCase):
    """Waiting for the registration."""

    def test_success(self) -> None:
        """It fires at the registration, and at once when that is done."""
        waiting = self.channel.when_online()
        self.assertNoResult(waiting)
        self.start()
        self.successResultOf(waiting)
        self.successResultOf(self.channel.when_online())

    def test_fails_first(self) -> None:
        """The first failed dial is the answer, unless told otherwise."""
        self.relay.answers = [refusal(401, "no"), refusal(401, "no")]
        first, patient = self.channel.when_online(), self.channel.when_online(False)
        self.start()
        error = self.failureResultOf(first, HandshakeRefused).value
        self.assertEqual(error.status, 401)
        self.assertNoResult(patient)
        self.advance(5)
        self.successResultOf(patient)

    def test_stopped(self) -> None:
        """Whoever still waits when it is stopped is told."""
        patient = self.channel.when_online(False)
        self.relay.answers = [b" "]
        self.start()
        self.stop()
        self.failureResultOf(patient, CancelledError)

    def test_cancelled(self) -> None:
        """Who gives up waiting is forgotten."""
        waiting = self.channel.when_online()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.go_online()
