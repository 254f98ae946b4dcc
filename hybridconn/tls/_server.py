"""A relay's certificates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from hybridconn.certificates import check_pair
from hybridconn.core.certificate_files import CertificateFiles
from hybridconn.tls._context import (
    ALPN,
    TLSConfigError,
    make_context,
    openssl_text,
    read_file,
)
from hybridconn.tls._lean import TLSPath, tls_protocol

#: What some clients offer alone when they are to speak HTTP/1.0.
_OLD_ALPN = b"http/1.0"


@implementer(IOpenSSLServerConnectionCreator)
class CertificateStore:
    """
    The certificates of a relay; give it to L{tls_factory}.

    @param files: one entry per certificate.  The first one also serves clients
        that ask for no name, or for one that no entry has.
    @raise TLSConfigError: a file is missing or not usable.
    """

    _log = Logger()

    def __init__(self, files: Sequence[CertificateFiles]) -> None:
        if not files:
            raise ValueError("a relay with TLS needs at least one certificate")
        self._files = tuple(files)
        self._seen = self._stamps()
        self._context = self._load()

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> Any:
        """Start the server's side of one connection (Twisted)."""
        return SSL.Connection(self._context, None)

    def reload(self) -> bool:
        """
        Look whether a file changed, and use the new ones for connections to
        come.  Those that are open keep what they began with.  Files that are
        not usable are reported in the log, once until they change again, and
        the old certificates stay.

        @return: whether other certificates are in use now.
        """
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        try:
            self._context = self._load()
        except TLSConfigError as error:
            self._log.error(
                "The changed certificates are not used, the old ones stay: {error}",
                error=str(error),
            )
            return False
        self._log.info("New certificates are in use.")
        return True

    def _load(self) -> SSL.Context:
        loaded = [_load_certificate(files) for files in self._files]
        by_name: dict[str, SSL.Context] = {}
        for context, names in loaded:
            for name in names:
                by_name.setdefault(name.lower().rstrip("."), context)
        default = loaded[0][0]

        def pick(connection: SSL.Connection) -> None:
            wanted = (connection.get_servername() or b"").decode("latin-1").lower()
            wildcard = "*." + wanted.partition(".")[2]
            context = by_name.get(wanted) or by_name.get(wildcard)
            if context is not None:
                connection.set_context(context)

        default.set_tlsext_servername_callback(pick)
        return default

    def _stamps(self) -> tuple[object, ...]:
        return tuple(
            _stamp(name)
            for files in self._files
            for name in (files.certificate, files.key)
        )


def tls_factory(
    store: CertificateStore,
    factory: IProtocolFactory,
    clock: IReactorTime,
    path: TLSPath = "lean",
) -> IProtocolFactory:
    """
    Put TLS around a server's factory.  Unlike L{TLSMemoryBIOFactory} it allows
    C{factory} to return no protocol, which closes the connection before any
    work was done for it; L{hybridconn.web.frontdoor.FrontDoor} does that.

    @param clock: the reactor.
    @param path: C{lean}, or C{twisted} for Twisted's own wrapper.
    """
    wrapper = _ServerFactory(store, False, factory, clock)
    wrapper.protocol = tls_protocol(path)
    return wrapper


class _ServerFactory(TLSMemoryBIOFactory):
    def buildProtocol(self, addr: IAddress | None) -> Any:
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)


def _load_certificate(files: CertificateFiles) -> tuple[SSL.Context, tuple[str, ...]]:
    context = make_context(SSL.TLS_SERVER_METHOD)
    leaf = use_certificate(context, files)
    context.set_alpn_select_callback(_choose_protocol)
    return context, files.server_names or names_of(leaf)


def use_certificate(context: SSL.Context, files: CertificateFiles) -> x509.Certificate:
    """
    Have C{context} show a certificate, and those between it and its authority.

    @return: the certificate.
    @raise TLSConfigError: a file is missing or not usable.
    """
    chain, key = read_file(files.certificate), read_file(files.key)
    both = f"{files.certificate} and {files.key}"
    try:
        check_pair(chain, key)
    except ValueError as error:
        raise TLSConfigError(both, str(error)) from None
    certificates = x509.load_pem_x509_certificates(chain)
    try:
        context.use_certificate(certificates[0])
        for between in certificates[1:]:
            context.add_extra_chain_cert(between)
        private: Any = load_pem_private_key(key, password=None)
        context.use_privatekey(private)
        context.check_privatekey()
    except (SSL.Error, TypeError) as error:
        why = openssl_text(error) if isinstance(error, SSL.Error) else str(error)
        raise TLSConfigError(both, f"are refused by OpenSSL: {why}") from None
    return certificates[0]


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The host names that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.DNSName))


def _choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    # Nothing in common ends the handshake (RFC 7301 section 3.2).
    return next((one for one in (ALPN, _OLD_ALPN) if one in offered), b"")


def _stamp(name: str) -> object:
    try:
        status = os.stat(name)
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_size, status.st_ino
