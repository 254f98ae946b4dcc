"""Tests of L{bench}: of what it reckons with, never of a figure."""
