"""The manager's page, in Chromium, against real processes."""

from __future__ import annotations

import http.client
import json
import tarfile

from hybridconn.page.sessions import KEY_HEADER
from tests.integration.browser import Browser
from tests.integration.hcm_stage import HcmCase
from tests.integration.nodejs import installed
from tests.integration.page_checks import Evil, Keys, check_link
from tests.integration.stage import HOST, LISTEN, Stage
from tests.integration.targets import echo, read_exactly
from tests.integration.waiting import free_port
from tests.integration.webapp import WebApp


class PageCase(HcmCase):
    """
    @ivar port: of the page.
    @ivar browser: signed out.
    """

    size = (1400, 900)

    def setUp(self) -> None:
        super().setUp()
        web = {"path": "web", "requires_client_authorization": False}
        stage = self.use(Stage(["echo", "two", "three", web]))
        stage.start_relay()
        self.port = free_port()
        self.start_manager(stage, admin={"port": self.port})
        self.echo = self.target(echo)
        self.at = f"127.0.0.1:{self.echo.port}"
        self.browser = Browser(stage.folder, *self.size)
        self.addCleanup(self.browser.close)

    def link(self) -> str:
        """A link as the command prints it."""
        return self.hcm("ui").splitlines()[0]

    def enter(self) -> Browser:
        """Sign in by a link."""
        self.browser.go(self.link())
        self.browser.wait_text("Connected", "#service")
        return self.browser

    def row(self, name: str) -> str:
        """A row's selector."""
        return f"tr[data-name={json.dumps(name)}]"

    def request(
        self, method: str, path: str, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """A request without a browser: status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), body

    @property
    def token(self) -> str:
        """What lets programs in."""
        return (self.stage.folder / "hcm.token").read_text().strip()


class LifeTests(PageCase):
    """What people do with it."""

    def test_life(self) -> None:
        """Added by a pasted string, used, its target stopped, and removed."""
        browser = self.enter()
        browser.wait_text("No hybrid connections yet")
        browser.click("#empty button")
        browser.paste(self.stage.connection_string("echo", LISTEN) + "\n")
        browser.wait_text("Hybrid connection echo at localhost", "#new-words")
        browser.click("#new-target")
        browser.paste(self.at)
        browser.press("Enter")
        browser.wait_text("Connected", f"{self.row('echo')} .c-status")
        browser.wait_text(self.at, f"{self.row('echo')} .c-endpoint")
        browser.wait_text("echo is added.", "#toasts")
        self.assertEqual(browser.run("document.activeElement.id"), "details-title")

        ports = self.stage.start_sender("echo", spares={"most": 0})
        with self.stage.dial(ports["echo"]) as connection:
            connection.sendall(b"x" * 50_000)
            read_exactly(connection, 50_000)
            browser.wait_text("1", f"{self.row('echo')} .c-tunnels")
            browser.wait_text("reachable in", "#details .facts")
            browser.wait_text("answer_probes = true", "#details .facts")
            browser.wait_text("peak", "#details .scale")
            browser.wait_text("50.0 kB", "#details .legend")
        browser.wait_text("closed by the sender", "#details .tunnels")
        browser.click("#details .tunnel summary")
        for words in (
            "Target dialled",
            "Joined with sender",
            "Target's first byte",
            "Closed by",
            "the sender",
            "1000",
        ):
            browser.wait_text(words, "#details .tunnel")
        tracking = self.view("echo")["recentTunnels"][0]["trackingId"]
        browser.wait_text(tracking, "#details .tunnel code")

        self.echo.close()
        with self.stage.dial(ports["echo"]) as connection:
            self.assertReset(connection)
        browser.wait_text("Degraded", f"{self.row('echo')} .c-status")
        browser.wait_text("refused the connection", f"{self.row('echo')} .reason")
        browser.wait_text("To do: start the target", "#details .notice")
        browser.wait_text("502", "#details .tunnels")
        browser.wait_text("Degraded", "#details .states", seconds=20)

        browser.click("#details .buttons .danger")
        browser.wait_text("Remove echo?", "dialog")
        browser.click("dialog .solid")
        browser.wait_text("echo is removed.", "#toasts")
        browser.wait_text("No hybrid connections yet")
        self.hcm("show", "echo", status=4)
        self.assertEqual(browser.complaints, [])
        own = f"http://127.0.0.1:{self.port}/"
        self.assertEqual(
            [url for url in browser.requests if not url.startswith((own, "about:"))], []
        )

    def test_mistakes(self) -> None:
        """What is wrong with a string is said in the dialog, which stays open."""
        browser = self.enter()
        browser.click("[data-action=add]")
        browser.paste(
            "Endpoint=sb://localhost/;SharedAccessKeyName=a;SharedAccessKey=b"
        )
        browser.wait_text("the whole namespace localhost", "#new-words")
        browser.press("Enter")
        browser.wait_text("EntityPath", "#new-error")
        self.assertEqual(browser.run("document.activeElement.id"), "new-string")
        browser.press("Escape")
        browser.wait("the dialog to be gone", "!document.querySelector('dialog')")
        self.add("two", "--target", self.at)
        browser.click("[data-action=add]")
        browser.paste(self.stage.connection_string("two", LISTEN))
        browser.press("Enter")
        browser.wait_text("is here already", "#new-error")
        browser.click("#new-replace")
        browser.click("dialog .primary")
        browser.wait_text("two is added.", "#toasts")

    def test_others(self) -> None:
        """What is done elsewhere is seen at once: added, restarted, removed."""
        browser = self.enter()
        self.add("two", "--target", self.at)
        self.add("three", "--target", self.at)
        browser.wait_text("Connected", f"{self.row('two')} .c-status")
        browser.wait_text("2", "#count")
        browser.wait_text("not tried", f"{self.row('two')} .c-target")
        browser.click("#filter")
        browser.paste("thr")
        browser.wait_text("1 of 2", "#count")
        self.hcm("remove", "three")
        browser.wait_text("Nothing fits the filter")
        browser.click("#empty button")
        browser.click(f"{self.row('two')} input")
        browser.click("[data-action=restart]")
        browser.wait_text("two is restarted.", "#toasts")
        self.assertIn("two: restarted by a command", self.service.log())

    def test_drain(self) -> None:
        """Drained after a question, and back by a button; each where it fits alone."""
        self.add("two", "--target", self.at)
        browser = self.enter()
        browser.wait_text("Connected", f"{self.row('two')} .c-status")
        enabled = "document.querySelectorAll('#toolbar :enabled')"
        able = f"[...{enabled}].map((button) => button.innerText)"
        browser.click(f"{self.row('two')} input")
        self.assertIn("Drain", browser.run(able))
        self.assertNotIn("Resume", browser.run(able))
        browser.click("[data-action=drain]")
        browser.wait_text("takes no more senders there", "dialog")
        browser.click("dialog .solid")
        browser.wait_text("Drained", f"{self.row('two')} .c-status")
        browser.wait_text("told to take no more senders", f"{self.row('two')} .reason")
        self.assertNotIn("Drain", browser.run(able))
        browser.click(f"{self.row('two')} .name")
        browser.wait_text("hybridconn hcm resume", "#details .notice")
        browser.wait_text("Resume", "#details .buttons")
        browser.click("[data-action=resume]")
        browser.wait_text("Connected", f"{self.row('two')} .c-status")
        browser.wait_text("two takes senders again.", "#toasts")

    def test_requests(self) -> None:
        """HTTP requests are listed with their times and without their query."""
        app = WebApp()
        self.addCleanup(app.close)
        self.add("web", "--target", f"http://127.0.0.1:{app.port}")
        browser = self.enter()
        browser.click(f"{self.row('web')} .name")
        browser.wait_text("no sender has come".capitalize(), "#details")
        connection = http.client.HTTPSConnection(
            HOST, self.stage.port, timeout=30, context=self.stage.trust()
        )
        connection.request("GET", "/web/<b>?key=hidden")
        status = connection.getresponse().status
        connection.close()
        browser.wait_text("GET /web/<b>", "#details .requests")
        browser.wait_text(f"{status} after", "#details .requests")
        browser.click("#details .requests summary")
        tracking = self.view("web")["recentRequests"][0]["trackingId"]
        browser.wait_text(tracking, "#details .requests code")
        self.assertNotIn("hidden", browser.run("document.body.innerText"))

    def test_looking(self) -> None:
        """Tests of a hybrid connection and of an address, and the log."""
        self.add("two", "--target", self.at)
        browser = self.enter()
        browser.click("[data-action=test]")
        browser.paste(f"127.0.0.1:{free_port()}")
        browser.press("Enter")
        browser.wait_text("refused the connection", "dialog .checks")
        browser.press("Escape")
        browser.click(f"{self.row('two')} .name")
        browser.click("#details .buttons button")
        browser.wait_text("took a connection", "dialog .checks")
        browser.press("Escape")
        browser.click("[data-action=logs]")
        browser.wait_text("two: online at", "dialog .log")
        self.hcm("restart", "two")
        browser.wait_text("two: restarted by a command", "dialog .log")

    def test_service_gone(self) -> None:
        """A service that is gone is said to be; a new one wants a new link."""
        self.add("two", "--target", self.at)
        browser = self.enter()
        browser.wait_text("Connected", f"{self.row('two')} .c-status")
        self.service.stop()
        browser.wait_text("Disconnected", "#service")
        browser.wait_text("The service does not answer.", "#lost")
        self.start_again()
        browser.wait_text("hybridconn hcm ui", "#sign-in", seconds=30)
        browser.go(self.link())
        browser.wait_text("Connected", f"{self.row('two')} .c-status")

    def test_trouble(self) -> None:
        """Files that are wrong are said to be, until they are mended."""
        browser = self.enter()
        browser.wait_text("0", "#count")
        (self.stage.folder / "conf.d").mkdir(exist_ok=True)
        bad = self.stage.write("conf.d/bad.toml", "x =")
        browser.wait_text("bad.toml", "#banner")
        bad.unlink()
        browser.wait("the banner to go", "document.querySelector('#banner').hidden")


class SafetyTests(PageCase):
    """What strangers cannot do."""

    def test_link(self) -> None:
        """A link works once; its cookie is for no script."""
        name = f"hcm_session_{self.port}"
        check_link(self, self.browser, self.link, name)
        self.assertNotIn("login=", self.service.log())

    def test_other_port(self) -> None:
        """
        A page of another port of this machine, to which the browser gives the cookie,
        changes and reads nothing, and cannot frame the page.
        """
        self.add("two", "--target", self.at)
        browser = self.enter()
        own = f"http://127.0.0.1:{self.port}"
        evil = Evil(
            f"<iframe src='{own}/'></iframe>"
            f"<form method=post action='{own}/v1/connections/two/restart'></form>"
        )
        self.addCleanup(evil.close)
        browser.go(evil.url)
        browser.wait_text("evil")
        self.assertIn(f"hcm_session_{self.port}=", evil.cookie)
        tried = browser.run(
            f"""(async () => {{
              const tries = [
                ["DELETE", "/v1/connections/two", {{}}],
                ["POST", "/v1/connections/two/restart", {{}}],
                ["GET", "/v1/connections", {{}}],
                ["GET", "/v1/connections", {{ "{KEY_HEADER}": "x" }}],
              ];
              return Promise.all(tries.map(([method, path, headers]) =>
                fetch("{own}" + path, {{ method, headers, credentials: "include" }})
                  .then((answer) => answer.status, () => "blocked")));
            }})()"""
        )
        self.assertEqual(tried, ["blocked"] * 4)
        framed = browser.run(
            "document.querySelector('iframe').contentDocument === null"
        )
        self.assertTrue(framed)
        self.assertIn("frame-ancestors", " ".join(browser.complaints))
        browser.run("document.querySelector('form').submit()")
        browser.wait_text("AuthenticationFailed")
        # A cookie that somebody got hold of is of no use without the key.
        status, _, _ = self.request("GET", "/v1/connections", Cookie=evil.cookie)
        self.assertEqual(status, 401)
        self.assertEqual(self.view("two")["status"], "Connected")
        self.assertNotIn("restarted by a command", self.service.log())

    def test_markup(self) -> None:
        """Markup in a name, a filter or a log is text."""
        name = "<img src=x onerror=\"document.title='had'\"> & <b>b</b>"
        self.add("two", "--target", self.at, "--name", name)
        browser = self.enter()
        browser.wait_text(name, "tbody .name")
        browser.click("tbody .name")
        browser.wait_text(name, "#details-title")
        browser.click("#details .buttons .danger")
        browser.wait_text(f"Remove {name}?", "dialog")
        browser.press("Escape")
        browser.click("[data-action=logs]")
        browser.wait_text(name, "dialog .log")
        self.assertEqual(browser.run("document.images.length"), 1)
        self.assertEqual(browser.run("document.title"), "Hybrid Connection Manager")

    def test_policy(self) -> None:
        """Even a script that got in could run no text and send nothing away."""
        browser = self.enter()
        self.assertTrue(
            browser.run(
                """new Promise((done) => {
                  const script = document.createElement("script");
                  const told = () => done(true);
                  document.addEventListener("securitypolicyviolation", told);
                  try { script.text = "document.title = 'had'"; } catch { told(); }
                  document.head.append(script);
                  setTimeout(() => done(false), 3000);
                })"""
            )
        )
        self.assertEqual(browser.run("document.title"), "Hybrid Connection Manager")
        sent = "fetch('http://127.0.0.1:9/').then(() => 'sent', (e) => e.name)"
        self.assertEqual(browser.run(sent), "TypeError")
        said = " ".join(browser.complaints)
        self.assertIn("connect-src", said)

    def test_metrics(self) -> None:
        """The metrics want the token, health does not."""
        self.add("two", "--target", self.at)
        self.assertEqual(self.request("GET", "/healthz")[0], 200)
        self.assertEqual(self.request("GET", "/readyz")[0], 200)
        self.assertEqual(self.request("GET", "/metrics")[0], 401)
        status, _, text = self.request(
            "GET", "/metrics", Authorization=f"Bearer {self.token}"
        )
        self.assertEqual(status, 200)
        self.assertIn(
            'hybridconn_hcm_connection_registered{connection="two"} 1.0', text
        )
        self.assertIn("process_resident_memory_bytes", text)

    def test_bundle(self) -> None:
        """The support bundle holds no secret, and is for its owner alone."""
        self.add("two", "--target", self.at)
        self.link()
        path = self.stage.folder / "support.tar.gz"
        self.assertIn("files", self.hcm("diag", "--file", str(path)))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        secrets = {*self.stage.secrets(), self.token}
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                opened = archive.extractfile(member)
                assert opened is not None
                text = opened.read().decode()
                for secret in secrets:
                    self.assertNotIn(secret, text, member.name)
        self.assertIn("there already", self.hcm("diag", "--file", str(path), status=1))


class KeyboardTests(Keys, PageCase):
    """Everything by keys, and by ear."""

    def test_keys(self) -> None:
        """Add, look, go from row to row, and remove, without a mouse."""
        self.add("two", "--target", self.at)
        browser = self.enter()
        browser.wait_text("Connected", f"{self.row('two')} .c-status")
        browser.press("Tab")
        self.assertEqual(self.focus(), "Skip to the hybrid connections")
        self.tab_to("New")
        browser.press("ArrowRight")
        self.assertEqual(self.focus(), "Refresh")
        browser.press("ArrowLeft")
        browser.press("Enter")
        browser.wait("the field", "document.activeElement.id === 'new-string'")
        browser.paste(self.stage.connection_string("echo", LISTEN))
        self.tab_to("new-target")
        browser.paste(self.at)
        browser.press("Enter")
        browser.wait("the details", "document.activeElement.id === 'details-title'")
        browser.press("Escape")
        self.assertEqual(self.focus(), "echo")
        self.assertTrue(browser.run("document.querySelector('#details').hidden"))
        browser.press("ArrowDown")
        self.assertEqual(self.focus(), "two")
        browser.press("Home")
        self.assertEqual(self.focus(), "echo")
        browser.press("Tab", shift=True)
        self.assertEqual(self.focus(), "Select echo")
        browser.press(" ")
        self.assertTrue(browser.run("document.activeElement.checked"))
        browser.press("ArrowDown")
        self.assertEqual(self.focus(), "Select two")
        browser.press("Tab")
        browser.press("Delete")
        browser.wait_text("Remove two?", "dialog")
        self.assertEqual(self.focus(), "Cancel")
        browser.press("Enter")
        self.assertEqual(self.focus(), "two")
        browser.press("Delete")
        self.tab_to("Remove")
        browser.press("Enter")
        browser.wait_text("two is removed.", "#toasts")
        self.hcm("show", "two", status=4)
        self.assertEqual(browser.run("document.querySelectorAll('tbody tr').length"), 1)

    def test_quiet(self) -> None:
        """Changes that come by themselves are read out gathered, traffic never."""
        self.add("two", "--target", self.at)
        browser = self.enter()
        browser.wait_text("Connected", f"{self.row('two')} .c-status")
        self.stage.relay.stop()
        browser.wait_text("two: Not Connected.", "#quiet")
        live = browser.run(
            "[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')]"
            ".filter((e) => e.querySelector('table, .spark, .rate, .tunnels')).length"
        )
        self.assertEqual(live, 0)

    def test_axe(self) -> None:
        """axe-core finds nothing in any view, light and dark, wide and narrow."""
        script = (installed() / "node_modules/axe-core/axe.min.js").read_text()
        self.add("two", "--target", self.at)
        nobody = f"127.0.0.1:{free_port()}"
        self.add("three", "--target", nobody, "--check-interval", "1", status=1)
        browser = self.browser
        browser.send("Page.setBypassCSP", enabled=True)
        browser.go(f"http://127.0.0.1:{self.port}/")
        browser.wait_text("Sign in", "#sign-in")
        browser.run(script + "; 0")
        self.assertEqual(browser.axe(), [])
        browser.go(self.link())
        browser.wait_text("Connected", f"{self.row('two')} .c-status")
        browser.run(script + "; 0")
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            browser.resize(1400, 900)
            self.assertEqual(browser.axe(), [], scheme)
            browser.click(f"{self.row('three')} .name")
            browser.wait_text("Service Bus Address", "#details")
            self.assertEqual(browser.axe(), [], scheme)
            for action in ("add", "test", "logs", "help"):
                browser.click(f"[data-action={action}]")
                browser.wait("a dialog", "document.querySelector('dialog[open]')")
                self.assertEqual(browser.axe(), [], f"{scheme} {action}")
                browser.press("Escape")
            browser.click("#details .close")
            browser.resize(400, 800)
            self.assertEqual(browser.axe(), [], f"{scheme}, narrow")
