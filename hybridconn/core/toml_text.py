"""Values as TOML has them; Python reads TOML, but does not write it."""

from __future__ import annotations

import json
from collections.abc import Sequence


def toml_value(value: str | int | float | bool | Sequence[str]) -> str:
    """
    Write one value.

    >>> print(toml_value('a "quoted" ü'), toml_value(True), toml_value(2.5))
    "a \\"quoted\\" ü" true 2.5

    @param value: a number must be finite.
    """
    # JSON's escapes are TOML's, but for pairs of surrogates, which TOML does not know,
    # and for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
