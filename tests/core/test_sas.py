"""Tests of L{hybridconn.core.sas}: making and reading tokens."""

from __future__ import annotations

import random
from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Secret
from hybridconn.core.names import fold_segments
from hybridconn.core.refusals import TokenMalformed
from hybridconn.core.sas import SasToken, audience_of, covers, sign

KEY = "c2FtcGxlLWtleS1mb3ItdGhlLXNwZWMtMDEyMzQ1Njc="
EXPIRY = 1_900_000_000

# Resource as encoded in the token, and the MAC: relay-protocol section 3.4.
WORKED = (
    (
        "http%3A%2F%2Frelay.example.net%2Fhyco",
        "6s0FRVtLdYrTrzToPhWYQg02INhTq/j/gEtJfEpEw5Y=",
    ),
    (
        "http%3A%2F%2Frelay.example.net%2Fhyco%2F",
        "nZFgygSaBUUpjMw6hrIVdGp6ihVzFf9yWKr0UofPPtM=",
    ),
    (
        "http%3A%2F%2Frelay.example.net%3A443%2Fhyco",
        "UPt0pTTcWuUKrctJSpSy7ZMMjTFN0ncfEBDTiZPBODA=",
    ),
    (
        "http%3a%2f%2frelay.example.net%2fhyco",
        "7jdQR4pMCWFRBt/0i9Vhfmzg9rtTfd1CwHLkeBeiW2w=",
    ),
)


class SignTests(SynchronousTestCase):
    """Making tokens."""

    def test_worked_example(self) -> None:
        """The token of relay-protocol section 3.4 comes out, letter by letter."""
        self.assertEqual(
            sign("http://relay.example.net/hyco", "RootKey", KEY, EXPIRY),
            "SharedAccessSignature sr=http%3A%2F%2Frelay.example.net%2Fhyco"
            "&sig=6s0FRVtLdYrTrzToPhWYQg02INhTq%2Fj%2FgEtJfEpEw5Y%3D"
            "&se=1900000000&skn=RootKey",
        )

    def test_worked_signatures(self) -> None:
        """Each resource of the table has its signature, as it is encoded."""
        for encoded, mac in WORKED[:3]:
            token = sign(unquote(encoded), "RootKey", KEY, EXPIRY)
            self.assertIn(f"sig={quote(mac, safe='')}&", token)
        for encoded, mac in WORKED:
            parsed = SasToken(encoded, mac, str(EXPIRY), "RootKey")
            self.assertTrue(parsed.signed_with(Secret(KEY)), encoded)
            self.assertFalse(parsed.signed_with(Secret(KEY[:-1])), encoded)

    def test_bad_arguments(self) -> None:
        """A name or key that no relay would take makes no token."""
        for name, key in (("", "k"), ("n", ""), ("n" * 257, "k"), ("n", "k" * 257)):
            self.assertRaises(ValueError, sign, "http://h/p", name, key, EXPIRY)

    @given(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
        st.integers(0, 999_999_999_999),
    )
    def test_round_trip(self, name: str, key: str, expires_at: int) -> None:
        """A token that was made can be read and bears its key's signature."""
        parsed = SasToken.parse(sign("http://h/p", name, key, expires_at))
        self.assertEqual((parsed.key_name, parsed.expires_at), (name, expires_at))
        self.assertTrue(parsed.signed_with(Secret(key)))
        self.assertFalse(parsed.signed_with(Secret(key + "x")))

    def test_audience_of(self) -> None:
        """Our own tokens name scheme, host and path, nothing else."""
        self.assertEqual(audience_of("::1", "/a/b/"), "http://[::1]/a/b")
        self.assertEqual(audience_of("h.example"), "http://h.example/")


GOOD = ("sr=http%3a%2f%2fh%2fp", "sig=abc%3d", "se=1900000000", "skn=RootKey")


def oracle(text: str) -> tuple[str, str, str, str] | None:
    """Read a token in another way: sort its fields and look at the four."""
    words = text.split(" ")
    if len(words) != 2 or words[0].lower() != "sharedaccesssignature":
        return None
    fields = [field.split("=", 1) for field in words[1].split("&")]
    if sorted(field[0].lower() for field in fields) != ["se", "sig", "skn", "sr"]:
        return None
    named = {field[0].lower(): field[1] if len(field) == 2 else "" for field in fields}
    if not all(named.values()) or any(not "!" <= c <= "~" for c in words[1]):
        return None
    if len(named["se"]) > 12 or any(c not in "0123456789" for c in named["se"]):
        return None
    return named["sr"], named["sig"], named["se"], named["skn"]


