"""Real proxies, which dial from an address of their own."""

from __future__ import annotations

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
