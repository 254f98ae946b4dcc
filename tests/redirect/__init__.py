"""Tests of L{hybridconn.redirect}."""
