"""Tests of L{hybridconn.config}."""

from hypothesis import settings

# A loaded machine must not fail a test, and runs leave no files behind.
settings.register_profile("hybridconn", deadline=None, database=None, max_examples=150)
settings.load_profile("hybridconn")
