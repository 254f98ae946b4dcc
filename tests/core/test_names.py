"""Tests of L{hybridconn.core.names}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.names import (
    decode_path,
    fold,
    is_usual_entity_path,
    parse_entity_path,
    parse_namespace_name,
)


class NamespaceNameTests(SynchronousTestCase):
    """Names of namespaces."""

    def test_good(self) -> None:
        """6 to 50 letters, digits and hyphens."""
        for name in ("contoso", "Con-Toso-2", "a23456", "a" * 50):
            self.assertEqual(parse_namespace_name(name), name)

    def test_bad(self) -> None:
        """Anything else is refused with a sentence that does not repeat it."""
        for name in (
            "",
            "short",
            "a" * 51,
            "con toso",
            "2contoso",
            "contoso-",
            "contóso",
        ):
            error = self.assertRaises(ValueError, parse_namespace_name, name)
            if name:
                self.assertNotIn(name, str(error))


class EntityPathTests(SynchronousTestCase):
    """Paths of hybrid connections."""

    def test_good(self) -> None:
        """1 to 260 of the allowed characters, alphanumeric at both ends."""
        for path in ("a", "db", "a/b/c", "A.b-c_d/9", "a" * 260, "a/b.c", "a..b"):
            self.assertEqual(parse_entity_path(path), path)

    def test_bad(self) -> None:
        """Anything else is refused."""
        for path in (
            "",
            "a" * 261,
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "a/./b",
            "-a",
            "a_",
            ".a",
            "a b",
            "a%20b",
            "a\\b",
            "a\0b",
            "ä",
            "a$hc",
        ):
            self.assertRaises(ValueError, parse_entity_path, path)

    def test_message(self) -> None:
        """The sentence points at the mistake and does not repeat the text."""
        error = self.assertRaises(ValueError, parse_entity_path, "secret key=")
        self.assertEqual(
            str(error),
            "character 7 is not allowed; use letters, digits, period, hyphen,"
            " underscore and slash",
        )

    def test_usual(self) -> None:
        """Azure's own managers take letters, digits and hyphens."""
        self.assertTrue(is_usual_entity_path("db-2"))
        for path in ("", "a/b", "a.b", "a_b"):
            self.assertFalse(is_usual_entity_path(path))


class FoldTests(SynchronousTestCase):
    """Comparing without case."""

    def test_ascii_only(self) -> None:
        """Only ASCII letters lose their case: others would join what differs."""
        self.assertEqual(fold("AbC-9"), "abc-9")
        self.assertEqual(fold("\u212aÄ A"), "\u212aÄ a")  # the Kelvin sign is no k


class DecodePathTests(SynchronousTestCase):
    """The path of a request (T5)."""

    def test_segments(self) -> None:
        """The path is decoded once, by segments; one slash at the end is ignored."""
        for raw, expected in (
            ("/", ()),
            ("/hyco", ("hyco",)),
            ("/hyco/", ("hyco",)),
            ("/a/b/c", ("a", "b", "c")),
            ("/h%79co/x%20y", ("hyco", "x y")),
            ("/hyco/%C3%A4", ("hyco", "ä")),
            ("/hyco/a%252Fb", ("hyco", "a%2Fb")),
            ("/hyco/a%2Fb", ("hyco", "a/b")),
            ("/hyco/%zz", ("hyco", "%zz")),
            ("/hyco/...", ("hyco", "...")),
            ("/hyco/a+b", ("hyco", "a+b")),
        ):
            self.assertEqual(decode_path(raw), expected, raw)

    def test_tricks(self) -> None:
        """Tricks are refused before anything is looked up."""
        for raw in (
            "//",
            "//hyco",
            "/a//b",
            "/hyco//",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2E/b",
            "/a/%2e",
            "/a/x%2f..%2f..%2fb",
            "/hy%2fco",
            "/%2f",
            "/a%00",
            "/a/%0d%0a",
            "/a/%7f",
            "/a/%C2%85",
            "/a\\b",
            "/a%5cb",
            "/a/%ff",
            "/a/%C0%AF",
            "/a/%ED%A0%80",
            "/" + "a" * 261,
            "/" + "%61" * 261,
        ):
            self.assertRaises(ValueError, decode_path, raw)

    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40))
    def test_any_text(self, text: str) -> None:
        """Whatever comes: clean segments, or a ValueError."""
        try:
            segments = decode_path("/" + text)
        except ValueError:
            return
        for segment in segments:
            self.assertTrue(segment)
            self.assertNotIn(segment, (".", ".."))
            self.assertFalse(set(segment) & set("\\\0\r\n"))

    @given(st.lists(st.sampled_from(["a", "b", ".", "..", "", "%2e", "%2f", "a%2fb"])))
    def test_pieces(self, pieces: list[str]) -> None:
        """An accepted path has one segment for each raw one."""
        raw = "/" + "/".join(pieces)
        try:
            segments = decode_path(raw)
        except ValueError:
            return
        slashes = raw.removesuffix("/").count("/")
        self.assertEqual(len(segments), slashes)
