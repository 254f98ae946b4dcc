"""Tests of L{hybridconn.diagnosis.far}: what lies behind the relay."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Claim, Secret
from hybridconn.core.probe import (
    Failed,
    Found,
    ListenerIs,
    Message,
    Reached,
    TargetIs,
    TargetTLS,
)
from hybridconn.core.refusals import ClaimMissing, NoListeners, TokenExpired, describe
from hybridconn.core.sas import sign
from hybridconn.diagnosis.check import Check, Result
from hybridconn.diagnosis.far import FarSide, listener_checks
from hybridconn.diagnosis.steps import Steps
from hybridconn.sender.errors import HybridConnectionError
from hybridconn.sender.probe import Probed
from hybridconn.web.description import Description, DescriptionError, NotDescribed

KEY = Secret("a2V5")
STRING = ConnectionString("relay.test", 443, "db", "send", KEY)
NOW = 1_000_000.0
WELL = (TargetIs("db.corp:1", 0.1), Found(("10.0.0.5",), 0.1), Reached("10.0.0.5:1", 1))


def probed(name: str, *told: Message, listener: str = "") -> Probed:
    """A listener of ours has answered."""
    said = (ListenerIs("host", "1.2", name), *(told or WELL))
    return Probed("4f56_G0", 0.5, listener, None, True, said)


def refused(status: int, reason: str, listener: str = "") -> Probed:
    """Somebody said no."""
    error = HybridConnectionError(status, reason, "4f56_G0")
    return Probed("4f56_G0", 0.5, listener, error)


class FakeReader:
    """The relay's description."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def read(self) -> Deferred[Any]:
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return succeed(self.answer)


class FakeProber:
    """
    @ivar listeners: what each probe meets, one after the other.
    @ivar avoided: what each was to avoid.
    """

    def __init__(self, *listeners: Probed) -> None:
        self.listeners = list(listeners)
        self.avoided: list[list[str]] = []

    async def probe(self, avoid: Collection[str] = ()) -> Probed:
        self.avoided.append(list(avoid))
        return self.listeners.pop(0)


class FarCase(SynchronousTestCase):
    """Looks at what probes meet."""

    def look(
        self,
        *listeners: Probed,
        described: Any = None,
        clock_good: bool = True,
        string: ConnectionString = STRING,
        http: bool | None = None,
    ) -> list[Check]:
        self.prober = FakeProber(*listeners)
        prober: Any = self.prober
        answer: Any = described or Description(listeners=len(listeners))
        reader: Any = FakeReader(answer)
        far = FarSide(string, reader, prober, lambda: NOW, http)
        checks: list[Check] = []
        steps = Steps("db", Clock(), checks.append)
        looking = Deferred.fromCoroutine(far.look(steps, checks.append, clock_good))
        self.good = self.successResultOf(looking)
        return checks

    def results(self, checks: list[Check], name: str) -> list[Result]:
        return [one.result for one in checks if one.name == name]

    def first(self, checks: list[Check], result: Result) -> Check:
        return next(one for one in checks if one.result is result)


