"""Tests of hybridconn.listener."""
