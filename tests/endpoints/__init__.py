"""Tests of hybridconn.endpoints."""
