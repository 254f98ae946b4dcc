"""
C{hybridconn doctor} and C{hybridconn ping} name the hop that is at fault: faults are
planted one after the other into a setup where all is well.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.integration.case import IntegrationTestCase, share
from tests.integration.programs import Program, command, environment, twistd
from tests.integration.stage import HOST, LISTEN, SEND, Stage, table
from tests.integration.targets import Target, echo
from tests.integration.waiting import free_port

#: Where each fault is planted there is a hybrid connection whose listener has it.
ENTITIES = (
    *("echo", "pair", "nobody", "dead", "lost", "secure", "closed"),
    {"path": "forbidden", "endpoint": "10.255.255.1:9"},
)
#: The name of the service, as its app knows it.
SERVICE = "db.invalid"

_SHIFT = "import os, time\n_now = time.time\ntime.time = lambda: _now() + {}\n"


class Scene(Stage):
    """
    @ivar echo: a target that is well.
    @ivar tls_port: of one that shows a certificate for another name.
    @ivar bound: the sender's port.
    @ivar named: the port of the service that is redirected.
    """

    def __init__(self) -> None:
        super().__init__(ENTITIES)
        self.start_relay()
        self.echo = Target(echo)
        self.tls_port = self._serve_tls()
        well = f"{HOST}:{self.echo.port}"
        targets: dict[str, int | str | None] = {
            "echo": well,
            "pair": well,
            "dead": free_port(),
            "lost": "nowhere.invalid:1",
            "forbidden": None,
            "secure": self.tls_port,
        }
        allowed = [f"{host}:*" for host in ("127.0.0.1", HOST, "*.invalid")]
        self._listen("listener", targets, {"allow_targets": allowed})
        self._listen("broken", {"pair": free_port()}, {})
        self._listen("silent", {"closed": well}, {}, answer_probes=False)
        self.bound = self.start_sender("echo")["echo"]
        self.named = free_port()
        self.dns = free_port()
        path = self.named_config("named", self.dns, self._serve_dns())
        self.named_sender = self.program(
            "named", twistd("hcsender", "--config", str(path))
        )
        self.named_sender.start()
        self.named_sender.wait_log("is 127.77")

    def _listen(
        self,
        name: str,
        targets: Mapping[str, int | str | None],
        top: Mapping[str, object],
        **more: Any,
    ) -> None:
        path = self.listener_config(targets, name, **more)
        path.write_text(table("", top) + path.read_text())
        program = self.program(name, twistd("hclistener", "--config", str(path)))
        self.wait_online(program.start(), len(targets))

    def _serve_tls(self) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("other.invalid").configure_cert(context)

        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)

        return Target(serve).port

    def _serve_dns(self) -> int:
        """A name server that knows nothing."""
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                query, peer = door.recvfrom(4096)
                door.sendto(query[:2] + b"\x81\x83" + query[4:], peer)

        threading.Thread(target=serve, daemon=True).start()
        port: int = door.getsockname()[1]
        return port

    def named_config(self, name: str, dns: int, upstream: int) -> Path:
        """A configuration with the service under its own name."""
        upstreams = [f"127.0.0.1:{upstream}"]
        more = table("[names]", {"dns": f"127.0.0.77:{dns}", "upstreams": upstreams})
        redirect = ("echo", f"{SERVICE}:{self.named}")
        return self.config(name, redirect=redirect, more=more)

    def config(
        self,
        name: str = "fault",
        entity: str = "echo",
        string: str = "",
        bind: int | None = None,
        redirect: tuple[str, str] | None = None,
        top: Mapping[str, object] | None = None,
        more: str = "",
    ) -> Path:
        """A sender's configuration, with one thing different."""
        text = table("", {"ca_file": "ca.pem"} if top is None else top)
        entity, endpoint = redirect or (entity, "")
        held = self.write(
            f"{name}.string", string or self.connection_string(entity, SEND)
        )
        values = {"connection_string_file": held.name}
        if redirect:
            text += table("[[redirect]]", values | {"endpoint": endpoint})
        else:
            port = self.bound if bind is None else bind
            text += table("[[forward]]", values | {"bind": f"127.0.0.1:{port}"})
        return self.write(f"{name}.toml", text + more)

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """The exit status of C{hybridconn}, and what it says."""
        done = subprocess.run(
            command(*arguments),
            cwd=self.folder,
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@cache
def scene() -> Scene:
    """The one that all tests use: each puts its fault into a file of its own."""
    made = Scene()
    share(made)
    return made


class DoctorTestCase(IntegrationTestCase):
    """A setup where all is well."""

    def setUp(self) -> None:
        super().setUp()
        self.scene = scene()
        self.use(self.scene)

    def said(
        self, *arguments: str, status: int, env: Mapping[str, str] | None = None
    ) -> str:
        got, said = self.scene.run(*arguments, env=env)
        self.assertEqual(got, status, said)
        self.assertNotIn("Traceback", said)
        for secret in self.scene.secrets():
            self.assertNotIn(secret, said)
        return said

    def checks(self, text: str) -> list[dict[str, Any]]:
        report, _ = json.JSONDecoder().raw_decode(text)  # warnings are behind it
        found: list[dict[str, Any]] = report["checks"]
        return found

    def assertFault(
        self,
        hop: str,
        seen: str,
        mend: str,
        *command: str,
        env: Mapping[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """The first hop that fails is C{hop}, with these words and this mend."""
        checks = self.checks(self.said(*command, "--json", status=1, env=env))
        wrong = [check for check in checks if check["result"] == "FAIL"]
        self.assertTrue(wrong, checks)
        first = wrong[0]
        self.assertEqual(first["name"], hop, first)
        self.assertRegex(first["detail"], seen)
        self.assertRegex(first["nextStep"], mend)
        return checks

    def doctor(
        self,
        hop: str,
        seen: str,
        mend: str,
        env: Mapping[str, str] | None = None,
        **fault: Any,
    ) -> list[dict[str, Any]]:
        """C{hybridconn doctor} finds it in a configuration with this fault."""
        path = self.scene.config(**fault)
        more = ("--timeout", "5")
        return self.assertFault(
            hop, seen, mend, "doctor", "-c", str(path), *more, env=env
        )

    def inside(self, config: str) -> list[str]:
        """C{hybridconn doctor} where the service is found by its name."""
        named = str(self.scene.folder / "named.toml")
        return ["exec", "-c", named, "--", *command("doctor", "-c", config)]

    def skipped(self, checks: list[dict[str, Any]], reason: str) -> list[str]:
        """The hops that were left out for C{reason}."""
        return [
            check["name"]
            for check in checks
            if check["result"] == "SKIP" and check["detail"] == reason
        ]


class WellTests(DoctorTestCase):
    """All is well."""

    def test_table(self) -> None:
        """Each hop has a line, with its time, and the exit status is 0."""
        said = self.said("doctor", "-c", str(self.scene.config()), status=0)
        self.assertRegex(said, "CHECK +RESULT +SEEN +MEND\n")
        for hop in ("file modes", "local port", "relay TLS", "clock", "target port"):
            self.assertRegex(said, rf"\n +{hop} +PASS ")
        self.assertRegex(said, r"takes connections \([0-9.]+ ms\)")
        self.assertIn("All is well.", said)

    def test_redirected(self) -> None:
        """So it is where apps find the service by its own name."""
        path = str(self.scene.folder / "named.toml")
        said = self.said(*self.inside(path), "--json", status=0)
        results = {one["name"]: one["result"] for one in self.checks(said)}
        for hop in ("name", "local port", "name server", "upstream", "target port"):
            self.assertEqual(results[hop], "PASS", hop)

    def test_ping(self) -> None:
        """C{ping} shows each hop once, then a line for each round, then a summary."""
        string = str(self.scene.connection_string_file("echo", SEND))
        how = ("-f", string, "--ca-file", "ca.pem")
        said = self.said(
            "ping", "echo", *how, "--count", "3", "--interval", "0.1", status=0
        )
        self.assertRegex(said, r"  target port +PASS +[0-9.]+ ms  127\.0\.0\.1:")
        self.assertRegex(said, r"\n2: \S+ [0-9.]+ ms\n3: \S+ [0-9.]+ ms\n")
        self.assertRegex(said, r"3 of 3 got through; .* min/avg/max [0-9.]+/")

    def interrupt(self, *arguments: str, when: str, then: str) -> str:
        """What is said by one that gets Ctrl-C, from C{when} to C{then}."""
        program = Program("interrupted", command(*arguments), self.scene.folder)
        # What runs in a shell's background ignores SIGINT, and so would its children.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            program.start()
        finally:
            signal.signal(signal.SIGINT, before)
        self.addCleanup(program.discard)
        program.wait_log(when)
        os.kill(program.pid, signal.SIGINT)
        program.wait_log(then)
        program.child.wait(10)
        return program.log()

    def test_interrupted(self) -> None:
        """Ctrl-C ends it with the summary."""
        path = str(self.scene.config())
        self.interrupt(
            *("ping", "echo", "-c", path, "--count", "0"),
            when=r"\n2: ",
            then=r"--- echo: \d+ of \d+ got through",
        )

    def test_interrupted_midway(self) -> None:
        """What Ctrl-C itself breaks off is no fault."""

        def listen(connection: socket.socket) -> None:
            while connection.recv(4096):
                pass

        silent = self.target(listen)
        right = self.scene.connection_string("echo", SEND)
        string = right.replace(str(self.scene.port), str(silent.port))
        path = str(self.scene.config("midway", string=string))
        said = self.interrupt(
            "ping", "echo", "-c", path, when="relay port +PASS", then="--- echo"
        )
        self.assertNotIn("FAIL", said)
        self.assertNotIn("Unhandled", said)

    def test_silent_listener(self) -> None:
        """A listener that answers no probes refuses harmlessly: it lets us in."""
        seen = self.scene.echo.seen
        path = self.scene.config(entity="closed")
        checks = self.checks(self.said("doctor", "-c", str(path), "--json", status=0))
        last = checks[-1]
        self.assertEqual((last["name"], last["result"]), ("target", "SKIP"))
        self.assertIn("knows no probes", last["detail"])
        self.wait_until("the target", lambda: self.scene.echo.seen > seen)


class ListenerTests(DoctorTestCase):
    """C{hybridconn doctor} with a listener's configuration."""

    def test_well(self) -> None:
        """It sees that somebody listens, and the target from here."""
        path = str(self.scene.folder / "silent.toml")
        checks = self.checks(self.said("doctor", "-c", path, "--json", status=0))
        names = [check["name"] for check in checks]
        for hop in ("file modes", "relay TLS", "token", "listeners", "target name"):
            self.assertIn(hop, names)
        self.assertEqual(names[-1], "target port")

    def test_faults(self) -> None:
        """Each hybrid connection's own fault, and no other."""
        path = str(self.scene.folder / "listener.toml")
        checks = self.checks(self.said("doctor", "-c", path, "--json", status=1))
        wrong = {one["subject"]: one["name"] for one in checks if not one["ok"]}
        self.assertEqual(
            wrong,
            {"dead": "target port", "lost": "target name", "forbidden": "target"},
        )

    def test_token(self) -> None:
        """A key that is none, and a hybrid connection where nobody listens."""
        text = (self.scene.folder / "silent.toml").read_text()
        right = self.scene.connection_string("closed", LISTEN)
        for string, hop, mend in (
            (right.replace(self.scene.keys[LISTEN], "bm9uZQ=="), "token", "--replace"),
            (right.replace("=closed", "=nobody"), "listeners", "start twistd"),
        ):
            self.scene.write("other.string", string)
            path = self.scene.write(
                "other.toml", text.replace("closed.listen", "other.string")
            )
            self.assertFault(hop, ".", mend, "doctor", "-c", str(path))

    def test_many(self) -> None:
        """Each named port is looked at; of many targets senders say which."""
        text = (self.scene.folder / "silent.toml").read_text()
        kept = [line for line in text.splitlines() if not line.startswith("target")]
        for more, found in (
            (
                f"""ports = ["a={HOST}:{self.scene.echo.port}", "b=udp:{HOST}:53"]
mode = "bridge"
""",
                [
                    ("closed, port a", "target port", "PASS"),
                    ("closed, port b", "target port", "SKIP"),
                ],
            ),
            ('targets = ["*.corp:443"]\n', [("closed", "target", "SKIP")]),
        ):
            path = self.scene.write("many.toml", "\n".join(kept) + "\n" + more)
            said = self.said("doctor", "-c", str(path), "--json", status=0)
            ends = [
                (one["subject"], one["name"], one["result"])
                for one in self.checks(said)
            ]
            self.assertLessEqual(set(found), set(ends))

    def test_relay(self) -> None:
        """A relay's configuration is none of the two."""
        path = str(self.scene.folder / "relay.toml")
        self.assertFault("configuration", "relay's", "check", "doctor", "-c", path)


class LocalFaultTests(DoctorTestCase):
    """On this machine."""

    def test_name(self) -> None:
        """Apps do not find the name."""
        path = str(self.scene.folder / "named.toml")
        checks = self.assertFault(
            "name", "not found, not 127.77", "redirect install", "doctor", "-c", path
        )
        wrong = [check["name"] for check in checks if not check["ok"]]
        self.assertEqual(wrong, ["name"])

    def test_no_sender(self) -> None:
        """The sender does not run."""
        self.doctor("local port", "nobody listens", "hcsender", bind=free_port())

    def test_taken(self) -> None:
        """Another program has its port."""
        self.doctor(
            "local port",
            rf"process {os.getpid()}, .*no sender",
            "stop it",
            bind=self.scene.echo.port,
        )

    def test_name_server(self) -> None:
        """The sender's name server does not answer, or none that it asks does."""
        for hop, dns, mend in (
            ("name server", free_port(), "hcsender"),
            ("upstream", self.scene.dns, "upstreams"),
        ):
            path = self.scene.named_config("dns", dns, free_port())
            self.assertFault(hop, "no.* answer", mend, *self.inside(str(path)))

    def test_modes(self) -> None:
        """Others can read the key."""
        path = self.scene.config("modes")
        (self.scene.folder / "modes.string").chmod(0o644)
        checks = self.assertFault(
            "file modes", "mode 0644", "chmod 600", "doctor", "-c", str(path)
        )
        self.assertEqual(self.skipped(checks, "file modes failed"), ["configuration"])

    def test_configuration(self) -> None:
        """The configuration has a mistake."""
        self.doctor("configuration", "ca_fil", "mend it", top={"ca_fil": "ca.pem"})


class WayFaultTests(DoctorTestCase):
    """On the way to the relay."""

    def string(self, place: str) -> str:
        right = self.scene.connection_string("echo", SEND)
        return right.replace(f"{HOST}:{self.scene.port}", place)

    def test_relay_name(self) -> None:
        """Its name is not found."""
        checks = self.doctor(
            "relay name",
            "relay.invalid is not found",
            "Endpoint",
            string=self.string("relay.invalid:443"),
        )
        skipped = self.skipped(checks, "relay name failed")
        self.assertEqual(skipped[:2], ["relay port", "relay TLS"])
        self.assertEqual(skipped[-1], "target")

    def test_relay_port(self) -> None:
        """Nobody listens there."""
        self.doctor(
            "relay port",
            "refused",
            "is the relay running",
            string=self.string(f"{HOST}:{free_port()}"),
        )

    def test_metadata(self) -> None:
        """What a redirect stands for is not said, or cannot be asked."""
        held = self.scene.write("meta.string", self.string("localhost:1"))
        redirect = table("[[redirect]]", {"connection_string_file": held.name})
        path = str(self.scene.write("meta.toml", 'ca_file = "ca.pem"\n' + redirect))
        ask = ("ping", f"{SERVICE}:1", "-c", path)
        self.assertFault("relay port", "refused", "is the relay running", *ask)
        self.scene.write("meta.string", self.scene.connection_string("echo", SEND))
        self.assertFault("endpoint", "no key", "metadata", "doctor", "-c", path)

    def test_authority(self) -> None:
        """Its certificate is of an authority that is not known."""
        self.doctor("relay TLS", "trustme.*not trusted here", "ca_file", top={})

    def test_certificate_name(self) -> None:
        """Its certificate is for another name."""
        self.doctor(
            "relay TLS",
            r"other names \(other.invalid\)",
            "Endpoint",
            string=self.string(f"{HOST}:{self.scene.tls_port}"),
        )

    def test_clock(self) -> None:
        """The clocks differ, whether tokens are taken for good or not."""
        folder = self.scene.folder / "shifted"
        folder.mkdir(exist_ok=True)
        for hours in (2, -2):
            (folder / "sitecustomize.py").write_text(_SHIFT.format(hours * 3600))
            env = {"PYTHONPATH": f"{folder}:{environment()['PYTHONPATH']}"}
            checks = self.doctor(
                "clock",
                rf"{'-' if hours > 0 else '.+'}7[12]\d\d s",
                "set this",
                env=env,
            )
            refused = self.skipped(checks, "clock failed")
            self.assertEqual("token" in refused, hours < 0)

    def test_proxy(self) -> None:
        """The proxy asks for a password."""

        def refuse(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(
                b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n"
                b"Content-Length: 0\r\n\r\n"
            )

        proxy = self.target(refuse)
        more = table("[way_out]", {"proxy": f"http://127.0.0.1:{proxy.port}"})
        self.doctor("proxy", "asks for a password", r"\[way_out\]", more=more)


class FarFaultTests(DoctorTestCase):
    """Behind the relay."""

    def test_key(self) -> None:
        """The key is another one."""
        right = self.scene.connection_string("echo", SEND)
        string = right.replace(self.scene.keys[SEND], "bm90IHRoZSByaWdodCBrZXk=")
        self.doctor("token", "401 .*invalid signature", "anew", string=string)

    def test_right(self) -> None:
        """The rule may not send."""
        string = self.scene.connection_string("echo", LISTEN)
        self.doctor("token", "403 .*action: Send", "a rule with Send", string=string)

    def test_entity(self) -> None:
        """There is no such hybrid connection."""
        self.doctor("hybrid connection", "404", "EntityPath", entity="absent")

    def test_nobody(self) -> None:
        """Nobody listens."""
        checks = self.doctor("listeners", "404", "start a listener", entity="nobody")
        self.assertEqual(
            self.skipped(checks, "listeners failed"), ["listener", "target"]
        )

    def test_dead_target(self) -> None:
        """The target refuses."""
        self.doctor(
            "target port", "refused the connection", "start the target", entity="dead"
        )

    def test_lost_target(self) -> None:
        """The listener's machine does not find the target's name."""
        self.doctor("target name", "resolved", "mend the name", entity="lost")

    def test_forbidden_target(self) -> None:
        """The listener may not reach it."""
        self.doctor("target", "not in allow_targets", "add it", entity="forbidden")

    def test_target_certificate(self) -> None:
        """The target's certificate is for another name than apps use."""
        string = str(self.scene.connection_string_file("secure", SEND))
        how = ("-f", string, "--ca-file", "ca.pem", "--tls=db.corp")
        self.assertFault(
            "target TLS",
            r"other\.invalid signed by trustme.*other names",
            "the target's certificate",
            *("ping", "secure", *how),
        )

    def test_one_of_two(self) -> None:
        """One of two listeners has a dead target: both are found, each time."""
        for _ in range(2):
            checks = self.doctor(
                "target port", "refused the connection", "start", entity="pair"
            )
            targets = [one for one in checks if one["name"] == "target port"]
            self.assertEqual(sorted(one["result"] for one in targets), ["FAIL", "PASS"])
            who = {one["detail"] for one in checks if one["name"] == "listener"}
            self.assertEqual(len(who), 2)
            self.assertTrue(re.search("2 listening", str(checks)))
