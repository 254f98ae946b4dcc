"""
What is measured: our three programs, and others that do the same work.

Each is a whole tunnel: a local port for an app, something in the middle, and a
target behind it, with TLS on both sides of the middle.
"""

from __future__ import annotations

import getpass
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.processes import LOOPBACK, Child, Children, environment, free_port
from bench.processes import wait_for_port as wait

ENTITY = "bench"
#: Roles, in the order in which a byte of the app passes them.
ROLES = ("sender", "relay", "listener")


class Tunnel:
    """
    One contender.

    @cvar name: in the table.
    @ivar port: where an app connects to.
    @ivar roles: its processes by what they do.
    """

    name = ""

    def __init__(self, folder: Path, children: Children, target: int) -> None:
        self.folder = folder / self.name.replace(" ", "-")
        self.folder.mkdir()
        self.children = children
        self.target = target
        self.port = free_port()
        self.roles: dict[str, Child] = {}

    @classmethod
    def missing(cls) -> str | None:
        """What is not installed, and how it is; L{None} if all is there."""
        return None

    def start(self) -> None:
        """Run it until its port is open."""
        raise NotImplementedError  # every contender has its own

    def run(self, role: str, argv: Sequence[str], port: int | None = None) -> None:
        """Start the process of a role, and wait for its port."""
        child = self.children.start(f"{role}", argv, self.folder)
        self.roles[role] = child
        if port is not None:
            wait(port, self.children)

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time so far, by role."""
        return {role: child.cpu() for role, child in self.roles.items()}

    def memory(self) -> dict[str, int]:
        """KiB by role, what is shared in part."""
        return {role: child.memory().pss for role, child in self.roles.items()}


class Hybridconn(Tunnel):
    """
    Ours.

    @ivar relay_port: the relay's.
    @param extra: TOML that is added to the file of a role.
    """

    name = "hybridconn"
    sender_toml = ""

    def __init__(
        self,
        folder: Path,
        children: Children,
        target: int,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, children, target)
        self._extra = dict(extra or {})
        self.relay_port = free_port()

    def start(self) -> None:
        """The three programs, as C{hybridconn init} configures them."""
        made = subprocess.run(
            [
                *(sys.executable, "-m", "hybridconn", "init", "conf"),
                *("--host", "localhost", "--port", str(self.relay_port)),
                *("--entity", ENTITY, "--endpoint", f"{LOOPBACK}:{self.target}"),
            ],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise BenchError(f"hybridconn init: {made.stderr.strip()}")
        self.conf = self.folder / "conf"
        self._edit("sender", r"(?m)^bind = .*$", f'bind = "{LOOPBACK}:{self.port}"')
        for role in ROLES:
            self._add(role, self._extra.get(role, ""))
        self._add("sender", self.sender_toml)
        self.twistd("relay", "hcrelay", self.relay_port)
        self.twistd("listener", "hclistener")
        self.twistd("sender", "hcsender", self.port)
        self._wait_online()

    def twistd(self, role: str, program: str, port: int | None = None) -> None:
        """Start one of the programs."""
        twistd = Path(sys.executable).with_name("twistd")
        argv = [
            *(str(twistd), "-n", "--pidfile=", program),
            *("--config", str(self.conf / f"{role}.toml")),
            *self.arguments(role),
        ]
        self.run(role, argv, port)

    def arguments(self, role: str) -> list[str]:
        """Further arguments of a program."""
        return []

    def connection_string(self, entity: str) -> str:
        """One of an entity, by the namespace's own rule, which opens all of them."""
        rule = tomllib.loads((self.conf / "relay.toml").read_text())
        found = rule["namespace"][0]["rule"][0]
        return (
            f"Endpoint=sb://localhost:{self.relay_port}/;"
            f"SharedAccessKeyName={found['name']};"
            f"SharedAccessKey={found['primary_key']};EntityPath={entity}"
        )

    def token(self, right: str, entity: str = ENTITY) -> str:
        """A token that gives C{right} at one of the entities."""
        string = {"Listen": "listen", "Send": "send"}[right]
        file = self.conf / f"{string}.connection-string"
        if entity != ENTITY:
            file = self.conf / f"{entity}.connection-string"
            file.touch(mode=0o600)
            file.write_text(self.connection_string(entity))
        made = subprocess.run(
            [
                *(sys.executable, "-m", "hybridconn", "token"),
                *("--connection-string-file", str(file)),
            ],
            cwd=self.conf,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.strip()

    def _wait_online(self) -> None:
        log = self.roles["listener"].log
        for _ in range(400):
            self.children.check()
            if "online at" in log.read_text(errors="replace"):
                return
            try:
                self.roles["listener"].process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        raise BenchError("the listener did not come online")

    def _edit(self, role: str, pattern: str, text: str) -> None:
        path = self.conf / f"{role}.toml"
        path.write_text(re.sub(pattern, text, path.read_text()))

    def _add(self, role: str, text: str) -> None:
        # Tables behind what is there, single values in front of it.
        path = self.conf / f"{role}.toml"
        old = path.read_text()
        path.write_text(
            f"{old}\n{text}\n" if text.startswith("[") else f"{text}\n{old}"
        )


class Plain(Hybridconn):
    """Ours, with a new tunnel for every connection."""

    name = "hybridconn cold"
    sender_toml = "[spare_tunnels]\nmost = 0"


_HAPROXY = """\
global
  nbthread 1
  maxconn 8000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind {bind}
  server next {server}
"""


class Haproxy(Tunnel):
    """Three of haproxy in a row: into TLS, from TLS to TLS, out of TLS."""

    name = "haproxy"

    @classmethod
    def missing(cls) -> str | None:
        if shutil.which("haproxy"):
            return None
        return "haproxy is not installed; on Debian and Ubuntu: apt install haproxy"

    def start(self) -> None:
        relay, listener = free_port(), free_port()
        pem = make_pem(self.folder)
        tls = f"ssl crt {pem}"
        self.haproxy("listener", listener, f"{LOOPBACK}:{self.target}", tls)
        self.haproxy("relay", relay, f"{LOOPBACK}:{listener} ssl verify none", tls)
        self.haproxy("sender", self.port, f"{LOOPBACK}:{relay} ssl verify none")

    def haproxy(self, role: str, port: int, server: str, bind: str = "") -> None:
        """One of them."""
        file = self.folder / f"{role}.cfg"
        file.write_text(
            _HAPROXY.format(bind=f"{LOOPBACK}:{port} {bind}", server=server)
        )
        self.run(role, ["haproxy", "-db", "-f", str(file)], port)


def make_pem(folder: Path) -> Path:
    """A certificate for C{localhost} and its key, P-256 as ours, in one file."""
    done = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", "tls.key", "-out", "tls.crt"),
        ],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise BenchError("openssl made no certificate")
    pem = folder / "tls.pem"
    pem.write_text((folder / "tls.crt").read_text() + (folder / "tls.key").read_text())
    return pem


