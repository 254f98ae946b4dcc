"""
Every seam of hybridconn in one place: read this file first.

Nothing of ours is imported here at run time, so any module may import it.
Method names in C{snake_case} are called by hybridconn; whatever Twisted or
Autobahn calls keeps its C{camelCase}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.address import IPv4Address, IPv6Address
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IPushProducer, IStreamClientEndpoint
    from twisted.python.failure import Failure

    from hybridconn.audit import AuditEvent
    from hybridconn.core.commands import Accept
    from hybridconn.core.entities import Claim, HybridConnection, Namespace
    from hybridconn.core.frames import Piece
    from hybridconn.core.http import RequestHead
    from hybridconn.core.listeners import ListenerRef, SenderRequest
    from hybridconn.core.live import Counts, LiveListener, LiveTunnel
    from hybridconn.core.refusals import Refusal
    from hybridconn.core.sas import Grant
    from hybridconn.core.tracking import TrackingId
    from hybridconn.management.registry import Changes, News
    from hybridconn.management.tokens import Caller


# --- choosing a listener -----------------------------------------------------


class ILoadBalancer(Interface):
    """Chooses which listener is offered a sender."""

    def choose(
        candidates: Sequence[ListenerRef], request: SenderRequest
    ) -> ListenerRef:
        """
        Pick one listener.  Called on the reactor thread for every offer, so it
        must return at once and must not block.

        @param candidates: the listeners now online that this sender was not yet
            offered to: at least one, in the order in which they came online.
        @param request: the sender's entity, address, headers and query.
        @return: one of C{candidates}.
        """


class ILoadBalancerPlugin(Interface):
    """
    A load balancer that can be named in the relay's configuration.  Provide it
    together with L{twisted.plugin.IPlugin} from a module in C{twisted/plugins}.
    """

    name: str = Attribute("The word for C{load_balancer} in the configuration.")

    def build() -> ILoadBalancer:
        """Make a balancer for one relay."""


# --- several processes, or machines ------------------------------------------


class IClusterMember(Interface):
    """Gets what other nodes of the cluster say."""

    def welcomed(nodes: Sequence[str]) -> None:
        """
        This node is connected.

        @param nodes: those that are there already, each of which now hears of it
            as L{node_joined}.
        """

    def node_joined(node: str) -> None:
        """Another node is there; it knows nothing yet."""

    def node_lost(node: str) -> None:
        """It is gone, and with it all that it announced."""

    def message_received(node: str, message: Mapping[str, Any]) -> None:
        """
        Another node says something.

        @param message: what can be written as JSON.
        """


class IClusterBus(Interface):
    """
    The way from one node of a relay to the others.  Messages from one node to
    another arrive in their order, or not at all if one of the two is lost.
    """

    node: str = Attribute("This node's name; no other one ever has it.")

    def join(member: IClusterMember) -> None:
        """Give C{member} what others say from now on."""

    def tell(node: str | None, message: Mapping[str, Any]) -> None:
        """
        Say something to one node, or to all others.  What is said to a node that
        is gone is lost.

        @param message: what can be written as JSON.
        """


class IPresence(Interface):
    """Lets the other nodes of a relay know which listeners this one has, and more."""

    node: str = Attribute("This node's name; empty if it is the only one.")

    def announce(key: tuple[str, str], channel: Any) -> None:
        """
        A listener is online here.

        @param key: namespace and entity path, both in lower case.
        """

    def withdraw(channel: Any) -> None:
        """It is online no more; harmless if it was never announced."""

    def drain(channel: Any) -> None:
        """Whether it is given nothing new has changed."""

    def answer_with(answer: Callable[[Mapping[str, Any]], Any]) -> None:
        """
        Have the questions of other nodes answered.

        @param answer: gets the question; both are what can be written as JSON.
        """

    def ask(question: Mapping[str, Any]) -> Deferred[Sequence[Any]]:
        """
        Ask all other nodes.

        @return: fires with their answers, without those of nodes that are lost
            meanwhile.  Cancelled, it fires with those that are there by then.
        """


# --- entities and authorization ----------------------------------------------


class IEntityStore(Interface):
    """
    Knows the namespaces and their hybrid connections.

    Reading is synchronous, from memory: the path of a sender's handshake never
    waits for a store.  A store with a database behind it keeps such a view and
    brings it up to date by itself.
    """

    def namespaces() -> Sequence[Namespace]:
        """All namespaces, each with its rules and hybrid connections."""

    def watch(changed: Callable[[str, str], None]) -> None:
        """
        Call C{changed(namespace name, entity path)} after each change of a
        hybrid connection or its removal; with an empty path when rules or
        names of the namespace itself changed.
        """


class IResourceStore(Interface):
    """
    Keeps what the management API changes, for one node or for several.

    Its calls may block.  They are made one at a time, and behind L{lock} comes L{keep}
    or L{release} and nothing else.  They fail with C{StoreError}, and with
    C{VaultError} if what is read was encrypted with a key that is not there.
    """

    rings: bool = Attribute("Whether others' changes are heard; else one must look.")
    revision: int = Attribute("The newest one that was told.")

    def load() -> News:
        """Everything that is in it; called once, before anything else."""

    def news() -> News:
        """What others changed since it was last told by any of these methods."""

    def lock() -> News:
        """
        Keep all others from changing anything, and tell what they changed before.
        A failure leaves it unlocked.
        """

    def keep(changes: Changes) -> None:
        """
        Keep a change, all of it or nothing, and unlock, also after a failure.  When
        it returns, the change would outlive a crash.
        """

    def release() -> None:
        """Unlock and keep nothing."""

    def listen(ring: Callable[[int], None], lost: Callable[[], None]) -> Any:
        """
        Hear of changes as they happen; only if it C{rings}.

        @param ring: called with the new revision.
        @param lost: called when there is nothing to hear any more.
        @return: an L{IReadDescriptor <twisted.internet.interfaces>} to be added to the
            reactor, with a C{close} for later.
        """

    def abort() -> None:
        """
        Have a call that waits for a server fail.  Called from another thread, while
        the call is made.
        """

    def close() -> None:
        """Let go of it; nothing is called afterwards."""


class IAudit(Interface):
    """Is told who did what."""

    def note(event: AuditEvent) -> None:
        """
        Write it down.  Called on the reactor thread, for each call and each use of a
        key; raises nothing.
        """


class ICallers(Interface):
    """Says who calls the management API (management-api section 2)."""

    def authenticate(authorization: str | None) -> Caller | Deferred[Caller]:
        """
        @param authorization: the header field.
        @raise ApiError: C{401}, or C{403} for somebody without a role; the
            Deferred may fail with it, too.
        """


class ISigningKeys(Interface):
    """Knows the keys with which an identity provider signs."""

    async def find(name: str | None, algorithm: str) -> Any:
        """
        @param name: C{kid} of the token's header.
        @return: the public key; L{None} if there is none.
        """


class IAuthorizer(Interface):
    """Says whether a token opens an entity (relay-protocol section 3)."""

    def authorize(
        token: str | None,
        claim: Claim,
        namespace: Namespace,
        entity: HybridConnection | None,
        host: str,
        segments: Sequence[str],
        now: float,
    ) -> Grant:
        """
        @param token: the SAS token as received, or L{None}.
        @param claim: the right that is needed.
        @param entity: the entity found for the path, L{None} if there is none;
            then only the namespace's rules apply.
        @param host: the host by which the relay was reached, without port.
        @param segments: the decoded path segments of the request: entity and
            suffix.
        @param now: seconds since 1970-01-01 UTC.
        @raise Refusal: C{401} or C{403}, with the reason.
        """


# --- what goes on at a relay -------------------------------------------------


class ILiveRelay(Interface):
    """
    Shows who is connected to a relay, at all its nodes, and ends it.  A node that does
    not answer in time is left out.  Everywhere C{key} is namespace and entity path,
    both in lower case.
    """

    since: float = Attribute("When this node began, seconds since 1970-01-01 UTC.")

    def sums() -> Deferred[Mapping[str, Counts]]:
        """
        What goes on, by namespace in lower case, wherever anything goes on or did.
        """

    def refusals() -> Deferred[Mapping[str, int]]:
        """How many requests were refused, by the name of the refusal's class."""

    def counts(keys: Sequence[tuple[str, ...]]) -> Deferred[Sequence[Counts]]:
        """The same for each of some hybrid connections; zeros where nothing does."""

    def traffic(
        keys: Sequence[tuple[str, ...]], samples: int
    ) -> Deferred[Sequence[Sequence[tuple[int, int, int]]]]:
        """
        What went through each of some hybrid connections of late.  It is remembered
        from the first question on, as long as there is one now and then.

        @param keys: an empty one stands for all hybrid connections together.
        @param samples: so many intervals back, of five seconds each, and this one.
        @return: for each the intervals in which anything moved, the oldest first: its
            number, counted from 1970 on, bytes of senders, bytes of listeners.
        """

    def listeners(key: tuple[str, ...]) -> Deferred[Sequence[LiveListener]]:
        """Who listens, in the order of their ids."""

    def tunnels(
        key: tuple[str, ...], after: str, most: int
    ) -> Deferred[Sequence[LiveTunnel]]:
        """
        Tunnels and HTTP requests that are open, in the order of their ids.

        @param after: only those behind it, as L{hybridconn.core.live.order} has it.
        @param most: so many of them.
        """

    def tunnel(key: tuple[str, ...], id: str) -> Deferred[LiveTunnel | None]:
        """One of them."""

    def close_listener(key: tuple[str, ...], id: str) -> Deferred[bool]:
        """
        End a control channel with 1001; nothing keeps its listener from coming back.

        @return: whether there was one of that id.
        """

    def drain_listener(key: tuple[str, ...], id: str, on: bool) -> Deferred[bool]:
        """
        Give a listener no new sender and no new HTTP request; what runs through it goes
        on.  It lasts until the listener comes back on another control channel.

        @param on: L{False} ends that.
        @return: whether there was one of that id.
        """

    def close_tunnel(key: tuple[str, ...], id: str) -> Deferred[bool]:
        """
        End a tunnel with 1001 on both sides, or an HTTP request with 503.

        @return: whether there was one of that id.
        """


