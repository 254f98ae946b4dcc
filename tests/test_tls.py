"""Tests of L{hybridconn.tls}."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from hybridconn.tls import (
    CertificateFiles,
    CertificateRejected,
    CertificateStore,
    ClientTrust,
    TLSConfigError,
    client_options,
    tls_factory,
)
from tests.web.tls_wire import Authority, End, Pair, Stranger, serve

NAME = "relay.example"


class TLSCase(SynchronousTestCase):
    """An authority and a folder for its files."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority(self.folder)

    def assert_rejected(self, pair: Pair, words: str) -> None:
        """The client let nobody through, and says why."""
        self.assertFalse(pair.client.secured)
        reason = pair.client.lost
        self.assertIsInstance(reason.value, CertificateRejected)
        self.assertIn(words, str(reason.value))
        self.assertFalse(pair.server.received)

    def assert_refused(self, pair: Pair) -> None:
        """There was no TLS handshake."""
        self.assertFalse(pair.client.secured or pair.server.secured)


class GoodTests(TLSCase):
    """A relay and a client that go together."""

    def test_connection(self) -> None:
        """Both ends talk TLS 1.3 and agreed on HTTP/1.1."""
        store = CertificateStore([self.authority.issue(NAME)])
        verifyObject(IOpenSSLServerConnectionCreator, store)
        clock = Clock()
        creator = client_options(NAME, self.authority.file)
        pair = Pair(serve(store, clock), creator, clock)
        self.assertTrue(pair.client.secured and pair.server.secured)
        for end in (pair.client, pair.server):
            self.assertEqual(end.tls.get_protocol_version_name(), "TLSv1.3")
            self.assertEqual(end.tls.get_alpn_proto_negotiated(), b"http/1.1")
        pair.client.transport.write(b"to the relay")
        pair.server.transport.write(b"from the relay")
        pair.flush()
        self.assertEqual(pair.server.received, b"to the relay")
        self.assertEqual(pair.client.received, b"from the relay")

    def test_names_of_a_host(self) -> None:
        """Case, a final dot and non-ASCII letters are no obstacle, nor addresses."""
        files = self.authority.issue(
            NAME, "*.example.net", "192.0.2.1", "2001:db8::1", "bücher.example"
        )
        factory = serve(CertificateStore([files]))
        trust = ClientTrust([self.authority.file])
        for host in (
            "RELAY.example",
            "relay.example.",
            "a.example.net",
            "192.0.2.1",
            "2001:DB8:0::1",
            "bücher.example",
        ):
            pair = Pair(factory, trust.options(host))
            self.assertTrue(pair.client.secured, host)

    def test_tls_1_2(self) -> None:
        """TLS 1.2 is spoken, with ECDHE and AEAD."""
        store = CertificateStore([self.authority.issue(NAME)])
        pair = Pair(serve(store), Stranger(most=SSL.TLS1_2_VERSION))
        self.assertTrue(pair.client.secured)
        self.assertIn("ECDHE", pair.client.tls.get_cipher_name())
        self.assertIn("GCM", pair.client.tls.get_cipher_name())


class RefusedByRelayTests(TLSCase):
    """Clients that a relay does not talk to."""

    def setUp(self) -> None:
        super().setUp()
        self.factory = serve(CertificateStore([self.authority.issue(NAME)]))

    def test_tls_1_1(self) -> None:
        """TLS 1.1 and older are not spoken."""
        for version in (SSL.TLS1_1_VERSION, SSL.TLS1_VERSION):
            self.assert_refused(Pair(self.factory, Stranger(most=version)))

    def test_weak_ciphers(self) -> None:
        """Neither CBC nor a key exchange without forward secrecy."""
        for ciphers in (b"ECDHE-ECDSA-AES256-SHA384", b"AES256-GCM-SHA384"):
            stranger = Stranger(most=SSL.TLS1_2_VERSION, ciphers=ciphers)
            self.assert_refused(Pair(self.factory, stranger))

    def test_alpn(self) -> None:
        """HTTP/1.1 is picked if offered; without it there is nothing to talk."""
        both = Pair(self.factory, Stranger(protocols=(b"h2", b"http/1.1")))
        self.assertEqual(both.client.tls.get_alpn_proto_negotiated(), b"http/1.1")
        none = Pair(self.factory, Stranger())
        self.assertTrue(none.client.secured)
        self.assertEqual(none.client.tls.get_alpn_proto_negotiated(), b"")
        self.assert_refused(Pair(self.factory, Stranger(protocols=(b"h2",))))

    def test_no_protocol(self) -> None:
        """A factory may turn a connection away before TLS begins."""

        class Closed(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        store = CertificateStore([self.authority.issue(NAME)])
        factory = tls_factory(store, Closed(), Clock())
        self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 1)))


