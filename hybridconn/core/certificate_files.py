"""Where a certificate is."""

from __future__ import annotations

from attrs import frozen


@frozen
class CertificateFiles:
    """
    The PEM files of one certificate.

    @ivar certificate: the server's certificate first, then those between it and
        the authority.
    @ivar key: its private key, without a password.  Who else may read that file
        is for the configuration to check (reliability-security T22).
    @ivar server_names: the names for which to use it; without any, those that
        the certificate itself carries.
    """

    certificate: str
    key: str
    server_names: tuple[str, ...] = ()
