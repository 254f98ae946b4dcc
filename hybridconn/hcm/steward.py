"""
What commands do to a manager: each is written down first, and then done.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import attrs
from attrs import evolve
from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from hybridconn.config.hybrid_connection import (
    HybridConnectionTable,
    HybridConnectionTarget,
)
from hybridconn.config.listener import BUILDERS, ConnectionsFile
from hybridconn.config.loader import key_of, load_options
from hybridconn.config.mistakes import ConfigError
from hybridconn.config.secrets import CONNECTION_KEYS
from hybridconn.files import FileState, file_state
from hybridconn.hcm.connection import ManagedConnection
from hybridconn.hcm.errors import (
    AlreadyThere,
    CannotKeep,
    ManagerError,
    NotOurs,
    Unknown,
    WrittenByHand,
)
from hybridconn.hcm.folder import ConnectionFolder
from hybridconn.hcm.loading import (
    Loaded,
    Placed,
    files_in,
    named,
    secured,
    target_mistake,
)
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.words import DISCONTINUED, NOT_FOUND
from hybridconn.operation.notify import reloading
from hybridconn.tls import TLSConfigError

#: How often files are looked at, seconds.
POLL: Final = 2.0


#: Halves of a pair of surrogates, which UTF-8 cannot hold.
_HALVES: Final = re.compile("[\ud800-\udfff]")

#: How files are, by their names.
_States = dict[str, FileState | None]


class Steward(Service):
    """
    Adds and removes hybrid connections, and takes over files that have changed.

    @param file: C{listener.toml}; empty: the configuration came from a command line.
    @param load: reads it and its folder; raises L{ConfigError}.
    @ivar trouble: why the files on the disk are not in force; empty: they are.
    """

    log = Logger()

    def __init__(
        self,
        manager: Manager,
        file: str,
        load: Callable[[], Loaded],
        clock: Any,
    ) -> None:
        self.manager = manager
        self.file = file
        self._load = load
        self._clock = clock
        self.trouble = ""
        self._looks = LoopingCall(self.look)
        self._looks.clock = clock
        #: Those that the files name, and the files of the folder.
        self._named: Iterable[str] = ()
        self._seen: _States = {}
        #: As they were when what is in force was read.
        self._good: _States = {}
        self._remember({}, manager.loaded.files)

    # --- commands ---

    def add(
        self, connection_string: str, settings: Mapping[str, Any], replace: bool
    ) -> ManagedConnection:
        """
        Add a hybrid connection.

        @param settings: of its table, beside the connection string.
        @param replace: take the place of the one that is there.
        @raise ManagerError: it cannot be.
        """
        self.look()
        loaded = self.manager.loaded
        folder = self._folder()
        one = self._read(connection_string, settings)
        there = self.manager.holder(one)
        if there is not None:
            dead = there.verdict().word in (NOT_FOUND, DISCONTINUED)
            if not replace and not dead:
                raise AlreadyThere(
                    f"{there.name!r} is here already, {there.verdict().word}; to "
                    "change it: hybridconn hcm add --replace."
                )
            self._check_file(there)
            self._check_writer(there, folder)
        others = [placed for placed in loaded.connections if placed.one.key != one.key]
        if one.name and any(one.name == placed.name for placed in others):
            raise AlreadyThere(f"The name {one.name!r} is taken; choose another.")
        placed = named([*others, Placed("", one, "", True)])[-1]
        try:
            path = folder.write(
                placed.name,
                connection_string,
                settings,
                "" if there is None else there.place,
            )
            created = path.stat().st_mtime
        except OSError as error:
            raise _cannot_write(folder, error) from None
        placed = evolve(placed, place=str(path), created=created)
        self._took(str(path), [*others, placed])
        self.log.info("{name}: added by a command", name=placed.name)
        found = self.manager.holder(one)
        assert found is not None
        return found

    def remove(self, connection: ManagedConnection) -> None:
        """
        Remove a hybrid connection from this machine.

        @raise ManagerError: it stands in a file that a person wrote.
        """
        self.look()
        if self.manager.holder(connection.one) is not connection:
            raise Unknown(f"{connection.name!r} has just been removed by hand.")
        self._check_file(connection)
        folder = self._folder()
        try:
            folder.remove(connection.place)
        except OSError as error:
            raise _cannot_write(folder, error) from None
        key = connection.one.key
        self._took(
            connection.place,
            [one for one in self.manager.loaded.connections if one.one.key != key],
        )
        self.log.info("{name}: removed by a command", name=connection.name)

    def reload(self) -> bool:
        """
        Take over the files as they are now.

        @return: whether they are good; otherwise what was in force stays so, and
            C{trouble} says why.
        """
        before, named = self._states(), self.manager.loaded.files
        try:
            loaded = self._load()
            named = loaded.files
            self.manager.take(loaded)
        except (ConfigError, TLSConfigError, OSError) as error:
            if isinstance(error, ConfigError):
                named = error.files
            self.trouble = str(error)
            self.log.error(
                "the changed configuration is refused, the old one stays in force:"
                " {error}",
                error=self.trouble,
            )
        else:
            self.trouble = ""
            self.log.info("the configuration was read anew")
        self._remember(before, named)
        self.manager.events.publish(
            "configuration", {"good": not self.trouble, "trouble": self.trouble}
        )
        return not self.trouble

    # --- looking after files ---

    def startService(self) -> None:
        """Begin to look at the files (Twisted)."""
        super().startService()
        if self.file:
            self._looks.start(POLL, now=False)

    def stopService(self) -> None:
        """Look no more (Twisted)."""
        super().stopService()
        if self._looks.running:
            self._looks.stop()

    def hear_signals(self) -> None:
        """
        Read the files anew at a C{SIGHUP}, where there is one; the service manager is
        told of it.
        """
        hangup = getattr(signal, "SIGHUP", None)
        if hangup is not None and self.file:
            again = partial(reloading, self.reload)
            signal.signal(hangup, lambda *_: self._clock.callFromThread(again))

    def look(self) -> None:
        """Take over what has changed on the disk since the last look."""
        if self._states() != self._seen:
            self.reload()

    def _states(self) -> _States:
        """Of every file that counts."""
        return {file: file_state(file) for file in self._watched()}

    def _watched(self) -> set[str]:
        if not self.file:
            return set()
        folder = self.manager.loaded.config.connections.folder
        return {self.file, *map(str, files_in(folder)), *self._named}

    def _remember(self, before: _States, named: Mapping[str, FileState | None]) -> None:
        """
        Files were read: they are looked after from now on.

        @param before: how those of the last time were before that; what changed
            meanwhile is seen at the next look.
        @param named: those of this time, as L{Loaded} has them.
        """
        self._named = tuple(named)
        known = {**named, **before}
        self._seen = {file: known[file] for file in self._watched() if file in known}
        if not self.trouble:
            self._good = dict(self._seen)

    # --- ours ---

    def _took(self, file: str, connections: list[Placed]) -> None:
        """C{file} was changed by us; what else has changed is still to be seen."""
        self.manager.take(self.manager.loaded.renewed(connections))
        watched = file in self._watched()
        for states in (self._seen, self._good):
            states.pop(file, None)
            if watched:
                states[file] = file_state(file)
        if self.trouble:  # this may have ended it: the files are looked at again
            self._seen = {}

    def _check_file(self, connection: ManagedConnection) -> None:
        """
        The file of C{connection} is about to go.

        @raise ManagerError: something would go with it.
        """
        place = connection.place
        if not connection.removable:
            raise _not_ours(connection)
        state = file_state(place)
        if state is not None and state != self._good.get(place):
            raise CannotKeep(
                f"{place} was changed, and that is not in force yet; mend it, or "
                f"delete it by hand. What is wrong: {self.trouble or 'it changes now'}"
            )

    def _check_writer(
        self, connection: ManagedConnection, folder: ConnectionFolder
    ) -> None:
        try:
            persons = folder.is_a_persons(connection.place)
        except OSError as error:
            raise _cannot_write(folder, error) from None
        if persons:
            raise WrittenByHand(
                f"{connection.name!r} stands in {connection.place}, which a person "
                "wrote, so it is not written over. Change it there, which is taken "
                "over at once; or remove it, file and all, and add it then: "
                f"hybridconn hcm remove {connection.name}."
            )

    def _folder(self) -> ConnectionFolder:
        settings = self.manager.loaded.config.connections
        if not settings.folder:
            raise CannotKeep(
                "There is no folder to write to: put [connections] with a folder into "
                f"{self.file or 'a listener.toml'}, then it is done at once."
            )
        return ConnectionFolder(settings)

    def _read(
        self, connection_string: str, settings: Mapping[str, Any]
    ) -> HybridConnectionTarget:
        for key in CONNECTION_KEYS:
            if key in settings:
                raise ManagerError(f"{key}: is not taken here.")
        authorities = settings.get("target_ca_file")
        if isinstance(authorities, str) and not os.path.isabs(authorities):
            raise ManagerError("target_ca_file: write its whole path, from / on.")
        table = {"connection_string": connection_string, **settings}
        if not _can_be_kept(table):
            raise ManagerError("settings: there is a character that cannot be kept.")
        try:
            held = load_options(
                {"hybrid_connection": [table]}, ConnectionsFile, BUILDERS, {}
            )
        except ConfigError as error:
            raise ManagerError("; ".join(map(_plain, error.mistakes))) from None
        config = self.manager.loaded.config
        one = secured(held.hybrid_connections[0], config)
        wrong = target_mistake(one, config)
        if wrong is not None:
            raise ManagerError(wrong)
        return one


#: The settings of a hybrid connection that a command may give.
SETTINGS: Final = tuple(
    key_of(field)
    for field in attrs.fields(HybridConnectionTable)
    if key_of(field) not in CONNECTION_KEYS
)


def _can_be_kept(value: object) -> bool:
    """Whether all texts of JSON are Unicode: its escapes may be halves of a pair."""
    if isinstance(value, Mapping):
        return all(map(_can_be_kept, (*value, *value.values())))
    if isinstance(value, list | tuple):
        return all(map(_can_be_kept, value))
    return not (isinstance(value, str) and _HALVES.search(value))


def _plain(mistake: str) -> str:
    """Without words for a place, or an option, that the user does not have."""
    return mistake.removeprefix("command line: ").removeprefix("--connection-string: ")


def _not_ours(connection: ManagedConnection) -> NotOurs:
    where = connection.place or "the command line of the service"
    return NotOurs(
        f"{connection.name!r} stands in {where}, which is for people to change; what "
        "is changed there is taken over at once."
    )


def _cannot_write(folder: ConnectionFolder, error: OSError) -> CannotKeep:
    why = error.strerror or type(error).__name__
    return CannotKeep(f"{folder.folder} cannot be written: {why}; nothing was changed.")
