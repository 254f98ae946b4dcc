"""The PROXY protocol with a program that understands it: haproxy as the target."""

from __future__ import annotations

import shutil

from tests.integration.case import IntegrationTestCase, need
from tests.integration.stage import Stage
from tests.integration.targets import echo
from tests.integration.waiting import free_port

CONFIG = """
global
    log stdout format raw local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen service
    bind 127.0.0.1:{port} accept-proxy
    log global
    log-format "from %ci id %[fc_pp_unique_id]"
    server behind 127.0.0.1:{behind}
"""


class ProxyProtocolTests(IntegrationTestCase):
    """Real processes."""

    def test_haproxy(self) -> None:
        """It takes every connection, and knows address and tracking id of each."""
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/bin")
        need(program, "no haproxy here (Debian: apt install haproxy)")
        stage = self.use(Stage(["hyco"]))
        stage.start_relay()
        port, behind = free_port(), self.target(echo).port
        path = stage.write("haproxy.cfg", CONFIG.format(port=port, behind=behind))
        argv = [str(program), "-db", "-f", str(path)]
        service = stage.program("haproxy", argv, ours=False)
        service.start().wait_port(port)
        stage.start_listener({"hyco": port}, proxy_protocol=True)
        local = stage.start_sender("hyco")["hyco"]
        for _ in range(3):  # the later ones use the first one's tunnel again
            with stage.dial(local) as app:
                app.sendall(b"hello")
                self.assertEqual(app.recv(100), b"hello")
        pattern = r"(?s)(?:from 127\.0\.0\.1 id ([0-9a-f-]{36}_\S+).*?){3}"
        service.wait_log(pattern)
        log = service.log()
        ids = {line.split()[-1] for line in log.splitlines() if " id " in line}
        self.assertEqual(len(ids), 3, log)
