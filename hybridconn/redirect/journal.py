"""
Changing one file of the system so that it can be put back, whatever happens between.

    1. what stands there is copied, and noted in a journal
    2. the new file takes its place, in one step
    3. undo puts the copy back, in one step, and takes the journal away

A process may be killed behind any of these: the journal says what was there and what
was to be there, and a look at the file says which of the two it is.  If it is neither,
somebody else changed it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from hybridconn.files import inside, sync_folder
from hybridconn.redirect.entry import (
    Entry,
    beside_of,
    digest,
    is_mount_point,
    new_file,
    put,
)
from hybridconn.redirect.errors import RedirectError, not_written

_VERSION = 1
_JOURNAL, _ORIGINAL = "journal.json", "original"


@frozen
class Note:
    """
    What a journal says.

    @ivar path: the file, below the folder that stands for C{/}: an image may be
        prepared at one place and used at another.
    @ivar original: what stood there.
    @ivar written: the digests of what we wrote there, or were about to.
    @ivar busy: it is being written.
    @ivar in_place: it cannot be replaced, only written into.
    @ivar folders: those that had to be made for it, the innermost first, as C{path}.
    @ivar more: what else is to be undone.
    """

    path: str
    original: Entry
    written: tuple[str, ...]
    busy: bool = False
    in_place: bool = False
    folders: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(factory=dict)


class Journal:
    """
    The change of one file.

    @param folder: where it is kept, below C{root}.
    @param root: the folder that stands for C{/}.
    """

    def __init__(self, folder: str, root: Path) -> None:
        self._folder = inside(root, folder)
        self._root = root

    def place(self, path: str) -> Path:
        """
        Where a file or folder is.

        @param path: as in a L{Note}, which may be that of an image from elsewhere, and
            leads nowhere outside of it.
        """
        folder, _, name = path.rpartition("/")
        return inside(self._root, folder) / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """
        Keep all others from changing the file.

        @raise RedirectError: this user may not.
        """
        try:
            self._folder.mkdir(0o755, parents=True, exist_ok=True)
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise not_written(self._folder, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def note(self) -> Note | None:
        """
        What was noted; L{None} if nothing is changed.

        @raise RedirectError: it cannot be read.
        """
        path = self._folder / _JOURNAL
        try:
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RedirectError(
                f"{path} cannot be read: {error.strerror}. Run this as root."
            ) from None
        try:
            raw = json.loads(text)
            if raw.pop("version") != _VERSION:
                raise ValueError("version")
            return Note(
                raw["path"],
                Entry.from_json(raw["original"]),
                tuple(raw["written"]),
                bool(raw["busy"]),
                bool(raw["in_place"]),
                tuple(raw["folders"]),
                dict(raw["more"]),
            )
        except (ValueError, KeyError, TypeError):
            raise RedirectError(
                f"{path} is no journal of this program; what stood there before is in "
                f"{self._folder / _ORIGINAL}: put it back and remove that folder."
            ) from None

    def original(self, note: Note) -> bytes:
        """
        The content that the file had.

        @raise RedirectError: the copy is not what it was.
        """
        if note.original.kind != "file":
            return b""
        path = self._folder / _ORIGINAL
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RedirectError(
                f"{path} cannot be read: {error.strerror}. Run this as root."
            ) from None
        if digest(content) != note.original.digest:
            raise RedirectError(
                f"{path} is not what was kept there; mend {self.place(note.path)} by"
                f" hand and remove {self._folder}."
            )
        return content

    def change(
        self,
        path: Path,
        before: bytes,
        content: bytes,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Replace a file, for the first time or again.

        @param before: its content, of which C{content} was made.
        @param more: what else is to be undone, kept with it.
        @raise RedirectError: it cannot be written; then it is as it was.
        """
        known = self.note()
        first = known is None
        if known is None:
            known = self._begin(path)
        note = evolve(
            known,
            written=tuple(dict.fromkeys([*known.written, digest(content)])),
            busy=True,
            more={**known.more, **(more or {})},
        )
        self._save(note)
        try:
            for folder in reversed(note.folders):
                self.place(folder).mkdir(0o755, exist_ok=True)
            current = Entry.look(path)
            if current.kind == "file" and current.digest != digest(before):
                self._leave(known, first)
                raise RedirectError(
                    f"{path} is being changed by somebody else; try again."
                )
            wanted = current.with_content(content)
            try:
                put(path, wanted, content, note.in_place)
            except OSError as error:
                if not is_mount_point(error):
                    raise
                note = evolve(note, in_place=True)
                self._save(note)
                put(path, wanted, content, in_place=True)
        except OSError as error:
            if first:
                self.undo()
            raise not_written(path, error) from None
        try:
            self._save(evolve(note, written=(digest(content),), busy=False))
        except RedirectError:
            if first:
                self.undo()
            raise

    def undo(self) -> None:
        """
        Put back what stood there.

        @raise RedirectError: it cannot be written.
        """
        note = self.note()
        if note is None:
            return
        self.put(note, note.original, self.original(note))
        self.forget()

    def put(self, note: Note, entry: Entry, content: bytes) -> None:
        """
        Have something stand there; the journal stays.

        @raise RedirectError: it cannot be written.
        """
        path = self.place(note.path)
        try:
            # Where nothing can be written, even what is not there cannot be removed.
            if os.path.lexists(beside_of(path)):
                beside_of(path).unlink(missing_ok=True)
            if Entry.look(path) != entry and path.parent.exists():
                put(path, entry, content, note.in_place)
        except OSError as error:
            raise not_written(path, error) from None

    def forget(self) -> None:
        """
        The file is no longer our business.

        @raise RedirectError: the journal cannot be removed.
        """
        note = self.note()
        for folder in note.folders if note is not None else ():
            try:
                self.place(folder).rmdir()
            except OSError:
                continue  # somebody else has put something there
        try:
            # The journal goes first: without it the copy means nothing.
            for name in (_JOURNAL, _ORIGINAL):
                (self._folder / name).unlink(missing_ok=True)
                beside_of(self._folder / name).unlink(missing_ok=True)
            sync_folder(self._folder)
        except OSError as error:
            raise not_written(self._folder, error) from None

    def _leave(self, known: Note, first: bool) -> None:
        """Nothing was done after all."""
        if first:
            self.forget()
        else:
            self._save(known)

    def _begin(self, path: Path) -> Note:
        try:
            original = Entry.look(path)
            content = path.read_bytes() if original.kind == "file" else b""
            if digest(content) != original.digest and original.kind == "file":
                raise RedirectError(
                    f"{path} is being changed by somebody else; try again."
                )
        except OSError as error:
            raise RedirectError(f"{path} cannot be read: {error.strerror}.") from None
        folders = []
        for folder in path.parents:
            if folder.exists():
                break
            folders.append(self._named(folder))
        self._write(_ORIGINAL, content)
        return Note(self._named(path), original, (), folders=tuple(folders))

    def _named(self, path: Path) -> str:
        return str(path.relative_to(self._root))

    def _save(self, note: Note) -> None:
        values = {
            "version": _VERSION,
            "path": note.path,
            "original": note.original.to_json(),
            "written": note.written,
            "busy": note.busy,
            "in_place": note.in_place,
            "folders": note.folders,
            "more": dict(note.more),
        }
        self._write(_JOURNAL, json.dumps(values, indent=1).encode())

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        entry = new_file(0o644 if name == _JOURNAL else 0o600)
        try:
            put(path, entry, content)
        except OSError as error:
            raise not_written(path, error) from None
