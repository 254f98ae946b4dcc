"""The page: who gets in, and what a stranger's page cannot do with it."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.hcm import AdminSettings
from hybridconn.core.http import RequestHead
from hybridconn.page.assets import load
from hybridconn.page.sessions import (
    IDLE,
    KEY_HEADER,
    LINK_LIFE,
    MOST_LINKS,
    MOST_SESSIONS,
    SESSION_LIFE,
    Opened,
    Sessions,
)
from hybridconn.testing.fakes import FakeAnswer, FakeHeldRequest
from tests.hcm.window_case import HOST, WindowTestCase

PACKAGE = "hybridconn.hcm.page"


class SessionTests(SynchronousTestCase):
    """Links, sessions, and their ends."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.sessions = Sessions(7420, self.clock.seconds)

    def opened(self) -> Opened:
        """A new session."""
        opened = self.sessions.open(self.sessions.new_link())
        assert opened is not None
        return opened

    def who(self, opened: Opened, **changed: str | None) -> str | None:
        """Who a request of this session is from, with some headers changed."""
        fields: dict[str, str | None] = {
            "Host": HOST,
            "Cookie": f"other=1; {opened.cookie.partition(';')[0]}; more=2",
            KEY_HEADER: opened.key,
        }
        fields |= {name.replace("_", "-"): value for name, value in changed.items()}
        given = [(name, value) for name, value in fields.items() if value is not None]
        head = RequestHead("GET", "/v1/connections", "1.1", given)
        return self.sessions.who(FakeHeldRequest(head))

    def test_link(self) -> None:
        """A link works once, and only for some minutes."""
        code = self.sessions.new_link()
        self.assertIsNotNone(self.sessions.open(code))
        self.assertIsNone(self.sessions.open(code))
        late = self.sessions.new_link()
        self.clock.advance(LINK_LIFE)
        self.assertIsNone(self.sessions.open(late))
        self.assertIsNone(self.sessions.open(""))

    def test_few_links(self) -> None:
        """Many links push out the oldest; so do many sessions."""
        codes = [self.sessions.new_link() for _ in range(MOST_LINKS + 1)]
        self.assertIsNone(self.sessions.open(codes[0]))
        self.assertIsNotNone(self.sessions.open(codes[1]))
        first = self.opened()
        last = [self.opened() for _ in range(MOST_SESSIONS)][-1]
        self.assertIsNone(self.who(first))
        self.assertIsNotNone(self.who(last))

    def test_cookie(self) -> None:
        """No script reads the cookie, no other site has it sent."""
        cookie = self.opened().cookie
        self.assertTrue(cookie.startswith("hcm_session_7420="))
        for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"):
            self.assertIn(word, cookie.split("; "))

    def test_who(self) -> None:
        """Both cookie and key are needed, and must belong together."""
        one, two = self.opened(), self.opened()
        self.assertRegex(self.who(one) or "", r"^page [0-9a-f]{8}$")
        self.assertIsNone(self.who(one, **{KEY_HEADER: None}))
        self.assertIsNone(self.who(one, **{KEY_HEADER: two.key}))
        self.assertIsNone(self.who(one, **{KEY_HEADER: ""}))
        self.assertIsNone(self.who(one, Cookie=None))
        self.assertIsNone(self.who(one, Cookie="hcm_session_7420="))
        self.assertIsNone(self.who(one, Cookie="hcm_session_7420=guess"))

    def test_elsewhere(self) -> None:
        """A request that another page made is not the session's."""
        one = self.opened()
        for site in ("cross-site", "same-site", "none"):
            self.assertIsNone(self.who(one, Sec_Fetch_Site=site))
        for origin in ("http://evil.example", "null", "http://127.0.0.1:8000"):
            self.assertIsNone(self.who(one, Origin=origin))
        good = {"Sec_Fetch_Site": "same-origin", "Origin": f"http://{HOST}"}
        self.assertIsNotNone(self.who(one, **good))

    def test_idle(self) -> None:
        """A session that nobody uses ends; one that is used ends some time too."""
        one = self.opened()
        self.clock.advance(IDLE - 1)
        self.assertIsNotNone(self.who(one))
        self.clock.advance(IDLE)
        self.assertIsNone(self.who(one))
        two = self.opened()
        for _ in range(int(SESSION_LIFE / 1800) - 1):
            self.clock.advance(1800)
            self.assertIsNotNone(self.who(two))
        self.clock.advance(1800)
        self.assertIsNone(self.who(two))

    def test_repr(self) -> None:
        """What opens doors is in no repr."""
        opened = self.opened()
        self.assertNotIn(opened.key, repr(opened))
        self.assertNotIn(opened.cookie, repr(opened))


