"""Real servers as targets: PostgreSQL and OpenSSH, private and temporary."""

from __future__ import annotations

import atexit
import glob
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import psutil
import psycopg

from tests.integration.case import need
from tests.integration.programs import Program, output_of
from tests.integration.waiting import free_port


def find(name: str) -> str | None:
    """A program's path, also where an ordinary PATH does not look."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)


def _postgresql_folder() -> str | None:
    """The folder of the newest PostgreSQL server's programs."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if found:
        return os.path.dirname(max(found, key=lambda p: int(p.split("/")[4])))
    initdb = shutil.which("initdb")
    return os.path.dirname(initdb) if initdb else None


def _servant() -> str | None:
    """Who runs a server that refuses to run as root; L{None}: as ourselves."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


class PostgreSQL:
    """
    A database server on C{port} with one user, C{tester}, and one database of
    the same name; no password.  There is a second user, C{guarded}, who needs
    C{password}.
    """

    password = "hunter2-'s secret"

    def __init__(self, inside: Sequence[str] = (), port: int = 0) -> None:
        """
        @param inside: begins the command line of the server; see L{netns}.
        @param port: another than a free one.
        """
        folder = _postgresql_folder()
        need(folder, "no PostgreSQL server here (Debian: apt install postgresql)")
        assert folder is not None
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="hybridconn-pg-"))
        user = _servant()
        if user:
            shutil.chown(self.folder, user)
        status, said = output_of(
            [
                f"{folder}/initdb",
                f"--pgdata={self.folder}/data",
                "--username=tester",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            folder=self.folder,
            user=user,
        )
        assert status == 0, said
        access = self.folder / "data" / "pg_hba.conf"
        guarded = "host all guarded 127.0.0.1/32 scram-sha-256\n"
        access.write_text(guarded + access.read_text())
        as_user: list[str] = []
        if inside and user:
            # Only root gets inside.
            as_user = [*inside, "setpriv", f"--reuid={user}", f"--regid={user}"]
            as_user, user = [*as_user, "--clear-groups"], None
        self.program = Program(
            "postgres",
            [
                *as_user,
                f"{folder}/postgres",
                "-D",
                f"{self.folder}/data",
                "-p",
                str(self.port),
                "-k",
                str(self.folder),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
            ],
            self.folder,
            ours=False,
            user=user,
        ).start()
        self.program.wait_log("ready to accept connections", 30)
        self._made = 0
        self._frozen: list[psutil.Process] = []

    def start(self) -> None:
        """Start it again after it was stopped."""
        mark = self.program.mark()
        self.program.start().wait_log("ready to accept connections", 30, mark)

    def stop(self) -> None:
        """End the server, and every connection with it."""
        self.program.child.send_signal(signal.SIGINT)
        self.program.child.wait(20)

    def freeze(self) -> None:
        """Have all its processes stand still; connections stay open."""
        self._frozen = psutil.Process(self.program.pid).children()
        for process in (psutil.Process(self.program.pid), *self._frozen):
            process.suspend()

    def thaw(self) -> None:
        """Have them go on."""
        for process in (*self._frozen, psutil.Process(self.program.pid)):
            process.resume()

    def new_database(self, owner: str = "tester") -> str:
        """The URL of an empty database of its own."""
        self._made += 1
        name = f"store{self._made}"
        if owner == "guarded":
            quoted = self.password.replace("'", "''")
            self.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{quoted}'")
        self.execute(f"CREATE DATABASE {name} OWNER {owner}")
        return f"postgresql://{owner}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Do something as the one who may do everything."""
        at = f"host=127.0.0.1 port={self.port} user=tester dbname=postgres"
        with psycopg.connect(at, autocommit=True) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """End the server and remove its files."""
        if self.program.running:
            # Not killed: its children and shared memory would outlive it.
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def shared_postgresql() -> PostgreSQL:
    """A server for several tests, until this process ends."""
    made = PostgreSQL()
    atexit.register(made.close)
    return made


class Sshd:
    """
    An SSH server on C{port} that lets us in, as ourselves, with C{identity}.

    @ivar options: what C{ssh} and C{scp} need to know, but for the port.
    """

    def __init__(self, inside: Sequence[str] = (), port: int = 0) -> None:
        """
        @param inside: begins the command line of the server.
        @param port: another than a free one.
        """
        sshd = find("sshd")
        need(sshd, "no SSH server here (Debian: apt install openssh-server)")
        assert sshd is not None
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="hybridconn-ssh-"))
        self.identity = self._keygen("client")
        host_key = self._keygen("host")
        if os.getuid() == 0:
            # Its own service script would make this folder.
            os.makedirs("/run/sshd", exist_ok=True)
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": host_key,
            "AuthorizedKeysFile": f"{self.identity}.pub",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "PidFile": "none",
            "Subsystem": "sftp internal-sftp",
        }
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{n} {v}\n" for n, v in settings.items()))
        self.program = Program(
            "sshd",
            [*inside, sshd, "-D", "-e", "-f", str(config)],
            self.folder,
            ours=False,
        ).start()
        self.program.wait_port(self.port)
        known = self.folder / "known_hosts"
        public = Path(f"{host_key}.pub").read_text()
        known.write_text(f"through-the-relay {public}")
        self.options = [
            "-F",
            "/dev/null",
            "-i",
            str(self.identity),
            "-o",
            "BatchMode=yes",
            "-o",
            "HostKeyAlias=through-the-relay",
            "-o",
            f"UserKnownHostsFile={known}",
        ]

    def _keygen(self, name: str) -> Path:
        path = self.folder / name
        keygen = find("ssh-keygen")
        need(keygen, "no ssh-keygen here (Debian: apt install openssh-client)")
        argv = [str(keygen), "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        status, said = output_of(argv)
        assert status == 0, said
        return path

    def close(self) -> None:
        """End the server and remove its files."""
        self.program.discard()
        shutil.rmtree(self.folder, ignore_errors=True)
