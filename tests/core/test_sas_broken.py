"""Tests of L{hybridconn.core.sas.SasAuthorizer}: tokens that open nothing."""

from __future__ import annotations

import contextlib
import hmac
from unittest import mock
from urllib.parse import unquote

from attrs import evolve

from hybridconn.core import sas
from hybridconn.core.entities import Claim
from hybridconn.core.refusals import (
    ClaimMissing,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    Unauthorized,
    WrongAudience,
)
from tests.core import sas_timing
from tests.core.sas_case import (
    HYCO,
    LATER,
    NOW,
    ROOT_KEY,
    AuthorizerTestCase,
    rule,
)


class BrokenTokenTests(AuthorizerTestCase):
    """Tokens that open nothing (T1)."""

    def test_broken(self) -> None:
        """Every broken token is refused by 401, whatever is wrong with it."""
        good = self.token()
        self.authorize(good)
        _, _, rest = good.partition(" ")
        sr, sig, se, skn = rest.split("&")
        mac = sig.removeprefix("sig=")
        resource = sr.removeprefix("sr=")
        scheme = "SharedAccessSignature "
        broken = [
            None,
            "",
            " ",
            "SharedAccessSignature",
            scheme,
            rest,
            "Bearer " + rest,
            "SharedAccessSignature" + rest,
            "SharedAccessSignature  " + rest,
            " " + good,
            good + " ",
            good + "\r\nX: y",
            good + "&",
            good + "&x=1",
            good + "&" + sr,
            good + "&skn=",
            good + ", " + good,
            scheme + "&".join((sr, sig, se)),
            scheme + "&".join((sr, sig, skn)),
            scheme + "&".join((sr, se, skn)),
            scheme + "&".join((sig, se, skn)),
            scheme + "&".join((sr, "sig=", se, skn)),
            scheme + "&".join((sr, sig, "se=", skn)),
            scheme + "&".join((sr, sig, se, "skn")),
            scheme + ";".join((sr, sig, se, skn)),
            # Not seconds as they should be written.
            *(
                scheme + "&".join((sr, sig, f"se={text}", skn))
                for text in (
                    f"{LATER}.0",
                    f"+{LATER}",
                    f"-{LATER}",
                    "1e12",
                    "0x7fffffff",
                    "NaN",
                    "9999999999999",
                    "%31",
                    "\u0661",
                )
            ),
            # Signed, but not this.
            scheme + "&".join((sr + "%2F", sig, se, skn)),
            scheme + "&".join((f"sr={resource.lower()}", sig, se, skn)),
            scheme + "&".join((sr, sig, f"se={LATER + 1}", skn)),
            scheme + "&".join((sr, sig, f"se=0{LATER}", skn)),
            scheme + "&".join((sr, sig, se, "skn=agent")),
            scheme + "&".join((sr, sig, se, "skn=RootKey")),
            scheme + "&".join((sr, sig, se, "skn=nobody")),
            scheme + "&".join((sr, f"sig={mac[:-6]}", se, skn)),
            scheme + "&".join((sr, f"sig={mac.swapcase()}", se, skn)),
            scheme + "&".join((sr, "sig=%00", se, skn)),
            scheme + "&".join((sr, "sig=%ff%fe", se, skn)),
            scheme + "&".join((sr, f"sig={mac}{mac}", se, skn)),
            # Signed with what is no key here.
            self.token(key="app-3"),
            self.token(key="app-1 "),
            self.token(key="agent-1"),
            self.token(key=sas._DUMMY_KEY.reveal()),
            self.token(name="nobody", key=sas._DUMMY_KEY.reveal()),
            self.token(name="agent", key=sas._DUMMY_KEY.reveal()),
            # Over.
            self.token(expires_at=int(NOW)),
            self.token(expires_at=int(NOW) - 7 * 86400),
            self.token(expires_at=0),
        ]
        self.assertGreater(len(broken), 30)
        for token in broken:
            refusal = self.refused(Unauthorized, token)
            self.assertEqual(refusal.status, 401)
            if token and len(token) > 30:
                self.assertNotIn(mac, str(refusal))

    def test_one_answer(self) -> None:
        """An unknown rule and a wrong key cannot be told apart."""
        answers = {
            str(self.refused(TokenInvalid, token))
            for token in (self.token(key="x"), self.token(name="nobody", key="x"))
        }
        self.assertEqual(answers, {"The token has an invalid signature"})

    def test_same_work(self) -> None:
        """
        Every token costs the same, whatever rules and keys there are and
        whichever of them signed: four MACs, each compared in constant time.
        """
        both = evolve(HYCO, rules=(*HYCO.rules, rule("RootKey", "other", Claim.SEND)))
        for name, key in (
            ("app", "app-1"),
            ("app", "app-2"),
            ("app", "x"),
            ("agent", "x"),
            ("RootKey", ROOT_KEY),
            ("RootKey", "x"),
            ("nobody", "x"),
        ):
            for entity in (HYCO, both, None):
                token = self.token(name=name, key=key)
                with (
                    mock.patch.object(sas, "_mac", wraps=sas._mac) as mac,
                    mock.patch.object(
                        hmac, "compare_digest", wraps=hmac.compare_digest
                    ) as compare,
                ):
                    with contextlib.suppress(TokenInvalid):
                        self.authorize(token, entity=entity)
                    case = (name, key, entity)
                    self.assertEqual((mac.call_count, compare.call_count), (4, 4), case)
                for call in compare.call_args_list:
                    # Texts would have to be ASCII, and be told apart if not.
                    self.assertEqual(list(map(type, call.args)), [bytes, bytes])

    def test_timing_tool(self) -> None:
        """The measurement that is run by hand measures refusals of each kind."""
        kinds = sas_timing.tokens()
        self.assertEqual(len({len(unquote(token)) for token in kinds.values()}), 1)
        for token in kinds.values():
            self.refused(TokenInvalid, token)
        self.assertEqual(set(sas_timing.medians(1)), set(kinds))

    def test_key_is_not_decoded(self) -> None:
        """A key signs as it is printed, not as the octets that it looks like."""
        self.authorize(self.token(name="RootKey", key=ROOT_KEY))
        self.refused(TokenInvalid, self.token(name="RootKey", key=ROOT_KEY[:-1]))


