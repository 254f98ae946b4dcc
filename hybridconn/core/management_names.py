"""Names of what is managed, checked when it is made (management-api section 6)."""

from __future__ import annotations

import re
from typing import Final

#: Of whole names; a description of the API shows them too.
RULE_NAME: Final = "[A-Za-z0-9]([A-Za-z0-9._-]{0,48}[A-Za-z0-9])?"
GROUP_NAME: Final = "[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]"
SITE_NAME: Final = "[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]"
SLOT_NAME: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,57}[A-Za-z0-9])?"
PLAN_NAME: Final = "[A-Za-z0-9-]{1,60}"


def _check(pattern: str, text: str, words: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(words)
    return text


def parse_rule_name(text: str) -> str:
    """
    @raise ValueError: it is no authorization rule's name.
    """
    return _check(
        RULE_NAME,
        text,
        "use 1 to 50 letters, digits, periods, hyphens and underscores, a letter or "
        "digit at both ends",
    )


def parse_group_name(text: str) -> str:
    """
    @raise ValueError: it is no resource group's name.
    """
    return _check(
        GROUP_NAME,
        text,
        "use 1 to 90 letters, digits, underscores, hyphens, periods and parentheses, "
        "no period at the end",
    )


def parse_site_name(text: str) -> str:
    """
    @raise ValueError: it is no app's name.
    """
    return _check(
        SITE_NAME,
        text,
        "use 2 to 60 letters, digits and hyphens, no hyphen at an end",
    )


def parse_plan_name(text: str) -> str:
    """
    @raise ValueError: it is no plan's name.
    """
    return _check(PLAN_NAME, text, "use 1 to 60 letters, digits and hyphens")


def parse_slot_name(text: str) -> str:
    """
    @raise ValueError: it is no slot's name.
    """
    return _check(
        SLOT_NAME,
        text,
        "use 1 to 59 letters, digits and hyphens, no hyphen at an end",
    )
