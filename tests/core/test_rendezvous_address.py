"""Tests of L{hybridconn.core.rendezvous_address}."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import BadRequest
from hybridconn.core.rendezvous_address import (
    Rejection,
    build_address,
    capability_of,
    parse_rejection,
    query_of,
    reject_address,
)
from hybridconn.core.route import Accept, classify
from hybridconn.core.tracking import TrackingId
from tests.core.test_route import upgrade

GUID = "4f56f839-4267-4e78-99b4-06a83b18c8b4"
CAPABILITY = "Zm9v-_.YmFy"


def address(
    query: str = "x=1", path: str = "/hyco/a%2Fb", authority: str = "relay.example:8443"
) -> str:
    return build_address(
        authority, True, path, query, "accept", CAPABILITY, TrackingId(GUID)
    )


def dialled(url: str) -> RequestHead:
    return upgrade("/" + url.split("/", 3)[3])


class BuildTests(SynchronousTestCase):
    """The address (relay-protocol section 5.1)."""

    def test_form(self) -> None:
        """The sender's path and query as they are, then our parameters."""
        self.assertEqual(
            address("x=%2B&&y"),
            "wss://relay.example:8443/$hc/hyco/a%2Fb?x=%2B&&y&sb-hc-action=accept"
            f"&sb-hc-id={GUID}&sb-hc-rendezvous={CAPABILITY}",
        )

    def test_always_a_query(self) -> None:
        """A query is there even if the sender had none: rejections are appended."""
        self.assertIn("/hyco/a%2Fb?sb-hc-action=accept&", address(""))

    def test_plain(self) -> None:
        """Without TLS it is a ws address."""
        url = build_address("h", False, "/a", "", "request", "c", TrackingId(GUID))
        self.assertTrue(url.startswith("ws://h/$hc/a?sb-hc-action=request&"))

    def test_no_equals_sign(self) -> None:
        """A value of ours that Java could not split is a mistake of the caller."""
        for capability in ("", "a=", "a+b", "a/b", "a%20", "ä", "a\n"):
            self.assertRaises(
                ValueError,
                build_address,
                "h",
                True,
                "/a",
                "",
                "accept",
                capability,
                TrackingId(GUID),
            )

    def test_dialled(self) -> None:
        """The relay finds its secret and the sender's query in it again."""
        route = classify(dialled(address("x=1&sb-hc-rendezvous")))
        self.assertIsInstance(route, Accept)
        self.assertEqual(capability_of(route.address), CAPABILITY)
        self.assertEqual(route.address.sb_hc_id, GUID)
        self.assertEqual(route.address.raw_path, "/hyco/a%2Fb")
        self.assertEqual(route.address.passed_query, "x=1&sb-hc-rendezvous")
        self.assertIsNone(capability_of(classify(upgrade("/a")).address))


