"""Real proxies, which dial from an address of their own."""

from __future__ import annotations

import os

from tests.integration.case import need
from tests.integration.programs import Program
from tests.integration.servers import find
from tests.integration.stage import Stage
from tests.integration.waiting import free_port

#: Where the proxies' own connections come from.
PROXY_ADDRESS = "127.0.0.2"
USER, PASSWORD = "agent", "s3cret-of-the-proxy"


class Proxy:
    """
    @ivar port: where it listens on 127.0.0.1.
    @ivar program: its process.
    """

    scheme = "http"

    def __init__(self, stage: Stage, program: Program, port: int) -> None:
        self.port = port
        self.program = program
        program.start().wait_port(port)

    @property
    def url(self) -> str:
        """As a configuration names it."""
        return f"{self.scheme}://127.0.0.1:{self.port}"


class Tinyproxy(Proxy):
    """
    An HTTP proxy.

    @param login: it asks for user and password.
    @param ports: to which it connects; by default to any.
    """

    def __init__(
        self, stage: Stage, login: bool = False, ports: tuple[int, ...] = ()
    ) -> None:
        found = find("tinyproxy")
        need(found, "no tinyproxy here (Debian: apt install tinyproxy-bin)")
        port = free_port()
        lines = [
            f"Port {port}",
            "Listen 127.0.0.1",
            f"Bind {PROXY_ADDRESS}",
            "Timeout 600",
            "LogLevel Connect",
            *(f"ConnectPort {one}" for one in ports),
            *([f"BasicAuth {USER} {PASSWORD}"] if login else []),
        ]
        path = stage.write("tinyproxy.conf", "\n".join(lines) + "\n")
        argv = [str(found), "-d", "-c", str(path)]
        super().__init__(stage, stage.program("tinyproxy", argv, ours=False), port)


class Microsocks(Proxy):
    """
    A SOCKS5 proxy.

    @param login: it asks for user and password.
    """

    scheme = "socks5"

    def __init__(self, stage: Stage, login: bool = False) -> None:
        found = find("microsocks")
        need(found, "no microsocks here (Debian: apt install microsocks)")
        port = free_port()
        argv = [
            *(str(found), "-i", "127.0.0.1", "-p", str(port), "-b", PROXY_ADDRESS),
            *(["-u", USER, "-P", PASSWORD] if login else []),
        ]
        super().__init__(stage, stage.program("microsocks", argv, ours=False), port)


class Squid(Proxy):
    """
    An HTTP proxy that wants NTLM, and believes whatever is said in it.

    @ivar tls_port: where it is reached by TLS, as C{localhost}.
    """

    def __init__(self, stage: Stage) -> None:
        found = find("squid")
        helper = "/usr/lib/squid/ntlm_fake_auth"
        need(
            found and os.path.exists(helper),
            "no squid with TLS here (Debian: apt install squid-openssl)",
        )
        port, self.tls_port = free_port(), free_port()
        leaf = stage.ca.issue_cert("localhost")
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems).decode()
        files = (
            stage.write("squid.pem", chain),
            stage.write("squid.key", leaf.private_key_pem.bytes().decode()),
        )
        lines = [
            f"http_port 127.0.0.1:{port}",
            f"https_port 127.0.0.1:{self.tls_port} tls-cert={files[0]} "
            f"tls-key={files[1]}",
            f"auth_param ntlm program {helper}",
            "auth_param ntlm children 2",
            "acl known proxy_auth REQUIRED",
            "http_access allow known",
            "http_access deny all",
            f"tcp_outgoing_address {PROXY_ADDRESS}",
            "cache deny all",
            "cache_effective_user proxy",
            "pid_filename none",
            "access_log none",
            "cache_log /dev/null",
            "shutdown_lifetime 1 second",
        ]
        path = stage.write("squid.conf", "\n".join(lines) + "\n")
        argv = [str(found), "-N", "-f", str(path)]
        super().__init__(stage, stage.program("squid", argv, ours=False), port)
