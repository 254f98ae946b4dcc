"""
The table C{[audit]} of C{relay.toml}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from hybridconn.config.kinds import FileName
from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import Source


@frozen
class AuditSettings:
    """
    What is written down beside the log.

    @ivar file: empty: nothing.
    """

    file: str = ""
    data_plane: bool = False


@frozen
class AuditTable:
    """C{[audit]}."""

    file: FileName | None = field(
        default=None,
        metadata={
            "help": "A file to which a line of JSON is added for each call of the "
            "management API, made with mode 0600 if it is not there. It may be moved "
            "away at any time. Without it calls stand in the log alone."
        },
    )
    data_plane: bool = field(
        default=False,
        metadata={
            "help": "A line, too, for each listener, sender and HTTP request: the rule "
            "whose key it used, or why it was refused."
        },
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """There is a file for what is to be written."""
        if not table.get("file"):
            if "file" in table:
                yield Mistake("is empty; write the name of a file.", "file")
            elif table.get("data_plane"):
                yield Mistake("goes only with file; add it.", "data_plane")


def build_audit(table: AuditTable, source: Source) -> AuditSettings:
    """The settings of a table that was checked."""
    file = "" if table.file is None else str(source.path(table.file))
    return AuditSettings(file, table.data_plane)
