"""
Tests with real processes: C{twistd} on loopback TLS, real clients and targets.

They are ordinary blocking code: the programs under test have reactors of their
own.  No test sleeps for a fixed time; each waits for what it wants to see, with
a deadline.
"""
