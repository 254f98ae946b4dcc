"""
The files in which commands keep hybrid connections: one each, written whole or not at
all, their connection strings encrypted if there is a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hybridconn.config.hcm import ConnectionsSettings
from hybridconn.core.entities import Secret
from hybridconn.core.toml_text import toml_value
from hybridconn.files import remove_file, replace_file
from hybridconn.stores.vault import Vault

#: Who takes it away has a file that is a person's.
_MARK = "# Written by: hybridconn hcm."
_HEAD = f"""\
{_MARK} It may be changed; the service takes that over at once.
# hybridconn hcm add --replace writes it anew, unless the first line is gone.
"""
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_NAME = 80


class ConnectionFolder:
    """
    @ivar folder: made when the first file is written; L{None}: there is none.
    """

    def __init__(self, settings: ConnectionsSettings) -> None:
        self.folder = Path(settings.folder) if settings.folder else None
        self._vault = Vault(settings.keys) if settings.keys else None

    @property
    def seals(self) -> bool:
        """Whether what is written is encrypted."""
        return self._vault is not None

    def write(
        self,
        name: str,
        connection_string: str,
        settings: Mapping[str, Any],
        path: str = "",
    ) -> Path:
        """
        Write the file of one hybrid connection.

        @param name: for the file's name.
        @param settings: of its table, beside the connection string.
        @param path: of the file whose place it takes; empty: a new one.
        @raise OSError: it cannot be written.
        """
        assert self.folder is not None
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        at = Path(path) if path else self._free(name)
        values = dict(settings)
        if self._vault is None:
            values["connection_string"] = connection_string
        else:
            sealed = self._vault.seal(Secret(connection_string))
            values["connection_string_sealed"] = sealed
        lines = [f"{key} = {toml_value(value)}" for key, value in values.items()]
        text = "\n".join([_HEAD, "[[hybrid_connection]]", *lines, ""])
        replace_file(at, text.encode("utf-8"))
        return at

    def is_a_persons(self, path: str) -> bool:
        """
        Whether a person wrote a file, which no command is to write over.

        @raise OSError: it cannot be read.
        """
        mark = _MARK.encode()
        try:
            with open(path, "rb") as file:
                return file.read(len(mark)) != mark
        except FileNotFoundError:
            return False

    def remove(self, path: str) -> None:
        """
        Remove one of its files.

        @raise OSError: it cannot be removed.
        """
        with suppress(FileNotFoundError):  # somebody was quicker
            remove_file(Path(path))

    def _free(self, name: str) -> Path:
        assert self.folder is not None
        usual = _UNUSUAL.sub("-", name)[:_MOST_NAME].strip(".-") or "connection"
        number = 1
        path = self.folder / f"{usual}.toml"
        while os.path.lexists(path):
            number += 1
            path = self.folder / f"{usual}-{number}.toml"
        return path
