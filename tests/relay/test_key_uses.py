"""Uses of keys at the relay, as the audit is told of them."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.core.limits import Limits
from hybridconn.testing.relay import MemoryRelay
from tests.management.case import FakeAudit
from tests.relay.scene import LIMITS, RelayTestCase


class KeyUseTests(RelayTestCase):
    """A relay whose audit is listened to."""

    def setUp(self) -> None:
        self.audit = FakeAudit()
        self.relay = MemoryRelay(self.entities, limits=LIMITS, audit=self.audit)
        self.network = self.relay.network

    def told(self) -> list[tuple[str, str, str, str, str, int]]:
        found = [
            (e.action, e.who, e.target, e.outcome, e.code, e.status)
            for e in self.audit.events
        ]
        for event in self.audit.events:
            self.assertEqual(event.event, "key")
            self.assertTrue(event.source.startswith("192.0.2."), event.source)
            self.assertTrue(event.id)
            self.assertEqual(event.by, "sas" if event.who else "")
        self.audit.events.clear()
        return found

    def test_listen_and_renew(self) -> None:
        """A listener's token, and each that follows it."""
        listener = self.listen()
        (first,) = self.told()
        self.assertEqual(first[0], "listen")
        self.assertEqual(first[2:], ("testing/hyco", "allowed", "", 0))
        self.assertTrue(first[1])
        token = self.token(Claim.LISTEN, lifetime=7200.0)
        listener.text(json.dumps({"renewToken": {"token": token}}))
        self.flush()
        (renewed,) = self.told()
        self.assertEqual(renewed, ("renew", *first[1:]))

    def test_connect_and_http(self) -> None:
        """A sender's, of both kinds, and who asks what there is."""
        self.listen()
        self.told()
        self.connect()
        (told,) = self.told()
        self.assertEqual((told[0], told[3]), ("connect", "allowed"))
        for target, claim, action in (
            ("/hyco/some/path?secret", Claim.SEND, "http"),
            ("/hyco?api-version=2016-07", Claim.LISTEN, "describe"),
        ):
            self.ask(target, self.token(claim))
            (told,) = self.told()
            self.assertEqual(told[:1] + told[2:4], (action, "testing/hyco", "allowed"))

    def test_anonymous(self) -> None:
        """Where nobody needs a key, nobody is named."""
        self.relay.add(HybridConnection("open", requires_client_authorization=False))
        self.dial("/$hc/open?sb-hc-action=connect")
        (told,) = self.told()
        self.assertEqual(told[:4], ("connect", "", "testing/open", "allowed"))

    def ask(self, target: str, token: str) -> None:
        request = f"GET {target} HTTP/1.1\r\nHost: relay.test\r\n"
        request += f"ServiceBusAuthorization: {token}\r\n\r\n"
        one = Protocol()
        factory = Factory.forProtocol(lambda: one)
        factory.noisy = False
        self.network.client_endpoint("relay.test", 443).connect(factory)
        self.flush()
        transport: Any = one.transport
        transport.write(request.encode())
        self.flush()

    def test_refused(self) -> None:
        """Why, and whose key it claimed to be, if there is such a rule."""
        good = self.token(Claim.SEND)
        forged = good.replace("sig=", "sig=A")
        nobody = good.rpartition("skn=")[0] + "skn=nobody-is-called-so"
        for token, code in (
            (forged, "TokenInvalid"),
            (nobody, "TokenInvalid"),
            ("SharedAccessSignature nonsense", "TokenMalformed"),
            (self.token(Claim.SEND, lifetime=-3600.0), "TokenExpired"),
            (self.token(Claim.LISTEN), "ClaimMissing"),
            ("", "TokenMissing"),
        ):
            headers = {"ServiceBusAuthorization": token} if token else {}
            self.dial("/$hc/hyco?sb-hc-action=connect", headers)
            (told,) = self.told()
            self.assertEqual((told[0], told[3], told[4]), ("connect", "refused", code))
            self.assertIn(told[5], (401, 403))
            named = code in ("TokenExpired", "ClaimMissing") or token == forged
            self.assertEqual(bool(told[1]), named, code)

    def test_unknown_entity(self) -> None:
        """What is asked for and is not there is not repeated."""
        headers = {"ServiceBusAuthorization": self.token(Claim.SEND)}
        self.dial("/$hc/secret-in-the-wrong-place?sb-hc-action=connect", headers)
        (told,) = self.told()
        self.assertEqual(told[2:4], ("testing", "refused"))

    def test_off(self) -> None:
        """By default nobody is told."""
        relay = MemoryRelay(self.entities, limits=Limits())
        self.addCleanup(relay.stop)
        self.assertEqual(self.told(), [])