class ListenersTests(FarCase):
    """Each listener in turn."""

    def test_told_apart_by_the_relay(self) -> None:
        """A relay that says who was chosen is asked to leave those out."""
        listeners = [probed("", listener=f"L{n}") for n in range(3)]
        checks = self.look(*listeners)
        self.assertEqual(self.prober.avoided, [[], ["L0"], ["L0", "L1"]])
        subjects = [one.subject for one in checks if one.name == "listener"]
        self.assertEqual(subjects, [f"db, listener {n}" for n in (1, 2, 3)])
        self.assertTrue(self.good)

    def test_one_again(self) -> None:
        """One that comes again, although it was to be avoided, is the last."""
        again = probed("", listener="L0")
        checks = self.look(again, again, described=Description(listeners=5))
        self.assertEqual(len(self.results(checks, "listener")), 1)

    def test_told_apart_by_themselves(self) -> None:
        """At another relay, ours are known by what they say; tries are bounded."""
        one, two = probed("one"), probed("two")
        self.look(one, one, two, described=Description(listeners=2))
        self.assertEqual(self.prober.listeners, [])
        checks = self.look(*[one] * 8, described=Description(listeners=2))
        self.assertEqual(len(self.results(checks, "listener")), 1)
        self.assertEqual(self.prober.listeners, [])

    def test_count_unknown(self) -> None:
        """A relay that says who was chosen, but not how many, shows all of them."""
        listeners = [probed("", listener=f"L{n}") for n in range(12)]
        again = probed("", listener="L3")
        error = DescriptionError("the relay answered 401", 401)
        checks = self.look(*listeners, again, described=error)
        self.assertEqual(len(self.results(checks, "listener")), 12)

    def test_one_is_broken(self) -> None:
        """One of two does not get through: that is told, and the other one too."""
        dead = probed("two", WELL[0], Failed("reached", 502, "target x refused", 1.0))
        checks = self.look(probed("one"), dead)
        self.assertEqual(
            self.results(checks, "target port"), [Result.PASS, Result.FAIL]
        )
        self.assertFalse(self.good)

    def test_one_hangs(self) -> None:
        """One that does not come hides no other, whoever is chosen first."""
        lost, good = refused(0, "no answer within 10 s"), probed("", listener="L0")
        for listeners in ((lost, good, lost), (good, lost), (lost, lost, good, lost)):
            checks = self.look(*listeners, described=Description(listeners=2))
            found = [one for one in checks if one.name == "listener"]
            self.assertEqual(
                [(one.subject[-10:], one.result) for one in found],
                [("listener 1", Result.PASS), ("listener 2", Result.FAIL)],
            )
            self.assertIn("hangs", found[1].mend)
            self.assertEqual(self.results(checks, "listeners"), [Result.PASS])

    def test_nobody_comes(self) -> None:
        """If none comes, they are not waited for again and again."""
        lost = refused(0, "no answer within 10 s")
        for count, probes in ((1, 1), (2, 3), (9, 3)):
            checks = self.look(*[lost] * 9, described=Description(listeners=count))
            self.assertEqual(len(self.prober.avoided), probes)
            self.assertEqual(self.first(checks, Result.FAIL).name, "listeners")

    def test_left_meanwhile(self) -> None:
        """A relay's no for a later one does not say that this one answered."""
        words = describe(NoListeners(), "4f56_G0", "relay.test", "/db", 0)
        gone = refused(404, words)
        checks = self.look(probed("one"), gone)
        self.assertEqual(self.results(checks, "listener"), [Result.PASS])

    def test_other_make(self) -> None:
        """One that knows no probes is no failure; what it cannot say is left out."""
        checks = self.look(Probed("4f56_G0", 0.5))
        self.assertEqual(self.results(checks, "listener"), [Result.PASS])
        self.assertEqual(self.results(checks, "target"), [Result.SKIP])
        self.assertTrue(self.good)

    def test_other_make_says_no(self) -> None:
        """What one says that knows no probes is its target's fault, or its own."""
        checks = self.look(refused(502, "target x refused the connection", "L1"))
        self.assertEqual(self.results(checks, "target port"), [Result.FAIL])
        checks = self.look(refused(400, "Rejected by user code"))
        self.assertEqual(self.results(checks, "listener"), [Result.FAIL])
        self.assertEqual(self.results(checks, "listeners"), [Result.PASS])

    def test_web_service(self) -> None:
        """A web service that opens no WebSocket for us has answered all the same."""
        no = refused(404, "No such page")
        checks = self.look(no, http=True)
        self.assertEqual(self.results(checks, "target"), [Result.SKIP])
        self.assertTrue(self.good)
        self.assertEqual(self.results(self.look(no), "listener"), [Result.FAIL])

    def test_web_service_of_ours(self) -> None:
        """An older listener of ours says so, which is a failure for bytes only."""
        no = refused(502, "target http://x opens no WebSocket: 404")
        for http, result in (
            (True, Result.SKIP),
            (None, Result.SKIP),
            (False, Result.FAIL),
        ):
            checks = self.look(no, http=http)
            self.assertEqual(self.results(checks, "target"), [result])
        self.assertIn("http = true", checks[-1].mend)

    def test_web_service_or_not(self) -> None:
        """HTTP leads to web services and nowhere else; bytes do not lead there."""
        for target, http, good in (
            ("http://app:80", True, True),
            ("https://app", False, False),
            ("app:80", True, False),
            ("app:80", False, True),
            ("https://app", None, True),
        ):
            self.look(probed("one", TargetIs(target, 0.1)), http=http)
            self.assertEqual(self.good, good, target)

    def test_broke_off(self) -> None:
        """A probe that breaks off is a failure, though nothing failed before."""
        checks = self.look(evolve(probed("one"), broken="the tunnel broke off"))
        self.assertEqual(self.results(checks, "listener"), [Result.PASS, Result.FAIL])

    def test_silent_about(self) -> None:
        """One that falls silent is so about the hop that it was at."""
        cases: tuple[tuple[Any, str, str], ...] = (
            (None, "listener", "listener's log"),
            ("target", "target", "listener's log"),
            ("found", "target name", "DNS of the listener's machine"),
            ("reached", "target port", "firewall between the listener's machine"),
            ("tls", "target TLS", "speak TLS"),
        )
        for awaited, hop, mend in cases:
            one = probed("one", TargetIs("db.corp:1", 0.1))
            checks = self.look(evolve(one, broken="silent", awaited=awaited))
            check = self.first(checks, Result.FAIL)
            self.assertEqual((check.name, check.seen[:6]), (hop, "silent"))
            self.assertIn(mend, check.mend)

    def test_mends(self) -> None:
        """No firewall is to be looked at for what does not come to one."""
        late = "target db.corp:1 did not answer in time: 10 s"
        cases: tuple[tuple[Any, str, str], ...] = (
            ("target", "The name for TLS is no host name", "--tls"),
            ("target", "The target is not found out", "listener's log"),
            ("found", late, "DNS"),
            ("reached", late, "firewall"),
        )
        for step, reason, mend in cases:
            checks = self.look(probed("one", Failed(step, 502, reason, 1.0)))
            self.assertIn(mend, self.first(checks, Result.FAIL).mend)


