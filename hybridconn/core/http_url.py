"""The address of an HTTP service."""

from __future__ import annotations

from urllib.parse import urlsplit

from attrs import frozen

from hybridconn.core.http import split_authority


@frozen
class HttpUrl:
    """
    Where an HTTP service is.

    @ivar path: in front of those of requests; no slash at its end, may be empty.
    """

    secure: bool
    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> HttpUrl:
        """
        Read C{http://host[:port][/path]} or the same with C{https}.

        @raise ValueError: with a sentence on what is wrong.
        """
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https"):
            raise ValueError("write it as http://host:port or https://host:port")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("leave out the user, the query and the fragment")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("it has a character that must be escaped")
        host, port = split_authority(parts.netloc)
        secure = parts.scheme == "https"
        return cls(
            secure, host, port or (443 if secure else 80), parts.path.rstrip("/")
        )

    @property
    def authority(self) -> str:
        """C{host:port}, without the port where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.secure else 80
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    def __str__(self) -> str:
        return self.origin + self.path
