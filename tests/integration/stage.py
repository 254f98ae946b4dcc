"""
One relay with its listeners and senders, from configuration files to the end.

    stage = Stage()
    stage.start_relay()
    stage.start_listener({"echo": target.port})
    ports = stage.start_sender("echo")
    with stage.dial(ports["echo"]) as connection: ...
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import trustme

from tests.integration.programs import Program, twistd
from tests.integration.tokens import make_token, signature_in, traces_of
from tests.integration.waiting import free_port, wait_for

HOST = "localhost"
NAMESPACE = "contoso"
LISTEN, SEND, MANAGE = "Listen", "Send", "Manage"

# What the log of a listener says when one of its hybrid connections is online.
ONLINE = r"(?i:\bonline\b)"


def toml(value: object) -> str:
    """A TOML value; strings, numbers, booleans and lists are those of JSON."""
    return json.dumps(value)


def table(header: str, values: Mapping[str, object]) -> str:
    """A TOML table."""
    lines = [header] if header else []
    lines += [f"{name} = {toml(value)}" for name, value in values.items()]
    return "\n".join(lines) + "\n\n"


#: Everything by Autobahn's and Twisted's own code.
STOCK = {"data_path": "autobahn", "tls": "twisted"}
#: Every connection has a tunnel of its own.
PLAIN = {"most": 0}


class Stage:
    """
    @param entities: the relay's hybrid connections: a name, or a name and what
        else its table says.
    @param limits: the relay's C{[limits]}.
    @param insecure: plain C{ws://} instead of TLS.
    @ivar port: the relay's port.
    @ivar reach: the port that connection strings name; another than the relay's
        for what stands before it.
    @param paths: C{data_path} and C{tls} of all three programs.
    """

    def __init__(
        self,
        entities: Iterable[str | Mapping[str, object]] = ("echo",),
        limits: Mapping[str, object] | None = None,
        insecure: bool = False,
        relay_settings: Mapping[str, object] | None = None,
        paths: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hybridconn-test-"))
        self.port = free_port()
        self.reach = self.port
        self.insecure = insecure
        self._paths = dict(paths or {})
        self.programs: list[Program] = []
        self._seen: dict[Path, int] = {}
        self._secrets: set[str] = set()
        self.keys = {right: self._new_key() for right in (LISTEN, SEND, MANAGE)}
        self.ca = trustme.CA()
        self.ca_file = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.certify(self.ca.issue_cert(HOST, "127.0.0.1"))
        self._write_relay(
            [{"path": e} if isinstance(e, str) else e for e in entities],
            limits or {},
            {**self._paths, **(relay_settings or {})},
        )
        self.relay = self.program(
            "relay", twistd("hcrelay", "--config", str(self.folder / "relay.toml"))
        )

    # --- files ---------------------------------------------------------------

    def _new_key(self) -> str:
        key = secrets.token_urlsafe(24) + "+/9="
        self._secrets |= traces_of(key)
        return key

    def certify(self, leaf: trustme.LeafCert) -> None:
        """Give the relay its certificate."""
        chain = self.folder / "relay.pem"
        chain.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        self.write("relay.key", leaf.private_key_pem.bytes().decode())

    def write(self, name: str, text: str) -> Path:
        """Write a file that only we may read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def _write_relay(
        self,
        entities: list[Mapping[str, object]],
        limits: Mapping[str, object],
        relay: Mapping[str, object],
    ) -> None:
        listen: dict[str, object] = {"port": self.port, "interface": "127.0.0.1"}
        if self.insecure:
            listen["insecure"] = True
        else:
            listen |= {"certificate": "relay.pem", "key": "relay.key"}
        text = table("[listen]", listen)
        if relay:
            text += table("[relay]", relay)
        if limits:
            text += table("[limits]", limits)
        text += table(
            "[[namespace]]", {"name": NAMESPACE, "host_names": [HOST, "127.0.0.1"]}
        )
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
        return (
            f"Endpoint=sb://{HOST}:{self.reach}/;SharedAccessKeyName={right.lower()};"
            f"SharedAccessKey={self.keys[right]};EntityPath={entity}"
        )

    def connection_string_file(self, entity: str, right: str) -> Path:
        """A file that holds L{connection_string}."""
        name = f"{entity.replace('/', '-')}.{right.lower()}"
        return self.write(name, self.connection_string(entity, right) + "\n")

    def _dialler(self) -> dict[str, object]:
        trust = {"insecure": True} if self.insecure else {"ca_file": "ca.pem"}
        return trust | self._paths

    def listener_config(
        self,
        targets: Mapping[str, int | str | None],
        name: str = "listener",
        timings: Mapping[str, object] | None = None,
        **more: object,
    ) -> Path:
        """
        Write a listener's configuration.

        @param targets: for each entity the target: a port of 127.0.0.1, a
            C{host:port}, or L{None} for what the entity's metadata says.
        """
        text = table("", self._dialler())
        if timings:
            text += table("[timings]", timings)
        for entity, target in targets.items():
            values: dict[str, object] = {
                "connection_string_file": self.connection_string_file(
                    entity, LISTEN
                ).name
            }
            if target is not None:
                at = f"127.0.0.1:{target}" if isinstance(target, int) else target
                values["target"] = at
            text += table("[[hybrid_connection]]", values | more)
        return self.write(f"{name}.toml", text)

    def sender_config(
        self,
        binds: Mapping[str, int],
        name: str = "sender",
        spares: Mapping[str, object] | None = None,
        http: bool = False,
        **timings: object,
    ) -> Path:
        """
        Write a sender's configuration.

        @param binds: the local port for each entity.
        @param spares: settings of its spare tunnels.
        @param http: its ports speak HTTP.
        """
        text = table("", self._dialler())
        if spares:
            text += table("[spare_tunnels]", spares)
        if timings:
            text += table("[timings]", timings)
        for entity, port in binds.items():
            path = self.connection_string_file(entity, SEND)
            text += table(
                "[[forward]]",
                {"connection_string_file": path.name, "bind": f"127.0.0.1:{port}"}
                | ({"http": True} if http else {}),
            )
        return self.write(f"{name}.toml", text)

    # --- processes -----------------------------------------------------------

    def program(
        self,
        name: str,
        argv: list[str],
        ours: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> Program:
        """A process that ends with this stage; not started yet."""
        made = Program(name, argv, self.folder, ours, env)
        self.programs.append(made)
        return made

    def start_relay(self) -> Program:
        """Start the relay and wait for its port."""
        self.relay.start().wait_port(self.port)
        return self.relay

    def start_listener(
        self,
        targets: Mapping[str, int | str | None],
        name: str = "listener",
        timings: Mapping[str, object] | None = None,
        **more: object,
    ) -> Program:
        """Start a listener and wait until all its hybrid connections are online."""
        path = self.listener_config(targets, name, timings, **more)
        started = self.program(name, twistd("hclistener", "--config", str(path)))
        started.start()
        self.wait_online(started, len(targets))
        return started

    def wait_online(
        self, listener: Program, times: int = 1, since: int = 0, seconds: float = 15.0
    ) -> None:
        """Wait until a listener said so often that it is online."""
        pattern = rf"(?s)(?:{ONLINE}.*?){{{times}}}"
        listener.wait_log(pattern, seconds, since)

    def start_sender(
        self,
        *entities: str,
        name: str = "sender",
        spares: Mapping[str, object] | None = None,
    ) -> dict[str, int]:
        """
        Start a sender with a local port for each entity; tells the ports.

        @param spares: settings of its spare tunnels; C{PLAIN} for none.
        """
        binds = {entity: free_port() for entity in entities}
        path = self.sender_config(binds, name, spares)
        sender = self.program(name, twistd("hcsender", "--config", str(path)))
        sender.start()
        for port in binds.values():
            sender.wait_port(port)
        return binds

    def __getitem__(self, name: str) -> Program:
        return next(program for program in self.programs if program.name == name)

    def close(self) -> None:
        """End every process and remove the folder."""
        for program in self.programs:
            program.discard()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- as a client ---------------------------------------------------------

    def dial(self, port: int, seconds: float = 60.0) -> socket.socket:
        """A plain TCP connection to a local port."""
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.settimeout(seconds)
        return connection

    def trust(self) -> ssl.SSLContext:
        """A client's TLS settings that trust the stage's authority."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def dial_relay(self, seconds: float = 30.0) -> socket.socket:
        """A connection to the relay, TLS unless the stage is insecure."""
        plain = self.dial(self.port, seconds)
        if self.insecure:
            return plain
        return self.trust().wrap_socket(plain, server_hostname=HOST)

    def token(
        self, entity: str, right: str, life: float = 3600.0, key: str | None = None
    ) -> str:
        """
        A token for an entity, made without our code.

        @param key: another than the right one; then it is no secret.
        """
        made = make_token(
            f"http://{HOST}/{entity}", right.lower(), key or self.keys[right], life
        )
        if key is None:
            self._secrets.add(signature_in(made))
        return made

    def url(self, entity: str, action: str = "connect", query: str = "") -> str:
        """The address for a listen or a connect."""
        scheme = "ws" if self.insecure else "wss"
        before = f"{query}&" if query else ""
        return (
            f"{scheme}://{HOST}:{self.port}/$hc/{entity}?{before}sb-hc-action={action}"
        )

    # --- what must hold at any time ------------------------------------------

    def log_mistakes(self) -> list[str]:
        """
        What our programs logged since the last call that they must never log:
        secrets, and tracebacks.
        """
        found = []
        for program in self.programs:
            if not program.ours or not program.path.exists():
                continue
            since = self._seen.get(program.path, 0)
            text = program.log(since)
            self._seen[program.path] = since + len(text.encode())
            if "Traceback (most recent call last)" in text:
                found.append(f"{program.name} logged a traceback")
            if any(secret in text for secret in self._secrets):
                found.append(f"{program.name} logged a secret")
        return found

    def secrets(self) -> set[str]:
        """All that must not be seen anywhere: keys, signatures, their forms."""
        return self._secrets

    def logs(self) -> str:
        """The end of each log, for people."""
        return "\n".join(
            f"--- {program.name}\n{program.log()[-6000:]}"
            for program in self.programs
            if program.path.exists()
        )

    def wait_sockets_back(self, program: Program, count: int) -> None:
        """Wait until a program has no more than C{count} connections."""
        wait_for(
            f"{program.name} to be back at {count} connections",
            lambda: program.sockets() <= count,
        )
