"""Tests of L{hybridconn.diagnosis.answers}: each "no" is of one hop."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.addresses import HostPort, Target
from hybridconn.core.entities import Claim
from hybridconn.core.refusals import (
    AcceptTimedOut,
    AddressRefused,
    ClaimMissing,
    ConnectionQuota,
    EndpointNotFound,
    NoListeners,
    Refusal,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TooManyRequests,
    WrongAudience,
    describe,
)
from hybridconn.core.targets import TargetRules
from hybridconn.diagnosis.answers import blame
from hybridconn.listener.reject import Reject
from hybridconn.listener.wanted import check_same, choose


class BlameTests(SynchronousTestCase):
    """Whose fault a refused tunnel is."""

    def relays(self, refusal: Refusal) -> tuple[str, str]:
        words = describe(refusal, "4f56_G0", "relay.test", "/db", 0)
        found = blame(refusal.status, words, "4f56_G0")
        self.assertIn("4f56_G0", found.seen)
        self.assertNotIn("SystemTracker", found.seen)
        self.assertTrue(found.mend)
        return found.hop, found.mend

    def test_relay(self) -> None:
        """The relay's own refusals: the token, the hybrid connection, the listeners."""
        for refusal, hop, mend in (
            (TokenMissing(), "token", "anew"),
            (TokenInvalid(), "token", "anew"),
            (TokenExpired(1.0), "token", "clock"),
            (AddressRefused("contoso"), "token", "operator"),
            (ClaimMissing(Claim.SEND), "token", "with Send"),
            (WrongAudience(), "token", "operator"),
            (EndpointNotFound(), "hybrid connection", "EntityPath"),
            (NoListeners(), "listeners", "start a listener"),
            (AcceptTimedOut(), "listeners", "do not come"),
            (TooManyRequests(), "hybrid connection", "wait"),
            (ConnectionQuota(5), "hybrid connection", "wait"),
        ):
            found, words = self.relays(refusal)
            self.assertEqual(found, hop, refusal)
            self.assertIn(mend, words)

    def test_listener(self) -> None:
        """A listener's words: its target's name, port, or that it may not."""
        for words, hop in (
            ("target db.corp:1 refused the connection", "target port"),
            ("target db.corp:1 did not answer in time: 10 s", "target port"),
            ("target db.corp:1: its name cannot be resolved", "target name"),
            ("The target db.corp:1 is not in allow_targets", "target"),
            ("a.corp:1 is not in targets of the listener", "target"),
            ("Rejected by user code", "listener"),
        ):
            self.assertEqual(blame(502, words).hop, hop, words)

    def test_not_listed(self) -> None:
        """What a listener of many targets has not in its list is to be added to it."""
        found = blame(403, "a.corp:1 is not in targets of the listener")
        self.assertIn("add it to targets", found.mend)

    def test_another_target(self) -> None:
        """One target or many: the mend says what the configurations lack."""
        rules = TargetRules(())
        one = Target("b:2", HostPort("b", 2))
        for ask, mend in (
            (lambda: choose(None, rules), "endpoints in the [[redirect]]"),
            (lambda: check_same(one, HostPort("a", 1)), "have it serve targets"),
        ):
            reason = self.assertRaises(Reject, ask).description
            found = blame(403, reason)
            self.assertEqual(found.hop, "target", reason)
            self.assertIn(mend, found.mend)

    def test_too_many_probes(self) -> None:
        """What a listener of ours says to too many probes is no riddle."""
        found = blame(429, "The listener answers too many probes already")
        self.assertEqual(found.hop, "listener")
        self.assertIn("less often", found.mend)

    def test_no_answer(self) -> None:
        """Without an answer the logs know more."""
        self.assertEqual(blame(0, "no answer within 10 s").hop, "listeners")
