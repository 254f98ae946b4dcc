"""The tests of hybridconn; the folders mirror the package."""