class DoorTests(WindowTestCase):
    """The page over the admin port."""

    def test_in_and_out(self) -> None:
        """A link opens a session, which may do what a token may, until it signs out."""
        code = self.link()
        answer = self.sign_in(code)
        self.assertEqual(answer.status, 201)
        cookie = dict(answer.headers)["Set-Cookie"].partition(";")[0]
        mine = (("Cookie", cookie), (KEY_HEADER, json.loads(answer.body)["key"]))
        self.assertEqual(self.bare("GET", "/v1/connections", *mine).status, 200)
        self.assertEqual(self.sign_in(code).status, 401)
        gone = self.bare("DELETE", "/v1/session", *mine)
        self.assertEqual(gone.status, 204)
        self.assertIn("Max-Age=0", dict(gone.headers)["Set-Cookie"])
        self.assertEqual(self.bare("GET", "/v1/connections", *mine).status, 401)

    def test_stream_ends(self) -> None:
        """What a browser is being told ends with its session, what others are not."""
        streams = []
        for _ in range(2):
            answer = self.sign_in(self.link())
            cookie = dict(answer.headers)["Set-Cookie"].partition(";")[0]
            mine = (("Cookie", cookie), (KEY_HEADER, json.loads(answer.body)["key"]))
            head = RequestHead("GET", "/v1/events", "1.1", (("Host", HOST), *mine))
            request = FakeHeldRequest(head)
            self.api.handle(request)
            streams.append((request.outcome, mine))
        (first, mine), (second, _) = streams
        assert isinstance(first, FakeAnswer) and isinstance(second, FakeAnswer)
        self.bare("DELETE", "/v1/session", *mine)
        self.assertTrue(first.end)
        self.assertFalse(second.end)
        self.clock.advance(IDLE + 30)
        self.assertTrue(second.end)

    def test_no_link_for_strangers(self) -> None:
        """Who is not known gets no link."""
        self.assertEqual(self.bare("POST", "/v1/page-links").status, 401)

    def test_forged_sign_in(self) -> None:
        """Another page can sign nobody in: it cannot send the header or its origin."""
        for headers in (
            (("Origin", f"http://{HOST}"),),
            ((KEY_HEADER, "none"), ("Origin", "http://evil.example")),
            ((KEY_HEADER, "none"), ("Sec-Fetch-Site", "cross-site")),
        ):
            self.assertEqual(self.sign_in(self.link(), *headers).status, 403)

    def test_forged_change(self) -> None:
        """A form of another page, cookie and all, changes nothing."""
        self.add("one", target="db.corp:5")
        answer = self.sign_in(self.link())
        cookie = dict(answer.headers)["Set-Cookie"].partition(";")[0]
        path = "/v1/connections/one"
        for method, more in (("DELETE", ""), ("POST", "/restart")):
            forged = self.bare(
                method, path + more, ("Cookie", cookie), ("Origin", "http://evil.test")
            )
            self.assertEqual(forged.status, 401)
        self.assertEqual(self.status("one"), "Connected")

    def test_rebinding(self) -> None:
        """A name of somebody else's that leads here gets not even the page."""
        for path in ("/", "/page/main.js", "/healthz"):
            answer = self.bare("GET", path, ("Host", "evil.example:7420"))
            self.assertEqual(answer.status, 403)

    def test_no_permission(self) -> None:
        """No answer lets another origin read it, or send what it must ask for."""
        for path in ("/", "/v1/connections"):
            asked = self.bare(
                "OPTIONS",
                path,
                ("Origin", "http://evil.example"),
                ("Access-Control-Request-Headers", KEY_HEADER),
            )
            self.assertGreaterEqual(asked.status, 400)
            read = self.bare("GET", path, ("Origin", "http://evil.example"))
            for answer in (asked, read):
                names = {name.lower() for name, _ in answer.headers}
                self.assertFalse(
                    [name for name in names if name.startswith("access-control-")]
                )

    def test_headers(self) -> None:
        """No frame, no foreign or inline script, no guessing of types."""
        for asset in load(PACKAGE):
            path = "/" if asset.name == "index.html" else f"/page/{asset.name}"
            answer = self.bare("GET", path)
            self.assertEqual(answer.status, 200, path)
            fields = dict(answer.headers)
            policy = fields["Content-Security-Policy"].split("; ")
            for rule in (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "frame-ancestors 'none'",
                "form-action 'none'",
                "base-uri 'none'",
                "require-trusted-types-for 'script'",
            ):
                self.assertIn(rule, policy)
            self.assertNotIn("unsafe", fields["Content-Security-Policy"])
            self.assertEqual(fields["X-Frame-Options"], "DENY")
            self.assertEqual(fields["X-Content-Type-Options"], "nosniff")
            self.assertEqual(fields["Referrer-Policy"], "no-referrer")

    def test_caching(self) -> None:
        """A browser asks whether it has the right file; data it never keeps."""
        first = dict(self.bare("GET", "/page/main.js").headers)
        self.assertEqual(first["Cache-Control"], "no-cache")
        for shown in (first["ETag"], f'"x", W/{first["ETag"]}'):
            again = self.bare("GET", "/page/main.js", ("If-None-Match", shown))
            self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(
            self.bare("GET", "/page/main.js", ("If-None-Match", '"x"')).status, 200
        )
        data: Any = self.request("GET", "/v1/connections").outcome
        fields = [value for name, value in data.headers if name == "Cache-Control"]
        self.assertEqual(fields, ["no-store"])

    def test_no_port(self) -> None:
        """Without a port there is no page, and the command says how to get one."""
        self.look_through(AdminSettings(socket="/run/x.sock"))
        said = self.refused(409, "NoPage", "POST", "/v1/page-links")
        self.assertIn("port = 7420", said)
        self.assertEqual(self.bare("GET", "/").status, 401)


