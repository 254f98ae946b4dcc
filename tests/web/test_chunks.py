"""Tests of L{hybridconn.web.chunks}."""

from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.refusals import BadRequest
from hybridconn.web.chunks import ChunkCheck

GOOD = (
    b"3\r\nabc\r\n",
    b"3;x=y\r\nabc\r\n",
    b'3;x="\t \xe9"\r\n\r\n\r\r\n',
    b"0000000000000003\r\nabc\r\n",
    b"3  \r\nabc\r\n",
    b"aB\r\n" + b"\n" * 171 + b"\r\n",
)
ENDS = (b"0\r\n\r\n", b"000\r\nX: y\r\nZ:\r\n\r\n", b"0;x\r\n\r\n")
BAD = (
    b"\r\n",
    b"3\nabc\r\n",
    b"3;a\nb\r\nabc\r\n",
    b"3;a\rb\r\nabc\r\n",
    b"3\r\r\nabc\r\n",
    b"3;\x00\r\nabc\r\n",
    b"3;\x7f\r\nabc\r\n",
    b"3 ;x\r\nabc\r\n",
    b"3 x\r\nabc\r\n",
    b" 3\r\nabc\r\n",
    b"+3\r\nabc\r\n",
    b"-3\r\nabc\r\n",
    b"0x3\r\nabc\r\n",
    b"3_0\r\nabc\r\n",
    b"\xb3\r\nabc\r\n",
    b"8000000000000000\r\nabc\r\n",
    b"00000000000000003\r\nabc\r\n",
    b"0\n\r\n",
    b"0\r\n\n",
    b"0\r\nX: y\n\r\n",
    b"0\r\nX: y\r\n\n",
    b"0\r\nX: y\r\n z\r\n\r\n",
    b"0\r\nX : y\r\n\r\n",
    b"0\r\nX: \x00\r\n\r\n",
    b"0\r\nX\r\n\r\n",
)


class ChunkTests(SynchronousTestCase):
    """What is one way only to read."""

    def test_good(self) -> None:
        """Chunks pass, with extensions and trailers, however they are cut."""
        for end in ENDS:
            data = b"".join(GOOD) + end
            ChunkCheck().check(data)
            check = ChunkCheck()
            for index in range(len(data)):
                check.check(data[index : index + 1])
            check.check(b"\n what follows is no chunk")

    def test_bad(self) -> None:
        """Anything else is 400, however it is cut."""
        for data in BAD:
            self.assertRaises(BadRequest, ChunkCheck().check, GOOD[0] + data)
            check = ChunkCheck()
            with self.assertRaises(BadRequest, msg=data):
                for index in range(len(data)):
                    check.check(data[index : index + 1])

    @given(
        st.lists(
            st.sampled_from(
                [
                    *(bytes([octet]) for octet in b"\r\n\t ;:,ax03\x00\x7f\xff"),
                    *(b"\r\n", b"3\r\nabc\r\n", b"0\r\n", b"X: y\r\n"),
                ]
            ),
            max_size=20,
        )
    )
    def test_agrees_with_h11(self, parts: list[bytes]) -> None:
        """What passes to its end ends at the same byte for h11."""
        data = b"".join(parts) + b"\r\n0\r\n\r\nGET"
        check = ChunkCheck()
        connection = h11.Connection(h11.SERVER)
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.receive_data(head)
        connection.next_event()
        for index in range(len(data)):
            try:
                check.check(data[index : index + 1])
                connection.receive_data(data[index : index + 1])
                while isinstance(event := connection.next_event(), h11.Data):
                    pass
            except (BadRequest, h11.RemoteProtocolError):
                return
            self.assertEqual(check.over, isinstance(event, h11.EndOfMessage))
            if check.over:
                return
