"""A folder for configuration files, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.certificates import make_certificates
from hybridconn.config import ConfigError

#: A key that must be in no message.
KEY = "c2FtcGxlLWtleS1mb3ItdGhlLXRlc3RzLTAxMjM0NTY="
STRING = (
    "Endpoint=sb://relay.example.net/;SharedAccessKeyName=app;"
    f"SharedAccessKey={KEY};EntityPath=db"
)
#: The traces that KEY could leave.
TRACES = (KEY, KEY[:12], KEY[-12:])

_MADE = make_certificates(["relay.example.net"], datetime(2026, 1, 1, tzinfo=UTC))
_OTHER = make_certificates(["other.example.net"], datetime(2026, 1, 1, tzinfo=UTC))


class ConfigTestCase(SynchronousTestCase):
    """
    @ivar folder: an empty folder.
    @ivar environ: the environment variables that configurations see.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.environ: dict[str, str] = {}

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def certify(self, name: str = "relay") -> None:
        """Put a relay's certificate and key into the folder, and the CA."""
        made = _MADE if name == "relay" else _OTHER
        self.write(f"{name}.pem", made.relay.certificate, 0o644)
        self.write(f"{name}.key", made.relay.key)
        self.write("ca.pem", made.authority.certificate, 0o644)

    def mistakes(
        self, load: Callable[[Path, Mapping[str, str]], object], text: str | Path
    ) -> list[str]:
        """
        What is wrong with a configuration: each mistake without the name of the
        file in front.

        @param load: reads it.
        @param text: its text, or the file.
        """
        path = text if isinstance(text, Path) else self.write("some.toml", text)
        error = self.assertRaises(ConfigError, load, path, self.environ)
        for line in error.mistakes:
            self.assertTrue(line.startswith(f"{path}: "), line)
            self.assertNotIn("\n", line)
            for trace in TRACES:
                self.assertNotIn(trace, line)
                self.assertNotIn(trace, repr(error))
        return [line.removeprefix(f"{path}: ") for line in error.mistakes]