class RejectionTests(SynchronousTestCase):
    """What a listener hangs onto the address (relay-protocol section 6.3, T11)."""

    def parse(self, appended: str, query: str = "x=1") -> Rejection | None:
        issued = query_of(address(query))
        return parse_rejection(issued, issued + appended)

    def test_accepted(self) -> None:
        """The address as it was issued accepts, whatever the sender's query has."""
        for query in ("", "x=1", "statusCode=400", "statusDescription=x&statusCode=1"):
            self.assertIsNone(self.parse("", query))
            self.assertIsNone(self.parse("&other=1", query))

    def test_rejected(self) -> None:
        """Status and description are read, in any case of the names."""
        for appended, expected in (
            (
                "&sb-hc-statusCode=403&sb-hc-statusDescription=Go+away%2C%20please",
                Rejection(403, "Go away, please"),
            ),
            (
                "&sb-hc-statusDescription=b%2Bc&SB-HC-STATUSCODE=502",
                Rejection(502, "b+c"),
            ),
            ("&sb-hc-statusCode=999", Rejection(999)),
            ("&sb-hc-statusCode=100&sb-hc-statusDescription=", Rejection(100)),
            (
                "&sb-hc-statusCode=400&sb-hc-statusDescription=%C3%A4",
                Rejection(400, "ä"),
            ),
        ):
            self.assertEqual(self.parse(appended), expected, appended)

    def test_old_names(self) -> None:
        """Names without prefix count in what the listener added, nowhere else."""
        for query in ("", "statusCode=200&statusDescription=mine"):
            self.assertEqual(
                self.parse("&statusCode=401&statusDescription=No%20entry", query),
                Rejection(401, "No entry"),
            )

    def test_bad_status(self) -> None:
        """A status that is no integer from 100 to 999 is the listener's mistake."""
        for status in (
            "abc",
            "",
            "99",
            "1000",
            "-400",
            "400.0",
            "0400",
            "+400",
            "\uff1400",
        ):
            for name in ("sb-hc-statusCode", "statusCode"):
                appended = f"&{name}={quote(status)}"
                self.assertRaises(BadRequest, self.parse, appended)
        self.assertRaises(BadRequest, self.parse, "&sb-hc-statusDescription=x")

    def test_for_the_sender(self) -> None:
        """What the sender is answered is no success and is one line."""
        for appended, status, sentence in (
            ("&sb-hc-statusCode=101&sb-hc-statusDescription=x", 502, "x"),
            ("&sb-hc-statusCode=200", 502, "Bad Gateway"),
            ("&sb-hc-statusCode=400&sb-hc-statusDescription=a%0D%0Ab", 400, "a b"),
            (
                "&sb-hc-statusCode=451&sb-hc-statusDescription=" + "x" * 6144,
                451,
                "x" * 500,
            ),
        ):
            rejection = self.parse(appended)
            assert rejection is not None
            self.assertEqual(rejection.refusal.status, status)
            self.assertEqual(rejection.refusal.sentence, sentence)

    def test_written_anew(self) -> None:
        """A listener whose library orders or escapes the query anew is understood."""
        ours = f"sb-hc-action=accept&sb-hc-id={GUID}&sb-hc-rendezvous={CAPABILITY}"
        issued = query_of(address("b=+&statusCode=7"))
        for query, expected in (
            (f"b=%20&statusCode=7&{ours}", None),
            (f"{ours}&b=%20&statusCode=7", None),
            (f"b=%20&statusCode=7&{ours}&statusCode=401", Rejection(401)),
            (f"{ours}&b=%20&statusCode=7&statusCode=401", Rejection(401)),
            (f"sb-hc-statusCode=402&b=%20&{ours}", Rejection(402)),
            ("statusCode=403", None),
        ):
            self.assertEqual(parse_rejection(issued, query), expected, query)

    @given(st.integers(100, 999), st.text(st.characters(codec="utf-8")))
    def test_round_trip(self, status: int, description: str) -> None:
        """What our listener writes the relay reads; form encoding does as well."""
        issued = query_of(address())
        url = reject_address(address(), status, description)
        expected = Rejection(status, description)
        self.assertEqual(parse_rejection(issued, query_of(url)), expected)
        form = (
            f"&sb-hc-statusCode={status}"
            f"&sb-hc-statusDescription={quote_plus(description)}"
        )
        self.assertEqual(parse_rejection(issued, issued + form), expected)

    @given(st.text(max_size=30), st.text(max_size=30))
    def test_anything(self, query: str, appended: str) -> None:
        """Whatever a listener dials: a rejection, an accept, or its own mistake."""
        try:
            rejection = self.parse("&" + appended, query.replace("#", ""))
        except BadRequest:
            return
        if rejection is not None:
            self.assertIn(rejection.status, range(100, 1000))


class RejectAddressTests(SynchronousTestCase):
    """Writing a rejection."""

    def test_form(self) -> None:
        """It is appended; spaces are escaped so that everyone reads them."""
        self.assertEqual(
            reject_address("wss://h/$hc/a?x", 502, "no way & more"),
            "wss://h/$hc/a?x&sb-hc-statusCode=502"
            "&sb-hc-statusDescription=no%20way%20%26%20more",
        )
        self.assertIn("?sb-hc-statusCode=400&", reject_address("wss://h/a", 400, ""))

    def test_status(self) -> None:
        """A status that no relay takes is a mistake of the caller."""
        for status in (0, 99, 1000):
            self.assertRaises(ValueError, reject_address, "wss://h/a?b", status, "")
