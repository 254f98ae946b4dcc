"""Tests of L{hybridconn.config}."""