class RelayTests(FarCase):
    """What the relay itself says."""

    def words(self, refusal: Any) -> Probed:
        said = describe(refusal, "4f56_G0", "relay.test", "/db", 0)
        return refused(refusal.status, said)

    def test_nobody(self) -> None:
        """Nobody listens: that hop fails, and those behind it are left out."""
        checks = self.look(self.words(NoListeners()))
        failed = self.first(checks, Result.FAIL)
        self.assertEqual(failed.name, "listeners")
        self.assertEqual(self.results(checks, "token"), [Result.PASS])
        self.assertEqual(self.results(checks, "target"), [Result.SKIP])
        self.assertEqual(len(self.prober.avoided), 1)

    def test_right(self) -> None:
        """A key without Send fails, though the relay describes the entity to it."""
        checks = self.look(self.words(ClaimMissing(Claim.SEND)))
        self.assertEqual(self.first(checks, Result.FAIL).name, "token")

    def test_clock(self) -> None:
        """A token that is refused while the clock is wrong is no fault of its own."""
        checks = self.look(self.words(TokenExpired(1.0)), clock_good=False)
        self.assertTrue(all(one.result is Result.SKIP for one in checks))
        self.assertEqual(checks[0].seen, "clock failed")
        self.assertFalse(self.good)

    def test_not_described(self) -> None:
        """A relay that describes nothing to senders is no failure."""
        for error in (
            NotDescribed("no"),
            DescriptionError("the relay answered 401", 401),
            ConnectionRefusedError(),
        ):
            self.look(*[probed("one")] * 4, described=error)
            self.assertTrue(self.good)

    def test_ready_token(self) -> None:
        """Of a token that is not renewed it is said how long it is good, no more."""
        token = sign("http://relay.test/db", "send", KEY.reveal(), int(NOW + 3600))
        string = ConnectionString("relay.test", 443, "db", signature=Secret(token))
        checks = self.look(probed("one"), string=string)
        said = next(one.seen for one in checks if one.name == "token")
        self.assertIn("1970-01-12T14:46:40Z: it is not renewed", said)
        self.assertNotIn("sig", "".join(one.seen for one in checks))


class CircleTests(SynchronousTestCase):
    """A listener whose machine has the names redirected, too."""

    def test_circle(self) -> None:
        """It would connect to a sender in place of the target, and that to it."""
        own = IPv4Network("127.77.0.0/16")
        for address, good in (("127.77.1.2", False), ("10.0.0.5", True), ("?", True)):
            told = TargetIs("db.corp:1", 0.1), Found((address,), 0.1)
            checks = listener_checks("db", probed("one", *told), NOW, own=own)
            self.assertEqual(checks[-1].ok, good)
            self.assertEqual("circle" in checks[-1].seen, not good)
            self.assertEqual("IP address" in checks[-1].mend, not good)
            self.assertTrue(listener_checks("db", probed("one", *told), NOW)[-1].ok)

    def test_where(self) -> None:
        """What is to be mended is on the listener's machine."""
        told = (
            TargetIs("db.corp:1", 0.1),
            Failed("found", 502, "cannot be resolved", 0.1),
        )
        mend = listener_checks("db", probed("one", *told), NOW)[-1].mend
        self.assertIn("the listener's machine", mend)


class TLSTests(SynchronousTestCase):
    """The target's certificate."""

    def check(self, wrong: str = "", untrusted: str = "") -> Check:
        ends = NOW + 86400 * 80.5
        told = TargetTLS("TLSv1.3", ("db.corp",), "CA", ends, wrong, untrusted, 0.1)
        return listener_checks("db", probed("one", told), NOW)[-1]

    def test_well(self) -> None:
        """Its names, who signed it and how long it lasts."""
        check = self.check()
        self.assertEqual(check.result, Result.PASS)
        self.assertIn("certificate for db.corp signed by CA, 80 days left", check.seen)

    def test_wrong(self) -> None:
        """A wrong name is a failure; an authority that is not known there is none."""
        self.assertEqual(self.check(wrong="it is for other names").result, Result.FAIL)
        check = self.check(untrusted="unknown authority")
        self.assertEqual(check.result, Result.PASS)
        self.assertIn("is it to the apps?", check.seen)