class SourceTests(SynchronousTestCase):
    """What the files of the page may not have."""

    package = PACKAGE

    def test_nothing_inline(self) -> None:
        """The document has no script, style or handler of its own."""
        text = self.text("index.html")
        self.assertNotRegex(
            text, r"(?i)<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+="
        )
        self.assertNotIn("javascript:", text)

    def test_no_foreign_address(self) -> None:
        """Nothing is asked for elsewhere."""
        for asset in load(self.package):
            text = asset.body.decode()
            found = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", text))
            self.assertLessEqual(found, {"http://www.w3.org"}, asset.name)
            self.assertNotRegex(text, r"url\(|@import", asset.name)

    def test_text_only(self) -> None:
        """Scripts set text and never markup, and run none."""
        for asset in load(self.package):
            if asset.name.endswith(".js"):
                self.assertNotRegex(
                    asset.body.decode(),
                    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\("
                    r"|new Function|srcdoc|DOMParser|createContextualFragment",
                    asset.name,
                )

    def test_sizes(self) -> None:
        """Each file can be read in one go."""
        for asset in load(self.package):
            self.assertLess(asset.body.count(b"\n"), 400, asset.name)

    def test_shipped(self) -> None:
        """What the document names is there, and the package takes it along."""
        names = {asset.name for asset in load(self.package)}
        for wanted in re.findall(r'"/page/([^"]+)"', self.text("index.html")):
            self.assertIn(wanted, names)
        for asset in load(self.package):
            for wanted in re.findall(r'from "\./([^"]+)"', asset.body.decode()):
                self.assertIn(wanted, names)
        setup = Path(__file__).parents[2].joinpath("setup.cfg").read_text()
        for package in (self.package, "hybridconn.page"):
            line = re.search(rf"(?m)^{re.escape(package)} = (.*)$", setup)
            assert line is not None
            for name in names:
                self.assertIn("*." + name.rpartition(".")[2], line[1].split(", "))

    def text(self, name: str) -> str:
        """Of a file of the page."""
        return resources.files(self.package).joinpath(name).read_text()
