"""
TLS for both sides (relay-protocol section 9, reliability-security T23).

Both speak TLS 1.2 or 1.3 with ECDHE and AEAD ciphers only, HTTP/1.1 as the only
application protocol, no compression, no renegotiation, no session tickets.

  - L{CertificateStore} and L{tls_factory}: a relay's certificates from PEM
    files.  The name that a client asks for picks one; changed files are taken
    over without touching a connection.
  - L{ClientTrust} and L{client_options}: whom a listener or sender believes.
    Name and chain are verified always, there are only further authorities; a
    listener's HTTP target alone may be believed unseen.
"""

from hybridconn.core.certificate_files import CertificateFiles
from hybridconn.tls._client import (
    CertificateRejected,
    ClientTrust,
    TLSEndpoint,
    client_options,
)
from hybridconn.tls._context import TLSConfigError
from hybridconn.tls._lean import LeanTLS, TLSPath
from hybridconn.tls._look import TLSFound, TLSLook
from hybridconn.tls._server import CertificateStore, tls_factory

__all__ = [
    "CertificateFiles",
    "CertificateRejected",
    "CertificateStore",
    "ClientTrust",
    "LeanTLS",
    "TLSConfigError",
    "TLSEndpoint",
    "TLSFound",
    "TLSLook",
    "TLSPath",
    "client_options",
    "tls_factory",
]
