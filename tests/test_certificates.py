"""Tests of L{hybridconn.certificates}."""

from __future__ import annotations

import datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.certificates import (
    Issued,
    RelayCertificates,
    check_certificates,
    check_pair,
    expiry,
    issue,
    make_certificates,
    names_of,
)

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def verify(
    made: RelayCertificates, subject: x509.GeneralName, at: datetime.datetime
) -> None:
    """Judge the relay's certificate as a client does."""
    authority = x509.load_pem_x509_certificate(made.authority.certificate)
    relay = x509.load_pem_x509_certificate(made.relay.certificate)
    builder = PolicyBuilder().store(Store([authority])).time(at)
    assert isinstance(subject, x509.DNSName | x509.IPAddress)
    builder.build_server_verifier(subject).verify(relay, [])


class MakeTests(SynchronousTestCase):
    """A private authority and a relay's certificate."""

    def setUp(self) -> None:
        self.made = make_certificates(["relay.example.net", "192.0.2.7", "::1"], NOW)

    def test_names(self) -> None:
        """It is good for every name that was given, and for the own machine."""
        for name in ("relay.example.net", "localhost"):
            verify(self.made, x509.DNSName(name), NOW)
        for address in ("192.0.2.7", "::1", "127.0.0.1"):
            verify(self.made, x509.IPAddress(ip_address(address)), NOW)
        for wrong in ("example.net", "a.relay.example.net"):
            self.assertRaises(
                VerificationError, verify, self.made, x509.DNSName(wrong), NOW
            )

    def test_validity(self) -> None:
        """It is good for a year, an hour of it before now, for slow clocks."""
        name = x509.DNSName("localhost")
        hour = datetime.timedelta(hours=1)
        first, last = NOW - hour, NOW - hour + 365 * DAY
        second = datetime.timedelta(seconds=1)
        for good in (first, NOW, last - second):
            verify(self.made, name, good)
        for bad in (first - second, last + second):
            self.assertRaises(VerificationError, verify, self.made, name, bad)
        self.assertEqual(expiry(self.made.relay.certificate), last)

    def test_authority_lasts(self) -> None:
        """The authority is good for ten years: its file is on every client."""
        end = expiry(self.made.authority.certificate)
        self.assertGreater(end, NOW + 3652 * DAY)

    def test_next_one(self) -> None:
        """The same authority gives the next certificate, never beyond its own end."""
        later = NOW + 360 * DAY
        relay = issue(self.made.authority, ["relay.example.net"], later)
        made = RelayCertificates(self.made.authority, relay)
        verify(made, x509.DNSName("relay.example.net"), later + 364 * DAY)
        last = expiry(self.made.authority.certificate)
        near = issue(self.made.authority, ["a"], last - DAY)
        self.assertEqual(expiry(near.certificate), last)
        error = self.assertRaises(ValueError, issue, self.made.authority, ["a"], last)
        self.assertIn("have ended on 2036-11-23", str(error))
        other = make_certificates(["a"], NOW).authority
        mixed = Issued(self.made.authority.certificate, other.key)
        self.assertRaises(ValueError, issue, mixed, ["a"], NOW)

    def test_its_names(self) -> None:
        """The names of a certificate can be read back, addresses too."""
        self.assertEqual(
            names_of(self.made.relay.certificate),
            ("relay.example.net", "192.0.2.7", "::1", "localhost", "127.0.0.1"),
        )
        self.assertEqual(names_of(self.made.authority.certificate), ())

    def test_keys(self) -> None:
        """Both keys are on P-256, different, and not to be seen by accident."""
        keys = [
            serialization.load_pem_private_key(one.key, None)
            for one in (self.made.authority, self.made.relay)
        ]
        for key in keys:
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self.assertIsInstance(key.curve, ec.SECP256R1)
        self.assertNotEqual(self.made.authority.key, self.made.relay.key)
        self.assertNotIn("PRIVATE", repr(self.made))

    def test_not_an_authority(self) -> None:
        """The relay's certificate can sign no others, the authority's one level."""
        for pem, ca, length in (
            (self.made.relay.certificate, False, None),
            (self.made.authority.certificate, True, 0),
        ):
            certificate = x509.load_pem_x509_certificate(pem)
            found = certificate.extensions.get_extension_for_class(
                x509.BasicConstraints
            )
            self.assertTrue(found.critical)
            self.assertEqual((found.value.ca, found.value.path_length), (ca, length))

    def test_names_once(self) -> None:
        """A name that is given and added is there once; a long one is no matter."""
        name = "a" * 60 + ".relay.example.net"
        made = make_certificates([name, "localhost"], NOW)
        verify(made, x509.DNSName(name), NOW)
        certificate = x509.load_pem_x509_certificate(made.relay.certificate)
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.DNSName)
        self.assertEqual(names, [name, "localhost"])


class CheckTests(SynchronousTestCase):
    """Files that cannot be used are found before they are."""

    def setUp(self) -> None:
        self.made = make_certificates(["relay.example.net"], NOW)
        self.relay = self.made.relay

    def test_good(self) -> None:
        """A certificate with its key, with or without those behind it."""
        check_pair(self.relay.certificate, self.relay.key)
        chain = self.relay.certificate + self.made.authority.certificate
        check_pair(chain, self.relay.key)
        check_certificates(chain)

    def test_bad(self) -> None:
        """What is wrong is said in words that follow the files' names."""
        authority = self.made.authority
        locked = serialization.load_pem_private_key(self.relay.key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
        for chain, key, words in (
            (self.relay.certificate, authority.key, "do not belong together"),
            (
                authority.certificate + self.relay.certificate,
                self.relay.key,
                "are in the wrong order",
            ),
            (self.relay.certificate, locked, "the key has a password"),
            (self.relay.certificate, b"", "no block -----BEGIN PRIVATE KEY-----"),
            (b"", self.relay.key, "no block -----BEGIN CERTIFICATE-----"),
            (b"\xff" * 9, self.relay.key, "no block -----BEGIN CERTIFICATE-----"),
        ):
            error = self.assertRaises(ValueError, check_pair, chain, key)
            self.assertIn(words, str(error))
        for read in (check_certificates, expiry):
            self.assertRaises(ValueError, read, b"nothing")