class ParseTests(SynchronousTestCase):
    """Reading tokens (T2)."""

    def test_variants(self) -> None:
        """Order of fields, and case of their names and the scheme, are free."""
        expected = SasToken("http%3a%2f%2fh%2fp", "abc=", "1900000000", "RootKey")
        for text in (
            "SharedAccessSignature " + "&".join(GOOD),
            "SharedAccessSignature " + "&".join(reversed(GOOD)),
            "sharedaccesssignature " + "&".join(GOOD),
            "SHAREDACCESSSIGNATURE SR=http%3a%2f%2fh%2fp&Sig=abc=&SE=1900000000"
            "&sKn=RootKey",
            "SharedAccessSignature sr=http%3a%2f%2fh%2fp&sig=abc%3D&se=1900000000"
            "&skn=%52ootKey",
        ):
            self.assertEqual(SasToken.parse(text), expected, text)

    def test_encodings(self) -> None:
        """The resource stays as it is; signature and name are decoded."""
        token = SasToken.parse(
            "SharedAccessSignature sr=a!'()*~%2b+&sig=a+b/c%2B%2f=&se=1&skn=my+key%21"
        )
        self.assertEqual(token.resource, "a!'()*~%2b+")
        self.assertEqual(token.signature, "a+b/c+/=")
        self.assertEqual(token.key_name, "my key!")

    def test_too_long(self) -> None:
        """Neither a name nor a token without end is looked at."""
        for field in ("skn=" + "n" * 257, "skn=" + "n" * 9000):
            self.assertRaises(
                TokenMalformed,
                SasToken.parse,
                "SharedAccessSignature " + "&".join((*GOOD[:3], field)),
            )

    def test_repr(self) -> None:
        """The repr of a token does not show its signature."""
        self.assertNotIn(
            "abc", repr(SasToken.parse("SharedAccessSignature " + "&".join(GOOD)))
        )

    @given(
        st.permutations(
            [*GOOD, "se=12", "sig=", "sr", "x=1", "SKN=a", "se=1 2", "se=+1", "se=1e3"]
        ),
        st.integers(2, 6),
        st.sampled_from(
            ["SharedAccessSignature ", "sharedAccessSignature ", "SAS ", ""]
        ),
    )
    def test_fields(self, parts: list[str], count: int, scheme: str) -> None:
        """Doubled, missing, empty and foreign fields are told as the oracle does."""
        self.check(scheme + "&".join(parts[:count]))

    @given(st.randoms(use_true_random=False))
    def test_mutations(self, rng: random.Random) -> None:
        """After any small change a token is read as the oracle reads it."""
        text = "SharedAccessSignature " + "&".join(rng.sample(GOOD, 4))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(text))
            piece = rng.choice(
                ["", "&", "=", " ", "0", "%", "é", "\n", "\u0661", *GOOD]
            )
            text = text[:at] + piece + text[at + rng.randrange(2) :]
        self.check(text)

    def check(self, text: str) -> None:
        expected = oracle(text)
        try:
            token = SasToken.parse(text)
        except TokenMalformed:
            self.assertIsNone(expected, text)
            return
        assert expected is not None, text
        self.assertEqual((token.resource, token.expiry), (expected[0], expected[2]))


SEGMENTS = st.lists(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17F), min_size=1),
    max_size=4,
)


class AudienceTests(SynchronousTestCase):
    """What a token is for (relay-protocol section 3.2, T4)."""

    def audience(self, uri: str) -> tuple[str, tuple[str, ...]] | None:
        return SasToken(quote(uri, safe=""), "s", "1", "k").audience()

    def test_does_not_count(self) -> None:
        """Scheme, port, query, fragment, slashes at the end and $hc do not count."""
        for uri in (
            "http://relay.example.net/hyco",
            "https://relay.example.net/hyco",
            "sb://relay.example.net/hyco/",
            "wss://relay.example.net:443/hyco",
            "HTTP://Relay.Example.NET:8443/HyCo//",
            "http://relay.example.net./hyco",
            "http://relay.example.net/hyco?sb-hc-action=listen",
            "http://relay.example.net/hyco#x",
            "http://relay.example.net/$hc/hyco",
            "wss://relay.example.net/%24HC/hyco",
            "http://relay.example.net/h%79co",
        ):
            self.assertEqual(self.audience(uri), ("relay.example.net", ("hyco",)), uri)

    def test_whole_host(self) -> None:
        """Without a path the token is for all of the host."""
        for uri in ("http://h", "http://h/", "http://h/$hc/", "http://h?x"):
            self.assertEqual(self.audience(uri), ("h", ()), uri)

    def test_no_uri(self) -> None:
        """What is no URI with a host is for nothing."""
        for uri in (
            "relay.example.net/hyco",
            "//h/hyco",
            "http:/h/hyco",
            "http://",
            "http:///hyco",
            "http://u@h/hyco",
            "http://h@evil/hyco",
            "http://h:x/hyco",
            "1http://h/",
            "hyco",
        ):
            self.assertIsNone(self.audience(uri), uri)

    def test_encoded_space(self) -> None:
        """A plus sign in the token is a space, as form encoding writes it."""
        token = SasToken("http%3A%2F%2Fh%2Fa+b", "s", "1", "k")
        self.assertEqual(token.audience(), ("h", ("a b",)))

    @given(SEGMENTS)
    def test_any_path(self, segments: list[str]) -> None:
        """The segments of any path are found again, however they look."""
        path = "/".join(quote(segment, safe="") for segment in segments)
        if segments and segments[0].lower() == "$hc":
            return
        self.assertEqual(
            self.audience("http://h/" + path), ("h", fold_segments(segments))
        )

    @given(
        st.lists(st.sampled_from(["a", "ab", "b"]), max_size=3),
        st.lists(st.sampled_from(["a", "ab", "b"]), max_size=4),
    )
    def test_covers(self, audience: list[str], segments: list[str]) -> None:
        """A covers B exactly if its segments are a prefix of B's."""
        text = "".join(f"{segment}/" for segment in segments)
        expected = text.startswith("".join(f"{segment}/" for segment in audience))
        self.assertEqual(covers(audience, segments), expected)