@implementer(IOpenSSLServerConnectionCreator)
class OldServer:
    """A server that speaks nothing newer than TLS 1.1."""

    def __init__(self, files: CertificateFiles) -> None:
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate_chain_file(files.certificate)
        self._context.use_privatekey_file(files.key)
        self._context.set_min_proto_version(SSL.TLS1_VERSION)
        self._context.set_max_proto_version(SSL.TLS1_1_VERSION)
        self._context.set_cipher_list(b"ALL:@SECLEVEL=0")

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


class RefusedByClientTests(TLSCase):
    """Relays that a client does not believe."""

    def connect(self, files: CertificateFiles, host: str = NAME, ca: Any = "") -> Pair:
        ca_file = self.authority.file if ca == "" else ca
        return Pair(serve(CertificateStore([files])), client_options(host, ca_file))

    def test_wrong_name(self) -> None:
        """A certificate for another name is refused."""
        files = self.authority.issue("other.example", "*.example.net")
        self.assert_rejected(self.connect(files), "other names (other.example, *.exam")
        self.assert_rejected(self.connect(files, "a.b.example.net"), "other names")
        self.assert_rejected(self.connect(files, "192.0.2.1"), "other names")

    def test_wrong_address(self) -> None:
        """So is one for another address, and one for an address if a name counts."""
        files = self.authority.issue("192.0.2.1")
        self.assert_rejected(self.connect(files, "192.0.2.2"), "addresses only")
        self.assert_rejected(self.connect(files), "other names")

    def test_expired(self) -> None:
        """An expired certificate is refused."""
        files = self.authority.issue(NAME, expired=True)
        self.assert_rejected(self.connect(files), "it has expired")

    def test_unknown_authority(self) -> None:
        """An authority that the client was not told of counts for nothing."""
        files = self.authority.issue(NAME)
        self.assert_rejected(self.connect(files, ca=None), "authority that is not")
        other = Authority(self.folder)
        self.assert_rejected(self.connect(files, ca=other.file), "authority that is")

    def test_old_server(self) -> None:
        """A server that has no TLS 1.2 is no relay of ours."""
        factory = TLSMemoryBIOFactory(
            OldServer(self.authority.issue(NAME)),
            False,
            Factory.forProtocol(End),
            Clock(),
        )
        pair = Pair(factory, client_options(NAME, self.authority.file))
        self.assert_refused(pair)

    def test_bad_host(self) -> None:
        """What can be no host name is refused before anything is dialled."""
        trust = ClientTrust()
        self.assertRaises(ValueError, trust.options, "a\u2024\u2024b.example")


class SeveralCertificatesTests(TLSCase):
    """The name that the client asks for."""

    def served(self, factory: Any, name: bytes | None) -> str:
        """The common name, or first name, of what a client that asks gets."""
        pair = Pair(factory, Stranger(name))
        certificate = pair.client.tls.get_peer_certificate(as_cryptography=True)
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
        first: str = names.get_values_for_type(x509.DNSName)[0]
        return first

    def test_pick(self) -> None:
        """Its own name, a wildcard, a configured name; else the first one."""
        store = CertificateStore(
            [
                self.authority.issue("first.example", file="1"),
                self.authority.issue("second.example", "*.second.example", file="2"),
                self.authority.issue(
                    "third.example", file="3", server_names=("Alias.example",)
                ),
            ]
        )
        factory = serve(store)
        for asked, got in (
            (b"first.example", "first.example"),
            (b"SECOND.example", "second.example"),
            (b"a.second.example", "second.example"),
            (b"a.b.second.example", "first.example"),
            (b"alias.example", "third.example"),
            (b"third.example", "first.example"),
            (b"unknown.example", "first.example"),
            (b"unknown", "first.example"),
            (None, "first.example"),
        ):
            self.assertEqual(self.served(factory, asked), got, asked)

    def test_same_rules_for_all(self) -> None:
        """A picked certificate brings no weaker TLS with it."""
        store = CertificateStore(
            [
                self.authority.issue("first.example", file="1"),
                self.authority.issue("second.example", file="2"),
            ]
        )
        factory = serve(store)
        name = b"second.example"
        self.assert_refused(Pair(factory, Stranger(name, protocols=(b"h2",))))
        self.assert_refused(Pair(factory, Stranger(name, most=SSL.TLS1_1_VERSION)))


