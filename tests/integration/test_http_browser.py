"""A browser as the sender: it needs nothing but HTTPS and a token in the URL."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from tests.integration.case import IntegrationTestCase, need
from tests.integration.nodejs import Peer
from tests.integration.stage import HOST, LISTEN, SEND, Stage


class BrowserTests(IntegrationTestCase):
    """A page out of a hyco-https listener, in Chromium."""

    def setUp(self) -> None:
        super().setUp()
        self.stage = self.use(Stage(["web"]))
        self.stage.start_relay()
        url = self.stage.url("web", "listen")
        self.listener = Peer(self.stage, "https", url, LISTEN)
        self.addCleanup(self.listener.end)
        self.listener.expect("listening")

    def pin(self) -> str:
        """The sum of the relay's key, by which the browser trusts it."""
        found = load_pem_x509_certificate(
            (self.stage.folder / "relay.pem").read_bytes()
        )
        key = found.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(hashlib.sha256(key).digest()).decode()

    def dump(self, url: str) -> str:
        """What the page is when it is loaded."""
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        need(chromium, "no Chromium here (Debian: apt install chromium)")
        made = subprocess.run(
            [
                str(chromium),
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking"),
                *("--disable-component-update", "--disable-sync", "--dump-dom"),
                *("--no-proxy-server", "--timeout=40000"),
                f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
                f"--ignore-certificate-errors-spki-list={self.pin()}",
                f"--user-data-dir={self.stage.folder / 'browser'}",
                url,
            ],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        self.assertIn("<title>events</title>", made.stdout, made.stderr[-2000:])
        return made.stdout

    def test_events(self) -> None:
        """The page shows each event before it asks for the next one to be made."""
        token = quote(self.stage.token("web", SEND), safe="")
        url = f"https://{HOST}:{self.stage.port}/web/page?sb-hc-token={token}"
        shown = re.findall(r"<li>(.*?)</li>", self.dump(url))
        self.assertEqual(
            shown,
            ["data: 0 of 70008", "data: 1 of 7", "data: 2 of 7", 'end ""'],
        )
