"""Tests of L{hybridconn.core.text}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.text import printable, standard_phrase, utc_text


class TextTests(SynchronousTestCase):
    """Text for status lines."""

    def test_printable(self) -> None:
        """Line breaks become a space, what is not ASCII a question mark."""
        self.assertEqual(printable("a\r\nSet-Cookie: b"), "a Set-Cookie: b")
        self.assertEqual(printable("für\0 dich"), "f?r  dich")
        self.assertEqual(printable("x" * 600), "x" * 512)

    @given(st.text(), st.integers(1, 60))
    def test_any_text(self, text: str, most: int) -> None:
        """Whatever comes in, one line of printable ASCII comes out."""
        line = printable(text, most)
        self.assertLessEqual(len(line), most)
        self.assertTrue(all(" " <= c <= "~" for c in line))

    def test_phrases(self) -> None:
        """Known statuses have their phrase, others what the caller says."""
        self.assertEqual(standard_phrase(404), "Not Found")
        self.assertEqual(standard_phrase(799), "")
        self.assertEqual(standard_phrase(799, "Rejected"), "Rejected")

    def test_far_future(self) -> None:
        """The time of a token of twelve digits can be shown."""
        self.assertEqual(utc_text(999_999_999_999), "9999-12-31T23:59:59Z")