class ReloadTests(TLSCase):
    """Files that change while the relay runs."""

    def setUp(self) -> None:
        super().setUp()
        self.files = self.authority.issue("old.example")
        self.store = CertificateStore([self.files])
        self.factory = serve(self.store)
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def serial(self) -> int:
        """Which certificate a new client gets."""
        pair = Pair(self.factory, Stranger())
        serial: int = pair.client.tls.get_peer_certificate(
            as_cryptography=True
        ).serial_number
        return serial

    def test_unchanged(self) -> None:
        """Nothing happens if nothing changed."""
        self.assertFalse(self.store.reload())
        self.assertEqual(len(self.events), 0)

    def test_changed(self) -> None:
        """New connections get the new certificate, old ones go on."""
        before = self.serial()
        open_one = Pair(self.factory, Stranger())
        self.authority.issue("new.example")
        self.assertTrue(self.store.reload())
        self.assertNotEqual(self.serial(), before)
        open_one.client.transport.write(b"still here")
        open_one.flush()
        self.assertEqual(open_one.server.received, b"still here")

    def test_bad_files(self) -> None:
        """Bad new files are reported, once, and the old certificate stays."""
        before = self.serial()
        Path(self.files.certificate).write_text("not a certificate")
        self.assertFalse(self.store.reload())
        self.assertFalse(self.store.reload())
        self.assertEqual(self.serial(), before)
        (event,) = self.events
        self.assertEqual(event["log_level"].name, "error")
        self.assertIn(self.files.certificate, event["error"])
        self.authority.issue("new.example")
        self.assertTrue(self.store.reload())
        self.assertNotEqual(self.serial(), before)

    def test_half_changed(self) -> None:
        """A certificate whose key is not there yet is not used."""
        before = self.serial()
        key = Path(self.files.key).read_bytes()
        self.authority.issue("new.example")
        new_key = Path(self.files.key).read_bytes()
        Path(self.files.key).write_bytes(key)
        self.assertFalse(self.store.reload())
        self.assertEqual(self.serial(), before)
        Path(self.files.key).write_bytes(new_key)
        self.assertTrue(self.store.reload())

    def test_missing(self) -> None:
        """Files that vanish do no harm to a relay that runs."""
        before = self.serial()
        Path(self.files.key).unlink()
        self.assertFalse(self.store.reload())
        self.assertEqual(self.serial(), before)


class MistakeTests(TLSCase):
    """Errors name the file and what to do."""

    def check(self, files: CertificateFiles, *words: str) -> None:
        error = self.assertRaises(TLSConfigError, CertificateStore, [files])
        for word in words:
            self.assertIn(word, str(error))

    def test_missing_files(self) -> None:
        """A file that is not there is named."""
        good = self.authority.issue(NAME)
        self.check(CertificateFiles("no.pem", good.key), "no.pem", "does not exist")
        self.check(CertificateFiles(good.certificate, "no.key"), "no.key", "not exist")
        self.check(CertificateFiles(str(self.folder), good.key), "cannot be read")

    def test_wrong_content(self) -> None:
        """So are files that hold something else, or do not go together."""
        good = self.authority.issue(NAME)
        other = self.authority.issue(NAME, file="other")
        text = str(self.folder / "text")
        Path(text).write_text("hello")
        self.check(CertificateFiles(text, good.key), text, "cannot be used")
        self.check(CertificateFiles(good.certificate, text), text, "cannot be used")
        self.check(
            CertificateFiles(good.certificate, other.key), "do not belong together"
        )

    def test_no_files(self) -> None:
        """A store without certificates makes no sense."""
        self.assertRaises(ValueError, CertificateStore, [])

    def test_authorities(self) -> None:
        """Files of authorities too."""
        error = self.assertRaises(TLSConfigError, client_options, NAME, "no-ca.pem")
        self.assertIn("no-ca.pem does not exist", str(error))
        text = str(self.folder / "text")
        Path(text).write_text("hello")
        error = self.assertRaises(TLSConfigError, ClientTrust, [text])
        self.assertIn("holds no certificate", str(error))

    def test_no_secrets_in_texts(self) -> None:
        """A key never stands in an error or a repr."""
        good = self.authority.issue(NAME)
        Path(good.certificate).write_bytes(Path(good.key).read_bytes())
        error = self.assertRaises(TLSConfigError, CertificateStore, [good])
        self.assertNotIn("PRIVATE", str(error) + repr(good))
