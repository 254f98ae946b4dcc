"""azbridge's preamble and its datagrams (relay-protocol section 10.1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.preamble import (
    DATAGRAM,
    IS_DATAGRAM,
    IS_STREAM,
    MAX_NAME,
    STREAM,
    UNSUPPORTED,
    BadAnswer,
    BadPreamble,
    DatagramReader,
    Preamble,
    accepted,
    check_port_name,
    looks_like_preamble,
    pack_datagram,
    parse_answer,
    parse_preamble,
)


class PreambleTests(SynchronousTestCase):
    """What a sender says first."""

    def test_bytes(self) -> None:
        """Version 1.0, mode and length in one message, the name in another."""
        self.assertEqual(Preamble("1433").messages(), (b"\x01\x00\x00\x04", b"1433"))
        self.assertEqual(
            Preamble("dns", DATAGRAM).messages(), (b"\x01\x00\x01\x03", b"dns")
        )

    def test_any_cut(self) -> None:
        """However it is cut, it is read when its last byte is there."""
        said = b"".join(Preamble("größe").messages())
        for end in range(len(said)):
            self.assertIsNone(parse_preamble(said[:end]))
        self.assertEqual(parse_preamble(said + b"more"), (Preamble("größe"), len(said)))

    def test_no_preamble(self) -> None:
        """Whatever is none is known by its first bytes, and answered as such."""
        for data in (b"GET / HTTP/1.1", b"\x16\x03\x01", b"\x01\x01", b"\x01\x00\x02"):
            error = self.assertRaises(BadPreamble, parse_preamble, data)
            self.assertEqual(error.answer, UNSUPPORTED)

    def test_bad_names(self) -> None:
        """A name has bytes, in UTF-8, and nothing that would spoil a log."""
        for name in (b"", b"\xff", b"a\nb"):
            data = b"\x01\x00\x00" + bytes([len(name)]) + name
            self.assertRaises(BadPreamble, parse_preamble, data)
        for text in ("", "a\nb", "x" * (MAX_NAME + 1)):
            self.assertRaises(ValueError, check_port_name, text)

    def test_recognized(self) -> None:
        """A first message that is most likely a preamble, and those that are not."""
        head, name = Preamble("sql").messages()
        self.assertTrue(looks_like_preamble(head))
        self.assertTrue(looks_like_preamble(head + name))
        for data in (b"", b"\x01\x00", b"\x01\x00\x00\x00", head + b"longer", b"SSH-2"):
            self.assertFalse(looks_like_preamble(data), data)

    @given(st.binary(max_size=300))
    def test_anything(self, data: bytes) -> None:
        """Nothing but L{BadPreamble} comes of anything."""
        try:
            found = parse_preamble(data)
        except BadPreamble:
            return
        if found is not None:
            preamble, used = found
            self.assertEqual(b"".join(preamble.messages()), data[:used])


class AnswerTests(SynchronousTestCase):
    """What a listener says to it."""

    def test_taken(self) -> None:
        """Yes is the version and the mode."""
        self.assertEqual(accepted(STREAM), b"\x01\x00\x00")
        self.assertEqual(parse_answer(b"\x01\x00\x01data", DATAGRAM), 3)
        for end in range(3):
            self.assertIsNone(parse_answer(accepted(STREAM)[:end], STREAM))

    def test_refused(self) -> None:
        """Each refusal has words; what is no answer is named as that at once."""
        for answer, words in (
            (UNSUPPORTED, "version or mode"),
            (IS_DATAGRAM, "for UDP"),
            (IS_STREAM, "for TCP"),
            (b"S", "not azbridge's"),
            (b"\x01\x00\x01", "not azbridge's"),
        ):
            error = self.assertRaises(BadAnswer, parse_answer, answer, STREAM)
            self.assertIn(words, str(error))


class DatagramTests(SynchronousTestCase):
    """Datagrams in a stream of bytes."""

    @given(st.lists(st.binary(max_size=70)), st.integers(1, 50))
    def test_any_cut(self, datagrams: list[bytes], size: int) -> None:
        """However the bytes are cut, the same datagrams come out, empty ones too."""
        stream = b"".join(map(pack_datagram, datagrams))
        reader = DatagramReader()
        found: list[bytes] = []
        for start in range(0, len(stream), size):
            found += reader.feed(stream[start : start + size])
        self.assertEqual(found, datagrams)

    def test_length(self) -> None:
        """Two bytes, the high one first."""
        self.assertEqual(pack_datagram(b"x" * 258)[:2], b"\x01\x02")
