"""Tests of L{hybridconn.core.tracking}."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.tracking import TrackingId

GUID = "4f56f839-4267-4e78-99b4-06a83b18c8b4"
FRESH = UUID("00000000-0000-4000-8000-000000000001")


class TrackingIdTests(SynchronousTestCase):
    """Tracking ids (relay-protocol section 13.3)."""

    def choose(self, sb_hc_id: str | None) -> TrackingId:
        return TrackingId.choose(sb_hc_id, lambda: FRESH)

    def test_sender_s_own(self) -> None:
        """An id that starts with a GUID is used, as far as it is one."""
        for given in (GUID, GUID + "_G7", GUID + "; x", GUID + "\r\n"):
            tracking = self.choose(given)
            self.assertEqual(str(tracking), GUID + "_G0")
            self.assertIsNone(tracking.given)
        self.assertEqual(self.choose(GUID.upper()).guid, GUID.upper())

    def test_fresh(self) -> None:
        """Any other id is replaced, and remembered to be logged."""
        for given in ("my-id", GUID[:-1], "x" + GUID, GUID.replace("-", "")):
            tracking = self.choose(given)
            self.assertEqual(str(tracking), f"{FRESH}_G0")
            self.assertEqual(tracking.given, given)
        self.assertEqual(self.choose(None), TrackingId(str(FRESH)))
        self.assertEqual(self.choose(""), TrackingId(str(FRESH)))
