"""Tests of L{hybridconn.balancers}."""