_SSHD = """\
ListenAddress {host}:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 100
"""


class OpenSSH(Tunnel):
    """C{ssh -R} beside the target and C{ssh -L} beside the app."""

    name = "ssh"
    cipher = ""

    @classmethod
    def missing(cls) -> str | None:
        for program in ("ssh", "ssh-keygen", "/usr/sbin/sshd"):
            if not shutil.which(program):
                return (
                    f"{program} is not installed; on Debian and Ubuntu: "
                    "apt install openssh-server openssh-client"
                )
        if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
            return "/run/sshd is missing; mend: mkdir -p /run/sshd"
        return None

    def start(self) -> None:
        for key in ("host", "client"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key],
                cwd=self.folder,
                check=True,
            )
        server, middle = free_port(), free_port()
        config = self.folder / "sshd.conf"
        config.write_text(_SSHD.format(host=LOOPBACK, port=server, folder=self.folder))
        self.run("relay", ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)], server)
        behind = f"{LOOPBACK}:{middle}:{LOOPBACK}:{self.target}"
        self.run("listener", self._ssh(server, "-R", behind), middle)
        local = f"{LOOPBACK}:{self.port}:{LOOPBACK}:{middle}"
        self.run("sender", self._ssh(server, "-L", local), self.port)

    def _ssh(self, port: int, way: str, forward: str) -> list[str]:
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "ExitOnForwardFailure": "yes",
            "LogLevel": "ERROR",
            "IdentitiesOnly": "yes",
        }
        if self.cipher:
            options["Ciphers"] = self.cipher
        return [
            *("ssh", "-N", "-F", "none", "-i", "client", "-p", str(port)),
            *(part for pair in options.items() for part in ("-o", "=".join(pair))),
            *(way, forward, f"{getpass.getuser()}@{LOOPBACK}"),
        ]


class OpenSSHGcm(OpenSSH):
    """The same with the cipher that processors help with."""

    name = "ssh gcm"
    cipher = "aes128-gcm@openssh.com"


class Pproxy(Tunnel):
    """Three of pproxy in a row, in the same language as ours."""

    name = "pproxy"

    @classmethod
    def missing(cls) -> str | None:
        if importlib.util.find_spec("pproxy"):
            return None
        return "pproxy is not installed; mend: pip install pproxy"

    def start(self) -> None:
        relay, listener = free_port(), free_port()
        make_pem(self.folder)
        tls = ("--ssl", "tls.crt,tls.key")
        far = f"http+ssl://{LOOPBACK}:{listener}"
        middle = f"http+ssl://{LOOPBACK}:{relay}"
        to = f"tunnel{{{LOOPBACK}:{self.target}}}://{LOOPBACK}:{self.port}"
        self._pproxy("listener", listener, "-l", far, *tls)
        self._pproxy("relay", relay, "-l", middle, *tls, "-r", far)
        self._pproxy("sender", self.port, "-l", to, "-r", middle)

    def _pproxy(self, role: str, port: int, *arguments: str) -> None:
        self.run(role, [sys.executable, "-m", "pproxy", *arguments], port)


OTHERS: tuple[type[Tunnel], ...] = (Haproxy, OpenSSH, OpenSSHGcm, Pproxy)
