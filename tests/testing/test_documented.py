"""The examples in the test kit's own words, run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

from twisted.trial.unittest import SynchronousTestCase

import hybridconn.testing


class DocumentedTests(SynchronousTestCase):
    """Docstrings of L{hybridconn.testing}."""

    def test_examples(self) -> None:
        """Every example in a docstring does what it says."""
        attempted = 0
        for found in pkgutil.iter_modules(hybridconn.testing.__path__):
            module = importlib.import_module(f"hybridconn.testing.{found.name}")
            results = doctest.testmod(module, report=False)
            self.assertEqual(results.failed, 0, found.name)
            attempted += results.attempted
        self.assertGreater(attempted, 20)

    def test_exports(self) -> None:
        """What __all__ names is there, and is documented."""
        for name in hybridconn.testing.__all__:
            self.assertTrue(getattr(hybridconn.testing, name).__doc__, name)
