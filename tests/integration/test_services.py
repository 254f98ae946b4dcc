"""Programs that people really use, through the tunnel."""

from __future__ import annotations

import getpass
import hashlib
import http.server
import shutil
import threading

from tests.integration.case import IntegrationTestCase, need
from tests.integration.programs import output_of
from tests.integration.servers import PostgreSQL, Sshd, find
from tests.integration.stage import Stage
from tests.integration.targets import blob

MIB = 1024 * 1024


class ServiceTests(IntegrationTestCase):
    """Real clients and servers do not notice that there is a relay between."""

    def tunnel(self, port: int) -> int:
        """A local port that leads to C{port} through a relay."""
        stage = self.use(Stage(["service"]))
        stage.start_relay()
        stage.start_listener({"service": port})
        return stage.start_sender("service")["service"]

    def run_program(self, *argv: str, given: bytes = b"") -> str:
        """Run a program that must succeed; what it printed."""
        status, said = output_of(argv, 120, given=given)
        self.assertEqual(status, 0, said)
        return said

    def test_postgresql(self) -> None:
        """psql fills a table and reads it back; pg_dump dumps all of it."""
        psql, pg_dump = find("psql"), find("pg_dump")
        need(psql, "no psql here (Debian: apt install postgresql-client)")
        need(pg_dump, "no pg_dump here (Debian: apt install postgresql-client)")
        server = PostgreSQL()
        self.addCleanup(server.close)
        port = self.tunnel(server.port)
        at = ["--host=127.0.0.1", f"--port={port}", "--username=tester"]
        base = [*at, "--dbname=postgres"]
        sql = b"""
            CREATE TABLE parts (id integer PRIMARY KEY, name text);
            INSERT INTO parts
                SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, 20000) n;
            SELECT 'sum=' || sum(id) || ' digest=' ||
                md5(string_agg(name, '' ORDER BY id)) FROM parts;
        """
        argv = [str(psql), *base, "--no-psqlrc", "--quiet", "--tuples-only"]
        said = self.run_program(*argv, "--set=ON_ERROR_STOP=1", given=sql)
        self.assertIn("sum=200010000", said)
        joined = "".join(
            hashlib.md5(b"%d" % n).hexdigest() * 10 for n in range(1, 20001)
        )
        self.assertIn("digest=" + hashlib.md5(joined.encode()).hexdigest(), said)
        dump = self.run_program(str(pg_dump), *base, "--data-only")
        rows = [line for line in dump.splitlines() if "\t" in line]
        self.assertEqual(len(rows), 20000)
        self.assertEqual("".join(row.split("\t")[1] for row in rows), joined)

    def test_ssh(self) -> None:
        """ssh runs a command, scp copies 20 MiB there and back."""
        ssh, scp = shutil.which("ssh"), shutil.which("scp")
        need(ssh and scp, "no ssh and scp here (Debian: apt install openssh-client)")
        server = Sshd()
        self.addCleanup(server.close)
        port = self.tunnel(server.port)
        user = getpass.getuser()
        said = self.run_program(
            *[str(ssh), *server.options, "-p", str(port), f"{user}@127.0.0.1"],
            "echo through; cat",
            given=b"standard input\n",
        )
        self.assertIn("through\nstandard input\n", said)
        sent, there, back = (server.folder / n for n in ("sent", "there", "back"))
        sent.write_bytes(blob(20 * MIB))
        copy = [str(scp), *server.options, "-P", str(port), "-q"]
        self.run_program(*copy, str(sent), f"{user}@127.0.0.1:{there}")
        self.run_program(*copy, f"{user}@127.0.0.1:{there}", str(back))
        self.assertEqual(
            hashlib.sha256(back.read_bytes()).hexdigest(),
            hashlib.sha256(sent.read_bytes()).hexdigest(),
        )

    def test_curl(self) -> None:
        """curl gets a page and posts 20 MiB to an ordinary web server."""
        curl = shutil.which("curl")
        need(curl, "no curl here (Debian: apt install curl)")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Digester)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        port = self.tunnel(server.server_port)
        base = [str(curl), "--silent", "--show-error", "--fail", "--max-time", "60"]
        url = f"http://127.0.0.1:{port}/"
        self.assertEqual(self.run_program(*base, url), "a page\n")
        sent = blob(20 * MIB)
        said = self.run_program(
            *base, "--data-binary", "@-", "-H", "Expect:", url, given=sent
        )
        self.assertEqual(said, hashlib.sha256(sent).hexdigest())
        # Two requests on one connection: the tunnel stays up between them.
        self.assertEqual(self.run_program(*base, url, url), "a page\n" * 2)


class _Digester(http.server.BaseHTTPRequestHandler):
    """Answers GET with a page and POST with the SHA-256 of the body."""

    protocol_version = "HTTP/1.1"

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer(b"a page\n")

    def do_POST(self) -> None:
        total = hashlib.sha256()
        left = int(self.headers["Content-Length"])
        while left and (piece := self.rfile.read(min(left, 65_536))):
            total.update(piece)
            left -= len(piece)
        self._answer(total.hexdigest().encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
