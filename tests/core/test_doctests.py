"""The examples in the docstrings of the core are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

from twisted.trial.unittest import SynchronousTestCase

import hybridconn.core


class DoctestTests(SynchronousTestCase):
    """Every example in a docstring runs."""

    def test_examples(self) -> None:
        """What the docstrings of core show is what happens."""
        attempted = 0
        for module in pkgutil.iter_modules(hybridconn.core.__path__):
            name = f"hybridconn.core.{module.name}"
            result = doctest.testmod(importlib.import_module(name))
            self.assertEqual(result.failed, 0, name)
            attempted += result.attempted
        self.assertGreaterEqual(attempted, 6)
