"""
What the data path costs: real processes on this machine, and the same work done by
others.  C{make bench}, or C{python -m bench --list}.
"""
