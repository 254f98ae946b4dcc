"""Rejections."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.listener.reject import Reject


class RejectTests(SynchronousTestCase):
    """What a sender may be told."""

    def test_words(self) -> None:
        """The description is one line of ASCII, and not endless."""
        self.assertEqual(Reject(502, "a\r\nX: b\té").description, "a X: b ?")
        self.assertEqual(len(Reject(502, "x" * 9000).description), 500)
        self.assertEqual(str(Reject(403, "not you")), "403 not you")

    def test_status(self) -> None:
        """The status is one of a refusal."""
        self.assertEqual([Reject(n, "").status for n in (400, 999)], [400, 999])
        for status in (-1, 0, 101, 200, 302, 399, 1000):
            self.assertRaises(ValueError, Reject, status, "")
