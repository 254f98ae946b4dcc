"""Whom a listener or sender believes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import idna
from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.certificate_files import CertificateFiles
from hybridconn.tls._context import ALPN, TLSConfigError, make_context, read_file
from hybridconn.tls._lean import TLSPath, tls_protocol
from hybridconn.tls._server import names_of, use_certificate

_Codes = SSL.X509VerificationCodes
_Options = TypeVar("_Options", bound="ClientOptions")
_UNKNOWN_AUTHORITY: Final = (
    "it comes from an authority that is not trusted here; ca_file adds one"
)
_REASONS: Final[Mapping[int, str]] = {
    _Codes.ERR_CERT_HAS_EXPIRED: "it has expired",
    _Codes.ERR_CERT_NOT_YET_VALID: "it is not valid yet",
    _Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: (
        "it is signed by itself and not by an authority that is trusted here"
    ),
    _Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN: _UNKNOWN_AUTHORITY,
    _Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: _UNKNOWN_AUTHORITY,
    _Codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: _UNKNOWN_AUTHORITY,
}


class CertificateRejected(ConnectError):
    """
    The relay's certificate is not good: the connection was closed unused.

    @ivar host: the name that was dialled.
    @ivar problem: what is wrong with the certificate.
    """

    def __init__(self, host: str, problem: str) -> None:
        self.host = host
        self.problem = problem
        super().__init__()

    def __str__(self) -> str:
        return f"the certificate of {self.host} is refused: {self.problem}"


class ClientTrust:
    """
    The authorities that a client believes: the system's and further ones.

    @param ca_files: PEM files with certificates of further authorities.
    @param verify: L{False}: believe anybody; never for a relay.
    @param own: what is shown to a server that asks who we are.
    @param protocols: what is to be spoken inside (ALPN); none: nothing is said of it.
    @raise TLSConfigError: a file is missing or not usable.
    """

    def __init__(
        self,
        ca_files: Sequence[str] = (),
        verify: bool = True,
        own: CertificateFiles | None = None,
        protocols: Sequence[bytes] = (ALPN,),
    ) -> None:
        context = make_context(SSL.TLS_CLIENT_METHOD)
        if own is not None:
            use_certificate(context, own)
        context.set_default_verify_paths()
        store = context.get_cert_store()
        for name in ca_files:
            try:
                authorities = x509.load_pem_x509_certificates(read_file(name))
            except ValueError as error:
                if isinstance(error, TLSConfigError):
                    raise
                raise TLSConfigError(
                    name, "holds no certificate; name the PEM file of the authority"
                ) from None
            for authority in authorities:
                if store is not None:  # pyOpenSSL's hint; a context has one
                    store.add_cert(crypto.X509.from_cryptography(authority))
        if protocols:
            context.set_alpn_protos([*protocols])
        self._context = context
        self._verify = verify

    def options(self, host: str) -> IOpenSSLClientConnectionCreator:
        """
        What to verify when C{host} is dialled.

        @param host: a host name or an IP address, without brackets.
        @raise ValueError: it is neither.
        """
        return self.options_of(ClientOptions, host)

    def options_of(self, kind: type[_Options], host: str) -> _Options:
        """
        The same, of another kind.

        @raise ValueError: as L{options}.
        """
        return kind(self._context, host, self._verify)


def client_options(
    host: str, ca_file: str | None = None
) -> IOpenSSLClientConnectionCreator:
    """
    L{ClientTrust} for one connection; for more, make one trust and keep it.

    @param ca_file: a PEM file with certificates of further authorities.
    @raise TLSConfigError: it is missing or not usable.
    """
    return ClientTrust(() if ca_file is None else (ca_file,)).options(host)


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """
    A client endpoint with TLS around another one.

    @param options: what L{ClientTrust.options} made.
    @param plain: where to connect to.
    @param clock: the reactor.
    @param path: C{lean}, or C{twisted} for Twisted's own wrapper.
    """

    def __init__(
        self,
        options: IOpenSSLClientConnectionCreator,
        plain: IStreamClientEndpoint,
        clock: IReactorTime,
        path: TLSPath = "lean",
    ) -> None:
        self._options = options
        self._plain = plain
        self._clock = clock
        self._protocol = tls_protocol(path)

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        """
        Connect; TLS is still to be agreed on when this fires, and a certificate
        that is not good ends the connection later (Twisted).
        """
        wrapper = TLSMemoryBIOFactory(self._options, True, factory, self._clock)
        wrapper.protocol = self._protocol
        connected: Deferred[Any] = self._plain.connect(wrapper)
        return connected.addCallback(lambda protocol: protocol.wrappedProtocol)


@implementer(IOpenSSLClientConnectionCreator)
class ClientOptions:
    """What is verified of one connection, and what becomes of it."""

    def __init__(self, context: SSL.Context, host: str, verify: bool) -> None:
        self._context = context
        self._verify = verify
        self._host = host
        self._identity: DNS_ID | IPAddress_ID
        self._server_name: bytes | None = None
        try:
            address = ip_address(host)
        except ValueError:
            name = _ascii_name(host)
            self._identity = DNS_ID(name)
            self._server_name = name.encode("ascii")
        else:
            # RFC 6066 section 3: an address is not sent as a server name.
            self._identity = IPAddress_ID(str(address))

    def clientConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        """Start the client's side of one connection (Twisted)."""
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)

        if not self._verify:
            return connection

        def verify(
            _: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
        ) -> bool:
            problem = None
            if not ok:
                problem = _REASONS.get(error, f"OpenSSL's verification error {error}")
            elif depth == 0:
                problem = self._wrong_name(certificate)
            return problem is None or self.heed(problem, error, tlsProtocol)

        connection.set_verify(SSL.VERIFY_PEER, verify)
        return connection

    def heed(self, problem: str, error: int, tlsProtocol: TLSMemoryBIOProtocol) -> bool:
        """
        A certificate is not good.  May be overridden.

        @param error: OpenSSL's; 0 if it is of another kind.
        @return: whether to go on all the same.
        """
        tlsProtocol.failVerification(Failure(CertificateRejected(self._host, problem)))
        return False

    def _wrong_name(self, certificate: crypto.X509) -> str | None:
        try:
            verify_service_identity(extract_patterns(certificate), [self._identity], [])
        except VerificationError:
            names = ", ".join(names_of(certificate.to_cryptography())[:5])
            return f"it is for other names ({names or 'addresses only'})"
        except CertificateError:
            return "it carries no name that could be verified"
        return None


def _ascii_name(host: str) -> str:
    if host.isascii():
        return host.lower().rstrip(".")
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{host!r} is not a host name: {error}") from None
