"""What all refusals have in common."""

from __future__ import annotations

import math
from typing import ClassVar

from attrs import field, frozen

Headers = tuple[tuple[str, str], ...]


class Refusal(Exception):
    """
    The relay says no.  Raised by the core and by services, turned into HTTP in
    one place.
    """

    _status: ClassVar[int]
    _sentence: ClassVar[str] = "{0.detail}"  # fields of the refusal may stand in it
    _headers: ClassVar[Headers] = ()

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self._status

    @property
    def sentence(self) -> str:
        """What is wrong, for people, without a full stop at its end."""
        return self._sentence.format(self)

    @property
    def logged(self) -> str:
        """What the log says: the same, unless it is more than the client may know."""
        return self.sentence

    @property
    def headers(self) -> Headers:
        """Header fields that belong to the answer."""
        return self._headers

    def __str__(self) -> str:
        return self.sentence


@frozen
class Later(Refusal):
    """
    Not now.

    @ivar retry_after: seconds.
    """

    retry_after: float = field(default=10.0, kw_only=True)

    @property
    def headers(self) -> Headers:
        """When to come back."""
        return (("Retry-After", str(max(1, math.ceil(self.retry_after)))),)
