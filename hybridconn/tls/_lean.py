"""
TLS on a transport at about half of Twisted's price.

Twisted's own wrapper hands over each TLS record (16 KiB) by itself, and crosses
for each piece of data three calls of pyOpenSSL with a fresh buffer in every one.
This one reads all records of a read into one buffer that the whole process
shares, writes all that is to be written in one go, and sends it at once.  It also
gives back the memory that OpenSSL's two buffers of a connection took in a burst,
which nothing else ever shrinks.

It uses names that Twisted and pyOpenSSL keep to themselves, all of them in this
module.  L{PROBLEM} says if one of them is gone; L{tls_protocol} then falls back to
Twisted's wrapper.  Handshake, shutdown, errors and producers are Twisted's in
any case.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from OpenSSL import SSL
from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib
from twisted.logger import Logger
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol

from hybridconn.eager import write_now

#: Which wrapper lies around connections.
TLSPath = Literal["lean", "twisted"]

_RECORD: Final = 16384
_SIZE: Final = 256 * 1024 + 2 * _RECORD
# Nothing stays in it from one call to the next.
_scratch: Final = bytearray(_SIZE)
_view: Final = memoryview(_scratch)
_pointer: Final = _ffi.from_buffer("char[]", _scratch)

_log = Logger()


def _problem() -> str | None:
    """Try the private names that are used here."""
    functions = (
        "BIO_new",
        "BIO_read",
        "BIO_s_mem",
        "BIO_write",
        "SSL_get_error",
        "SSL_read",
        "SSL_set_bio",
        "SSL_write",
        "SSL_ERROR_WANT_READ",
    )
    missing = [f"pyOpenSSL's {name}" for name in functions if not hasattr(_lib, name)]
    connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    for name in ("_ssl", "_into_ssl", "_from_ssl"):
        if not hasattr(connection, name):
            missing.append(f"pyOpenSSL's Connection.{name}")
    for name in (
        "_aborted",
        "_handshakeDone",
        "_lostTLSConnection",
        "_producer",
        "_flushReceiveBIO",
        "_write",
    ):
        if not hasattr(TLSMemoryBIOProtocol, name):
            missing.append(f"Twisted's TLSMemoryBIOProtocol.{name}")
    return ", ".join(missing) or None


#: What is missing for L{LeanTLS}, or L{None} if all is there.
PROBLEM: Final = _problem()


def tls_protocol(path: TLSPath) -> type[TLSMemoryBIOProtocol]:
    """The wrapper to use."""
    if path == "lean" and PROBLEM is not None:
        _log.warn(
            "The lean TLS wrapper does not fit the libraries that are installed"
            " ({problem} is not there); Twisted's own is used, which costs more.",
            problem=PROBLEM,
        )
        path = "twisted"
    return LeanTLS if path == "lean" else BufferingTLSTransport


class LeanTLS(TLSMemoryBIOProtocol):
    """Twisted's wrapper with another data phase."""

    #: Something went through since the last look.
    _busy = True
    #: OpenSSL's buffers may be large.
    _grown = True

    def dataReceived(self, data: bytes) -> None:
        """Decrypt, and deliver all that came at once (Twisted)."""
        if not self._handshakeDone or self._appSendBuffer or self._lostTLSConnection:
            super().dataReceived(data)
            return
        self._busy = self._grown = True
        connection = self._tlsConnection
        ssl, into = connection._ssl, connection._into_ssl
        source, end = _ffi.from_buffer(data), len(data)
        read, want_read = _lib.SSL_read, _lib.SSL_ERROR_WANT_READ
        start = total = 0
        waiting = True
        # A record at a time: OpenSSL's buffer then never holds more than that.
        while start < end and waiting:
            some = min(end - start, _RECORD)
            _lib.BIO_write(into, source + start, some)
            start += some
            while (size := read(ssl, _pointer + total, _SIZE - total)) > 0:
                total += size
                if total > _SIZE - _RECORD:
                    self._deliver(total)
                    total = 0
                    if self._lostTLSConnection:
                        return
            waiting = _lib.SSL_get_error(ssl, size) == want_read
        if total:
            self._deliver(total)
        if not waiting:
            # The same read again, by the one who knows what to do about it.
            self._flushReceiveBIO()
        elif not self._lostTLSConnection:
            self._send_encrypted(connection)

    def write(self, data: bytes) -> None:
        """Encrypt and send (Twisted)."""
        if self.disconnecting and self._producer is None:
            return
        if not self._handshakeDone or self._appSendBuffer or self._lostTLSConnection:
            self._write(data)
            return
        self._busy = self._grown = True
        connection = self._tlsConnection
        ssl, out = connection._ssl, connection._from_ssl
        source, size = _ffi.from_buffer(data), len(data)
        done = total = 0
        while done < size:
            written = _lib.SSL_write(ssl, source + done, min(size - done, _RECORD))
            if written <= 0:
                write_now(self.transport, _view[:total])
                self._write(bytes(data[done:]))
                return
            done += written
            # Taken out at once, for the same reason.
            made = _lib.BIO_read(out, _pointer + total, _SIZE - total)
            total += max(made, 0)
            if total > _SIZE - 2 * _RECORD:
                write_now(self.transport, _view[:total])
                total = 0
        if total:
            write_now(self.transport, _view[:total])

    def release_if_idle(self) -> bool:
        """
        Free the memory of OpenSSL's buffers if nothing went through since the
        last call.  To be called now and then.

        @return: whether there was something to be freed.
        """
        busy, self._busy = self._busy, False
        connection = self._tlsConnection
        if busy or not self._grown or not self._handshakeDone or connection is None:
            return False
        # Both are empty: what came was read to the end, what was made was sent.
        self._grown = False
        into, out = (_lib.BIO_new(_lib.BIO_s_mem()) for _ in range(2))
        if _ffi.NULL in (into, out):
            return False
        _lib.SSL_set_bio(connection._ssl, into, out)  # which frees the old ones
        connection._into_ssl, connection._from_ssl = into, out
        return True

    def _deliver(self, size: int) -> None:
        if self._aborted:
            return
        protocol: Any = self.wrappedProtocol
        # A protocol that keeps nothing of what it reads is spared a copy.
        take = getattr(protocol, "view_received", None)
        if take is None:
            protocol.dataReceived(bytes(_view[:size]))
        else:
            take(_view[:size])

    def _send_encrypted(self, connection: Any) -> None:
        while True:
            size = _lib.BIO_read(connection._from_ssl, _pointer, _SIZE)
            if size <= 0:
                return
            write_now(self.transport, _view[:size])
            if size < _SIZE:
                return
