"""One way to have apps find redirected names, by one file of the system."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import evolve, frozen

from hybridconn.config.redirects import NamesSettings
from hybridconn.files import inside
from hybridconn.names.plan import HostAddresses
from hybridconn.redirect.entry import Entry, digest
from hybridconn.redirect.errors import RedirectError, not_written
from hybridconn.redirect.journal import Journal, Note
from hybridconn.redirect.loopback import ElsewhereLoopback, Loopback
from hybridconn.redirect.texts import is_ours

#: What the ways did, to be undone.
STATE = "var/lib/hybridconn/redirect"
#: Of a journal: it was done for a command, and is to be undone behind it.
_WHILE = "for_a_while"
#: Of a journal: the names that it was done for.
_HOSTS = "hosts"


@frozen
class Names:
    """What is to be redirected, and how."""

    hosts: Mapping[str, HostAddresses]
    settings: NamesSettings

    @property
    def ipv6(self) -> list[str]:
        """Addresses that must be on the loopback interface."""
        return [one.ipv6 for one in self.hosts.values() if one.ipv6 is not None]

    def without_ipv6(self) -> Names:
        """The same without them."""
        hosts = {host: HostAddresses(one.ipv4) for host, one in self.hosts.items()}
        return evolve(self, hosts=hosts)


class Way:
    """
    One way.

    @ivar name: the word for it.
    @ivar notes: what is to be told after the last call, line by line.
    @param root: the folder that stands for C{/}.
    @param loopback: the interface that needs addresses for IPv6.
    """

    name: str
    file: str

    def __init__(
        self, root: Path = Path("/"), loopback: Loopback | None = None
    ) -> None:
        self.root = root
        here = root == Path("/")
        self._loopback = loopback or (Loopback() if here else ElsewhereLoopback())
        self.journal = Journal(f"{STATE}/{self.name}", root)
        self.notes: list[str] = []

    # --- to be given by each way ---

    def text(self, names: Names, current: bytes) -> bytes:
        """
        What is to stand in the file.

        @param current: what stands there.
        @raise RedirectError: this way cannot do it.
        """
        raise NotImplementedError

    def is_in_force(self, text: bytes) -> bool:
        """Whether a file has what we wrote."""
        return is_ours(text)

    def leave(self, note: Note, text: bytes) -> bytes | None:
        """
        What is to stand in a file that somebody else changed since.

        @return: L{None} to leave it as it is.
        """
        return None

    # --- for all ---

    @property
    def path(self) -> Path:
        """The file, which may be a link: then that is replaced."""
        folder, _, name = self.file.rpartition("/")
        return inside(self.root, folder) / name

    def current(self) -> bytes:
        """
        What it has, perhaps by a link.

        @raise RedirectError: it cannot be read.
        """
        return read(inside(self.root, self.file))

    def install(self, names: Names, for_a_while: bool = False) -> bool:
        """
        Do it, again if it is done already.

        @param for_a_while: L{end_of_while} will undo it, unless it is there for
            longer already.
        @return: whether anything changed.
        @raise RedirectError: it cannot be done; nothing is changed then.
        """
        self.notes = []
        with self.journal.locked():
            current, note = self.current(), self.journal.note()
            if note is not None and note.busy:
                self._undo(note)
                current = self.current()
            elif note is not None and not self.is_in_force(current):
                # Somebody else has written the file since: begin anew from that.
                self.journal.forget()
            changed = self._write(names, current, for_a_while)
            trouble = self._loopback.add(names.ipv6)
            if trouble:
                self._write(names.without_ipv6(), self.current(), for_a_while)
                self.notes += trouble
            return changed

    def _write(self, names: Names, current: bytes, for_a_while: bool) -> bool:
        wanted, note = self.text(names, current), self.journal.note()
        if note is not None:
            was = note.more.get(_WHILE, False)
            for_a_while = for_a_while and was
            same = note.more.get(_HOSTS) == sorted(names.hosts)
            if wanted == current and same and was == for_a_while:
                return False
        more = {
            "loopback": names.ipv6,
            _HOSTS: sorted(names.hosts),
            _WHILE: for_a_while,
        }
        self.journal.change(self.path, current, wanted, more)
        return note is None or wanted != current

    def end_of_while(self) -> None:
        """
        Undo what was installed for a while.

        @raise RedirectError: it cannot be put back.
        """
        note = self.journal.note()
        if note is not None and note.more.get(_WHILE, False):
            self.undo()

    def former(self) -> tuple[str, ...]:
        """
        The hosts for which it is installed.

        @raise RedirectError: it is not known.
        """
        note = self.journal.note()
        return () if note is None else tuple(note.more.get(_HOSTS, ()))

    def undo(self) -> bool:
        """
        Put back what was there.

        @return: whether there was anything to undo.
        @raise RedirectError: it cannot be put back.
        """
        self.notes = []
        if not self.exists():
            return False
        with self.journal.locked():
            note = self.journal.note()
            if note is None:
                return self._undo_unnoted()
            self._undo(note)
            return True

    def exists(self) -> bool:
        """Whether it was installed, in full or in part."""
        return self.journal.note() is not None or self.is_in_force(self.current())

    def status(self) -> str:
        """In one line."""
        return self.look()[1]

    def look(self) -> tuple[bool | None, str]:
        """
        @return: whether all is well with it, L{None} if it is not installed; and that
            in one line.
        """
        note, in_force = self.journal.note(), self.is_in_force(self.current())
        if note is None:
            if in_force:
                words = f"{self.path} is ours, but nothing says what was there before"
                return True, words
            return None, "not installed"
        if note.busy:
            return False, f"half done in {self.path}; install or undo mends it"
        if not in_force:
            words = f"{self.path} was written by somebody else since; install again"
            return False, words
        return True, f"in force in {self.path}"

    def _undo(self, note: Note) -> None:
        needed = self._needed_by_others()
        mine = note.more.get("loopback", ())
        self._loopback.remove(one for one in mine if one not in needed)
        path = self.journal.place(note.path)
        now = Entry.look(path)
        broken = note.busy and note.in_place
        target = inside(self.root, note.path)
        text = read(target)
        left = self.leave(note, text)
        theirs = now != note.original and now.digest not in note.written
        if left is not None:
            # They may have written between two of our writings.
            theirs |= digest(left) != (note.original.digest or digest(b""))
        if not theirs or broken:
            self.journal.undo()
            return
        if left is None and self.is_in_force(text):
            # They changed our text, which asks us, who will not be there.
            self.notes.append(f"{path} was ours: what others changed in it is gone")
            self.journal.undo()
            return
        if left is None:
            self.notes.append(f"{path} was changed by somebody else and stays as it is")
        else:
            self.notes.append(f"{path} was changed by somebody else; that stays")
            # They may have made a link of it, which stays as well.
            note = evolve(note, path=str(target.relative_to(self.root)))
            self.journal.put(note, Entry.look(target).with_content(left), left)
        self.journal.forget()

    def _needed_by_others(self) -> set[str]:
        """Addresses of the loopback interface that other ways lead to."""
        needed: set[str] = set()
        for folder in inside(self.root, STATE).iterdir():
            if folder.name == self.name or not folder.is_dir():
                continue
            with suppress(RedirectError):  # it is told when that way is undone
                note = Journal(f"{STATE}/{folder.name}", self.root).note()
                needed.update(note.more.get("loopback", ()) if note else ())
        return needed

    def _undo_unnoted(self) -> bool:
        raise RedirectError(
            f"{self.path} is ours, but nothing says what was there before; write it "
            "anew by hand."
        )


def read(path: Path) -> bytes:
    """
    The content of a file; nothing if there is none.

    @raise RedirectError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise not_written(path, error) from None
