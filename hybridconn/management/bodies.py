"""Reading the JSON of requests (management-api section 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from hybridconn.management.errors import ApiError, bad_request

#: Characters of a text that has no limit of its own.
MOST_TEXT: Final = 2048
#: Tags of one resource, and characters of a tag's name and value (Azure Resource
#: Manager, "Use tags to organize your Azure resources").
MOST_TAGS: Final = 50
MOST_TAG_NAME: Final = 512
MOST_TAG_VALUE: Final = 256
#: What no database and no UTF-8 can hold: NUL, and halves of characters, which JSON
#: can name by an escape.
_IMPOSSIBLE: Final = re.compile("[\x00\ud800-\udfff]")


class Body:
    """
    A JSON object whose members are found in any case, since clients differ.

    @param where: how it is called in messages; empty for the whole body.
    @raise ApiError: 400, two of its members differ in case only.
    """

    def __init__(self, members: Mapping[str, Any], where: str = "") -> None:
        self._members = {name.lower(): value for name, value in members.items()}
        self._where = where
        if len(self._members) < len(members):
            place = f"'{where}'" if where else "The body"
            raise _not_json(f"{place} has a member twice, in different cases.")

    @classmethod
    def parse(cls, data: bytes) -> Body:
        """
        @raise ApiError: 400, it is no JSON object in UTF-8.
        """
        try:
            text = data.decode("utf-8-sig")
            if not text.strip():
                return cls({})
            value = json.loads(
                text, parse_constant=_no_number, object_pairs_hook=_members_once
            )
        except (ValueError, RecursionError):
            raise _not_json("The body is not JSON in UTF-8.") from None
        if not isinstance(value, dict):
            raise _not_json("The body is no JSON object.")
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

    def text(
        self, name: str, default: str | None = None, most: int | None = MOST_TEXT
    ) -> str | None:
        """
        A member that is a string.

        @param most: characters; L{None}: the caller looks at that.
        """
        value = self._members.get(name.lower())
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "use a string")
        if most is not None and len(value) > most:
            raise self.wrong(name, f"use {most} characters at most")
        if _IMPOSSIBLE.search(value):
            raise self.wrong(name, "it has a character that cannot be kept")
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
            value = int(value) if len(value) < 20 else None
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
        if len(value) > MOST_TAGS:
            raise self.wrong("tags", f"use {MOST_TAGS} at most")
        for name, text in value.items():
            if len(name) > MOST_TAG_NAME or len(text) > MOST_TAG_VALUE:
                raise self.wrong(
                    "tags",
                    f"use {MOST_TAG_NAME} characters at most in a name and "
                    f"{MOST_TAG_VALUE} in a value",
                )
            if _IMPOSSIBLE.search(name + text):
                raise self.wrong("tags", "one has a character that cannot be kept")
        return dict(value)


def _not_json(words: str) -> ApiError:
    return bad_request(words, "InvalidRequestContent")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Which of two is meant, no two readers would agree on.
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands twice")
    return members
