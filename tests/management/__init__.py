"""Tests of the management API, in memory."""
