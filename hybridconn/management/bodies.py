"""Reading the JSON of requests (management-api section 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hybridconn.management.errors import ApiError, bad_request

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Body:
    """
    A JSON object whose members are found in any case, since clients differ.

    @param where: how it is called in messages; empty for the whole body.
    """

    def __init__(self, members: Mapping[str, Any], where: str = "") -> None:
        self._members = {name.lower(): value for name, value in members.items()}
        self._where = where

    @classmethod
    def parse(cls, data: bytes) -> Body:
        """
        @raise ApiError: 400, it is no JSON object.
        """
        if not data.strip():
            return cls({})
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise bad_request(
                "The body is not JSON.", "InvalidRequestContent"
            ) from None
        if not isinstance(value, dict):
            raise bad_request("The body is no JSON object.", "InvalidRequestContent")
        if not _is_text(value):
            raise bad_request(
                "The body has a null character or half of a surrogate pair, which no "
                "text can hold.",
                "InvalidRequestContent",
            )
        return cls(value)

    def members(self) -> dict[str, Any]:
        """All of them, by their names in lower case."""
        return dict(self._members)

    def __contains__(self, name: str) -> bool:
        return self._members.get(name.lower()) is not None

    def _place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def wrong(self, name: str, words: str) -> ApiError:
        """What to say of a member that cannot be used."""
        return bad_request(f"'{self._place(name)}' is wrong: {words}.")

    def object(self, name: str) -> Body:
        """A member that is an object; an empty one if it is absent or null."""
        value = self._members.get(name.lower())
        if value is None:
            return Body({}, self._place(name))
        if not isinstance(value, dict):
            raise self.wrong(name, "use an object")
        return Body(value, self._place(name))

    def text(self, name: str, default: str | None = None) -> str | None:
        """A member that is a string."""
        value = self._members.get(name.lower())
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "use a string")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        """A member that is true or false."""
        value = self._members.get(name.lower())
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "use true or false")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """A member that is one of several words."""
        value = self.text(name, default)
        for word in allowed:
            if value is not None and word.lower() == value.lower():
                return word
        raise self.wrong(name, "use " + ", ".join(allowed[:-1]) + " or " + allowed[-1])

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number, which may come as a string."""
        value = self._members.get(name.lower())
        if value is None:
            return None
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:9])
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(name, f"use a number from {least} to {most}")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of strings; an empty one if it is absent."""
        value = self._members.get(name.lower())
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.wrong(name, "use a list of strings")
        return list(value)

    def objects(self, name: str) -> list[Body]:
        """A list of objects; an empty one if it is absent."""
        value = self._members.get(name.lower())
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.wrong(name, "use a list of objects")
        place = self._place(name)
        return [Body(one, f"{place}[{number}]") for number, one in enumerate(value)]

    def tags(self, before: Mapping[str, str]) -> dict[str, str]:
        """The C{tags}; C{before} if they are absent."""
        if "tags" not in self:
            return dict(before)
        value = self._members["tags"]
        if not isinstance(value, dict) or not all(
            isinstance(one, str) for one in value.values()
        ):
            raise self.wrong("tags", "use an object of strings")
        return dict(value)


def _is_text(value: object) -> bool:
    """Whether all strings in it are text that can be kept."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += one.keys()
            left += one.values()
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str) and _NO_TEXT.search(one):
            return False
    return True
