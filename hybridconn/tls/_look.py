"""A TLS handshake to look at a server: nothing is sent, so nobody need be believed."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.text import printable
from hybridconn.tls._client import ClientOptions, ClientTrust
from hybridconn.tls._server import names_of

_Codes = SSL.X509VerificationCodes
_DATES = (_Codes.ERR_CERT_HAS_EXPIRED, _Codes.ERR_CERT_NOT_YET_VALID)


@frozen
class TLSFound:
    """
    What a server showed.

    @ivar protocol: such as C{TLSv1.3}.
    @ivar names: those in its certificate.
    @ivar issuer: who signed it, as people call it.
    @ivar ends: when it ends, seconds since 1970-01-01 UTC.
    @ivar wrong: what is wrong with it whoever looks: its names or its dates.
    @ivar untrusted: why its authority is not believed here.
    """

    protocol: str
    names: tuple[str, ...]
    issuer: str
    ends: float
    wrong: str = ""
    untrusted: str = ""


class TLSLook:
    """
    One look.

    @param trust: by whose authorities the certificate is judged.
    @param host: the name that it is to be for.
    @ivar factory: for the endpoint that reaches the server.
    @ivar found: fires with L{TLSFound} and closes the connection; fails as the
        handshake did.
    @raise ValueError: C{host} is no host name.
    """

    def __init__(self, trust: ClientTrust, host: str, clock: IReactorTime) -> None:
        self._options = trust.options_of(_Lenient, host)
        self.found: Deferred[TLSFound] = Deferred()
        inner: Any = Factory.forProtocol(lambda: _Looker(self))
        inner.noisy = False
        wrapper = TLSMemoryBIOFactory(self._options, True, inner, clock)
        wrapper.noisy = False
        self.factory: IProtocolFactory = wrapper

    def agreed(self, connection: SSL.Connection) -> None:
        """The handshake is done."""
        options = self._options
        shown = connection.get_peer_certificate()
        assert shown is not None  # no cipher of ours goes without
        certificate = shown.to_cryptography()
        found, self.found = self.found, Deferred()
        found.callback(
            TLSFound(
                connection.get_protocol_version_name(),
                tuple(printable(name) for name in names_of(certificate)),
                printable(_people(certificate.issuer), 120),
                certificate.not_valid_after_utc.timestamp(),
                options.wrong,
                options.untrusted,
            )
        )

    def broke(self, reason: Failure) -> None:
        """There was no handshake."""
        found, self.found = self.found, Deferred()
        found.errback(reason)


@implementer(IHandshakeListener)
class _Looker(Protocol):
    def __init__(self, look: TLSLook) -> None:
        self._look: TLSLook | None = look

    def handshakeCompleted(self) -> None:
        """That was all (Twisted)."""
        look, self._look = self._look, None
        transport: Any = self.transport
        if look is not None:
            look.agreed(transport.getHandle())
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It broke off, unless it is done (Twisted)."""
        look, self._look = self._look, None
        if look is not None:
            look.broke(reason)


class _Lenient(ClientOptions):
    """Notes what is wrong, and goes on."""

    wrong = untrusted = ""

    def heed(self, problem: str, error: int, _: TLSMemoryBIOProtocol) -> bool:
        """See L{ClientOptions.heed}."""
        if error in (SSL.X509VerificationCodes.OK, *_DATES):
            self.wrong = self.wrong or problem
        else:
            self.untrusted = self.untrusted or problem
        return True


def _people(name: Any) -> str:
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            return str(attribute.value)
    return str(name.rfc4514_string())
