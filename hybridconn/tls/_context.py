"""What the TLS of relay, listener and sender has in common."""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL

#: The only protocol inside: a WebSocket cannot begin on HTTP/2.
ALPN: Final = b"http/1.1"

# For TLS 1.2; all ciphers of TLS 1.3 are of this kind.
_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_GROUPS: Final = b"X25519:prime256v1:secp384r1"


class TLSConfigError(ValueError):
    """
    A certificate or key file cannot be used.

    @ivar file: the file's name, or those of two that do not go together.
    @ivar problem: what is wrong with it and how to mend it.
    """

    def __init__(self, file: str, problem: str) -> None:
        self.file = file
        self.problem = problem
        super().__init__(f"{file} {problem}")


def make_context(method: int) -> SSL.Context:
    """
    A context with all that does not depend on the certificates.

    @param method: C{SSL.TLS_SERVER_METHOD} or C{SSL.TLS_CLIENT_METHOD}.
    """
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET
    )
    # Idle tunnels are many; OpenSSL then gives their buffers back.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(_CIPHERS)
    _restrict_groups(context)
    return context


def read_file(name: str) -> bytes:
    """
    Read a certificate or key file.

    @raise TLSConfigError: it cannot be read.
    """
    try:
        with open(name, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise TLSConfigError(name, "does not exist; check the file's name") from None
    except OSError as error:
        raise TLSConfigError(
            name,
            f"cannot be read ({error.strerror or error}); give it to the user that"
            " runs this",
        ) from None


def openssl_text(error: SSL.Error) -> str:
    """The reasons that OpenSSL gave, in its words."""
    queue = error.args[0] if error.args else ()
    return "; ".join(str(entry[-1]) for entry in queue) or "no reason given"


def _restrict_groups(context: SSL.Context) -> None:
    # pyOpenSSL has no public call for a list of groups.  Without this one the
    # defaults of OpenSSL stay: sound too, but more than auditors want to see.
    library: Any = getattr(SSL, "_lib", None)
    restrict = getattr(library, "SSL_CTX_set1_curves_list", None)
    native = getattr(context, "_context", None)
    if restrict is not None and native is not None:
        restrict(native, _GROUPS)
