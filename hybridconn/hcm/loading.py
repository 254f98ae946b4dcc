"""
All that a manager's configuration says: C{listener.toml}, and the files of the folder
that commands write to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.config.listener import (
    BUILDERS,
    ConnectionsFile,
    ListenerConfig,
    load_listener,
)
from hybridconn.config.loader import load_file
from hybridconn.config.mistakes import ConfigError, shown
from hybridconn.files import FileState, file_state
from hybridconn.listener.guarded import check_allowed
from hybridconn.listener.reject import Reject
from hybridconn.stores.vault import Vault, VaultError


@frozen
class Placed:
    """
    One hybrid connection and where it stands.

    @ivar place: the file; empty: a command line.
    @ivar removable: the file has nothing else, and commands wrote it or could have.
    @ivar created: when the file was written, seconds since 1970-01-01 UTC.
    @ivar stamp: another one if a file that it alone names has another content.
    """

    name: str
    one: HybridConnectionTarget
    place: str = ""
    removable: bool = False
    created: float = 0.0
    stamp: str = field(repr=False)

    @stamp.default
    def _stamp(self) -> str:
        return stamp_of(self.one.http.ca_files)


@frozen
class Loaded:
    """
    @ivar config: of C{listener.toml}.
    @ivar connections: those of all files.
    @ivar stamp: another one if a file that is named for all has another content.
    @ivar files: all that were read, and how each was before that; L{None}: it was not
        there.
    """

    config: ListenerConfig
    connections: tuple[Placed, ...] = ()
    stamp: str = field(default="", repr=False)
    files: Mapping[str, FileState | None] = field(factory=dict, repr=False)

    def renewed(self, connections: Iterable[Placed]) -> Loaded:
        """The same with other connections."""
        return evolve(self, connections=tuple(connections))


def load_managed(
    file: str | os.PathLike[str], environ: Mapping[str, str] = os.environ
) -> Loaded:
    """
    Read C{listener.toml} and the folder that it names.

    @raise ConfigError: with all that is wrong; its C{files} are as L{Loaded} has them.
    """
    files = {os.fspath(file): file_state(file)}

    def note(path: Path) -> None:
        if str(path) not in files:
            files[str(path)] = file_state(path)

    try:
        return _load(file, environ, files, note)
    except ConfigError as error:
        error.files = files
        raise


def _load(
    file: str | os.PathLike[str],
    environ: Mapping[str, str],
    files: Mapping[str, FileState | None],
    note: Callable[[Path], None],
) -> Loaded:
    config = load_listener(file, environ, note)
    name = os.fspath(file)
    created = os.stat(file).st_mtime
    found = [Placed("", one, name, False, created) for one in config.hybrid_connections]
    mistakes: list[str] = []
    unseal = opener(config.connections.keys)
    for path in files_in(config.connections.folder):
        note(path)
        if path.is_fifo() or path.is_socket() or path.is_char_device():
            # To open it could take for ever.
            mistakes.append(f"{path}: is no file; remove it, or write one there.")
            continue
        try:
            held = load_file(path, ConnectionsFile, BUILDERS, environ, unseal, note)
            created = path.stat().st_mtime
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        except OSError:
            pass  # it went away meanwhile
        else:
            single = len(held.hybrid_connections) == 1
            found.extend(
                Placed("", secured(one, config), str(path), single, created)
                for one in held.hybrid_connections
            )
    mistakes.extend(_conflicts(found, config))
    if mistakes:
        raise ConfigError(name, mistakes)
    return Loaded(config, tuple(named(found)), stamp_of(_named_for_all(config)), files)


def from_config(config: ListenerConfig) -> Loaded:
    """
    The same of a configuration that came from a command line.

    @raise ConfigError: a target is not allowed.
    """
    found = [Placed("", one) for one in config.hybrid_connections]
    mistakes = list(_conflicts(found, config))
    if mistakes:
        raise ConfigError("command line", mistakes)
    return Loaded(config, tuple(named(found)))


def need_restart(then: ListenerConfig, now: ListenerConfig) -> tuple[str, ...]:
    """The tables that are read at the start only, and are not as they were."""
    pairs = (
        ("[admin]", then.admin, now.admin),
        ("[update_notice]", then.update_notice, now.update_notice),
    )
    return tuple(name for name, old, new in pairs if old != new)


def secured(
    one: HybridConnectionTarget, config: ListenerConfig
) -> HybridConnectionTarget:
    """The same, with TLS as the whole configuration says."""
    return evolve(one, connection=evolve(one.connection, secure=not config.insecure))


def files_in(folder: str) -> list[Path]:
    """The files of a folder of connections, in order; none if it is not there."""
    if not folder:
        return []
    try:
        return sorted(
            path for path in Path(folder).glob("*.toml") if path.name[0] != "."
        )
    except OSError:
        return []


def opener(keys: tuple[str, ...]) -> Callable[[str], str] | None:
    """What opens sealed connection strings; L{None} without a key."""
    if not keys:
        return None
    vault = Vault(keys)

    def unseal(sealed: str) -> str:
        try:
            return vault.open(sealed).reveal()
        except (VaultError, ValueError):
            raise ValueError("it was encrypted with another key, or changed") from None

    return unseal


def named(found: Iterable[Placed]) -> list[Placed]:
    """Give each a name that no other one has."""
    taken: set[str] = {one.one.name for one in found if one.one.name}
    done = []
    for placed in found:
        connection = placed.one.connection
        name = placed.one.name
        if not name:
            name = connection.entity_path or ""
            if name in taken:
                name = f"{name}@{connection.authority}"
            taken.add(name)
        done.append(evolve(placed, name=name))
    return done


def target_mistake(one: HybridConnectionTarget, config: ListenerConfig) -> str | None:
    """What is wrong with a target that is not allowed."""
    targets = [("ports", port.target) for port in one.ports]
    if one.target is not None:
        targets.append(("target", one.target))
    for key, target in targets:
        try:
            check_allowed(config.allowed, target)
        except Reject:
            return (
                f"{key}: {shown(str(target))} is not in allow_targets; add it there, "
                "or leave it out."
            )
    return None


def _conflicts(found: list[Placed], config: ListenerConfig) -> Iterable[str]:
    keys: dict[Any, Placed] = {}
    names: dict[str, Placed] = {}
    for placed in found:
        where = placed.place or "command line"
        path = placed.one.connection.entity_path or ""
        before = keys.setdefault(placed.one.key, placed)
        if before is not placed and before.place != placed.place:
            yield (
                f"{where}: leads to the same hybrid connection, {shown(path)}, as "
                f"{before.place}; remove one of the files."
            )
        if placed.one.name:
            before = names.setdefault(placed.one.name, placed)
            if before is not placed:
                yield (
                    f"{where}: name: {shown(placed.one.name)} is taken in "
                    f"{before.place or where}; choose another."
                )
        wrong = target_mistake(placed.one, config)
        if wrong is not None:
            yield f"{where}: {shown(path)}: {wrong}"


def stamp_of(files: Iterable[str]) -> str:
    """Another text if one of C{files} has another content."""
    return " ".join(str(file_state(file)) for file in files)


def _named_for_all(config: ListenerConfig) -> Iterator[str]:
    """The files that are read for every relay; a password is read for each dial."""
    yield from config.ca_files
    yield from config.way_out.proxy_ca_files
    certificate = config.way_out.client_certificate
    if certificate is not None:
        yield from (certificate.certificate, certificate.key)
