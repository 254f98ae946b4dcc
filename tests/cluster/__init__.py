"""Tests of L{hybridconn.cluster}."""
