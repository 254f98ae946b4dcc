"""TLS on the wire (relay-protocol section 9, reliability-security T23)."""

from __future__ import annotations

import datetime
import socket
import ssl
import warnings

import trustme

from tests.integration.case import IntegrationTestCase
from tests.integration.peers import Refused, send_to
from tests.integration.programs import Program, output_of, twistd
from tests.integration.stage import HOST, Stage
from tests.integration.targets import echo
from tests.integration.waiting import free_port


class RelayTLSTests(IntegrationTestCase):
    """What the relay offers and what it refuses."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage())
        self.stage.start_relay()

    def shake(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        plain = self.stage.dial(self.stage.port, 10)
        self.addCleanup(plain.close)
        secured = context.wrap_socket(plain, server_hostname=HOST)
        self.addCleanup(secured.close)
        return secured

    def only(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """A client that speaks one version and, to do so, takes weak ciphers."""
        context = self.stage.trust()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        return context

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are served, 1.0 and 1.1 refused."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.shake(self.only(version)) as connection:
                self.assertEqual(connection.version(), version.name.replace("_", "."))
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.shake(self.only(version))

    def test_ciphers(self) -> None:
        """With TLS 1.2, only ECDHE with AEAD: no CBC, no static RSA, no SHA-1."""
        for ciphers in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE+AESGCM"):
            context = self.only(ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.shake(context)
        with self.shake(self.only(ssl.TLSVersion.TLSv1_2)) as connection:
            cipher = connection.cipher()
            assert cipher is not None
            self.assertRegex(cipher[0], "^ECDHE-.*(GCM|CHACHA20)")
            self.assertIsNone(connection.compression())

    def test_alpn(self) -> None:
        """Asked for HTTP/2 and HTTP/1.1, the relay speaks HTTP/1.1."""
        context = self.stage.trust()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with self.shake(context) as connection:
            self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")

    def test_plain_text_on_the_port(self) -> None:
        """A peer that speaks plain HTTP is dropped, and others are served."""
        with self.stage.dial(self.stage.port, 10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                said = connection.recv(1000)
            except ConnectionResetError:
                said = b""
            self.assertNotIn(b"200", said)
        with self.shake(self.stage.trust()) as good:
            self.assertIsNotNone(good.version())

    def test_key_permissions(self) -> None:
        """A key file that others may read is refused at the start (T22)."""
        (self.stage.folder / "relay.key").chmod(0o644)
        status, said = output_of(
            twistd("hcrelay", "--config", str(self.stage.folder / "relay.toml"))
        )
        self.assertEqual(status, 1, said)
        self.assertIn("relay.key", said)
        self.assertIn("chmod", said)
        self.assertNotIn("Traceback", said)


class ClientTLSTests(IntegrationTestCase):
    """Our listener and sender refuse a relay that is not who it should be."""

    def assertDistrusted(self, stage: Stage, words: str) -> None:
        """Neither connects, both say why, and no client gets a byte through."""
        stage.start_relay()
        path = stage.listener_config({"echo": self.target(echo).port})
        listener = stage.program(
            "listener", twistd("hclistener", "--config", str(path))
        )
        said = listener.start().wait_log(f"(?i)certificate[^\n]*({words})")
        self.assertNotIn("online", listener.log().lower(), said[0])
        port = stage.start_sender("echo")["echo"]
        with stage.dial(port, 10) as connection:
            self.assertReset(connection)
        stage["sender"].wait_log(f"(?i)certificate[^\n]*({words})")

    def test_other_authority(self) -> None:
        """A certificate by an authority that we do not trust."""
        stage = self.use(Stage())
        stage.certify(trustme.CA().issue_cert(HOST))
        self.assertDistrusted(stage, "not trusted")

    def test_other_name(self) -> None:
        """A certificate for another host."""
        stage = self.use(Stage())
        stage.certify(stage.ca.issue_cert("elsewhere.example"))
        self.assertDistrusted(stage, "elsewhere|name|not for|localhost")

    def test_expired(self) -> None:
        """A certificate that has expired."""
        stage = self.use(Stage())
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        stage.certify(stage.ca.issue_cert(HOST, not_after=past))
        self.assertDistrusted(stage, "expired")

    def test_old_version(self) -> None:
        """A relay that speaks nothing newer than TLS 1.1."""
        stage = self.use(Stage())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(stage.folder / "relay.pem", stage.folder / "relay.key")
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        shaken: list[str | None] = []

        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                shaken.append(secured.version())

        target = self.target(serve)
        stage.reach = target.port
        path = stage.listener_config({"echo": 1})
        listener = stage.program(
            "listener", twistd("hclistener", "--config", str(path))
        )
        listener.start()
        self.wait_until("two attempts", lambda: len(target.mistakes) >= 2)
        self.assertEqual(shaken, [])


class InsecureTests(IntegrationTestCase):
    """Without TLS, where the word "insecure" was written."""

    def test_all_insecure(self) -> None:
        """With the switch on all three, a tunnel works over plain ws://."""
        stage = self.use(Stage(insecure=True))
        stage.start_relay()
        stage.start_listener({"echo": self.target(echo).port})
        port = stage.start_sender("echo")["echo"]
        with stage.dial(port) as connection:
            connection.sendall(b"plain")
            self.assertEqual(connection.recv(5), b"plain")
        with send_to(stage, "echo") as tunnel:
            tunnel.send(b"x")
            self.assertEqual(tunnel.recv(10), b"x")

    def test_insecure_client(self) -> None:
        """A listener with the switch does not get on with a relay that has TLS."""
        stage = self.use(Stage())
        stage.start_relay()
        stage.insecure = True
        path = stage.listener_config({"echo": 1})
        stage.insecure = False
        listener: Program = stage.program(
            "listener", twistd("hclistener", "--config", str(path))
        )
        listener.start().wait_log(r"(?i)insecure")
        with self.assertRaises(Refused) as caught:
            send_to(stage, "echo")
        self.assertEqual(caught.exception.status, 404)

    def test_no_certificate(self) -> None:
        """A relay without certificate does not start without the switch."""
        stage = self.use(Stage())
        (stage.folder / "relay.pem").unlink()
        stage.write(
            "relay.toml",
            f'[listen]\nport = {free_port()}\n[[namespace]]\nname = "contoso"\n'
            'host_names = ["localhost"]\n',
        )
        status, said = output_of(
            twistd("hcrelay", "--config", str(stage.folder / "relay.toml"))
        )
        self.assertEqual(status, 1, said)
        self.assertIn("certificate", said)
