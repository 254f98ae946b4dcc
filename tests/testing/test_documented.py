"""The examples in the test kit's own words, run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from unittest import TestResult, TestSuite

from twisted.trial.unittest import SynchronousTestCase

import hybridconn.testing

_PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
_EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class DocumentedTests(SynchronousTestCase):
    """Docstrings of L{hybridconn.testing}, and its page."""

    def test_docstrings(self) -> None:
        """Every example in a docstring does what it says."""
        attempted = 0
        for found in pkgutil.iter_modules(hybridconn.testing.__path__):
            module = importlib.import_module(f"hybridconn.testing.{found.name}")
            results = doctest.testmod(module, report=False)
            self.assertEqual(results.failed, 0, found.name)
            attempted += results.attempted
        self.assertGreater(attempted, 20)

    def test_page(self) -> None:
        """Every test on the page passes."""
        result = TestResult()
        for number, source in enumerate(_EXAMPLE.findall(_PAGE.read_text("utf-8"))):
            module = ModuleType(f"example{number}")
            exec(compile(source, f"{_PAGE}:{number}", "exec"), vars(module))
            cases = [
                thing
                for thing in vars(module).values()
                if isinstance(thing, type)
                and issubclass(thing, SynchronousTestCase)
                and thing is not SynchronousTestCase
            ]
            TestSuite(
                case(name)
                for case in cases
                for name in dir(case)
                if name.startswith("test_")
            ).run(result)
        problems = [text for _, text in (*result.failures, *result.errors)]
        self.assertEqual(problems, [])
        self.assertGreaterEqual(result.testsRun, 4)

    def test_exports(self) -> None:
        """What __all__ names is there, and is documented."""
        for name in hybridconn.testing.__all__:
            self.assertTrue(getattr(hybridconn.testing, name).__doc__, name)
