"""Tests of L{hybridconn.names}."""