# --- tunnels -----------------------------------------------------------------


class ITunnelSink(Interface):
    """Receives what arrives on one WebSocket, piece by piece."""

    def piece_received(data: bytes, binary: bool, final: bool) -> None:
        """
        A part of a message.

        @param data: payload, unmasked; may be empty only if C{final}.
        @param binary: L{False} for a text message.
        @param final: whether this piece ends its message.
        """

    def close_received(code: int | None, reason: bytes) -> None:
        """The peer sent a Close frame; it sends nothing more."""

    def tunnel_lost(reason: Failure) -> None:
        """The connection below is gone.  Called exactly once, last."""


class IBatchSink(ITunnelSink):
    """A sink that takes all that one read brought in one call; it is quicker."""

    def pieces_received(pieces: Sequence[Piece]) -> None:
        """
        Parts of messages, in their order; called in place of C{piece_received}.

        @param pieces: for each C{(data, binary, final)}.
        """


class ITunnel(Interface):
    """
    One WebSocket after its handshake, as L{hybridconn.websocket} gives it: the
    two halves of the closing handshake are apart (relay-protocol section 6.4).
    """

    def attach(sink: ITunnelSink) -> None:
        """Send what arrives from now on to C{sink}."""

    def send_piece(data: bytes, binary: bool, final: bool) -> None:
        """
        Send a part of a message, in frames of at most 64 kB.  Ignored after
        L{send_close} or when the connection is gone.
        """

    def send_pieces(pieces: Sequence[Piece]) -> None:
        """Send several parts of messages at once, in one write."""

    def send_close(code: int | None, reason: bytes) -> None:
        """Send Close; receiving goes on until the peer's Close."""

    def finish(code: int | None, reason: bytes) -> None:
        """
        Send Close, ignore whatever still comes, and drop the connection when
        the peer's Close is there or C{control_close_timeout} has passed.
        """

    def drop() -> None:
        """Write what is queued, then close the connection below."""

    def abort() -> None:
        """Close the connection below at once; queued data may be lost."""

    def pause() -> None:
        """Stop reading from the network."""

    def resume() -> None:
        """Read on."""

    def register_producer(producer: Any, streaming: bool) -> None:
        """
        Have C{producer} paused while the network does not take what is written
        here, and resumed when it does.  As L{IConsumer.registerProducer
        <twisted.internet.interfaces.IConsumer.registerProducer>}.
        """

    def unregister_producer() -> None:
        """Forget the producer; harmless when there is none."""


