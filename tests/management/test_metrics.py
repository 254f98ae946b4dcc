"""Metrics of a relay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hybridconn.core.live import Counts
from hybridconn.management import metrics
from hybridconn.management.metrics import MetricsRoutes
from hybridconn.management.routing import Route
from hybridconn.testing.fakes import Answer
from tests.management.case import ENDPOINT, NS, ApiCase
from tests.prometheus import samples_of

KEY = ("contoso-relay", "plant/db")


class MetricsTests(ApiCase):
    """C{GET /metrics}."""

    def routes(self) -> Iterable[Route]:
        """Metrics too."""
        return [*super().routes(), *MetricsRoutes(self.server).routes()]

    def setUp(self) -> None:
        super().setUp()
        self.namespace()
        for path in ("Plant%2Fdb", "other"):
            place = f"{NS}/hybridConnections/{path}"
            self.good("PUT", place, {"properties": {"userMetadata": ENDPOINT}})
        self.live.at[KEY] = Counts(2, 3, 4, 5, 600, 700, 8, 9, 1000, 1100)
        self.live.refused = {"Unauthorized": 6}

    def text(self) -> str:
        """What Prometheus reads, as a reader."""
        answer = self.request("GET", "/metrics", role="reader", query="").outcome
        assert isinstance(answer, Answer), answer
        self.assertEqual(answer.status, 200, answer.body)
        self.assertTrue(dict(answer.headers)["Content-Type"].startswith("text/plain"))
        return answer.body.decode()

    def samples(self) -> dict[tuple[str, ...], float]:
        """All series, by name and labels."""
        return samples_of(self.text())

    def test_counts(self) -> None:
        """What is open, what there was, and bytes, by connection and by namespace."""
        found = self.samples()
        for prefix, labels in (
            ("hybridconn_relay_connection_", ("Plant/db", "contoso-relay")),
            ("hybridconn_relay_namespace_", ("contoso-relay",)),
        ):
            for name, value in (
                ("listeners", 2),
                ("tunnels_open", 3),
                ("http_requests_open", 4),
                ("waiting_senders", 5),
                ("tunnels_total", 11),
                ("http_requests_total", 13),
            ):
                self.assertEqual(found[(prefix + name, *labels)], value, name)
            sent = {
                key[1:]: v
                for key, v in found.items()
                if key[0] == f"{prefix}bytes_total"
            }
            self.assertIn(1600, sent.values())
            self.assertIn(1800, sent.values())
        name = "hybridconn_relay_connection_tunnels_open"
        self.assertEqual(found[(name, "other", "contoso-relay")], 0)
        self.assertEqual(found[("hybridconn_relay_refusals_total", "Unauthorized")], 6)

    def test_bounded(self) -> None:
        """Past a number of hybrid connections only sums grow."""
        self.patch(metrics, "MOST_CONNECTIONS", 1)
        found = self.samples()
        name = "hybridconn_relay_connection_listeners"
        self.assertEqual(len([key for key in found if key[0] == name]), 1)
        without = ("hybridconn_relay_connections_without_series",)
        self.assertEqual(found[without], 1)

    def test_who(self) -> None:
        """Readers may, strangers may not."""
        status, value = self.call("GET", "/metrics", role="nobody", query="")
        self.assertEqual(
            (status, value["error"]["code"]), (401, "AuthenticationFailed")
        )
        answer: Any = self.request("GET", "/openapi.json", query="").outcome
        self.assertNotIn("/metrics", json.loads(answer.body)["paths"])

    def test_documented(self) -> None:
        """Each of ours stands in docs/metrics.md, and nothing else does."""
        names = set(re.findall(r"# TYPE (hybridconn_\w+)", self.text()))
        page = Path(__file__).parents[2].joinpath("docs/metrics.md").read_text("utf-8")
        documented = set(re.findall(r"`(hybridconn_relay_\w+)", page))
        self.assertEqual(names, documented)
