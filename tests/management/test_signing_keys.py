"""The keys of an identity provider: which are good, and when they are asked for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.jwks import read_keys
from hybridconn.management.signing_keys import FetchedKeys, Pace
from tests.management.signers import (
    EC_KEY,
    OTHER_RSA_KEY,
    RSA_KEY,
    jwk_of,
    jwks,
    pem_of,
)
from tests.relay.scene import watch_log

PACE = Pace(refresh=3600.0, unknown=30.0, keep=86400.0)


class ReadTests(SynchronousTestCase):
    """What is a key."""

    def names(self, *keys: dict[str, Any]) -> list[tuple[str | None, str]]:
        return [(key.name, key.algorithm) for key in read_keys(jwks(*keys))]

    def test_kinds(self) -> None:
        """Keys of other kinds are passed over, the good ones stay."""
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        self.assertEqual(
            self.names(
                {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
                {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "okp"},
                {"kty": "RSA", "kid": "no numbers"},
                {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "bad numbers"},
                {"kty": 5},
                {},
                jwk_of(RSA_KEY, "for encryption", use="enc"),
                jwk_of(RSA_KEY, "for PS", alg="PS256"),
                jwk_of(rsa.generate_private_key(65537, 1024), "short"),
                jwk_of(ec.generate_private_key(ec.SECP384R1()), "another curve"),
                jwk_of(RSA_KEY, "rsa", alg="RS256", use="sig"),
                jwk_of(EC_KEY, "ec"),
                jwk_of(OTHER_RSA_KEY),
            ),
            [("rsa", "RS256"), ("ec", "ES256"), (None, "RS256")],
        )

    def test_pem(self) -> None:
        """A PEM file has one, without a name."""
        (key,) = read_keys(b"\n" + pem_of(EC_KEY))
        self.assertEqual((key.name, key.algorithm), (None, "ES256"))

    def test_none(self) -> None:
        """What holds none says so."""
        for data in (
            b"",
            b"x",
            b"[]",
            b"{}",
            b"\xff",
            b"[" * 100_000,
            b'{"keys": {}}',
            b'{"keys": []}',
            b'{"keys": [5, null, "x"]}',
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            jwks({"kty": "oct", "k": "c2VjcmV0"}),
        ):
            with self.assertRaises(ValueError):
                read_keys(data)


class FetchTests(SynchronousTestCase):
    """How often they are asked for."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[Deferred[bytes]] = []
        self.keys = FetchedKeys(self.fetch, self.clock, PACE)

    def fetch(self) -> Deferred[bytes]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def find(self, name: str | None = "one") -> Deferred[Any]:
        return Deferred.fromCoroutine(self.keys.find(name, "RS256"))

    def answer(self, *names: str) -> None:
        self.asked[-1].callback(jwks(*(jwk_of(RSA_KEY, name) for name in names)))

    def have(self, *names: str) -> None:
        self.keys.refresh()
        self.answer(*names)

    def test_first(self) -> None:
        """The first ones wait together for one answer."""
        waiting = [self.find(), self.find(), self.find("other")]
        self.assertEqual(len(self.asked), 1)
        self.answer("one")
        self.assertIsNotNone(self.successResultOf(waiting[0]))
        self.assertIsNotNone(self.successResultOf(waiting[1]))
        self.assertIsNone(self.successResultOf(waiting[2]))

    def test_known(self) -> None:
        """A known key costs nothing."""
        self.have("one")
        self.clock.advance(3599)
        self.assertIsNotNone(self.successResultOf(self.find()))
        self.assertEqual(len(self.asked), 1)

    def test_refresh(self) -> None:
        """After C{refresh} new ones are asked for, and nobody waits."""
        self.have("one")
        self.clock.advance(3600)
        self.assertIsNotNone(self.successResultOf(self.find()))
        self.assertEqual(len(self.asked), 2)
        self.assertIsNotNone(self.successResultOf(self.find()))
        self.answer("two")
        self.assertIsNotNone(self.successResultOf(self.find("two")))
        self.clock.advance(30)
        gone = self.find("one")
        self.answer("two")
        self.assertIsNone(self.successResultOf(gone))

    def test_unknown(self) -> None:
        """An unknown name asks again, but not more often than may be."""
        self.have("one")
        for _ in range(100):
            self.assertIsNone(self.successResultOf(self.find("new")))
        self.assertEqual(len(self.asked), 1)
        self.clock.advance(30)
        waiting = [self.find(f"new{number}") for number in range(100)]
        self.assertEqual(len(self.asked), 2)
        self.answer("one", "new7")
        found = [self.successResultOf(one) for one in waiting]
        self.assertEqual([key is not None for key in found].count(True), 1)
        for _ in range(100):
            self.assertIsNone(self.successResultOf(self.find("new")))
        self.assertEqual(len(self.asked), 2)

    def test_down(self) -> None:
        """While nobody answers the old keys are good, for C{keep} and no longer."""
        lines = watch_log(self)
        self.have("one")
        for _ in range(20):
            self.clock.advance(4000)
            self.assertIsNotNone(self.successResultOf(self.find()))
            self.asked[-1].errback(OSError("no way there"))
        self.clock.advance(86400 - 20 * 4000 - 1)
        self.assertIsNotNone(self.successResultOf(self.find()))
        self.asked[-1].errback(OSError("no way there"))
        self.clock.advance(1)
        self.assertIsNone(self.successResultOf(self.find()))
        self.clock.advance(30)
        waiting = self.find()
        self.answer("one")
        self.assertIsNotNone(self.successResultOf(waiting))
        self.assertTrue(all("no way there" in line for line in lines), lines)
        self.assertEqual(len(lines), 21)

    def test_nonsense(self) -> None:
        """An answer that is no JWKS changes nothing."""
        self.have("one")
        self.clock.advance(3600)
        self.successResultOf(self.find())
        self.asked[-1].callback(b"<html>")
        self.assertIsNotNone(self.successResultOf(self.find()))

    def test_never_there(self) -> None:
        """Without an answer nobody gets in, and the provider is not flooded."""
        waiting = [self.find() for _ in range(50)]
        self.asked[-1].errback(OSError("refused"))
        self.assertEqual([self.successResultOf(one) for one in waiting], [None] * 50)
        for _ in range(50):
            self.assertIsNone(self.successResultOf(self.find()))
        self.assertEqual(len(self.asked), 1)
