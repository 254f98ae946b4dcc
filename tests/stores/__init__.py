"""Tests of L{hybridconn.stores}."""
