"""Tests of L{hybridconn.web.head}."""

from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.limits import Limits
from hybridconn.core.refusals import (
    BadRequest,
    HeadersTooLarge,
    MethodNotAllowed,
    Refusal,
    TargetTooLong,
)
from hybridconn.web.head import HeadReader

GOOD = b"GET /a HTTP/1.1\r\nHost: h\r\n0: odd name\r\nX: \xe9\t!\r\n\r\n"


def read(data: bytes, limits: Limits | None = None) -> bytes | None:
    """What a fresh reader makes of C{data} in one piece."""
    reader = HeadReader(limits or Limits())
    reader.feed(data)
    return reader.next_head()


def head(*fields: bytes, line: bytes = b"POST / HTTP/1.1") -> bytes:
    """A head with one Host and C{fields}."""
    return b"\r\n".join([line, b"Host: h", *fields, b"", b""])


class GrammarTests(SynchronousTestCase):
    """What is a head, and what could be taken for one."""

    def test_good(self) -> None:
        """A head comes out as it went in, odd names and octets included."""
        self.assertEqual(read(GOOD), GOOD)

    def test_pieces(self) -> None:
        """It does not matter how the bytes are cut."""
        reader = HeadReader(Limits())
        for index in range(len(GOOD) - 1):
            reader.feed(GOOD[index : index + 1])
            self.assertIsNone(reader.next_head())
        reader.feed(GOOD[-1:])
        self.assertEqual(reader.next_head(), GOOD)
        self.assertFalse(reader.begun)

    def test_rest(self) -> None:
        """What follows a head stays, for the next request or an upgrade."""
        reader = HeadReader(Limits())
        reader.feed(GOOD + GOOD + b"\x81\x00")
        self.assertEqual(reader.next_head(), GOOD)
        self.assertEqual(reader.next_head(), GOOD)
        self.assertEqual(reader.pending, 2)
        self.assertEqual(reader.take_rest(), b"\x81\x00")
        self.assertEqual(reader.pending, 0)

    def test_empty_line_before(self) -> None:
        """One empty line before a request is skipped, a second one is not."""
        self.assertEqual(read(b"\r\n" + GOOD), GOOD)
        self.assertRaises(BadRequest, read, b"\r\n\r\n" + GOOD)
        reader = HeadReader(Limits())
        for piece in (b"\r", b"\n", GOOD[:1]):
            reader.feed(piece)
            self.assertIsNone(reader.next_head())
        reader.feed(GOOD[1:])
        self.assertEqual(reader.next_head(), GOOD)

    def test_bad_request_lines(self) -> None:
        """A request line has three words, a known version and no controls."""
        for line in (
            b"GET  / HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b" GET / HTTP/1.1",
            b"GET /\tHTTP/1.1",
            b"GET / HTTP/1.2",
            b"GET / HTTP/2.0",
            b"PRI * HTTP/2.0",
            b"GET /",
            b"GET / http/1.1",
            b"GET /\xc3\xa9 HTTP/1.1",
            b"GET /\x7f HTTP/1.1",
            b"GET /a b HTTP/1.1",
            b"G(T / HTTP/1.1",
        ):
            self.assertRaises(BadRequest, read, head(line=line))

    def test_tls_on_plain_port(self) -> None:
        """Bytes that can begin no request are refused at once."""
        self.assertRaises(BadRequest, read, b"\x16\x03\x01")

    def test_connect(self) -> None:
        """CONNECT is not for us."""
        line = b"CONNECT db:1433 HTTP/1.1"
        error = self.assertRaises(MethodNotAllowed, read, head(line=line))
        self.assertIn("GET", dict(error.headers)["Allow"])

    def test_bad_fields(self) -> None:
        """A field is a name, a colon at once, and a value without controls."""
        for field in (
            b"X : y",
            b" X: y",
            b"X: a\r\n folded",
            b"X: a\r\n\tfolded",
            b": y",
            b"X",
            b"X(: y",
            b"X: a\x00b",
            b"X: a\x0bb",
            b"X: a\x1bb",
            b"X: a\x7fb",
            b"X: a\rb",
        ):
            self.assertRaises(BadRequest, read, head(field))

    def test_bare_line_feed(self) -> None:
        """Every line ends in CR LF, the empty one too."""
        for data in (
            b"GET / HTTP/1.1\nHost: h\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h\r\n\n",
            b"GET / HTTP/1.1\r\nHost: h\r\r\n\r\n",
            b"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        ):
            self.assertRaises(BadRequest, read, data)

    def test_hosts(self) -> None:
        """One Host; HTTP/1.0 may do without, nobody may have two."""
        self.assertRaises(BadRequest, read, b"GET / HTTP/1.1\r\n\r\n")
        self.assertRaises(BadRequest, read, head(b"Host: h"))
        self.assertRaises(BadRequest, read, head(b"hOST: other"))
        self.assertIsNotNone(read(b"GET / HTTP/1.0\r\n\r\n"))
        self.assertRaises(BadRequest, read, head(b"Host: h", line=b"GET / HTTP/1.0"))

    def test_framing(self) -> None:
        """A body has one length, or is chunked and nothing else."""
        for fields in (
            (b"Content-Length: 1", b"Transfer-Encoding: chunked"),
            (b"Content-Length: 1", b"Content-Length: 1"),
            (b"Content-Length: 1, 1",),
            (b"Content-Length: +1",),
            (b"Content-Length: -1",),
            (b"Content-Length: 0x1",),
            (b"Content-Length: 1_0",),
            (b"Content-Length: \xb2",),
            (b"Content-Length:",),
            (b"Content-Length: 1 2",),
            (b"Content-Length: 9999999999999999999",),
            (b"Transfer-Encoding: gzip, chunked",),
            (b"Transfer-Encoding: chunked, identity",),
            (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            (b"Transfer-Encoding: xchunked",),
            (b"Transfer-Encoding: identity",),
            (b"Transfer-Encoding:",),
            (b"Transfer-Encoding: \x0bchunked",),
            (b"Transfer-Encoding : chunked",),
        ):
            self.assertRaises(BadRequest, read, head(*fields))
        for field in (
            b"Content-Length: 0",
            b"content-length:12\t",
            b"TRANSFER-ENCODING: Chunked",
        ):
            self.assertIsNotNone(read(head(field)))
        chunked = head(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0")
        self.assertRaises(BadRequest, read, chunked)


class LimitTests(SynchronousTestCase):
    """No head costs more than its limits."""

    limits = Limits(
        max_request_line_bytes=300,
        max_headers_bytes=2000,
        max_header_bytes=400,
        max_headers=12,
    )

    def test_request_line(self) -> None:
        """A request line of the limit passes, one byte more is 414."""
        line = b"GET /%s HTTP/1.1" % (b"a" * (300 - 14))
        self.assertIsNotNone(read(head(line=line), self.limits))
        longer = line.replace(b"/a", b"/aa")
        self.assertRaises(TargetTooLong, read, head(line=longer), self.limits)

    def test_request_line_without_end(self) -> None:
        """A request line is refused before its end is here."""
        self.assertRaises(TargetTooLong, read, b"GET /" + b"a" * 300, self.limits)

    def test_one_field(self) -> None:
        """A field of the limit passes, one byte more is 431."""
        field = b"X: " + b"a" * 397
        self.assertIsNotNone(read(head(field), self.limits))
        self.assertRaises(HeadersTooLarge, read, head(field + b"a"), self.limits)

    def test_one_field_without_end(self) -> None:
        """A field is refused before its end is here."""
        data = b"GET / HTTP/1.1\r\nX: " + b"a" * 400
        self.assertRaises(HeadersTooLarge, read, data, self.limits)

    def test_all_fields(self) -> None:
        """All fields with their line ends may have the limit, and no byte more."""
        rest = 2000 - len(b"Host: h\r\n") - 4 * 402
        fields = [b"X: " + b"a" * 397] * 4 + [b"Y: " + b"a" * (rest - 5)]
        self.assertIsNotNone(read(head(*fields), self.limits))
        fields[-1] += b"a"
        self.assertRaises(HeadersTooLarge, read, head(*fields), self.limits)

    def test_number(self) -> None:
        """So many fields pass, one more is 431."""
        self.assertIsNotNone(read(head(*[b"X: y"] * 11), self.limits))
        self.assertRaises(HeadersTooLarge, read, head(*[b"X: y"] * 12), self.limits)

    def test_defaults_of_the_protocol(self) -> None:
        """32 kB of header fields pass with the defaults."""
        fields = [b"X: " + b"a" * 8000] * 4
        self.assertIsNotNone(read(head(*fields)))


class AgreementTests(SynchronousTestCase):
    """The two parsers never differ."""

    @given(
        st.lists(
            st.sampled_from(
                [
                    *(bytes([octet]) for octet in b"\r\n\t :,aA/1.\x00\x7f\xff"),
                    b"\r\n",
                    b"Host: h",
                    b"GET / HTTP/1.1\r\n",
                    b"Content-Length: 3",
                    b"Transfer-Encoding: chunked",
                    b"Connection: upgrade",
                ]
            ),
            max_size=30,
        )
    )
    def test_h11_takes_what_passes(self, parts: list[bytes]) -> None:
        """
        Anything is a head, incomplete or a refusal; a head is one for h11 too,
        to its last byte.
        """
        data = b"GET / HTTP/1.1\r\n" + b"".join(parts) + b"\r\n\r\n"
        try:
            found = read(data)
        except Refusal:
            return
        if found is not None:
            connection = h11.Connection(h11.SERVER)
            connection.receive_data(found)
            self.assertIsInstance(connection.next_event(), h11.Request)
            self.assertEqual(connection.trailing_data[0], b"")
