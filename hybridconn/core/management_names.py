"""Names of what is managed, checked when it is made (management-api section 6)."""

from __future__ import annotations

import re
from typing import Final

_RULE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?")
_GROUP: Final = re.compile(r"[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]")
_SITE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]")
_PLAN: Final = re.compile(r"[A-Za-z0-9-]{1,60}")


def _check(pattern: re.Pattern[str], text: str, words: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(words)
    return text


def parse_rule_name(text: str) -> str:
    """
    @raise ValueError: it is no authorization rule's name.
    """
    return _check(
        _RULE,
        text,
        "use 1 to 50 letters, digits, periods, hyphens and underscores, a letter or "
        "digit at both ends",
    )


def parse_group_name(text: str) -> str:
    """
    @raise ValueError: it is no resource group's name.
    """
    return _check(
        _GROUP,
        text,
        "use 1 to 90 letters, digits, underscores, hyphens, periods and parentheses, "
        "no period at the end",
    )


def parse_site_name(text: str) -> str:
    """
    @raise ValueError: it is no app's name.
    """
    return _check(
        _SITE,
        text,
        "use 2 to 60 letters, digits and hyphens, no hyphen at an end",
    )


def parse_plan_name(text: str) -> str:
    """
    @raise ValueError: it is no plan's name.
    """
    return _check(_PLAN, text, "use 1 to 60 letters, digits and hyphens")
