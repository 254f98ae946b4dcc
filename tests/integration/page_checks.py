"""What holds for every page: doors, and ways to go through it by keys."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.browser import Browser


class Keys(SynchronousTestCase):
    """
    A test that goes through a page by keys.

    @ivar browser: has the page open.
    """

    browser: Browser

    def focus(self) -> str:
        """What has the focus, in words."""
        return str(
            self.browser.run(
                "(() => { const e = document.activeElement;"
                " return e.getAttribute('aria-label') || e.innerText || e.id; })()"
            )
        ).strip()

    def tab_to(self, words: str, shift: bool = False) -> None:
        """Press the tab key until something has the focus."""
        for _ in range(40):
            if self.focus() == words:
                return
            self.browser.press("Tab", shift)
        self.fail(f"the tab key does not come to {words!r}")


def check_link(
    test: SynchronousTestCase, browser: Browser, link: Callable[[], str], cookie: str
) -> str:
    """
    A link works once; its cookie is for no script.  Another one signs in at the end.

    @param link: makes one.
    @param cookie: its name.
    @return: the cookie, as a browser sends it.
    """
    first = link()
    browser.go(first)
    browser.wait_text("Connected", "#service")
    test.assertEqual(browser.run("location.href"), first.partition("#")[0])
    test.assertEqual(browser.run("document.cookie"), "")
    browser.click("#sign-out")
    browser.wait_text("Sign in", "#sign-in")
    for one, words, place in (
        (first, "This link was used before", "#sign-in-error"),
        (link(), "Connected", "#service"),
    ):
        browser.run("document.querySelector('#link').value = ''")
        browser.click("#link")
        browser.paste(one)
        browser.press("Enter")
        browser.wait_text(words, place)
    (found,) = browser.send("Network.getCookies")["cookies"]
    test.assertEqual(found["name"], cookie)
    test.assertTrue(found["httpOnly"])
    test.assertEqual(found["sameSite"], "Strict")
    return f"{found['name']}={found['value']}"


class Evil:
    """
    A page of somebody else's, on a port of this machine.

    @ivar cookie: that the browser sent to it.
    """

    def __init__(self, markup: str) -> None:
        self.cookie = ""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.cookie = self.headers.get("Cookie") or owner.cookie
                body = f"<title>evil</title><p>evil</p>{markup}".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
