"""Tests of L{hybridconn.web}."""
