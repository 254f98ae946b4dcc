"""The settings that are told of a hybrid connection."""

from __future__ import annotations

from typing import Any

from hybridconn.cli.hcm_words import details
from hybridconn.hcm.steward import SETTINGS
from tests.hcm.case import HcmTestCase
from tests.hcm.test_named_files import authority


class SettingsTests(HcmTestCase):
    """What is in force can be seen."""

    def settings(self, path: str, **settings: object) -> dict[str, Any]:
        found = self.add(path, **settings)["settings"]
        assert isinstance(found, dict)
        return found

    def test_all(self) -> None:
        """Each that may be given is told; what was given, as it was given."""
        self.assertEqual(set(self.settings("meta")), set(SETTINGS))
        ca_file = str(self.write("ca.pem", authority()).absolute())
        one: dict[str, object] = {
            "name": "orders",
            "target": "https://db.corp:5/x",
            "target_timeout": 3.0,
            "target_check_interval": 60.0,
            "target_check_timeout": 2.0,
            "target_down": "withdraw",
            "reuse": False,
            "answer_probes": False,
            "host": "app.corp",
            "keep_path": True,
            "target_ca_file": ca_file,
            "target_insecure": True,
        }
        body = {"connectionString": self.string("one"), "settings": one}
        found = self.good("POST", "/v1/connections", body)["settings"]
        self.assertEqual({key: found[key] for key in one}, one)
        two: dict[str, object] = {
            "mode": "bridge",
            "ports": ["sql=db.corp:5", "53=udp:db.corp:53"],
            "proxy_protocol": True,
        }
        found = self.settings("two", **two)
        self.assertEqual({key: found[key] for key in two}, two)

    def test_targets(self) -> None:
        """So are many targets."""
        found = self.settings("one", targets=["*.corp:443", "10.0.0.0/8:1-9"])
        self.assertEqual(found["targets"], ["*.corp:443", "10.0.0.0/8:1-9"])
        self.assertIsNone(found["target"])

    def test_shown(self) -> None:
        """C{hybridconn hcm show} has them as a file would, without what is not set."""
        shown = dict(details(self.add("one", target="db.corp:5", proxy_protocol=True)))
        said = str(shown["Settings"])
        for words in (
            'target = "db.corp:5"',
            'mode = "raw"',
            "proxy_protocol = true",
            "answer_probes = true",
        ):
            self.assertIn(words, said)
        self.assertNotIn("host", said)
        self.assertNotIn("ports", said)
