"""
A private authority and a relay's certificate by it, for a relay that has no
public name; and what must hold of certificate files before L{hybridconn.tls}
uses them.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: Days for which a relay's certificate is good.  Browsers and Apple's systems
#: refuse those that are good for more than 398.
RELAY_DAYS = 365
#: Days for which a private authority is good: clients need its file anew then.
AUTHORITY_DAYS = 3653
#: Names by which a relay is always reached on its own machine.
OWN_NAMES = ("localhost", "127.0.0.1")
# Clocks of other machines may be behind ours.
_BACKDATED = datetime.timedelta(hours=1)
_LONGEST_COMMON_NAME = 64


@frozen
class Issued:
    """
    A certificate and its key, as PEM.

    @ivar key: PKCS #8, not encrypted.
    """

    certificate: bytes
    key: bytes = b""

    def __repr__(self) -> str:
        return "Issued(certificate and key)"


@frozen
class RelayCertificates:
    """A private authority and the certificate that it gave to a relay."""

    authority: Issued
    relay: Issued


def make_certificates(
    names: Sequence[str], now: datetime.datetime
) -> RelayCertificates:
    """
    Make a private authority and a certificate for a relay, both on P-256.

    @param names: host names and IP addresses by which the relay is reached, the
        main one first; L{OWN_NAMES} are added.
    @param now: the time from which they are valid, less an hour for clocks that
        are behind; with a time zone.
    @raise ValueError: if a name is neither a host name nor an IP address.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _distinguished(f"hybridconn private CA of {names[0]}")
    certificate = (
        _builder(name, key.public_key(), name, key.public_key())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + datetime.timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = _issued(certificate, key)
    return RelayCertificates(authority, issue(authority, names, now))


def issue(authority: Issued, names: Sequence[str], now: datetime.datetime) -> Issued:
    """
    Make a certificate for a relay, by an authority that is there already.

    @param names: as for L{make_certificates}.
    @param now: as for L{make_certificates}.
    @raise ValueError: C{authority} is none, or is over; or a name is neither a
        host name nor an IP address.
    """
    check_pair(authority.certificate, authority.key)
    issuer = _certificates(authority.certificate)[0]
    signing: Any = serialization.load_pem_private_key(authority.key, password=None)
    if issuer.not_valid_after_utc <= now:
        raise ValueError(f"have ended on {issuer.not_valid_after_utc:%Y-%m-%d}")
    unique = tuple(dict.fromkeys([*names, *OWN_NAMES]))
    alternatives = [_general_name(name) for name in unique]
    since = now - _BACKDATED
    until = since + datetime.timedelta(days=RELAY_DAYS)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(
            _distinguished(unique[0]),
            key.public_key(),
            issuer.subject,
            signing.public_key(),
        )
        .not_valid_before(max(since, issuer.not_valid_before_utc))
        .not_valid_after(min(until, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(signing, hashes.SHA256())
    )
    return _issued(certificate, key)


def _builder(
    subject: x509.Name, key: Any, issuer: x509.Name, issuer_key: Any
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer_name=issuer, subject_name=subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key),
            critical=False,
        )
    )


def names_of(chain: bytes) -> tuple[str, ...]:
    """
    The host names and IP addresses that the first certificate of a chain is for.

    @raise ValueError: if there is no certificate.
    """
    try:
        names = (
            _certificates(chain)[0]
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value
        )
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names)


def check_certificates(pem: bytes) -> None:
    """
    Check that C{pem} holds certificates.

    @raise ValueError: with words to follow the name of the file.
    """
    _certificates(pem)


def check_pair(chain: bytes, key: bytes) -> None:
    """
    Check that a server can use a certificate chain and a key, both PEM.

    @raise ValueError: with words to follow the names of both files.
    """
    certificates = _certificates(chain)
    try:
        public = serialization.load_pem_private_key(key, password=None).public_key()
    except TypeError:
        raise ValueError(
            "cannot be used: the key has a password; store it without one"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            "cannot be used: the key file has no block -----BEGIN PRIVATE KEY-----"
        ) from None
    if certificates[0].public_key() == public:
        return
    if any(other.public_key() == public for other in certificates[1:]):
        raise ValueError(
            "are in the wrong order: the key's certificate must stand first, before "
            "those of the authorities"
        )
    raise ValueError(
        "do not belong together: the key is not that of the certificate; name the key "
        "that it was requested with"
    )


def expiry(chain: bytes) -> datetime.datetime:
    """
    @return: when the first certificate of a chain ends.
    @raise ValueError: if there is none.
    """
    return _certificates(chain)[0].not_valid_after_utc


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError(
            "cannot be used: there is no block -----BEGIN CERTIFICATE-----"
        ) from None


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _distinguished(common_name: str) -> x509.Name:
    short = common_name[:_LONGEST_COMMON_NAME]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, short)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issued(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    return Issued(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