class IDialer(Interface):
    """Reaches a relay over the network: the way out of listeners and senders."""

    def endpoint(host: str, port: int, secure: bool) -> IStreamClientEndpoint:
        """
        @param secure: TLS with the name and the chain verified; otherwise
            plain TCP.
        """


# --- the relay's front door --------------------------------------------------


class IBodySink(Interface):
    """Receives a body, piece by piece."""

    def body_received(data: bytes) -> None:
        """A part of it, not empty."""

    def body_ended() -> None:
        """That was all."""

    def body_failed(refusal: Refusal) -> None:
        """
        It is malformed or came too slowly; nothing more comes of it.

        @param refusal: what the client is to be told, if it has no answer yet.
        """


class IAnswer(Interface):
    """An answer whose head is out and whose body is written bit by bit."""

    def write(data: bytes) -> None:
        """Send a part of the body at once.  Ignored if the client left."""

    def finish() -> None:
        """The body is complete."""

    def break_off() -> None:
        """
        It cannot be completed: end the connection so that the client sees that
        something is missing.
        """

    def register_producer(producer: IPushProducer) -> None:
        """Have C{producer} paused while the client does not take what is written."""


class IServerRequest(Interface):
    """One HTTP request that is to be answered, by whatever way it came."""

    head: RequestHead = Attribute("Method, target and header fields as received.")
    peer: IPv4Address | IPv6Address = Attribute("Where the request comes from.")
    secure: bool = Attribute("Whether it came by TLS.")
    tracking: TrackingId = Attribute("Names the request in answers and logs.")
    body_length: int | None = Attribute(
        "How many bytes of body it has: 0 is none, None is not known beforehand."
    )

    def on_gone(callback: Callable[[], None]) -> None:
        """
        Call C{callback()} if the client leaves before it was answered in full; at
        once if it already has.
        """

    def read_body(sink: IBodySink) -> None:
        """
        Begin to read the body, once.  A client that waits for leave to send it
        (C{Expect: 100-continue}) gets it now.
        """

    def pause_body() -> None:
        """Read no more of the body for now."""

    def resume_body() -> None:
        """Read on."""

    def answer(
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """
        Answer in one go; does nothing if the client left.

        @param reason: empty: the usual one.
        @param headers: those of framing are added.
        """

    def begin_answer(
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
        length: int | None = None,
    ) -> IAnswer:
        """
        Answer with a body that is still to come.

        @param length: how many bytes the body will have, if that is known; what a
            C{HEAD} or a 304 is told without getting them.
        """

    def refuse(refusal: Refusal) -> None:
        """
        Answer with the refusal's status; status text and body name the reason
        and the tracking id (relay-protocol sections 4 and 7.5).
        """


class IHeldRequest(IServerRequest):
    """
    One HTTP request whose head is complete and which has no answer yet.
    A request that asks for a WebSocket stays ordinary HTTP until L{upgrade}.
    """

    known: bool = Attribute("Whether the client has shown a right before.")
    tls_version: str = Attribute("Such as C{TLSv1.3}; empty for plain TCP.")

    def authenticated() -> None:
        """
        The client has shown a right: it no longer counts as an unknown one.
        An upgrade says so too.
        """

    def upgrade(
        protocol: Any, subprotocol: str | None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """
        Answer 101 and hand the connection to C{protocol}, one of
        L{hybridconn.websocket.server}; bytes that came behind the request's
        head reach it, none is lost.
        """


class IRequestHandler(Interface):
    """What stands behind the front door."""

    def handle(request: IHeldRequest) -> None:
        """
        Take over C{request}: answer it now or later.  A L{Refusal} raised here
        is its answer.
        """


# --- the listener ------------------------------------------------------------


class IRequestResponder(Interface):
    """Answers the HTTP requests of a hybrid connection, in a listener or sender."""

    def respond(request: IServerRequest) -> None:
        """
        Take over C{request}: answer it now or later.  What is raised here is
        logged and answered with 500; a L{Refusal} is the answer itself.
        """


class ITunnelEnd(Interface):
    """What a tunnel is joined to in a listener or sender."""

    def join(tunnel: ITunnel) -> Deferred[None]:
        """
        Become one with C{tunnel}, which is open.

        @return: fires when both are gone.
        """

    def abandon() -> None:
        """Let go: there will be no tunnel."""

    def end(code: int, reason: bytes) -> None:
        """
        End both sides from here, soon.

        @param code: of the Close that the tunnel's other end gets.
        """


class ITargetConnector(Interface):
    """Decides what a listener joins an accepted connection to."""

    def connect(accept: Accept) -> Deferred[Any]:
        """
        Reach the target for one sender, before the rendezvous is dialled.

        @return: fires with an L{ITunnelEnd}, or with an L{IProtocol
            <twisted.internet.interfaces.IProtocol>} that is to run over the
            tunnel.  A failure with L{hybridconn.listener.Reject} sets status and
            description that the sender gets, any other one becomes C{502}.
        """


class ITargetProber(Interface):
    """Reaches a target for a look (L{hybridconn.core.probe}), joined to nobody."""

    def find(accept: Accept) -> Deferred[Any]:
        """
        Where a sender would be joined to.

        @return: fires with a L{Target <hybridconn.config.addresses.Target>}; fails
            with L{hybridconn.listener.Reject} if there is none for it.
        """

    def look(
        target: Any,
        factory: Any,
        looked_up: Callable[[Sequence[str]], object] | None = None,
        timeout: float | None = None,
    ) -> Deferred[Any]:
        """
        Connect to it.

        @param target: of L{find}.
        @param factory: makes the protocol.
        @param looked_up: called once its name was looked up, with the addresses that
            may be dialled.
        @param timeout: seconds; by default as for senders.
        @return: fires with the protocol, or with L{None} for what speaks UDP, where
            there is nothing to be reached; fails with
            L{hybridconn.listener.Reject}, whose status is 403 for what is not
            allowed.
        """
