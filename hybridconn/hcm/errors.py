"""What a manager says no with, before there is an answer to make of it."""

from __future__ import annotations

from hybridconn.page.errors import CannotDo


class ManagerError(CannotDo):
    """A manager cannot do something."""


class Unknown(ManagerError):
    """There is no such hybrid connection here."""

    status = 404
    code = "ConnectionNotFound"


class Ambiguous(ManagerError):
    """Several are called so."""

    status = 409
    code = "ConnectionAmbiguous"


class AlreadyThere(ManagerError):
    """It is here already."""

    status = 409
    code = "AlreadyExists"


class NotOurs(ManagerError):
    """It stands in a file that is a person's."""

    status = 409
    code = "NotRemovable"


class WrittenByHand(ManagerError):
    """Its file is a person's, and would be written over."""

    status = 409
    code = "WrittenByHand"


class CannotKeep(ManagerError):
    """It cannot be written down."""

    status = 409
    code = "CannotPersist"
