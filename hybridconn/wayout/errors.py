"""Why there is no way out."""

from __future__ import annotations

from twisted.internet.error import ConnectError


class ProxyError(ConnectError):
    """
    A proxy cannot be reached, or does not let us through.

    @ivar proxy: its host and port.
    @ivar problem: what is wrong, and the mend if there is one; no secret.
    """

    def __init__(self, proxy: str, problem: str) -> None:
        self.proxy = proxy
        self.problem = problem
        super().__init__()

    def __str__(self) -> str:
        return f"proxy {self.proxy} {self.problem}"


class LocalAddressError(ConnectError):
    """
    There is no dialling from the local address that was asked for.

    @ivar address: that one.
    """

    def __init__(self, address: str, problem: str) -> None:
        self.address = address
        self.problem = problem
        super().__init__()

    def __str__(self) -> str:
        return f"cannot dial from bind_address {self.address}: {self.problem}"


class Refused(Exception):
    """
    A handshake with a proxy failed.

    @ivar problem: follows the proxy's name.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class PasswordUnreadable(Exception):
    """The password cannot be had now; the text says why, and shows none of it."""
