"""The relay's page, in Chromium, against real processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping

from hybridconn.page.sessions import KEY_HEADER
from tests.integration.browser import Browser
from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import BASE, NS, ManagementStage
from tests.integration.nodejs import installed
from tests.integration.page_checks import Evil, Keys, check_link
from tests.integration.programs import Program, command, output_of, twistd
from tests.integration.stage import HOST, Stage, table
from tests.integration.targets import echo, read_exactly
from tests.integration.test_workers import free_pair
from tests.integration.waiting import free_port, wait_for

LISTENERS = "#details [aria-label=Listeners]"
TUNNELS = "#details [aria-label^=Tunnels]"
EVIL = "<img src=x onerror=\"document.title='had'\">"


class PageCase(IntegrationTestCase):
    """
    A relay with a store and the hybrid connections C{db} and C{idle}.

    @ivar port: of the page.
    @ivar browser: signed out.
    """

    relay_table: Mapping[str, object] = {}

    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        admin = {"port": self.port, "socket": "relay.sock"}
        stage = ManagementStage(relay=self.relay_table, more=table("[admin]", admin))
        self.use(stage)
        self.stage = stage
        stage.start()
        socket_file = stage.folder / "relay.sock"
        wait_for("the page's socket", socket_file.exists, 30)
        self.put("", {"location": "here"})
        self.echo = self.target(echo)
        metadata = [{"key": "endpoint", "value": f"127.0.0.1:{self.echo.port}"}]
        self.put("db", {"properties": {"userMetadata": json.dumps(metadata)}})
        self.put("idle", {"properties": {"userMetadata": EVIL}})
        self.browser = Browser(stage.folder)
        self.addCleanup(self.browser.close)

    def put(self, path: str, body: object) -> None:
        """Make a namespace, or a hybrid connection in it."""
        place = f"{BASE}/namespaces/{NS}" + (f"/hybridConnections/{path}" * bool(path))
        status, value, _ = self.stage.call("PUT", place, body)
        self.assertEqual(status, 200, value)

    def link(self) -> str:
        """A link as the command prints it."""
        at = str(self.stage.folder / "relay.sock")
        found, said = output_of(command("relay", "ui", "--socket", at))
        self.assertEqual(found, 0, said)
        return said.splitlines()[0]

    def enter(self) -> Browser:
        """Sign in by a link."""
        self.browser.go(self.link())
        self.browser.wait_text("Connected", "#service")
        self.browser.wait_text("2", "#count")
        return self.browser

    def row(self, path: str) -> str:
        """A row's selector."""
        return f"tr[data-name={json.dumps(f'{NS}/{path}')}]"

    def listen(self, name: str) -> Program:
        """A listener that is online."""
        return self.stage.listen_for("db", self.echo.port, name)

    def sender(self) -> int:
        """The port of a sender that makes a tunnel for each connection."""
        port = free_port()
        text = self.stage.connection_string_of("db", "defaultSender")
        self.stage.write("send.cs", text)
        config = table("", {"ca_file": "ca.pem"}) + table(
            "[spare_tunnels]", {"most": 0}
        )
        forward = {"connection_string_file": "send.cs", "bind": f"127.0.0.1:{port}"}
        file = self.stage.write("sender.toml", config + table("[[forward]]", forward))
        argv = twistd("hcsender", "--config", str(file))
        self.stage.program("sender", argv).start().wait_port(port)
        return port

    @contextlib.contextmanager
    def tunnel(self, port: int) -> Iterator[socket.socket]:
        """A connection through which something went."""
        with self.stage.dial(port) as connection:
            connection.sendall(b"x" * 1000)
            read_exactly(connection, 1000)
            yield connection

    def request(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        """A request without a browser: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body


class LifeTests(PageCase):
    """What people see and do."""

    def test_life(self) -> None:
        """
        A tunnel is seen, drained around and kicked; its listener is kicked and comes
        back; the hybrid connection is disabled and enabled.
        """
        browser = self.enter()
        browser.wait_text("No listener", f"{self.row('db')} .c-status")
        self.listen("one")
        browser.wait_text("Listening", f"{self.row('db')} .c-status")
        port = self.sender()
        with self.tunnel(port) as first:
            browser.wait_text("1", f"{self.row('db')} .c-tunnels")
            browser.wait_text("1", "#tiles .tile:nth-child(3)")
            browser.click(f"{self.row('db')} .name")
            browser.wait_text("T1", TUNNELS)
            browser.wait_text("↑ 1.0 kB · ↓ 1.0 kB", "#details")
            browser.wait_text("hybridconn", LISTENERS)
            browser.wait_text("peak", "#details .scale")

            self.listen("two")
            browser.wait_text("L2", LISTENERS)
            browser.click("[aria-label='Drain listener L1']")
            browser.wait_text("Draining", LISTENERS)
            browser.wait_text("1 draining", f"{self.row('db')} .c-listeners")
            with contextlib.ExitStack() as others:
                for _ in range(4):
                    others.enter_context(self.tunnel(port))
                browser.wait_text("4 tunnels", LISTENERS)
                first.sendall(b"goes on")
                self.assertEqual(read_exactly(first, 7), b"goes on")
            browser.click("[aria-label='Undrain listener L1']")
            browser.wait_text("gets new senders again", "#toasts")

            browser.click("[aria-label^='Kick T1 of']")
            browser.wait_text("Kick tunnel T1?", "dialog")
            browser.press("Escape")
            browser.wait("no dialog", "!document.querySelector('dialog')")
            first.sendall(b"still")
            self.assertEqual(read_exactly(first, 5), b"still")
            browser.click("[aria-label^='Kick T1 of']")
            browser.click("dialog .solid")
            browser.wait_text("Tunnel T1 is kicked.", "#toasts")
            self.assertReset(first)
        browser.wait_text("Nothing is open.", "#details")

        browser.click("[aria-label='Kick listener L1']")
        browser.click("dialog .solid")
        browser.wait_text("L3", LISTENERS)

        browser.click("#details header .danger")
        browser.click("dialog .solid")
        browser.wait_text("Disabled", f"{self.row('db')} .c-status")
        browser.wait_text("Nobody listens", "#details")
        with self.stage.dial(port) as refused:
            self.assertReset(refused)
        browser.wait_text("Show", "#tiles .tile:nth-child(6)")
        browser.click("#details header .small")
        browser.wait_text("Listening", f"{self.row('db')} .c-status", seconds=30)
        self.assertEqual(browser.complaints, [])
        own = f"http://127.0.0.1:{self.port}/"
        foreign = [u for u in browser.requests if not u.startswith((own, "about:"))]
        self.assertEqual(foreign, [])

    def test_drained_alone(self) -> None:
        """The last listener is drained only after a question; then nobody gets in."""
        browser = self.enter()
        self.listen("one")
        port = self.sender()
        browser.click(f"{self.row('db')} .name")
        browser.click("[aria-label='Drain listener L1']")
        browser.wait_text("Drain the last listener of db?", "dialog")
        browser.click("dialog .solid")
        browser.wait_text("Draining", f"{self.row('db')} .c-status")
        with self.stage.dial(port) as refused:
            self.assertReset(refused)
        self.stage["sender"].wait_log("no listeners connected")
        env = {
            "HYBRIDCONN_MANAGEMENT_URL": self.stage.base_url,
            "HYBRIDCONN_MANAGEMENT_TOKEN": self.stage.tokens["admin"],
            "HYBRIDCONN_MANAGEMENT_CA_FILE": str(self.stage.ca_file),
        }
        place = BASE.split("/")
        where = ("--subscription", place[2], "--group", place[4])
        for action, word in (("undrain", "Listening"), ("drain", "Draining")):
            argv = command(action, NS, "db", "L1", *where)
            found, said = output_of(argv, 30, env)
            self.assertEqual(found, 0, said)
            browser.wait_text(word, f"{self.row('db')} .c-status")

    def test_others(self) -> None:
        """
        What is made and deleted elsewhere comes and goes, and filters find it; so does
        the relay, of which a new one wants a new link.
        """
        browser = self.enter()
        self.put("later", {})
        browser.wait_text("3", "#count")
        browser.click("#filter")
        browser.paste("lat")
        browser.wait_text("1 of 3", "#count")
        place = f"{BASE}/namespaces/{NS}/hybridConnections/later"
        self.stage.call("DELETE", place)
        browser.wait_text("Nothing fits the filter")
        browser.click("#empty button")
        browser.wait_text("2", "#count")
        browser.click("#tiles .link")
        browser.wait_text(f"{NS}.localhost", "dialog")
        browser.press("Escape")
        self.stage.relay.stop()
        browser.wait_text("Disconnected", "#service")
        browser.wait_text("does not answer", "#lost")
        self.stage.start()
        browser.wait_text("hybridconn relay ui", "#sign-in", seconds=30)
        browser.go(self.link())
        browser.wait_text("2", "#count")


class WorkersTests(PageCase):
    """A relay of two processes, of which one serves the page."""

    def setUp(self) -> None:
        self.relay_table = {"workers": 2, "worker_port": free_pair()}
        super().setUp()

    def test_across(self) -> None:
        """What goes on at both is seen, drained and kicked."""
        browser = self.enter()
        for name in ("one", "two", "three", "four"):
            self.listen(name)
        browser.wait_text("4", f"{self.row('db')} .c-listeners")
        browser.click(f"{self.row('db')} .name")
        browser.wait(
            "four listeners",
            "document.querySelectorAll('[aria-label=Listeners] > li').length === 4",
        )
        for number in range(4):
            item = f"[aria-label=Listeners] > li:nth-child({number + 1})"
            browser.click(f"{item} button")
            if number == 3:
                browser.click("dialog .solid")
            browser.wait_text(
                f"{number + 1} draining", f"{self.row('db')} .c-listeners"
            )
        port = self.sender()
        for _ in range(4):
            with self.stage.dial(port) as refused:
                self.assertReset(refused)
        browser.click("[aria-label=Listeners] > li button")
        browser.wait_text("3 draining", f"{self.row('db')} .c-listeners")
        for _ in range(4):
            with self.tunnel(port) as connection:
                browser.click(f"{TUNNELS} .danger")
                browser.click("dialog .solid")
                self.assertReset(connection)
            browser.wait_text("Nothing is open.", "#details")


class SafetyTests(PageCase):
    """What strangers cannot do."""

    def test_link(self) -> None:
        """A link works once; its cookie is for no script, and nothing goes without."""
        name = f"relay_session_{self.port}"
        cookie = check_link(self, self.browser, self.link, name)
        self.assertNotIn("login=", self.stage.relay.log())
        for path in ("/v1/relay", "/v1/connections", "/v1/counts"):
            status, said = self.request("GET", path)
            self.assertEqual((status, "sign in there" in said), (401, True))
            self.assertEqual(self.request("GET", path, Cookie=cookie)[0], 401)
            # A name that somebody else has led to this machine.
            status, said = self.request("GET", path, Host=f"evil.example:{self.port}")
            self.assertEqual((status, "WrongHost" in said), (403, True))
        self.assertEqual(self.request("GET", "/")[0], 200)

    def test_other_page(self) -> None:
        """A page of another port of this machine drains, kicks and reads nothing."""
        self.listen("one")
        browser = self.enter()
        browser.wait_text("Listening", f"{self.row('db')} .c-status")
        own = f"http://127.0.0.1:{self.port}"
        drain = f"{own}/v1/connections/{NS}/db/listeners/L1/drain"
        evil = Evil(
            f"<iframe src='{own}/'></iframe><form method=post action='{drain}'>"
        )
        self.addCleanup(evil.close)
        browser.go(evil.url)
        browser.wait_text("evil")
        self.assertIn(f"relay_session_{self.port}=", evil.cookie)
        tried = browser.run(
            f"""(async () => {{
              const tries = [
                ["POST", "{drain}", {{}}],
                ["GET", "{own}/v1/connections", {{}}],
                ["GET", "{own}/v1/connections", {{ "{KEY_HEADER}": "x" }}],
              ];
              return Promise.all(tries.map(([method, url, headers]) =>
                fetch(url, {{ method, headers, credentials: "include" }})
                  .then((answer) => answer.status, () => "blocked")));
            }})()"""
        )
        self.assertEqual(tried, ["blocked"] * 3)
        self.assertTrue(
            browser.run("document.querySelector('iframe').contentDocument === null")
        )
        self.assertIn("frame-ancestors", " ".join(browser.complaints))
        browser.run("document.querySelector('form').submit()")
        browser.wait_text("AuthenticationFailed")
        browser.go(self.link())
        browser.wait_text("Listening", f"{self.row('db')} .c-status")

    def test_markup(self) -> None:
        """Markup in a name, in metadata and in a listener's user agent is text."""
        path = "%3Cb%3Ebold%3C%2Fb%3E"
        status, value, _ = self.stage.call(
            "PUT", f"{BASE}/namespaces/{NS}/hybridConnections/{path}", {}
        )
        # A path may not have such letters; then nothing can show them.
        self.assertIn(status, (200, 400), value)
        text = self.stage.connection_string_of("db", "defaultListener")
        fields = dict(part.split("=", 1) for part in text.strip().split(";"))
        self.stage.also_secret(fields["SharedAccessKey"])
        self.hold_channel(fields["SharedAccessKeyName"], fields["SharedAccessKey"])
        browser = self.browser
        browser.go(self.link())
        browser.wait_text(EVIL, self.row("idle"))
        browser.click(f"{self.row('idle')} .name")
        browser.wait_text(EVIL, "#details .facts")
        browser.click(f"{self.row('db')} .name")
        browser.wait_text(EVIL, LISTENERS)
        self.assertEqual(browser.run("document.images.length"), 1)
        self.assertEqual(browser.run("document.title"), "Relay")

    def hold_channel(self, rule: str, key: str) -> None:
        """A control channel of a program with a strange name."""
        from websockets.sync.client import connect

        from tests.integration.tokens import make_token

        token = make_token(f"http://{HOST}/db", rule, key, 600)
        channel = connect(
            f"wss://{HOST}:{self.stage.port}/$hc/db?sb-hc-action=listen",
            ssl=self.stage.trust(),
            additional_headers={"ServiceBusAuthorization": token},
            user_agent_header=EVIL,
        )
        self.addCleanup(channel.close)


class KeyboardTests(Keys, PageCase):
    """Everything by keys, and by ear."""

    def test_keys(self) -> None:
        """Rows, details, drain and kick without a mouse; the focus is never lost."""
        self.listen("one")
        browser = self.enter()
        browser.wait_text("Listening", f"{self.row('db')} .c-status")
        self.tab_to("db")
        browser.press("ArrowDown")
        self.assertEqual(self.focus(), "idle")
        browser.press("Home")
        browser.press("Enter")
        self.assertEqual(browser.run("document.activeElement.id"), "details-title")
        browser.wait_text("L1", LISTENERS)
        self.tab_to("Drain listener L1")
        browser.press("Enter")
        self.assertEqual(self.focus(), "Cancel")
        browser.press("Tab")
        browser.press("Enter")
        wait_for(
            "the button to be the other",
            lambda: self.focus() == "Undrain listener L1",
            15,
        )
        self.tab_to("Kick listener L1")
        browser.press("Enter")
        browser.wait_text("Kick listener L1?", "dialog")
        browser.press("Escape")
        self.assertEqual(self.focus(), "Kick listener L1")
        browser.press("Escape")
        self.assertEqual(self.focus(), "db")

    def test_axe(self) -> None:
        """axe-core finds nothing in any view, light and dark, wide and narrow."""
        script = (installed() / "node_modules/axe-core/axe.min.js").read_text()
        self.listen("one")
        port = self.sender()
        browser = self.browser
        browser.send("Page.setBypassCSP", enabled=True)
        browser.go(f"http://127.0.0.1:{self.port}/")
        browser.wait_text("Sign in", "#sign-in")
        browser.run(script + "; 0")
        self.assertEqual(browser.axe(), [])
        browser.go(self.link())
        browser.wait_text("Listening", f"{self.row('db')} .c-status")
        browser.run(script + "; 0")
        with self.tunnel(port):
            for scheme in ("light", "dark"):
                browser.prefer(scheme)
                browser.resize(1400, 900)
                self.assertEqual(browser.axe(), [], scheme)
                browser.click(f"{self.row('db')} .name")
                browser.wait_text("T1", TUNNELS)
                browser.click("#details .more-facts summary")
                self.assertEqual(browser.axe(), [], scheme)
                for button in ("#tiles .link", "#help", "#details .acts .danger"):
                    browser.click(button)
                    browser.wait("a dialog", "document.querySelector('dialog[open]')")
                    self.assertEqual(browser.axe(), [], f"{scheme} {button}")
                    browser.press("Escape")
                browser.click("#details .more-facts summary")
                browser.click("#details .close")
                browser.resize(400, 800)
                self.assertEqual(browser.axe(), [], f"{scheme}, narrow")


class FileTests(IntegrationTestCase):
    """A relay whose hybrid connections stand in its file."""

    def test_without_store(self) -> None:
        """It has the page too; nothing can be disabled there."""
        stage = self.use(Stage(["echo"]))
        port = free_port()
        with (stage.folder / "relay.toml").open("a") as config:
            values = {"port": port, "socket": "relay.sock"}
            config.write(table("[admin]", values))
        stage.start_relay()
        stage.relay.wait_port(port)
        at = str(stage.folder / "relay.toml")
        _, said = output_of(command("relay", "ui", "--config", at))
        browser = Browser(stage.folder)
        self.addCleanup(browser.close)
        browser.go(said.splitlines()[0])
        browser.wait_text("No listener", "tbody .c-status")
        browser.click("tbody .name")
        browser.wait_text("Nobody listens", "#details")
        self.assertTrue(browser.run("document.querySelector('#details .small').hidden"))
        self.assertEqual(browser.complaints, [])
