"""Tests of L{hybridconn.core}."""