class ExpiryTests(AuthorizerTestCase):
    """Tokens end (T3)."""

    def test_edge(self) -> None:
        """A token is good until the second at which it expires, not in it."""
        token = self.token(expires_at=int(NOW) + 1)
        self.authorize(token, now=NOW + 0.999)
        self.refused(TokenExpired, token, now=NOW + 1)

    def test_skew(self) -> None:
        """The clock skew makes tokens last longer."""
        token = self.token(expires_at=int(NOW))
        self.authorize(token, now=NOW + 59, clock_skew=60.0)
        self.refused(TokenExpired, token, now=NOW + 60, clock_skew=60.0)

    def test_sentence(self) -> None:
        """The answer says when the token ended."""
        refusal = self.refused(TokenExpired, self.token(expires_at=0))
        self.assertIn("'1970-01-01T00:00:00Z'", str(refusal))


class OrderTests(AuthorizerTestCase):
    """The first failure is the answer (relay-protocol section 3.3)."""

    def test_order(self) -> None:
        """Missing, malformed, signature, expired, audience, right."""
        past = int(NOW) - 1
        for kind, token in (
            (TokenMissing, None),
            (TokenMalformed, "garbage"),
            (TokenInvalid, self.token("other", "agent", "x", past)),
            (TokenExpired, self.token("other", "agent", "agent-1", past)),
            (WrongAudience, self.token("other", "agent", "agent-1")),
            (ClaimMissing, self.token("hyco", "agent", "agent-1")),
        ):
            self.refused(kind, token)
