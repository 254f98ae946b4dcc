"""Tests of L{hybridconn.cli}."""
