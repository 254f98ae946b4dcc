"""
Names of namespaces and entities, and the path of a request (product-behaviour
section 2, reliability-security T5).

Messages of errors say what is wrong without repeating the name: what a person
pasted into the wrong place may be a key.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

MAX_ENTITY_PATH = 260
"""Most characters of an entity's path."""

_ALPHANUMERIC = frozenset(string.ascii_letters + string.digits)
_ENTITY_CHARACTERS = _ALPHANUMERIC | frozenset("._-/")
_NAMESPACE_CHARACTERS = _ALPHANUMERIC | {"-"}
_UPPER_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_CONTROL_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


def fold(text: str) -> str:
    """
    Lower the ASCII letters of C{text} and no others, the way in which names
    are compared (relay-protocol sections 2.3 and 11).
    """
    return text.lower() if text.isascii() else text.translate(_UPPER_TO_LOWER)


def fold_segments(segments: Sequence[str]) -> tuple[str, ...]:
    """Apply L{fold} to each segment of a path."""
    return tuple(fold(segment) for segment in segments)


def parse_namespace_name(text: str) -> str:
    """
    Check the name of a namespace.

    @return: C{text} itself.
    @raise ValueError: saying what is wrong with it.
    """
    if not 6 <= len(text) <= 50:
        raise ValueError(f"it has {len(text)} characters; use 6 to 50")
    _check_characters(text, _NAMESPACE_CHARACTERS, "letters, digits and hyphens")
    if text[0] not in string.ascii_letters:
        raise ValueError("it does not begin with a letter")
    if text[-1] == "-":
        raise ValueError("it ends with a hyphen")
    return text


def parse_entity_path(text: str) -> str:
    """
    Check the path of a hybrid connection, such as C{"db"} or C{"plant/4/db"}.

    @return: C{text} itself.
    @raise ValueError: saying what is wrong with it.
    """
    if not text:
        raise ValueError("it is empty")
    if len(text) > MAX_ENTITY_PATH:
        raise ValueError(f"it has {len(text)} characters; use 1 to {MAX_ENTITY_PATH}")
    _check_characters(
        text,
        _ENTITY_CHARACTERS,
        "letters, digits, period, hyphen, underscore and slash",
    )
    for end, character in (("first", text[0]), ("last", text[-1])):
        if character not in _ALPHANUMERIC:
            raise ValueError(f"its {end} character is not a letter or a digit")
    for segment in text.split("/"):
        if segment in ("", ".", ".."):
            raise ValueError('it has an empty segment, or one that is "." or ".."')
    return text


def is_usual_entity_path(text: str) -> bool:
    """
    Whether Azure's own connection managers take the name too: letters, digits
    and hyphens only.  Others are legal, but deserve a warning.
    """
    return bool(text) and all(c in _NAMESPACE_CHARACTERS for c in text)


def _check_characters(text: str, allowed: frozenset[str], words: str) -> None:
    for position, character in enumerate(text, 1):
        if character not in allowed:
            raise ValueError(f"character {position} is not allowed; use {words}")


def decode_path(raw_path: str) -> tuple[str, ...]:
    """
    Decode the path of a request, once, into its segments.  One slash at the
    end is ignored.

    An escaped slash may stand in what follows the entity, which is passed on
    undecoded (relay-protocol section 2.7).  It is never a boundary here, so no
    entity is found through it, and it may not hide a dot segment either.

    @param raw_path: printable ASCII, beginning with a slash.
    @return: the decoded segments; none for C{"/"}.
    @raise ValueError: on empty segments, C{.} and C{..}, control characters,
        backslashes, text that is not UTF-8 (reliability-security T5), and when
        no entity's path could be a prefix of this one.
    """
    if raw_path == "/":
        return ()
    trimmed = raw_path[1:].removesuffix("/")
    segments = []
    for raw in trimmed.split("/"):
        if "%" in raw:
            try:
                segment = unquote_to_bytes(raw).decode("utf-8")
            except UnicodeDecodeError:
                raise ValueError("the path is not UTF-8") from None
        else:
            segment = raw
        if not segment:
            raise ValueError("the path has an empty segment")
        if _CONTROL_OR_BACKSLASH.search(segment):
            raise ValueError("the path has a control character or a backslash")
        if not {".", ".."}.isdisjoint(segment.split("/")):
            raise ValueError("the path has a dot segment")
        segments.append(segment)
    if "/" in segments[0]:
        raise ValueError("the path has an escaped slash in its first segment")
    if len(segments[0]) > MAX_ENTITY_PATH:
        raise ValueError("the path is too long for any endpoint")
    return tuple(segments)
