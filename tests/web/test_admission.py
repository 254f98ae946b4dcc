"""Tests of L{hybridconn.web.admission}."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.limits import Limits
from hybridconn.core.refusals import TooManyRequests
from hybridconn.web import admission as module
from hybridconn.web.admission import Admission

HERE, THERE = "192.0.2.7", "198.51.100.9"


class AdmissionCase(SynchronousTestCase):
    """Makes admissions with a clock and chance of its own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.chance = 0.999

    def make(self, **limits: Any) -> Admission:
        return Admission(Limits(**limits), self.clock, lambda: self.chance)

    def refused(self, admission: Admission, address: str = HERE) -> TooManyRequests:
        error = self.assertRaises(TooManyRequests, admission.allow_handshake, address)
        assert isinstance(error, TooManyRequests)
        return error


class ConnectionTests(AdmissionCase):
    """Connections that nobody knows yet."""

    def test_of_one_address(self) -> None:
        """An address has its share, and one that ends makes room."""
        admission = self.make(max_unauthenticated_per_address=2)
        self.assertEqual([admission.admit(HERE) for _ in "123"], [True, True, False])
        self.assertTrue(admission.admit(THERE))
        admission.release(HERE)
        self.assertTrue(admission.admit(HERE))

    def test_node_full(self) -> None:
        """At the limit nobody comes in, whatever chance says."""
        admission = self.make(max_unauthenticated=10)
        for number in range(10):
            self.assertTrue(admission.admit(f"192.0.2.{number}"))
        self.assertFalse(admission.admit(THERE))
        self.assertEqual(admission.waiting, 10)

    def test_early_drop(self) -> None:
        """From 70 % on some are closed: the fuller the more."""
        admission = self.make(max_unauthenticated=100)
        for number in range(70):
            self.chance = 0.0 if number < 69 else 0.999
            self.assertTrue(admission.admit(f"192.0.2.{number}"))
        drops = []
        for number in range(70, 100):
            self.chance = 0.5
            drops.append(not admission.admit(THERE))
            self.chance = 0.999
            if not drops[-1]:
                admission.release(THERE)
            admission.admit(f"192.0.2.{number}")
        self.assertEqual(drops, [False] * 16 + [True] * 14)

    def test_ipv6_network(self) -> None:
        """All addresses of one /64 count as one, an IPv4 in IPv6 as itself."""
        admission = self.make(max_unauthenticated_per_address=1)
        self.assertTrue(admission.admit("2001:db8::1"))
        self.assertFalse(admission.admit("2001:db8::ffff:2"))
        self.assertTrue(admission.admit("2001:db8:0:1::1"))
        self.assertTrue(admission.admit("::ffff:192.0.2.7"))
        self.assertFalse(admission.admit(HERE))

    def test_exempt(self) -> None:
        """Exempt networks are neither counted nor limited."""
        admission = self.make(
            max_unauthenticated_per_address=1,
            handshake_burst=1,
            exempt_networks=("192.0.2.0/24", "::1/128"),
        )
        for address in (HERE, "::1", "::ffff:192.0.2.9"):
            for _ in range(3):
                self.assertTrue(admission.admit(address))
                admission.allow_handshake(address)
                self.assertEqual(admission.failed(address, True), 0.0)
        self.assertEqual(admission.waiting, 0)
        admission.release(HERE)
        self.assertEqual(admission.waiting, 0)

    def test_no_ip(self) -> None:
        """What is no IP address is counted by its name."""
        admission = self.make(max_unauthenticated_per_address=1)
        self.assertTrue(admission.admit(""))
        self.assertFalse(admission.admit(""))


class RateTests(AdmissionCase):
    """Requests of one address."""

    def test_bucket(self) -> None:
        """A burst passes, then so many a second; another address is unharmed."""
        admission = self.make(handshake_burst=3, handshakes_per_second=2.0)
        for _ in range(3):
            admission.allow_handshake(HERE)
        error = self.refused(admission)
        self.assertEqual(error.retry_after, 0.5)
        self.assertEqual(dict(error.headers), {"Retry-After": "1"})
        admission.allow_handshake(THERE)
        self.clock.advance(0.5)
        admission.allow_handshake(HERE)
        self.refused(admission)
        self.clock.advance(100)
        for _ in range(3):
            admission.allow_handshake(HERE)
        self.refused(admission)

    def test_clock_set_back(self) -> None:
        """A clock that is set back locks nobody out."""
        self.clock.advance(1000)
        admission = self.make(handshake_burst=2, handshakes_per_second=1.0)
        admission.allow_handshake(HERE)
        self.clock.rightNow -= 500
        admission.allow_handshake(HERE)
        self.refused(admission)
        self.clock.advance(1)
        admission.allow_handshake(HERE)

    def test_bad_tokens(self) -> None:
        """Too many bad tokens in a minute are 429 for a minute."""
        admission = self.make(failed_authentications_per_minute=3)
        for _ in range(2):
            admission.failed(HERE, True)
        admission.failed(HERE, False)
        admission.allow_handshake(HERE)
        admission.failed(HERE, True)
        self.assertEqual(self.refused(admission).retry_after, 60)
        admission.allow_handshake(THERE)
        self.clock.advance(59.5)
        self.assertEqual(self.refused(admission).retry_after, 0.5)
        self.clock.advance(0.5)
        admission.allow_handshake(HERE)

    def test_bad_tokens_over_time(self) -> None:
        """Bad tokens of an earlier minute do not count."""
        admission = self.make(failed_authentications_per_minute=3)
        for _ in range(10):
            admission.failed(HERE, True)
            admission.failed(HERE, True)
            admission.allow_handshake(HERE)
            self.clock.advance(60)


class DelayTests(AdmissionCase):
    """Answers that are kept back."""

    def test_doubles(self) -> None:
        """Each failure waits twice as long as the one before, up to a limit."""
        admission = self.make()
        delays = [admission.failed(HERE, False) for _ in range(8)]
        self.assertEqual(delays, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
        self.assertEqual(admission.failed(THERE, True), 0.05)

    def test_forgotten(self) -> None:
        """A quiet minute, or a good handshake, begins anew."""
        admission = self.make()
        admission.failed(HERE, True)
        self.clock.advance(59)
        self.assertEqual(admission.failed(HERE, True), 0.1)
        self.clock.advance(60)
        self.assertEqual(admission.failed(HERE, True), 0.05)
        admission.succeeded(HERE)
        self.assertEqual(admission.failed(HERE, True), 0.05)
        admission.succeeded(THERE)

    def test_off(self) -> None:
        """No delay if it is set to none."""
        admission = self.make(failure_delay=0.0)
        self.assertEqual([admission.failed(HERE, True) for _ in "123"], [0.0] * 3)


class MemoryTests(AdmissionCase):
    """What is remembered is bounded."""

    def test_oldest_is_forgotten(self) -> None:
        """Beyond the limit of addresses the one not seen for longest goes."""
        self.patch(module, "MOST_ADDRESSES", 2)
        admission = self.make()
        for address in (HERE, THERE, HERE, "203.0.113.1"):
            admission.failed(address, False)
        self.assertEqual(admission.failed(HERE, False), 0.2)
        self.assertEqual(admission.failed(THERE, False), 0.05)
