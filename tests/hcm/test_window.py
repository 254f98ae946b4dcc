"""What is seen of a manager: its past, its metrics, its support bundle."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import field, frozen

from hybridconn.core.entities import Secret
from hybridconn.hcm import metrics
from hybridconn.hcm.bundle import _cleaned, clean, plain
from hybridconn.hcm.history import MOST_SAMPLES, MOST_STATES
from tests.hcm.window_case import WindowTestCase
from tests.prometheus import samples_of


class HistoryTests(WindowTestCase):
    """The last half hour."""

    def past(self, name: str = "one") -> Any:
        return self.good("GET", f"/v1/connections/{name}/history")

    def test_traffic(self) -> None:
        """Each interval has what went through in it, open tunnels included."""
        self.add("one", target="db.corp:5")
        self.network.advance(5)
        client: Any = self.dial("one")
        client.transport.write(b"twelve bytes")
        self.network.flush()
        self.network.advance(5)
        client.transport.write(b"x")
        self.network.flush()
        client.transport.loseConnection()
        self.network.advance(5)
        past = self.past()
        self.assertEqual(past["interval"], 5)
        self.assertEqual(past["bytesFromSender"][-2:], [12, 1])
        self.assertEqual(past["bytesFromTarget"][-2:], [12, 1])
        self.assertEqual(past["open"][-2:], [1, 0])
        every = self.good("GET", "/v1/history?samples=1")
        self.assertEqual(every["connections"]["one"]["bytesFromSender"], [1])
        self.refused(400, "BadRequest", "GET", "/v1/history?samples=x")

    def test_bounded(self) -> None:
        """It does not grow for ever."""
        self.add("one", target="db.corp:5")
        history = self.window._history
        for _ in range((MOST_SAMPLES + 3) * 5):
            history._look()
        self.assertEqual(len(self.past()["open"]), MOST_SAMPLES)
        (connection,) = self.manager
        for number in range(MOST_STATES + 5):
            connection.one = connection.one
            history._past[connection].states.append(("word", str(number), 0.0))
        self.assertEqual(len(self.past()["states"]), MOST_STATES)

    def test_states(self) -> None:
        """Each change of the status is noted with its reason; the newest is first."""
        self.add("one", target="db.corp:6", target_check_interval=5.0)
        self.network.advance(1)
        states = self.past()["states"]
        self.assertEqual(states[0]["status"], "Degraded")
        self.assertIn("db.corp:6", states[0]["reason"])
        self.relay.stop()
        self.network.flush()
        self.assertEqual(self.past()["states"][0]["status"], self.status("one"))
        for _ in range(80):
            self.network.advance(1)
        states = self.past()["states"]
        self.assertEqual(states[0]["status"], "Not Connected")
        words = [state["status"] for state in states]
        self.assertEqual(len(set(pairwise(words))), len(words) - 1)

    def test_removed(self) -> None:
        """Nothing is kept of what is gone."""
        self.add("one", target="db.corp:5")
        self.network.advance(5)
        self.good("DELETE", "/v1/connections/one")
        self.network.advance(5)
        self.assertEqual(self.window._history._past, {})


class MetricsTests(WindowTestCase):
    """C{/metrics}, C{/healthz} and C{/readyz}."""

    def samples(self) -> dict[tuple[str, ...], float]:
        """All series, by name and labels."""
        answer: Any = self.request("GET", "/metrics").outcome
        self.assertEqual(answer.status, 200)
        self.assertTrue(dict(answer.headers)["Content-Type"].startswith("text/plain"))
        return samples_of(answer.body.decode())

    def test_connection(self) -> None:
        """Status, target, tunnels, bytes, refusals and reconnects of each."""
        self.add("one", target="db.corp:5")
        client: Any = self.dial("one")
        client.transport.write(b"four")
        self.network.flush()
        found = self.samples()
        prefix = "hybridconn_hcm_connection_"
        for name, value in (
            ("registered", 1),
            ("draining", 0),
            ("registrations_total", 1),
            ("reconnects_total", 0),
            ("target_reachable", 1),
            ("tunnels_open", 1),
            ("tunnels_total", 1),
            ("http_requests_total", 0),
        ):
            self.assertEqual(found[(prefix + name, "one")], value, name)
        self.assertEqual(found[(prefix + "status", "one", "Connected")], 1)
        self.assertEqual(found[(prefix + "status", "one", "Degraded")], 0)
        self.assertEqual(found[(prefix + "bytes_total", "one", "from_sender")], 4)
        self.assertEqual(found[(prefix + "bytes_total", "one", "from_target")], 4)
        self.assertEqual(found[("hybridconn_hcm_connections", "Connected")], 1)
        self.assertEqual(found[("hybridconn_hcm_configuration_good",)], 1)
        self.good("POST", "/v1/connections/one/restart")
        self.network.advance(1)
        self.assertEqual(self.samples()[(prefix + "reconnects_total", "one")], 1)

    def test_draining(self) -> None:
        """One that is away because it was told so is told from one that is not."""
        self.add("one", target="db.corp:5")
        name = "hybridconn_hcm_connection_draining"
        self.good("POST", "/v1/connections/one/drain")
        self.assertEqual(self.samples()[(name, "one")], 1)
        self.good("POST", "/v1/connections/one/resume")
        self.assertEqual(self.samples()[(name, "one")], 0)

    def test_refusals(self) -> None:
        """Senders that were told no are counted by what they were told."""
        self.add("one", target="db.corp:6")
        self.refusal("one")
        self.refusal("one")
        (connection,) = self.manager
        connection.book.refusals[418] = 3
        found = self.samples()
        name = "hybridconn_hcm_connection_refusals_total"
        self.assertEqual(found[(name, "502", "one")], 2)
        self.assertEqual(found[(name, "other", "one")], 3)
        reachable = ("hybridconn_hcm_connection_target_reachable", "one")
        self.assertEqual(found[reachable], 0)

    def test_untried(self) -> None:
        """A target that nobody tried is neither reachable nor down."""
        self.add("one", target="db.corp:5")
        name = "hybridconn_hcm_connection_target_reachable"
        self.assertNotIn((name, "one"), self.samples())

    def test_bounded(self) -> None:
        """Past a number of hybrid connections only sums grow."""
        self.patch(metrics, "MOST_CONNECTIONS", 1)
        self.add("one", target="db.corp:5")
        self.add("two", target="db.corp:5")
        found = self.samples()
        name = "hybridconn_hcm_connection_registered"
        self.assertIn((name, "one"), found)
        self.assertNotIn((name, "two"), found)
        self.assertEqual(found[("hybridconn_hcm_connections", "Connected")], 2)
        self.assertEqual(found[("hybridconn_hcm_connections_without_series",)], 1)

    def test_openmetrics(self) -> None:
        """Who asks for OpenMetrics gets it."""
        kind = "application/openmetrics-text"
        answer: Any = self.request(
            "GET", "/metrics", None, ("Accept", f"{kind}; version=1.0.0")
        ).outcome
        self.assertTrue(dict(answer.headers)["Content-Type"].startswith(kind))
        self.assertTrue(answer.body.endswith(b"# EOF\n"))

    def test_documented(self) -> None:
        """Each of our metrics stands in docs/metrics.md, and nothing else does."""
        self.add("one", target="db.corp:5")
        answer: Any = self.request("GET", "/metrics").outcome
        names = set(re.findall(r"# TYPE (hybridconn_\w+)", answer.body.decode()))
        page = Path(__file__).parents[2].joinpath("docs/metrics.md").read_text("utf-8")
        documented = set(re.findall(r"`(hybridconn_(?!relay)\w+)", page))
        self.assertEqual(names, documented)

    def test_who(self) -> None:
        """Names are for those who may; whether it lives is for everybody."""
        self.assertEqual(self.bare("GET", "/metrics").status, 401)
        self.assertEqual(self.bare("GET", "/healthz").status, 200)

    def test_ready(self) -> None:
        """Ready is what is registered at least once, or has nothing to register."""
        answer = self.bare("GET", "/readyz")
        self.assertEqual(answer.status, 200)
        self.add("nothing", target="db.corp:5")
        answer = self.bare("GET", "/readyz")
        self.assertEqual(answer.status, 503)
        self.assertEqual(
            json.loads(answer.body),
            {"ready": False, "connections": 1, "registered": 0},
        )
        self.add("one", target="db.corp:5")
        self.assertEqual(self.bare("GET", "/readyz").status, 200)


class BundleTests(WindowTestCase):
    """The support bundle."""

    def files(self) -> dict[str, str]:
        """What is in it."""
        request = self.request("GET", "/v1/support-bundle")
        for _ in range(30):
            self.network.advance(1)
        answer: Any = request.outcome
        self.assertEqual(answer.status, 200)
        self.assertRegex(
            dict(answer.headers)["Content-Disposition"],
            r'^attachment; filename="hcm-support-[0-9TZ]+\.tar\.gz"$',
        )
        found = {}
        with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
            for member in archive.getmembers():
                self.assertEqual(member.mode, 0o600)
                opened = archive.extractfile(member)
                assert opened is not None
                found[member.name.partition("/")[2]] = opened.read().decode()
        return found

    def test_content(self) -> None:
        """It says how everything is."""
        self.add("one", target="db.corp:5")
        files = self.files()
        self.assertEqual(
            set(files),
            set(re.findall(r"(?m)^(\w+\.\w+) ", files["README.txt"])) | {"README.txt"},
        )
        self.assertIn(
            "twisted", {one.lower() for one in json.loads(files["versions.json"])}
        )
        connections = json.loads(files["connections.json"])
        self.assertEqual(connections[0]["status"], "Connected")
        placed = json.loads(files["configuration.json"])["connections"][0]
        self.assertEqual(placed["one"]["target"], "db.corp:5")
        self.assertEqual(placed["one"]["connection"]["key_name"], "Listen")
        self.assertTrue(json.loads(files["doctor.json"]))
        self.assertIn("one: added by a command", files["log.txt"])
        self.assertIn("hybridconn_hcm_connections", files["metrics.txt"])

    def test_no_secret(self) -> None:
        """Wherever a secret may have got to, it is not in it."""
        self.add("one", target="db.corp:5")
        (connection,) = self.manager
        key = connection.one.connection.key
        assert key is not None
        secret = key.reveal()
        connection.book.failed(f"the text of somebody else: {secret}", "t")
        self.manager.log.info("a careless line with {key}", key=secret)
        self.manager.log.info("dialled http://user:hunter2@proxy.corp/")
        self.manager.log.info("SharedAccessSignature sr=x&sig=abcdef&se=1&skn=y")
        for text in self.files().values():
            self.assertNotIn(secret, text)
            self.assertNotIn("hunter2", text)
            self.assertNotIn("abcdef", text)
            self.assertNotIn("a-token-that-nobody-guesses", text)

    def test_no_password(self) -> None:
        """A proxy's password is in it in no form, whatever characters it has."""
        password = 'p@"s\\ß/ x'
        self.write("password", password)
        self.write(
            "listener.toml",
            '[connections]\nfolder = "conf.d"\n[way_out]\n'
            'proxy = "http://proxy.corp:3128"\nproxy_user = "agent"\n'
            'proxy_password_file = "password"\n',
        )
        self.good("POST", "/v1/reload")
        self.add("one", target="db.corp:5")
        (connection,) = self.manager
        forms = (
            password,
            quote(password, safe=""),
            base64.b64encode(f"agent:{password}".encode()).decode(),
        )
        for form in forms:
            connection.book.failed(f"somebody wrote {form}", "t")
            self.manager.log.info("a careless line with {it}", it=form)
        files = self.files()
        (view,) = json.loads(files["connections.json"])
        self.assertEqual(view["lastError"]["text"], "somebody wrote ***")
        for name, text in files.items():
            for form in forms:
                self.assertNotIn(form, text, name)
                self.assertNotIn(json.dumps(form)[1:-1], text, name)
        os.unlink(self.folder / "password")
        self.files()

    def test_clean(self) -> None:
        """What looks like a secret is hidden, and nothing else."""
        for text, wanted in (
            ("SharedAccessKey=ab+/=;EntityPath=x", "SharedAccessKey=***;EntityPath=x"),
            ("SharedAccessKeyName=app", "SharedAccessKeyName=app"),
            ("sr=a&sig=ab%2b&se=1", "sr=a&sig=***&se=1"),
            ("?sb-hc-token=abc&x=1", "?sb-hc-token=***&x=1"),
            ("Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
            ("http://u:secret@host/p", "http://u:***@host/p"),
            ("http://host:5000/#login=abc", "http://host:5000/#login=***"),
            ("http://u:p@ss@host:1/p", "http://u:***@host:1/p"),
            ("http://u:p@s/s'x\\@host, h", "http://u:***@host, h"),
            ('a\u0130 http://u:p"@h', "a\u0130 http://u:***@h"),
            ("http://us@er:p:ss@host", "http://us@er:***@host"),
            ("socks5h://u:p%40ss%2f@host", "socks5h://u:***@host"),
            ("by HTTP://:pass@[::1]:8 and", "by HTTP://:***@[::1]:8 and"),
            ("u=http%3a%2f%2fu%3ap%40ss%40h&x", "u=http%3a%2f%2fu%3a***%40h&x"),
            ("HTTPS_PROXY=u:p@ss@host:3128", "HTTPS_PROXY=u:***@host:3128"),
            ("status code 502", "status code 502"),
            ("12:30 one@relay.test: online", "12:30 one@relay.test: online"),
            ("sb://relay.test:443/ a@b", "sb://relay.test:443/ a@b"),
        ):
            self.assertEqual(clean(text), wanted)
        self.assertEqual(clean("so odd it is", ["odd"]), "so *** it is")
        told = _cleaned({"an odd key": ["odd", 1]}, ["odd"])
        self.assertEqual(told, {"an *** key": ["***", 1]})

    def test_plain(self) -> None:
        """Fields that are no part of a repr are left out; secrets show nothing."""

        @frozen
        class Table:
            shown: int = 1
            hidden: str = field(default="x", repr=False)
            secret: Secret = field(factory=lambda: Secret("x"))

        self.assertEqual(plain((Table(),)), [{"shown": 1, "secret": "…"}])
