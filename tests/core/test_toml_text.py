"""Values that TOML readers read again."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.toml_text import toml_value


class TomlTextTests(SynchronousTestCase):
    """L{toml_value}."""

    @given(
        st.one_of(
            st.text(st.characters(codec="utf-8")),
            st.booleans(),
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False, allow_infinity=False),
            st.lists(st.text(st.characters(codec="utf-8"))),
        )
    )
    def test_read_again(self, value: str) -> None:
        """What is read is what was written, any character and number."""
        self.assertEqual(tomllib.loads(f"a = {toml_value(value)}"), {"a": value})
