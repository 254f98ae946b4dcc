"""Tests of hybridconn.sender."""
