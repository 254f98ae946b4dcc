"""Keys at rest, encrypted; the library makes them and can rotate its own key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from hybridconn.core.entities import Secret


class VaultError(ValueError):
    """A key of the vault is none, or opens nothing."""


class Vault:
    """
    Seals secrets with the first key, and opens those that any of them sealed.

    @param keys: each as L{new_key} makes it; the newest first.
    @ivar newest: tells the first key from others, without showing it.
    @raise VaultError: one of them is no such key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise VaultError("there is no key")
        try:
            self._box = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise VaultError(
                "it is no key; make one with: hybridconn store-key"
            ) from None
        self._keys = tuple(keys)
        self.newest = _name(keys[0])

    @staticmethod
    def new_key() -> str:
        """A fresh key, one line of text."""
        return Fernet.generate_key().decode("ascii")

    def sealing_with(self, name: str) -> Vault:
        """
        The same keys, but another one seals.

        @param name: of that key, as in L{newest}.
        @raise VaultError: it is not there.
        """
        if name == self.newest:
            return self
        for key in self._keys:
            if _name(key) == name:
                return Vault((key, *self._keys))
        raise VaultError(
            "the keys in the store are encrypted with another key than those of the "
            "key file; add it there and start again"
        )

    def seal(self, secret: Secret) -> str:
        """What may be written to a disk."""
        return self._box.encrypt(secret.reveal().encode("utf-8")).decode("ascii")

    def open(self, sealed: str) -> Secret:
        """
        @raise VaultError: it was sealed with another key, or changed.
        """
        try:
            return Secret(self._box.decrypt(sealed.encode("ascii")).decode("utf-8"))
        except InvalidToken:
            raise VaultError(
                "the keys in the store were encrypted with another key"
            ) from None

    def rotate(self, sealed: str) -> str:
        """
        The same, sealed with the first key.

        @raise VaultError: as L{open}.
        """
        return self.seal(self.open(sealed))


def _name(key: str) -> str:
    # A key is random and long: nobody finds it from this.
    return hashlib.sha256(f"hybridconn store {key}".encode()).hexdigest()[:16]
