"""
A relay, a listener beside real services, and what an app's host needs, on three hosts
that share no network.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.integration.case import need
from tests.integration.netns import Hosts
from tests.integration.programs import Program, command, twistd
from tests.integration.servers import PostgreSQL, Sshd
from tests.integration.stage import NAMESPACE, SEND, Stage, table

RELAY = "relay.test"
PORT = 443
#: The services, by the names of their hybrid connections.
ENDPOINTS = {
    "db": "db.corp:5432",
    "shell": "server.corp:22",
    "cache": "cache.corp:6379",
    "web": "web.corp:443",
    "wild": "*.apps.corp:443",
}
#: Further hybrid connections, for whoever wants them.
MORE = ("many", "old")
#: Those whose sender reads the endpoint from the metadata.
BY_METADATA = ("db", "cache")
DNS = "127.0.0.77"

_WEB = """
import http.server, ssl, sys
pem, address = sys.argv[1:]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"web " + self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer((address, 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(pem)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


class NamesStage(Stage):
    """
    @ivar hosts: the three hosts.
    @ivar sender: the sender on the app's host; started by tests.
    """

    def __init__(self) -> None:
        for program in ("psql", "redis-server", "redis-cli", "curl", "ssh", "dig"):
            need(shutil.which(program), f"no program {program} here")
        self.hosts = Hosts()
        entities: list[Any] = [{"path": e, "endpoint": at} for e, at in self._told()]
        super().__init__([*entities, *MORE])
        self.certify(self.ca.issue_cert(RELAY))
        app, relay, centre = self.hosts.app, self.hosts.relay, self.hosts.centre
        for host in (app, centre):
            address = "10.90.1.2" if host is app else "10.90.2.1"
            with host.path("/etc/hosts").open("a") as opened:
                opened.write(f"{address} {RELAY}\n")
        with centre.path("/etc/hosts").open("a") as opened:
            opened.write("127.0.0.1 db.corp cache.corp\n")
        self.postgresql = PostgreSQL(centre.inside, 5432)
        self.sshd = Sshd(centre.inside, 22)
        self._start("redis", ["redis-server", "--port", "6379", "--save", ""], 6379)
        self.start_web("web", "127.0.0.1", "web.corp", "one.apps.corp", "two.apps.corp")
        self.relay.argv = [*relay.inside, *self.relay.argv]
        self.relay.start().wait_port(PORT)
        path = self.listener_config(
            {
                entity: None if entity in BY_METADATA else self._target(entity)
                for entity in ENDPOINTS
            }
        )
        listener = self.program(
            "listener", [*centre.inside, *twistd("hclistener", "--config", str(path))]
        ).start()
        self.wait_online(listener, len(ENDPOINTS))
        self.sender = self.sender_with()

    @staticmethod
    def _told() -> list[tuple[str, str]]:
        # A wildcard stands for nothing in metadata that others read.
        return [(e, at.replace("*.", "one.")) for e, at in ENDPOINTS.items()]

    @staticmethod
    def _target(entity: str) -> str:
        return f"127.0.0.1:{ENDPOINTS[entity].rpartition(':')[2]}"

    def start_web(self, program: str, address: str, *names: str) -> None:
        """Run a web server in the data centre, with a certificate for these names."""
        pem = self.folder / f"{program}.pem"
        leaf = self.ca.issue_cert(*names)
        leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
        argv = [sys.executable, "-c", _WEB, str(pem), address]
        self._start(program, argv, PORT)

    def _start(self, name: str, argv: list[str], port: int) -> None:
        inside = self.hosts.centre.inside
        self.program(name, [*inside, *argv], ours=False).start().wait_port(port)

    def _write_relay(self, entities: Any, limits: Any, relay: Any) -> None:
        text = table(
            "[listen]", {"port": PORT, "certificate": "relay.pem", "key": "relay.key"}
        )
        text += table("[[namespace]]", {"name": NAMESPACE, "host_names": [RELAY]})
        for right, key in self.keys.items():
            text += table(
                "[[namespace.rule]]",
                {"name": right.lower(), "rights": [right], "primary_key": key},
            )
        for entity in entities:
            text += table("[[namespace.hybrid_connection]]", entity)
        self.write("relay.toml", text)

    def connection_string(self, entity: str, right: str) -> str:
        """As a user would have it in a file."""
        key = self.keys[right]
        return (
            f"Endpoint=sb://{RELAY}/;SharedAccessKeyName={right.lower()};"
            f"SharedAccessKey={key};EntityPath={entity}"
        )

    # --- the app's host ---

    def redirects(
        self,
        name: str,
        doors: Mapping[str, object] | None = None,
        entities: Iterable[str] = tuple(ENDPOINTS),
        **names: object,
    ) -> Path:
        """
        Write the configuration of the app's sender.

        @param doors: for C{[front_door]}.
        @param names: for C{[names]}.
        """
        text = table("", self._dialler())
        text += table("[names]", {"dns": f"{DNS}:53", **names})
        if doors:
            text += table("[front_door]", doors)
        for entity in entities:
            path = self.connection_string_file(entity, SEND)
            values: dict[str, object] = {"connection_string_file": path.name}
            if entity not in BY_METADATA:
                values["endpoint"] = ENDPOINTS[entity]
            text += table("[[redirect]]", values)
        return self.write(f"{name}.toml", text)

    def sender_with(self, name: str = "sender", **settings: Any) -> Program:
        """A sender on the app's host; not started yet."""
        path = self.redirects(name, **settings)
        argv = twistd("hcsender", "--config", str(path))
        return self.program(name, [*self.hosts.app.inside, *argv])

    def started(self, sender: Program) -> Program:
        """Start a sender and wait until it knows all names."""
        mark = sender.mark()
        sender.start().wait_log(r"(?s)db\.corp:5432 is .* here", since=mark)
        for name in ("cache.corp:6379", "web.corp:443"):
            sender.wait_log(rf"{name} is .* here", since=mark)
        return sender

    def command(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run C{hybridconn} on the app's host."""
        return self.hosts.app.run(*command(*arguments), env=env)

    def close(self) -> None:
        """End all of it."""
        self.sshd.close()
        self.postgresql.close()
        super().close()
        self.hosts.close()
